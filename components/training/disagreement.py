"""How much a model says something else than one of its recipe that has seen other rows, and how much of that is usual.

A refit has seen a stretch of newest rows that the tested model has not. Every other stretch of that length can be taken
from the tested model instead: fitted without it, and with another seed, the recipe disagrees with the tested model by
what rows and seeds change by themselves. In each of these pairs one of the two has seen the stretch and the other has
not, and on that stretch they are compared. So where the newest rows are like the others, the refit is one more draw
from the same distribution, and a prediction limit for one draw says whether it is.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import t

from ciclo.components.core.metrics import Array, predictions
from ciclo.components.tables.datasets import Dataset

REFITS = 5
LEAST_REFITS = 3
CONFIDENCE = 0.99
ROWS = 20_000
NOTHING = 1e-9  # of a probability, or of the largest value: what two sums in another order may differ by


def stretches(rows: Dataset, length: int, count: int = REFITS) -> list[Array]:
    """Stretches of time spread evenly over rows, the oldest first and the newest last.

    Args:
        rows: Rows with times.
        length: Rows of each; half of them at most, so that there is something left to fit.
        count: How many.

    Returns:
        For each the positions of its rows.
    """
    order = np.argsort(rows.rows[rows.contract.time_column].to_numpy(), kind="stable")
    length = max(1, min(length, len(rows) // 2))
    starts = np.linspace(0, len(rows) - length, count).round().astype("int64")
    return [np.sort(order[start : start + length]) for start in starts]


def disagreement(ours: object, theirs: object, rows: Dataset, seed: int) -> float:
    """The mean absolute difference of two models: of probabilities half the sum over the classes, or of values."""
    contract = rows.contract
    some = rows.sample(ROWS, seed).X
    needs = "probability" if contract.classes else "value"
    a, b = (predictions(needs, model, some, contract.codes) for model in (ours, theirs))
    difference = np.abs(a - b)
    return float(difference.mean() if needs == "value" else difference.sum(axis=1).mean() / 2)


def limit_of(usual: Sequence[float]) -> float:
    """The prediction limit for one more of these disagreements, at 99 %.

    They are positive and skewed, so it is taken on their logarithms (Hahn and Meeker, Statistical Intervals, 1991,
    section 4.6: with k values, the quantile of t with k - 1 degrees of freedom times s times the root of 1 + 1/k).

    Args:
        usual: At least two.

    Returns:
        The limit, in their unit.
    """
    logs = np.log(np.maximum(usual, NOTHING))
    width = float(t.ppf(CONFIDENCE, logs.size - 1)) * float(logs.std(ddof=1)) * math.sqrt(1 + 1 / logs.size)
    return math.exp(float(logs.mean()) + width)
