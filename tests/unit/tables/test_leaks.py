"""Leaks of every kind are found, named and given the level they deserve; honest tables get no error."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.leaking import BUNDLED, KINDS, bundled, clean_table, finds, leak_findings, prepared, table
from ciclo.components.core.metrics import METRICS
from ciclo.components.tables.combinations import combined
from ciclo.components.tables.evidence import auc_error, surely_over
from ciclo.components.tables.leaks import Leaks, leaks
from ciclo.components.tables.relations import Halves
from tests.depth import some

IGNORED = {"people on both sides": ("person",), "test rows from training": ("entry",)}


def searched(frame: pd.DataFrame, task: str = "binary", limit: float = 0.99) -> Leaks:
    _, rows = prepared(frame, task)
    return leaks(rows.split("train"), rows.split("validation"), limit)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_leak_of_each_kind_is_found_and_named(name: str) -> None:
    kind = KINDS[name]
    project, rows = prepared(table(kind, 100), kind.task, IGNORED.get(name, ()))
    checks = leak_findings(project, rows)
    assert finds(kind, checks), checks
    honest = {f"'x{n}'" for n in range(6)} | {"'colour'", "'count'"}
    named = [c for c in checks if c.name in ("leakage", "shared_entities") and any(n in c.message for n in honest)]
    assert not named, named
    if kind.level == "warning":
        assert not [c for c in checks if c.level == "error"]


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_no_error_is_given_on_tables_that_everybody_knows(name: str) -> None:
    frame, task = bundled(name)
    project, rows = prepared(frame, task)
    assert not [c for c in leak_findings(project, rows) if c.level == "error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "rows", "noise"), some([("multiclass", 1_000, 30), ("binary", 60, 300), ("regression", 400, 30)])
)
def test_nothing_is_found_where_there_is_nothing(task: str, rows: int, noise: int) -> None:
    for seed in range(2):
        project, dataset = prepared(clean_table(task, seed, rows, noise), task)
        assert leak_findings(project, dataset) == []


@pytest.mark.parametrize(("each", "level"), [(60, "warning"), (400, "error")])
def test_a_column_that_sets_the_classes_apart_is_refused_on_rows_enough_alone(each: int, level: str) -> None:
    """A flower may be told by one leaf: with few rows a perfect score says no more than that it is high."""
    rng = np.random.default_rng(0)
    y = np.arange(20 * each) % 2 == 1
    frame = clean_table("binary", 0, len(y)).assign(y=y, apart=np.where(y, 5, 0) + rng.random(len(y)))
    frame = frame.iloc[: int(2 * each / 0.15)]
    (leak,) = searched(frame).found
    assert (leak.kind, leak.columns, leak.level) == ("alone", ("apart",), level)
    assert leak.text == "'apart' tells the target on its own"


def test_what_is_left_out_of_a_copy_does_not_hide_it() -> None:
    """Where it is known it is the target; over all rows it scores too little to be seen."""
    rng = np.random.default_rng(1)
    y = rng.random(4_000) < 0.5
    leak = np.where(rng.random(4_000) < 0.3, np.nan, np.where(y, 5, 0) + rng.random(4_000))
    found = searched(clean_table("binary", 1, 4_000).assign(y=y, leak=leak))
    assert found.relations["leak"] < 0.96
    assert [(leak.kind, leak.columns, leak.level) for leak in found.found] == [("present", ("leak",), "error")]
    assert found.found[0].text == "'leak' tells the target wherever it is known"


@pytest.mark.slow
def test_the_limit_is_that_of_the_project() -> None:
    frame = clean_table("binary", 3, 4_000, strong=(4.0,))
    assert searched(frame, limit=0.99).errors == ()
    assert [leak.columns for leak in searched(frame, limit=0.8).errors] == [("x0",)]


def test_an_interval_that_many_columns_share_is_wider() -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 3_000)
    scores = y + 0.295 * rng.normal(size=3_000)
    predicted = np.column_stack([-scores, scores])
    metric, groups = METRICS["roc_auc_score"], np.arange(3_000) % 50
    sure = {n: surely_over(metric, y, predicted, [0, 1], 0.9875, groups=groups, looked_at=n) for n in (1, 1_000_000)}
    assert sure == {1: True, 1_000_000: False}


def test_the_error_of_an_auc_is_that_of_hanley_and_mcneil() -> None:
    rng = np.random.default_rng(5)
    shift, scores = 2.0, []
    for _ in range(400):
        above, below = rng.exponential(size=40) + shift, rng.exponential(size=60)
        scores.append((above[:, None] > below[None, :]).mean())
    assert auc_error(float(np.mean(scores)), 40, 100) == pytest.approx(np.std(scores), rel=0.25)


@pytest.mark.slow
def test_combinations_are_found_among_hundreds_of_columns_and_no_smaller_one_would_do() -> None:
    rng = np.random.default_rng(6)
    values, names = rng.normal(size=(900, 300)), [str(n) for n in range(300)]

    def found(y: np.ndarray) -> list[tuple[int, ...]]:
        parts = (values[:600], values[600:], y[:600], y[600:])
        halves = Halves("regression", [], names, frozenset(), *parts)
        alone = {column: np.corrcoef(values[:, column], y)[0, 1] ** 2 for column in range(300)}
        return [one.columns for one in combined(halves, list(alone), alone, 0.99)]

    assert found(values[:, 7] - values[:, 130] + values[:, 250]) == [(7, 130, 250)]
    assert found(values[:, 3] * values[:, 9]) == [(3, 9)]
    assert found(values[:, 3] + 0.1 * rng.normal(size=900)) == []


def test_no_order_of_the_rows_hides_a_combination() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(11_000, 4))
    y = (values[:, 0] > values[:, 1]).astype(int)
    y[1_000::5] = rng.integers(0, 2, 2_000)  # as where every fifth row is of another source
    halves = Halves("binary", [0, 1], list("abcd"), frozenset(), values[:1_000], values[1_000:], y[:1_000], y[1_000:])
    assert [one.columns for one in combined(halves, [0, 1, 2, 3], {}, 0.85)] == [(0, 1)]


def test_features_that_are_all_of_the_table_are_no_leak_together() -> None:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(rng.normal(size=(4_000, 2)), columns=["a", "b"])
    frame["y"] = frame["a"] + frame["b"]
    assert [leak.level for leak in searched(frame, "regression").found] == ["warning"]


@pytest.mark.parametrize(("values", "kinds"), [(10, ["copy"]), (11, [])])
def test_few_values_of_one_class_each_are_a_copy(values: int, kinds: list[str]) -> None:
    n = np.random.default_rng(8).permutation(880)
    frame = clean_table("binary", 8, 880).assign(word=[f"w{v}" for v in n % values], y=n % values < 5)
    assert [leak.kind for leak in searched(frame).found if leak.kind == "copy"] == kinds


@pytest.mark.parametrize(("rare", "kinds"), [(20, ["copy"]), (19, [])])
def test_a_copy_of_a_rare_class_needs_some_rows_of_it(rare: int, kinds: list[str]) -> None:
    frame = clean_table("binary", 9, 850).assign(y=False)
    frame.loc[frame.sample(rare, random_state=0).index, "y"] = True
    _, rows = prepared(frame.assign(copy=frame["y"]), "binary")
    halves = [rows.rows.iloc[start::2] for start in (0, 1)]
    found = leaks(*(type(rows)(rows.contract, half) for half in halves), 0.99).found
    assert [leak.kind for leak in found] == kinds
