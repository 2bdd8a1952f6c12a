"""The distribution of one column: bins that were chosen once, and counts of rows in them."""

import itertools
from collections.abc import Callable
from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.metrics import Array
from ciclo.components.core.wording import apart, number
from ciclo.components.core.wording import distinct as distinct_texts

BINS = 10
MAX_CATEGORIES = 50
RARE = 10
CHUNK = 1 << 20  # rows that are looked at together, so that no second copy of a long column is held
OTHER = "(other)"
MISSING = "(missing)"
OWN = (OTHER, MISSING)


class ColumnProfile(BaseModel):
    """The distribution of one column.

    Attributes:
        kind: ``number`` is binned at quantiles, ``category`` counts values.
        counts: Rows in each bin; the last bin is "missing", for categories the one before it is "any other value".
        edges: Inner bin edges of a number, ascending; bin ``i`` holds ``edges[i-1] <= x < edges[i]``. A column of few
            values has one bin for each, any other has bins of about equal counts.
        values: The category of each bin, without the last two. Of more than that many the most frequent are kept, and
            none of fewer than ten rows: too little is known of them.
        mean: Mean of a number.
        std: Standard deviation of a number.
        minimum: Smallest number.
        maximum: Largest number.
        top: Share of the most frequent value among all rows; None in a profile of an earlier release.
        distinct: Different values, missing ones aside; None in a profile of an earlier release.
        importance: Share of the model's importance, set by evaluation; the shares of all features sum to 1.
        by_slice: Counts in the slices of time of the profile, shape ``(slices, bins)``; empty if rows have no times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["number", "category"]
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    mean: float | None = None
    std: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    top: float | None = None
    distinct: int | None = None
    importance: float = 0.0
    by_slice: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, values: pd.Series) -> Self:
        """Profile a column of a canonical frame (``float64`` or ``object``)."""
        return cls.coded(values)[0]

    @classmethod
    def coded(cls, values: pd.Series) -> tuple[Self, Array]:
        """Profile a column of a canonical frame, and give the bin of every row, as ``codes``."""
        empty, update = cls._of_categories(values) if values.dtype == object else cls._of_numbers(values.to_numpy())
        codes = empty.codes(values)
        counts = np.bincount(codes, minlength=empty.bins)
        return empty.model_copy(update={**update, "counts": tuple(counts.tolist())}), codes

    @classmethod
    def _of_numbers(cls, numbers: Array) -> tuple[Self, dict[str, object]]:
        """The bins of numbers, and what else is known of them."""
        finite = numbers[np.isfinite(numbers)]
        if finite.size == 0:
            return cls(kind="number", counts=()), {"distinct": 0}
        finite.sort()
        distinct, values_seen, longest = _runs(finite, 2 * BINS + 1)
        edges = np.unique(distinct[1:] if distinct.size <= 2 * BINS else _quantiles(finite, BINS))
        return cls(kind="number", counts=(), edges=tuple(float(e) for e in edges)), {
            "mean": float(finite.mean()),
            "std": float(finite.std()),
            "minimum": float(finite[0]),
            "maximum": float(finite[-1]),
            "top": longest / len(numbers),
            "distinct": values_seen,
        }

    @classmethod
    def _of_categories(cls, values: pd.Series) -> tuple[Self, dict[str, object]]:
        counted = values.value_counts()
        known = [str(v) for v in counted[counted >= RARE].head(MAX_CATEGORIES).index]
        top = float(counted.iloc[0]) / len(values) if len(counted) else 0.0
        return cls(kind="category", counts=(), values=tuple(sorted(known))), {"top": top, "distinct": len(counted)}

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.values) + 2 if self.kind == "category" else len(self.edges) + 2

    @property
    def labels(self) -> list[str]:
        """A name for each bin; a value that is called like another bin is put in quotes."""
        if self.kind == "category":
            return [*(apart(value, OWN) for value in self.values), *OWN]
        return self._spans(lambda edge, digits: f"{edge:.{digits}g}")

    @property
    def bin_names(self) -> list[str]:
        """A name for each bin, with numbers as people write them."""
        return self.labels if self.kind == "category" else self._spans(number)

    def _spans(self, write: Callable[[float, int], str]) -> list[str]:
        """What lies in each bin of a number, its edges written with so many digits that they differ."""
        if not self.edges:
            return ["any", MISSING]
        ends = distinct_texts(self.edges, write)
        return [f"below {ends[0]}", *(f"{a} to {b}" for a, b in itertools.pairwise(ends)), f"from {ends[-1]}", MISSING]

    @property
    def missing(self) -> float:
        """Share of missing values."""
        total = sum(self.counts)
        return self.counts[-1] / total if total else 0.0

    def quantile(self, share: float) -> float | None:
        """About the number below which a share of the known values lies, by linear interpolation within its bin.

        Args:
            share: From 0 to 1.

        Returns:
            None for categories, and where no value is known.
        """
        known = np.array(self.counts[:-1])
        if self.kind == "category" or self.minimum is None or self.maximum is None or not known.sum():
            return None
        ends = np.clip([self.minimum, *self.edges, self.maximum], self.minimum, self.maximum)
        return float(np.interp(share * known.sum(), [0, *np.cumsum(known)], ends))

    def codes(self, values: pd.Series) -> Array:
        """The bin of every row.

        Args:
            values: A column of a canonical frame.

        Returns:
            Integers, shape ``(rows,)``.
        """
        if self.kind == "category":
            found = pd.Index(self.values, dtype=object).get_indexer(pd.Index(values, dtype=object))
            lost = np.flatnonzero(found < 0)
            found[lost] = len(self.values) + values.iloc[lost].isna().to_numpy()
            return np.asarray(found)
        numbers = values.to_numpy(dtype="float64")
        position = np.zeros(len(numbers), dtype="uint8" if self.bins <= 256 else "intp")
        for edge in self.edges:  # of few edges faster than a binary search for every number
            position += numbers >= edge
        position[np.isnan(numbers)] = len(self.edges) + 1
        return position

    def bin(self, values: pd.Series) -> Array:
        """Count values in this profile's bins.

        Args:
            values: A column of a canonical frame.

        Returns:
            Counts, shape ``(bins,)``.
        """
        return np.bincount(self.codes(values), minlength=self.bins)

    def sliced(self, codes: Array, slices: Array, number: int) -> Self:
        """The same column with its counts by slice.

        Args:
            codes: The bin of each row, shape ``(rows,)``.
            slices: Its slice, the same shape.
            number: How many slices there are.
        """
        counts = np.zeros(number * self.bins, dtype="int64")
        for start in range(0, len(codes), CHUNK):
            cells = slices[start : start + CHUNK].astype("int64") * self.bins + codes[start : start + CHUNK]
            counts += np.bincount(cells, minlength=counts.size)
        by_slice = counts.reshape(number, self.bins).tolist()
        return self.model_copy(update={"by_slice": tuple(tuple(row) for row in by_slice)})


def _runs(ordered: Array, most: int) -> tuple[Array, int, int]:
    """The first few different values of a sorted column, how many there are, and how many rows the most frequent has.

    Args:
        ordered: Numbers in ascending order, shape ``(rows,)``, at least one.
        most: How many different values are wanted.
    """
    distinct, different, longest, start = [float(ordered[0])], 1, 0, 0
    for first in range(1, len(ordered), CHUNK):
        part = ordered[first - 1 : first + CHUNK]
        places = np.flatnonzero(part[1:] != part[:-1]) + first
        different += places.size
        if places.size:
            distinct += ordered[places[: most - len(distinct)]].tolist() if len(distinct) < most else []
            longest = max(longest, int(places[0]) - start, int(np.diff(places).max(initial=0)))
            start = int(places[-1])
    return np.array(distinct), different, max(longest, len(ordered) - start)


def _quantiles(ordered: Array, parts: int) -> Array:
    """The inner ends of parts of equal size, between two values by linear interpolation as ``numpy.quantile``."""
    places = np.linspace(0, 1, parts + 1)[1:-1] * (len(ordered) - 1)
    below = np.floor(places).astype("intp")
    low, high = ordered[below], ordered[np.minimum(below + 1, len(ordered) - 1)]
    return np.asarray(low + (high - low) * (places - below))
