"""What a project may search is what the estimators have: the table of names against scikit-learn itself."""

import inspect
import numbers

import pytest
from sklearn.utils._param_validation import Interval, Options, StrOptions

from ciclo.components.core.estimators import ESTIMATORS, problem_of
from ciclo.components.core.project import DEFAULT_CANDIDATES
from ciclo.components.training.candidates import RECIPES

# Parameters that are not searched: set by the recipe, of no effect on the model, not one value, or on their way out.
NOT_SEARCHED = {
    "algorithm", "break_ties", "cache_size", "categorical_features", "copy_X", "decision_function_shape",
    "interaction_cst", "leaf_size", "metric", "metric_params", "monotonic_cst", "n_jobs", "oob_score", "penalty",
    "positive", "precompute", "probability", "random_state", "scoring", "verbose", "warm_start",
}  # fmt: skip
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
                found.add("integer" if constraint.type is numbers.Integral else "number")
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
    assert {p: set(words.split()) for p, words in parameters.items()} == {
        p: kinds(kind._parameter_constraints[p]) for p in known
    }


@pytest.mark.parametrize(("name", "task", "kind"), CASES, ids=str)
def test_what_a_recipe_searches_could_stand_in_a_project(name, task, kind):
    assert bool(problem_of(name, RECIPES[name].search, task)) is (kind is None)
