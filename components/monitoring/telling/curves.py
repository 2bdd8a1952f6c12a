"""What reports and alerts draw alike: performance over time, what was decided when."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ciclo.components.core.charts import Line, Mark, Point, Span, line_chart
from ciclo.components.core.svg import Svg
from ciclo.components.core.wording import counted, number
from ciclo.components.monitoring.records import Action, Decision

TONES: dict[Action, str] = {
    "ok": "good",
    "watch": "warn",
    "alert": "bad",
    "recommend": "warn",
    "retrain": "accent",
    "restore": "accent",
    "blocked": "second",
    "escalate_development": "bad",
    "escalate_design": "bad",
}
WORDS: dict[Action, str] = {
    "ok": "all is well",
    "watch": "an alarm that is not confirmed yet",
    "alert": "a person has to look",
    "recommend": "a run is recommended",
    "retrain": "a retraining was started",
    "restore": "the refitted model is taken back",
    "blocked": "a run is held back",
    "escalate_development": "retraining does not help: development has to look",
    "escalate_design": "retraining does not help: design has to look",
}
Entries = list[tuple[str, str]]


def performance_chart(decisions: Sequence[Decision]) -> tuple[Svg, Entries]:
    """Draw the realised and the estimated score, each with its interval, beside what was published.

    Args:
        decisions: In the order of time; only those on the metric of the last are drawn.

    Returns:
        The chart, empty where no score is known, and what its colours mean.
    """
    metric = next((m for d in reversed(decisions) if (m := d.evidence.get("metric"))), None)
    known = [d for d in decisions if d.evidence.get("metric", metric) == metric]
    realised, estimated = _points(known, "score"), _points(known, "estimate")
    lines = [
        Line("published", _points(known, "reference"), "past", dashed=True) if realised else None,
        Line("estimated without labels", estimated, "second") if estimated else None,
        Line("realised", realised, "accent") if realised else None,
    ]
    drawn = [line for line in lines if line is not None]
    if not drawn:
        return Svg(""), []
    entries = [(line.tone, f"{line.name} {metric or ''}".strip()) for line in reversed(drawn)]
    marks = [*version_marks(decisions), *decision_marks(decisions)]
    return line_chart(f"{metric or 'estimated score'} over time", drawn, marks), entries


def version_marks(decisions: Sequence[Decision]) -> list[Mark]:
    """Where the version that serves changed."""
    starts = _runs(decisions, lambda d: d.version)
    return [Mark(group[0].time, f"v{group[0].version}", "past", across=True) for group in starts if group[0].version]


def decision_marks(decisions: Sequence[Decision]) -> list[Mark]:
    """Decisions people should know of, where one follows another."""
    groups = _runs(decisions, lambda d: d.state)
    return [_mark(group[0]) for group in groups if group[0].action not in ("ok", "watch")]


def decision_spans(decisions: Sequence[Decision]) -> tuple[Span, ...]:
    """What was decided for how long."""
    groups = _runs(decisions, lambda d: d.action)
    ends = [*(group[0].time for group in groups[1:]), *(d.time for d in decisions[-1:])]
    return tuple(Span(g[0].time, end, _lasted(g), TONES[g[0].action]) for g, end in zip(groups, ends, strict=True))


def version_spans(decisions: Sequence[Decision]) -> tuple[Span, ...]:
    """Which version served for how long."""
    groups = _runs(decisions, lambda d: d.version)
    ends = [*(group[0].time for group in groups[1:]), *(d.time for d in decisions[-1:])]
    return tuple(
        Span(g[0].time, end, f"version {g[0].version}", ("accent", "past")[g[0].version % 2])
        for g, end in zip(groups, ends, strict=True)
        if g[0].version
    )


def _lasted(group: Sequence[Decision]) -> str:
    first = group[0]
    times = counted(len(group), "tick")
    return f"{first.action.replace('_', ' ')}, {times} from {first.time:%Y-%m-%d %H:%M}: {first.reason}"


def _mark(decision: Decision) -> Mark:
    text = f"{decision.time:%Y-%m-%d %H:%M} {decision.action.replace('_', ' ')}: {decision.reason}"
    return Mark(decision.window_end, text, TONES[decision.action])


def _runs(decisions: Iterable[Decision], by: Any) -> list[list[Decision]]:
    """Neighbours that agree."""
    groups: list[list[Decision]] = []
    for decision in decisions:
        if groups and by(groups[-1][-1]) == by(decision):
            groups[-1].append(decision)
        else:
            groups.append([decision])
    return groups


def _points(decisions: Sequence[Decision], name: str) -> tuple[Point, ...]:
    found: dict[datetime, Point] = {}
    for decision in decisions:
        value = _number(decision, name)
        if value is not None:
            ends = _number(decision, f"{name}_low"), _number(decision, f"{name}_high")
            found[decision.window_end] = Point(decision.window_end, value, *ends)
    return tuple(found[time] for time in sorted(found))


def _number(decision: Decision, name: str) -> float | None:
    value = decision.evidence.get(name)
    return float(value) if isinstance(value, int | float) else None


def fact(value: str | float | int) -> str:
    """A fact of the evidence as people write it."""
    return value if isinstance(value, str) else number(value)
