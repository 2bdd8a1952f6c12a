"""What a score probably is, told from the answers alone, before any label has come.

A classifier that knows how sure it is knows how often it errs: labels are drawn from its own calibrated probabilities
and scored against its answers (confidence-based performance estimation; Białek, Kuberski, Perrakis and Bifet,
Estimating Model Performance Under Covariate Shift Without Labels, arXiv 2401.08348). Of a regression, a second model
says how large the error of an answer is (direct loss estimation, as NannyML calls it).

Both see that the rows have become harder. Both are blind where the relation to the target has changed, since the
probabilities are then wrong themselves; only labels show that.
"""

import math
from collections.abc import Callable
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import Array, Metric, labels_at

DRAWS = 40
ROWS = 20_000
LEAST_ROWS = 100
SQUARED = ("root_mean_squared_error", "r2_score")
ABSOLUTE = ("mean_absolute_error",)
_EDGE = 1e-6


class Estimation(BaseModel):
    """How to tell a score without labels.

    Attributes:
        kind: ``calibrated`` probabilities, or expected errors, ``squared`` or ``absolute``.
        slope: Of the calibration: log-odds are multiplied by it (Platt scaling; for several classes it is the inverse
            of the temperature of Guo et al., On Calibration of Modern Neural Networks, 2017).
        intercept: Of the calibration of two classes.
        edges: Inner edges of the bins of the answer, for errors.
        errors: Mean error in each bin.
        spread: Standard deviation of the error in each bin.
        reference: The estimate on the test rows, to which later ones are compared.
        threshold: From which probability on the model's label is the positive one; None for the most probable class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["calibrated", "squared", "absolute"]
    slope: float = 1.0
    intercept: float = 0.0
    edges: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    reference: float = math.nan
    threshold: float | None = None

    @classmethod
    def of(cls, metric: Metric, y: Array, answers: Array, threshold: float | None = None) -> Self | None:
        """Learn it from test rows, which the model has not seen.

        Args:
            metric: The metric to tell.
            y: Class positions or values, shape ``(rows,)``.
            answers: Probabilities of all classes, shape ``(rows, classes)``, or values.
            threshold: That of the model's label, if it has one.

        Returns:
            None where the metric cannot be told, or not from so few rows.
        """
        if len(y) < LEAST_ROWS or not np.isfinite(answers).all():
            return None
        learnt = cls._of_errors(metric, y, answers) if answers.ndim == 1 else cls._calibrated(y, answers)
        if learnt is None:
            return None
        learnt = learnt.model_copy(update={"threshold": threshold})
        score = learnt.score(metric, answers)
        return None if score is None else learnt.model_copy(update={"reference": score.point})

    @classmethod
    def _calibrated(cls, y: Array, answers: Array) -> Self | None:
        from scipy.optimize import minimize

        logs = np.log(np.clip(answers, _EDGE, 1))
        two = answers.shape[1] == 2

        def loss(parameters: Array) -> float:
            scaled = _softmax(_shifted(logs, parameters[0], parameters[1] if two else 0.0))
            return -float(np.log(np.clip(scaled[np.arange(len(y)), y], _EDGE, 1)).mean())

        found = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead")
        if not found.success or not 0.05 < found.x[0] < 20:
            return None
        return cls(kind="calibrated", slope=float(found.x[0]), intercept=float(found.x[1]) if two else 0.0)

    @classmethod
    def _of_errors(cls, metric: Metric, y: Array, answers: Array) -> Self | None:
        if metric.name not in (*SQUARED, *ABSOLUTE):
            return None
        squared = metric.name in SQUARED
        errors = (y - answers) ** 2 if squared else np.abs(y - answers)
        edges = np.unique(np.quantile(answers, np.linspace(0, 1, 6)[1:-1]))
        bins = np.searchsorted(edges, answers, side="right")
        rows = np.maximum(np.bincount(bins, minlength=edges.size + 1), 1)
        mean = np.bincount(bins, errors, edges.size + 1) / rows
        spread = np.sqrt(np.maximum(np.bincount(bins, errors**2, edges.size + 1) / rows - mean**2, 0))
        return cls(
            kind="squared" if squared else "absolute",
            edges=tuple(edges.tolist()),
            errors=tuple(mean.tolist()),
            spread=tuple(spread.tolist()),
        )

    def score(self, metric: Metric, answers: Array, confidence: float = 0.99, seed: int = 0) -> Interval | None:
        """Tell the score of some answers.

        Args:
            metric: The metric it was learnt for.
            answers: As in ``of``.
            confidence: Of each one-sided bound, within which the score of so many rows would lie.
            seed: Of the drawing.

        Returns:
            None where it is not defined.
        """
        draws = np.random.default_rng(seed)
        if len(answers) > ROWS:
            answers = answers[draws.choice(len(answers), ROWS, replace=False)]
        drawn = self._scorer(metric, answers)
        scores = np.array([drawn(draws) for _ in range(DRAWS)])
        scores = scores[np.isfinite(scores)]
        if scores.size < DRAWS / 2:
            return None
        from scipy.stats import norm

        middle, width = float(scores.mean()), float(norm.ppf(confidence)) * float(scores.std(ddof=1))
        return Interval(middle - width, middle, middle + width)

    def _scorer(self, metric: Metric, answers: Array) -> Callable[[np.random.Generator], float]:
        if self.kind == "calibrated":
            scaled = _softmax(_shifted(np.log(np.clip(answers, _EDGE, 1)), self.slope, self.intercept))
            steps, codes = scaled.cumsum(axis=1), list(range(answers.shape[1]))
            predicted = answers if metric.needs == "probability" else labels_at(self.threshold, answers)
            return lambda draws: metric.score(
                (draws.random(len(steps))[:, None] > steps[:, :-1]).sum(axis=1), predicted, codes
            )
        bins = np.searchsorted(np.array(self.edges), answers, side="right")
        mean, spread = np.array(self.errors)[bins], np.array(self.spread)[bins]

        def error(draws: np.random.Generator) -> float:
            expected = float(mean.mean() + draws.normal() * spread.mean() / math.sqrt(len(mean)))
            if metric.name == "root_mean_squared_error":
                return math.sqrt(max(expected, 0.0))
            return 1 - expected / max(float(answers.var()) + expected, _EDGE) if metric.name == "r2_score" else expected

        return error


def _shifted(logs: Array, slope: float, intercept: float) -> Array:
    shifted = logs * slope
    if intercept:
        shifted = shifted + np.array([0.0, intercept])
    return shifted


def _softmax(logs: Array) -> Array:
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
