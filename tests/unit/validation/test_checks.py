import numpy as np
import pandas as pd
import pytest

from ciclo.components.validation.checks import variance_inflation

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
