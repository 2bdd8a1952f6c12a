"""Metrics with their direction, so that "better" is written once.

Names are those of scikit-learn: ``*_score`` is better when greater, ``*_error`` and ``*_loss`` when smaller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ciclo.components.core.errors import ProjectError

if TYPE_CHECKING:
    import pandas as pd

Task = Literal["binary", "multiclass", "regression"]
Array = np.ndarray[Any, Any]
Scorer = Callable[[Any, Array, Array, list[Any]], float]


@dataclass(frozen=True)
class Metric:
    """One metric and how to read it.

    Attributes:
        name: scikit-learn's name.
        tasks: Tasks it is defined for.
        needs: What it scores: class ``probability``, predicted ``label`` or regression ``value``.
        function: ``(sklearn.metrics, y_true, prediction, classes) -> float``; the module is handed in so that reading
            a project file does not import scikit-learn.
    """

    name: str
    tasks: tuple[Task, ...]
    needs: Literal["probability", "label", "value"]
    function: Scorer

    @property
    def greater_is_better(self) -> bool:
        """Whether a greater score is the better one, read off the name."""
        return self.name.endswith("_score")

    @property
    def has_scale(self) -> bool:
        """Whether a difference means the same everywhere: scores end at 1, losses and errors have any unit."""
        return self.greater_is_better

    def gain(self, challenger: float, champion: float) -> float:
        """How much better the challenger is: positive when it is better, whatever the direction of the metric."""
        return challenger - champion if self.greater_is_better else champion - challenger

    def score(self, y_true: Array, prediction: Array, classes: list[Any]) -> float:
        """Score one set of predictions.

        Args:
            y_true: True labels or values, shape ``(rows,)``.
            prediction: For ``probability`` shape ``(rows, classes)``, otherwise ``(rows,)``.
            classes: Class labels in the order of the probability columns; empty for regression.

        Returns:
            The score, or NaN where it is not defined: AUC of a single class, F1 and average precision without a
            positive. F1 of many classes is the mean over those that occur.
        """
        try:
            return float(self.function(import_module("sklearn.metrics"), y_true, prediction, classes))
        except ValueError:
            return float("nan")


def _roc_auc(sk: Any, y: Array, p: Array, classes: list[Any]) -> float:
    if len(classes) == 2:
        positive = y == classes[1]
        if positive.all() or not positive.any():
            return float("nan")
        return float(sk.roc_auc_score(positive, p[:, 1]))
    return float(sk.roc_auc_score(y, p, multi_class="ovr", labels=classes))


def _average_precision(sk: Any, y: Array, p: Array, classes: list[Any]) -> float:
    positive = y == classes[1]
    return float(sk.average_precision_score(positive, p[:, 1])) if positive.any() else float("nan")


def _log_loss(sk: Any, y: Array, p: Array, classes: list[Any]) -> float:
    return float(sk.log_loss(y, p, labels=classes))


def _f1(sk: Any, y: Array, label: Array, classes: list[Any]) -> float:
    if len(classes) == 2:
        positive = y == classes[1]
        return float(sk.f1_score(positive, label == classes[1], zero_division=0)) if positive.any() else float("nan")
    known = np.unique(y)
    return float(sk.f1_score(y, label, labels=known, average="macro", zero_division=0)) if known.size else float("nan")


def _plain(name: str) -> Scorer:
    return lambda sk, y, p, _: float(getattr(sk, name)(y, p))


_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_VALUES: tuple[Task, ...] = ("regression",)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("roc_auc_score", _CLASSES, "probability", _roc_auc),
        Metric("average_precision_score", ("binary",), "probability", _average_precision),
        Metric("log_loss", _CLASSES, "probability", _log_loss),
        Metric("accuracy_score", _CLASSES, "label", _plain("accuracy_score")),
        Metric("balanced_accuracy_score", _CLASSES, "label", _plain("balanced_accuracy_score")),
        Metric("f1_score", _CLASSES, "label", _f1),
        Metric("r2_score", _VALUES, "value", _plain("r2_score")),
        Metric("mean_absolute_error", _VALUES, "value", _plain("mean_absolute_error")),
        Metric("root_mean_squared_error", _VALUES, "value", _plain("root_mean_squared_error")),
    )
}

DEFAULT_METRIC: dict[Task, str] = {
    "binary": "roc_auc_score",
    "multiclass": "balanced_accuracy_score",
    "regression": "root_mean_squared_error",
}


def metric_named(name: str, task: Task) -> Metric:
    """Look a metric up.

    Raises:
        ProjectError: If there is no such metric, or it is not one for the task.
    """
    known = [m.name for m in METRICS.values() if task in m.tasks]
    if name not in known:
        raise ProjectError(
            f"training.metric is not one for a {task} task", seen=name, hint=f"Use one of {', '.join(known)}."
        )
    return METRICS[name]


def predictions(needs: str, model: Any, X: "pd.DataFrame | Array", codes: list[int]) -> Array:  # noqa: N803
    """What a fitted model says, in the form a metric needs.

    Args:
        needs: ``probability``, ``label`` or ``value``.
        model: A fitted estimator whose classes are positions in ``codes``.
        X: Features, shape ``(rows, features)``.
        codes: All class codes; a class the model never saw gets probability 0. Empty for regression.

    Returns:
        Shape ``(rows, classes)`` for probabilities, else ``(rows,)``.
    """
    if needs == "value" or not codes:
        return np.asarray(model.predict(X))
    probability = np.zeros((X.shape[0], len(codes)))
    probability[:, [codes.index(int(c)) for c in model.classes_]] = model.predict_proba(X)
    return probability if needs == "probability" else labels_of(model, probability)


def threshold_of(model: Any) -> float | None:
    """The threshold that a model carries, or None: its label is the most probable class then.

    It is that of scikit-learn's ``FixedThresholdClassifier``, so that the label of the model itself is the same one.
    """
    threshold = getattr(model, "threshold", None)
    return float(threshold) if isinstance(threshold, int | float) else None


def labels_of(model: Any, probability: Array) -> Array:
    """Labels from probabilities. Metrics, golden requests and the server come here for them, and so cannot differ.

    Args:
        model: What gave the probabilities.
        probability: Shape ``(rows, classes)``.

    Returns:
        Positions of classes, shape ``(rows,)``.
    """
    return labels_at(threshold_of(model), probability)


def labels_at(threshold: float | None, probability: Array) -> Array:
    """As ``labels_of``, for a threshold that is known; None for the most probable class."""
    if threshold is None or probability.shape[1] != 2:
        return np.asarray(probability.argmax(axis=1))
    return np.asarray(probability[:, 1] >= threshold, dtype="int64")
