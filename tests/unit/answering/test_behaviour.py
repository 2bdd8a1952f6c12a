"""What a model has to do whatever its score, and what the people of a project state of it."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from ciclo.components.answering.behaviour import ROWS, behaviour
from ciclo.components.answering.engine import Engine
from ciclo.components.core.errors import ProjectError
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.tables.datasets import Dataset
from tests.tables import COLUMNS, TARGETS, dataset


class Odds(ClassifierMixin, BaseEstimator):
    """Answers with a function of the features."""

    classes_ = np.array([0, 1])

    def __init__(self, function):
        self.function = function

    def predict_proba(self, X):
        p = np.clip(np.asarray(self.function(X), dtype="float64"), 0, 1)
        return np.column_stack([1 - p, p])


class Value(RegressorMixin, BaseEstimator):
    def __init__(self, function):
        self.function = function

    def predict(self, X):
        return np.asarray(self.function(X), dtype="float64")


def rising(X):
    return 0.5 + np.tanh(X["size"].fillna(0)) / 4 + X["open"].fillna(0) * 0.1


def project(task="binary", **evaluation):
    columns = {"y": TARGETS[task], **COLUMNS}
    raw = {"name": "unit", "data": {"source": "t.csv", "target": "y", "columns": columns}, "evaluation": evaluation}
    return project_from_mapping(raw, origin="test")


@pytest.fixture(scope="module")
def test_rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    return Dataset.open(dataset(path, rows=900))


def asked(test_rows, function, **evaluation):
    checks = behaviour(project(**evaluation), Engine(Odds(function), test_rows.contract), test_rows.X)
    assert all(c.level == "error" for c in checks)
    return {c.name: c for c in checks}


@pytest.mark.parametrize("share", [0.5, 0.04])
@pytest.mark.parametrize("pattern", ["alternating", "random"])
def test_statements_are_asked_of_flags_however_they_lie(test_rows, share, pattern):
    """A rare flag, or one that comes and goes in step with the rows, is moved as any other column."""
    rows = test_rows.X.head(ROWS)
    flag = np.arange(len(rows)) % round(1 / share) == 0
    if pattern == "random":
        flag = np.random.default_rng(0).permutation(flag)
    engine = Engine(Odds(lambda X: 0.8 - 0.5 * X["open"].fillna(0)), test_rows.contract)
    policy = project(unchanged_by=["open"], rises_with=["open"])
    found = {c.name: c for c in behaviour(policy, engine, rows.assign(open=flag.astype("float64")))}
    assert not found["unchanged_by_open"].passed
    assert found["unchanged_by_open"].value >= min(2 * share, 1) - 0.02
    assert not found["rises_with_open"].passed
    assert found["rises_with_open"].value == 1


def test_more_than_one_step_in_a_hundred_against_a_statement_is_told(test_rows):
    """A tenth of the rows falls where it may only rise."""
    odd = test_rows.X["noise"] > np.quantile(test_rows.X["noise"].dropna(), 0.9)
    X = test_rows.X.assign(noise=odd.astype("float64"))
    engine = Engine(
        Odds(lambda X: 0.5 + np.tanh(X["size"].fillna(0)) / 4 * np.where(X["noise"] > 0, -1, 1)), test_rows.contract
    )
    (found,) = (c for c in behaviour(project(rises_with=["size"]), engine, X) if c.name == "rises_with_size")
    assert not found.passed
    assert found.value == pytest.approx(0.1, abs=0.05)


def test_a_model_that_behaves_passes(test_rows):
    found = asked(test_rows, rising, unchanged_by=["noise", "y"], rises_with=["size"])
    assert [c.passed for c in found.values()] == [True] * 7
    assert list(found)[:4] == ["missing_values", "unseen_categories", "column_order", "one_row_as_many"]
    assert "no feature" in found["unchanged_by_y"].message


def breaks_on_missing(X):
    if X["count"].isna().any():
        raise ValueError("Input X contains NaN")
    return rising(X)


def breaks_on_unseen(X):
    return [{"red": 0.1, "green": 0.2, "blue": 0.3, "nan": 0.4}[str(c)] for c in X["colour"]]


def by_position(X):
    return X.iloc[:, 0].fillna(0) / 10 + np.arange(len(X)) * 1e-3


@pytest.mark.parametrize(
    ("function", "failing", "words"),
    [
        (breaks_on_missing, {"missing_values"}, "ValueError: Input X contains NaN"),
        (breaks_on_unseen, {"unseen_categories"}, "KeyError"),
        (by_position, {"one_row_as_many"}, "by itself"),
    ],
)
def test_a_model_that_does_not_is_named(test_rows, function, failing, words):
    found = asked(test_rows, function)
    assert {name for name, c in found.items() if not c.passed} == failing
    assert words in found[min(failing)].message


def test_a_column_that_must_not_matter(test_rows):
    found = asked(test_rows, rising, unchanged_by=["open", "noise"])
    assert (found["unchanged_by_open"].passed, found["unchanged_by_noise"].passed) == (False, True)
    assert "'open' changes the answer of" in found["unchanged_by_open"].message
    assert 0.8 < found["unchanged_by_open"].value <= 1


@pytest.mark.parametrize(
    ("function", "direction", "passed"),
    [
        (rising, "rises_with", True),
        (rising, "falls_with", False),
        (lambda X: 1 - rising(X), "falls_with", True),
        (lambda X: 1 - rising(X), "rises_with", False),
        (lambda X: 0.5 + 0 * X["size"].fillna(0), "rises_with", True),
        (lambda X: 0.5 + np.sin(3 * X["size"].fillna(0)) / 4, "rises_with", False),
    ],
    ids=["rises", "not falls", "falls", "not rises", "flat", "waves"],
)
def test_a_direction(test_rows, function, direction, passed):
    found = asked(test_rows, function, **{direction: ["size"]})
    assert found[f"{direction}_size"].passed is passed
    assert ("in some" in found[f"{direction}_size"].message) is False


@pytest.mark.parametrize(("share", "passed"), [(0.005, True), (0.05, False)])
def test_a_few_odd_leaves_are_forgiven_and_one_row_in_twenty_is_not(test_rows, share, passed):
    """On the rows that are asked, exactly that share breaks the statement in every step."""
    odd = set(test_rows.X["noise"].nlargest(round(share * len(test_rows.X))))

    def mostly(X):
        return np.where(X["noise"].isin(odd), 1 - rising(X), rising(X))

    assert asked(test_rows, mostly, rises_with=["size"])["rises_with_size"].passed is passed


def test_a_direction_of_a_regression(tmp_path):
    rows = Dataset.open(dataset(tmp_path / "rows.parquet", "regression", rows=300))
    engine = Engine(Value(lambda X: -2 * X["size"].fillna(0)), rows.contract)
    checks = {c.name: c for c in behaviour(project("regression", rises_with=["size"]), engine, rows.X)}
    assert not checks["rises_with_size"].passed
    assert "the answer falls in 100.0% of the steps in which 'size' rises" in checks["rises_with_size"].message


@pytest.mark.parametrize(
    ("task", "evaluation", "words"),
    [
        ("binary", {"unchanged_by": ["colur"]}, "did you mean 'colour'"),
        ("binary", {"rises_with": ["colour"]}, "no feature that is a number"),
        ("multiclass", {"falls_with": ["size"]}, "neither rises nor falls"),
        ("binary", {"rises_with": ["size"], "falls_with": ["size"]}, "give one of them"),
        ("binary", {"slice_floor": 0.6}, "names no column to cut by"),
        ("binary", {"slices": ["size"], "slice_floor": 2}, "2 is above 1, which is the best roc_auc_score"),
        ("regression", {"slices": ["y"], "slice_floor": -1}, "-1 is below 0, which is the best"),
        ("binary", {"slices": ["size", "colour", "size"]}, "'size' appears twice"),
        ("multiclass", {"slices": ["y"]}, "'y' is the target"),
    ],
)
def test_a_statement_that_cannot_be_tried_is_refused(task, evaluation, words):
    with pytest.raises(ProjectError, match=words):
        project(task, **evaluation)


def test_no_more_rows_are_asked_than_it_takes(test_rows):
    seen = []
    asked(test_rows, lambda X: seen.append(len(X)) or rising(X), rises_with=["size"])
    assert max(seen) <= ROWS
