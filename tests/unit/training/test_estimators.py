"""What a project may search is what the estimators have: the table of names against scikit-learn itself."""

import inspect
import numbers
import re

import numpy as np
import pytest
from sklearn.utils._param_validation import Interval, Options, StrOptions

from ciclo.components.core.estimators import ESTIMATORS, problem_of
from ciclo.components.core.lightgbm_trees import LightGBMClassifier, LightGBMRegressor
from ciclo.components.core.project import DEFAULT_CANDIDATES
from ciclo.components.core.sections import Range
from ciclo.components.training.candidates import RECIPES
from tests.recipes import needs_lightgbm

# Parameters that are not searched: set by the recipe, of no effect on the model, not one value, or on their way out.
NOT_SEARCHED = {
    "algorithm", "break_ties", "cache_size", "categorical_features", "copy_X", "decision_function_shape",
    "interaction_cst", "leaf_size", "metric", "metric_params", "monotonic_cst", "n_jobs", "oob_score", "penalty",
    "positive", "precompute", "probability", "random_state", "scoring", "verbose", "warm_start",
}  # fmt: skip
# Scikit-learn lets None through its check, and fails when it fits.
NO_NONE = {("nearest_neighbours", "n_neighbors"), ("nearest_neighbours", "p"), ("elastic_net", "max_iter")}
HARMLESS = {("max_depth", -2), ("subsample_freq", -1)}  # LightGBM takes any negative one for none
CASES = [
    (name, task, kind)
    for name, recipe in RECIPES.items()
    for task, kind in (("binary", recipe.classifier), ("regression", recipe.regressor))
]


def kinds(constraints: list) -> set[str]:
    """What scikit-learn lets a parameter be, in the words of the table."""
    found: set[str] = set()
    for constraint in constraints:
        match constraint:
            case None:
                found.add("none")
            case "boolean":
                found.add("boolean")
            case Interval():
                kind = "integer" if constraint.type is numbers.Integral else "number"
                left = "[" if constraint.closed in ("left", "both") and constraint.left is not None else "("
                right = "]" if constraint.closed in ("right", "both") and constraint.right is not None else ")"
                low, high = ("" if end is None else f"{end:g}" for end in (constraint.left, constraint.right))
                found.add(f"{kind}{left}{low},{high}{right}")
            case StrOptions() | Options():
                found |= {option for option in constraint.options if isinstance(option, str)}
    return found - {"precomputed"}  # a kernel of rows against rows


def test_the_names_are_those_of_the_recipes():
    assert set(ESTIMATORS) == set(RECIPES)
    assert {name for names in DEFAULT_CANDIDATES.values() for name in names} <= set(ESTIMATORS)


@pytest.mark.parametrize(("name", "task", "kind"), CASES, ids=str)
def test_the_parameters_are_those_of_the_class(name, task, kind):
    parameters = ESTIMATORS[name].parameters(task)
    if kind is None:
        assert parameters is None
        return
    known = set(inspect.signature(kind).parameters) - NOT_SEARCHED
    if name == "lightgbm":  # which says when it is fitted what it does not take
        assert set(parameters) == known
        return
    assert {p: set(words.split()) for p, words in parameters.items()} == {
        p: kinds(kind._parameter_constraints[p]) - ({"none"} if (name, p) in NO_NONE else set()) for p in known
    }


@pytest.mark.parametrize(
    ("search", "is_wrong"),
    [
        ({"loss": ["quantile"]}, True),
        ({"loss": ["squared_error", "quantile"], "quantile": [None, 0.5]}, True),
        ({"loss": ["quantile"], "quantile": [0.1, 0.5]}, False),
        ({"loss": ["quantile"], "quantile": Range(low=0.1, high=0.9)}, False),
        ({"loss": ["squared_error"]}, False),
    ],
)
def test_the_loss_of_a_quantile_says_of_which(search, is_wrong):
    assert ("search.quantile: " in problem_of("gradient_boosting", search, "regression")) is is_wrong


def ends(words: str) -> list[float | str | None]:
    """Values at the ends of the intervals of a parameter and beyond them, and each of its words."""
    found: list[float | str | None] = []
    for kind in words.split():
        if not kind.startswith(("integer", "number")):
            found.append(None if kind == "none" else kind)
            continue
        low, high = re.sub(r"[a-z()\[\]]", "", kind).split(",")
        step = 1 if kind.startswith("integer") else 0.25
        found += [int(end) + side for end in (low, high) if end for side in (-step, 0, step)]
    return found


@pytest.mark.slow
@needs_lightgbm
@pytest.mark.parametrize(("task", "kind"), [("binary", LightGBMClassifier), ("regression", LightGBMRegressor)])
def test_lightgbm_takes_what_the_table_lets_through_and_nothing_beyond(task, kind):
    X, y = np.arange(40.0).reshape(-1, 1), 1 + np.arange(40) % 2
    tried = 0
    for parameter, words in ESTIMATORS["lightgbm"].parameters(task).items():
        for value in ends(words):
            asked = {"n_estimators": 1, **({"objective": "quantile"} if parameter == "alpha" else {}), parameter: value}
            fits = problem_of("lightgbm", {parameter: [value]}, task) == ""
            try:
                kind(**asked).fit(X, y)
            except ValueError:
                assert not fits, (parameter, value)
            else:
                assert fits or (parameter, value) in HARMLESS
            tried += 1
    assert tried > 40


@pytest.mark.parametrize(("name", "task", "kind"), CASES, ids=str)
def test_what_a_recipe_searches_could_stand_in_a_project(name, task, kind):
    assert bool(problem_of(name, RECIPES[name].search, task)) is (kind is None)


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"C": [-1]}, "takes a number (above 0), not -1"),
        ({"C": (0.5, 0.0)}, "takes a number (above 0), not 0.0"),
        ({"C": Range(low=-1.0, high=2.0)}, "takes a number (above 0), not -1.0"),
        ({"l1_ratio": [0, 1, 1.5]}, "takes a number (at least 0, at most 1), none, not 1.5"),
        ({"l1_ratio": Range(low=0, high=2)}, "takes a number (at least 0, at most 1), none, not 2.0"),
        ({"max_iter": [10, -10]}, "takes a whole number (at least 0), not -10"),
        ({"C": [1, 0.1], "l1_ratio": [0, None, 1.0], "max_iter": [0]}, ""),
    ],
)
def test_a_value_out_of_reach_is_named_with_what_is_within(search, said):
    assert problem_of("logistic_regression", search, "binary").endswith(said)


@pytest.mark.parametrize(("value", "fits"), [(1, True), (0, False), (1.0, True), (0.5, True), (1.5, False), (7, True)])
def test_a_whole_number_is_a_count_and_any_other_a_share(value, fits):
    assert (problem_of("random_forest", {"max_features": [value]}, "binary") == "") is fits


def test_a_range_lies_in_one_of_the_intervals():
    """Between 0.1 and 5 is 1.3, which is neither a share nor a count."""
    for low, high, fits in ((0.1, 5, False), (0.1, 0.5, True), (1, 5, True), (1.5, 5.0, False)):
        problem = problem_of("random_forest", {"min_samples_leaf": Range(low=low, high=high)}, "binary")
        assert (problem == "") is fits, problem
