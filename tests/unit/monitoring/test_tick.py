"""Whole ticks on real parts: what is decided, written, told and submitted; what crashes leave behind."""

import html
import math
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest

from ciclo.components.core.errors import SubmissionError
from ciclo.components.monitoring.governing.claims import RUN_LIMIT, Made, claim_run, close_claims, ended, start_run
from ciclo.components.monitoring.governing.decision import decide
from ciclo.components.monitoring.log import HOLD
from ciclo.components.monitoring.observing.evidence import Evidence
from ciclo.components.monitoring.observing.observation import window_of
from ciclo.components.monitoring.observing.performance import Performance
from ciclo.components.monitoring.records import Acknowledgement, Claim, Outcome, Permission
from ciclo.components.monitoring.telling.alerting import AlertLog
from ciclo.components.monitoring.tick import replay
from ciclo.components.releases.names import Alias
from ciclo.components.runs.notes import Note
from tests.unit.monitoring.conftest import NOW, Reversed
from tests.unit.monitoring.faults import together

WEEK = timedelta(days=7)


class Killed(BaseException):
    """The process dies here: nothing can catch it."""


def test_a_clean_window_is_ok_and_written_down(make_world):
    world = make_world()
    world.serve(NOW, rows=800, days=14, labels=True)
    decision = world.tick()
    assert (decision.action, decision.alarm, decision.version) == ("ok", False, 1)
    assert decision.evidence["rows"] == 400
    assert "accuracy_score" in decision.reason
    assert world.history().decisions == (decision,)
    assert world.backend.count == 0


def test_too_little_data_is_noted_and_decides_nothing(make_world):
    world = make_world()
    world.serve(NOW, rows=199, shift=5)
    decision = world.tick()
    assert (decision.action, decision.alarm) == ("ok", None)
    assert "199 rows, 200 are needed" in decision.reason


@pytest.mark.slow
def test_drift_is_watched_then_retrained_on_rows_whose_labels_are_known(make_world):
    world = make_world()
    world.project = world.project.model_copy(
        update={"design": world.project.design.model_copy(update={"label_delay_days": 3})}
    )
    world.serve(NOW, shift=1)
    first = world.tick()
    assert (first.action, first.cause) == ("watch", "estimated performance and input drift and prediction drift")
    assert world.tick(NOW + timedelta(minutes=20)).action == "watch"
    world.serve(NOW + WEEK, shift=1)
    second = world.tick(NOW + WEEK)
    assert second.action == "retrain"
    assert second.retrain_end == NOW + WEEK - timedelta(days=3)
    assert "'amount'" in second.reason
    assert "in 2 of the last 3 windows" in second.reason
    (claim,) = world.history().claims
    assert world.backend.runs == {claim.run_name: [claim.run_id]}


@pytest.mark.slow
def test_only_what_the_champion_answered_is_judged(eager):
    eager.serve(NOW, version=1)
    eager.serve(NOW, shift=3, version=2)
    assert eager.tick().action == "ok"


@pytest.mark.slow
def test_performance_alone_can_alarm(eager):
    eager.serve(NOW, rows=800, labels=True)
    assert eager.tick().action == "ok"
    eager.model = Reversed(eager.model)
    eager.serve(NOW + WEEK, rows=800, labels=True)
    decision = eager.tick(NOW + WEEK)
    assert decision.action == "retrain"
    assert "performance" in decision.cause
    assert decision.evidence["score"] < 0.6


def test_labels_that_come_late_are_judged_late(make_world):
    world = make_world(persistence={"alarms": 1, "windows": 1})
    delayed = world.project.design.model_copy(update={"label_delay_days": 14})
    world.project = world.project.model_copy(update={"design": delayed})
    world.serve(NOW)
    world.serve(NOW - 2 * WEEK, rows=300, labels=True)
    decision = world.tick()
    assert decision.evidence["labelled_rows"] == 300
    assert decision.action == "ok"


