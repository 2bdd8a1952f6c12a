"""The label's threshold of a binary task, and how it is chosen.

A model carries its threshold itself, in scikit-learn's ``FixedThresholdClassifier``. Whoever turns probabilities into
labels, be it a metric, a golden request or the server, asks ``metrics.labels_of`` and so gives the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ciclo.components.core.metrics import Array, Metric
from ciclo.components.core.sections import Costs


@dataclass(frozen=True)
class Rule:
    """What a threshold is chosen by.

    Attributes:
        by: ``costs``, ``accuracy_score``, ``balanced_accuracy_score`` or ``f1_score``.
        costs: Of an error each way, in one unit; for ``costs`` alone.
    """

    by: str
    costs: Costs | None = None

    @classmethod
    def of(cls, metric: Metric, costs: Costs | None) -> "Rule":
        """The rule of a project: its costs; without them the metric where that is one of labels, else F1."""
        if costs is not None:
            return cls("costs", costs)
        return cls(metric.name if metric.needs == "label" else "f1_score")

    @property
    def text(self) -> str:
        """The rule in words."""
        if self.costs is None:
            return f"the greatest {self.by}"
        alarm, miss = _each_way(self.costs)
        return f"the least cost, {alarm:g} for a false positive and {miss:g} for a false negative"

    def worth(self, counts: Mapping[str, Array]) -> Array:
        """How good thresholds are, the greater the better.

        Args:
            counts: ``tp``, ``fp``, ``fn`` and ``tn`` at each threshold, shape ``(thresholds,)``.
        """
        tp, fp, fn, tn = (counts[name].astype("float64") for name in ("tp", "fp", "fn", "tn"))
        if self.costs is not None:
            alarm, miss = _each_way(self.costs)
            return np.asarray(-(alarm * fp + miss * fn))
        if self.by == "accuracy_score":
            return np.asarray(tp + tn)
        if self.by == "balanced_accuracy_score":
            return np.asarray(tp / np.maximum(tp + fn, 1) + tn / np.maximum(tn + fp, 1))
        return np.asarray(2 * tp / np.maximum(2 * tp + fp + fn, 1))


def _each_way(costs: Costs) -> tuple[float, float]:
    return costs.false_positive, costs.false_negative


def choose_threshold(positive: Array, probability: Array, rule: Rule) -> float:
    """The threshold that is worth most on rows the model was not fitted on; a tie goes to the one nearest to 0.5.

    Only values between two probabilities are tried, so that no row lies on the threshold.

    Args:
        positive: Whether each row is of the positive class, shape ``(rows,)``, at least one row.
        probability: Of the positive class, shape ``(rows,)``.
        rule: What it is worth.

    Returns:
        A row is labelled positive where its probability is at least this.
    """
    values, at = np.unique(probability, return_inverse=True)
    hits = np.bincount(at, weights=positive, minlength=values.size)
    rows = np.bincount(at, minlength=values.size)
    # At threshold k the values from k on are positive; the last one labels nothing positive.
    below_hits, below_rows = np.append(0, np.cumsum(hits)), np.append(0, np.cumsum(rows))
    fn, tn = below_hits, below_rows - below_hits
    tp = below_hits[-1] - fn
    fp = below_rows[-1] - below_rows - tp
    between = (values[1:] + values[:-1]) / 2
    tried = np.concatenate(([values[0] / 2], between, [max((values[-1] + 1) / 2, np.nextafter(values[-1], 2))]))
    worth = rule.worth({"tp": tp, "fp": fp, "fn": fn, "tn": tn})
    best = np.flatnonzero(worth >= worth.max() - 1e-12 * abs(worth.max()))
    return float(tried[best[np.abs(tried[best] - 0.5).argmin()]])
