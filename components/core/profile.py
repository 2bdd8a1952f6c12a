"""The reference profile: what the training rows looked like, small enough to travel with the model.

Monitoring bins new rows into the same bins and compares counts, so no training row leaves the pipeline. The counts are
kept by slices of time as well: how much the weeks of the training rows differ among themselves tells what is usual.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.anchor import Anchor
from ciclo.components.core.clusters import Clustered
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.estimation import Estimation
from ciclo.components.core.joint import Joint
from ciclo.components.core.metrics import Array

SLICES = 400
SEGMENT_ROWS = 200
SEGMENTS = 20


class Profile(BaseModel):
    """What a model was trained on, and what is known of its answers.

    Attributes:
        rows: Rows profiled.
        start: Time of the first row, ISO, if rows have times.
        end: Time of the last row.
        slice_days: Length of a slice of time, whole days; 0 if rows have no times.
        columns: Features by name.
        target: The target, as text labels or numbers.
        prediction: The model's answers on the test rows, by slice on the training rows; set by evaluation, as what
            follows.
        joint: How the columns go together; None with fewer than three.
        segments: Counts of every feature in a part of the rows: by column of the segment, its value, and feature.
        score: The score on the test rows.
        anchor: A simple answer that is judged beside the model.
        estimation: How to tell a score without labels; None where the metric cannot be told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    start: str | None = None
    end: str | None = None
    slice_days: int = 0
    columns: dict[str, ColumnProfile]
    target: ColumnProfile
    prediction: ColumnProfile | None = None
    joint: Joint | None = None
    segments: dict[str, dict[str, dict[str, tuple[int, ...]]]] = {}
    score: Clustered | None = None
    anchor: Anchor | None = None
    estimation: Estimation | None = None

    @classmethod
    def of(
        cls,
        X: pd.DataFrame,  # noqa: N803
        target: pd.Series,
        times: pd.Series | None = None,
        segments: Sequence[str] = (),
        window_days: float = 7.0,
    ) -> Self:
        """Profile the rows a model is fitted on.

        Args:
            X: Features as ``Contract.frame`` gives them, shape ``(rows, features)``.
            target: Labels as text, or numbers.
            times: When each row happened; None if that is not known.
            segments: Columns whose values are also profiled apart.
            window_days: Length of the windows that are watched.
        """
        columns = {name: ColumnProfile.of(X[name]) for name in X.columns}
        codes = {name: column.codes(X[name]) for name, column in columns.items()}
        days, windows = 0, np.zeros(len(X), dtype="intp")
        if times is not None and len(times):
            days, slices, number = slices_of(times, window_days)
            columns = {name: column.sliced(codes[name], slices, number) for name, column in columns.items()}
            windows = slices * days // max(round(window_days), 1)
        joint, learnt = None, Joint.of(columns, X, codes, windows)
        if learnt is not None:
            joint, errors = learnt
            if days:
                sliced = joint.error.sliced(joint.error.codes(errors), slices, number)
                joint = joint.model_copy(update={"error": sliced})
        return cls(
            rows=len(X),
            start=None if times is None else times.min().isoformat(),
            end=None if times is None else times.max().isoformat(),
            slice_days=days,
            columns=columns,
            target=ColumnProfile.of(target),
            joint=joint,
            segments={name: _by_value(columns, codes, columns[name], codes[name]) for name in segments},
        )

    def slices_of(self, times: pd.Series) -> tuple[Array, int]:
        """The slice of each of some rows of the training time, and how many slices there are.

        Args:
            times: When each row happened, with a zone.
        """
        days = (times - pd.Timestamp(str(self.start)).floor("D")).dt.days.to_numpy()
        return days // self.slice_days, len(next(iter(self.columns.values())).by_slice)

    def with_model(self, importance: Mapping[str, float], prediction: ColumnProfile) -> Self:
        """The same profile with what only a fitted model can add.

        Args:
            importance: Importance of each feature, not negative; scaled here to sum to 1.
            prediction: Profile of its answers on the test rows.
        """
        total = sum(importance.values())
        shares = {n: (v / total if total > 0 else 1 / len(importance)) for n, v in importance.items()}
        columns: dict[str, Any] = {
            name: column.model_copy(update={"importance": shares.get(name, 0.0)})
            for name, column in self.columns.items()
        }
        return self.model_copy(update={"columns": columns, "prediction": prediction})


def slices_of(times: pd.Series, window_days: float = 7.0) -> tuple[int, Array, int]:
    """Cut the span of some rows into at most 400 slices of whole days, or as many as windows of a day or more need.

    Args:
        times: When each row happened, with a zone.
        window_days: Length of the windows that are watched; no slice is longer.

    Returns:
        Days in a slice, the slice of each row, and how many there are.
    """
    day = (times - times.min().floor("D")).dt.days.to_numpy()
    days = max(1, min(math.ceil((int(day.max()) + 1) / SLICES), int(window_days)))
    slices = day // days
    return days, np.asarray(slices), int(slices.max()) + 1


def _by_value(
    columns: Mapping[str, ColumnProfile], codes: Mapping[str, Array], segment: ColumnProfile, values: Array
) -> dict[str, dict[str, tuple[int, ...]]]:
    rows = np.bincount(values, minlength=segment.bins)
    chosen = [i for i in np.argsort(-rows, kind="stable")[:SEGMENTS] if rows[i] >= SEGMENT_ROWS]
    return {
        segment.labels[i]: {
            name: tuple(np.bincount(codes[name][values == i], minlength=column.bins).tolist())
            for name, column in columns.items()
        }
        for i in chosen
    }
