"""How often the watch alarms where nothing has happened, beside two controls on the same windows."""

import atexit
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, ks_2samp

from benchmarks.evidently import Evidently
from benchmarks.streams import KINDS, Stream
from benchmarks.watching import Watch, share, show, side_by_side

REFERENCE = 20_000
WINDOW = 20_000


@dataclass(frozen=True)
class Shape:
    """Streams of one size: rows of a week, columns, how many of each kind, their weeks, and weeks the controls see."""

    rows: int
    columns: int
    streams: int
    weeks: int
    compared: int


FULL = (
    Shape(200, 5, 20, 26, 10),
    Shape(200, 100, 3, 26, 1),
    Shape(2_000, 30, 8, 26, 4),
    Shape(20_000, 10, 3, 26, 6),
    Shape(200_000, 5, 1, 16, 4),
)
QUICK = (Shape(200, 5, 3, 20, 3), Shape(2_000, 30, 1, 20, 1))
Task = tuple[int, Shape, int]


@dataclass
class Found:
    """What was said of the weeks of a stream."""

    kind: int
    shape: Shape
    actions: Counter[str]
    compared: int = 0
    evidently: int = 0
    tests: int = 0


def main(quick: bool = False) -> None:
    """Print a table by kind, and one by size."""
    shapes = QUICK if quick else FULL
    tasks = [(kind, s, n) for s in reversed(shapes) for kind in range(len(KINDS)) for n in range(s.streams)]
    found = side_by_side(watched, tasks)
    head = ("", "ticks", "watch", "recommend", "alert", "retrain", "weeks compared", "Evidently", "KS or chi2 < .05")
    rows = [(KINDS[k].name, [f for f in found if f.kind == k]) for k in range(len(KINDS))]
    note = (
        "Share of ticks by what the decision was; every one of them is false. Asked: at most 1 % beyond watch, season "
        f"unknown: as it is.\nControls on some of the same windows, on {REFERENCE:,} rows of training and {WINDOW:,} "
        "of the window at most: Evidently's default DataDriftPreset says that the data set drifted; plain tests, any "
        "column at p < .05."
    )
    show("Calm, by kind of stream", head, [(name, *_shares(part)) for name, part in rows], note)
    known = [f for f in found if KINDS[f.kind].name != "season, unknown"]
    sizes = [(f"{s.rows:,} rows, {s.columns} columns", [f for f in known if f.shape == s]) for s in shapes]
    show("Calm, by size (without the season that is unknown)", head, [(n, *_shares(part)) for n, part in sizes])
    show("Calm, all of them but the unknown season", head, [("", *_shares(known))])


def _shares(part: list[Found]) -> list[str]:
    actions = sum((f.actions for f in part), Counter())
    ticks, compared = actions.total(), sum(f.compared for f in part)
    controls = [sum(f.evidently for f in part), sum(f.tests for f in part)]
    said = [actions[a] for a in ("watch", "recommend", "alert", "retrain")]
    return [str(ticks), *(share(n, ticks) for n in said), str(compared), *(share(n, compared) for n in controls)]


def watched(task: Task) -> Found:
    """Watch one stream."""
    kind, shape, number = task
    stream = Stream(KINDS[kind], shape.columns, shape.rows, shape.weeks, seed=hash((kind, shape, number)) % 2**32)
    compared = shape.compared // shape.streams + (number < shape.compared % shape.streams)
    chosen = np.linspace(2, shape.weeks - 1, compared).astype(int)
    watch, kept = Watch(), []
    for week in range(shape.weeks):
        frame, times = stream.week(week)
        watch.of(stream, week, frame, times)
        if week in chosen:
            kept.append(frame.sample(min(len(frame), WINDOW), random_state=0))
    found = Found(kind, shape, Counter(d.action for d in watch.decisions), len(kept))
    reference = stream.reference.sample(min(len(stream.reference), REFERENCE), random_state=0)
    found.tests = sum(_any_test(reference, frame) for frame in kept)
    if kept:
        found.evidently = sum(_control().judge(reference, kept)["drifted"])
    return found


@cache
def _control() -> Evidently:
    control = Evidently()
    atexit.register(control.close)
    return control


def _any_test(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    for name in reference:
        ours, theirs = reference[name], window[name]
        if ours.dtype == object:
            p = chi2_contingency(pd.DataFrame([ours.value_counts(), theirs.value_counts()]).fillna(0)).pvalue
        else:
            p = ks_2samp(ours, theirs).pvalue
        if p < 0.05:
            return True
    return False
