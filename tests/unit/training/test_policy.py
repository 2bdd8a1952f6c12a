"""What a project says of missing values and outliers holds in the model, for every candidate, as it was fitted."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from ciclo.components.answering.compiled import parity
from ciclo.components.answering.learnt import learnt
from ciclo.components.core.among_numbers import AmongNumbers
from ciclo.components.core.contract import Contract
from ciclo.components.core.fences import Fences
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.quartiles import tukey
from ciclo.components.core.sections import Candidate
from ciclo.components.training.candidates import build, too_large
from ciclo.components.training.preprocessing import preprocessor
from tests.depth import some

COLUMNS = {
    "a": {"type": "number"},
    "b": {"type": "integer"},
    "hour": {"type": "number", "cycle": 24},
    "w": {"type": "category"},
    "v": {"type": "category"},
    "y": {"type": "boolean"},
}
NAN = np.nan


def project(missing: dict | None = None, outliers: dict | None = None, **columns: dict) -> Project:
    raw = {"name": "unit", "data": {"source": "t.csv", "target": "y", "columns": {**COLUMNS, **columns}}}
    cleaning = {"missing": {"columns": missing or {}}, "outliers": outliers or {}}
    return project_from_mapping({**raw, "cleaning": cleaning}, origin="test")


def contract(of: Project) -> Contract:
    return Contract.of(of, ("false", "true"))


def frame(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    made = pd.DataFrame(
        {
            "a": rng.normal(size=rows),
            "b": rng.integers(0, 5, rows).astype("float64"),
            "hour": rng.uniform(0, 24, rows),
            "w": pd.Series(rng.choice(["x", "y", "z"], rows, p=[0.6, 0.3, 0.1]), dtype=object),
            "v": pd.Series(rng.choice(["x", "y"], rows), dtype=object),
        }
    )
    for name in ("a", "b", "hour", "w"):
        made.loc[rng.random(rows) < 0.2, name] = NAN
    return made


SMALL = pd.DataFrame(
    {
        "a": [1.0, 2, 2, 9, NAN],
        "b": [0.0, 4, 4, NAN, NAN],
        "hour": [6.0, 6, 6, 6, NAN],
        "w": pd.Series(["x", "y", "y", "z", NAN], dtype=object),
        "v": pd.Series(["x", "x", "x", "x", NAN], dtype=object),
    }
)
# What the last row of SMALL gets in place of its missing value, and whether 0 and 1 stand beside the column.
IMPUTED: dict[str, tuple[str, Any, float, bool]] = {
    "median": ("a", "median", 2, True),
    "mean": ("a", "mean", 3.5, True),
    "most frequent": ("b", "most_frequent", 4, True),
    "constant": ("a", {"impute": "constant", "value": -1}, -1, True),
    "without an indicator": ("a", {"impute": "mean", "indicator": False}, 3.5, False),
    "an indicator alone": ("a", {"indicator": True}, NAN, True),
    "the level of a category": ("w", "most_frequent", 1, True),
    "a level of its own": ("w", {"impute": "constant", "value": "a"}, 0, True),
}


@pytest.mark.parametrize("case", IMPUTED)
def test_what_trees_are_given(case: str) -> None:
    column, policy, value, flagged = IMPUTED[case]
    of = project({column: policy})
    out = np.asarray(preprocessor(contract(of), "trees", of.cleaning).fit_transform(SMALL), dtype="float64")
    names = [*(n for n in ("a", "b", "hour") if n != column), *([column] if column in "ab" else [])]
    names += [*(n for n in ("w", "v") if n != column), *([column] if column == "w" else [])]
    assert out.shape == (5, 5 + flagged)
    np.testing.assert_equal(out[-1, names.index(column)], value)
    if flagged:
        assert out[:, -1].tolist() == SMALL[column].isna().astype(float).tolist()


def test_linear_models_get_what_is_stated_and_their_own_way_for_the_rest() -> None:
    of = project({"a": {"impute": "constant", "value": 5, "indicator": False}, "hour": {"impute": "mean"}})
    fitted = preprocessor(contract(of), "linear", of.cleaning).fit(SMALL)
    parts = {name: (part, list(columns)) for name, part, columns in fitted.transformers_}
    plain, stated = parts["numbers"], parts["numbers 1"]
    assert plain[1] == ["b"]
    assert plain[0].transform(SMALL[["b"]]).shape == (5, 2), "the default adds an indicator"
    scaled = stated[0].transform(SMALL[["a"]])[:, 0]
    np.testing.assert_allclose(scaled[-1] * np.std([1, 2, 2, 9, 5]) + 3.8, 5)
    np.testing.assert_allclose(parts["cycle 1"][0].transform(SMALL[["hour"]])[-1], [1, 0], atol=1e-12)


def test_neighbours_are_near_on_scaled_numbers_and_a_clip_comes_before() -> None:
    """In units of b no row would be near but by b; in units of its spread, a decides as much."""
    rng = np.random.default_rng(1)
    a = rng.integers(0, 2, 400).astype("float64")
    rows = pd.DataFrame({"a": a, "b": 1_000 * rng.random(400), "hour": 10 * a, "w": "x", "v": "x"}).astype(
        {"w": object}
    )
    asked = pd.DataFrame({"a": [0.0, 1.0], "b": [500.0, 500.0], "hour": [NAN, NAN], "w": "x", "v": "x"})
    for policy in ("knn", "iterative"):
        of = project({"hour": policy})
        fitted = preprocessor(contract(of), "trees", of.cleaning).fit(rows)
        np.testing.assert_allclose(np.asarray(fitted.transform(asked), dtype="float64")[:, 2], [0, 10], atol=0.1)
    of = project({"hour": "knn"}, {"hour": {"action": "clip", "high": 4}})
    fitted = preprocessor(contract(of), "trees", of.cleaning).fit(rows)
    np.testing.assert_allclose(np.asarray(fitted.transform(asked), dtype="float64")[:, 2], [0, 4], atol=1e-3)


@pytest.mark.parametrize("policy", ["knn", "iterative"])
def test_a_row_is_imputed_alone_as_among_many(policy: str) -> None:
    """Whole numbers have many neighbours at one distance: the last digit must not choose among them."""
    rng = np.random.default_rng(2)
    rows = np.round(rng.normal(size=(500, 4)) * [1, 2, 3, 1]) / 3
    rows[rng.random(rows.shape) < 0.15] = NAN
    of = project({"a": policy}, c={"type": "number"})
    part = preprocessor(contract(of), "trees", of.cleaning).transformers[1][1]
    assert isinstance(part, AmongNumbers)
    part.fit(rows)
    many = part.transform(rows)
    assert not np.isnan(many).any()
    np.testing.assert_allclose([part.transform(row[None, :])[0] for row in rows], many, rtol=1e-9, atol=1e-12)
    known = ~np.isnan(rows[:, part.asked])
    np.testing.assert_array_equal(many[known], rows[:, part.asked][known], "what is known stays as it is")
    assert np.isfinite(part.transform([[NAN, 3e38, -3e38, NAN]])).all()


def test_all_rows_that_are_as_near_as_the_fifth_count() -> None:
    """Which of them an engine meets first is a matter of its version."""
    taught = np.array([[0.0, n] for n in range(8)] + [[1.0, 100.0]] * 4)
    part = AmongNumbers(asked=[1]).fit(taught)
    np.testing.assert_allclose(part.transform([[0.0, NAN], [1.0, NAN]])[:, 0], [3.5, (4 * 100 + 28) / 12], atol=0.01)
    none = AmongNumbers(asked=[0, 1]).fit(np.array([[NAN, 1.0], [NAN, 3.0]]))
    assert none.transform([[NAN, NAN]]).tolist() == [[0.0, 2.0]], "no value at all is zero; nothing near is the mean"


@pytest.mark.parametrize(
    ("values", "k", "limits"),
    [
        ([1, 2, 3, 4, 5], 1.5, (-1, 7)),
        ([1, 2, 3, 4, 5], 3, (-4, 10)),
        ([1, 2, 3, 4, 100, NAN], 1.5, (-1, 7)),
        ([0, 0, 0, 0, 9], 1.5, (-np.inf, np.inf)),
        ([NAN, NAN], 1.5, (-np.inf, np.inf)),
    ],
    ids=["Tukey", "far out", "a missing one", "equal quartiles", "nothing known"],
)
def test_fences(values: list[float], k: float, limits: tuple[float, float]) -> None:
    assert tukey(np.array(values, dtype="float64"), k) == limits


def test_outliers_are_clipped_or_flagged_by_the_rows_that_were_fitted() -> None:
    taught = np.arange(9, dtype="float64")[:, None]
    asked = np.array([[-100.0], [-5.9], [14], [14.1], [NAN]])
    clipped = Fences("clip", [1.5], [None], [None]).fit(taught)
    assert (clipped.low_[0], clipped.high_[0]) == (-4, 12)
    np.testing.assert_array_equal(clipped.transform(asked)[:, 0], [-4, -4, 12, 12, NAN])
    stated = Fences("flag", [None], [None], [14.0]).fit(taught)
    assert stated.transform(asked)[:, 0].tolist() == [0, 0, 0, 1, 0]
    of = project(outliers={"a": "flag", "b": {"action": "flag", "low": 1}})
    out = np.asarray(preprocessor(contract(of), "trees", of.cleaning).fit_transform(SMALL), dtype="float64")
    assert out[:, -2:].tolist() == [[0, 1], [0, 0], [0, 0], [1, 0], [0, 0]]
    assert out[3, 0] == 9, "a flag leaves the value"


def test_boosting_takes_categories_for_categories_beside_indicators_and_flags() -> None:
    of = project({"a": "median", "w": "most_frequent"}, {"b": "flag"})
    rows = frame()
    y = (rows["w"] == "z").to_numpy(dtype="int64")
    model = build(Candidate(estimator="gradient_boosting"), of, contract(of), len(rows), {"max_iter": 5}).fit(rows, y)
    given = np.asarray(model["preprocess"].transform(rows), dtype="float64")
    boosting = model["model"]
    assert boosting.is_categorical_.tolist() == [False] * 3 + [True] * 2 + [False] * 3
    assert [len(np.unique(given[:, at])) for at in (3, 4)] == [2, 3], "v, then w, whose gaps are filled"


POLICIES: dict[str, tuple[dict, dict]] = {
    "stated": (
        {
            "a": "mean",
            "b": {"impute": "constant", "value": 3, "indicator": False},
            "w": "most_frequent",
            "v": {"impute": "constant", "value": "gone"},
            "hour": {"indicator": True},
        },
        {"a": "clip", "b": {"action": "flag", "low": 1}, "hour": {"action": "clip", "low": 2, "high": 20}},
    ),
    "by default": ({}, {}),
    "by neighbours": ({"a": "knn"}, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "policy"), some([*product(["logistic_regression", "random_forest", "gradient_boosting"], POLICIES)], 4)
)
def test_the_compiled_form_gives_the_same_answers_or_says_why_not(name: str, policy: str) -> None:
    of, rows = project(*POLICIES[policy]), frame()
    y = (np.random.default_rng(3).random(len(rows)) < 0.4).astype("int64")
    model = build(Candidate(estimator=name), of, contract(of), len(rows), {}).fit(rows, y)
    found = parity(model, contract(of), rows, 0)
    if policy == "by neighbours":
        assert found.why == "imputation by nearest rows has no compiled form"
    else:
        assert (found.engine, found.why) == ("compiled", "")


def test_what_was_learnt_is_told_by_column() -> None:
    missing = {"a": "median", "b": "knn", "w": "most_frequent"}
    of = project(missing, {"a": "clip", "hour": {"action": "flag", "high": 20}, "b": "clip"})
    pipeline = Pipeline([("preprocess", preprocessor(contract(of), "linear", of.cleaning)), ("model", "passthrough")])
    found = learnt(pipeline.fit(SMALL))
    assert found == {
        "a": ["clipped to -1.25 to 6.75", "imputed 2"],
        "b": ["clipped to -1 to 7", "imputed by the 5 nearest of 5 rows"],
        "hour": ["imputed 6", "flagged beyond -∞ to 20"],
        "w": ["imputed 'y'"],
    }


@pytest.mark.parametrize("style", ["linear", "trees"])
def test_of_a_table_of_one_kind_what_was_learnt_is_told_too(style: Any) -> None:
    for kind, values in (("number", [1.0, NAN, 3.0]), ("category", ["a", NAN, "b"])):
        raw = {"source": "t.csv", "target": "y", "columns": {"only": {"type": kind}, "y": {"type": "boolean"}}}
        of = project_from_mapping({"name": "unit", "data": raw}, origin="test")
        pipeline = Pipeline([("preprocess", preprocessor(contract(of), style)), ("model", "passthrough")])
        rows = pd.DataFrame({"only": pd.Series(values, dtype=object if kind == "category" else "float64")})
        found = learnt(pipeline.fit(rows))
        assert found == ({"only": ["imputed 2"]} if (style, kind) == ("linear", "number") else {})


@pytest.mark.parametrize(
    ("policy", "rows", "says"),
    [("knn", 10_000, ""), ("knn", 10_001, "at most 10,000 rows"), ("iterative", 20_000, ""),
     ("iterative", 20_001, "at most 20,000 rows"), ("median", 10**9, "")],
)  # fmt: skip
def test_what_takes_too_long_is_not_begun(policy: str, rows: int, says: str) -> None:
    of = project({"a": policy})
    found = too_large(Candidate(estimator="random_forest"), of, contract(of), rows)
    assert found.startswith("cleaning.missing.columns.a: " if says else "")
    assert says in found
    assert bool(found) == bool(says)
    wide = project({"a": policy}, **{f"c{n}": {"type": "number"} for n in range(98)})
    assert bool(too_large(Candidate(estimator="random_forest"), wide, contract(wide), 100)) == (policy != "median")
