"""What a policy would have cost and how late it would have come: a replay, summed up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ciclo.components.monitoring.records import Decision


@dataclass(frozen=True)
class WouldBeRun:
    """A retraining that a policy would have started.

    Attributes:
        time: When.
        cause: Why.
        first_alarm: End of the first window of the unbroken alarm that led to it.
    """

    time: datetime
    cause: str
    first_alarm: datetime

    @property
    def delay(self) -> timedelta:
        """From the first alarm to the run."""
        return self.time - self.first_alarm


@dataclass(frozen=True)
class Replayed:
    """One policy over past windows.

    Attributes:
        windows: How many windows there were.
        assessed: How many of them could be judged.
        alarms: How many of these alarmed.
        runs: What would have been run, which is the cost.
        recommended: How often a run would have been left to a person.
        escalated: How often people would have been called because retraining does not help.
        broken: How often data would have been called broken, or what serves unreadable.
    """

    windows: int
    assessed: int
    alarms: int
    runs: tuple[WouldBeRun, ...]
    recommended: int
    escalated: int
    broken: int


def summed_up(decisions: Sequence[Decision]) -> Replayed:
    """Sum a replay up.

    Args:
        decisions: In the order of time.
    """
    runs = []
    first: datetime | None = None
    for decision in decisions:
        if decision.alarm is False:
            first = None
        elif decision.alarm and first is None:
            first = decision.window_end
        if decision.action == "retrain":
            runs.append(WouldBeRun(decision.time, decision.cause, first or decision.window_end))
    actions = [d.action for d in decisions]
    return Replayed(
        windows=len(decisions),
        assessed=sum(d.alarm is not None for d in decisions),
        alarms=sum(bool(d.alarm) for d in decisions),
        runs=tuple(runs),
        recommended=actions.count("recommend"),
        escalated=sum(d.escalates for d in decisions),
        broken=actions.count("alert"),
    )
