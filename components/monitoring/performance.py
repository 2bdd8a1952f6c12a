"""Is the model worse than it was when it was published?

Judged on the rows whose labels are known, and on the better end of the interval: doubt is in favour of the model.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import RequestError
from ciclo.components.core.intervals import Interval, score_interval
from ciclo.components.core.metrics import Array, Metric
from ciclo.components.core.sections import Monitoring

MINIMUM_LABELS = 50
MINIMUM_PER_CLASS = 5
MAXIMUM_ROWS = 20_000
RESAMPLES = 300


@dataclass(frozen=True)
class Performance:
    """What the labels say.

    Attributes:
        metric: Name of the metric.
        rows: Rows with a usable label.
        score: The realised score with its interval, or None if it cannot be told.
        reference: Score on the test rows when the model was published.
        degraded: Whether even the better end of the interval is too much worse.
        reason: The finding as a sentence.
    """

    metric: str
    rows: int
    score: Interval | None
    reference: float
    degraded: bool
    reason: str


def realised(
    frame: pd.DataFrame, contract: Contract, metric: Metric, reference: float, policy: Monitoring, seed: int = 0
) -> Performance:
    """Score the labelled rows of a window.

    Args:
        frame: Rows with ``prediction``, ``probability`` and ``label``.
        contract: Gives task and classes.
        metric: The metric the model was published on.
        reference: Its score on the test rows then.
        policy: Gives ``performance_drop`` and, as the error of the interval, ``false_alarm_rate``.
        seed: Of the bootstrap.
    """
    truth = encoded(frame["label"], contract)
    usable = ~np.isnan(truth)
    predicted, problem = answers(frame, contract, metric)
    if predicted is not None:
        usable &= np.isfinite(predicted).all(axis=1) if predicted.ndim == 2 else np.isfinite(predicted)
    rows = int(usable.sum())

    def unknown(reason: str) -> Performance:
        return Performance(metric.name, rows, None, reference, False, reason)

    if predicted is None or not math.isfinite(reference):
        return unknown(problem or "the published score of the model is not known")
    if rows < MINIMUM_LABELS:
        return unknown(f"{rows} labelled rows are too few, {MINIMUM_LABELS} are needed")
    y, predicted = truth[usable], predicted[usable]
    if contract.task != "regression":
        y = y.astype("int64")
        if int((np.bincount(y, minlength=len(contract.classes)) >= MINIMUM_PER_CLASS).sum()) < 2:
            return unknown(f"the labels do not hold two classes with {MINIMUM_PER_CLASS} rows each")
    if rows > MAXIMUM_ROWS:
        chosen = np.random.default_rng(seed).choice(rows, MAXIMUM_ROWS, replace=False)
        y, predicted = y[chosen], predicted[chosen]
    score = score_interval(
        metric, y, predicted, contract.codes, confidence=1 - policy.false_alarm_rate, resamples=RESAMPLES, seed=seed
    )
    return _assessed(metric, rows, score, reference, policy)


def _assessed(metric: Metric, rows: int, score: Interval, reference: float, policy: Monitoring) -> Performance:
    better_end = score.high if metric.greater_is_better else score.low
    if not math.isfinite(better_end):
        return Performance(metric.name, rows, None, reference, False, f"{metric.name} is not defined on these labels")
    lost = metric.gain(reference, better_end)
    degraded = lost > policy.performance_drop * abs(reference)
    reason = f"{metric.name} is {score} on {rows:,} labelled rows, {reference:.4g} when published"
    return Performance(metric.name, rows, score, reference, degraded, reason)


def encoded(labels: pd.Series, contract: Contract) -> Array:
    """Labels as the estimators know them: class positions, or values.

    Args:
        labels: Text, booleans or numbers; missing where there is no label yet.
        contract: Gives the classes.

    Returns:
        Floats, NaN where a label is missing or is none of the classes. Shape ``(rows,)``.
    """
    position = {label: float(code) for code, label in enumerate(contract.classes)}
    codes: dict[Any, float] = {}
    for value in labels.astype(object).unique():
        with suppress(RequestError):
            truth = contract.truth_of(value)
            codes[value] = truth if isinstance(truth, float) else position[truth]
    return np.array([codes.get(value, math.nan) for value in labels.astype(object)], dtype=float)


def answers(frame: pd.DataFrame, contract: Contract, metric: Metric) -> tuple[Array | None, str]:
    """What was predicted, in the form the metric needs.

    Returns:
        The predictions and nothing, or None and why they cannot be had: of many classes only the probability of the
        predicted one is stored.
    """
    if metric.needs == "value":
        return pd.to_numeric(frame["prediction"], errors="coerce").to_numpy(dtype="float64"), ""
    if metric.needs == "label":
        return encoded(frame["prediction"], contract), ""
    if contract.task == "binary":
        positive = pd.to_numeric(frame["probability"], errors="coerce").to_numpy(dtype="float64")
        return np.column_stack([1 - positive, positive]), ""
    return None, f"{metric.name} needs the probability of every class, and only that of the predicted one is stored"
