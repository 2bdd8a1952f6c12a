"""Whether the watch finds what did happen to the inputs, and how soon it says so.

How much can be found at all: beside it stand two t tests of the mean of the three weeks against the weeks of the
training rows. One is told which column to look at, and errs in 1 % of the clean streams. The other has to look at all
of them, as the watch has, and shares the 1 % between them.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from benchmarks.streams import KINDS, WEEK, Stream
from benchmarks.watching import QUIET, Watch, share, show, side_by_side

ROWS, COLUMNS, CLEAN, TICKS = 2_000, 20, 2, 3
ERROR = 0.01


@dataclass(frozen=True)
class Case:
    """A shift: of a column, by so many standard deviations."""

    kind: int
    shift: float
    irrelevant: bool = False


CASES = (
    *(Case(kind, shift) for shift in (0.3, 0.5, 1.0) for kind in range(len(KINDS))),
    *(Case(kind, 3.0, irrelevant=True) for kind in range(len(KINDS))),
)
Task = tuple[Case, int]


def main(quick: bool = False) -> None:
    """Print a table by shift and kind of stream."""
    streams = 5 if quick else 30
    cases = [c for c in CASES if c.kind in (0, 2)] if quick else list(CASES)
    told = side_by_side(_told, [(case, n) for case in cases for n in range(streams)])
    by_case = [(case, told[i * streams : (i + 1) * streams]) for i, case in enumerate(cases)]
    bounds = side_by_side(_p_value, [(case, n) for case in cases if not case.irrelevant for n in range(streams)])
    rows = []
    for case, found in by_case:
        if not case.irrelevant:
            ticks = Counter(a for actions in found for a in actions)
            p_values, bounds = bounds[:streams], bounds[streams:]
            rows.append(
                (f"{case.shift:g} sigma, {KINDS[case.kind].name}", streams,
                 *(share(sum(any(a not in QUIET for a in f[:n]) for f in found), streams) for n in (2, TICKS)),
                 share(sum(n for a, n in ticks.items() if a != "ok"), ticks.total()),
                 *(share(sum(p < level for p in p_values), streams) for level in (ERROR, ERROR / COLUMNS)))
            )  # fmt: skip
    show(
        "Awake: a shift of the column that has 40 % of the importance",
        (
            "",
            "streams",
            "confirmed by tick 2",
            "by tick 3",
            "ticks that alarm",
            "t test, column known",
            "of any column",
        ),
        rows,
        f"{ROWS:,} rows a week, {COLUMNS} columns, the shift lasts; confirmed: the decision is more than watch. Asked: "
        "0.3 sigma on independent rows and 0.5 on every stream, in 95 % by tick 3.",
    )
    deaf = [(KINDS[c.kind].name, Counter(a for actions in f for a in actions)) for c, f in by_case if c.irrelevant]
    said = ("ok", "watch", "recommend", "alert", "retrain")
    show(
        "Deaf: a shift of a column of 1 % importance by 3 sigma",
        ("", "ticks", *said),
        [(name, c.total(), *(share(c[a], c.total()) for a in said)) for name, c in deaf],
        "Asked: nothing is retrained for it.",
    )


def _told(task: Task) -> list[str]:
    """What the ticks after the shift decided."""
    case, number = task
    stream = Stream(KINDS[case.kind], COLUMNS, ROWS, CLEAN + TICKS, seed=1_000 + number)
    column, watch = stream.irrelevant if case.irrelevant else "x0", Watch()
    for week in range(CLEAN + TICKS):
        watch.of(stream, week, *stream.week(week, case.shift if week >= CLEAN else 0.0, column))
    return [d.action for d in watch.decisions[CLEAN:]]


def _p_value(task: Task) -> float:
    """Of the t test of the weeks of the shift against those of the training rows, for the column that moved."""
    case, number = task
    stream = Stream(KINDS[case.kind], COLUMNS, ROWS, CLEAN + TICKS, seed=1_000 + number)
    known = stream.reference["x0"].to_numpy()
    weeks = KINDS[case.kind].days // WEEK
    past = known[: len(known) // weeks * weeks].reshape(weeks, -1).mean(axis=1)
    now = [stream.week(w, case.shift if w >= CLEAN else 0.0)[0]["x0"].mean() for w in range(CLEAN + TICKS)][CLEAN:]
    error = past.std(ddof=1) * np.sqrt(1 / TICKS + 1 / weeks)
    return float(2 * t.sf(abs(np.mean(now) - past.mean()) / error, weeks - 1))
