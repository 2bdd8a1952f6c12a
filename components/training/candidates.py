"""The estimators a project can name, each with the parameters worth searching.

To add one: write a line here and one in ``core/estimators.py``, and let ``storage/models.py`` trust its types.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ciclo.components.core.cleaning_policy import beyond_reach
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import ProjectError
from ciclo.components.core.estimators import Values
from ciclo.components.core.lightgbm_trees import LightGBMClassifier, LightGBMRegressor
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Candidate, Range
from ciclo.components.core.wording import counted
from ciclo.components.training.preprocessing import Style, categories, numbers, preprocessor

ROWS_PER_TREE = 20_000
THREADED_ROWS = 5_000  # below that, starting threads takes longer than fitting the trees


@dataclass(frozen=True)
class Recipe:
    """How one estimator is built.

    Attributes:
        style: The preprocessing it needs.
        classifier: Class for binary and multiclass tasks, or None.
        regressor: Class for regression, or None.
        search: Values to try by parameter.
        fixed: ``(contract, rows, seed) -> parameters`` that are not searched.
        most_rows: Rows above which it is not fitted, None for no limit: its time or its size grows too fast.
        wrap: Makes of the estimator what is fitted, where it does not answer as a model has to by itself.
    """

    style: Style
    classifier: type | None
    regressor: type | None
    search: Mapping[str, Values]
    fixed: Callable[[Contract, int, int], dict[str, Any]]
    most_rows: int | None = None
    wrap: Callable[[Any], Any] = lambda estimator: estimator


def _forest(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    return {
        "n_estimators": 60,
        "bootstrap": True,
        "max_samples": min(1.0, ROWS_PER_TREE / rows),
        "n_jobs": -1 if rows >= THREADED_ROWS else 1,
        "random_state": seed,
    }


def _boosting(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    return {"categorical_features": _positions(contract), "early_stopping": False, "random_state": seed}


def _lightgbm(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    threads = -1 if rows >= THREADED_ROWS else 1
    return {"categorical_features": _positions(contract), "n_jobs": threads, "random_state": seed}


def _positions(contract: Contract) -> list[int] | None:
    """Where trees are given categories; what else there is comes after them."""
    first, count = len(numbers(contract)), len(categories(contract))
    return list(range(first, first + count)) or None


def _seeded(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    return {"random_state": seed}


def _vectors(estimator: Any) -> Any:
    """Platt's sigmoid gives a classifier probabilities; a regressor works on a target of unit size."""
    if isinstance(estimator, SVC):
        return CalibratedClassifierCV(estimator, method="sigmoid", cv=3, ensemble=False)
    return TransformedTargetRegressor(estimator, transformer=StandardScaler())


_FOREST: dict[str, Values] = {
    "min_samples_leaf": Range(low=1, high=100, log=True),
    "max_features": ("sqrt", 0.3, 0.6, 1.0),
}
_TREE: dict[str, Values] = {
    "max_leaf_nodes": Range(low=4, high=256, log=True),
    "min_samples_leaf": Range(low=1, high=100, log=True),
}
_BOOSTING: dict[str, Values] = {
    "learning_rate": Range(low=0.02, high=0.3, log=True),
    "max_iter": Range(low=30, high=200, log=True),
    "max_leaf_nodes": Range(low=4, high=32, log=True),
    "min_samples_leaf": Range(low=5, high=200, log=True),
    "l2_regularization": (0.0, 0.1, 1.0, 10.0),
}
_LIGHTGBM: dict[str, Values] = {
    "learning_rate": Range(low=0.02, high=0.3, log=True),
    "n_estimators": Range(low=30, high=200, log=True),
    "num_leaves": Range(low=4, high=32, log=True),
    "min_child_samples": Range(low=5, high=200, log=True),
    "reg_lambda": (0.0, 0.1, 1.0, 10.0),
}
_NEIGHBOURS: dict[str, Values] = {
    "n_neighbors": Range(low=1, high=50, log=True),
    "weights": ("uniform", "distance"),
}
_VECTORS: dict[str, Values] = {
    "C": Range(low=0.01, high=100.0, log=True),
    "gamma": ("scale", 0.003, 0.01, 0.03, 0.1, 0.3),
}

