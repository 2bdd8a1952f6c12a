"""How much a model says something else than one of its recipe that has seen other rows, and how much of that is usual.

A refit has seen a stretch of newest rows that the tested model has not. Every other stretch of that length can be taken
from the tested model instead: fitted without it, and with another seed, the recipe disagrees with the tested model by
what rows and seeds change by themselves. In each of these pairs one of the two has seen the stretch and the other has
not, and on that stretch they are compared. So where the newest rows are like the others, the refit is one more draw
from the same distribution, and a prediction limit for one draw says whether it is.

The same is asked in every slice of the project. No floor can be asked of the refit there, since it has learnt the
labels of the rows that would tell; but where it answers as the tested model does, as far as refits do, what was tested
of the one holds for the other. The slices are held together to the error of one (Bonferroni): each to 1 - .01/k.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from ciclo.components.core.metrics import Array, predictions
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.slicing import parts, slice_name

REFITS = 5
LEAST_REFITS = 3
CONFIDENCE = 0.99
ROWS = 20_000
WHOLE = ""  # the name of all rows, beside those of slices
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


def by_slice(
    ours: object, theirs: object, rows: Dataset, like: Dataset, columns: Sequence[str], minimum: int, seed: int
) -> dict[str, float]:
    """The disagreement of two models on all rows, by ``WHOLE``, and in every slice of enough rows, by its name.

    It is the mean absolute difference: of probabilities half the sum over the classes, or of values.

    Args:
        ours: One model.
        theirs: The other.
        rows: Rows.
        like: The rows whose slices they are.
        columns: Columns to cut by.
        minimum: Rows that are enough.
        seed: Chooses rows where there are very many.
    """
    some = rows.sample(ROWS, seed)
    differences = _differences(ours, theirs, some)
    found = {WHOLE: float(differences.mean())}
    for column in columns:
        for value, inside in parts(some.rows[column], like.rows[column]):
            if len(inside) >= minimum:
                found[slice_name(column, value)] = float(differences[inside].mean())
    return found


def _differences(ours: object, theirs: object, rows: Dataset) -> Array:
    """How far two models are apart in each row."""
    contract, features = rows.contract, rows.X
    needs = "probability" if contract.classes else "value"
    a, b = (predictions(needs, model, features, contract.codes) for model in (ours, theirs))
    difference = np.abs(a - b)
    apart: Array = difference if needs == "value" else difference.sum(axis=1) / 2
    return apart


@dataclass(frozen=True)
class Agreement:
    """How far the refitted model is from the tested one, beside what is usual.

    Attributes:
        part: ``WHOLE``, or the name of a slice.
        disagreement: Of the two.
        usual: Of refits that have seen other rows.
        limit: The most that is usual; None where there are too few of those to tell.
    """

    part: str
    disagreement: float
    usual: tuple[float, ...]
    limit: float | None

    @property
    def is_usual(self) -> bool:
        """Whether the refit differs no more than refits do, as far as that can be told."""
        return self.limit is None or self.disagreement <= self.limit


def agreements(
    ours: Mapping[str, float], usual: Sequence[Mapping[str, float]], most: float = math.inf
) -> list[Agreement]:
    """Hold a refit to what is usual, on the whole and in every slice. Pure.

    Args:
        ours: Its disagreement with the tested model by ``WHOLE`` and slice.
        usual: Those of other refits; a slice of too few rows may be missing in some.
        most: The most that two models can disagree. Nobody can tell of a slice whose limit is not below that.

    Returns:
        The whole first, then slices, the one that is furthest beyond its limit first; those nobody can tell last.
    """
    others = {part: tuple(one[part] for one in usual if part in one) for part in ours}
    comparable = sum(len(found) >= LEAST_REFITS for part, found in others.items() if part != WHOLE)
    found = []
    for part, value in ours.items():
        error = (1 - CONFIDENCE) / (1 if part == WHOLE else max(comparable, 1))
        limit = limit_of(others[part], 1 - error) if len(others[part]) >= LEAST_REFITS else None
        if part != WHOLE and limit is not None and limit >= most:
            limit = None
        found.append(Agreement(part, value, others[part], limit))
    return sorted(found, key=lambda a: (a.part != WHOLE, a.limit is None, -a.disagreement / (a.limit or 1)))


def limit_of(usual: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """The prediction limit for one more of these disagreements.

    They are positive and skewed, so it is taken on their logarithms (Hahn and Meeker, Statistical Intervals, 1991,
    section 4.6: with k values, the quantile of t with k - 1 degrees of freedom times s times the root of 1 + 1/k).

    Args:
        usual: At least two.
        confidence: How sure one more lies below it.

    Returns:
        The limit, in their unit.
    """
    logs = np.log(np.maximum(usual, NOTHING))
    width = float(t.ppf(confidence, logs.size - 1)) * float(logs.std(ddof=1)) * math.sqrt(1 + 1 / logs.size)
    return math.exp(float(logs.mean()) + width)
