"""How versions, decisions and replays are shown in a terminal."""

from collections.abc import Callable, Mapping, Sequence, Sized
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ciclo.components.core.wording import listed
from ciclo.components.releases.retention import Pruned
from ciclo.components.releases.story import Sections

if TYPE_CHECKING:
    from ciclo.components.monitoring.governing.would_be import Replayed
    from ciclo.components.monitoring.records import Decision

_PLAIN_WIDTH = 160
_STYLES = {
    "watch": "yellow",
    "recommend": "yellow",
    "blocked": "yellow",
    "retrain": "green",
    "restore": "green",
    "alert": "red",
    "escalate_development": "red",
    "escalate_design": "red",
}


def show_list(project: str, store: str, versions: Sequence[Mapping[str, Any]], total: int) -> None:
    """Show versions as a table, a line each.

    Args:
        project: Name of the project.
        store: Where they are.
        versions: Their stories, or why one cannot be shown.
        total: How many there are.
    """
    if not versions:
        typer.echo(f"{project}: no such version in {store}")
        return
    table = _table("version", "names", "published", "candidate", "score", "gate", "rows", "parent", "trigger", "run")
    for version in versions:
        names = ", ".join(version["names"])
        if problem := version.get("problem"):
            table.add_row(str(version["version"]), escape(names), f"[red]{escape(problem)}[/]")
            continue
        lineage, facts = version["lineage"], version["verdict"]["facts"]
        table.add_row(
            str(version["version"]),
            f"[bold]{escape(names)}[/]",
            escape(str(lineage.get("published_at", ""))[:16].replace("T", " ")),
            escape(str(facts.get("candidate", ""))),
            escape(_score(facts)),
            escape(str(facts.get("gate", ""))),
            escape(_text(_part(lineage, "data").get("rows"))),
            str(version["parent"] or ""),
            escape(str(lineage.get("trigger", ""))),
            escape(str(lineage.get("run", ""))[:13]),
        )
    console = _console()
    console.print(table)
    if len(versions) < total:
        console.print(f"[dim]{len(versions)} of {total:,}; --last shows more[/]")


def show_one(story: Mapping[str, Any], topics: Sections) -> None:
    """Show all that is known of one version."""
    console = _console()
    names = f" ({', '.join(story['names'])})" if story["names"] else ""
    console.print(f"[bold]{escape(story['project'])}, version {story['version']}[/]{escape(names)}")
    table = _table("", "", show_header=False)
    for topic, facts in topics.items():
        shown = {name: text for name, value in facts.items() if (text := _text(value))}
        for label, (name, text) in zip(_once(topic, shown), shown.items(), strict=True):
            table.add_row(f"[bold]{escape(label)}[/]", escape(name), escape(text))
    console.print(table)
    if story["moves"]:
        console.print(_moves(story["moves"]))


def show_differences(project: str, a: int, b: int, found: Mapping[str, Mapping[str, tuple[Any, Any]]]) -> None:
    """Show two versions side by side; what differs is marked."""
    table = _table("", "", "", f"version {a}", f"version {b}", title=f"{project}: version {a} and version {b}")
    for topic, facts in found.items():
        for label, (name, (left, right)) in zip(_once(topic, facts), facts.items(), strict=True):
            differs = left != right
            table.add_row(
                f"[bold]{escape(label)}[/]",
                Text(name, style="bold" if differs else ""),
                Text("*" if differs else "", style="yellow"),
                Text(_text(left)),
                Text(_text(right), style="bold" if differs else "dim"),
            )
    _console().print(table)


def show_pruned(pruned: Pruned, runs: Sequence[str], *, dry_run: bool) -> None:
    """Show what a prune did, or would do, to versions and to what runs wrote down."""
    would = "would be " if dry_run else ""
    lines = {
        "kept whole": pruned.kept,
        f"{would}cut down to lineage and verdict": pruned.reduced,
        f"{would}deleted": pruned.deleted,
        f"{would}deleted, never finished": pruned.unfinished,
    }
    for what, versions in lines.items():
        typer.echo(f"{len(versions):>6,} {what}{': ' + _ranges(versions) if versions else ''}")
    if runs:
        typer.echo(f"{len(runs):>6,} {would}forgotten, what their stages wrote down: {listed(runs, 3)}")


