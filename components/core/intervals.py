"""Intervals, and scores of which groups of rows may be left out.

A bare comparison promotes an equal model half of the time; every decision here is made on the end of an interval. What
an interval needs is the score without each group of rows, which costs as much as a few scores: a mean, and whatever is
made of means, is had from sums by group, and the area under the curve from counts of pairs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ciclo.components.core.metrics import Array, Metric

Rows = Array | slice
OUT_OF_REACH = 1_000


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

    @property
    def bounded(self) -> bool:
        """Whether it has bounds."""
        return math.isfinite(self.low) and math.isfinite(self.point) and math.isfinite(self.high)

    def needed(self, limit: float, pieces: int) -> int | None:
        """How many more pieces of evidence would bring the lower bound above a limit if the point stayed.

        The width falls with the root of what it rests on.

        Args:
            limit: The limit.
            pieces: What it rests on now.

        Returns:
            None where no number would do, or only one out of all reach.
        """
        if not self.bounded or not pieces or not self.point > limit:
            return None
        share = ((self.point - self.low) / (self.point - limit)) ** 2
        return max(math.ceil(pieces * share) - pieces, 1) if share < OUT_OF_REACH else None


class Scorer:
    """A metric on any choice of some rows.

    Args:
        metric: The metric.
        y: True labels or values, shape ``(rows,)``.
        prediction: As the metric needs them.
        classes: Class labels in the order of the probability columns.
    """

    def __init__(self, metric: Metric, y: Array, prediction: Array, classes: list[Any]) -> None:
        self.metric, self.y, self.prediction, self.classes = metric, y, prediction, classes

    def __call__(self, rows: Rows) -> float:
        """The score of some rows, by position; one that is named twice counts twice."""
        return self.metric.score(self.y[rows], self.prediction[rows], self.classes)

    def without_each(self, group: Array, groups: int) -> Array:
        """The score without each group.

        Args:
            group: The group of each row, from 0 on, shape ``(rows,)``.
            groups: How many there are.

        Returns:
            Shape ``(groups,)``; NaN where the score is not defined without a group.
        """
        return np.array([self(np.flatnonzero(group != one)) for one in range(groups)])


class SumScorer(Scorer):
    """A score that is made of sums over rows: of ``terms``, shape ``(rows, parts)``, by ``made`` of ``(n, parts)``."""

    def __init__(self, scorer: Scorer, terms: Array, made: Callable[[Array], Array]) -> None:
        super().__init__(scorer.metric, scorer.y, scorer.prediction, scorer.classes)
        self._terms, self._made = terms.astype("float64"), made
        self._total = self._terms.sum(axis=0)

    def __call__(self, rows: Rows) -> float:
        """As that of every scorer; of labels from the sums."""
        if self.metric.needs != "label":
            return super().__call__(rows)
        return float(self._scores(self._terms[rows].sum(axis=0)[None])[0])

    def without_each(self, group: Array, groups: int) -> Array:
        """As that of every scorer, from the sums of the groups."""
        sums = np.stack([np.bincount(group, weights=part, minlength=groups) for part in self._terms.T], axis=1)
        return self._scores(self._total - sums)

    def without_rows(self) -> Array:
        """The score without each row, shape ``(rows,)``."""
        return self._scores(self._total - self._terms)

    def instead_of(self, other: "SumScorer") -> Array:
        """What the score gains by each row that is answered as here and not as there, shape ``(rows,)``.

        It is taken where all other rows are answered as there, and where they are answered as here; the mean of both.
        """
        moved = self._terms - other._terms
        from_other = self._scores(other._total + moved) - self._scores(other._total[None])
        to_own = self._scores(self._total[None]) - self._scores(self._total - moved)
        return np.asarray((from_other + to_own) / 2)

    @property
    def heaviest(self) -> float:
        """The most that one more row with another label could change; for scores of labels."""
        known = [c for c in self.classes if (self.y == c).any()]
        pairs = [(true, other) for true in known for other in self.classes if other != true]
        if not pairs:
            return 1.0
        y, others = (np.array(part) for part in zip(*pairs, strict=True))
        terms = _SUMS[self.metric.name]
        moved = (terms(y, others, self.classes)[0] - terms(y, y, self.classes)[0].astype("float64")).astype("float64")
        score = self._scores(self._total[None])
        found = np.abs(np.concatenate([self._scores(self._total + sign * moved) - score for sign in (1, -1)]))
        found = found[np.isfinite(found)]
        return min(float(found.max()), 1.0) if found.size else 1.0

    def _scores(self, sums: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self._made(sums))


class _Auc(Scorer):
    """AUC as the Mann-Whitney statistic, with the scores ranked once; of many classes the mean of each against all."""

    def __init__(self, scorer: Scorer) -> None:
        super().__init__(scorer.metric, scorer.y, scorer.prediction, scorer.classes)
        chosen = list(enumerate(self.classes))[1 if len(self.classes) == 2 else 0 :]
        self._parts = [(self.y == name, *_ranked(self.prediction[:, column])) for column, name in chosen]

    def __call__(self, rows: Rows) -> float:
        return float(np.mean([_auc(hit[rows], rank[rows], ranks) for hit, rank, ranks in self._parts]))

    def without_each(self, group: Array, groups: int) -> Array:
        found = [_auc_without(hit, rank, ranks, group, groups) for hit, rank, ranks in self._parts]
        return np.asarray(np.mean(found, axis=0))


class _Precision(Scorer):
    """Average precision of two classes, with the scores sorted once."""

    def without_each(self, group: Array, groups: int) -> Array:
        rank, _ = _ranked(self.prediction[:, 1])
        order = np.argsort(-rank, kind="stable")
        hit, rank, group = (self.y == self.classes[1])[order], rank[order], group[order]
        return np.array([_average_precision(hit[kept], rank[kept]) for kept in (group != g for g in range(groups))])


def scorer(metric: Metric, y: Array, prediction: Array, classes: list[Any]) -> Scorer:
    """A metric on any choice of some rows; what all choices share is done once.

    Args:
        metric: The metric.
        y: True labels or values, shape ``(rows,)``.
        prediction: As the metric needs them.
        classes: Class labels in the order of the probability columns.
    """
    plain = Scorer(metric, y, prediction, list(classes))
    if metric.name == "roc_auc_score":
        return _Auc(plain)
    if metric.name == "average_precision_score":
        return _Precision(metric, y, prediction, list(classes))
    terms = _SUMS.get(metric.name)
    return SumScorer(plain, *terms(y, prediction, list(classes))) if terms else plain


def _ranked(values: Array) -> tuple[Array, int]:
    """The rank of each value, equal ones alike, and how many ranks there are."""
    found, rank = np.unique(values, return_inverse=True)
    return rank, found.size


def _auc(hit: Array, rank: Array, ranks: int) -> float:
    above, below = np.bincount(rank[hit], minlength=ranks), np.bincount(rank[~hit], minlength=ranks)
    pairs = int(above.sum()) * int(below.sum())
    return float((above * (np.cumsum(below) - below / 2)).sum() / pairs) if pairs else float("nan")


def _auc_without(hit: Array, rank: Array, ranks: int, group: Array, groups: int) -> Array:
    """All pairs won, less those of a group's positives and of its negatives, plus those that were taken off twice."""
    above, below = np.bincount(rank[hit], minlength=ranks), np.bincount(rank[~hit], minlength=ranks)
    won = (np.cumsum(below) - below / 2)[rank] * hit + (above.sum() - np.cumsum(above) + above / 2)[rank] * ~hit
    lost = np.bincount(group, weights=won, minlength=groups)
    cell, place = np.unique(group.astype("int64") * ranks + rank, return_inverse=True)
    ups, downs = np.bincount(place[hit], minlength=cell.size), np.bincount(place[~hit], minlength=cell.size)
    before = np.bincount(group, weights=~hit, minlength=groups).cumsum()
    start = np.concatenate([[0.0], before])[cell // ranks]
    inside = np.bincount(cell // ranks, weights=ups * (downs.cumsum() - downs / 2 - start), minlength=groups)
    total = (above * (np.cumsum(below) - below / 2)).sum()
    positives = np.bincount(group, weights=hit, minlength=groups)
    negatives = np.bincount(group, minlength=groups) - positives
    pairs = (above.sum() - positives) * (below.sum() - negatives)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(pairs > 0, (total - lost + inside) / pairs, np.nan)


def _average_precision(hit: Array, rank: Array) -> float:
    """Of rows in falling order of their score; NaN without a positive."""
    if not hit.size:
        return float("nan")
    last = np.flatnonzero(np.diff(rank, append=-1))
    found = hit.cumsum()[last]
    return float((np.diff(found, prepend=0) * found / (last + 1)).sum() / found[-1]) if found[-1] else float("nan")


def _mean(values: Array) -> tuple[Array, Callable[[Array], Array]]:
    return np.column_stack([values, np.ones(len(values))]), lambda s: s[:, 0] / s[:, 1]


def _log_losses(y: Array, p: Array, classes: list[Any]) -> tuple[Array, Callable[[Array], Array]]:
    right = p[np.arange(len(y)), np.searchsorted(np.array(classes), y)]
    edge = np.finfo(p.dtype).eps
    return _mean(-np.log(np.clip(right, edge, 1 - edge)))


def _squares(y: Array, p: Array, _: list[Any]) -> tuple[Array, Callable[[Array], Array]]:
    terms, mean = _mean((y - p) ** 2)
    return terms, lambda s: np.sqrt(mean(s))


def _r2(y: Array, p: Array, _: list[Any]) -> tuple[Array, Callable[[Array], Array]]:
    centred = y - y.mean()
    terms = np.column_stack([(y - p) ** 2, centred, centred**2, np.ones(len(y))])
    return terms, lambda s: 1 - s[:, 0] / (s[:, 2] - s[:, 1] ** 2 / s[:, 3])


def _recalls(y: Array, p: Array, classes: list[Any]) -> tuple[Array, Callable[[Array], Array]]:
    is_one, right = y[:, None] == np.array(classes), (y == p)[:, None]
    count = len(classes)
    return np.hstack([is_one & right, is_one]), lambda s: _mean_of_known(s[:, :count] / s[:, count:])


def _f1(y: Array, p: Array, classes: list[Any]) -> tuple[Array, Callable[[Array], Array]]:
    """Of classes that occur: that of one without a row is not defined, whatever was called it."""
    names = np.array(classes[1:] if len(classes) == 2 else classes)
    is_one, called = y[:, None] == names, p[:, None] == names
    count = len(names)

    def made(sums: Array) -> Array:
        both, known, named = (sums[:, part * count : (part + 1) * count] for part in range(3))
        return _mean_of_known(np.where(known > 0, 2 * both / (known + named), np.nan))

    return np.hstack([is_one & called, is_one, called]), made


def _mean_of_known(values: Array) -> Array:
    """The mean of those that are defined, by row; NaN where none is."""
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0).sum(axis=1) / known.sum(axis=1))


_SUMS: dict[str, Callable[[Array, Array, list[Any]], tuple[Array, Callable[[Array], Array]]]] = {
    "log_loss": _log_losses,
    "accuracy_score": lambda y, p, _: _mean(y == p),
    "balanced_accuracy_score": _recalls,
    "f1_score": _f1,
    "r2_score": _r2,
    "mean_absolute_error": lambda y, p, _: _mean(np.abs(y - p)),
    "root_mean_squared_error": _squares,
}
