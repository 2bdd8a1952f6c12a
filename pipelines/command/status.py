"""``ciclo status``: where the cycle of a project stands, from the registry, the decision log and the cluster."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ciclo.components.core.errors import CicloError
from ciclo.components.core.wording import counted

if TYPE_CHECKING:
    from ciclo.components.core.project import Project
    from ciclo.components.core.settings import Settings
    from ciclo.components.releases.names import Alias
    from ciclo.components.releases.registry import Registry

DECISIONS = 3
Line = tuple[str, str]


def status(project: Annotated[Path, typer.Argument(help="The project file.", metavar="PROJECT")]) -> None:
    """Show the cycle: what serves and where, the champion, who waits for a person, what the watch decided."""
    from ciclo.components.core.project_file import read_project
    from ciclo.components.core.settings import settings
    from ciclo.components.releases.names import CHAMPION, SERVING
    from ciclo.components.releases.registry import open_registry

    parsed, current = read_project(project), settings()
    registry = open_registry(parsed.name, current)
    names = registry.alias(CHAMPION), registry.alias(SERVING)
    lines = [*_versions(parsed, project, registry, *names, current)]
    if not lines:
        typer.echo(f"{parsed.name}: no version has been published in {current.store_uri}")
        return
    lines.append(("registry", f"{current.store_uri} ({counted(len(registry.versions()), 'version')})"))
    lines += _endpoint(parsed, names[1], current)
    lines += _watch(parsed, current)
    for about, text in lines:
        typer.echo(f"{about:<10} {text}")


def _versions(
    project: "Project",
    file: Path,
    registry: "Registry",
    champion: "Alias | None",
    serving: "Alias | None",
    settings: "Settings",
) -> Iterator[Line]:
    from ciclo.components.deployment.deployer import endpoint
    from ciclo.components.releases.history import waiting
    from ciclo.components.releases.names import CHAMPION, SERVING
    from ciclo.components.releases.promotion import deciding_command

    waits = waiting(registry.history())
    if champion is None and waits is None:
        return
    for name, alias in ((CHAMPION, champion), (SERVING, serving)):
        since = f"version {alias.version}, since {alias.moved_at[:19]}: {alias.why} ({alias.by})" if alias else ""
        yield name, since or "none yet"
    if settings.deployer == "none":
        yield "", "CICLO_DEPLOYER is none, so nothing is served from here"
    elif champion is not None and (serving is None or serving.digest != champion.digest):
        how = "the next run or tick deploys it" if settings.deployer == "seldon" else f"ciclo deploy {file}"
        yield "", f"the champion does not serve yet: {how}"
    elif serving is not None and settings.deployer == "process" and endpoint(project.name, settings) is None:
        yield "", f"its server does not run on this machine: ciclo deploy {file}"
    if waits is not None:
        yield "waiting", f"version {waits}; to see it: ciclo models show {project.name} {waits}"
        yield "", f"to make it the champion: ciclo models {deciding_command(registry.record(waits))}"


def _endpoint(project: "Project", serving: "Alias | None", settings: "Settings") -> Iterator[Line]:
    from ciclo.components.deployment.cluster import Cluster
    from ciclo.components.deployment.deployer import endpoint
    from ciclo.components.deployment.inspection import slots
    from ciclo.components.deployment.seldon import service_url

    if settings.deployer != "seldon":
        served = endpoint(project.name, settings)
        yield "endpoint", f"{served.url} (version {served.version})" if served else "none on this machine"
        return
    url = service_url(project.name, settings.serving_namespace)
    yield "endpoint", f"{url}, inside the cluster" if serving else "none yet"
    try:
        taken = slots(project.name, settings, Cluster())
        for slot in taken:
            yield "slot", slot
        if serving and not taken:
            yield "slot", "none is taken, so nothing answers there: the next run deploys the champion"
    except CicloError as error:
        yield "slot", f"not known from here: {error}"


def _watch(project: "Project", settings: "Settings") -> Iterator[Line]:
    from ciclo.components.core.schedule import next_due
    from ciclo.components.monitoring.governing.governor import open_breaker
    from ciclo.components.monitoring.log import DecisionLog
    from ciclo.components.storage.store import open_store

    now = datetime.now(UTC)
    history = DecisionLog(open_store(settings.store_uri, settings), project.name).history(now, project.monitoring)
    for decision in reversed(history.decisions[-DECISIONS:]):
        yield "decided", f"{decision.time:%Y-%m-%d %H:%M} {decision.action}: {decision.reason}"
    if not history.decisions:
        yield "decided", "nothing yet: the watch has not run"
    for claim in history.open_claims:
        yield (
            "going back" if claim.restores else "retraining",
            f"{claim.run_name}, since {claim.time:%Y-%m-%d %H:%M}: {claim.trigger}",
        )
    if breaker := open_breaker(history):
        yield "breaker", f"open: {breaker}"
    due = next_due(project.monitoring.schedule, now)
    if settings.deployer == "seldon" and due is not None:
        yield "next tick", f"{due:%Y-%m-%d %H:%M} UTC, where the CronJob is installed"
