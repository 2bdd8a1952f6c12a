"""Whether a score is surely over a limit, or only happened to be on the rows at hand."""

import math

import numpy as np

from ciclo.components.core.clusters import Clustered
from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import Array, Metric

LEAST_ROWS = 50
LEAST_OF_A_CLASS = 20
_ALPHA = 0.05


def rarest(y: Array, classes: list[int]) -> int:
    """Rows of the rarest class; all rows where the target is a number."""
    return min(int((y == code).sum()) for code in classes) if classes else len(y)


def enough(y: Array, classes: list[int]) -> bool:
    """Whether there are rows enough to say anything of a score on them."""
    return len(y) >= LEAST_ROWS and rarest(y, classes) >= LEAST_OF_A_CLASS


def surely_over(
    metric: Metric, y: Array, predicted: Array, classes: list[int], limit: float, *, groups: Array, looked_at: int
) -> bool:
    """Whether a score is over a limit beyond doubt, though it is the best of many that were looked at.

    Two bounds have to hold. The lower end of the clustered interval is corrected for the number of scores that were
    looked at (Bonferroni). Where all pairs are in order that interval has no width, however few they are; so an AUC has
    to be over the limit by more than the error that an AUC at the limit has on so many rows (Hanley and McNeil, The
    Meaning and Use of the Area under a ROC Curve, 1982).

    Args:
        metric: AUC or R2.
        y: True labels or values, shape ``(rows,)``.
        predicted: As the metric needs it.
        classes: The class codes; empty for regression.
        limit: The limit.
        groups: The group of each row, integers, shape ``(rows,)``.
        looked_at: How many scores were looked at.
    """
    if not enough(y, classes):
        return False
    found = Clustered.of(scorer(metric, y, predicted, classes), groups)
    if found is None or not found.interval(1 - _ALPHA / max(looked_at, 1)).low > limit:
        return False
    return not classes or found.point - 1.645 * auc_error(limit, rarest(y, classes), len(y)) > limit


def auc_error(auc: float, positives: int, rows: int) -> float:
    """The standard error of an AUC on independent rows, by Hanley and McNeil."""
    negatives = rows - positives
    both, other = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (both - auc**2) + (negatives - 1) * (other - auc**2)
    return math.sqrt(max(spread, 0.0) / (positives * negatives))


def ranks_alike(ranks: Array, others: Array) -> float:
    """The squared rank correlation of two columns: the share of one's order that the other tells (Spearman, 1904)."""
    if np.ptp(ranks) == 0 or np.ptp(others) == 0:
        return math.nan
    return float(np.corrcoef(ranks, others)[0, 1] ** 2)


def surely_ranked(alike: float, rows: int, limit: float, looked_at: int) -> bool:
    """Whether a squared rank correlation is over a limit beyond doubt, by Fisher's transformation."""
    from scipy.stats import norm

    if rows < LEAST_ROWS:
        return False
    width = float(norm.ppf(1 - _ALPHA / max(looked_at, 1))) * 1.03 / math.sqrt(rows - 3)
    return math.tanh(math.atanh(min(math.sqrt(alike), 1 - 1e-12)) - width) ** 2 > limit
