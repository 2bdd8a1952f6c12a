"""Half a year of fortnightly refits, without a person: does it go forward, and does it ever go down unnoticed?"""

from dataclasses import dataclass

import numpy as np

from benchmarks.rivals import CHAMPION, Truth, drawn, gain, promoted
from benchmarks.watching import show, side_by_side

REFITS = 26
ROWS = Truth(5_600, 14, 5)
LOOPS, QUICK = 24, 4
RULES = ("bare comparison", "superiority", "margin, champion alone", "Ciclo: margin, and since the last change")


@dataclass(frozen=True)
class World:
    """What a refit is worth.

    Attributes:
        name: What it is called.
        worse: How much worse than its predecessor every refit is.
        ageing: What a model loses from one refit to the next; a refit has lost nothing.
        luck: Standard deviation of how good a refit is.
    """

    name: str
    worse: float = 0.0
    ageing: float = 0.0
    luck: float = 0.003


WORLDS = (
    World("nothing moves"),
    World("the world moves: a model loses .005 a fortnight, a refit gets it back", ageing=0.005),
    World("every refit is .005 worse than what it replaces", worse=0.005, luck=0.0),
)


def main(quick: bool = False) -> None:
    """Print a table."""
    loops = QUICK if quick else LOOPS
    tasks = [(w, r, n) for w in range(len(WORLDS)) for r in range(len(RULES)) for n in range(loops)]
    found = dict(zip(tasks, side_by_side(looped, tasks), strict=True))
    rows = []
    for w, world in enumerate(WORLDS):
        for r, rule in enumerate(RULES):
            part = np.array([found[w, r, n] for n in range(loops)])
            mean, worst = part[:, 1].mean(), np.quantile(part[:, 2], 0.05)
            rows.append(
                (world.name if r == 0 else "", rule, f"{part[:, 0].mean():.1f}", f"{mean:+.4f}", f"{worst:+.4f}")
            )
    note = (
        f"{loops} loops of {REFITS} refits, each tested on 14 days of its own (design effect 5). AUC in service is "
        "told against the first model on the day it was made; worst: the lower 5 % of loops at the end."
    )
    show("Refits in a row", ("", "rule", "promoted", "mean AUC in service", "worst at the end"), rows, note)


def looped(task: tuple[int, int, int]) -> tuple[int, float, float]:
    """How many were promoted; AUC in service, on average and at the end, less that of the first model when new."""
    w, r, number = task
    world, rng = WORLDS[w], np.random.default_rng([w, number])
    served = origin = CHAMPION
    promotions, course = 0, []
    for _ in range(REFITS):
        served, origin = served - world.ageing, origin - world.ageing
        fresh = (served - world.worse if world.worse else CHAMPION) + world.luck * rng.normal()
        y, (ours, theirs, first), groups = drawn(ROWS, (fresh, served, origin), rng)
        over, since = gain(y, ours, theirs, groups), gain(y, ours, first, groups)
        passed = (
            over.point > 0,
            promoted("change", over, ROWS.days),
            promoted("refresh", over, ROWS.days),
            promoted("refresh", over, ROWS.days, origin=since if served != origin else None),
        )[r]
        if passed:
            served, promotions = fresh, promotions + 1
        course.append(served - CHAMPION)
    return promotions, float(np.mean(course)), course[-1]
