"""Intervals that know that the rows of one day are one piece of evidence.

Rows of one day share its weather, its traffic and its luck, so many rows of few days say less than their number. What
varies is taken from the days: the statistic is computed anew without each of them (delete-one-group jackknife; Efron
and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11), and the interval has as many degrees of freedom as
there are days, less one (Cameron, Gelbach and Miller, Bootstrap-Based Improvements for Inference with Clustered Errors,
2008; for AUC: Obuchowski, Nonparametric Analysis of Clustered ROC Curve Data, 1997).
"""

import math
from collections.abc import Callable
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.intervals import Interval, Rows
from ciclo.components.core.metrics import Array

LEAST_GROUPS = 10
INDEPENDENT_GROUPS = 50


class Clustered(BaseModel):
    """A statistic with the error that its groups show.

    Attributes:
        point: The statistic on all rows.
        error: Its standard error.
        groups: Groups it comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    point: float
    error: float
    groups: int

    @classmethod
    def of(cls, statistic: Callable[[Rows], float], groups: Array) -> Self | None:
        """Compute a statistic and its error.

        Args:
            statistic: Takes the positions of rows and gives a number, NaN where it is not defined.
            groups: The group of each row, integers, shape ``(rows,)``.

        Returns:
            None with fewer than ten groups, or where the statistic is not defined: nobody can tell then.
        """
        found = jackknife(statistic, groups)
        if found is None:
            return None
        return cls.from_jackknife(*found)

    @classmethod
    def from_jackknife(cls, point: float, without: Array) -> Self:
        """The same from what ``jackknife`` gave."""
        return cls(point=point, error=math.sqrt(covariance(without, without)), groups=without.size)

    def interval(self, confidence: float) -> Interval:
        """The interval between two one-sided bounds of that confidence."""
        return self.away_from(0.0, 0.0, confidence)

    def away_from(self, point: float, error: float, confidence: float) -> Interval:
        """The difference from another, independent statistic, with its interval.

        Args:
            point: The other statistic.
            error: Its standard error.
            confidence: Of each one-sided bound.
        """
        from scipy.stats import t

        width = float(t.ppf(confidence, self.groups - 1)) * math.hypot(self.error, error)
        difference = self.point - point
        return Interval(difference - width, difference, difference + width)


def jackknife(statistic: Callable[[Rows], float], groups: Array) -> tuple[float, Array] | None:
    """A statistic on all rows, and without each of their groups; arguments as in ``Clustered.of``."""
    names, position = np.unique(groups, return_inverse=True)
    if names.size < LEAST_GROUPS:
        return None
    rows = np.arange(groups.size)
    point = statistic(rows)
    without = np.array([statistic(rows[position != group]) for group in range(names.size)])
    return (float(point), without) if math.isfinite(point) and np.isfinite(without).all() else None


def covariance(ours: Array, theirs: Array) -> float:
    """The covariance of the errors of two statistics, from their values without each of the same groups."""
    return float((ours.size - 1) / ours.size * ((ours - ours.mean()) * (theirs - theirs.mean())).sum())


def groups_of(times: pd.Series | None, rows: int, seed: int = 0) -> Array:
    """The groups of some rows: calendar days.

    Rows without times are taken as independent and dealt into fifty groups, which gives the same error as leaving out
    one row after the other.

    Args:
        times: When each row happened, with a zone.
        rows: How many there are.
        seed: Of the dealing.

    Returns:
        Integers, shape ``(rows,)``.
    """
    if times is None or not rows:
        return np.random.default_rng(seed).permutation(rows) % INDEPENDENT_GROUPS
    return np.asarray((times - times.min().floor("D")).dt.days)