@pytest.mark.slow
def test_entities_are_the_evidence_beside_days_where_the_split_goes_by_them(make_world):
    world = make_world()
    split = world.project.cleaning.split.model_copy(update={"group": "city"})
    cleaning = world.project.cleaning.model_copy(update={"split": split})
    world.project = world.project.model_copy(update={"cleaning": cleaning})
    world.serve(NOW, rows=800, days=14, labels=True)
    assert "labelled rows of 3 entities are too few" in world.tick().reason


@pytest.mark.slow
def test_without_a_submitter_a_retraining_is_only_recommended(eager):
    eager.serve(NOW, shift=1)
    decision = eager.tick(submit=None)
    assert decision.action == "recommend"
    assert decision.retrain_end == NOW
    assert eager.history().claims == ()


def test_a_dry_run_leaves_no_trace(eager):
    eager.serve(NOW, shift=1)
    before = list(eager.store.list(""))
    assert eager.tick(dry_run=True).action == "recommend"
    assert list(eager.store.list("")) == before
    assert eager.backend.count == 0


def test_without_a_champion_there_is_nothing_to_watch(eager):
    eager.project = eager.project.model_copy(update={"name": "other"})
    eager.registry = type(eager.registry)(eager.store, "other", eager.registry._trust)
    assert eager.tick().action == "ok"


def test_the_same_tick_decides_the_same(eager):
    eager.serve(NOW, shift=1, labels=True)
    first, second = eager.tick(dry_run=True), eager.tick(dry_run=True)
    assert first == second


# What serves is watched, whatever the champion is.


@pytest.mark.slow
def test_what_serves_is_watched_and_not_a_champion_whose_deployment_failed(eager, tmp_path):
    eager.publish(tmp_path, deployed=False)
    eager.serve(NOW, version=1)
    decision = eager.tick()
    assert (decision.action, decision.version, decision.evidence["rows"]) == ("ok", 1, 400)


@pytest.fixture
def unserved(eager, tmp_path):
    """A world in which version 2 has been the champion for two hours and version 1 serves; and the time of its tick."""
    eager.publish(tmp_path, deployed=False)
    return eager, datetime.now(UTC) + timedelta(hours=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shift", "failed", "action"),
    [(0, False, "ok"), (0, True, "alert"), (1, False, "blocked"), (1, True, "blocked")],
    ids=["quiet and being mended", "quiet and not to be mended", "drift and being mended", "drift and neither"],
)
def test_a_champion_that_does_not_serve_is_deployed_before_anything_is_retrained(unserved, shift, failed, action):
    world, now = unserved
    world.serve(now, shift=shift)
    if failed:
        world.backend.serve = lambda name, window_end: ("the run that was to serve it ended failed", True)
    decision = world.tick(now)
    assert (decision.action, decision.version) == (action, 1)
    assert "Version 2 has been the champion since" in decision.reason
    assert "version 1 serves" in decision.reason
    assert ("ended failed" if failed else "a run is to serve it") in decision.reason
    assert world.backend.count == 0
    if not failed:
        (name,) = set(world.backend.served)
        assert name.startswith("loans-serve-")


@pytest.mark.slow
def test_a_champion_that_the_tick_could_deploy_is_watched_at_once(unserved):
    world, now = unserved
    world.serve(now, version=2)

    def serve(name, window_end):
        world.point("serving", 2)
        return "version 2 answers", False

    world.backend.serve = serve
    decision = world.tick(now)
    assert (decision.action, decision.version) == ("ok", 2)
    assert "champion since" not in decision.reason


