"""Two or three columns that together tell the target: sums, differences, products and ratios.

All pairs are ranked at once from sums over the rows, and only the best are fitted and scored, so that the work grows
with the square of the columns and not with the fits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ciclo.components.core.metrics import Array
from ciclo.components.tables.evidence import enough
from ciclo.components.tables.relations import Halves

MOST_COLUMNS = 2_000
_ROWS = 3_000
_TRIED = 30  # of each ranking
_IN_THREES = 36  # columns of which all threes are ranked
_BETTER = 4  # times fewer errors than with fewer of the columns
_LEAST_TAUGHT = 100
_SCREENED = 2_000  # rows that are asked about first, where the target is a class
_NEAR = 0.1  # below the limit, on those


@dataclass(frozen=True)
class Combination:
    """Columns that together tell the target, and how well.

    Attributes:
        columns: Their positions.
        how: ``sum`` for a weighted sum, with the product where there are two; ``product`` for a product of powers.
        score: On the rows that were asked about.
        asked: Which of those rows have all of the columns.
        predicted: What is said of them, as the metric needs it.
    """

    columns: tuple[int, ...]
    how: str
    score: float
    asked: Array
    predicted: Array


def combined(halves: Halves, columns: list[int], alone: dict[int, float], limit: float) -> list[Combination]:
    """Find the smallest combinations that score over a limit.

    Args:
        halves: The rows.
        columns: Positions of the numeric columns to combine; the best ``MOST_COLUMNS`` of them are.
        alone: The score of each on its own.
        limit: A score to be over.

    Returns:
        At most one combination for each column, the best first. None that is not far better than fewer of its columns.
    """
    chosen = sorted(columns, key=lambda c: -np.nan_to_num(alone.get(c, 0.0)))[:MOST_COLUMNS]
    if len(chosen) < 2 or len(halves.taught) < _LEAST_TAUGHT or not enough(halves.y_asked, halves.codes):
        return []
    searches = [_Search(halves, chosen, how) for how in ("sum", "product")]
    coarse = halves.fewer(_SCREENED) if halves.codes else halves
    tried = [_tried(halves, coarse, pair, limit) for pair in dict.fromkeys(p for s in searches for p in s.pairs())]
    found = [
        c for c in tried if c.score > limit and _far_better(c.score, [alone.get(column, 0.0) for column in c.columns])
    ]
    if not found:
        for three in dict.fromkeys(t for s in searches for t in s.threes()):
            c = _tried(halves, coarse, three, limit)
            if c.score > limit:
                fewer = [_best(halves, pair).score for pair in combinations(three, 2)]
                if _far_better(c.score, [*fewer, *(alone.get(column, 0.0) for column in three)]):
                    found.append(c)
    return list(_apart(sorted(found, key=lambda c: -c.score)))


def _tried(halves: Halves, coarse: Halves, columns: tuple[int, ...], limit: float) -> Combination:
    """The best way to combine columns; scored on few of the rows alone where it is far below the limit on these."""
    first = _best(coarse, columns)
    return first if coarse is halves or first.score <= limit - _NEAR else _best(halves, columns)


def _far_better(score: float, others: list[float]) -> bool:
    return (1 - score) * _BETTER < 1 - float(np.nan_to_num(others).max())


def _apart(found: list[Combination]) -> Iterator[Combination]:
    """Those that share no column with a better one."""
    used: set[int] = set()
    for one in found:
        if not used & set(one.columns):
            used |= set(one.columns)
            yield one


def _best(halves: Halves, columns: tuple[int, ...]) -> Combination:
    """The better of the two ways to combine columns, fitted by least squares and scored on the other rows."""
    found = [c for how in ("sum", "product") if (c := _fitted(halves, columns, how)) is not None]
    nothing = Combination(columns, "sum", float("nan"), np.zeros(len(halves.asked), bool), np.empty(0))
    return max(found, key=lambda c: np.nan_to_num(c.score, nan=-1.0), default=nothing)


def _fitted(halves: Halves, columns: tuple[int, ...], how: str) -> Combination | None:
    kept = [_complete(part[:, columns], how) for part in (halves.taught, halves.asked)]
    kept[0][_ROWS:] = False
    some = halves.part(kept[0], kept[1], columns)
    if len(some.taught) < _LEAST_TAUGHT or not enough(some.y_asked, some.codes):
        return None
    target, back = _targets(some.y_taught, some.codes), how == "product" and not some.codes
    if back and not (some.y_taught > 0).all():
        return None
    taught, asked = (_design(part, how) for part in (some.taught, some.asked))
    if back:
        target = np.log(target)
    center, spread = taught.mean(axis=0), taught.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    terms = [np.column_stack([np.ones(len(part)), (part - center) / spread]) for part in (taught, asked)]
    weights = np.linalg.lstsq(terms[0], target, rcond=None)[0]
    predicted = terms[1] @ weights
    if some.codes:
        predicted = np.column_stack([-predicted[:, 0], predicted[:, 0]]) if len(some.codes) == 2 else predicted
    else:
        predicted = np.exp(np.minimum(predicted[:, 0], 700)) if back else predicted[:, 0]
    score = some.score(predicted)
    return Combination(columns, how, score, kept[1], predicted) if np.isfinite(score) else None


def _complete(values: Array, how: str) -> Array:
    """Rows in which all values are known, and above 0 where logarithms are taken."""
    with np.errstate(invalid="ignore"):
        return np.asarray((values > 0).all(axis=1) if how == "product" else np.isfinite(values).all(axis=1))


def _design(values: Array, how: str) -> Array:
    if how == "product":
        return np.asarray(np.log(values))
    if values.shape[1] != 2:
        return values
    return np.column_stack([values, values.prod(axis=1)])


def _targets(y: Array, codes: list[int]) -> Array:
    """The target as numbers, shape ``(rows, classes)``; one column for two classes or a value."""
    if not codes:
        return y.reshape(-1, 1).astype("float64")
    return np.column_stack([y == code for code in (codes[1:] if len(codes) == 2 else codes)]).astype("float64")


class _Search:
    """Ranks combinations by the share of the target that least squares explains on the rows that teach."""

    def __init__(self, halves: Halves, columns: list[int], how: str) -> None:
        values, target = halves.taught[:_ROWS, columns], _targets(halves.y_taught[:_ROWS], halves.codes)
        self.how, self.columns = how, np.array(columns)
        if how == "product":
            with np.errstate(invalid="ignore"):
                positive = ((values > 0) | np.isnan(values)).all(axis=0)
            if not halves.codes:
                positive &= bool((target > 0).all())
            self.columns, values = self.columns[positive], np.log(values[:, positive])
            target = target if halves.codes or not (target > 0).all() else np.log(target)
        self.known = len(self.columns) >= 2
        if self.known:
            self.z, self.t = _standard(values), _standard(target)
            self.alike = self.z.T @ self.z / len(values)
            self.shared = self.z.T @ self.t / len(values)

    def pairs(self) -> list[tuple[int, ...]]:
        """The best pairs."""
        if not self.known:
            return []
        best = self._explained()
        rankings = [best]
        if self.how == "sum":
            products = self._by_product()
            rankings += [products, best + products]
        upper = np.triu_indices(len(self.columns), 1)
        found: list[tuple[int, ...]] = []
        for ranking in rankings:
            flat = ranking[upper]
            top = np.argsort(-flat)[:_TRIED]
            found += [self._named(upper[0][at], upper[1][at]) for at in top]
        return found

    def threes(self) -> list[tuple[int, ...]]:
        """The best threes among the columns that promise most."""
        if not self.known or len(self.columns) < 3:
            return []
        by_pairs = np.argsort(-self._explained().max(axis=0))[: _IN_THREES // 2]
        promising = list(dict.fromkeys([*self._by_all()[: _IN_THREES // 2], *by_pairs.tolist()]))
        threes = np.array(list(combinations(sorted(promising), 3)))
        if not len(threes):
            return []
        alike = self.alike[threes[:, :, None], threes[:, None, :]] + 1e-9 * np.eye(3)
        shared = self.shared[threes]
        explained = (shared * np.linalg.solve(alike, shared)).sum(axis=(1, 2))
        return [self._named(*threes[at]) for at in np.argsort(-explained)[:_TRIED]]

    def _named(self, *places: int) -> tuple[int, ...]:
        return tuple(sorted(int(self.columns[place]) for place in places))

    def _explained(self) -> Array:
        """What each pair explains, summed over the classes, shape ``(columns, columns)``."""
        squares, cross = (self.shared**2).sum(axis=1), self.shared @ self.shared.T
        rest = np.maximum(1 - self.alike**2, 1e-9)
        return np.asarray((squares[:, None] + squares[None, :] - 2 * self.alike * cross) / rest)

    def _by_product(self) -> Array:
        """How the product of each pair of centred columns correlates with the target, squared."""
        rows, squares = len(self.z), self.z**2
        spread = np.maximum(squares.T @ squares / rows - self.alike**2, 1e-9)
        with_target = ((self.z * t[:, None]).T @ self.z / rows for t in self.t.T)
        return np.asarray(sum(found**2 / spread for found in with_target))

    def _by_all(self) -> list[int]:
        """The columns in the order of their weight in a regression on all of them."""
        ridge = self.alike + 1e-6 * np.eye(len(self.alike))
        if len(self.z) < 2 * len(self.alike):
            ridge += 0.1 * np.eye(len(self.alike))
        inverse = np.linalg.inv(ridge)
        weight = ((inverse @ self.shared) ** 2).sum(axis=1) / np.maximum(np.diag(inverse), 1e-12)
        return [int(at) for at in np.argsort(-weight)]


def _standard(values: Array) -> Array:
    """Columns with mean 0 and spread 1; a missing value is the mean, a constant column is 0."""
    with np.errstate(invalid="ignore"):
        finite = np.where(np.isfinite(values), values, np.nan)
    known = ~np.isnan(finite)
    mean = np.where(known, finite, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centered = np.where(known, finite - mean, 0.0)
    spread = np.sqrt((centered**2).mean(axis=0))
    return np.asarray(centered / np.where(spread > 0, spread, 1.0))
