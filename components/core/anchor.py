"""The frozen anchor: a simple answer that is judged beside the model, on the same rows, for as long as it serves.

What makes a week hard makes it hard for both. So what the anchor lost tells how much of the model's loss is the week's,
as far as the two go together from day to day (a control variate; Deng, Xu, Kohavi and Walker, Improving the Sensitivity
of Online Controlled Experiments by Utilizing Pre-Experiment Data, 2013).
"""

from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.clusters import Clustered
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.metrics import Array

PRIOR_ROWS = 10.0


class Anchor(BaseModel):
    """What one feature alone says, as a table that any release can read.

    Attributes:
        column: The feature.
        rule: What it does, for a person.
        bins: How its values are binned.
        answers: For each bin the share of every class, or the mean of the target, shape ``(bins, classes or 1)``.
        score: Its score on the test rows; None where that could not be told.
        together: Covariance of the errors of its score and of the model's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    rule: str
    bins: ColumnProfile
    answers: tuple[tuple[float, ...], ...]
    score: Clustered | None = None
    together: float = 0.0

    @classmethod
    def of(cls, column: str, rule: str, bins: ColumnProfile, values: pd.Series, y: Array, classes: int) -> Self:
        """Learn it.

        Args:
            column: Name of the feature.
            rule: What it does, for a person.
            bins: The bins to use.
            values: The feature, as ``Contract.frame`` gives it.
            y: Class positions or values, the same rows.
            classes: How many classes there are; 0 for regression.
        """
        codes = bins.codes(values)
        truth = np.eye(classes)[y] if classes else y.astype("float64")[:, None]
        rows = np.bincount(codes, minlength=bins.bins)[:, None]
        sums = np.stack([np.bincount(codes, weights=part, minlength=bins.bins) for part in truth.T], axis=1)
        answers = (sums + PRIOR_ROWS * truth.mean(axis=0)) / (rows + PRIOR_ROWS)
        return cls(column=column, rule=rule, bins=bins, answers=tuple(tuple(row) for row in answers.tolist()))

    def predict(self, needs: str, values: pd.Series) -> Array:
        """Its answers, in the form a metric needs.

        Args:
            needs: ``probability``, ``label`` or ``value``.
            values: The feature.
        """
        answers = np.array(self.answers)[self.bins.codes(values)]
        if needs == "probability":
            return np.asarray(answers)
        return np.asarray(answers.argmax(axis=1) if needs == "label" else answers[:, 0])
