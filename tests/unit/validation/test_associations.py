"""Measures of association on data whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from pandas.api.types import is_numeric_dtype
from scipy import stats

from ciclo.components.core.contract import Contract
from ciclo.components.core.profile import Profile
from ciclo.components.tables.datasets import Dataset
from ciclo.components.validation.associations import pairs, relation_checks, target_relations, twin_checks
from tests.tables import project

NUMBER, TEXT = {"type": "number"}, {"type": "category"}


def sample(frame: pd.DataFrame, target: dict, classes: tuple[str, ...]) -> Dataset:
    columns = {n: target if n == "y" else NUMBER if is_numeric_dtype(frame[n]) else TEXT for n in frame}
    charter = project(data={"source": "t.csv", "target": "y", "columns": columns})
    return Dataset(Contract.of(charter, classes), frame)


def related(rows: Dataset):
    return target_relations(rows, Profile.of(rows.features, rows.labels()))


def test_every_measure_is_that_of_its_kind_and_agrees_with_the_library():
    rng = np.random.default_rng(1)
    x = rng.normal(size=900)
    frame = pd.DataFrame({"x": np.exp(x), "c": np.where(x + rng.normal(size=900) > 0, "a", "b")})
    frame["y"] = x**3 + rng.normal(size=900)
    frame.loc[:50, "x"] = np.nan
    number = related(sample(frame, NUMBER, ()))
    expected = stats.spearmanr(frame["x"][51:], frame["y"][51:])
    assert number["x"].measure == "Spearman"
    assert number["x"].strength == pytest.approx(expected.statistic, abs=1e-9)
    assert number["x"].p_value < 1e-100
    assert number["c"].measure == "correlation ratio"
    frame["y"] = np.where(frame["y"] > 0, "yes", "no")
    classes = related(sample(frame, {"type": "category", "categories": ["no", "yes"]}, ("no", "yes")))
    table = pd.crosstab(frame["c"], frame["y"])
    chi = stats.chi2_contingency(table, correction=False)
    corrected = max(0, chi.statistic / 900 - 1 / 899) / (1 - 1 / 899)
    assert classes["c"].strength == pytest.approx(np.sqrt(corrected), rel=1e-6)
    kruskal = stats.kruskal(*(frame["x"][51:][frame["y"][51:] == label] for label in ("no", "yes")))
    assert classes["x"].p_value == pytest.approx(min(2 * kruskal.pvalue, max(kruskal.pvalue, chi.pvalue)), rel=1e-6)


@pytest.mark.slow
def test_what_chance_brings_is_not_taken_for_a_relation():
    """Of 400 columns of noise at most one in twenty tables shows any, as the correction promises."""
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(20):
        frame = pd.DataFrame(rng.normal(size=(150, 20)), columns=[f"x{i}" for i in range(20)])
        frame["ids"] = np.array([f"id {i}" for i in range(150)], dtype=object)
        frame["y"] = rng.random(150) < 0.3
        found = related(sample(frame, {"type": "boolean"}, ("false", "true")))
        (check,) = relation_checks(found, "warning")
        alarms += check.passed
        assert max(r.information for n, r in found.items() if n != "ids") < 0.12
    assert alarms <= 4  # 20 tables at 5 %: more than four is less likely than one in two hundred


def test_twins_are_found_among_numbers_and_among_categories_and_nobody_else():
    rng = np.random.default_rng(3)
    city = rng.choice(list("abcdefgh"), 1_000)
    frame = pd.DataFrame({"x": rng.normal(size=1_000), "city": city})
    frame["exp"] = np.exp(-frame["x"])
    frame["zip"] = frame["city"].map({c: f"0{i}" for i, c in enumerate("abcdefgh")})
    frame["other"] = rng.choice(list("abc"), 1_000)
    frame["unique"] = np.array([f"u{i}" for i in range(1_000)], dtype=object)
    frame["constant"] = 1.0
    frame["y"] = rng.random(1_000) < 0.5
    found = pairs(sample(frame, {"type": "boolean"}, ("false", "true")))
    assert {frozenset(pair[:2]) for pair in found.twins(0.99)} == {frozenset({"x", "exp"}), frozenset({"city", "zip"})}
    assert np.allclose(found.strength, found.strength.T, equal_nan=True)
    checks = twin_checks(found, 0.99, "warning")
    assert [c.passed for c in checks] == [False, False]
    apart = pairs(sample(frame[["x", "city", "other", "y"]], {"type": "boolean"}, ("false", "true")))
    (check,) = twin_checks(apart, 0.99, "warning")
    assert check.passed
    assert check.value < 0.2
