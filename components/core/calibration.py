"""How far probabilities can be taken at their word: the reliability curve and its summaries."""

from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.metrics import Array

BINS = 10
LEAST = 1e-6


class Reliability(BaseModel):
    """Probabilities against what happened.

    Attributes:
        brier: Mean squared difference (Brier, 1950); of more than two classes their sum.
        log_loss: Mean negative logarithm of the probability that the true class was given.
        ece: Expected calibration error: the mean distance between the curve and the diagonal, by rows (Naeini, Cooper
            and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015).
        rows: Rows in each bin of the curve.
        predicted: Mean probability in each bin: of the positive class, or, of more than two classes, of the likeliest.
        observed: Share of rows in each bin that are of that class.
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
        return cls._of(y, p, float(((p - y) ** 2).mean()), float(row_losses(y, p).mean()), bins)

    @classmethod
    def of_classes(cls, y: Array, probability: Array, bins: int = BINS) -> Self:
        """Compare the probabilities of more than two classes; the curve and its error are those of the label.

        Args:
            y: The class of each row by its position, shape ``(rows,)``, at least one row.
            probability: Shape ``(rows, classes)``.
            bins: See ``of``.
        """
        label, true = probability.argmax(axis=1), np.eye(probability.shape[1])[y]
        brier = float(((probability - true) ** 2).sum(axis=1).mean())
        losses = float(class_losses(y, probability).mean())
        return cls._of((label == y).astype("float64"), probability.max(axis=1), brier, losses, bins)

    @classmethod
    def _of(cls, y: Array, p: Array, brier: float, losses: float, bins: int) -> Self:
        edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)))
        inside = np.searchsorted(edges[1:-1], p, side="right")
        rows = np.bincount(inside)
        predicted, was = (np.bincount(inside, weights=v) / np.maximum(rows, 1) for v in (p, y))
        kept = rows > 0
        return cls(
            brier=brier,
            log_loss=losses,
            ece=float((rows * np.abs(predicted - was)).sum() / rows.sum()),
            rows=tuple(rows[kept].tolist()),
            predicted=tuple(predicted[kept].tolist()),
            observed=tuple(was[kept].tolist()),
        )


def row_losses(positive: Array, probability: Array) -> Array:
    """The log loss of each row, with probabilities kept a millionth away from certainty; shape ``(rows,)``."""
    p = np.clip(probability, LEAST, 1 - LEAST)
    return np.asarray(-np.where(np.asarray(positive) > 0, np.log(p), np.log1p(-p)))


def class_losses(y: Array, probability: Array) -> Array:
    """The same of more than two classes; ``y`` are positions, shape ``(rows,)``."""
    p = probability[np.arange(len(y)), np.asarray(y, dtype="intp")]
    return np.asarray(-np.log(np.clip(p, LEAST, 1 - LEAST)))