@pytest.mark.slow
def test_a_deployment_that_may_still_be_going_on_is_left_alone(unserved):
    world, now = unserved
    world.serve(now)
    soon = datetime.now(UTC) + timedelta(minutes=30)
    assert world.tick(soon, dry_run=False).action == "ok"
    assert world.backend.served == []
    world.tick(now, dry_run=True)
    assert world.backend.served == []


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "action"), [(0, "alert"), (1, "retrain")], ids=["quiet", "drift"])
def test_a_server_that_does_not_run_is_told_of(eager, shift, action):
    eager.serve(NOW, shift=shift)
    eager.backend.down = True
    decision = eager.tick()
    assert decision.action == action
    assert decision.reason.startswith("The server of version 1 does not run on this machine; `ciclo deploy`")


@pytest.mark.slow
def test_a_champion_that_does_not_serve_is_tried_once_a_day(unserved):
    world, now = unserved
    for hours in (0, 1, 24):
        world.serve(now + timedelta(hours=hours))
        world.tick(now + timedelta(hours=hours))
    assert len(world.backend.served) == 3
    assert len(set(world.backend.served)) in (2, 3)  # an hour may lie on both sides of midnight


def test_a_version_that_serves_and_cannot_be_read_pages_and_stops_nothing(eager):
    eager.serve(NOW)
    (profile,) = eager.settings.home.glob("store/projects/loans/versions/1/profile.json")
    profile.write_text(profile.read_text() + " ")
    decision = eager.tick()
    assert (decision.action, decision.kinds, decision.alarm) == ("alert", ("serving",), None)
    assert decision.cause == "unreadable version"
    assert "Version 1 serves" in decision.reason
    assert "'profile.json' is not the one that was published" in decision.reason
    assert eager.history().decisions == (decision,)


# What a run led to, seen by later ticks.


LATE = RUN_LIMIT + timedelta(hours=1)


PROMOTED = Made(2, NOW + timedelta(hours=1))
OFFERED = Made(2, None)


@pytest.mark.parametrize(
    ("run", "state", "made", "replaced", "later", "expected"),
    [
        ("r", "succeeded", OFFERED, False, WEEK / 50, "waiting"),
        ("r", "succeeded", OFFERED, True, WEEK / 50, "waiting"),
        ("r", "failed", OFFERED, False, WEEK / 50, "failed"),
        ("r", "running", None, False, WEEK / 50, None),
        ("r", "running", PROMOTED, True, WEEK / 50, None),
        ("r", "running", None, False, LATE, "failed"),
        ("r", "succeeded", None, False, WEEK / 50, "refused"),
        ("r", "succeeded", None, True, WEEK / 50, "refused"),
        ("r", "succeeded", PROMOTED, True, WEEK / 50, "promoted"),
        ("r", "failed", None, False, WEEK / 50, "failed"),
        ("r", "failed", None, True, WEEK / 50, "failed"),
        ("r", "failed", PROMOTED, True, WEEK / 50, "promoted"),
        ("r", "unknown", None, False, WEEK / 50, None),
        ("r", "unknown", None, True, WEEK / 50, None),
        ("r", "unknown", PROMOTED, True, WEEK / 50, "promoted"),
        ("r", "unknown", None, False, LATE, "failed"),
        (None, "unknown", None, False, WEEK / 50, None),
        (None, "unknown", None, False, LATE, "stopped"),
        (None, "unknown", None, True, WEEK / 50, "stopped"),
    ],
)
def test_how_a_run_ended(run, state, made, replaced, later, expected):
    claim = Claim(
        key="k", run_name="n", champion=1, time=NOW, holder="h", held_until=NOW, retrain_end=NOW, trigger="t",
        run_id=run,
    )  # fmt: skip
    champion = Alias(9 if replaced else 1, "d", 1, "n", (NOW + timedelta(hours=1)).isoformat(), "by", "why")
    outcome = ended(claim, run, state, made, champion, NOW + later)
    assert (outcome and outcome.result) == expected
    if expected in ("promoted", "waiting"):
        assert outcome.version == 2
    if expected == "promoted":
        assert outcome.time == NOW + timedelta(hours=1)


