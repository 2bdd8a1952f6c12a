"""The history of a project on one page: decisions, performance, versions, runs, alerts, and what people did."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ciclo.components.core.charts import Lane, Mark, Span, key, timeline
from ciclo.components.core.report import Report
from ciclo.components.core.wording import clean, counted
from ciclo.components.monitoring.records import Claim, Decision, History, Outcome
from ciclo.components.monitoring.telling.alerting import Alert
from ciclo.components.monitoring.telling.curves import (
    TONES,
    WORDS,
    decision_spans,
    performance_chart,
    version_spans,
)

MOST = 200
REASON = 400
RESULTS = {
    "promoted": "good",
    "waiting": "warn",
    "refused": "second",
    "unbeaten": "bad",
    "failed": "bad",
    "stopped": "past",
}
SEVERITIES = {"info": "accent", "warning": "warn", "critical": "bad"}


def history_report(
    project: str,
    history: History,
    alerts: Sequence[Alert] = (),
    moves: Sequence[Mapping[str, Any]] = (),
    reports: Mapping[datetime, str] | None = None,
) -> Report:
    """Show everything that was written down about a project.

    Args:
        project: Name of the project.
        history: Decisions, claims, outcomes and acknowledgements.
        alerts: What people were told.
        moves: Moves of names, as the registry gives them.
        reports: Addresses of the reports of ticks, by the time of the tick.
    """
    decisions = history.decisions
    report = Report(f"{project}: history of the watch", _span(decisions))
    if not decisions:
        report.text("The watch has not run yet.")
    else:
        last = decisions[-1]
        tone = {"accent": "warn", "second": "warn"}.get(TONES[last.action], TONES[last.action])
        report.banner(WORDS[last.action], clean(last.reason, 1_000), tone, [f"Version {last.version} serves"])
    _timeline(report, history, alerts)
    chart, entries = performance_chart(decisions)
    report.section("Performance over time")
    if chart:
        report.chart(chart).chart(key(entries))
    else:
        report.text("No score is known yet.")
    _decisions(report, decisions, reports or {})
    _runs(report, history)
    _versions(report, moves)
    _alerts(report, alerts)
    _people(report, history)
    return report


def _span(decisions: Sequence[Decision]) -> str:
    if not decisions:
        return ""
    return f"{counted(len(decisions), 'tick')} from {decisions[0].time:%Y-%m-%d} to {_moment(decisions[-1].time)} UTC"


def _timeline(report: Report, history: History, alerts: Sequence[Alert]) -> None:
    report.section("Timeline")
    outcomes = {outcome.claim: outcome for outcome in history.outcomes}
    end = history.decisions[-1].time if history.decisions else None
    runs = tuple(_run(claim, outcomes.get(claim.key), end) for claim in history.claims)
    alerted = tuple(
        Mark(a.news.time, a.title, "good" if a.news.occasion == "resolved" else SEVERITIES[a.news.severity])
        for a in alerts
    )
    people = tuple(Mark(a.time, f"{a.by}: {a.note}", "good") for a in history.acknowledgements)
    chart = timeline(
        "Decisions, versions, runs, alerts and acknowledgements over time",
        [
            Lane("decisions", decision_spans(history.decisions)),
            Lane("versions", version_spans(history.decisions)),
            Lane("runs", runs),
            Lane("alerts", (), alerted),
            Lane("people", (), people),
        ],
    )
    if not chart:
        report.text("Nothing has happened yet.")
        return
    report.chart(chart).chart(
        key(
            [
                ("good", "ok, promoted, resolved"),
                ("warn", "watched, recommended"),
                ("accent", "retraining"),
                ("second", "held back, refused"),
                ("bad", "alert, escalation, failed"),
            ]
        )
    )


def _run(claim: Claim, outcome: Outcome | None, end: datetime | None) -> Span:
    result = outcome.result if outcome else "has not ended"
    until = outcome.time if outcome else max(end or claim.time, claim.time)
    return Span(claim.time, until, f"{claim.run_name}: {result}", RESULTS.get(result, "accent"))


def _decisions(report: Report, decisions: Sequence[Decision], reports: Mapping[datetime, str]) -> None:
    report.section("Decisions").text("One line for each change, the newest first.")
    changed: list[tuple[Decision, Decision, int]] = []
    for decision in decisions:
        if changed and changed[-1][0].state == decision.state and changed[-1][0].version == decision.version:
            first, _, count = changed[-1]
            changed[-1] = (first, decision, count + 1)
        else:
            changed.append((decision, decision, 1))
    rows = [
        [
            _moment(first.time),
            _moment(last.time) if count > 1 else "",
            count,
            first.action.replace("_", " "),
            first.version,
            clean(last.reason, REASON),
        ]
        for first, last, count in reversed(changed[-MOST:])
    ]
    report.table(["from", "to", "ticks", "action", "version", "reason"], rows)
    if len(changed) > MOST:
        report.text(f"{len(changed) - MOST} older changes are in the decision log.")
    linked = [d for d in reversed(decisions) if d.time in reports]
    if linked:
        report.section("Reports of ticks")
        report.links((f"{_moment(d.time)} {d.action.replace('_', ' ')}", reports[d.time]) for d in linked)


def _runs(report: Report, history: History) -> None:
    report.section("Runs")
    outcomes = {outcome.claim: outcome for outcome in history.outcomes}
    rows = []
    for claim in reversed(history.claims[-MOST:]):
        outcome = outcomes.get(claim.key)
        ended = f"{outcome.result}{f', version {outcome.version}' if outcome.version else ''}" if outcome else "open"
        rows.append(
            [
                _moment(claim.time),
                _moment(outcome.time) if outcome else "",
                clean(claim.run_name, 80),
                clean(claim.trigger, REASON),
                claim.champion,
                ended,
            ]
        )
    _table(report, ["claimed", "ended", "run", "why", "champion", "outcome"], rows, "The watch has started no run.")


def _versions(report: Report, moves: Sequence[Mapping[str, Any]]) -> None:
    report.section("Versions")
    rows = [
        [
            str(m["moved_at"])[:16].replace("T", " "),
            m["alias"],
            m["version"],
            clean(m["by"], 60),
            clean(m["why"], REASON),
        ]
        for m in reversed(moves[-MOST:])
    ]
    _table(report, ["when", "name", "version", "by", "why"], rows, "No version has been published.")


def _alerts(report: Report, alerts: Sequence[Alert]) -> None:
    report.section("Alerts")
    rows = [
        [
            _moment(alert.news.time),
            "resolved" if alert.news.occasion == "resolved" else alert.news.severity,
            clean(alert.title, 200),
            _sent(alert),
        ]
        for alert in reversed(alerts[-MOST:])
    ]
    _table(report, ["when", "severity", "alert", "sent"], rows, "People have not been told anything.")


def _sent(alert: Alert) -> str:
    if alert.lost:
        return f"given up: {', '.join(alert.lost)}"
    if alert.waiting:
        return f"not yet, after {alert.attempts} attempts: {', '.join(alert.waiting)}"
    return "yes" if alert.attempts else "no route is configured"


def _people(report: Report, history: History) -> None:
    report.section("Escalations and acknowledgements")
    calls = [(d.time, d.action.replace("_", " "), "", d.reason) for d in _first(history.decisions) if d.escalates]
    answers = [(a.time, "acknowledged", a.by, a.note) for a in history.acknowledgements]
    rows = [
        [_moment(time), what, clean(who, 60), clean(text, REASON)]
        for time, what, who, text in sorted([*calls, *answers], key=lambda row: row[0], reverse=True)
    ]
    _table(report, ["when", "what", "by", "reason or note"], rows, "No person has been called.")


def _first(decisions: Sequence[Decision]) -> list[Decision]:
    """The first of neighbours in the same state."""
    return [d for i, d in enumerate(decisions) if i == 0 or decisions[i - 1].state != d.state]


def _table(report: Report, header: Sequence[str], rows: Sequence[Sequence[object]], nothing: str) -> None:
    if rows:
        report.table(header, rows)
    else:
        report.text(nothing)


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
