"""The reference profile: what the training rows looked like, small enough to travel with the model.

Monitoring bins new rows into the same bins and compares counts, so no training row leaves the pipeline.
"""

import itertools
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.metrics import Array

BINS = 10
MAX_CATEGORIES = 50
OTHER = "(other)"


class ColumnProfile(BaseModel):
    """The distribution of one column.

    Attributes:
        kind: ``number`` is binned at quantiles, ``category`` counts values.
        counts: Rows in each bin; the last bin is "missing", for categories the one before it is "any other value".
        edges: Inner bin edges of a number, ascending; bin ``i`` holds ``edges[i-1] <= x < edges[i]``. A column of few
            values has one bin for each, any other has bins of about equal counts.
        values: The category of each bin, without the last two.
        mean: Mean of a number.
        std: Standard deviation of a number.
        minimum: Smallest number.
        maximum: Largest number.
        importance: Share of the model's importance, set by evaluation; the shares of all features sum to 1.
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
    importance: float = 0.0

    @classmethod
    def of(cls, values: pd.Series) -> Self:
        """Profile a column of a canonical frame (``float64`` or ``object``)."""
        if values.dtype == object:
            top = values.value_counts().head(MAX_CATEGORIES).index
            empty = cls(kind="category", counts=(), values=tuple(str(v) for v in sorted(top)))
            return empty.model_copy(update={"counts": tuple(int(n) for n in empty.bin(values))})
        numbers = values.to_numpy(dtype="float64")
        finite = numbers[np.isfinite(numbers)]
        if finite.size == 0:
            return cls(kind="number", counts=(0, len(numbers)))
        distinct = np.unique(finite)
        cuts = distinct[1:] if distinct.size <= 2 * BINS else np.quantile(finite, np.linspace(0, 1, BINS + 1)[1:-1])
        edges = np.unique(cuts)
        empty = cls(kind="number", counts=(), edges=tuple(float(e) for e in edges))
        return empty.model_copy(
            update={
                "counts": tuple(int(n) for n in empty.bin(values)),
                "mean": float(finite.mean()),
                "std": float(finite.std()),
                "minimum": float(finite.min()),
                "maximum": float(finite.max()),
            }
        )

    @property
    def labels(self) -> list[str]:
        """A name for each bin."""
        if self.kind == "category":
            return [*self.values, OTHER, "(missing)"]
        ends = [f"{e:.4g}" for e in self.edges]
        spans = [f"{a} to {b}" for a, b in itertools.pairwise(ends)]
        return [*([f"below {ends[0]}", *spans, f"from {ends[-1]}"] if ends else ["any"]), "(missing)"]

    @property
    def missing(self) -> float:
        """Share of missing values."""
        total = sum(self.counts)
        return self.counts[-1] / total if total else 0.0

    def bin(self, values: pd.Series) -> Array:
        """Count values in this profile's bins.

        Args:
            values: A column of a canonical frame.

        Returns:
            Counts, shape ``(bins,)``.
        """
        absent = int(values.isna().sum())
        present = values[values.notna()]
        if self.kind == "category":
            counts = present.astype(str).value_counts()
            known = [int(counts.get(v, 0)) for v in self.values]
            return np.array([*known, len(present) - sum(known), absent])
        position = np.searchsorted(np.array(self.edges), present.to_numpy(dtype="float64"), side="right")
        return np.array([*np.bincount(position, minlength=len(self.edges) + 1), absent])


class Profile(BaseModel):
    """What a model was trained on.

    Attributes:
        rows: Rows profiled.
        start: Time of the first row, ISO, if rows have times.
        end: Time of the last row.
        columns: Features by name.
        target: The target, as text labels or numbers.
        prediction: The model's score on the test rows, set by evaluation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    start: str | None = None
    end: str | None = None
    columns: dict[str, ColumnProfile]
    target: ColumnProfile
    prediction: ColumnProfile | None = None

    def with_model(self, importance: dict[str, float], prediction: ColumnProfile) -> Self:
        """The same profile with what only a fitted model can add.

        Args:
            importance: Importance of each feature, not negative; scaled here to sum to 1.
            prediction: Profile of its scores on the test rows.
        """
        total = sum(importance.values())
        shares = {n: (v / total if total > 0 else 1 / len(importance)) for n, v in importance.items()}
        columns: dict[str, Any] = {
            name: column.model_copy(update={"importance": shares.get(name, 0.0)})
            for name, column in self.columns.items()
        }
        return self.model_copy(update={"columns": columns, "prediction": prediction})
