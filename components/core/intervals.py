"""Intervals for scores and for differences between scores, by the bootstrap.

A bare comparison promotes an equal model half of the time; every decision here is made on the end of an interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ciclo.components.core.metrics import Array, Metric

Rows = Array | slice


@dataclass(frozen=True)
class Interval:
    """A point estimate between two one-sided bounds.

    Attributes:
        low: Lower bound.
        point: The estimate on all rows.
        high: Upper bound.
    """

    low: float
    point: float
    high: float

    def __str__(self) -> str:
        return f"{self.point:.4g} [{self.low:.4g}, {self.high:.4g}]"


def gain_interval(
    metric: Metric,
    y: Array,
    challenger: Array,
    champion: Array,
    classes: Sequence[Any],
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval:
    """How much better the challenger is on the same rows, by the paired percentile bootstrap.

    Rows are drawn with replacement and both models are scored on the same draw (Efron and Tibshirani, An Introduction
    to the Bootstrap, 1993, chapter 13). Rows are taken as independent.

    Args:
        metric: The metric; its direction is taken care of.
        y: True labels or values, shape ``(rows,)``.
        challenger: Its predictions, as the metric needs them.
        champion: The predictions it is compared with, same shape.
        classes: Class labels in the order of the probability columns.
        confidence: Of each one-sided bound.
        resamples: Number of draws.
        seed: Of the draws.

    Returns:
        The gain in units of the metric; positive where the challenger is better.
    """
    ours, theirs = (scorer(metric, y, p, list(classes)) for p in (challenger, champion))
    return _percentiles(lambda rows: metric.gain(ours(rows), theirs(rows)), len(y), confidence, resamples, seed)


def score_interval(
    metric: Metric, y: Array, prediction: Array, classes: Sequence[Any], *, confidence: float, resamples: int, seed: int
) -> Interval:
    """A score with its interval, by the percentile bootstrap; arguments as in ``gain_interval``."""
    return _percentiles(scorer(metric, y, prediction, list(classes)), len(y), confidence, resamples, seed)


def scorer(metric: Metric, y: Array, prediction: Array, classes: list[Any]) -> Callable[[Rows], float]:
    """A function that scores any draw of the rows; what all draws share is done once."""
    if metric.name == "roc_auc_score" and len(classes) == 2:
        return _auc_of_draws(y == classes[1], prediction[:, 1])
    return lambda rows: metric.score(y[rows], prediction[rows], classes)


def _auc_of_draws(positive: Array, score: Array) -> Callable[[Rows], float]:
    """AUC as the Mann-Whitney statistic, with the scores ranked once: a draw costs two counts instead of a sort."""
    values, rank = np.unique(score, return_inverse=True)

    def auc(rows: Rows) -> float:
        drawn, hit = rank[rows], positive[rows]
        above = np.bincount(drawn[hit], minlength=values.size)
        below = np.bincount(drawn[~hit], minlength=values.size)
        pairs = int(above.sum()) * int(below.sum())
        return float((above * (np.cumsum(below) - below / 2)).sum() / pairs) if pairs else float("nan")

    return auc


def _percentiles(
    statistic: Callable[[Rows], float], rows: int, confidence: float, resamples: int, seed: int
) -> Interval:
    point = statistic(slice(None))
    draws = np.random.default_rng(seed)
    values = np.array([statistic(draws.integers(0, rows, rows)) for _ in range(resamples)])
    values = values[np.isfinite(values)]
    if not np.isfinite(point) or values.size < resamples / 2:
        return Interval(float("nan"), point, float("nan"))
    low, high = np.quantile(values, [1 - confidence, confidence])
    return Interval(float(low), float(point), float(high))
