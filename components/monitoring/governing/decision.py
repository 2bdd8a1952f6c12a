"""One tick, decided: (evidence, history, clock, policy) to a decision. Pure.

What leads to what: broken data calls a person and retrains nothing. Drift alone recommends, for most of it costs no
performance, and no method knows a season that training has not seen. Loss retrains: realised loss, or drift with
estimated loss where no label can tell. Age retrains where the policy gives one. Whatever retrains needs enough new
labels and the governor's leave. A refitted model that is worse than the tested one is taken back, with that leave.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from ciclo.components.core.sections import Monitoring
from ciclo.components.core.wording import counted, listed
from ciclo.components.monitoring.governing.governor import (
    REFIT,
    REFRESH,
    Situation,
    alarms,
    beaten_by_simple_answers,
    disjoint,
    first_window,
    govern,
)
from ciclo.components.monitoring.observing.evidence import SHOWN, Evidence, as_sentence, findings, flat
from ciclo.components.monitoring.observing.health import ROWS, ROWS_WINDOWS, volume
from ciclo.components.monitoring.records import LATE_LABELS, Action, Claim, Decision, History, Kind, Outcome

STALE_WINDOWS = 2
REMEMBERED = 20
LATE = 0.5
REFRESHED = "refresh"
DATA: tuple[Kind, ...] = ("data",)
WORSE_REFIT = "the refit is worse than what was tested"
STARTING = ("retrain", "recommend")


def decide(evidence: Evidence, history: History, now: datetime, policy: Monitoring) -> Decision:
    """Decide what a window calls for.

    Args:
        evidence: What the window shows.
        history: Everything written down before.
        now: The time of the tick.
        policy: The limits.
    """
    broken = _broken(evidence, history, now, policy)
    if broken is not None:
        return broken
    if text := beaten_by_simple_answers(history):
        return _decision(evidence, now, "escalate_design", text, cause="simple answers", kinds=("realised",))
    if evidence.rows < policy.minimum_rows and not evidence.kinds:
        reason = f"Too little data: {counted(evidence.rows, 'row')}, {policy.minimum_rows} are needed to judge."
        return _refresh(evidence, history, now, policy, reason) or _decision(evidence, now, "ok", reason)
    causes, finding = findings(evidence, policy)
    if not evidence.kinds:
        quiet = _decision(evidence, now, "ok", finding, alarm=False)
        return _refresh(evidence, history, now, policy, finding, alarm=False) or quiet
    episode = first_window(history, evidence.version, evidence.start)
    # What labels show is about rows that are as much older as a label takes to come.
    since = episode - (evidence.end - evidence.trainable_until) if "realised" in evidence.kinds else episode
    slices = tuple(f"{s.column}={s.value}" for s in evidence.drift.segments) if evidence.drift else ()
    situation = Situation(
        history, evidence.version, evidence.start, now, policy, evidence.kinds, evidence.columns, slices, since
    )
    alarm: dict[str, Any] = {
        "kinds": evidence.kinds,
        "cause": causes,
        "alarm": True,
        "since": since,
        "episode": episode,
    }
    seen = alarms(history, evidence.version, evidence.start, evidence.end, policy)
    needed = min(policy.persistence.alarms, policy.persistence.windows)
    if seen < needed:
        return _decision(evidence, now, "watch", f"{finding}; alarm {seen} of the {needed} that confirm it.", **alarm)
    if policy.persistence.windows > 1:
        finding = f"{finding}, in {seen} of the last {counted(policy.persistence.windows, 'window')}"
    if evidence.kinds == ("drift",):
        refit = _refresh(evidence, history, now, policy, finding, alarm=True)
        return refit or _drifted(evidence, now, situation, finding, alarm)
    if lacking := _too_few_labels(evidence, policy, since):
        return _decision(evidence, now, "blocked", f"{finding}; {lacking}.", **alarm)
    ruling = govern(situation)
    window = _training_window(evidence, policy, since) if ruling.action in STARTING else {}
    return _decision(evidence, now, ruling.action, f"{finding}; {ruling.reason}.", **alarm, **window)


def _broken(evidence: Evidence, history: History, now: datetime, policy: Monitoring) -> Decision | None:
    """A person is called, and nothing is retrained, where it is the data that is wrong."""
    if stale(evidence, now, policy):
        since = evidence.last_row or evidence.serving_since
        reason = f"No prediction has been stored since {since:%Y-%m-%d %H:%M}: the feed is empty."
        return _decision(evidence, now, "alert", reason, kinds=DATA, cause="empty")
    if text := volume(evidence.rows, _windows_before(evidence, history, policy, "rows")):
        evidence = replace(evidence, faults={**evidence.faults, ROWS: text})
    if evidence.faults:
        reason = f"The data is broken: {listed(evidence.faults.values(), SHOWN)}. Nothing is retrained on it."
        if evidence.performance is not None and evidence.performance.degraded:
            reason = f"{reason} Beside that, the model got worse: {evidence.performance.reason}."
        cause = f"broken data: {', '.join(evidence.faults)}"
        return _decision(evidence, now, "alert", reason, kinds=DATA, cause=cause)
    if text := _late_labels(evidence, history, policy):
        return _decision(evidence, now, "alert", text, kinds=DATA, cause=LATE_LABELS)
    return None


def _drifted(evidence: Evidence, now: datetime, situation: Situation, finding: str, alarm: dict[str, Any]) -> Decision:
    """Drift alone is left to a person, who may allow a run for it."""
    policy = situation.policy
    if evidence.drift is not None and not evidence.drift.calibrated:
        reason = f"{finding}; the training rows have too few windows to tell what is usual, so this is only watched."
        return _decision(evidence, now, "watch", reason, **alarm)
    window = _training_window(evidence, policy, situation.since)
    mode = "recommend" if policy.mode == "recommend" else "approve"
    ruling = govern(replace(situation, policy=policy.model_copy(update={"mode": mode})))
    if ruling.action == "retrain":
        return _decision(evidence, now, "retrain", f"{finding}; {ruling.reason}.", **alarm, **window)
    reason = f"{finding}. Drift alone starts no run; look into the columns. {as_sentence(ruling.reason)}."
    return _decision(evidence, now, "recommend", reason, **alarm, **window)


def _refresh(
    evidence: Evidence, history: History, now: datetime, policy: Monitoring, finding: str, alarm: bool | None = None
) -> Decision | None:
    """A refit by age, which needs no alarm; None if it is not due, or may not start.

    It is due so long after the newest training row, or after the last refit that was tried.
    """
    if policy.refresh_days is None or evidence.trained_until is None:
        return None
    tried = [claim.time for claim in history.claims if claim.trigger == REFRESHED]
    due = max([evidence.trained_until, *tried]) + timedelta(days=policy.refresh_days)
    if now < due or _too_few_labels(evidence, policy):
        return None
    ruling = govern(Situation(history, evidence.version, evidence.start, now, policy, REFRESH, due=due))
    if ruling.action not in STARTING:
        return None
    about = f"a refit is due {counted(policy.refresh_days, 'day')} after the newest training row or the last refit"
    reason = f"{finding.rstrip('.')}; {about}; {ruling.reason}."
    more: dict[str, Any] = {"kinds": REFRESH, "cause": REFRESHED, "alarm": alarm, "episode": due}
    return _decision(evidence, now, ruling.action, reason, **more, **_training_window(evidence, policy, None))


def stale(evidence: Evidence, now: datetime, policy: Monitoring) -> bool:
    """Whether nothing has been predicted for two windows, all of which this version has served."""
    newest = max(evidence.last_row or evidence.serving_since, evidence.serving_since)
    return evidence.rows == 0 and now - newest >= timedelta(days=STALE_WINDOWS * policy.window_days)


def _windows_before(evidence: Evidence, history: History, policy: Monitoring, fact: str) -> list[float]:
    """A fact of the windows about this version before this one, which share no rows with it or with each other.

    The first window of a version is left out: it has hardly served all of it.
    """
    about = [
        d.model_copy(update={"alarm": False})  # windows that were not judged count here as well
        for d in history.decisions
        if d.version == evidence.version and d.evidence.get(fact) and d.kinds != DATA  # what is broken is no yardstick
    ]
    found = [float(d.evidence[fact]) for d in disjoint(about, evidence.start, policy)]
    return found[:-1][:REMEMBERED]


def _late_labels(evidence: Evidence, history: History, policy: Monitoring) -> str:
    """Whether labels that are due have stopped to come, where they used to; empty if not."""
    before = _windows_before(evidence, history, policy, "labelled_share")
    if evidence.labels is None or len(before) < ROWS_WINDOWS or not evidence.labels.share < LATE * min(before):
        return ""
    usual = f"in the {counted(len(before), 'window')} before at least {min(before):.0%}"
    return f"Only {evidence.labels.share:.0%} of the labels that are due have come, {usual}: they are late, or lost."


def _too_few_labels(evidence: Evidence, policy: Monitoring, since: datetime | None = None) -> str:
    """Why there is too little to learn from, as a clause; empty if there is enough, or if labels come another way."""
    if since is not None and evidence.trainable_until <= since:
        return f"no label of rows since {since:%Y-%m-%d} can have come yet, so a retraining would learn nothing of it"
    if evidence.new_labels is None or evidence.new_labels >= policy.minimum_new_labels:
        return ""
    return (
        f"only {counted(evidence.new_labels, 'labelled row')} since the newest training row, and a retraining wants "
        f"{policy.minimum_new_labels}"
    )


def _training_window(evidence: Evidence, policy: Monitoring, since: datetime | None) -> dict[str, datetime | None]:
    """The rows a retraining should read, by the policy."""
    end = evidence.trainable_until
    start = None
    if policy.retrain_on == "rolling":
        start = end - timedelta(days=policy.rolling_days)
    elif policy.retrain_on == "since_change" and since is not None and (evidence.new_labels or 0) > 0:
        start = since if end - since >= timedelta(days=policy.window_days * policy.persistence.windows) else None
    return {"retrain_start": start, "retrain_end": end}


def _decision(evidence: Evidence, now: datetime, action: Action, reason: str, **more: Any) -> Decision:
    return Decision(
        action=action,
        reason=as_sentence(reason),
        columns=evidence.columns if more.get("kinds") else (),
        evidence=flat(evidence),
        version=evidence.version,
        window_start=evidence.start,
        window_end=evidence.end,
        time=now,
        **more,
    )


def in_view_of_refit(
    decision: Decision, evidence: Evidence, history: History, now: datetime, policy: Monitoring
) -> Decision:
    """A decision with what the first labelled window shows of the refitted model.

    The way back needs neither an alarm nor new labels, only the governor's leave; it goes before a retraining, since
    the tested model is known to have done better. Broken data and an escalation are a person's, and stay as they are.

    Args:
        decision: What was decided of the window.
        evidence: What the window shows.
        history: Everything written down before.
        now: The time of the tick.
        policy: The limits.
    """
    if evidence.refit is None or not evidence.refit.worse:
        return decision
    finding = as_sentence(evidence.refit.reason)
    since = evidence.serving_since
    ruling = govern(Situation(history, evidence.version, evidence.start, now, policy, REFIT, due=since))
    starts_already = decision.action == "retrain" and ruling.action != "restore"
    if decision.action == "alert" or decision.escalates or starts_already:
        return decision.model_copy(update={"reason": f"{finding}. {decision.reason}"})
    changes: dict[str, Any] = {"action": ruling.action, "cause": WORSE_REFIT, "kinds": REFIT, "episode": since}
    changes |= {"reason": f"{finding}; {ruling.reason}. {decision.reason}", "retrain_start": None, "retrain_end": None}
    return decision.model_copy(update=changes)


def replay(windows: Iterable[Evidence], policy: Monitoring) -> list[Decision]:
    """Say what a policy would have decided about past windows.

    Cool-down and budget apply. What a run would have led to is not known, so every run counts as ended without effect.

    Args:
        windows: Evidence in the order of time.
        policy: The policy to try.
    """
    history = History()
    for window in windows:
        decision = decide(window, history, window.end, policy)
        history = history.model_copy(update={"decisions": (*history.decisions, decision)})
        if decision.action == "retrain":
            key = sha256(decision.time.isoformat().encode()).hexdigest()
            claim = Claim(
                key=key,
                run_name="replayed",
                holder="",
                champion=window.version,
                time=window.end,
                held_until=window.end,
                retrain_end=window.trainable_until,
                trigger=decision.cause,
                decision=decision,
            )
            ended = Outcome(claim=key, run_id="replayed", result="stopped", time=window.end)
            history = history.model_copy(
                update={"claims": (*history.claims, claim), "outcomes": (*history.outcomes, ended)}
            )
    return list(history.decisions)
