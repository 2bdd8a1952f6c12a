"""Deployment: the champion goes live, and until it has answered the old version serves.

Deployment alone moves the name ``serving``, and only after the live check.
"""

import fcntl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import structlog

from ciclo.components.core.errors import (
    CicloError,
    DeploymentError,
    IntegrityError,
    NotFoundError,
    UnreadableError,
    VerdictError,
)
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.deployment import live_check, process
from ciclo.components.deployment.cluster import Cluster
from ciclo.components.deployment.endpoint import Endpoint
from ciclo.components.deployment.pace import require_pace
from ciclo.components.deployment.rollout import rollout
from ciclo.components.releases.names import CHAMPION, SERVING, Alias, Move
from ciclo.components.releases.promotion import unfit
from ciclo.components.releases.registry import Registry, open_registry
from ciclo.components.storage.bundle import Bundle
from ciclo.components.storage.signing import signer_from

DRAIN_SECONDS = 2


def serve(project: Project, settings: Settings) -> Endpoint | None:
    """See to it that what serves is the champion: deploy it, unless it is what answers already.

    Returns:
        Where it is served, without an address if it is not; None if there is no champion yet.

    Raises:
        VerdictError: As ``deploy``.
        DeploymentError: As ``deploy``.
    """
    registry = open_registry(project.name, settings)
    champion = registry.alias(CHAMPION)
    if champion is None:
        return None
    answering = endpoint(project.name, settings) if settings.deployer == "process" else None
    if answering is not None and answering.version == champion.version:
        _name(registry, champion, settings)
        return answering
    try:
        return deploy(project, champion.version, settings)
    except UnreadableError as error:  # what serves stays, and whoever runs the pipeline can go on
        structlog.get_logger().error("nothing is deployed", version=champion.version, reason=str(error))
        return Endpoint("", champion.version)


def deploy(project: Project, version: int, settings: Settings) -> Endpoint:
    """Bring the champion up, check it live, switch to it, and only then name it as what serves.

    If that fails, at whatever point, the old version keeps serving and keeps the name ``serving``, while the champion
    stays the champion: the next ``serve`` makes up for it.

    Args:
        project: The project.
        version: The version that the caller means; it has to be the champion.
        settings: How it is deployed.

    Returns:
        Where it is served.

    Raises:
        VerdictError: If it is not the champion, or became it against the rules without anybody's override.
        UnreadableError: If it cannot be read.
        DeploymentError: If the server does not come up, answers differently, or is too slow for its users.
    """
    registry = open_registry(project.name, settings)
    with tempfile.TemporaryDirectory() as folder:
        champion, bundle = champion_to_serve(registry, version, Path(folder))
        match settings.deployer:
            case "none":
                return Endpoint("", version)
            case "process":
                return _replace_process(project, bundle, champion, registry, settings)
            case "seldon":
                return _replace_seldon(project, bundle, champion, registry, settings)


def champion_to_serve(registry: Registry, version: int, folder: Path) -> tuple[Alias, Bundle]:
    """Let only the champion through, and only if the rules or a person's signed reason made it that.

    Args:
        registry: The versions of a project.
        version: The version that the caller means.
        folder: Where its files are put.

    Raises:
        VerdictError: In every other case.
        UnreadableError: If it cannot be read.
    """
    champion = registry.alias(CHAMPION)
    if champion is None or champion.version != version:
        today = f"version {champion.version}" if champion else "none"
        raise VerdictError(
            f"version {version} of {registry.project} is not the champion, and only the champion is served",
            seen=f"champion: {today}",
            hint=f"Make it the champion first: ciclo models promote {registry.project} {version}",
        )
    try:
        bundle = registry.fetch(version, folder)
    except (IntegrityError, NotFoundError) as error:
        raise UnreadableError(
            f"version {version} of {registry.project} cannot be read", seen=str(error).rstrip(".")
        ) from error
    objection = unfit(bundle, registry.history())
    if objection and not champion.override:
        raise VerdictError(f"version {version} of {registry.project} is not fit to be served", seen=objection)
    if bundle.digest != champion.digest:
        raise UnreadableError(f"version {version} of {registry.project} is not the one that was made the champion")
    return champion, bundle


