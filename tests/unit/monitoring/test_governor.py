"""The governor as a truth table: each rule objects when it should and is silent when it should not."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ciclo.components.core.errors import ProjectError
from ciclo.components.core.sections import Budget, Monitoring, Persistence
from ciclo.components.monitoring.governing.governor import Situation, alarms, first_window, govern
from ciclo.components.monitoring.records import Acknowledgement, Claim, Decision, History, Outcome, Permission
from tests.unit.monitoring.conftest import project

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
    "versions that wait for a person": (History(**ended("waiting", "waiting")), "escalate_development"),
    "versions that waited, one of which was let serve": (
        History(
            claims=(claim(90), claim(70)),
            outcomes=(outcome(90, "waiting", 1), outcome(70, "waiting", 9)),
            decisions=(decision(60, "ok", False),),
        ),
        "retrain",
    ),
    "what could never be submitted costs nothing": (
        History(claims=(claim(5),), outcomes=(outcome(5, "stopped").model_copy(update={"run_id": ""}),)),
        "retrain",
    ),
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
    "refused again, but a newer model was quiet from the very moment of the escalation": (
        History(
            **ended("refused", "refused", "refused", "refused", first=100),
            decisions=(decision(75, "escalate_development"), decision(68, "ok", False, version=2)),
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
    "ticks that were always a little early, more than the last N": ((decision(18.9), decision(12.6), decision(6.3)), 3),
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


# What a run is for.


def purposed(days, kinds, columns=(), champion=1):
    """A claim that is known to be for something."""
    made = claim(days, champion=champion)
    return made.model_copy(
        update={"decision": decision(days, "retrain").model_copy(update={"kinds": kinds, "columns": columns})}
    )


def situation(history=History(), *, version=1, now=NOW, policy=POLICY, **more):  # noqa: B008
    return Situation(history=history, version=version, start=now - WEEK, now=now, policy=policy, **more)


REFRESHED = ("refresh",)
REFRESHES = {
    "refused runs of an alarm do not stop it": (History(**ended("refused", "refused")), REFRESHED, "retrain"),
    "nor does a promotion that did not help": (
        History(**ended("promoted"), decisions=tuple(decision(d) for d in (50, 40, 30, 20, 10))), REFRESHED, "retrain",
    ),
    "an open breaker does": (History(decisions=(decision(60, "escalate_development"),)), REFRESHED, "blocked"),
    "a run in flight does": (History(claims=(claim(50),)), REFRESHED, "blocked"),
    "the cool-down does": (History(claims=(claim(13),), outcomes=(outcome(13, "refused"),)), REFRESHED, "blocked"),
    "the budget does": (
        History(**ended("refused", "refused", "stopped")), REFRESHED, "blocked",
    ),
    "its own refusals do not count against an alarm": (
        History(
            claims=(purposed(80, REFRESHED), purposed(60, REFRESHED)),
            outcomes=(outcome(80, "refused"), outcome(60, "failed")),
        ), ("drift",), "retrain",
    ),
    "nor does its promotion": (
        History(
            claims=(purposed(22, REFRESHED),), outcomes=(outcome(22, "promoted", 2),),
            decisions=(decision(14, version=2), decision(7, version=2)),
        ), ("drift",), "retrain",
    ),
    "with a loss beside it, it is an alarm": (History(**ended("refused", "refused")), ("realised", "refresh"),
        "escalate_development"),
}  # fmt: skip


@pytest.mark.parametrize(("history", "kinds", "expected"), REFRESHES.values(), ids=REFRESHES.keys())
def test_a_refresh_obeys_the_brakes_and_says_nothing_of_help(history, kinds, expected):
    version = 2 if any(o.version == 2 for o in history.outcomes) else 1
    assert govern(situation(history, version=version, kinds=kinds)).action == expected


REFIT = ("refit",)
WAYS_BACK = {
    "nothing happened yet": (History(), "restore"),
    "refused runs of an alarm do not stop it": (History(**ended("refused", "refused")), "restore"),
    "nor does a promotion that did not help": (
        History(**ended("promoted"), decisions=tuple(decision(d) for d in (50, 40, 30, 20, 10))), "restore",
    ),
    "ways back that failed do": (
        History(claims=(purposed(80, REFIT), purposed(60, REFIT)), outcomes=(outcome(80, "failed"),
            outcome(60, "failed"))), "escalate_development",
    ),
    "one of them does not": (History(claims=(purposed(80, REFIT),), outcomes=(outcome(80, "failed"),)), "restore"),
    "an open breaker does": (History(decisions=(decision(60, "escalate_development"),)), "blocked"),
    "a run in flight does": (History(claims=(claim(50),)), "blocked"),
    "the cool-down does": (History(claims=(claim(13),), outcomes=(outcome(13, "promoted", 1),)), "blocked"),
    "the budget does": (History(**ended("refused", "refused", "stopped")), "blocked"),
}  # fmt: skip


@pytest.mark.parametrize(("history", "expected"), WAYS_BACK.values(), ids=WAYS_BACK.keys())
def test_the_way_back_obeys_the_brakes_and_is_judged_by_ways_back_alone(history, expected):
    assert govern(situation(history, kinds=REFIT, due=ago(40))).action == expected


def test_ways_back_that_failed_say_nothing_of_retraining():
    claims, outcomes = (purposed(80, REFIT), purposed(60, REFIT)), (outcome(80, "failed"), outcome(60, "failed"))
    assert govern(situation(History(claims=claims, outcomes=outcomes), kinds=("realised",))).action == "retrain"


def test_a_way_back_that_waits_does_not_make_an_alarm_older():
    waits = decision(7).model_copy(update={"kinds": REFIT, "episode": ago(60)})
    assert first_window(History(decisions=(waits,)), 1, ago(7)) == waits.window_start


CURED = {
    "the same loss": (("realised",), (), ("realised",), (), "escalate_development"),
    "a loss that is now estimated": (("realised",), (), ("estimated", "drift"), (), "escalate_development"),
    "drift where there was a loss": (("realised",), (), ("drift",), (), "retrain"),
    "a loss where there was drift": (("drift",), ("a",), ("realised",), (), "retrain"),
    "drift of the same column": (("drift",), ("a", "b"), ("drift",), ("b", "c"), "escalate_development"),
    "drift of another column": (("drift",), ("a",), ("drift",), ("b",), "retrain"),
    "nothing is known of then": ((), (), ("drift",), ("b",), "escalate_development"),
    "nothing is known of now": (("drift",), ("a",), (), (), "escalate_development"),
}


@pytest.mark.parametrize(("then", "before", "now", "columns", "expected"), CURED.values(), ids=CURED.keys())
def test_a_retraining_has_cured_what_it_was_for_or_not(then, before, now, columns, expected):
    alarmed = [decision(d, version=2).model_copy(update={"kinds": now, "columns": columns}) for d in (14, 7)]
    history = History(
        claims=(purposed(22, then, before),), outcomes=(outcome(22, "promoted", 2),), decisions=tuple(alarmed)
    )
    assert govern(situation(history, version=2, kinds=now, columns=columns)).action == expected


def test_windows_of_the_version_before_say_nothing_of_the_new_one():
    history = History(
        claims=(claim(22),), outcomes=(outcome(22, "promoted", 2),), decisions=(decision(14), decision(7, version=2))
    )
    assert govern(situation(history, version=2)).action == "blocked"


BREAKER = {
    "failed": (("failed", "failed"), "2 runs in a row failed"),
    "both": (("refused", "failed"), "2 runs in a row did not help: 1 gave no better model, 1 failed"),
    "refused": (("refused", "refused"), "2 runs in a row gave no better model"),
}


@pytest.mark.parametrize(("results", "reason"), BREAKER.values(), ids=BREAKER.keys())
def test_an_escalation_says_why_where_and_since_when(results, reason):
    columns = tuple("abcdefg")
    ruling = govern(
        situation(History(**ended(*results)), columns=columns, slices=("city=Chur",), since=ago(30), kinds=("drift",))
    )
    assert ruling.reason.startswith(
        f"{reason} (columns a, b, c, d, e and 2 more; slices city=Chur; since {ago(30):%Y-%m-%d})"
    )
    few = govern(situation(History(**ended(*results)), columns=columns[:5], kinds=("drift",)))
    assert f"(columns a, b, c, d, e; since {ago(7):%Y-%m-%d})" in few.reason
    assert "acknowledge" in govern(situation(History(decisions=(decision(60, "escalate_design"),)))).reason


# Quiet hours and modes.


@pytest.mark.parametrize(
    ("span", "hour", "expected"),
    [
        ("", 3, "retrain"), ("22:00-06:00", 21, "retrain"), ("22:00-06:00", 22, "blocked"),
        ("22:00-06:00", 5, "blocked"), ("22:00-06:00", 6, "retrain"), ("01:00-04:00", 0, "retrain"),
        ("01:00-04:00", 3, "blocked"), ("01:00-04:00", 4, "retrain"), ("00:00-23:59", 12, "blocked"),
    ],
)  # fmt: skip
def test_no_run_is_started_in_quiet_hours(span, hour, expected):
    policy = Monitoring(quiet_hours=span)
    abroad = NOW.replace(hour=hour).astimezone(timezone(timedelta(hours=9)))
    ruling = govern(situation(now=abroad, policy=policy))
    assert ruling.action == expected
    assert (f"before {span[-5:]} UTC" in ruling.reason) == (expected == "blocked")


@pytest.mark.parametrize("span", ["22-6", "22:00", "24:00-06:00", "06:00-06:00", "22:00 - 06:00", "nights"])
def test_quiet_hours_that_are_none_are_named_when_the_file_is_read(span):
    with pytest.raises(ProjectError, match=r"monitoring\.quiet_hours: .*(22:00-06:00|begins when it ends)"):
        project(quiet_hours=span)


def allowed(version=1, episode=NOW - WEEK, attempt=1):
    return Permission(by="ada", version=version, episode=episode, attempt=attempt, time=ago(0))


MODES = {
    "retrain": ("retrain", (), "retrain"),
    "recommend": ("recommend", (allowed(),), "recommend"),
    "approve, not allowed": ("approve", (), "recommend"),
    "approve, allowed": ("approve", (allowed(),), "retrain"),
    "approve, allowed for another version": ("approve", (allowed(version=2),), "recommend"),
    "approve, allowed for another alarm": ("approve", (allowed(episode=ago(30)),), "recommend"),
    "approve, allowed for the run before": ("approve", (allowed(attempt=2),), "recommend"),
}


@pytest.mark.parametrize(("mode", "permissions", "expected"), MODES.values(), ids=MODES.keys())
def test_the_mode_leaves_a_run_to_a_person(mode, permissions, expected):
    policy = POLICY.model_copy(update={"mode": mode})
    ruling = govern(situation(History(permissions=permissions), policy=policy))
    assert ruling.action == expected
    assert ("ciclo" in ruling.reason) == (expected == "recommend")
    blocked = govern(situation(History(permissions=permissions, claims=(claim(5),)), policy=policy))
    assert blocked.action == "blocked"


def test_a_permission_is_for_one_run():
    policy = POLICY.model_copy(update={"mode": "approve"})
    used = claim(20).model_copy(update={"episode": NOW - WEEK})
    history = History(claims=(used,), outcomes=(outcome(20, "refused"),), permissions=(allowed(),))
    assert govern(situation(history, policy=policy)).action == "recommend"
    again = history.model_copy(update={"permissions": (allowed(), allowed(attempt=2))})
    assert govern(situation(again, policy=policy)).action == "retrain"


EPISODES = {
    "the first window": ((), 7),
    "an alarm before": ((decision(7),), 14),
    "it goes on where it was": ((decision(7).model_copy(update={"episode": ago(200)}),), 200),
    "windows that could not be judged do not end it": ((decision(14), decision(7, "alert", None)), 21),
    "a quiet one does": ((decision(14), decision(7, "ok", False)), 7),
    "another version is another matter": ((decision(7, version=2),), 7),
    "and does not end it": ((decision(14), decision(7, "ok", False, version=2)), 21),
}


@pytest.mark.parametrize(("decisions", "days"), EPISODES.values(), ids=EPISODES.keys())
def test_an_episode_begins_with_the_first_window_of_the_unbroken_alarm(decisions, days):
    assert situation(History(decisions=decisions)).episode == ago(days)
    assert situation(History(decisions=decisions), due=ago(3)).episode == ago(3)
