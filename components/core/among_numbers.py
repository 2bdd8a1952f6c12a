"""Missing numbers imputed by what all numbers of a row tell.

The class is named in model files, so it stays where it is.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning

from ciclo.components.core.metrics import Array

FURTHEST = 64.0  # standard deviations from the mean at which a number is held, so that no request is beyond arithmetic
STEPS = 16_384.0  # of a standard deviation


class AmongNumbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Let an imputer look at all numbers, scaled to unit variance, and answer for some of them, in their own units.

    For the imputer numbers are held to steps of 1/16384 of a standard deviation, as whole numbers: sums of their
    products, up to 2^50 of 100 numbers, are exact then, whatever the order, and so one row has the same nearest rows
    alone as among many.

    Args:
        imputer: An imputer of scikit-learn that keeps empty columns.
        asked: Positions of the columns it answers for.

    Attributes:
        mean_: Means, 0 where a column is empty; shape ``(columns,)``.
        scale_: Standard deviations, 1 where they are zero.
        imputer_: The fitted imputer.
        rows_: Rows it was fitted on.
    """

    def __init__(self, imputer: Any = None, asked: Sequence[int] = ()) -> None:
        self.imputer = imputer
        self.asked = asked

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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.imputer_ = clone(self.imputer).fit(self._scaled(values))
        return self

    def transform(self, X: Any) -> Array:  # noqa: N803
        """The columns that were asked for, without a gap; shape ``(rows, asked)``."""
        values, asked = np.asarray(X, dtype="float64"), list(self.asked)
        found = values[:, asked]
        missing = np.isnan(found)
        gaps = missing.any(axis=1)
        if gaps.any():
            filled = self.imputer_.transform(self._scaled(values[gaps]))[:, asked] / STEPS
            found[gaps] = np.where(missing[gaps], filled * self.scale_[asked] + self.mean_[asked], found[gaps])
        return found

    def _scaled(self, values: Array) -> Array:
        scaled = np.clip((values - self.mean_) / self.scale_, -FURTHEST, FURTHEST)
        return np.asarray(np.rint(scaled * STEPS))
