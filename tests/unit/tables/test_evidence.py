"""How much is enough to say that a score is over a limit."""

import math

import numpy as np
import pytest

from ciclo.components.tables.evidence import auc_error, enough, ranks_alike, surely_ranked


@pytest.mark.parametrize(
    ("rows", "positive", "classes", "is_enough"),
    [(50, 20, [0, 1], True), (49, 20, [0, 1], False), (500, 19, [0, 1], False), (50, 0, [], True), (49, 0, [], False)],
)
def test_enough_rows_and_of_the_rarest(rows: int, positive: int, classes: list[int], is_enough: bool) -> None:
    assert enough((np.arange(rows) < positive).astype(int), classes) is is_enough


def test_the_error_of_an_auc_by_hand() -> None:
    """Of .8 on 3 positives and 4 negatives: (.16 + 2 * (.8 / 1.2 - .64) + 3 * (1.28 / 1.8 - .64)) / 12."""
    assert auc_error(0.8, 3, 7) ** 2 == pytest.approx((0.16 + 2 * 0.0266667 + 3 * 0.0711111) / 12, rel=1e-5)


@pytest.mark.parametrize(
    ("alike", "rows", "looked_at", "sure"),
    [
        (0.9999, 50, 1, True),
        (0.9999, 49, 1, False),
        (0.991, 60, 1, False),
        (0.992, 1_000, 1, True),
        (0.992, 1_000, 10**6, False),
    ],
)
def test_an_order_is_surely_alike_on_rows_enough(alike: float, rows: int, looked_at: int, sure: bool) -> None:
    assert surely_ranked(alike, rows, 0.99, looked_at) is sure


def test_a_column_without_an_order_is_like_none() -> None:
    with np.errstate(all="raise"):
        assert math.isnan(ranks_alike(np.zeros(60), np.arange(60)))
        assert math.isnan(ranks_alike(np.arange(60), np.zeros(60)))
    assert ranks_alike(np.arange(60), -np.arange(60)) == pytest.approx(1)
