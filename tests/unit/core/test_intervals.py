"""Intervals of every metric: as by leaving rows out, and right where days move together or tails are heavy."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciclo.components.core.clusters import Groups, gain_interval, groups_of, score_interval
from ciclo.components.core.intervals import Interval, Scorer, scorer
from ciclo.components.core.metrics import METRICS
from tests.tables import project

AUC, RMSE = METRICS["roc_auc_score"], METRICS["root_mean_squared_error"]
CASES = [(m, k) for m in METRICS.values() for k in ((2, 3) if "multiclass" in m.tasks else (2,))]
DAYS, A_DAY = 14, 100


def answered(metric, classes, rng, rows):
    """True values and answers that are a little right, with ties."""
    if metric.needs == "value":
        y = rng.lognormal(size=rows)
        return y, y + rng.normal(size=rows).round(1), []
    y = rng.integers(0, classes, rows)
    said = rng.dirichlet([1] * classes, rows).round(1) + np.eye(classes)[y] * 0.3 + 0.01
    said /= said.sum(axis=1, keepdims=True)
    return y, said if metric.needs == "probability" else said.argmax(axis=1), list(range(classes))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("metric", "classes"), CASES, ids=lambda v: getattr(v, "name", v))
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), rows=st.integers(12, 90))
def test_a_score_without_each_group_is_that_of_scikit_learn(metric, classes, seed, rows):
    rng = np.random.default_rng(seed)
    y, said, codes = answered(metric, classes, rng, rows)
    group = rng.integers(0, 4, rows)
    quick, slow = scorer(metric, y, said, codes), Scorer(metric, y, said, codes)
    drawn = rng.integers(0, rows, rows)
    assert quick(drawn) == pytest.approx(slow(drawn), abs=1e-9, nan_ok=True)
    ours, theirs = quick.without_each(group, 4), slow.without_each(group, 4)
    told = np.isfinite(theirs)
    assert ours[told] == pytest.approx(theirs[told], abs=1e-9)


def called_better(seeds, effect, gain=0.0):
    """How often a challenger whose squared errors are smaller by so much is called better; days move both apart."""
    days = np.repeat(np.arange(DAYS), A_DAY)
    found = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        apart = np.repeat(effect * rng.normal(size=DAYS), A_DAY)
        y, squares = np.zeros(DAYS * A_DAY), rng.normal(size=(2, DAYS * A_DAY)) ** 2 + 4
        ours, theirs = np.sqrt(squares[0] - apart - gain), np.sqrt(squares[1])
        found += gain_interval(RMSE, y, ours, theirs, [], groups=days, confidence=0.95).low > 0
    return found


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, 0.4])
def test_an_equal_model_is_rarely_called_better_whatever_days_do_to_it(effect):
    assert called_better(300, effect) <= 26  # 5 % are 15
    assert called_better(40, effect, gain=0.5) >= 36


@pytest.mark.slow
@pytest.mark.parametrize("rows", [300, 2_000])
def test_heavy_tails_do_not_make_an_equal_model_better(rows):
    wrong = np.zeros(2)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        errors = rng.lognormal(sigma=1.5, size=(2, rows))
        found = gain_interval(RMSE, np.zeros(rows), *errors, [], groups=groups_of(None, rows), confidence=0.95)
        wrong += [found.low > 0, found.high < 0]
    assert (wrong <= 28).all()


def test_a_gain_in_proportion_to_heavy_errors_is_sure_as_a_share():
    errors = np.random.default_rng(0).lognormal(sigma=1.5, size=300)
    options = {"groups": groups_of(None, 300), "confidence": 0.95}
    plain = gain_interval(RMSE, np.zeros(300), 1.1 * errors, errors, [], **options)
    share = gain_interval(RMSE, np.zeros(300), 1.1 * errors, errors, [], relative=True, **options)
    assert plain.high - plain.low > 0.1 * abs(plain.point)
    assert (share.low, share.high) == (pytest.approx(-0.1), pytest.approx(-0.1))


def test_few_groups_give_a_point_without_bounds():
    y, said, codes = answered(AUC, 2, np.random.default_rng(0), 900)
    nine, ten = np.arange(900) % 9, np.arange(900) % 10
    assert not score_interval(AUC, y, said, codes, groups=nine, confidence=0.95).bounded
    assert score_interval(AUC, y, said, codes, groups=ten, confidence=0.95).bounded
    found = gain_interval(AUC, y, said, said[::-1], codes, groups=nine, confidence=0.95)
    assert math.isfinite(found.point)
    assert not found.bounded


@pytest.mark.parametrize(
    ("gain", "limit", "pieces", "needed"),
    [
        (Interval(-0.01, 0.01, 0.03), 0.0, 14, 42),
        (Interval(-0.02, 0.0, 0.02), -0.01, 100, 300),
        (Interval(0.01, 0.02, 0.03), 0.0, 14, 1),
        (Interval(-0.03, -0.01, 0.01), 0.0, 14, None),
        (Interval(-0.03, 0.0, 0.03), 0.0, 14, None),
        (Interval(-1.0, 0.001, 1.0), 0.0, 14, None),
        (Interval(math.nan, 0.1, math.nan), 0.0, 14, None),
    ],
)
def test_how_much_more_would_tell(gain, limit, pieces, needed):
    assert gain.needed(limit, pieces) == needed


def test_groups_are_what_the_split_keeps_together():
    times = pd.date_range("2026-01-01", periods=48, freq="6h", tz="UTC")
    rows = pd.DataFrame({"size": range(48), "t": times})
    by_hash = Groups.of(project(), rows)
    assert (by_hash.unit, by_hash.count, np.unique(by_hash.of_rows).size) == ("row", 48, 48)
    parsed = project()
    data = parsed.data.model_copy(update={"time_column": "t"})
    by_time = Groups.of(parsed.model_copy(update={"data": data}), rows)
    assert (by_time.unit, by_time.count) == ("day", 12)
    assert by_time[np.arange(48) < 9].count == 3
    assert groups_of(pd.Series(["b", "a", None, "b"]), 4).tolist() == [0, 1, 2, 0]
