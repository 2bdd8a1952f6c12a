"""The reference profile: what the training rows looked like, small enough to travel with the model.

Monitoring bins new rows into the same bins and compares counts, so no training row leaves the pipeline. The counts are
kept by slices of time as well: how much the weeks of the training rows differ among themselves tells what is usual.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.anchor import Anchor
from ciclo.components.core.clusters import Clustered
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.estimation import Estimation
from ciclo.components.core.joint import Joint, Standardized, varies
from ciclo.components.core.metrics import Array

SLICES = 400
JOINT_ROWS = 1_000_000  # rows from which it is learnt how columns go together, where there are more
SEGMENT_ROWS = 200
SEGMENTS = 20


class Table(Protocol):
    """A table of which one column is looked at after the other."""

    @property
    def columns(self) -> Any:
        """The names of its columns, in order."""

    def __getitem__(self, name: str) -> pd.Series:
        """A column, shape ``(rows,)``."""

    def __len__(self) -> int:
        """How many rows it has."""


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
        X: Table,  # noqa: N803
        target: pd.Series,
        times: pd.Series | None = None,
        segments: Sequence[str] = (),
        window_days: float = 7.0,
    ) -> Self:
        """Profile the rows a model is fitted on.

        Args:
            X: Features as ``Contract.frame`` gives them, shape ``(rows, features)``; each is read once, by itself.
            target: Labels as text, or numbers.
            times: When each row happened; None if that is not known.
            segments: Columns whose values are also profiled apart.
            window_days: Length of the windows that are watched.
        """
        columns, codes = {}, {}
        days, slices, number = 0, np.zeros(len(X), dtype="int32"), 1
        if times is not None and len(times):
            days, slices, number = slices_of(times, window_days)
        kept = _drawn(len(X))
        together = Standardized(slices[kept].astype("intp") * days // max(round(window_days), 1), len(X.columns))
        for name in X.columns:
            values = X[name]
            column, bins = ColumnProfile.coded(values)
            bins = bins.astype("uint8" if column.bins <= 256 else "uint16")
            columns[name] = column.sliced(bins, slices, number) if days else column
            if varies(column):
                together.add(name, column, values.iloc[kept], bins[kept])
            if segments:
                codes[name] = bins
        joint = _joint(together, slices[kept], number if days else 0)
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


def _drawn(rows: int) -> Array | slice:
    """The rows from which it is learnt how the columns go together."""
    if rows <= JOINT_ROWS:
        return slice(None)
    return np.sort(np.random.default_rng(0).choice(rows, JOINT_ROWS, replace=False))


def _joint(rows: Standardized, slices: Array, number: int) -> Joint | None:
    """How the columns go together, with the errors of so many slices, or none."""
    learnt = Joint.of(rows)
    if learnt is None:
        return None
    joint, codes = learnt
    return joint.model_copy(update={"error": joint.error.sliced(codes, slices, number)}) if number else joint


def slices_of(times: pd.Series, window_days: float = 7.0) -> tuple[int, Array, int]:
    """Cut the span of some rows into at most 400 slices of whole days, or as many as windows of a day or more need.

    Args:
        times: When each row happened, with a zone.
        window_days: Length of the windows that are watched; no slice is longer.

    Returns:
        Days in a slice, the slice of each row, and how many there are.
    """
    day = (times - times.min().floor("D")).dt.days.to_numpy().astype("int32")
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
