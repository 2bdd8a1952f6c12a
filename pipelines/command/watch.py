"""The watch here and now, what it decided, and what people say to it: ``ciclo watch``, ``ciclo log`` and others."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ciclo.components.core.errors import SettingsError
from ciclo.pipelines.command.models import By, Json, person

if TYPE_CHECKING:
    from ciclo.components.core.project import Project
    from ciclo.components.monitoring.log import DecisionLog

REPLAYED = timedelta(days=90)
ProjectFile = Annotated[Path, typer.Argument(help="The project file.", metavar="PROJECT")]
Time = Annotated[datetime | None, typer.Option(help="Time of the tick in UTC; the clock by default.")]


def watch(
    project: ProjectFile,
    now: Time = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide, but write, tell and run nothing.")] = False,
) -> None:
    """Look at the served predictions once, and retrain on this machine if that is the decision."""
    from rich.console import Console

    from ciclo.components.core.project_file import read_project
    from ciclo.pipelines.backends.watch import watch as tick_once
    from ciclo.pipelines.command.console import progress

    parsed = read_project(project)
    with progress(Console()) as on_event:
        decision = tick_once(
            parsed, now=(now or datetime.now(UTC)).replace(tzinfo=UTC), dry_run=dry_run, on_event=on_event
        )
    typer.echo(f"{decision.action}: {decision.reason}")


def log(
    project: ProjectFile,
    last: Annotated[int, typer.Option(help="How many of the newest decisions.", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """Show what the watch decided, tick by tick, the newest last."""
    parsed, records = _opened(project)
    decisions = records.decisions(last)
    if as_json:
        typer.echo(json.dumps([d.model_dump(mode="json") for d in decisions], indent=2))
        return
    from ciclo.pipelines.command.tables import show_decisions

    show_decisions(parsed.name, decisions)


def replay(
    project: ProjectFile,
    policy: Annotated[Path, typer.Option(help="The policy to try: YAML with fields of `monitoring`.")],
    start: Annotated[
        datetime | None, typer.Option(help="Start of the first window in UTC; 90 days before the end by default.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option(help="End of the last window in UTC; the last full hour by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what another policy would have done about past predictions, beside the policy in force."""
    from ciclo.components.core.project_file import read_policy, read_project
    from ciclo.components.core.settings import settings
    from ciclo.components.monitoring.governing.would_be import summed_up
    from ciclo.components.monitoring.tick import replay as replay_policy
    from ciclo.components.releases.registry import open_registry
    from ciclo.components.storage.windows import PredictionWindows

    parsed, current = read_project(project), settings()
    last = (end or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)).replace(tzinfo=UTC)
    first = start.replace(tzinfo=UTC) if start else last - REPLAYED
    if first >= last:
        raise SettingsError("the replay ends before it starts", seen=f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}")
    tried = read_policy(policy, parsed.monitoring)
    registry, predictions = open_registry(parsed.name, current), PredictionWindows(current.predictions_uri)
    both = {
        name: summed_up(
            replay_policy(parsed, registry=registry, predictions=predictions, start=first, end=last, policy=one)
        )
        for name, one in (("in force", parsed.monitoring), (policy.name, tried))
    }
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps({name: asdict(one) for name, one in both.items()}, indent=2, default=str))
        return
    from ciclo.pipelines.command.tables import show_replays

    show_replays(parsed.name, first, last, both)


def allow(
    project: ProjectFile, by: By = "", note: Annotated[str, typer.Option(help="Why; it is kept in the log.")] = ""
) -> None:
    """Allow the run that the watch recommends: for drift alone, or for anything with `monitoring.mode` `approve`."""
    from ciclo.components.monitoring.governing.governor import attempts
    from ciclo.components.monitoring.records import Permission

    parsed, records = _opened(project)
    now = datetime.now(UTC)
    history = records.history(now, parsed.monitoring)
    asked = history.decisions[-1] if history.decisions else None
    if parsed.monitoring.mode == "recommend":
        typer.echo(f"{parsed.name}: nothing to allow, monitoring.mode is {parsed.monitoring.mode}")
        return
    if asked is None or asked.action != "recommend" or asked.episode is None:
        typer.echo(f"{parsed.name}: nothing to allow, the watch does not ask for a run")
        return
    attempt = attempts(history, asked.version, asked.episode) + 1
    records.permit(
        Permission(by=person(by), note=note, version=asked.version, episode=asked.episode, attempt=attempt, time=now)
    )
    typer.echo(
        f"{parsed.name}: a run for version {asked.version} is allowed ({asked.cause}, since "
        f"{asked.since or asked.episode:%Y-%m-%d}); the next tick that still sees it starts the run"
    )


def acknowledge(
    project: ProjectFile,
    note: Annotated[str, typer.Option(help="What was found and done; it is kept in the log.")],
    by: By = "",
) -> None:
    """Close an open escalation: a person has dealt with it, and retraining may go on."""
    from ciclo.components.monitoring.records import Acknowledgement

    parsed, records = _opened(project)
    now = datetime.now(UTC)
    escalation = records.history(now, parsed.monitoring).open_escalation
    if escalation is None:
        typer.echo(f"{parsed.name}: no escalation is open")
        return
    # Its clock may be ahead of ours; an acknowledgement is about an escalation, so it is not older.
    records.acknowledge(Acknowledgement(by=person(by), note=note, time=max(now, escalation.time)))
    whom = escalation.action.removeprefix("escalate_")
    typer.echo(f"{parsed.name}: the escalation of {escalation.time:%Y-%m-%d %H:%M} to {whom} is closed")
    typer.echo("retraining may go on, as the policy allows")


def _opened(project: Path) -> "tuple[Project, DecisionLog]":
    from ciclo.components.core.project_file import read_project
    from ciclo.components.core.settings import settings
    from ciclo.components.monitoring.log import DecisionLog
    from ciclo.components.storage.store import open_store

    parsed, current = read_project(project), settings()
    return parsed, DecisionLog(open_store(current.store_uri, current), parsed.name)
