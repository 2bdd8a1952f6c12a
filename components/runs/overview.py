"""The sections that every report of a run has, on this machine and in the dashboard."""

from collections.abc import Iterable, Mapping, Sequence

from ciclo.components.core.plots import Plot
from ciclo.components.core.report import Document, Report
from ciclo.components.core.verdict import Verdict
from ciclo.components.core.wording import counted
from ciclo.components.runs.accounts import Account

CHECKS = 30
ROOM = 900_000  # bytes up to which a report shows plots
Figure = int | float | str


def show_stages(report: Report, rows: Iterable[tuple[str, bool, float, str]]) -> None:
    """Add what each stage did: its title, whether it ended well, the seconds, and what came out."""
    report.section("Stages").table(["stage", "ended well", "seconds", "what came out"], [list(row) for row in rows])


def show_verdict(report: Report, gate: str, verdict: Verdict) -> None:
    """Add what a gate decided, and the checks behind it, those that failed first."""
    report.section(f"What {gate} decided: {verdict.decision}").text(verdict.reason)
    found = sorted(verdict.checks, key=lambda c: (c.passed, c.level != "error"))
    if found:
        report.table(
            ["check", "passed", "level", "value", "limit", "finding"],
            [[c.name, c.passed, c.level, c.value, c.limit, c.message] for c in found[:CHECKS]],
        )
    if len(found) > CHECKS:
        report.text(f"{counted(len(found) - CHECKS, 'more check is', 'more checks are')} not listed.")


def figures_of(accounts: Iterable[Account]) -> dict[str, Figure]:
    """What is worth reading at a glance, by stage and name."""
    found: dict[str, Figure] = {}
    for account in accounts:
        facts: Mapping[str, Figure] = account.verdict.facts if account.verdict is not None else {}
        found |= {
            f"{account.title}: {name.replace('_', ' ')}": value
            for name, value in {**account.figures, **facts}.items()
            if not isinstance(value, str) or len(value) < 60
        }
    return found


def run_overview(
    title: str, lead: str, banner: tuple[str, str, str], accounts: list[Account], lines: Sequence[str] = ()
) -> Report:
    """Everything that the stages of a run wrote down, in one report that leads nowhere else.

    Args:
        title: Heading.
        lead: One sentence below it.
        banner: How the run ended in a few words, why, and the tone of that.
        accounts: In the order in which the stages ended.
        lines: What else has to be known of the end.
    """
    report = _overview(title, lead, banner, accounts, lines, plots=True)
    if len(report.html().encode()) > ROOM:
        report = _overview(title, lead, banner, accounts, lines, plots=False)
        report.text("Plots are left out here for their size; they are in the reports of the stages.")
    return report


def _overview(
    title: str, lead: str, banner: tuple[str, str, str], accounts: list[Account], lines: Sequence[str], *, plots: bool
) -> Report:
    word, reason, tone = banner
    report = Report(title, lead)
    warnings = [f"{w.name}: {w.message}" for a in accounts if a.verdict is not None for w in a.verdict.warnings]
    report.banner(word, reason, tone, [*lines, *warnings[:8]])
    show_stages(report, ((a.title, a.status == "done", a.seconds, "; ".join([a.summary, *a.detail])) for a in accounts))
    figures = figures_of(accounts)
    if figures:
        report.section("Figures").table(["", "value"], [[name, value] for name, value in figures.items()])
    for account in accounts:
        if account.verdict is not None:
            show_verdict(report, account.title, account.verdict)
    for account in accounts:
        if account.document is not None:
            _add(report, account.document, plots=plots)
    return report


def _add(report: Report, document: Document, *, plots: bool) -> None:
    sections = document.sections
    if not plots:
        sections = tuple(
            section.model_copy(update={"parts": tuple(p for p in section.parts if not isinstance(p, Plot))})
            for section in sections
        )
    document.model_copy(update={"sections": sections}).add_to(report)
