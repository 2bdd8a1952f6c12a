"""The metric in parts of the test rows: each value of a category, the quarters of a number, the months of a time.

A model may be good on the whole and useless where it matters. A slice has an interval of its own, from the groups that
its rows are; a slice whose interval lies wholly on the wrong side of the floor keeps the model out.
"""

import math
from dataclasses import dataclass

from ciclo.components.core.clusters import Groups, score_interval
from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import Array, Metric
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Evaluation
from ciclo.components.core.verdict import Check
from ciclo.components.core.wording import counted, listed, number
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.slicing import parts, slice_name


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

    @property
    def name(self) -> str:
        """What to call it."""
        return slice_name(self.column, self.value)


def slices_of(project: Project, test: Dataset, predicted: Array, groups: Groups) -> tuple[Slice, ...]:
    """Score every slice; one of fewer rows than are enough has no score.

    Args:
        project: Names the columns, and the rows that are enough.
        test: The test rows.
        predicted: The winner's predictions, as the metric needs them.
        groups: Which of the rows are one piece of evidence.
    """
    found = []
    for column in project.evaluation.slices:
        for value, inside in parts(test.rows[column]):
            if len(inside) < project.evaluation.minimum_rows:
                found.append(Slice(column, value, len(inside), Interval(math.nan, math.nan, math.nan)))
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
        names = listed((f"{s.name}: {s.score} on {counted(s.rows, 'row')}" for s in worst), 3)
        message = f"{metric.name} is surely {side} {number(floor)} where {names}"
    elif untold:
        names = listed((s.name for s in untold), 3)
        few = f"fewer than {counted(policy.minimum_rows, 'row')}, or than ten groups of them"
        message += f"; nobody can tell where {names}: {few}"
    gains = [metric.gain(s.score.point, floor) for s in slices if math.isfinite(s.score.point)]
    return [Check(name="slice_floor", passed=not poor, value=min(gains, default=None), limit=0.0, message=message)]


def _best(score: Interval, metric: Metric) -> float:
    return score.high if metric.greater_is_better else score.low
