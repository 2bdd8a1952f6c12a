"""A tick with everything to show: thirty columns and more, a year of decisions, runs, alerts, and hostile names."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.intervals import Interval
from ciclo.components.core.profile import Profile
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.observing.drift import ColumnDrift, Counted, Drift, assess
from ciclo.components.monitoring.observing.evidence import Estimate, Evidence
from ciclo.components.monitoring.observing.health import ColumnHealth
from ciclo.components.monitoring.observing.performance import LabelDelay, Performance
from ciclo.components.monitoring.records import Acknowledgement, Claim, Decision, History, Outcome
from ciclo.components.monitoring.telling.explanation import View

NOW = datetime(2026, 6, 1, 6, tzinfo=UTC)
WEEK = timedelta(days=7)
HOSTILE = (
    "<script>alert(1)</script>",
    "\"quoted\" & 'so'",
    "$x$ and $y$",
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd",
    "long" * 2_500,
    "nul\0 and \x1b[31m",
    "</style></svg></table>",
    "\u6e29\u5ea6 \U0001f321",
)


def project(**monitoring):
    return project_from_mapping(
        {
            "name": "loans",
            "data": {"source": "x", "target": "y", "columns": {"x": {"type": "number"}, "y": {"type": "number"}}},
            "monitoring": monitoring,
            "design": {"escalation": {"development": "dev@example.com", "design": "design@example.com"}},
        },
        origin="test",
    )


def view(columns=30, names=(), moved=3, rows=5_000, calibrated=True):
    """A window of numbers and categories in which some columns have moved."""
    rng = np.random.default_rng(0)
    given = [*names, *(f"column_{i:02d}" for i in range(columns))][:columns]
    past, now = {}, {}
    for index, name in enumerate(given):
        shift = 0.8 if index < moved else 0.0
        if index % 3 == 2 or (names and index < len(names) and index % 2):
            words = [f"{name[:20]} {w}" for w in ("Bern", "Basel", "Chur", "Olten", "Genf")]
            chance = np.array([5, 3, 2, 1, 1]) / 12
            past[name] = pd.Series(rng.choice(words, rows, p=chance), dtype=object)
            now[name] = pd.Series(rng.choice(words, rows, p=chance[::-1] if shift else chance), dtype=object)
        else:
            past[name] = pd.Series(rng.normal(1_000, 100, rows))
            now[name] = pd.Series(rng.normal(1_000, 100, rows) + 100 * shift)
    scores = pd.Series(rng.beta(2, 5, rows))
    profile = Profile(
        rows=rows, start="2025-01-01", end="2025-07-01",
        columns={n: ColumnProfile.of(v) for n, v in past.items()}, target=ColumnProfile.of(scores),
    ).with_model({n: 1 / (i + 1) for i, n in enumerate(given)}, ColumnProfile.of(scores))  # fmt: skip
    frame, answers = pd.DataFrame(now), profile.prediction.bin(pd.Series(rng.beta(2.5, 5, rows)))
    counts = {name: column.bin(frame[name]) for name, column in profile.columns.items()}
    drift = assess(profile, Counted(counts, answers), Monitoring())
    if calibrated:
        drift = Drift(tuple(_banded(c, profile, rng) for c in drift.columns), drift.prediction, drift.importance, True)
    health = [ColumnHealth(n, (0.0, 0.0)) for n in given]
    health[:3] = [ColumnHealth(n, (0.0, 0.002), (0.12, 0.0), (0.034, 0.001)) for n in given[:3]]
    health[0] = ColumnHealth(given[0], (0.41, 0.01))
    evidence = Evidence(
        version=3, serving_since=NOW - 20 * WEEK, start=NOW - WEEK, end=NOW, rows=rows, last_row=NOW,
        trainable_until=NOW - WEEK, faults={given[0]: f"'{given[0]}' is missing in 41% of the rows, in training in 1%"},
        drift=drift,
        performance=Performance(
            "roc_auc_score", 640, Interval(0.66, 0.69, 0.72), 0.75, True,
            "roc_auc_score is 0.69 [0.66, 0.72] on 640 labelled rows, 0.75 when published",
        ),
        estimate=Estimate("roc_auc_score", Interval(0.68, 0.7, 0.71), 0.74, False, "roc_auc_score is estimated: 0.70"),
        health=tuple(health), labels=LabelDelay(0.93, 3.0, 6.5),
    )  # fmt: skip
    return View(evidence, profile)


def _banded(column, profile, rng):
    shares = np.array(profile.columns[column.name].counts) / profile.rows
    usual = tuple(float(u) for u in rng.uniform(0.01, 0.08, 20))
    return ColumnDrift(
        column.name, column.effect, column.p_value, column.importance, column.drifted, column.counts,
        usual, tuple((shares * 0.8).tolist()), tuple((shares * 1.2).tolist()),
    )  # fmt: skip


def decision(action="recommend", time=NOW, **fields):
    given = {
        "reason": "Columns with 62% of the importance have drifted ('column_00' by 0.31), in 2 of the last 3 windows.",
        "cause": "" if action == "ok" else "input drift",
        "version": 3,
        "window_start": time - WEEK,
        "window_end": time,
        "alarm": action not in ("ok",),
        "evidence": {"rows": 5_000},
    }
    return Decision(action=action, time=time, **{**given, **fields})


def history(weeks=52, every=timedelta(days=7)):
    """A year: three versions, a retraining that helped, one that was refused, an escalation that was dealt with."""
    rng = np.random.default_rng(1)
    decisions, start, count = [], NOW - weeks * WEEK, int(weeks * WEEK / every)
    for i in range(count):
        time, share = start + i * every, i / count
        version = 1 + (share > 0.4) + (share > 0.8)
        score = 0.75 - 0.1 * (share % 0.4) + 0.01 * rng.normal()
        action = "ok"
        if share % 0.4 > 0.3:
            action = ("watch", "retrain", "blocked")[i % 3]
        if share > 0.94:
            action = "escalate_development"
        facts = {
            "rows": 5_000, "metric": "roc_auc_score", "score": score, "score_low": score - 0.03,
            "score_high": score + 0.03, "reference": 0.75, "estimate": score + 0.01, "estimate_low": score - 0.01,
            "estimate_high": score + 0.03, "estimate_reference": 0.75,
        }  # fmt: skip
        decisions.append(decision(action, time, version=version, evidence=facts))
    claims = [
        Claim(
            key=str(n), run_name=f"loans-{n}", champion=n, time=start + at * WEEK, holder="", held_until=NOW,
            retrain_end=NOW, trigger="input drift", run_id=f"run-{n}",
        )
        for n, at in ((1, weeks * 0.38), (2, weeks * 0.7), (3, weeks * 0.95))
    ]  # fmt: skip
    outcomes = [
        Outcome(claim="1", result="promoted", version=2, time=claims[0].time + timedelta(days=2)),
        Outcome(claim="2", result="refused", time=claims[1].time + timedelta(days=1)),
    ]
    return History(
        decisions=tuple(decisions), claims=tuple(claims), outcomes=tuple(outcomes),
        acknowledgements=(Acknowledgement(by="Ada <b>", note="new column joined", time=NOW - 3 * WEEK),),
    )  # fmt: skip
