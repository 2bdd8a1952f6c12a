"""May a confirmed alarm start a run? Pure: everything is computed from what was written down, nothing from memory.

The rules are asked in order and the first that objects decides: an escalation nobody has acknowledged, a run still in
flight, challengers refused in a row, a promotion that did not help, the cool-down, the budget.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.records import Action, Decision, History, Outcome

OVERLAP = 0.1
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Ruling:
    """What the governor says to a confirmed alarm.

    Attributes:
        action: ``retrain``, ``blocked`` or one of ``escalate_*``.
        reason: Why, as a clause that can follow the finding.
    """

    action: Action
    reason: str


@dataclass(frozen=True)
class Situation:
    """What the rules look at.

    Attributes:
        history: Everything written down.
        version: The version that serves.
        start: Start of the current window.
        now: The time of the tick.
        policy: The limits.
    """

    history: History
    version: int
    start: datetime
    now: datetime
    policy: Monitoring


def disjoint(decisions: list[Decision], start: datetime, policy: Monitoring) -> list[Decision]:
    """Pick past judgements on windows that share no rows with the current one or with each other, newest first.

    Two looks at the same rows are one piece of evidence, however often the tick runs. Windows may overlap by a tenth,
    so that a tick that was a little early is not lost.
    """
    slack = timedelta(days=policy.window_days * OVERLAP)
    picked: list[Decision] = []
    for decision in sorted(decisions, key=lambda d: d.window_end, reverse=True):
        if decision.alarm is not None and decision.window_end <= start + slack:
            picked.append(decision)
            start = decision.window_start
    return picked


def alarms(history: History, version: int, start: datetime, end: datetime, policy: Monitoring) -> int:
    """Count the alarms about this version among the last N windows, the current alarm included."""
    oldest = end - timedelta(days=policy.window_days * policy.persistence.windows)
    recent = [d for d in history.decisions if d.version == version and d.window_end > oldest]
    return 1 + sum(bool(d.alarm) for d in disjoint(recent, start, policy)[: policy.persistence.windows - 1])


def govern(situation: Situation) -> Ruling:
    """Rule on a confirmed alarm."""
    for rule in RULES:
        if ruling := rule(situation):
            return ruling
    return Ruling("retrain", "retraining is due")


def open_breaker(history: History) -> str:
    """Why nothing is retrained until a person acknowledges an escalation, as a clause; empty if none is open."""
    escalations = [d for d in history.decisions if d.escalates]
    if not escalations or history.acknowledged_since(escalations[-1].time):
        return ""
    return (
        f"retraining stopped on {escalations[-1].time:%Y-%m-%d} and was handed to "
        f"{escalations[-1].action.removeprefix('escalate_')}; it goes on once somebody acknowledges that"
    )


def _open_breaker(s: Situation) -> Ruling | None:
    reason = open_breaker(s.history)
    return Ruling("blocked", reason) if reason else None


def _in_flight(s: Situation) -> Ruling | None:
    if not s.history.open_claims:
        return None
    claim = s.history.open_claims[0]
    return Ruling("blocked", f"the run '{claim.run_name}' of {claim.time:%Y-%m-%d} has not ended")


def _refused(s: Situation) -> Ruling | None:
    in_a_row = 0
    for outcome in reversed(_informative(s)):
        if outcome.result == "promoted":
            break
        in_a_row += 1
    if in_a_row < s.policy.refusals:
        return None
    return _escalation(s, f"{in_a_row} runs in a row gave no better model")


def _unhelped(s: Situation) -> Ruling | None:
    promoted = [o for o in _informative(s) if o.result == "promoted" and o.version == s.version]
    if not promoted:
        return None
    last, needed = promoted[-1], s.policy.persistence.windows
    after = disjoint([d for d in s.history.decisions if d.window_start >= last.time], s.start, s.policy)
    if not all(d.alarm for d in after):
        return None
    windows = len(after) + (s.start >= last.time)
    if windows < needed:
        return Ruling(
            "blocked",
            f"whether version {last.version} of {last.time:%Y-%m-%d} helps is judged after {needed} windows, "
            f"so far there are {windows}",
        )
    return _escalation(s, f"version {last.version} was promoted on {last.time:%Y-%m-%d} and the alarm has not ceased")


def _cool_down(s: Situation) -> Ruling | None:
    if not s.history.claims:
        return None
    over = s.history.claims[-1].time + timedelta(days=s.policy.cool_down_days)
    return Ruling("blocked", f"the cool-down lasts until {over:%Y-%m-%d %H:%M}") if s.now < over else None


def _budget(s: Situation) -> Ruling | None:
    budget = s.policy.budget
    used = sum(c.time > s.now - timedelta(days=budget.days) for c in s.history.claims)
    if used < budget.runs:
        return None
    return Ruling("blocked", f"the budget of {budget.runs} runs in {budget.days:g} days is used up")


RULES: tuple[Callable[[Situation], Ruling | None], ...] = (
    _open_breaker,
    _in_flight,
    _refused,
    _unhelped,
    _cool_down,
    _budget,
)


def _informative(s: Situation) -> list[Outcome]:
    """Outcomes since the last acknowledgement that tell something about the model."""
    since = s.history.acknowledgements[-1].time if s.history.acknowledgements else _LONG_AGO
    return [o for o in s.history.outcomes if o.time > since and o.result != "stopped"]


def _escalation(s: Situation, reason: str) -> Ruling:
    """Call development; call design where development was called before and nothing has been quiet since."""
    earlier = [d for d in s.history.decisions if d.escalates]
    helped = earlier and any(
        d.alarm is False and d.version > earlier[-1].version and d.window_start >= earlier[-1].time
        for d in s.history.decisions
    )
    if earlier and not helped:
        return Ruling("escalate_design", f"{reason}, again after development had looked: the design is in question")
    return Ruling("escalate_development", f"{reason}: a person of development has to look")
