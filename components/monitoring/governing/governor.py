"""May a run be started? Pure: everything is computed from what was written down, nothing from memory.

The rules are asked in order and the first that objects decides: an escalation nobody has acknowledged, a run still in
flight, runs in a row that gave no better model, a promotion that did not help, the cool-down, the budget, the quiet
hours, and last the mode, which may leave the run to a person. A refresh, which is due by the calendar, says nothing of
whether retraining helps: it is not asked about that, and its outcomes do not count. Nor does the way back from a
refitted model to the tested one, which is asked about earlier ways back alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ciclo.components.core.schedule import quiet_until
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.wording import counted
from ciclo.components.monitoring.records import Action, Claim, Decision, History, Kind, Outcome

OVERLAP = 0.1
SHOWN = 5
REFRESH: tuple[Kind, ...] = ("refresh",)
REFIT: tuple[Kind, ...] = ("refit",)
_UNHELPFUL = {
    "refused": "gave no better model",
    "unbeaten": "found nothing better than the simple answers",
    "failed": "failed",
    "waiting": "made a version nobody let serve",
}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Ruling:
    """What the governor says to a finding that calls for a run.

    Attributes:
        action: ``retrain``, ``restore``, ``recommend``, ``blocked`` or one of ``escalate_*``.
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
        kinds: What the run would be for, as in ``Decision``; empty if that is not known.
        columns: The columns it is about, the worst first.
        slices: The slices it is about, as ``column=value``.
        since: Since when something is wrong.
        due: When a refresh was due, or since when the refitted model has served; None for an alarm.
    """

    history: History
    version: int
    start: datetime
    now: datetime
    policy: Monitoring
    kinds: tuple[Kind, ...] = ()
    columns: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    since: datetime | None = None
    due: datetime | None = None

    @property
    def episode(self) -> datetime:
        """What a claim and a permission are for: the alarm by its first window, anything else by ``due``."""
        return self.due or first_window(self.history, self.version, self.start)


def first_window(history: History, version: int, start: datetime) -> datetime:
    """The start of the first window of the unbroken alarm about a version.

    Windows that could not be judged do not break it. Each decision holds the episode it belongs to, so that this does
    not depend on how far back the history goes.

    Args:
        history: What was written down.
        version: The version that serves.
        start: Start of the current window, which alarms.
    """
    first = start
    for decision in reversed(history.decisions):
        if decision.version != version or decision.alarm is None:
            continue
        if not decision.alarm:
            break
        own = None if decision.kinds == REFIT else decision.episode  # that of a way back is no alarm's
        first = min(first, own or decision.window_start)
    return first


def attempts(history: History, version: int, episode: datetime) -> int:
    """How many runs were started for a version and an episode, or are about to be."""
    return sum((c.champion, c.episode) == (version, episode) for c in started(history))


def started(history: History) -> list[Claim]:
    """The claims that cost something: all but those that were given up before there was a run."""
    given_up = {o.claim for o in history.outcomes if o.result == "stopped" and not o.run_id}
    return [c for c in history.claims if c.key not in given_up]


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
    """Rule on a confirmed alarm, on a refresh that is due, or on the way back from a refitted model."""
    for rule in RULES:
        if ruling := rule(situation):
            return ruling
    if situation.kinds == REFIT:
        return Ruling("restore", "going back to the tested model is due")
    return Ruling("retrain", "retraining is due")


def open_breaker(history: History) -> str:
    """Why nothing is retrained until a person acknowledges an escalation, as a clause; empty if none is open."""
    escalation = history.open_escalation
    if escalation is None:
        return ""
    return (
        f"retraining stopped on {escalation.time:%Y-%m-%d} and was handed to "
        f"{escalation.action.removeprefix('escalate_')}; it goes on after "
        "`ciclo acknowledge PROJECT --by WHO --note TEXT`"
    )


def beaten_by_simple_answers(history: History) -> str:
    """Why the design is in question though nothing has alarmed, as a sentence; empty if it is not.

    A run has found, for the second time in a row, that neither its model nor the champion beats the simple answers. It
    is said once: whoever acknowledges it has heard it.
    """
    last = next((o for o in reversed(history.outcomes) if o.result != "stopped"), None)
    if last is None or last.result != "unbeaten" or history.acknowledged_since(last.time):
        return ""
    if any(d.escalates and d.time >= last.time for d in history.decisions):
        return ""
    return (
        f"The run '{last.run_id}' ended on {last.time:%Y-%m-%d}: in two runs in a row neither the new model nor the "
        "champion beat the simple answers, so the design is in question"
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
    if s.kinds == REFRESH:
        return None
    served = {s.version, *(d.version for d in s.history.decisions)}
    in_a_row: list[str] = []
    for outcome in reversed(_informative(s)):
        if outcome.result == "promoted" or (outcome.result == "waiting" and outcome.version in served):
            break
        in_a_row.append(outcome.result)
    if len(in_a_row) < s.policy.refusals:
        return None
    counts = {what: in_a_row.count(result) for result, what in _UNHELPFUL.items() if result in in_a_row}
    if len(counts) == 1:
        return _escalation(s, f"{counted(len(in_a_row), 'run')} in a row {next(iter(counts))}")
    parts = ", ".join(f"{count} {what}" for what, count in counts.items())
    return _escalation(s, f"{counted(len(in_a_row), 'run')} in a row did not help: {parts}")


def _unhelped(s: Situation) -> Ruling | None:
    """Has the last retraining cured what it was for?"""
    promoted = [o for o in _informative(s) if o.result in ("promoted", "waiting") and o.version == s.version]
    if s.kinds == REFRESH or not promoted:
        return None
    last, needed = promoted[-1], s.policy.persistence.windows
    purpose = next((c.decision for c in s.history.claims if c.key == last.claim), None)
    mine = [d for d in s.history.decisions if d.version == s.version and d.window_start >= last.time]
    after = disjoint(mine, s.start, s.policy)
    if not all(d.alarm and _same_trouble(purpose, d.kinds, d.columns) for d in after):
        return None
    if not _same_trouble(purpose, s.kinds, s.columns):
        return None
    windows = len(after) + (s.start >= last.time)
    if windows < needed:
        return Ruling(
            "blocked",
            f"whether version {last.version} of {last.time:%Y-%m-%d} helps is judged after "
            f"{counted(needed, 'window')}, so far there are {windows}",
        )
    return _escalation(s, f"version {last.version} was promoted on {last.time:%Y-%m-%d} and the alarm has not ceased")


def _same_trouble(purpose: Decision | None, kinds: tuple[Kind, ...], columns: tuple[str, ...]) -> bool:
    """Whether an alarm is about what a run was for, as far as that is known.

    Loss is loss, realised or estimated; drift is the same where it has a column in common.
    """
    if purpose is None or not purpose.kinds or not kinds:
        return True
    loss = {"realised", "estimated"}
    if loss & {*purpose.kinds} and loss & {*kinds}:
        return True
    both_drifted = "drift" in purpose.kinds and "drift" in kinds
    return both_drifted and (not purpose.columns or not columns or bool({*purpose.columns} & {*columns}))


def _cool_down(s: Situation) -> Ruling | None:
    claims = started(s.history)
    if not claims:
        return None
    over = max(c.time for c in claims) + timedelta(days=s.policy.cool_down_days)
    return Ruling("blocked", f"the cool-down lasts until {over:%Y-%m-%d %H:%M}") if s.now < over else None


def _budget(s: Situation) -> Ruling | None:
    budget = s.policy.budget
    used = sum(c.time > s.now - timedelta(days=budget.days) for c in started(s.history))
    if used < budget.runs:
        return None
    return Ruling("blocked", f"the budget of {counted(budget.runs, 'run')} in {counted(budget.days, 'day')} is used up")


def _quiet(s: Situation) -> Ruling | None:
    until = quiet_until(s.policy.quiet_hours, s.now)
    return Ruling("blocked", f"no run is started before {until:%H:%M} UTC (quiet hours)") if until else None


def _left_to_a_person(s: Situation) -> Ruling | None:
    if s.policy.mode == "recommend":
        what, command = "retraining", "ciclo run PROJECT"
        if s.kinds == REFIT:
            what, command = "the way back", "ciclo models restore PROJECT --why WHY"
        return Ruling("recommend", f"the policy leaves {what} to a person (monitoring.mode): `{command}`")
    if s.policy.mode == "retrain":
        return None
    attempt = attempts(s.history, s.version, s.episode) + 1
    asked = (s.version, s.episode, attempt)
    if any((p.version, p.episode, p.attempt) == asked for p in s.history.permissions):
        return None
    return Ruling("recommend", "a person has to allow the run: `ciclo allow PROJECT --by WHO`")


RULES: tuple[Callable[[Situation], Ruling | None], ...] = (
    _open_breaker,
    _in_flight,
    _refused,
    _unhelped,
    _cool_down,
    _budget,
    _quiet,
    _left_to_a_person,
)


def _informative(s: Situation) -> list[Outcome]:
    """Outcomes since the last acknowledgement that tell something about whether such a run helps."""
    since = s.history.acknowledgements[-1].time if s.history.acknowledgements else _LONG_AGO
    others = {c.key for c in s.history.claims if c.kinds == REFRESH or (c.kinds == REFIT) != (s.kinds == REFIT)}
    return [o for o in s.history.outcomes if o.time > since and o.result != "stopped" and o.claim not in others]


def _escalation(s: Situation, reason: str) -> Ruling:
    """Call development; call design where development was called before and nothing has been quiet since."""
    earlier = [d for d in s.history.decisions if d.escalates]
    helped = earlier and any(
        d.alarm is False and d.version > earlier[-1].version and d.window_start >= earlier[-1].time
        for d in s.history.decisions
    )
    reason = f"{reason}{_place(s)}"
    if earlier and not helped:
        return Ruling("escalate_design", f"{reason}, again after development had looked: the design is in question")
    return Ruling("escalate_development", f"{reason}: a person of development has to look")


def _place(s: Situation) -> str:
    """Which columns and slices, since when; in brackets, empty if nothing is known."""
    parts = []
    for what, names in (("columns", s.columns), ("slices", s.slices)):
        if names:
            rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            parts.append(f"{what} {', '.join(names[:SHOWN])}{rest}")
    since = s.since or (s.episode if parts else None)
    if since:
        parts.append(f"since {since:%Y-%m-%d}")
    return f" ({'; '.join(parts)})" if parts else ""
