import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.tables.datasets import Dataset
from ciclo.components.validation.balance import rare_rows
from ciclo.components.validation.checks import validate, variance_inflation
from tests.tables import COLUMNS, TARGETS, dataset, project, table

RNG = np.random.default_rng(0)


def test_inflation_is_one_over_what_the_others_leave_unexplained():
    frame = pd.DataFrame(RNG.normal(size=(2000, 3)), columns=["a", "b", "c"])
    frame["d"] = frame["a"] + 0.5 * frame["b"] + 0.3 * RNG.normal(size=2000)
    others = np.column_stack([np.ones(2000), frame[["a", "b", "c"]]])
    residual = frame["d"] - others @ np.linalg.lstsq(others, frame["d"], rcond=None)[0]
    expected = frame["d"].var() / residual.var()
    assert variance_inflation(frame)["d"] == pytest.approx(expected, rel=0.01)


def test_an_exact_combination_is_infinite_and_a_bystander_is_not():
    frame = pd.DataFrame(RNG.normal(size=(500, 2)), columns=["a", "bystander"])
    frame["twice"] = 2 * frame["a"]
    factors = variance_inflation(frame)
    assert np.isinf(factors["a"])
    assert np.isinf(factors["twice"])
    assert factors["bystander"] < 2


def test_constant_and_empty_columns_do_not_break_it():
    frame = pd.DataFrame({"a": RNG.normal(size=50), "constant": 1.0, "empty": np.nan, "b": RNG.normal(size=50)})
    assert set(variance_inflation(frame)) == {"a", "b"}


def test_the_profile_is_that_of_the_rows_a_model_is_fitted_on():
    """Training and validation: its end is the time after which a champion has seen no row."""
    columns = {"y": TARGETS["binary"], **COLUMNS, "at": {"type": "timestamp"}}
    timed = project(data={"source": "t.csv", "target": "y", "time_column": "at", "columns": columns})
    frame = table(600)
    frame["at"] = pd.date_range("2026-01-01", periods=600, freq="h", tz="UTC")
    frame[SPLIT] = ["train"] * 420 + ["validation"] * 80 + ["test"] * 100
    profile = validate(timed, Dataset(Contract.of(timed, ("false", "true")), frame), "d" * 64).profile
    assert profile.rows == 500
    assert (profile.start, profile.end) == (frame["at"][0].isoformat(), frame["at"][499].isoformat())
    assert sum(profile.target.counts) == 500


@pytest.mark.parametrize(("positive", "decision"), [(9, "unusable"), (10, "pass")])
def test_enough_rows_of_each_class_are_asked_for(positive, decision):
    """The test rows do not count: no model learns from them."""
    charter = project(validation={"checks": {"imbalance": "off", "leakage": "off"}})
    frame = table(600)
    frame[SPLIT] = ["train"] * 420 + ["validation"] * 80 + ["test"] * 100
    frame["y"] = [n < positive or n >= 550 for n in range(600)]
    verdict = validate(charter, Dataset(Contract.of(charter, ("false", "true")), frame), "d" * 64).verdict
    assert verdict.decision == decision, verdict.reason
    (check,) = [c for c in verdict.checks if c.name == "class_rows"]
    assert (check.value, check.limit) == (positive, 10)
    if decision == "unusable":
        assert "rarest class 'true' to train on; 1 more would do" in verdict.reason


@pytest.mark.parametrize(
    ("rows", "rare", "passed"),
    [(200_000, 1_000, True), (200_000, 99, False), (240, 100, True), (240, 99, False)],
)
def test_imbalance_is_a_matter_of_rows_not_of_a_share(rows, rare, passed):
    """Half a percent of many rows is plenty, 41 % of a few is not."""
    frame = pd.DataFrame({"size": RNG.normal(size=rows), "y": np.arange(rows) < rare})
    charter = project(
        data={"source": "t.csv", "target": "y", "columns": {n: COLUMNS.get(n, TARGETS["binary"]) for n in frame}}
    )
    (check,) = rare_rows(
        Dataset(Contract.of(charter, ("false", "true")), frame), charter.validation.imbalance, "warning"
    )
    assert (check.passed, check.value) == (passed, rare)
    assert ("collect 1 more" in check.message) is not passed


@pytest.mark.slow
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_check_gives_advice_where_it_fails_and_none_where_it_passes(task, tmp_path):
    """The same data under limits that nothing meets, and under such that everything meets."""
    strict = {
        "nulls": 0.0001,
        "vif": 1.0001,
        "leakage": 0.01,
        "split_drift": 0.0001,
        "imbalance": 10**6,
        "class_rows": 10**6,
        "twins": 0.0001,
    }
    lenient = {"nulls": 1, "vif": 1e6, "leakage": 1, "split_drift": 1, "imbalance": 1, "class_rows": 1, "twins": 1}
    rows = Dataset.open(dataset(tmp_path / "d", task, signal=1.0))
    rows.rows.loc[rows.rows[SPLIT] == "test", "noise"] += 0.6  # no chance, and not far
    failed, passed = (
        validate(project(task, validation=limits), rows, "d" * 64).verdict.checks for limits in (strict, lenient)
    )
    assert all((";" in c.message) is not c.passed for c in (*failed, *passed)), (failed, passed)
    assert all(c.passed for c in passed)
    ruled = {"nulls", "multicollinearity", "split_drift", "twins"}
    ruled |= set() if task == "regression" else {"imbalance", "class_rows"}
    assert {c.name for c in failed if not c.passed} - {"leakage"} == ruled
