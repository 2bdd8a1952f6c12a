"""What to tell people after a tick, or nothing. Pure: (decision, history, what was told, policy) to news.

Trouble is one episode, from the first alert to "resolved". The rules:

- A decision other than ``ok`` and ``watch`` is trouble. Its severity follows from what it rests on: broken data, a
  server that does not serve and every escalation are ``critical``, loss and a refit that is worse than what was tested
  are a ``warning``, drift and age are ``info``.
- The first trouble is told at once. Within an episode people are told again at once only if it becomes graver: a higher
  severity than any that was told, a critical matter of another kind, or broken data in a further column. Otherwise they
  are reminded after ``remind_days``.
- An episode ends with a judged, quiet window, if there was no trouble for a while before: a 24th of the window (seven
  hours of a week). Trouble that comes back within ``remind_days`` of "resolved" is a new episode, and for each such
  return the while doubles, up to ``remind_days``. So what flaps with every tick is told once, and what flaps slowly is
  told less and less often.
- A window that could not be judged, and an alarm that is not confirmed, neither begin nor end anything; a server that
  serves again ends what was told about it alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from pydantic import AwareDatetime

from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.records import Decision, History, Kind, Record

Severity = Literal["info", "warning", "critical"]
Occasion = Literal["new", "graver", "reminder", "resolved"]
RANK: dict[Severity, int] = {severity: rank for rank, severity in enumerate(get_args(Severity))}
OF_KIND: dict[Kind, Severity] = {
    "data": "critical",
    "serving": "critical",
    "realised": "warning",
    "estimated": "warning",
    "refit": "warning",
    "drift": "info",
    "refresh": "info",
}
CALM = 1 / 24  # of the window


class News(Record):
    """What people are told, and what has to be remembered of it until they are told the next.

    Attributes:
        occasion: Why they are told.
        severity: The gravest that was told in this episode since the last reminder.
        matters: What was told meanwhile: kinds, and escalations by their action.
        columns: Broken columns that were named meanwhile.
        since: When the trouble began.
        began: When the episode was first told.
        time: When this is told.
        returns: How often trouble had come back shortly after it was resolved.
    """

    occasion: Occasion
    severity: Severity
    matters: tuple[str, ...]
    columns: tuple[str, ...] = ()
    since: AwareDatetime
    began: AwareDatetime
    time: AwareDatetime
    returns: int = 0


@dataclass(frozen=True)
class Trouble:
    """A decision people have to know of."""

    severity: Severity
    matter: str
    columns: tuple[str, ...]


def trouble(decision: Decision) -> Trouble | None:
    """What a decision tells people, or None if it is none of their concern."""
    if decision.action in ("ok", "watch"):
        return None
    kinds = decision.kinds
    if decision.escalates:
        return Trouble("critical", decision.action, ())
    severities: list[Severity] = [OF_KIND[kind] for kind in kinds] or ["warning"]
    worst = max(severities, key=RANK.__getitem__)
    return Trouble(worst, kinds[0] if kinds else decision.action, decision.columns if kinds[:1] == ("data",) else ())


def plan(decision: Decision, history: History, last: News | None, policy: Monitoring) -> News | None:
    """Decide whether people are told, and of what.

    Args:
        decision: What the tick decided; its time is the clock.
        history: What was decided before.
        last: What people were told last.
        policy: Gives ``remind_days`` and the length of the window.
    """
    found, now = trouble(decision), decision.time
    remind = timedelta(days=policy.remind_days)
    is_open = last is not None and last.occasion != "resolved"
    if found is None:
        return _ended(decision, history, last, policy) if last is not None and is_open else None
    fresh = {"severity": found.severity, "matters": (found.matter,), "columns": found.columns, "time": now}
    if last is None or not is_open:
        back = last is not None and now - last.time < remind
        returns = last.returns + 1 if last is not None and back else 0
        since = min(decision.since or now, now)
        return News(occasion="new", since=since, began=now, returns=returns, **fresh)
    kept = {"since": last.since, "began": last.began, "returns": last.returns}
    if graver(found, last):
        return News(
            occasion="graver",
            severity=max(found.severity, last.severity, key=RANK.__getitem__),
            matters=tuple(dict.fromkeys((*last.matters, found.matter))),
            columns=tuple(dict.fromkeys((*last.columns, *found.columns))),
            time=now,
            **kept,
        )
    return News(occasion="reminder", **fresh, **kept) if now - last.time >= remind else None


def graver(found: Trouble, last: News) -> bool:
    """Whether trouble is graver than what people know of."""
    if RANK[found.severity] > RANK[last.severity]:
        return True
    if found.severity != "critical":
        return False
    return found.matter not in last.matters or not set(found.columns) <= set(last.columns)


def calm(returns: int, policy: Monitoring) -> timedelta:
    """How long there must have been no trouble before it counts as resolved."""
    return timedelta(days=min(policy.window_days * CALM * 2.0 ** min(returns, 30), policy.remind_days))


def _ended(decision: Decision, history: History, last: News, policy: Monitoring) -> News | None:
    serving_alone = set(last.matters) == {"serving"}
    if decision.action != "ok" or (decision.alarm is not False and not serving_alone):
        return None
    seen = max(_last_trouble(history, last.began, decision.time), last.time)
    if decision.time - seen < calm(last.returns, policy):
        return None
    return last.model_copy(update={"occasion": "resolved", "time": decision.time})


def _last_trouble(history: History, since: datetime, until: datetime) -> datetime:
    """Time of the last decision of an episode that was trouble."""
    times = (d.time for d in history.decisions if since <= d.time <= until and trouble(d) is not None)
    return max(times, default=since)
