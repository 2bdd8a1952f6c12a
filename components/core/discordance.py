"""Bounds for scores of labels, which also hold where few rows, or none, tell two models apart.

The gain of a score of labels comes from the rows on which two models differ: those that one wins and those it loses. An
error taken from rows that all agree is 0, and says that nothing can happen; that nothing was seen in 40 rows says that
it happens in less than one of thirteen (Hanley and Lippman-Hand, If Nothing Goes Wrong, Is Everything All Right?,
1983). So what is won and what is lost are rates with bounds of their own: of weighted rows one more is counted, of the
largest weight (Fay and Feuer, Confidence Intervals for Directly Standardized Rates, 1997), the bounds are those of
Clopper and Pearson (1934), and where rows come in groups there are fewer of them by the design effect (Korn and
Graubard, Confidence Intervals for Proportions with Small Expected Number of Positive Counts Estimated from Survey Data,
1998). The two are joined by the square root of the sum of squares (Newcombe, Improved Confidence Intervals for the
Difference between Binomial Proportions Based on Paired Data, 1998). Below a hundred such rows, of equal weight and
each by itself, the wider of this and the jackknife is taken; from there on the jackknife is right.
"""

import math
from typing import Any

import numpy as np

from ciclo.components.core.intervals import Interval, Scorer, SumScorer
from ciclo.components.core.metrics import Array, Metric

FEW = 100  # rows that tell two models apart
FEW_SCORED = 20  # right or wrong answers
TINY = 1e-9


def wider_gain(interval: Interval, ours: Scorer, theirs: Scorer, *, variance: float, confidence: float) -> Interval:
    """Widen the interval of a gain to what so few rows can tell.

    Args:
        interval: That of the jackknife.
        ours: Scores the challenger.
        theirs: Scores the champion on the same rows.
        variance: That of the gain by the jackknife of groups.
        confidence: Of each one-sided bound.
    """
    metric = ours.metric
    if isinstance(ours, SumScorer) and isinstance(theirs, SumScorer) and metric.needs == "label":
        moved, heaviest = ours.instead_of(theirs), max(ours.heaviest, theirs.heaviest)
        rows = ours.without_rows() - theirs.without_rows()
        design = _design(variance, rows)
        if _events(moved) >= FEW * design:
            return interval
        (won, won_low, won_high), (lost, lost_low, lost_high) = (
            _rate(part[part > 0], heaviest, design, confidence) for part in (moved, -moved)
        )
        low = interval.point - math.hypot(won - won_low, lost_high - lost)
        high = interval.point + math.hypot(won_high - won, lost - lost_low)
        return _hull(interval, low, high)
    return _of_ranks(interval, ours, theirs, confidence)


def wider_score(interval: Interval, ours: Scorer, *, variance: float, confidence: float) -> Interval:
    """Widen the interval of a score to what so few right, or so few wrong, answers can tell; as ``wider_gain``."""
    metric = ours.metric
    if isinstance(ours, SumScorer) and metric.needs == "label":
        shares, right = _shares(ours), ours.y == ours.prediction
        design = _design(variance, ours.without_rows())
        if min(_events(shares[part]) for part in (right, ~right)) >= FEW_SCORED * design:
            return interval
        (hit, _, hit_high), (missed, _, missed_high) = (
            _rate(shares[part], ours.heaviest, design, confidence) for part in (right, ~right)
        )
        return _hull(interval, interval.point - (missed_high - missed), interval.point + (hit_high - hit))
    return _of_ranks(interval, ours, None, confidence)


def least_width(metric: Metric, y: Array, confidence: float) -> float:
    """How far a bound lies from a score of classes at least, from so many rows of the rarest class; 0 for others."""
    if metric.needs == "value" or not metric.has_scale:
        return 0.0
    rarest = int(np.unique(y, return_counts=True)[1].min())
    return _rate(np.zeros(0), 1 / rarest, 1.0, confidence)[2]


def _of_ranks(interval: Interval, ours: Scorer, theirs: Scorer | None, confidence: float) -> Interval:
    """Rankings that are perfect: one row of the rarest class could yet be last.

    As many pairs of different rows as there are of that class are independent, so a model of a lesser AUC than the
    bound would rank all right more seldom than one less the confidence. Where days or people have luck of their own,
    nothing of it is seen in a perfect ranking, and the bound is that of independent rows.
    """
    alike = theirs is not None and np.array_equal(ours.prediction, theirs.prediction)
    if ours.metric.needs != "probability" or alike or interval.high - interval.low > TINY:
        return interval
    width = least_width(ours.metric, ours.y, confidence)
    return _hull(interval, interval.point - width, interval.point + width)


def _rate(weights: Array, heaviest: float, design: float, confidence: float) -> tuple[float, float, float]:
    """The sum of some weights, as a share of what it could be, with its one-sided bounds."""
    from scipy.stats import beta

    total, squares = float(weights.sum()), design * float((weights**2).sum())
    low = 0.0
    if total > 0:
        low = float(beta.ppf(1 - confidence, total**2 / squares, max((total - total**2) / squares + 1, TINY)))
    more, squares = total + design * heaviest, squares + (design * heaviest) ** 2
    high = float(beta.ppf(confidence, more**2 / squares, max((more - more**2) / squares + 1, TINY)))
    return total, min(low, total), max(high, total)


def _events(weights: Array) -> float:
    """How many rows of equal weight tell as much (Kish, Survey Sampling, 1965)."""
    squares = float((weights**2).sum())
    return float(np.abs(weights).sum()) ** 2 / squares if squares else 0.0


def _design(variance: float, without: Array) -> float:
    """By how much groups make the variance greater than independent rows would."""
    alone = float((without.size - 1) / without.size * ((without - without.mean()) ** 2).sum())
    found = variance / alone if alone > 0 else 1.0
    return max(found, 1.0) if math.isfinite(found) else 1.0


def _hull(interval: Interval, low: float, high: float) -> Interval:
    return Interval(min(interval.low, low), interval.point, max(interval.high, high))


def _shares(ours: SumScorer) -> Array:
    """What each row adds: right answers to the score, wrong ones to what it lacks; each sums up exactly."""
    y, predicted, name = ours.y, ours.prediction, ours.metric.name
    if name == "accuracy_score":
        return np.full(y.size, 1 / y.size)
    classes: list[Any] = [c for c in ours.classes if (y == c).any()]
    if name == "balanced_accuracy_score":
        return np.asarray(sum((y == c) / (y == c).sum() for c in classes)) / len(classes)
    names = ours.classes[1:] if len(ours.classes) == 2 else classes
    parts = (((y == c).astype(float) + (predicted == c)) / ((y == c).sum() + (predicted == c).sum()) for c in names)
    return np.asarray(sum(parts)) / len(names)
