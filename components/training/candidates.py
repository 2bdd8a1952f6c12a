"""The estimators a project can name, each with the parameters worth searching.

To add one: write a line here and one in ``core/estimators.py``, and let ``storage/models.py`` trust its types.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import ProjectError
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Candidate
from ciclo.components.training.preprocessing import Style, categories, numbers, preprocessor

Values = tuple[Any, ...]
ROWS_PER_TREE = 20_000


@dataclass(frozen=True)
class Recipe:
    """How one estimator is built.

    Attributes:
        style: The preprocessing it needs.
        classifier: Class for binary and multiclass tasks, or None.
        regressor: Class for regression, or None.
        search: Values to try by parameter.
        fixed: ``(contract, rows, seed) -> parameters`` that are not searched.
    """

    style: Style
    classifier: type | None
    regressor: type | None
    search: Mapping[str, Values]
    fixed: Callable[[Contract, int, int], dict[str, Any]]


def _forest(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    return {
        "n_estimators": 60,
        "bootstrap": True,
        "max_samples": min(1.0, ROWS_PER_TREE / rows),
        "n_jobs": -1,
        "random_state": seed,
    }


def _boosting(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    mask = [False] * len(numbers(contract)) + [True] * len(categories(contract))
    return {"categorical_features": mask, "early_stopping": False, "random_state": seed}


def _seeded(contract: Contract, rows: int, seed: int) -> dict[str, Any]:
    return {"random_state": seed}


_FOREST: dict[str, Values] = {"min_samples_leaf": (5, 20, 50), "max_features": ("sqrt", 0.5)}

RECIPES: dict[str, Recipe] = {
    "logistic_regression": Recipe(
        "linear", LogisticRegression, None, {"C": (0.01, 0.1, 1.0, 10.0)}, lambda *_: {"max_iter": 500}
    ),
    "ridge": Recipe("linear", None, Ridge, {"alpha": (0.01, 0.1, 1.0, 10.0, 100.0)}, _seeded),
    "elastic_net": Recipe(
        "linear", None, ElasticNet, {"alpha": (0.001, 0.01, 0.1, 1.0), "l1_ratio": (0.2, 0.5, 0.8)}, _seeded
    ),
    "decision_tree": Recipe(
        "trees",
        DecisionTreeClassifier,
        DecisionTreeRegressor,
        {"max_leaf_nodes": (8, 32, 128), "min_samples_leaf": (5, 20, 50)},
        _seeded,
    ),
    "random_forest": Recipe("trees", RandomForestClassifier, RandomForestRegressor, _FOREST, _forest),
    "extra_trees": Recipe("trees", ExtraTreesClassifier, ExtraTreesRegressor, _FOREST, _forest),
    "gradient_boosting": Recipe(
        "trees",
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        {
            "learning_rate": (0.03, 0.06, 0.1, 0.2),
            "max_leaf_nodes": (7, 15, 31),
            "min_samples_leaf": (10, 20, 100),
            "l2_regularization": (0.0, 1.0),
        },
        _boosting,
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
    estimator = kind(**{**recipe.fixed(contract, rows, project.training.seed), **parameters})
    steps = preprocessor(contract, recipe.style, project.cleaning.missing.numbers)
    return Pipeline([("preprocess", steps), ("model", estimator)])