@pytest.mark.slow
def test_the_end_of_a_run_is_noticed_by_the_next_tick(eager, tmp_path):
    eager.serve(NOW, shift=1)
    eager.tick()
    (claim,) = eager.history().claims
    assert eager.tick(NOW + timedelta(hours=1)).reason.endswith("has not ended.")
    eager.publish(tmp_path, run=claim.run_id)
    eager.backend.states[claim.run_id] = "succeeded"
    eager.tick(NOW + timedelta(hours=2))
    (outcome,) = eager.history().outcomes
    assert (outcome.result, outcome.version, outcome.run_id) == ("promoted", 2, claim.run_id)


@pytest.mark.slow
def test_what_another_run_promoted_is_not_taken_for_what_this_one_did(eager, tmp_path):
    eager.serve(NOW, shift=1)
    eager.tick()
    (claim,) = eager.history().claims
    eager.publish(tmp_path, run=f"{claim.run_id}-of-somebody-else")
    eager.backend.states[claim.run_id] = "succeeded"
    eager.tick(NOW + timedelta(hours=2))
    (outcome,) = eager.history().outcomes
    assert (outcome.result, outcome.version) == ("refused", None)


@pytest.mark.slow
def test_a_run_that_finds_nothing_better_than_the_simple_answers_twice_calls_design_at_once(eager):
    eager.serve(NOW, shift=1)
    eager.tick()
    (claim,) = eager.history().claims
    eager.backend.states[claim.run_id] = "succeeded"
    note = Note(stage="stop keep", ending="escalated", reason="neither beats the simple answers", time=NOW)
    eager.store.put(f"projects/loans/runs/{claim.run_id}/stop-keep.json", note.model_dump_json().encode())
    eager.serve(NOW + WEEK)  # nothing drifts any more
    decision = eager.tick(NOW + WEEK)
    (outcome,) = eager.history().outcomes
    assert (outcome.result, decision.action, decision.cause) == ("unbeaten", "escalate_design", "simple answers")
    assert "neither the new model nor the champion beat the simple answers" in decision.reason
    eager.serve(NOW + 2 * WEEK, shift=1)
    assert eager.tick(NOW + 2 * WEEK).action == "blocked"  # until somebody has acknowledged it
    eager.log.acknowledge(Acknowledgement(by="ada", note="new features", time=NOW + 2 * WEEK + timedelta(hours=1)))
    eager.serve(NOW + 3 * WEEK)
    assert eager.tick(NOW + 3 * WEEK).action == "ok"


@pytest.mark.slow
def test_refusals_call_development_then_design_and_each_waits_for_a_person(make_world):
    world = make_world(persistence={"alarms": 1, "windows": 1}, cool_down_days=0, budget={"runs": 50, "days": 100})
    actions = []
    for week in range(9):
        now = NOW + week * WEEK
        world.serve(now, shift=1)
        actions.append(world.tick(now).action)
        for claim in world.history().open_claims:
            world.backend.states[claim.run_id] = "succeeded"
        if week in (3, 7):
            world.log.acknowledge(Acknowledgement(by="ada", note="mended the feed", time=now + timedelta(hours=1)))
    assert actions == [
        "retrain", "retrain", "escalate_development", "blocked",
        "retrain", "retrain", "escalate_design", "blocked",
        "retrain",
    ]  # fmt: skip


@pytest.mark.slow
def test_retraining_that_does_not_help_calls_development(make_world, tmp_path):
    world = make_world(persistence={"alarms": 1, "windows": 2}, cool_down_days=0)
    world.serve(NOW, shift=1)
    assert world.tick().action == "retrain"
    (claim,) = world.history().claims
    world.log.settle(Outcome(claim=claim.key, run_id="r", result="promoted", version=2, time=NOW))
    world.publish(tmp_path)  # trained on the same rows: the profile has not changed
    actions = []
    for week in (1, 2):
        world.serve(NOW + week * WEEK, shift=1, version=2)
        actions.append(world.tick(NOW + week * WEEK).action)
    assert actions == ["blocked", "escalate_development"]
    assert "version 2 was promoted" in world.history().decisions[-1].reason


