"""How far probabilities can be taken at their word: the reliability curve and its summaries, for a binary task."""

from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.metrics import Array

BINS = 10
LEAST = 1e-6


class Reliability(BaseModel):
    """Probabilities against what happened.

    Attributes:
        brier: Mean squared difference (Brier, 1950).
        log_loss: Mean negative logarithm of the probability that the true class was given.
        ece: Expected calibration error: the mean distance between the curve and the diagonal, by rows (Naeini, Cooper
            and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015).
        rows: Rows in each bin of the curve.
        predicted: Mean probability in each bin.
        observed: Share of the positive class in each bin.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    brier: float
    log_loss: float
    ece: float
    rows: tuple[int, ...]
    predicted: tuple[float, ...]
    observed: tuple[float, ...]

    @classmethod
    def of(cls, positive: Array, probability: Array, bins: int = BINS) -> Self:
        """Compare.

        Args:
            positive: Whether each row is of the positive class, shape ``(rows,)``, at least one row.
            probability: Of the positive class, shape ``(rows,)``.
            bins: Bins of about equal numbers of rows; rows of one probability stay together.
        """
        y, p = np.asarray(positive, dtype="float64"), np.asarray(probability, dtype="float64")
        edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)))
        inside = np.searchsorted(edges[1:-1], p, side="right")
        rows = np.bincount(inside)
        predicted, was = (np.bincount(inside, weights=v) / np.maximum(rows, 1) for v in (p, y))
        kept = rows > 0
        return cls(
            brier=float(((p - y) ** 2).mean()),
            log_loss=float(row_losses(y, p).mean()),
            ece=float((rows * np.abs(predicted - was)).sum() / rows.sum()),
            rows=tuple(rows[kept].tolist()),
            predicted=tuple(predicted[kept].tolist()),
            observed=tuple(was[kept].tolist()),
        )


def row_losses(positive: Array, probability: Array) -> Array:
    """The log loss of each row, with probabilities kept a millionth away from certainty; shape ``(rows,)``."""
    p = np.clip(probability, LEAST, 1 - LEAST)
    return np.asarray(-np.where(np.asarray(positive) > 0, np.log(p), np.log1p(-p)))