def _is_new(champion: Alias, serving: Alias | None) -> bool:
    """Whether it has not served yet and no person went back to it or promoted it against the rules."""
    insisted = champion.override or champion.action == "rollback"
    return not insisted and (serving is None or serving.digest != champion.digest)


def _name(registry: Registry, champion: Alias, settings: Settings, pace: str = "") -> None:
    """Name the champion as what serves, unless that is the name it has already."""
    serving = registry.alias(SERVING)
    if serving is not None and serving.digest == champion.digest:
        return
    move = Move(by=settings.deployer, why=f"it answers the live check{pace}", action="deploy")
    registry.move(SERVING, champion.version, move, expected=serving, signer=signer_from(settings))


def _name_back(registry: Registry, before: Alias | None, settings: Settings) -> None:
    """Let the name say again what serves, where it was moved before what it names was taken back."""
    try:
        now = registry.alias(SERVING)
        if before is None or now is None or now.digest == before.digest:
            return
        move = Move(by=settings.deployer, why="the version after it was taken back", action="deploy")
        registry.move(SERVING, before.version, move, expected=now, signer=signer_from(settings))
    except CicloError as error:
        structlog.get_logger().error("the name serving is not put back", reason=str(error))


def endpoint(project: str, settings: Settings) -> Endpoint | None:
    """Where a project is served by a local process, or None if that is not running."""
    found = Endpoint.read(_file(project, settings))
    return found if found is not None and process.alive(found) else None


def stop(project: str, settings: Settings) -> None:
    """Stop the local server of a project, if there is one."""
    with _alone(project, settings):
        old = endpoint(project, settings)
        _file(project, settings).unlink(missing_ok=True)
        if old is not None:
            process.stop(old)
        process.sweep(_logs(project, settings), None)


def _replace_process(
    project: Project, bundle: Bundle, champion: Alias, registry: Registry, settings: Settings
) -> Endpoint:
    with _alone(bundle.project, settings):
        old, logs = endpoint(bundle.project, settings), _logs(bundle.project, settings)
        named = registry.alias(SERVING)
        process.sweep(logs, old)
        log = logs / f"{bundle.version}-{time.time_ns()}.log"
        new = process.start(bundle.project, bundle.version, settings, log)
        try:
            live_check.check(new.url, new.version, bundle.golden)
            limit = project.design.infrastructure.latency_ms
            is_new = _is_new(champion, named)
            new = new.at(require_pace(new.url, bundle.golden, limit, old.url if old else "", may_refuse=is_new))
            new.write(_file(bundle.project, settings))
            _name(registry, champion, settings, new.pace)
        except BaseException:
            _point_back(old, bundle.project, settings)
            _name_back(registry, named, settings)
            process.stop(new)
            raise
        if old is not None:
            time.sleep(DRAIN_SECONDS)  # whoever has just read the old address still gets an answer
            process.stop(old)
        process.sweep(logs, new)
    return new


def _point_back(old: Endpoint | None, project: str, settings: Settings) -> None:
    if old is not None:
        old.write(_file(project, settings))
    else:
        _file(project, settings).unlink(missing_ok=True)


def _replace_seldon(
    project: Project, bundle: Bundle, champion: Alias, registry: Registry, settings: Settings
) -> Endpoint:
    named = registry.alias(SERVING)
    undo = partial(_name_back, registry, named, settings)
    is_new = _is_new(champion, named)
    with rollout(project, bundle.version, bundle.golden, settings, Cluster(), undo, is_new=is_new) as served:
        _name(registry, champion, settings, served.pace)
    return served


def _logs(project: str, settings: Settings) -> Path:
    return settings.home / "serving" / project


def _file(project: str, settings: Settings) -> Path:
    return settings.home / "endpoints" / f"{project}.json"


@contextmanager
def _alone(project: str, settings: Settings) -> Iterator[None]:
    """Let no second deployment of the project run at the same time on this machine."""
    path = _file(project, settings).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeploymentError(
                f"another deployment of {project} is running", hint="Wait for it and try again."
            ) from None
        yield
