"""Each assumption is broken by itself, and its check alone fails."""

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.tables.datasets import Dataset
from ciclo.components.validation.assumptions import assumption_checks, condition_number, uses_linear
from tests.tables import project, table

ROWS = 3_000


def failing(noise: str, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, ROWS))
    error = rng.normal(size=ROWS)
    if noise == "normality":
        error = rng.standard_t(2.1, size=ROWS)
    if noise == "even spread":
        error = error * np.exp(0.6 * x)
    if noise == "independence":
        for i in range(1, ROWS):
            error[i] += 0.6 * error[i - 1]
    if noise == "condition number":
        z = x + 0.01 * z
    columns = {n: {"type": "number"} for n in ("x", "z", "y")}
    charter = project(data={"source": "t.csv", "target": "y", "columns": columns})
    frame = pd.DataFrame({"x": x, "z": z, "y": 3 * x + error})
    checks = assumption_checks(charter, Dataset(Contract.of(charter, ()), frame), "warning")
    assert len(checks) == 4
    assert all((";" in c.message) is not c.passed for c in checks)
    return [c.message.split(":")[0].split(" (")[0].split(" of ")[0] for c in checks if not c.passed]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("broken", ["", "normality", "independence", "condition number"])
def test_a_broken_assumption_is_named_and_no_other(broken, seed):
    assert [m for m in failing(broken, seed) if m != "even spread" or broken != "normality"] == [broken] * bool(broken)


@pytest.mark.parametrize("seed", range(5))
def test_an_uneven_spread_is_named(seed):
    assert "even spread" in failing("even spread", seed)


def test_the_condition_number_is_that_of_numpy_and_infinite_for_a_combination():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=list("abc"))
    frame["d"] = frame["a"] + 0.2 * frame["b"] + 0.1 * frame["c"] ** 2
    assert condition_number(frame) == pytest.approx(np.linalg.cond(((frame - frame.mean()) / frame.std()).to_numpy()))
    frame["sum"] = frame["a"] + frame["b"]
    assert condition_number(frame) == np.inf


def test_nothing_is_checked_where_no_candidate_is_linear():
    trees = project(training={"candidates": {"trees": {"estimator": "random_forest"}}})
    rows = Dataset(Contract.of(trees, ("false", "true")), table(300))
    assert not uses_linear(trees)
    assert assumption_checks(trees, rows, "warning") == []
    assert assumption_checks(project(), rows, "off") == []
    assert len(assumption_checks(project(), rows, "warning")) == 1
