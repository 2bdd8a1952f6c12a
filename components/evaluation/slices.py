"""The metric in parts of the test rows: each value of a category, the quarters of a number, the months of a time.

A model may be good on the whole and useless where it matters. A slice has an interval of its own, from the groups that
its rows are; a slice whose interval lies wholly on the wrong side of the floor keeps the model out.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ciclo.components.core.clusters import Groups, score_interval
from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import Array, Metric
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Evaluation
from ciclo.components.core.verdict import Check
from ciclo.components.core.wording import listed, number
from ciclo.components.tables.datasets import Dataset

QUARTERS = 4
FEW = 10  # different numbers up to which each is a part
MOST_VALUES = 30
MISSING = "(missing)"


@dataclass(frozen=True)
class Slice:
    """A part of the test rows.

    Attributes:
        column: The column it is cut by.
        value: Which part of it, in words.
        rows: How many rows.
        score: The metric there; without bounds where its rows are fewer than ten groups.
    """

    column: str
    value: str
    rows: int
    score: Interval


def slices_of(project: Project, test: Dataset, predicted: Array, groups: Groups) -> tuple[Slice, ...]:
    """Score every slice that has enough rows.

    Args:
        project: Names the columns, and the rows that are enough.
        test: The test rows.
        predicted: The winner's predictions, as the metric needs them.
        groups: Which of the rows are one piece of evidence.
    """
    found = []
    for column in project.evaluation.slices:
        for value, inside in _parts(test.rows[column]):
            if len(inside) < project.evaluation.minimum_rows:
                continue
            score = score_interval(
                project.metric,
                test.y[inside],
                predicted[inside],
                test.contract.codes,
                groups=groups[inside].of_rows,
                confidence=project.evaluation.confidence,
            )
            found.append(Slice(column, value, len(inside), score))
    return tuple(found)


def floor_checks(slices: tuple[Slice, ...], policy: Evaluation, metric: Metric) -> list[Check]:
    """Whether a slice is surely on the wrong side of ``evaluation.slice_floor``; nothing where there is none."""
    if policy.slice_floor is None:
        return []
    floor, side = policy.slice_floor, "below" if metric.greater_is_better else "above"
    poor = [s for s in slices if s.score.bounded and metric.gain(_best(s.score, metric), floor) < 0]
    untold = [s for s in slices if not s.score.bounded]
    message = f"no slice is surely {side} {number(floor)}"
    if poor:
        worst = sorted(poor, key=lambda s: metric.gain(s.score.point, floor))
        names = listed((f"'{s.column}' is {s.value}: {s.score} on {s.rows:,} rows" for s in worst), 3)
        message = f"{metric.name} is surely {side} {number(floor)} where {names}"
    elif untold:
        names = listed((f"'{s.column}' is {s.value}" for s in untold), 3)
        message += f"; nobody can tell where {names}: fewer than ten groups of rows"
    gains = [metric.gain(s.score.point, floor) for s in slices if math.isfinite(s.score.point)]
    return [Check(name="slice_floor", passed=not poor, value=min(gains, default=None), limit=0.0, message=message)]


def _best(score: Interval, metric: Metric) -> float:
    return score.high if metric.greater_is_better else score.low


def _parts(values: pd.Series) -> Iterator[tuple[str, Array]]:
    """The parts of a column, each with the positions of its rows."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) and values.nunique() > FEW:
        yield from _quarters(values.to_numpy(dtype="float64", na_value=np.nan))
        return
    named, order = _named(values)
    for name in order:
        yield name, np.flatnonzero(named == name)


def _named(values: pd.Series) -> tuple[Array, list[str]]:
    """The part of each row in words, and the parts in the order in which people read them."""
    missing = values.isna().to_numpy()
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        named = values.dt.strftime("%Y-%m").to_numpy(dtype=object)
    else:
        named = values.astype(str).to_numpy(dtype=object)
        known = pd.Series(named[~missing]).value_counts()
        rare = set(known.index[MOST_VALUES:])
        named = np.array([f"any of {len(rare)} others" if name in rare else name for name in named], dtype=object)
        order = [str(name) for name in known.index[:MOST_VALUES]] + ([f"any of {len(rare)} others"] if rare else [])
        return np.where(missing, MISSING, named), [*order, *([MISSING] if missing.any() else [])]
    order = list(dict.fromkeys(named[np.argsort(values.to_numpy(), kind="stable")][: (~missing).sum()].tolist()))
    return np.where(missing, MISSING, named), [*order, *([MISSING] if missing.any() else [])]


def _quarters(numbers: Array) -> Iterator[tuple[str, Array]]:
    """Each quarter of the values, by its ends; a value that is a quarter of the rows or more is a part by itself."""
    found, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    frequent = found[counts * QUARTERS >= counts.sum()]
    for value in frequent:
        yield number(float(value)), np.flatnonzero(numbers == value)
    rest = np.where(np.isin(numbers, frequent), np.nan, numbers)
    if np.isfinite(rest).any():
        edges = np.unique(np.nanquantile(rest, np.linspace(0, 1, QUARTERS + 1)))
        part = np.clip(np.searchsorted(edges, rest, side="right") - 1, 0, max(edges.size - 2, 0))
        ends = _distinguishable(edges)
        for place in range(max(edges.size - 1, 1)):
            name = f"{ends[place]} to {ends[min(place + 1, len(ends) - 1)]}"
            yield name, np.flatnonzero((part == place) & ~np.isnan(rest))
    if np.isnan(numbers).any():
        yield MISSING, np.flatnonzero(np.isnan(numbers))


def _distinguishable(edges: Array) -> list[str]:
    """Numbers in as many digits as tell them apart."""
    for digits in range(4, 17):
        names = [number(float(edge)) if digits == 4 else f"{edge:.{digits}g}" for edge in edges]
        if len(set(names)) == len(names):
            break
    return names