def show_decisions(project: str, decisions: Sequence["Decision"]) -> None:
    """Show what the watch decided, a line each."""
    if not decisions:
        typer.echo(f"{project}: nothing yet, the watch has not run")
        return
    table = _table("time", "version", "decision", "cause", "rows", "reason")
    for decision in decisions:
        table.add_row(
            f"{decision.time:%Y-%m-%d %H:%M}",
            str(decision.version or ""),
            Text(decision.action.replace("_", " "), style=_STYLES.get(decision.action, "")),
            Text(decision.cause),
            Text(_text(decision.evidence.get("rows"))),
            Text(decision.reason),
        )
    _console().print(table)


def show_replays(project: str, start: datetime, end: datetime, both: Mapping[str, "Replayed"]) -> None:
    """Show what policies would have done, side by side, and then each of their runs."""
    title = f"{project}: {start:%Y-%m-%d} to {end:%Y-%m-%d}, judged against what serves today"
    table = _table("", *both, title=title)
    lines: dict[str, Callable[[Replayed], object]] = {
        "windows": lambda r: r.windows,
        "of these judged": lambda r: r.assessed,
        "of these alarmed": lambda r: r.alarms,
        "runs (cost)": lambda r: len(r.runs),
        "left to a person": lambda r: r.recommended,
        "escalations": lambda r: r.escalated,
        "broken data": lambda r: r.broken,
        "mean delay, days": lambda r: _mean_days([run.delay for run in r.runs]),
    }
    for what, count in lines.items():
        table.add_row(what, *(Text(_text(count(one)) or "-") for one in both.values()))
    console = _console()
    console.print(table)
    runs = _table("policy", "run", "cause", "first alarm", "delay, days", title="Runs there would have been")
    for name, one in both.items():
        for run in one.runs:
            times = f"{run.time:%Y-%m-%d %H:%M}", Text(run.cause), f"{run.first_alarm:%Y-%m-%d %H:%M}"
            runs.add_row(Text(name), *times, _text(_mean_days([run.delay])))
    if runs.row_count:
        console.print(runs)


def _mean_days(delays: Sequence[timedelta]) -> float | None:
    return sum(d.total_seconds() for d in delays) / 86_400 / len(delays) if delays else None


def _once(topic: str, rows: Sized) -> list[str]:
    """A topic beside the first of its rows."""
    return [topic, *[""] * (len(rows) - 1)] if len(rows) else []


def _moves(moves: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("moved at", "name", "how", "by", "why", "override", title="Moves to this version")
    for move in moves:
        cells = (move["moved_at"][:19].replace("T", " "), move["alias"], move["action"], move["by"], move["why"])
        table.add_row(*map(escape, cells), Text(move["override"], style="red"))
    return table


def _table(*columns: str, title: str = "", show_header: bool = True) -> Table:
    table = Table(title=title or None, title_justify="left", show_header=show_header, box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, header_style="bold", overflow="fold")
    return table


def _console() -> Console:
    """A terminal is as wide as it is; a file is wide enough for a table."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def _score(facts: Mapping[str, Any]) -> str:
    if "test_score" not in facts:
        return ""
    low, high = _text(facts.get("test_score_low")), _text(facts.get("test_score_high"))
    return f"{facts.get('metric', '')} {_text(facts['test_score'])} [{low}, {high}]"


def _part(lineage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = lineage.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)


def _ranges(versions: Sequence[int]) -> str:
    """Ascending numbers with runs drawn together: 1-4, 7."""
    runs: list[list[int]] = []
    for version in versions:
        if runs and runs[-1][-1] == version - 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