RECIPES: dict[str, Recipe] = {
    "logistic_regression": Recipe(
        "linear", LogisticRegression, None, {"C": Range(low=1e-4, high=100.0, log=True)}, lambda *_: {"max_iter": 500}
    ),
    "ridge": Recipe("linear", None, Ridge, {"alpha": Range(low=1e-3, high=1e4, log=True)}, _seeded),
    "elastic_net": Recipe(
        "linear",
        None,
        ElasticNet,
        {"alpha": Range(low=1e-4, high=10.0, log=True), "l1_ratio": Range(low=0.02, high=1.0)},
        _seeded,
    ),
    "decision_tree": Recipe("trees", DecisionTreeClassifier, DecisionTreeRegressor, _TREE, _seeded),
    "random_forest": Recipe("trees", RandomForestClassifier, RandomForestRegressor, _FOREST, _forest),
    "extra_trees": Recipe("trees", ExtraTreesClassifier, ExtraTreesRegressor, _FOREST, _forest),
    "gradient_boosting": Recipe(
        "trees", HistGradientBoostingClassifier, HistGradientBoostingRegressor, _BOOSTING, _boosting
    ),
    "lightgbm": Recipe("trees", LightGBMClassifier, LightGBMRegressor, _LIGHTGBM, _lightgbm),
    "nearest_neighbours": Recipe(
        "linear",
        KNeighborsClassifier,
        KNeighborsRegressor,
        _NEIGHBOURS,
        lambda *_: {"algorithm": "brute"},
        most_rows=20_000,
    ),
    "support_vectors": Recipe(
        "linear", SVC, SVR, _VECTORS, lambda *_: {"cache_size": 500}, most_rows=10_000, wrap=_vectors
    ),
}


def recipe_for(candidate: Candidate, project: Project) -> tuple[Recipe, type]:
    """Look up how a candidate is built, and its class for the task.

    Raises:
        ProjectError: If it is not one for the task, which a project file cannot say.
    """
    recipe = RECIPES[candidate.estimator]
    kind = recipe.regressor if project.task == "regression" else recipe.classifier
    if kind is None:
        raise ProjectError(f"training.candidates: {candidate.estimator} is not for a {project.task} task")
    return recipe, kind


def too_large(candidate: Candidate, project: Project, contract: Contract, rows: int) -> str:
    """Why a candidate, or how missing values are imputed, is not for a table of that size; empty if it is.

    Args:
        candidate: What is to be fitted.
        project: The project.
        contract: The data contract.
        rows: Rows to fit on.
    """
    most = recipe_for(candidate, project)[0].most_rows
    if most is None or rows <= most:
        return beyond_reach(project.cleaning, numbers(contract), rows)
    return (
        f"{candidate.estimator} is for at most {counted(most, 'row')} to train on, and there are {rows:,}: its time or "
        "its size grows too fast with them"
    )


def space_of(candidate: Candidate, project: Project) -> dict[str, Values]:
    """What is searched: the values of the estimator, and those that the project gives instead or besides."""
    return {**recipe_for(candidate, project)[0].search, **candidate.search}


def defaults_of(candidate: Candidate, project: Project) -> dict[str, Any]:
    """The parameters of the estimator as it comes, as far as they are searched."""
    _, kind = recipe_for(candidate, project)
    plain = kind().get_params()
    return {name: plain[name] for name in space_of(candidate, project)}


def build(
    candidate: Candidate, project: Project, contract: Contract, rows: int, parameters: dict[str, Any]
) -> Pipeline:
    """Build an unfitted pipeline.

    Args:
        candidate: What to build.
        project: The project.
        contract: The data contract.
        rows: Rows it will be fitted on.
        parameters: Searched parameters of the estimator.
    """
    recipe, kind = recipe_for(candidate, project)
    estimator = recipe.wrap(kind(**{**recipe.fixed(contract, rows, project.training.seed), **parameters}))
    steps = preprocessor(contract, recipe.style, project.cleaning, project.training.seed)
    return Pipeline([("preprocess", steps), ("model", estimator)])
