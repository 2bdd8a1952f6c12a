"""The report of a tick: what it decided and why, on one page that needs nothing else."""

from ciclo.components.core.binned import binned_chart
from ciclo.components.core.charts import key, percent, strip
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.project import Project
from ciclo.components.core.report import Report
from ciclo.components.core.svg import Svg
from ciclo.components.core.wording import clean, counted, number
from ciclo.components.monitoring.observing.drift import PREDICTION, ColumnDrift
from ciclo.components.monitoring.records import Decision, History
from ciclo.components.monitoring.telling.curves import TONES, WORDS, fact, performance_chart
from ciclo.components.monitoring.telling.explanation import View, affected, likely_causes, next_step

FIGURES = 12
NAME = 60
FACT = 400
Row = list[object]


def tick_report(project: Project, decision: Decision, view: View, history: History | None = None) -> Report:
    """Show what one tick saw and what it decided.

    Args:
        project: The project.
        decision: What it decided.
        view: What it saw.
        history: What was decided before, for performance over time.
    """
    window = f"{decision.window_start:%Y-%m-%d %H:%M} to {decision.window_end:%Y-%m-%d %H:%M}"
    report = Report(
        f"{project.name}: {WORDS[decision.action]}",
        f"Version {decision.version}, window {window} UTC, looked at {decision.time:%Y-%m-%d %H:%M} UTC",
    )
    tone = TONES[decision.action]
    report.banner(
        decision.action.replace("_", " "), decision.reason, {"accent": "warn", "second": "warn"}.get(tone, tone),
        _lines(project, decision, view),
    )  # fmt: skip
    _performance(report, decision, view, history or History())
    _columns(report, decision, view)
    _health(report, view)
    _labels(report, view)
    report.section("Evidence").table(
        ["fact", "value"], [[name, clean(fact(value), FACT)] for name, value in sorted(decision.evidence.items())]
    )
    return report


def _lines(project: Project, decision: Decision, view: View) -> list[str]:
    if decision.action == "ok":
        return []
    since = [f"Since {decision.since:%Y-%m-%d %H:%M} UTC"] if decision.since else []
    causes = [f"Likely cause: {cause}" for cause in likely_causes(decision, view)]
    return [*since, *causes, f"Next step: {next_step(project, decision)}"]


def _performance(report: Report, decision: Decision, view: View, history: History) -> None:
    report.section("Performance over time")
    chart, entries = performance_chart([*history.decisions, decision])
    if chart:
        report.chart(chart).chart(key(entries))
    for finding in (view.evidence.performance, view.evidence.estimate):
        if finding is not None:
            report.text(f"{clean(finding.reason, FACT)}.", "bad" if finding.degraded else "")
    if view.evidence.performance is None:
        report.text("No labels were looked at for this window, so how right the answers were is not known.")


def _columns(report: Report, decision: Decision, view: View) -> None:
    report.section("Columns that moved")
    drift = view.evidence.drift
    if drift is None:
        report.text(f"Not looked at: the window holds {counted(view.evidence.rows, 'row')}.")
        return
    columns = [c for c in affected(decision, view) if c.drift is not None and any(c.drift.counts)]
    if not columns:
        report.text("None.", "good")
    drawn = [(_caption(c.drift), column_chart(c.profile, c.drift)) for c in columns[:FIGURES] if c.drift is not None]
    report.charts(drawn)
    if drawn:
        report.chart(_key(any(c.drift is not None and c.drift.low for c in columns)))
    if len(columns) > FIGURES:
        report.text(f"{counted(len(columns) - FIGURES, 'more column')} moved; the table has them.")
    compared = [*([drift.prediction] if drift.prediction else []), *drift.columns]
    most = max([e for c in compared for e in (c.effect, *c.usual)], default=1)
    report.section("All columns").text(
        f"Effect: distance from the training rows, from 0 to 1. Columns with {percent(drift.importance)} of the "
        "importance have drifted. The bar spans what the reference's own windows show, where that is known."
    )
    report.table(
        ["column", "effect", "beside what is usual", "usually at most", "p-value", "importance", "drifted"],
        [_row(column, most) for column in compared],
    )


def _row(column: ColumnDrift, most: float) -> Row:
    return [
        clean(column.name, NAME),
        f"{column.effect:.3f}",
        strip(f"effect of {column.name}", column.effect, column.usual, most),
        f"{max(column.usual):.3f}" if column.usual else "",
        "<0.0001" if column.p_value < 0.0001 else number(round(column.p_value, 4)),
        percent(column.importance) if column.name != PREDICTION else "",
        "drifted" if column.drifted else "",
    ]


def column_chart(reference: ColumnProfile, drift: ColumnDrift) -> Svg:
    """Draw a column in training and now, on the band of its own windows.

    Args:
        reference: The column in training.
        drift: The column now. Of many bins those that differ most are drawn, and the rest is summed up.
    """
    return binned_chart(
        f"{drift.name} in training and now",
        reference.bin_names,
        reference.counts,
        drift.counts,
        list(zip(drift.low, drift.high, strict=True)),
    )


def _caption(drift: ColumnDrift) -> str:
    usual = f", usually at most {max(drift.usual):.2f}" if drift.usual else ""
    weight = f"; importance {percent(drift.importance)}" if drift.name != PREDICTION else ""
    return f"{clean(drift.name, NAME)}: effect {drift.effect:.2f}{usual}{weight}"


def _key(calibrated: bool) -> Svg:
    usual = [("usual", "usual for a window of this length")] if calibrated else []
    return key([("accent", "now"), ("past", "training"), *usual])


def _health(report: Report, view: View) -> None:
    report.section("Data health")
    evidence = view.evidence
    for fault in list(evidence.faults.values())[:FIGURES]:
        report.text(f"{clean(fault, FACT)}.", "bad")
    if not evidence.health:
        report.text(f"{counted(evidence.rows, 'row')}. Shares of single columns were not taken for this window.")
        return
    noted = [h for h in evidence.health if any((*h.missing, *h.unknown, *h.outside))]
    noted.sort(
        key=lambda h: -max(h.missing[0] - h.missing[1], h.unknown[0] - h.unknown[1], h.outside[0] - h.outside[1])
    )
    report.text(f"{counted(evidence.rows, 'row')}. Shares now, and those of training in brackets.")
    report.table(
        ["column", "missing", "unknown to the model", "outside the range of training"],
        [[clean(h.name, NAME), *(_pair(pair) for pair in (h.missing, h.unknown, h.outside))] for h in noted],
    )
    clear = len(evidence.health) - len(noted)
    if clear:
        report.text(
            f"{counted(clear, 'column has', 'columns have')} every value, none unknown and none outside the range.",
            "good",
        )


def _pair(shares: tuple[float, float]) -> str:
    now, past = shares
    return f"{percent(now)} ({percent(past)})" if now or past else ""


def _labels(report: Report, view: View) -> None:
    report.section("Labels")
    labels = view.evidence.labels
    if labels is None:
        report.text("How long labels take was not looked at for this window.")
        return
    delay = (
        f" Half of them came within {counted(labels.median, 'day')}, nine of ten within {number(labels.slow)}."
        if labels.median == labels.median
        else ""
    )
    report.text(f"{percent(labels.share)} of the rows whose label is due have one.{delay}")
