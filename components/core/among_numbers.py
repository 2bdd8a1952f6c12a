"""Missing numbers imputed by what all numbers of a row tell.

The class is named in model files, so it stays where it is.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import nan_euclidean_distances

from ciclo.components.core.metrics import Array

FURTHEST = 64.0  # standard deviations from the mean at which a number is held, so that no request is beyond arithmetic
STEPS = 16_384.0  # of a standard deviation
TOGETHER = 500  # rows whose distances are in memory at once


class AmongNumbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Impute some numbers by all numbers of the row, scaled to unit variance.

    By default a missing number is the mean of those of the nearest rows that have one (Troyanskaya et al., Missing
    value estimation methods for DNA microarrays, 2001); rows as near as the last of them count too. scikit-learn's
    ``KNNImputer`` takes any of equal distance, and other versions of NumPy take others, while whole numbers have many.
    Scaled numbers are held to steps of 1/16384 of a standard deviation, as whole numbers: sums of their products, up to
    2^50 of 100 numbers, are exact then, so that a row has the same nearest rows alone, among many, and everywhere.

    Args:
        imputer: What imputes instead: an imputer of scikit-learn that keeps empty columns.
        asked: Positions of the columns that are answered for.
        neighbours: How many nearest rows.

    Attributes:
        mean_: Means, 0 where a column is empty; shape ``(columns,)``.
        scale_: Standard deviations, 1 where they are zero.
        taught_: The rows that may be near, scaled, shape ``(rows, columns)``; None where an imputer was fitted.
        imputer_: The fitted imputer, or None.
        rows_: Rows it was fitted on.
    """

    def __init__(self, imputer: Any = None, asked: Sequence[int] = (), neighbours: int = 5) -> None:
        self.imputer = imputer
        self.asked = asked
        self.neighbours = neighbours

    def fit(self, X: Any, y: Any = None) -> "AmongNumbers":  # noqa: N803
        """Learn.

        Args:
            X: All numbers, NaN where missing; shape ``(rows, columns)``.
            y: Not looked at.
        """
        values = np.asarray(X, dtype="float64")
        known = ~np.isnan(values)
        count = np.maximum(known.sum(axis=0), 1)
        self.mean_ = np.where(known, values, 0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (values - self.mean_) ** 2, 0).sum(axis=0) / count)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        self.rows_ = len(values)
        self.imputer_: Any = None
        self.taught_: Any = None
        if self.imputer is None:
            self.taught_ = self._scaled(values)
            return self
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.imputer_ = clone(self.imputer).fit(self._scaled(values))
        return self

    def transform(self, X: Any) -> Array:  # noqa: N803
        """The columns that were asked for, in their own units and without a gap; shape ``(rows, asked)``."""
        values, asked = np.asarray(X, dtype="float64"), list(self.asked)
        found = values[:, asked]
        missing = np.isnan(found)
        gaps = np.flatnonzero(missing.any(axis=1))
        for start in range(0, gaps.size, TOGETHER):
            some = gaps[start : start + TOGETHER]
            filled = self._filled(self._scaled(values[some])) / STEPS * self.scale_[asked] + self.mean_[asked]
            found[some] = np.where(missing[some], filled, found[some])
        return found

    def _filled(self, scaled: Array) -> Array:
        """What is imputed, scaled; shape ``(rows, asked)``."""
        if self.imputer_ is not None:
            return np.asarray(self.imputer_.transform(scaled)[:, list(self.asked)])
        distances = np.nan_to_num(nan_euclidean_distances(scaled, self.taught_, squared=True), nan=np.inf)
        return np.column_stack([self._near(distances, self.taught_[:, position]) for position in self.asked])

    def _near(self, distances: Array, taught: Array) -> Array:
        """The mean of a column over the nearest rows that know it, or its mean where no row is near at all."""
        donors = ~np.isnan(taught)
        if not donors.any():
            return np.zeros(len(distances))
        away, last = distances[:, donors], min(self.neighbours, int(donors.sum())) - 1
        near = (away <= np.partition(away, last, axis=1)[:, [last]]) & np.isfinite(away)
        return np.asarray(near @ taught[donors] / np.maximum(near.sum(axis=1), 1))

    def _scaled(self, values: Array) -> Array:
        scaled = np.clip((values - self.mean_) / self.scale_, -FURTHEST, FURTHEST)
        return np.asarray(np.rint(scaled * STEPS))

    @property
    def way(self) -> str:
        """How it imputes, in words."""
        return "imputation by nearest rows" if self.imputer is None else "iterative imputation"
