"""The estimators a project may name, for which tasks, and what may be searched of each.

Only names and kinds, so that a project file is checked where scikit-learn is not loaded; a test holds this table to the
classes themselves. A kind is the words of what a value may be: ``number`` and ``integer`` with the interval that it has
to lie in, ``boolean``, ``none``, or the very text.
"""

import math
import re
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
    "max_depth": "integer[1,) none",
    "min_samples_split": "integer[2,) number(0,1]",
    "min_samples_leaf": "integer[1,) number(0,1)",
    "min_weight_fraction_leaf": "number[0,0.5]",
    "max_features": "integer[1,) number(0,1] none sqrt log2",
    "max_leaf_nodes": "integer[2,) none",
    "min_impurity_decrease": "number[0,)",
    "ccp_alpha": "number[0,)",
}
_SPLITS: Kinds = {"criterion": "gini entropy log_loss"}
_LOSSES: Kinds = {"criterion": "squared_error absolute_error poisson"}
_FOREST: Kinds = {
    **_TREE,
    "n_estimators": "integer[1,)",
    "bootstrap": "boolean",
    "max_samples": "integer[1,) number(0,) none",
}
_FORESTS = Estimator({**_FOREST, **_SPLITS, "class_weight": "balanced balanced_subsample none"}, {**_FOREST, **_LOSSES})
_BOOSTING: Kinds = {
    "learning_rate": "number(0,)",
    "max_iter": "integer[1,)",
    "max_leaf_nodes": "integer[2,) none",
    "max_depth": "integer[1,) none",
    "min_samples_leaf": "integer[1,)",
    "l2_regularization": "number[0,)",
    "max_features": "number(0,1]",
    "max_bins": "integer[2,255]",
    "early_stopping": "boolean auto",
    "validation_fraction": "integer[1,) number(0,1) none",
    "n_iter_no_change": "integer[1,)",
    "tol": "number[0,)",
}
_LIGHTGBM: Kinds = {
    "learning_rate": "number(0,)",
    "n_estimators": "integer[1,)",
    "num_leaves": "integer[2,131072]",
    "max_depth": "integer[-1,)",
    "min_child_samples": "integer[0,)",
    "min_child_weight": "number[0,)",
    "min_split_gain": "number[0,)",
    "subsample": "number(0,1]",
    "subsample_freq": "integer[0,)",
    "colsample_bytree": "number(0,1]",
    "reg_alpha": "number[0,)",
    "reg_lambda": "number[0,)",
}
_LINEAR: Kinds = {"fit_intercept": "boolean", "tol": "number[0,)"}
_NEIGHBOURS: Kinds = {"n_neighbors": "integer[1,)", "weights": "uniform distance none", "p": "number(0,)"}
_VECTORS: Kinds = {
    "C": "number(0,)",
    "kernel": "linear poly rbf sigmoid",
    "degree": "integer[0,)",
    "gamma": "auto number[0,) scale",
    "coef0": "number(,)",
    "shrinking": "boolean",
    "tol": "number(0,)",
    "max_iter": "integer[-1,)",
}

