"""How the columns of a table go together, which no column tells alone.

The rows are projected onto the first principal components of the training rows and back; what that loses is small for
rows that keep to the correlations of training, and grows where they break. The distribution of that error is watched
like a column (Jackson and Mudholkar, Control Procedures for Residuals Associated With Principal Component Analysis,
1979; as a monitor of data: NannyML's data reconstruction error).

The error of a training row is taken with components that its window had no part in: rows are closer to components that
were learnt from them, the more so the more columns there are beside rows, and every later window would seem far away.

Every window is first brought to mean 0 and deviation 1 by itself, so that columns which moved, and are told of as such,
are not told of again.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.metrics import Array

EXPLAINED = 0.65
LEAST_COLUMNS = 3
FAR = 5.0
SAMPLE = 50_000
PARTS = 10


class Joint(BaseModel):
    """The correlations of the training rows.

    Attributes:
        columns: The columns it looks at, in order; those that hold one value are left out.
        components: Principal components, shape ``(components, columns)``, that explain 65 % of the variance.
        error: Profile of the reconstruction error of the rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[str, ...]
    components: tuple[tuple[float, ...], ...]
    error: ColumnProfile

    @classmethod
    def of(cls, rows: "Standardized") -> tuple[Self, Array] | None:
        """Learn the correlations of some rows.

        Args:
            rows: Those of their columns that vary.

        Returns:
            The correlations and the bin of the error of each row, or None where fewer than three columns vary.
        """
        names, windows, numbers = rows.names, rows.windows, rows.numbers
        if len(names) < LEAST_COLUMNS or len(windows) <= len(names):
            return None
        parts = windows % PARTS if windows.max() >= PARTS - 1 else np.arange(len(windows)) * PARTS // len(windows)
        step = -(-len(numbers) // SAMPLE)
        products = _products(numbers[::step], parts[::step])
        sizes = np.linalg.eigvalsh(products.sum(axis=0))[::-1]
        explained = np.cumsum(sizes) / max(float(sizes.sum()), 1e-12)
        kept = min(int(np.searchsorted(explained, EXPLAINED)) + 1, len(names) - 1)
        errors = np.empty(len(numbers))
        for part in range(PARTS):
            own = parts == part
            errors[own] = _errors(numbers[own], _components(products.sum(axis=0) - products[part], kept))
        error, codes = ColumnProfile.coded(pd.Series(errors))
        joint = cls(
            columns=tuple(names),
            components=tuple(tuple(row) for row in _components(products.sum(axis=0), kept).tolist()),
            error=error,
        )
        return joint, codes

    def errors(
        self, columns: Mapping[str, ColumnProfile], frame: pd.DataFrame, codes: Mapping[str, Array]
    ) -> pd.Series:
        """The reconstruction error of the rows of one window.

        Args:
            columns: The profiles of training.
            frame: The rows, as ``Contract.frame`` gives them.
            codes: The bin of each row by column.

        Returns:
            Shape ``(rows,)``.
        """
        rows = Standardized(np.zeros(len(frame), dtype="intp"), len(self.columns))
        for name in self.columns:
            rows.add(name, columns[name], frame[name], codes[name])
        return pd.Series(_errors(rows.numbers, np.array(self.components)))


class Standardized:
    """Columns as numbers of mean 0 and deviation 1 in every window, no further than five deviations from 0.

    A category is the share of its value in training; what is missing is 0.

    Args:
        windows: The window of each row, integers from 0 on, shape ``(rows,)``.
        most: How many columns there are at most.

    Attributes:
        windows: The windows.
        names: The columns that were added.
    """

    def __init__(self, windows: Array, most: int) -> None:
        self.windows, self.names = windows, list[str]()
        self._rows = np.maximum(np.bincount(windows), 1)
        self._numbers = np.empty((len(windows), most), dtype="float32")

    def add(self, name: str, column: ColumnProfile, values: pd.Series, codes: Array) -> None:
        """Add a column.

        Args:
            name: Its name.
            column: Its profile.
            values: As ``Contract.frame`` gives them, shape ``(rows,)``.
            codes: Their bins, shape ``(rows,)``.
        """
        raw = values.to_numpy(dtype="float64") if column.kind == "number" else _shares(column)[codes]
        absent = ~np.isfinite(raw)
        raw = np.where(absent, 0.0, np.clip((raw - (column.mean or 0.0)) / (column.std or 1.0), -FAR, FAR))
        present = np.maximum(self._rows - np.bincount(self.windows[absent], minlength=len(self._rows)), 1)
        mean = np.bincount(self.windows, raw) / present
        spread = np.sqrt(np.maximum(np.bincount(self.windows, raw**2) / present - mean**2, 1e-6))
        number = np.where(absent, 0.0, (raw - mean[self.windows]) / spread[self.windows])
        self._numbers[:, len(self.names)] = np.clip(number, -FAR, FAR)
        self.names.append(name)

    @property
    def numbers(self) -> Array:
        """The columns that were added, shape ``(rows, columns)``."""
        return self._numbers[:, : len(self.names)]


def _products(numbers: Array, parts: Array) -> Array:
    """The products of all pairs of columns, summed over the rows of each part; shape ``(parts, columns, columns)``."""
    by_part = (numbers[parts == part].astype("float64") for part in range(PARTS))
    return np.stack([rows.T @ rows for rows in by_part])


def _components(products: Array, kept: int) -> Array:
    """The first principal components, shape ``(kept, columns)``."""
    return np.asarray(np.linalg.eigh(products)[1][:, ::-1][:, :kept].T)


def _shares(column: ColumnProfile) -> Array:
    counts = np.array(column.counts, dtype="float64")
    shares: Array = counts / max(counts.sum(), 1)
    shares[-1] = np.nan
    return shares


def varies(column: ColumnProfile) -> bool:
    """Whether it holds more than one value."""
    if column.kind == "number":
        return bool(column.std)
    return float(np.std(np.array(column.counts)[:-1])) > 0


def _errors(numbers: Array, components: Array) -> Array:
    kept = components.astype("float32")
    lost = numbers - (numbers @ kept.T) @ kept
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", lost, lost)), dtype="float64")