# Never two runs, never none for ever.


@pytest.mark.slow
def test_ticks_at_the_same_moment_make_one_run(eager):
    eager.serve(NOW, rows=300, shift=1)
    assert together(eager.tick, 4) == []
    history = eager.history()
    assert (eager.backend.count, len(history.claims)) == (1, 1)
    assert [d.action for d in history.decisions] == ["retrain"]  # the same tick four times is one tick


@pytest.mark.slow
def test_twenty_waves_of_sixteen_triggers_make_one_run(eager):
    champion = eager.registry.alias("champion")
    won = []

    def trigger(now):
        history = eager.log.history(now, eager.project.monitoring)
        close_claims(eager.log, history, eager.registry, eager.backend, now, eager.project.monitoring)
        start, end = window_of(now, eager.project.monitoring)
        worse = Performance("roc_auc_score", 500, None, 0.9, True, "the score fell")
        evidence = Evidence(1, NOW - 9 * WEEK, start, end, 1_000, end, end, performance=worse)
        decision = decide(evidence, history, now, eager.project.monitoring)
        if decision.action == "retrain":
            claim = claim_run(eager.log, eager.project, champion, decision, history)
            if claim is not None:
                won.append(claim)
                start_run(eager.log, claim, eager.backend, now)

    for wave in range(20):
        now = NOW + timedelta(minutes=7 * wave)  # over two full hours, so that the window moves as well
        assert together(partial(trigger, now), 16) == []
    assert (eager.backend.count, len(won), len(eager.history().claims)) == (1, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before", "after"])
def test_a_tick_that_is_killed_around_the_submission_leads_to_exactly_one_run(eager, where):
    eager.serve(NOW, shift=1)
    eager.backend.fault = (where, Killed())
    with pytest.raises(Killed):
        eager.tick()
    assert eager.history().claims[0].run_id is None
    eager.backend.fault = None

    assert eager.tick(NOW + HOLD / 2).action == "blocked"
    assert eager.backend.count == (where == "after")  # the claim is still held: nobody interferes
    for hours in (1, 2, 3):
        assert eager.tick(NOW + timedelta(hours=hours)).action == "blocked"
    (claim,) = eager.history().claims
    assert eager.backend.count == 1
    assert eager.backend.find(claim.run_name) == claim.run_id


def test_a_tick_that_is_killed_before_its_decision_is_filed_leads_to_exactly_one_run(eager, monkeypatch):
    eager.serve(NOW, shift=1)
    with monkeypatch.context() as patch:
        patch.setattr("ciclo.components.monitoring.tick.DecisionLog.append", _die)
        with pytest.raises(Killed):
            eager.tick()
    assert (len(eager.history().claims), eager.backend.count) == (1, 0)
    eager.tick(NOW + HOLD)
    assert eager.backend.count == 1


def _die(*_):
    raise Killed


@pytest.mark.slow
def test_a_submission_that_fails_is_repeated_by_the_next_tick_at_once(eager):
    eager.serve(NOW, shift=1)
    eager.backend.fault = ("before", SubmissionError("nobody answers"))
    with pytest.raises(SubmissionError):
        eager.tick()
    with pytest.raises(SubmissionError):
        eager.tick(NOW + timedelta(minutes=1))
    eager.backend.fault = None
    eager.tick(NOW + timedelta(minutes=2))
    assert eager.backend.count == 1
    assert eager.history().claims[0].run_id is not None


@pytest.mark.slow
def test_many_that_take_over_a_dead_claim_make_one_run(eager):
    eager.serve(NOW, shift=1)
    eager.backend.fault = ("before", Killed())
    with pytest.raises(Killed):
        eager.tick()
    eager.backend.fault = None
    later = NOW + timedelta(hours=1)
    assert together(partial(eager.tick, later), 4) == []
    assert eager.backend.count == 1


def test_a_dead_claim_on_a_champion_that_was_replaced_meanwhile_is_dropped(eager, tmp_path):
    eager.serve(NOW, shift=1)
    eager.backend.fault = ("before", Killed())
    with pytest.raises(Killed):
        eager.tick()
    eager.backend.fault = None
    eager.publish(tmp_path)
    eager.tick(NOW + timedelta(hours=1))
    assert eager.backend.count == 0
    assert [o.result for o in eager.history().outcomes] == ["stopped"]


# What a policy leaves to people and to hours.


@pytest.mark.slow
def test_a_run_that_has_to_be_allowed_is_started_by_the_next_tick_that_sees_the_same_alarm(make_world):
    world = make_world(persistence={"alarms": 1, "windows": 1}, mode="approve")
    world.serve(NOW, shift=1)
    asked = world.tick()
    assert (asked.action, asked.episode, asked.retrain_end) == ("recommend", NOW - WEEK, NOW)
    assert "`ciclo allow PROJECT --by WHO`" in asked.reason
    world.log.permit(Permission(by="ada", version=1, episode=asked.episode, time=NOW))
    started = world.tick(NOW + timedelta(hours=1))
    assert (started.action, started.episode) == ("retrain", asked.episode)
    (claim,) = world.history().claims
    assert (claim.episode, claim.attempt, world.backend.count) == (asked.episode, 1, 1)


@pytest.mark.slow
def test_what_was_allowed_for_an_alarm_that_has_ceased_is_not_used_for_the_next(make_world):
    world = make_world(persistence={"alarms": 1, "windows": 1}, mode="approve")
    world.serve(NOW, shift=1)
    world.log.permit(Permission(by="ada", version=1, episode=world.tick().episode, time=NOW))
    for week, (shift, action) in enumerate([(0, "ok"), (1, "recommend")], start=1):
        world.serve(NOW + week * WEEK, shift=shift)
        assert world.tick(NOW + week * WEEK).action == action
    assert world.backend.count == 0


@pytest.mark.slow
def test_a_run_that_a_dead_tick_left_is_not_started_in_quiet_hours(make_world):
    world = make_world(persistence={"alarms": 1, "windows": 1}, quiet_hours="06:30-09:00")
    world.serve(NOW, shift=1)
    world.backend.fault = ("before", SubmissionError("nobody answers"))
    with pytest.raises(SubmissionError):
        world.tick()
    world.backend.fault = None
    for minutes, runs in ((60, 0), (150, 0), (180, 1), (240, 1)):
        world.tick(NOW + timedelta(minutes=minutes))
        assert world.backend.count == runs


def test_a_run_says_why_it_was_started(eager):
    eager.serve(NOW, shift=1)
    decision = eager.tick()
    (said,) = eager.backend.descriptions.values()
    assert said.startswith(f"{decision.cause}: amount; window 2026-05-25 06:00 to 2026-06-01 06:00; report ")
    assert decision.report in said
    assert said.endswith(decision.reason)
    assert decision.reason in html.unescape(eager.store.get(decision.report).data.decode())


# What went wrong elsewhere: each is noticed by the first tick, a person is called, and nothing is retrained.


def null_amount(frame):
    return frame.assign(amount=np.nan)


def text_amount(frame):
    return frame.assign(amount=[math.nan] * len(frame))


def unknown_cities(frame):
    return frame.assign(city=np.where(np.arange(len(frame)) % 10 == 0, frame["city"], "Region 7").astype(object))


def cents(frame):
    return frame.assign(amount=frame["amount"] * 100)


def thousands(frame):
    return frame.assign(amount=frame["amount"] / 1_000)


def paged(world, words):
    decision = world.tick()
    assert decision.action == "alert"
    for word in words:
        assert word in decision.reason
    assert world.backend.count == 0
    assert world.history().claims == ()
    assert words[0] in world.store.get(decision.report).data.decode()


@pytest.mark.slow
def test_incident_a_column_retyped_upstream_is_cast_to_null(eager):
    eager.serve(NOW, spoil=null_amount)
    paged(eager, ["amount", "missing in 100%"])


def test_incident_most_values_of_a_column_turn_null(eager):
    eager.serve(NOW, spoil=lambda f: f.assign(age=f["age"].where(np.arange(len(f)) % 100 < 15)))
    paged(eager, ["age", "missing in 85%"])


def test_incident_a_category_list_outgrows_the_model(eager):
    eager.serve(NOW, spoil=unknown_cities)
    paged(eager, ["city", "unknown to the model in 90%"])


@pytest.mark.parametrize("spoil", [cents, thousands], ids=["a hundredfold", "a thousandth"])
def test_incident_a_column_changes_its_unit(eager, spoil):
    eager.serve(NOW, spoil=spoil)
    paged(eager, ["amount", "far outside", "100%"])


def test_incident_the_feed_is_empty(eager):
    eager.serve(NOW)
    assert eager.tick().action == "ok"
    assert eager.tick(NOW + WEEK + timedelta(hours=1)).action == "ok"  # nothing for a week: too little data
    decision = eager.tick(NOW + 2 * WEEK + timedelta(hours=1))
    assert decision.action == "alert"
    assert "empty" in decision.reason
    assert eager.backend.count == 0


def test_a_shift_in_the_world_is_no_broken_data(eager):
    eager.serve(NOW, shift=2)
    assert eager.tick().action == "retrain"


# Telling people.


@pytest.mark.slow
def test_people_are_told_once_for_each_change_and_when_it_is_over(eager):
    eager.serve(NOW, spoil=null_amount)
    for minutes in (0, 10, 20):
        eager.tick(NOW + timedelta(minutes=minutes))
    eager.serve(NOW + WEEK)
    eager.tick(NOW + WEEK)
    eager.serve(NOW + 2 * WEEK, spoil=null_amount)
    eager.tick(NOW + 2 * WEEK)
    alerts = AlertLog(eager.store, "loans").read()
    broken = "loans: critical: alert, broken data: amount"
    assert [alert.title for alert in alerts] == [broken, "loans: resolved after 7 days", broken]
    assert "is missing in" in alerts[0].text
    report = alerts[0].text.partition("Report: ")[2].splitlines()[0].partition("projects/")[2]
    assert b"Mend the source" in eager.store.get(f"projects/{report}").data


@pytest.mark.slow
def test_an_escalation_names_its_contact(make_world):
    world = make_world(persistence={"alarms": 1, "windows": 1}, cool_down_days=0, refusals=1)
    world.serve(NOW, shift=1)
    world.tick()
    world.backend.states[world.history().claims[0].run_id] = "succeeded"
    world.tick(NOW + timedelta(hours=1))
    *_, last = AlertLog(world.store, "loans").read()
    assert (last.action, last.news.severity) == ("escalate_development", "critical")
    assert "dev@example.com" in last.text
    assert "ciclo acknowledge loans --by" in last.text


# Replay.


@pytest.mark.slow
def test_a_replay_says_what_a_policy_would_have_done_and_does_nothing(make_world):
    world = make_world()
    for week, shift in enumerate([0, 0, 1, 1, 1, 1]):
        world.serve(NOW + (week + 1) * WEEK, shift=shift, version=week)
    before = list(world.store.list(""))
    known = {"registry": world.registry, "predictions": world.predictions, "start": NOW, "end": NOW + 6 * WEEK}
    decisions = replay(world.project, **known)
    assert [d.action for d in decisions] == ["ok", "ok", "watch", "retrain", "blocked", "retrain"]
    deaf = world.project.monitoring.model_copy(update={"minimum_effect": 0.9})
    assert {d.action for d in replay(world.project, policy=deaf, **known)} == {"ok"}
    assert list(world.store.list("")) == before
