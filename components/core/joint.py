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

from collections.abc import Callable, Iterable, Mapping
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
    def of(
        cls,
        columns: Mapping[str, ColumnProfile],
        values: Callable[[str], pd.Series],
        codes: Mapping[str, Array],
        windows: Array,
    ) -> tuple[Self, pd.Series] | None:
        """Learn the correlations of some rows.

        Args:
            columns: Their profiles.
            values: Reads a column of the rows, as ``Contract.frame`` gives it.
            codes: The bin of each row by column.
            windows: The window of each row, integers from 0 on, shape ``(rows,)``.

        Returns:
            The correlations and the error of each row, or None where fewer than three columns vary.
        """
        names = [name for name, column in columns.items() if _varies(column)]
        if len(names) < LEAST_COLUMNS or len(windows) <= len(names):
            return None
        numbers = _numbers([columns[n] for n in names], map(values, names), [codes[n] for n in names], windows)
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
        found = pd.Series(errors)
        joint = cls(
            columns=tuple(names),
            components=tuple(tuple(row) for row in _components(products.sum(axis=0), kept).tolist()),
            error=ColumnProfile.of(found),
        )
        return joint, found

    def errors(
        self, columns: Mapping[str, ColumnProfile], frame: pd.DataFrame, codes: Mapping[str, Array]
    ) -> pd.Series:
        """The reconstruction error of the rows of one window; arguments as in ``of``. Shape ``(rows,)``."""
        names, window = self.columns, np.zeros(len(frame), dtype="intp")
        numbers = _numbers([columns[n] for n in names], [frame[n] for n in names], [codes[n] for n in names], window)
        return pd.Series(_errors(numbers, np.array(self.components)))


def _numbers(columns: list[ColumnProfile], values: Iterable[pd.Series], codes: list[Array], windows: Array) -> Array:
    """Columns as numbers of mean 0 and deviation 1 in every window, no further than five deviations from 0.

    A category is the share of its value in training; what is missing is 0.

    Returns:
        Shape ``(rows, columns)``.
    """
    numbers = np.empty((len(windows), len(columns)), dtype="float32")
    rows = np.maximum(np.bincount(windows), 1)
    for place, (column, series, bins) in enumerate(zip(columns, values, codes, strict=True)):
        raw = series.to_numpy(dtype="float64") if column.kind == "number" else _shares(column)[bins]
        absent = ~np.isfinite(raw)
        raw = np.where(absent, 0.0, np.clip((raw - (column.mean or 0.0)) / (column.std or 1.0), -FAR, FAR))
        present = np.maximum(rows - np.bincount(windows, absent), 1)
        mean = np.bincount(windows, raw) / present
        spread = np.sqrt(np.maximum(np.bincount(windows, raw**2) / present - mean**2, 1e-6))
        numbers[:, place] = np.where(absent, 0.0, (raw - mean[windows]) / spread[windows])
    return np.asarray(np.clip(numbers, -FAR, FAR, out=numbers))


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


def _varies(column: ColumnProfile) -> bool:
    if column.kind == "number":
        return bool(column.std)
    return float(np.std(np.array(column.counts)[:-1])) > 0


def _errors(numbers: Array, components: Array) -> Array:
    kept = components.astype("float32")
    lost = numbers - (numbers @ kept.T) @ kept
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", lost, lost)), dtype="float64")
