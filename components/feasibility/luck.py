"""How often answers that are shuffled score as well: what luck alone would do.

(Ojala and Garriga, Permutation Tests for Studying Classifier Performance, 2010.) Where rows of one day, or of one id,
share what makes them hard, more than rows must stay together. Of days that hold several rows the answers are shuffled
within each. Where that would change next to nothing, as with one row a day, and with ids, the blocks are shuffled
whole: neighbouring days keep each other's company (Kuensch, The Jackknife and the Bootstrap for General Stationary
Observations, 1989).
"""

import math
from collections.abc import Sequence

import numpy as np

from ciclo.components.core.clusters import LEAST_GROUPS
from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import Array
from ciclo.components.core.project import Project

SHUFFLES = 99
MOST_SHUFFLES = 2_000  # enough for a confidence of .999
BLOCKS = 20  # parts into which days are cut
FREE = 0.5  # share of the rows that have another answer in their day, from which days are shuffled within

Tested = tuple[Array, Array, Array | None]


def by_luck(project: Project, tested: Sequence[Tested], *, whole: bool) -> float:
    """Share of shuffles of the answers that score as well as they are.

    Args:
        project: Gives metric, confidence and seed.
        tested: For every fold the true labels or values, the answers as the metric needs them, and the day or id of
            each row; None where each is by itself. A shuffle stays within a fold.
        whole: Whether ids are shuffled whole, rather than the answers within each day.

    Returns:
        NaN where it cannot be asked: there are too few blocks, or no number of shuffles in reach would be enough for
        ``evaluation.confidence``.
    """
    if not tested:
        return 1.0
    needed = shuffles(project.evaluation.confidence)
    within = not whole and _free(tested) >= FREE
    if needed > MOST_SHUFFLES or (not within and sum(_blocks(fold, whole) for fold in tested) < LEAST_GROUPS):
        return math.nan
    metric, rng = project.metric, np.random.default_rng(project.training.seed)
    codes = list(range(max(int(y.max()) for y, _, _ in tested) + 1)) if project.task != "regression" else []

    def scored(shuffled: bool) -> float:
        found = []
        for y, answers, together in tested:
            place = np.arange(y.size) if together is None else np.argsort(together, kind="stable")
            order = place
            if shuffled:
                order = _within(together, y.size, rng) if within else _moved(place, together, whole, rng)
            found.append(metric.gain(scorer(metric, y[place], answers[order], codes)(slice(None)), 0.0))
        return float(np.mean(found))

    real = scored(shuffled=False)
    if not math.isfinite(real):
        return math.nan
    return (1 + sum(scored(shuffled=True) >= real for _ in range(needed))) / (1 + needed)


def shuffles(confidence: float) -> int:
    """How many shuffles can tell with that confidence, and at least 99."""
    return max(SHUFFLES, math.ceil(round(1 / (1 - confidence), 6)))


def _free(tested: Sequence[Tested]) -> float:
    """The share of the rows in whose day there is another label or value."""
    free = total = 0
    for y, _, together in tested:
        days = np.zeros(y.size, dtype=int) if together is None else np.unique(together, return_inverse=True)[1]
        kinds = np.bincount(np.unique(np.column_stack([days, np.unique(y, return_inverse=True)[1]]), axis=0)[:, 0])
        free, total = free + int((kinds[days] > 1).sum()), total + y.size
    return free / total


def _blocks(fold: Tested, whole: bool) -> int:
    y, _, together = fold
    count = y.size if together is None else np.unique(together).size
    return count if whole else min(count, BLOCKS)


def _within(together: Array | None, rows: int, rng: np.random.Generator) -> Array:
    """The rows by day, those of each in another order."""
    return rng.permutation(rows) if together is None else np.lexsort((rng.random(rows), together))


def _moved(place: Array, together: Array | None, whole: bool, rng: np.random.Generator) -> Array:
    """The rows by block, the blocks in another order; a block is an id, or some days in a row."""
    if together is None:
        return np.asarray(rng.permutation(place))
    block = np.unique(together[place], return_inverse=True)[1]
    if not whole:
        block = block * min(int(block.max()) + 1, BLOCKS) // (int(block.max()) + 1)
    order = rng.permutation(int(block.max()) + 1)
    return np.asarray(place[np.lexsort((np.arange(place.size), order[block]))])
