"""What the two gates promote, beside a bare comparison and the row bootstrap on the same rows."""

from dataclasses import dataclass

import numpy as np

from benchmarks.rivals import AUC, CHAMPION, POLICY, RMSE, Truth, drawn, gain, promoted, row_bootstrap
from benchmarks.watching import share, show, side_by_side
from ciclo.components.core.clusters import groups_of
from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import METRICS, Array


@dataclass(frozen=True)
class Case:
    """A challenger.

    Attributes:
        name: What it is called.
        gate: ``change`` or ``refresh``.
        truth: The rows.
        gain: How much better its AUC is, or, of lognormal errors, by which share its errors are smaller.
        heavy: Whether it is a matter of lognormal errors (sigma 1) and RMSE.
        asked: What is asked of the gate.
        labels: Metric of labels, of which the gain is one then; the champion is right in nine of ten. Empty for AUC.
        classes: How many classes there are.
        apart: Share of the labels of each model that are another by luck.
    """

    name: str
    gate: str
    truth: Truth
    gain: float = 0.0
    heavy: bool = False
    asked: str = ""
    labels: str = ""
    classes: int = 2
    apart: float = 0.0


MOST, LEAST = "at most 5 %", "at least 90 %"
ROWS, WEEKS2, WEEKS4 = Truth(2_800), Truth(2_800, 14, 10), Truth(5_600, 28, 10)
UNEVEN = Truth(2_800, 14, 10, uneven=True)
CASES = (
    Case("equal, 2,800 independent rows", "change", ROWS, asked=MOST),
    Case("equal, 14 days, design effect 10", "change", WEEKS2, asked=MOST),
    Case("equal, 14 uneven days, design effect 10", "change", UNEVEN, asked=MOST),
    Case("equal, lognormal errors, RMSE, 2,800 rows", "change", ROWS, heavy=True, asked=MOST),
    Case("better by .03, 2,800 independent rows", "change", ROWS, 0.03, asked=LEAST),
    Case("better by .07, 28 days, design effect 10", "change", WEEKS4, 0.07, asked=LEAST),
    Case("worse by the margin, 2,800 independent rows", "refresh", ROWS, -0.01, asked=MOST),
    Case("worse by the margin, 14 days, design effect 10", "refresh", WEEKS2, -0.01, asked=MOST),
    Case("worse by the margin (1 %), lognormal errors, RMSE", "refresh", ROWS, -0.01, heavy=True, asked=MOST),
    Case("equal, 20,000 independent rows", "refresh", Truth(20_000)),
    Case("equal, 14 days, design effect 10", "refresh", WEEKS2),
    Case("better by .02, 14 days, design effect 10", "refresh", WEEKS2, 0.02),
    *(
        Case(
            f"worse by the margin, {what}, {rows} rows", "refresh", Truth(rows), -0.01, False, MOST, name, classes, luck
        )
        for what, name, classes, luck, sizes in (
            ("accuracy", "accuracy_score", 2, 0.0, (40, 100, 300, 500)),
            ("balanced accuracy of three classes", "balanced_accuracy_score", 3, 0.01, (44, 300)),
            ("F1", "f1_score", 2, 0.01, (300, 2_000)),
        )
        for rows in sizes
    ),
    Case(
        "worse by the margin, accuracy, 14 days, lost in tens", "refresh", WEEKS2, -0.01, False, MOST, "accuracy_score"
    ),
    Case("equal, accuracy, 500 rows", "refresh", Truth(500), labels="accuracy_score", apart=0.002),
    Case("equal, accuracy, 2,000 rows", "refresh", Truth(2_000), labels="accuracy_score", apart=0.01),
    Case("worse by the margin, 14 uneven days, design effect 10", "refresh", UNEVEN, -0.01, asked=MOST),
)
SIMULATIONS, QUICK = 400, 40
CHUNKS = 4
RESAMPLED = 4  # the row bootstrap is tried on one of so many simulations


def main(quick: bool = False) -> None:
    """Print the table."""
    times = QUICK if quick else SIMULATIONS
    tasks = [(number, chunk, times // CHUNKS) for number in range(len(CASES)) for chunk in range(CHUNKS)]
    found = side_by_side(simulated, tasks)
    rows = []
    for number, case in enumerate(CASES):
        sums = np.sum([f for (n, *_), f in zip(tasks, found, strict=True) if n == number], axis=0)
        ours, bare, resampled, tried = (int(n) for n in sums)
        row = case.name, case.gate, share(ours, times), share(bare, times), share(resampled, tried), case.asked
        rows.append(row)
    note = (
        f"Promoted, of {times} simulations each. The champion has AUC {CHAMPION}, or is right in nine of ten. Bare: "
        "the higher score wins. Row bootstrap: the same rule on percentiles of resampled rows, in a quarter of the "
        "simulations."
    )
    show("What is promoted", ("challenger", "gate", "Ciclo", "bare", "row bootstrap", "asked"), rows, note)


def simulated(task: tuple[int, int, int]) -> Array:
    """How often the gate, a bare comparison and the row bootstrap promote."""
    number, chunk, times = task
    case, rng = CASES[number], np.random.default_rng([number, chunk])
    limit = -POLICY.refresh_margin if case.gate == "refresh" else 0.0
    counts = np.zeros(4, dtype=int)
    for turn in range(times):
        if case.heavy:
            y, groups = np.zeros(case.truth.rows), groups_of(None, case.truth.rows)
            theirs, noise = rng.lognormal(size=y.size), rng.lognormal(sigma=0.2, size=(2, y.size))
            ours, theirs, metric, classes = (1 - case.gain) * theirs * noise[0], theirs * noise[1], RMSE, []
        else:
            y, (ours, theirs), groups = drawn(case.truth, (CHAMPION + case.gain, CHAMPION), rng)
            metric, classes = AUC, [0, 1]
        if case.labels:
            y, (ours, theirs), groups = labelled(case, rng)
            metric, classes = METRICS[case.labels], list(range(case.classes))
        relative = case.heavy and case.gate == "refresh"
        interval = gain(y, ours, theirs, groups, metric, classes, relative=relative)
        mine, its = scorer(metric, y, ours, classes), scorer(metric, y, theirs, classes)

        def gained(rows: Array, mine=mine, its=its, metric=metric, relative=relative) -> float:  # type: ignore[no-untyped-def]
            a, b = mine(rows), its(rows)
            return float(metric.gain(a, b) / (b if relative else 1.0))

        pieces = case.truth.days or case.truth.rows
        small = case.truth.rows <= 6_000
        passed = promoted(case.gate, interval, pieces), interval.point > 0
        tried = turn % RESAMPLED == 0 and small
        counts += [*passed, tried and row_bootstrap(gained, y.size, rng) > limit, tried]
    return counts


def labelled(case: Case, rng: np.random.Generator) -> tuple[Array, list[Array], Array]:
    """True classes, the labels of two models, and the groups of the rows; with days labels are lost ten at a time."""
    rows, run = case.truth.rows, 10 if case.truth.days else 1
    y = rng.integers(0, case.classes, rows)

    def wrong(labels: Array, share: float) -> Array:
        return np.where(np.repeat(rng.random(rows // run) < share, run), (labels + 1) % case.classes, labels)

    shared = np.where(rng.random(rows) < 0.1, (y + 1) % case.classes, y)
    theirs, ours = (wrong(shared, case.apart) for _ in range(2))
    worse = np.where(ours == y, wrong(ours, -case.gain / 0.9), ours)
    groups = np.arange(rows) * case.truth.days // rows if case.truth.days else groups_of(None, rows)
    return y, [worse, theirs], groups