ESTIMATORS: Mapping[str, Estimator] = {
    "logistic_regression": Estimator(
        {
            **_LINEAR,
            "C": "number(0,)",
            "l1_ratio": "number[0,1] none",
            "dual": "boolean",
            "intercept_scaling": "number(0,)",
            "class_weight": "balanced none",
            "solver": "lbfgs liblinear newton-cg newton-cholesky sag saga",
            "max_iter": "integer[0,)",
        },
        None,
    ),
    "ridge": Estimator(
        None,
        {
            **_LINEAR,
            "alpha": "number[0,)",
            "max_iter": "integer[1,) none",
            "solver": "auto svd cholesky lsqr sparse_cg sag saga lbfgs",
        },
    ),
    "elastic_net": Estimator(
        None,
        {
            **_LINEAR,
            "alpha": "number[0,)",
            "l1_ratio": "number[0,1]",
            "max_iter": "integer[1,)",
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
        {**_BOOSTING, "loss": "squared_error absolute_error gamma poisson quantile", "quantile": "number[0,1] none"},
    ),
    "lightgbm": Estimator(
        {**_LIGHTGBM, "class_weight": "balanced none"},
        {
            **_LIGHTGBM,
            "objective": "regression regression_l1 huber quantile gamma poisson tweedie",
            "alpha": "number(0,1)",
        },
    ),
    "nearest_neighbours": Estimator(_NEIGHBOURS, _NEIGHBOURS),
    "support_vectors": Estimator({**_VECTORS, "class_weight": "balanced none"}, {**_VECTORS, "epsilon": "number[0,)"}),
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
    return next(filter(None, problems), "") or _without_quantile(search)


def _without_quantile(search: Mapping[str, Values]) -> str:
    """What is wrong where boosting may get the loss of a quantile and does not know of which."""
    losses, quantiles = search.get("loss", ()), search.get("quantile", (None,))
    if isinstance(losses, Range) or "quantile" not in losses or isinstance(quantiles, Range) or None not in quantiles:
        return ""
    return "search.quantile: the loss 'quantile' needs a number (at least 0, at most 1) with each trial, such as [0.5]"


def is_whole(values: Range, kinds: str) -> bool:
    """Whether a range is of whole numbers: both ends are, and the parameter may be one."""
    return "integer" in kinds and isinstance(values.low, int) and isinstance(values.high, int)


def _problem(estimator: str, name: str, values: Values, parameters: Kinds) -> str:
    if name not in parameters:
        meant = did_you_mean(name, parameters)
        return f"search: {estimator} has no parameter '{name}' to search{meant}; there are {listed(parameters, 20)}"
    kinds = parameters[name].split()
    if not isinstance(values, Range):
        if not values:
            return f"search.{name}: give at least one value to try"
    elif not ("number" in parameters[name] or is_whole(values, parameters[name])):
        wanted = "a range of whole numbers" if "integer" in parameters[name] else f"a list of {_listed(kinds)}"
        return f"search.{name}: {estimator} takes {wanted}, not a range from {values.low!r} to {values.high!r}"
    tried: tuple[Value, ...] = (values.low, values.high) if isinstance(values, Range) else values
    if isinstance(values, Range) and not is_whole(values, parameters[name]):
        tried = (float(values.low), float(values.high))
    wrong = [value for value in tried if not _is_one(value, kinds)]
    return f"search.{name}: {estimator} takes {_listed(kinds)}, not {wrong[0]!r}" if wrong else ""


def _is_one(value: Value, kinds: list[str]) -> bool:
    match value:
        case None:
            return "none" in kinds
        case bool():
            return "boolean" in kinds
        case int() | float():
            whole = [kind for kind in kinds if kind.startswith("integer") and isinstance(value, int)]
            return any(_holds(kind, value) for kind in whole or [k for k in kinds if k.startswith("number")])
        case str():
            return value in kinds


def _holds(kind: str, value: float) -> bool:
    low, high = _ends(kind)
    above = low <= value if "[" in kind else low < value
    return above and (value <= high if "]" in kind else value < high)


def _ends(kind: str) -> tuple[float, float]:
    low, _, high = re.sub(r"[a-z()\[\]]", "", kind).partition(",")
    return float(low or -math.inf), float(high or math.inf)


def _listed(kinds: list[str]) -> str:
    """Kinds as people say them: ``a number (above 0, at most 1), none``."""
    return listed(_in_words(kind) if kind.startswith(("integer", "number")) else kind for kind in kinds)


def _in_words(kind: str) -> str:
    low, high = _ends(kind)
    bounds = [
        f"{word} {end:g}"
        for word, end in (("at least" if "[" in kind else "above", low), ("at most" if "]" in kind else "below", high))
        if math.isfinite(end)
    ]
    return ("a whole number" if kind.startswith("integer") else "a number") + (
        f" ({', '.join(bounds)})" if bounds else ""
    )
