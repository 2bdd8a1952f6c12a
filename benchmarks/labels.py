"""Whether the watch sees that a model has become worse: from labels, and without them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from benchmarks.streams import FIRST, WEEK
from benchmarks.watching import POLICY, QUIET, Watch, share, show, side_by_side
from ciclo.components.core.anchor import Anchor
from ciclo.components.core.clusters import Clustered, covariance, groups_of, jackknife
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.contract import Contract, ContractColumn
from ciclo.components.core.estimation import Estimation
from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import METRICS, Array
from ciclo.components.core.profile import Profile
from ciclo.components.monitoring.observing.performance import realised

METRIC = METRICS["roc_auc_score"]
PUBLISHED, ANCHOR = 0.75, 0.65
TEST_ROWS, TEST_DAYS, WEEK_ROWS, WEEKS, CLEAN = 13_000, 14, 600, 6, 4
DAY_EFFECT = 0.5
CONTRACT = Contract(
    task="binary",
    target="y",
    target_type="boolean",
    classes=("false", "true"),
    columns=(ContractColumn(name="x", type="number"),),
)


@dataclass(frozen=True)
class Case:
    """A model whose AUC becomes another, on days that differ or not, beside an anchor or alone."""

    auc: float
    days: float
    anchored: bool


CASES = tuple(
    Case(auc, days, anchored) for auc in (0.70, 0.75) for days in (0.0, DAY_EFFECT) for anchored in (True, False)
)


def main(quick: bool = False) -> None:
    """Print a table of what labels show, and two of what the estimate shows."""
    models, weeks = (10, 12) if quick else (120, 40)
    told = side_by_side(_told, [(case, n) for case in CASES for n in range(models)])
    rows = []
    for i, case in enumerate(CASES):
        found = told[i * models : (i + 1) * models]
        ticks = [a for actions in found for a in actions]
        rows.append((
            f"{PUBLISHED} -> {case.auc:.2f}, {'days differ' if case.days else 'days alike'}, "
            f"{'with' if case.anchored else 'without'} an anchor",
            models,
            share(sum(any(a not in QUIET for a in f) for f in found), models),
            share(sum(a not in QUIET for a in ticks), len(ticks)),
            share(sum(a != "ok" for a in ticks), len(ticks)),
        ))  # fmt: skip
    note = (
        f"{WEEK_ROWS} labels a week, {POLICY.performance_windows} windows pooled, published on {TEST_ROWS:,} rows of "
        f"{TEST_DAYS} days; days that differ: by {DAY_EFFECT} of the log-odds. Beyond watch is retrain.\nAsked: .75 -> "
        f".70 in 85 % within {WEEKS} weeks."
    )
    head = ("AUC", "models", f"confirmed within {WEEKS} weeks", "ticks beyond watch", "ticks that alarm")
    show("Performance from labels", head, rows, note)
    _estimates(weeks)


def _told(task: tuple[Case, int]) -> list[str]:
    """What the ticks of six weeks decided."""
    case, number = task
    rng = np.random.default_rng(number)
    profile, published = _published(rng, case)
    weeks = [_rows(rng, WEEK_ROWS, WEEK, PUBLISHED, (w - CLEAN) * WEEK, case.days)[0] for w in range(CLEAN)]
    weeks += [_rows(rng, WEEK_ROWS, WEEK, case.auc, w * WEEK, case.days)[0] for w in range(WEEKS)]
    watch, pooled = Watch(), POLICY.performance_windows
    for week in range(CLEAN, CLEAN + WEEKS):
        frame = pd.concat(weeks[week + 1 - pooled : week + 1])
        seen = realised(frame, CONTRACT, METRIC, published, POLICY, profile)
        watch.decide(week, rows=WEEK_ROWS, performance=seen)
    return [d.action for d in watch.decisions]


def _published(rng: np.random.Generator, case: Case) -> tuple[Profile, float]:
    """What evaluation would leave of such a model, and its score."""
    train, y = _rows(rng, 20_000, 120, PUBLISHED, -200, case.days)
    column = ColumnProfile.of(train["anchor"])
    anchor = Anchor.of("x", "'x' alone", column, train["anchor"], y, 2)
    test, truth = _rows(rng, TEST_ROWS, TEST_DAYS, PUBLISHED, -60, case.days)
    groups = groups_of(test["time"], len(test))
    ours = scorer(METRIC, truth, np.column_stack([1 - test["probability"], test["probability"]]), [0, 1])
    theirs = scorer(METRIC, truth, anchor.predict("probability", test["anchor"]), [0, 1])
    of, its = jackknife(ours, groups), jackknife(theirs, groups)
    assert of is not None
    assert its is not None
    anchor = anchor.model_copy(update={"score": Clustered.of(theirs, groups), "together": covariance(of[1], its[1])})
    profile = Profile(rows=1, columns={}, target=column, score=Clustered.of(ours, groups))
    return profile.model_copy(update={"anchor": anchor if case.anchored else None}), of[0]


def _rows(
    rng: np.random.Generator, rows: int, days: int, auc: float, start: int, differ: float
) -> tuple[pd.DataFrame, Array]:
    """Rows with a model's answers of such an AUC; the anchor's feature, of .65, is part of what the model knows."""
    day = np.sort(rng.integers(0, days, rows))
    effects = differ * rng.normal(size=days)
    y = rng.random(rows) < 1 / (1 + np.exp(1 - effects[day]))
    apart = float(norm.ppf(ANCHOR)) * np.sqrt(2)
    noise, own = rng.normal(size=rows), rng.normal(size=rows)
    score = 0.6 * noise + 0.8 * own + float(norm.ppf(auc)) * np.sqrt(2) * y
    frame = pd.DataFrame(
        {
            "time": FIRST + pd.to_timedelta(start + day, unit="D"),
            "prediction": "true",
            "probability": 1 / (1 + np.exp(-score)),
            "label": y.astype(str),
            "anchor": noise + apart * y,
        }
    )
    return frame, y.astype("int64")


def _estimates(weeks: int) -> None:
    """The estimated AUC of weeks whose rows spread more or less than the test rows, and where the relation fades."""
    rng = np.random.default_rng(0)
    said, y = _answered(rng, TEST_ROWS, 1.0, 1.0)
    told = Estimation.of(METRIC, y, said)
    assert told
    then = METRIC.score(y, said, [0, 1])

    def row(name: str, spreads: list[float], relation: float) -> tuple[str, str, str, str]:
        found = []
        for spread in spreads:
            said, y = _answered(rng, 2_000, spread, relation)
            estimate = told.score(METRIC, said)
            assert estimate
            found.append((estimate.point, METRIC.score(y, said, [0, 1])))
        estimated, true = np.array(found).T
        error, constant = np.abs(estimated - true).mean(), np.abs(then - true).mean()
        return name, f"{true.min():.2f} to {true.max():.2f}", f"{error:.3f}", f"{constant:.3f}"

    rows = [
        row("covariate shift", rng.uniform(0.5, 1.5, weeks).tolist(), 1.0),
        row("the relation fades", [1.0] * weeks, 0.3),
    ]
    note = (
        f"Mean error over {weeks} weeks of 2,000 rows; AUC {then:.2f} when published. Where the relation fades the "
        "estimate is blind: it tells what the model believes, not what is."
    )
    head = ("", "true AUC of a week", "error of the estimate", "error of the published score")
    show("Performance without labels", head, rows, note)


def _answered(rng: np.random.Generator, rows: int, spread: float, truth: float) -> tuple[Array, Array]:
    """Answers of a model that was right about a logistic relation, of which a share is left; and what turned out."""
    score = 1.4 * spread * rng.normal(size=rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(-truth * score))).astype("int64")
    positive = 1 / (1 + np.exp(-score))
    return np.column_stack([1 - positive, positive]), y
