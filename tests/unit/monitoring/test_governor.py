"""The governor as a truth table: each rule objects when it should and is silent when it should not."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from ciclo.components.core.sections import Budget, Monitoring, Persistence
from ciclo.components.monitoring.governor import Situation, alarms, govern
from ciclo.components.monitoring.records import Acknowledgement, Claim, Decision, History, Outcome

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
POLICY = Monitoring(
    window_days=7,
    persistence=Persistence(alarms=2, windows=3),
    cool_down_days=14,
    budget=Budget(runs=3, days=100),
    refusals=2,
)


def ago(days):
    return NOW - timedelta(days=days)


def claim(days, key="k", champion=1):
    time = ago(days)
    return Claim(
        key=f"{key}{days}", run_name=f"run-{days}", champion=champion, time=time, holder="h", held_until=time,
        retrain_end=time, trigger="input drift", run_id="r",
    )  # fmt: skip


def outcome(days, result, version=None):
    return Outcome(claim=f"k{days}", run_id="r", result=result, version=version, time=ago(days))


def decision(days, action="watch", alarm=True, version=1):
    return Decision(
        action=action, reason="", alarm=alarm, version=version, window_start=ago(days + 7), window_end=ago(days),
        time=ago(days),
    )  # fmt: skip


def acknowledged(days):
    return Acknowledgement(by="ada", time=ago(days))


def ruled(history, version=1):
    return govern(Situation(history=history, version=version, start=NOW - WEEK, now=NOW, policy=POLICY))


def ended(*results, first=90, step=20):
    """Claims with their outcomes, oldest first."""
    days = [first - step * i for i in range(len(results))]
    versions = {"promoted": 1}
    return {
        "claims": tuple(claim(d) for d in days),
        "outcomes": tuple(outcome(d, r, versions.get(r)) for d, r in zip(days, results, strict=True)),
    }


CASES = {
    "nothing happened yet": (History(), "retrain"),
    "a run is in flight": (History(claims=(claim(50),)), "blocked"),
    "the run has ended": (History(**ended("refused")), "retrain"),
    "cool-down": (History(claims=(claim(13),), outcomes=(outcome(13, "refused"),)), "blocked"),
    "cool-down is over": (History(claims=(claim(14),), outcomes=(outcome(14, "refused"),)), "retrain"),
    "budget": (History(**ended("refused", "promoted", "stopped"), decisions=(decision(20, "ok", False),)), "blocked"),
    "the first of the budget was used just as long ago as it lasts": (
        History(**ended("refused", "promoted", "stopped", first=100, step=30), decisions=(decision(20, "ok", False),)),
        "retrain",
    ),
    "budget was used long ago": (
        History(**ended("refused", "promoted", "stopped", first=140), decisions=(decision(70, "ok", False),)),
        "retrain",
    ),
    "one refusal": (History(**ended("promoted", "refused"), decisions=(decision(30, "ok", False),)), "retrain"),
    "refusals in a row": (History(**ended("refused", "refused")), "escalate_development"),
    "a failure counts as a refusal": (History(**ended("refused", "failed")), "escalate_development"),
    "a stopped run tells nothing": (History(**ended("refused", "stopped")), "retrain"),
    "a stopped run does not hide refusals": (History(**ended("refused", "stopped", "refused")), "escalate_development"),
    "refusals before the acknowledgement": (
        History(
            **ended("refused", "refused"),
            decisions=(decision(60, "escalate_development"),),
            acknowledgements=(acknowledged(50),),
        ),
        "retrain",
    ),
    "a refusal of the very moment of the acknowledgement": (
        History(**ended("refused", "refused", first=50), acknowledgements=(acknowledged(50),)),
        "retrain",
    ),
    "escalated and nobody acknowledged": (History(decisions=(decision(60, "escalate_development"),)), "blocked"),
    "acknowledged before the escalation": (
        History(decisions=(decision(60, "escalate_development"),), acknowledgements=(acknowledged(61),)),
        "blocked",
    ),
    "refused again after the acknowledgement": (
        History(
            **ended("refused", "refused", "refused", "refused", first=100),
            decisions=(decision(75, "escalate_development"),),
            acknowledgements=(acknowledged(70),),
        ),
        "escalate_design",
    ),
    "refused again, but a newer model was quiet in between": (
        History(
            **ended("refused", "refused", "refused", "refused", first=100),
            decisions=(decision(75, "escalate_development"), decision(60, "ok", False, version=2)),
            acknowledgements=(acknowledged(70),),
        ),
        "escalate_development",
    ),
    "the same model was quiet in between": (
        History(
            **ended("refused", "refused", "refused", "refused", first=100),
            decisions=(decision(75, "escalate_development"), decision(60, "ok", False)),
            acknowledgements=(acknowledged(70),),
        ),
        "escalate_design",
    ),
    "design was called and nobody acknowledged": (
        History(
            decisions=(decision(75, "escalate_development"), decision(40, "escalate_design")),
            acknowledgements=(acknowledged(70),),
        ),
        "blocked",
    ),
}


@pytest.mark.parametrize(("history", "expected"), CASES.values(), ids=CASES.keys())
def test_the_governor_rules(history, expected):
    ruling = ruled(history)
    assert ruling.action == expected
    assert ruling.reason


def promoted(days, *decisions, version=2):
    return History(claims=(claim(days),), outcomes=(outcome(days, "promoted", version),), decisions=tuple(decisions))


HELP = {
    "no window fully after the promotion": (promoted(5), "blocked"),
    "one window, alarmed": (promoted(10), "blocked"),
    "two windows, alarmed": (promoted(15, decision(7, version=2)), "blocked"),
    "all three windows, alarmed": (
        promoted(22, decision(14, version=2), decision(7, version=2)),
        "escalate_development",
    ),
    "daily ticks on the same rows are one window": (
        promoted(15, *(decision(d, version=2) for d in (8, 7, 6, 5, 4, 3, 2, 1))),
        "blocked",
    ),
    "a quiet window in between: this is a new drift": (
        promoted(22, decision(14, "ok", False, version=2), decision(7, version=2)),
        "retrain",
    ),
    "a quiet window before the promotion says nothing": (
        promoted(22, decision(21, "ok", False), decision(14, version=2), decision(7, version=2)),
        "escalate_development",
    ),
    "windows that could not be judged do not count": (
        promoted(22, decision(14, "alert", None, version=2), decision(7, version=2)),
        "blocked",
    ),
    "another version has been put in service since": (
        promoted(22, decision(14, version=3), decision(7, version=3), version=3),
        "retrain",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("history", "expected"), HELP.values(), ids=HELP.keys())
def test_whether_the_last_retraining_helped(history, expected):
    assert ruled(history, version=2).action == expected


ALARMS = {
    "the first": ((), 1),
    "one a window ago": ((decision(7),), 2),
    "one yesterday on nearly the same rows": ((decision(1),), 1),
    "a tick that was a little early": ((decision(6.5),), 2),
    "quiet a window ago": ((decision(7, "ok", False),), 1),
    "alarmed two windows ago": ((decision(14), decision(7, "ok", False)), 2),
    "alarmed longer ago than the last N": ((decision(21), decision(14, "ok", False)), 1),
    "all three": ((decision(14), decision(7)), 3),
    "about another champion": ((decision(7, version=7),), 1),
    "the same window twice": ((decision(0), decision(0), decision(0)), 1),
}


@pytest.mark.parametrize(("decisions", "expected"), ALARMS.values(), ids=ALARMS.keys())
def test_alarms_count_windows_that_share_no_rows(decisions, expected):
    assert alarms(History(decisions=decisions), 1, NOW - WEEK, NOW, POLICY) == expected


def test_a_governor_never_runs_more_often_than_its_budget_and_cool_down_allow():
    history, runs = History(), []
    for hour in range(0, 24 * 200, 6):
        now = NOW + timedelta(hours=hour)
        ruling = govern(Situation(history=history, version=1, start=now - WEEK, now=now, policy=POLICY))
        if ruling.action == "retrain":
            runs.append(now)
            made = claim(0, key=f"{hour}-").model_copy(update={"time": now})
            done = outcome(0, "stopped").model_copy(update={"claim": made.key, "time": now})
            history = history.model_copy(
                update={"claims": (*history.claims, made), "outcomes": (*history.outcomes, done)}
            )
    assert len(runs) >= 6
    gaps = [later - earlier for earlier, later in itertools.pairwise(runs)]
    assert min(gaps) >= timedelta(days=14)
    assert all(sum(0 <= (run - first).total_seconds() < 86_400 * 100 for run in runs) <= 3 for first in runs)
