"""Two models and simple answers on the same rows, of which it is known how good they are; and the gate on top.

A score is normal, higher for the positive class. On each day one of the two models may have more luck than the other:
``effect`` is the standard deviation of that, chosen so that the variance of the gain over days is so many times that of
independent rows (the design effect).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import norm

from ciclo.components.core.clusters import gain_interval, groups_of
from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import METRICS, Array, Metric
from ciclo.components.core.sections import Evaluation
from ciclo.components.evaluation.champion import Gate
from ciclo.components.evaluation.comparison import Comparison, Contender
from ciclo.components.evaluation.decision import decide

AUC, RMSE = METRICS["roc_auc_score"], METRICS["root_mean_squared_error"]
POLICY = Evaluation()
A_DAY = 200
TOGETHER = 0.7  # correlation of the noise of two models
POSITIVE = 0.3
DRAWS = 100
CHAMPION = 0.75
SURE = Interval(0.1, 0.2, 0.3)


@dataclass(frozen=True)
class Truth:
    """Rows to draw.

    Attributes:
        rows: How many.
        days: Days they are of; 0 for independent rows.
        design: The design effect.
        uneven: Whether days differ in their number of rows (lognormal, sigma 0.7).
    """

    rows: int
    days: int = 0
    design: float = 1.0
    uneven: bool = False


def apart(auc: float) -> float:
    """How far the classes lie apart in a score of that AUC."""
    return float(np.sqrt(2) * norm.ppf(auc))


def drawn(truth: Truth, aucs: tuple[float, ...], rng: np.random.Generator) -> tuple[Array, list[Array], Array]:
    """True classes, the probabilities that models of those AUC give, and the groups of the rows."""
    y = (rng.random(truth.rows) < POSITIVE).astype(int)
    groups = groups_of(None, truth.rows)
    luck = np.zeros((len(aucs), truth.rows))
    if truth.days:
        sizes = np.exp(0.7 * rng.normal(size=truth.days)) if truth.uneven else np.ones(truth.days)
        groups = np.sort(rng.choice(truth.days, truth.rows, p=sizes / sizes.sum()))
        luck = effect(truth) * rng.normal(size=(len(aucs), truth.days))[:, groups]
    shared = rng.normal(size=truth.rows)
    scores = [
        y * (apart(auc) + moved) + np.sqrt(TOGETHER) * shared + np.sqrt(1 - TOGETHER) * rng.normal(size=truth.rows)
        for auc, moved in zip(aucs, luck, strict=True)
    ]
    return y, [_both(1 / (1 + np.exp(-score))) for score in scores], groups


@cache
def effect(truth: Truth) -> float:
    """The luck of a day that gives the design effect, from the variance of gains of independent rows."""
    if truth.design <= 1:
        return 0.0
    rng, plain, gains = np.random.default_rng(0), Truth(truth.rows), []
    for _ in range(200):
        y, (ours, theirs), _ = drawn(plain, (CHAMPION, CHAMPION), rng)
        gains.append(AUC.score(y, ours, [0, 1]) - AUC.score(y, theirs, [0, 1]))
    slope = norm.pdf(apart(CHAMPION) / np.sqrt(2)) / np.sqrt(2)
    return float(np.sqrt((truth.design - 1) * np.var(gains) * truth.days / 2) / slope)


def compared(gate: str, share: Interval, pieces: int, *, origin: Interval | None = None) -> Comparison:
    """A comparison of which only the gain over the champion is in doubt."""
    return Comparison(
        winner=Contender("simulated", Path(), {"score": 0.0}, None),
        score=Interval(0.7, 0.75, 0.8),
        scores={},
        validation={},
        failed={},
        baselines={"trivial": SURE},
        champion=share,
        champion_version=2,
        champion_problem="",
        champion_rows=1_000,
        rows=1_000,
        slices=(),
        size_mb=0.1,
        digest="",
        importance={},
        gate=Gate("refresh" if gate == "refresh" else "change", "simulated"),
        champion_share=share,
        origin=origin,
        origin_version=None if origin is None else 1,
        pieces=pieces,
        champion_pieces=pieces,
    )


def gain(
    y: Array,
    ours: Array,
    theirs: Array,
    groups: Array,
    metric: Metric = AUC,
    classes: Sequence[int] = (0, 1),
    *,
    relative: bool = False,
) -> Interval:
    """The gain with the interval of the gate."""
    options = {"groups": groups, "confidence": POLICY.confidence, "relative": relative}
    return gain_interval(metric, y, ours, theirs, classes, **options)


def promoted(gate: str, share: Interval, pieces: int, *, origin: Interval | None = None) -> bool:
    """Whether the gate promotes."""
    return decide(compared(gate, share, pieces, origin=origin), POLICY, AUC).decision == "promote"


def row_bootstrap(score: Callable[[Array], float], rows: int, rng: np.random.Generator) -> float:
    """The lower bound that the percentile bootstrap of rows gives."""
    return float(np.quantile([score(rng.integers(0, rows, rows)) for _ in range(DRAWS)], 1 - POLICY.confidence))


def _both(positive: Array) -> Array:
    return np.column_stack([1 - positive, positive])
