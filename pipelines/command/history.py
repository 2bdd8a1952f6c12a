"""``ciclo history``: everything the watch wrote down about a project, on one page."""

import webbrowser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.wording import counted

if TYPE_CHECKING:
    from ciclo.components.monitoring.records import History
    from ciclo.components.storage.objects import ObjectStore

REPORTS = 50


def history(
    project: Annotated[Path, typer.Argument(help="The project file.", metavar="PROJECT")],
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")] = Path("history.html"),
    days: Annotated[int, typer.Option(help="How far to look back.", min=1)] = 365,
    ticks: Annotated[int, typer.Option(help="The newest ticks, at most so many.", min=1)] = 10_000,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser of this machine.")] = False,
) -> None:
    """Write the history of a project: decisions, performance, versions, runs, alerts and what people did."""
    from ciclo.components.core.project_file import read_project
    from ciclo.components.core.settings import settings
    from ciclo.components.monitoring.log import DecisionLog
    from ciclo.components.monitoring.telling.alerting import AlertLog
    from ciclo.components.monitoring.telling.history_report import history_report
    from ciclo.components.releases.registry import open_registry
    from ciclo.components.storage.store import open_store

    parsed, current = read_project(project), settings()
    store, now = open_store(current.store_uri, current), datetime.now(UTC)
    log = DecisionLog(store, parsed.name)
    oldest = now - timedelta(days=days)
    decisions = tuple(d for d in log.decisions(ticks) if d.time >= oldest)
    past = log.history(now, parsed.monitoring).model_copy(update={"decisions": decisions})
    moves = open_registry(parsed.name, current).history()
    try:
        reports = _copy_reports(store, past, output.with_name(f"{output.stem}-reports"))
        history_report(parsed.name, past, AlertLog(store, parsed.name).read(), moves, reports).write(output)
    except OSError as error:
        raise SettingsError(
            f"{output} cannot be written", seen=error.strerror, hint="Give another --output."
        ) from error
    typer.echo(
        f"{output} written: {counted(len(past.decisions), 'decision')}, {counted(len(reports), 'report')} beside it"
    )
    if show and not webbrowser.open(output.resolve().as_uri()):
        typer.echo("There is no browser here; open the file in one.")


def _copy_reports(store: "ObjectStore", past: "History", folder: Path) -> dict[datetime, str]:
    """Put the newest reports of ticks beside the page, wherever the store is; their relative addresses by time."""
    chosen = [d for d in past.decisions if d.report][-REPORTS:]
    if chosen:
        folder.mkdir(parents=True, exist_ok=True)
    for decision in chosen:
        (folder / Path(decision.report).name).write_bytes(store.get(decision.report).data)
    return {d.time: f"{folder.name}/{Path(d.report).name}" for d in chosen}
