"""The estimators a project may name, for which tasks, and what may be searched of each.

Only names and kinds, so that a project file is checked where scikit-learn is not loaded; a test holds this table to the
classes themselves. A kind is the words of what a value may be: ``number``, ``integer``, ``boolean``, ``none``, or the
very text.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ciclo.components.core.metrics import Task
from ciclo.components.core.sections import Range
from ciclo.components.core.wording import did_you_mean, listed

Value = bool | float | int | str | None
Values = tuple[Value, ...] | Range
Kinds = Mapping[str, str]


@dataclass(frozen=True)
class Estimator:
    """What may be searched of one estimator.

    Attributes:
        classification: Parameters for binary and multiclass tasks, or None where it is not for them.
        regression: The same for regression.
    """

    classification: Kinds | None
    regression: Kinds | None

    def parameters(self, task: Task) -> Kinds | None:
        """What may be searched for a task, or None where it is not for that task."""
        return self.regression if task == "regression" else self.classification


_TREE: Kinds = {
    "max_depth": "integer none",
    "min_samples_split": "integer number",
    "min_samples_leaf": "integer number",
    "min_weight_fraction_leaf": "number",
    "max_features": "integer number none sqrt log2",
    "max_leaf_nodes": "integer none",
    "min_impurity_decrease": "number",
    "ccp_alpha": "number",
}
_SPLITS: Kinds = {"criterion": "gini entropy log_loss"}
_LOSSES: Kinds = {"criterion": "squared_error absolute_error poisson"}
_FOREST: Kinds = {**_TREE, "n_estimators": "integer", "bootstrap": "boolean", "max_samples": "integer number none"}
_FORESTS = Estimator({**_FOREST, **_SPLITS, "class_weight": "balanced balanced_subsample none"}, {**_FOREST, **_LOSSES})
_BOOSTING: Kinds = {
    "learning_rate": "number",
    "max_iter": "integer",
    "max_leaf_nodes": "integer none",
    "max_depth": "integer none",
    "min_samples_leaf": "integer",
    "l2_regularization": "number",
    "max_features": "number",
    "max_bins": "integer",
    "early_stopping": "boolean auto",
    "validation_fraction": "integer number none",
    "n_iter_no_change": "integer",
    "tol": "number",
}
_LINEAR: Kinds = {"fit_intercept": "boolean", "tol": "number"}
_NEIGHBOURS: Kinds = {"n_neighbors": "integer none", "weights": "uniform distance none", "p": "number none"}
_VECTORS: Kinds = {
    "C": "number",
    "kernel": "linear poly rbf sigmoid",
    "degree": "integer",
    "gamma": "auto number scale",
    "coef0": "number",
    "shrinking": "boolean",
    "tol": "number",
    "max_iter": "integer",
}

ESTIMATORS: Mapping[str, Estimator] = {
    "logistic_regression": Estimator(
        {
            **_LINEAR,
            "C": "number",
            "l1_ratio": "number none",
            "dual": "boolean",
            "intercept_scaling": "number",
            "class_weight": "balanced none",
            "solver": "lbfgs liblinear newton-cg newton-cholesky sag saga",
            "max_iter": "integer",
        },
        None,
    ),
    "ridge": Estimator(
        None,
        {
            **_LINEAR,
            "alpha": "number",
            "max_iter": "integer none",
            "solver": "auto svd cholesky lsqr sparse_cg sag saga lbfgs",
        },
    ),
    "elastic_net": Estimator(
        None,
        {
            **_LINEAR,
            "alpha": "number",
            "l1_ratio": "number",
            "max_iter": "integer none",
            "selection": "cyclic random",
        },
    ),
    "decision_tree": Estimator(
        {**_TREE, **_SPLITS, "splitter": "best random", "class_weight": "balanced none"},
        {**_TREE, **_LOSSES, "splitter": "best random"},
    ),
    "random_forest": _FORESTS,
    "extra_trees": _FORESTS,
    "gradient_boosting": Estimator(
        {**_BOOSTING, "loss": "log_loss", "class_weight": "balanced none"},
        {**_BOOSTING, "loss": "squared_error absolute_error gamma poisson quantile", "quantile": "number none"},
    ),
    "nearest_neighbours": Estimator(_NEIGHBOURS, _NEIGHBOURS),
    "support_vectors": Estimator({**_VECTORS, "class_weight": "balanced none"}, {**_VECTORS, "epsilon": "number"}),
}


def problem_of(estimator: str, search: Mapping[str, Values], task: Task) -> str:
    """What is wrong with a candidate, as a clause that begins with the field; empty if nothing is.

    Args:
        estimator: The name it gives.
        search: Values to try by parameter.
        task: What it is to be fitted for.
    """
    fitting = {name: found for name, e in ESTIMATORS.items() if (found := e.parameters(task)) is not None}
    parameters = fitting.get(estimator)
    if parameters is None:
        meant = did_you_mean(estimator, fitting)
        return f"estimator: there is no '{estimator}' for a {task} task{meant}; there are {listed(fitting)}"
    problems = (_problem(estimator, name, values, parameters) for name, values in search.items())
    return next(filter(None, problems), "")


def is_whole(values: Range, kinds: str) -> bool:
    """Whether a range is of whole numbers: both ends are, and the parameter may be one."""
    return "integer" in kinds.split() and isinstance(values.low, int) and isinstance(values.high, int)


def _problem(estimator: str, name: str, values: Values, parameters: Kinds) -> str:
    if name not in parameters:
        meant = did_you_mean(name, parameters)
        return f"search: {estimator} has no parameter '{name}' to search{meant}; there are {listed(parameters, 20)}"
    kinds = parameters[name].split()
    if isinstance(values, Range):
        if "number" in kinds or is_whole(values, parameters[name]):
            return ""
        wanted = "a range of whole numbers" if "integer" in kinds else f"a list of {listed(kinds)}"
        return f"search.{name}: {estimator} takes {wanted}, not a range from {values.low!r} to {values.high!r}"
    if not values:
        return f"search.{name}: give at least one value to try"
    wrong = [value for value in values if not _is_one(value, kinds)]
    return f"search.{name}: {estimator} takes {listed(kinds)}, not {wrong[0]!r}" if wrong else ""


def _is_one(value: Value, kinds: list[str]) -> bool:
    match value:
        case None:
            return "none" in kinds
        case bool():
            return "boolean" in kinds
        case int():
            return "integer" in kinds or "number" in kinds
        case float():
            return "number" in kinds
        case str():
            return value in kinds
