"""Limits of unlikely numbers, learnt from the rows a model is fitted on.

The class is named in model files, so it stays where it is.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from ciclo.components.core.metrics import Array
from ciclo.components.core.quartiles import tukey


class Fences(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Clip numbers to limits, or flag those beyond them; a missing one stays missing, and is flagged by nothing.

    A limit is stated, or lies some interquartile ranges beyond the quartiles (Tukey, Exploratory Data Analysis, 1977).
    Where the quartiles are equal, as of a number that is mostly zero, no limit is learnt: it would leave one value.

    Args:
        action: ``clip``, or ``flag``: 1 beyond the limits, else 0.
        fences: Of each column how many interquartile ranges; None where its limits are stated.
        low: Of each column the stated lower limit, or None.
        high: The same of the upper one.

    Attributes:
        low_: Lower limits, minus infinity where there is none; shape ``(columns,)``.
        high_: The same of the upper ones.
    """

    def __init__(
        self,
        action: Literal["clip", "flag"] = "clip",
        fences: Sequence[float | None] = (),
        low: Sequence[float | None] = (),
        high: Sequence[float | None] = (),
    ) -> None:
        self.action = action
        self.fences = fences
        self.low = low
        self.high = high

    def fit(self, X: Any, y: Any = None) -> "Fences":  # noqa: N803
        """Learn the limits.

        Args:
            X: Numbers, NaN where missing; shape ``(rows, columns)``.
            y: Not looked at.
        """
        limits = [
            tukey(column, k) if k is not None else (_or(low, -np.inf), _or(high, np.inf))
            for column, k, low, high in zip(_numbers(X).T, self.fences, self.low, self.high, strict=True)
        ]
        self.low_, self.high_ = np.array(limits, dtype="float64").T
        return self

    def transform(self, X: Any) -> Array:  # noqa: N803
        """Clip or flag; shape ``(rows, columns)``."""
        values = _numbers(X)
        if self.action == "clip":
            return np.clip(values, self.low_, self.high_)
        return np.asarray((values < self.low_) | (values > self.high_), dtype="float64")


def _numbers(X: Any) -> Array:  # noqa: N803
    return np.asarray(X, dtype="float64")


def _or(limit: float | None, instead: float) -> float:
    return instead if limit is None else limit
