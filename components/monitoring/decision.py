"""One tick, decided: (evidence, history, clock, policy) to a decision. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.drift import Drift
from ciclo.components.monitoring.governor import Situation, alarms, govern
from ciclo.components.monitoring.performance import Performance
from ciclo.components.monitoring.records import Action, Claim, Decision, History, Outcome

STALE_WINDOWS = 2
SHOWN = 3


@dataclass(frozen=True)
class Evidence:
    """What one window shows.

    Attributes:
        version: The version that serves.
        serving_since: Since when.
        start: Start of the window.
        end: Its end, exclusive.
        rows: Predictions in it.
        last_row: Time of the newest prediction of this or the window before, if there is one.
        trainable_until: End of the rows whose labels can be known.
        faults: Signs of broken data, by column.
        drift: Against the training rows; None where there are too few rows.
        performance: By the labels; None where there are too few rows.
    """

    version: int
    serving_since: datetime
    start: datetime
    end: datetime
    rows: int
    last_row: datetime | None
    trainable_until: datetime
    faults: Mapping[str, str] = field(default_factory=dict)
    drift: Drift | None = None
    performance: Performance | None = None


def decide(evidence: Evidence, history: History, now: datetime, policy: Monitoring) -> Decision:
    """Decide what a window calls for.

    Args:
        evidence: What the window shows.
        history: Everything written down before.
        now: The time of the tick.
        policy: The limits.
    """
    facts = flat(evidence)

    def decided(action: Action, reason: str, cause: str = "", alarm: bool | None = None) -> Decision:
        return Decision(
            action=action,
            reason=reason,
            cause=cause,
            alarm=alarm,
            evidence=facts,
            version=evidence.version,
            window_start=evidence.start,
            window_end=evidence.end,
            retrain_end=evidence.trainable_until if action in ("retrain", "recommend") else None,
            time=now,
        )

    if stale(evidence, now, policy):
        since = evidence.last_row or evidence.serving_since
        return decided(
            "alert", f"No prediction has been stored since {since:%Y-%m-%d %H:%M}: the feed is empty.", "empty"
        )
    if evidence.rows < policy.minimum_rows:
        return decided("ok", f"Too little data: {evidence.rows} rows, {policy.minimum_rows} are needed to judge.")
    if evidence.faults:
        finding = f"The data is broken: {_some(evidence.faults.values())}"
        return decided("alert", f"{finding}. Nothing is retrained on it.", f"broken data: {', '.join(evidence.faults)}")
    causes, finding = findings(evidence, policy)
    if not causes:
        return decided("ok", finding, alarm=False)
    seen = alarms(history, evidence.version, evidence.start, evidence.end, policy)
    needed = min(policy.persistence.alarms, policy.persistence.windows)
    if seen < needed:
        return decided("watch", f"{finding}; alarm {seen} of the {needed} that confirm it.", causes, True)
    ruling = govern(Situation(history, evidence.version, evidence.start, now, policy))
    times = f"in {seen} of the last {policy.persistence.windows} windows"
    return decided(ruling.action, f"{finding}, {times}; {ruling.reason}.", causes, True)


def stale(evidence: Evidence, now: datetime, policy: Monitoring) -> bool:
    """Whether nothing has been predicted for two windows, all of which this version has served."""
    newest = max(evidence.last_row or evidence.serving_since, evidence.serving_since)
    return evidence.rows == 0 and now - newest >= timedelta(days=STALE_WINDOWS * policy.window_days)


def findings(evidence: Evidence, policy: Monitoring) -> tuple[str, str]:
    """Put what the window shows into words.

    Returns:
        The causes of an alarm in a few words (empty for none), and the finding.
    """
    causes, sentences = [], []
    drift, performance = evidence.drift, evidence.performance
    if performance is not None and performance.degraded:
        causes.append("performance")
        sentences.append(f"the model got worse: {performance.reason}")
    if drift is not None and drift.inputs:
        causes.append("input drift")
        worst = [f"'{c.name}' by {c.effect:.2f}" for c in drift.columns if c.drifted]
        sentences.append(f"columns with {drift.importance:.0%} of the importance have drifted ({_some(worst)})")
    if drift is not None and drift.prediction is not None and drift.predictions:
        causes.append("prediction drift")
        sentences.append(f"the predictions have drifted by {drift.prediction.effect:.2f}")
    if causes:
        return " and ".join(causes), _sentence("; ".join(sentences))
    moved = drift.names if drift is not None else []
    much = f"drifted columns ({_some(moved)}) hold less than {policy.drifted_importance:.0%} of the importance"
    labels = performance.reason if performance is not None else "there are no labels"
    return "", _sentence(f"{much if moved else 'no column has drifted'}; {labels}") + "."


def flat(evidence: Evidence) -> dict[str, str | float | int]:
    """The evidence as flat numbers and strings."""
    facts: dict[str, str | float | int] = {"rows": evidence.rows}
    if evidence.faults:
        facts["faults"] = "; ".join(evidence.faults.values())
    if drift := evidence.drift:
        facts |= {"drifted_importance": round(drift.importance, 4), "drifted_columns": ", ".join(drift.names)}
        if drift.prediction is not None:
            facts["prediction_effect"] = round(drift.prediction.effect, 4)
    if performance := evidence.performance:
        facts |= {"metric": performance.metric, "labelled_rows": performance.rows, "performance": performance.reason}
        if score := performance.score:
            facts |= {"score": score.point, "score_low": score.low, "score_high": score.high}
    return facts


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
            )
            ended = Outcome(claim=key, result="stopped", time=window.end)
            history = history.model_copy(
                update={"claims": (*history.claims, claim), "outcomes": (*history.outcomes, ended)}
            )
    return list(history.decisions)


def _some(items: Iterable[str]) -> str:
    shown = list(items)
    rest = len(shown) - SHOWN
    return ", ".join(shown[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
