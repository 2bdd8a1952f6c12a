"""Deployment: a version with a passing verdict goes live, and until it has answered the old one serves."""

import fcntl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ciclo.components.core.errors import DeploymentError
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict, require
from ciclo.components.deployment import live_check, process
from ciclo.components.deployment.endpoint import Endpoint
from ciclo.components.deployment.rollout import Cluster, rollout
from ciclo.components.deployment.seldon import seldon_deployment, service_url
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.bundle import MODEL, Bundle

DRAIN_SECONDS = 2


def deploy(project: Project, version: int, verdict: Verdict | None, settings: Settings) -> Endpoint:
    """Bring a version up, check it live, and switch to it.

    Args:
        project: The project.
        version: A published version.
        verdict: What evaluation decided on its model.
        settings: How it is deployed.

    Returns:
        Where it is served.

    Raises:
        VerdictError: If the verdict does not let this model through.
        DeploymentError: If the server does not come up or answers differently; the old one keeps serving.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle = open_registry(project.name, settings).fetch(version, Path(folder))
        require(verdict, gate="evaluation", subject=bundle.files[MODEL])
        match settings.deployer:
            case "none":
                return Endpoint("", version)
            case "process":
                return _replace_process(bundle, settings)
            case "seldon":
                return _replace_seldon(project, bundle, settings)


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


def _replace_process(bundle: Bundle, settings: Settings) -> Endpoint:
    with _alone(bundle.project, settings):
        old = endpoint(bundle.project, settings)
        log = settings.home / "serving" / bundle.project / f"{bundle.version}-{time.time_ns()}.log"
        new = process.start(bundle.project, bundle.version, settings, log)
        try:
            live_check.check(new.url, new.version, bundle.golden)
            new.write(_file(bundle.project, settings))
        except BaseException:
            process.stop(new)
            raise
        if old is not None:
            time.sleep(DRAIN_SECONDS)  # whoever has just read the old address still gets an answer
            process.stop(old)
    return new


def _replace_seldon(project: Project, bundle: Bundle, settings: Settings) -> Endpoint:
    url = service_url(project.name, settings.namespace)
    with rollout(seldon_deployment(project, bundle.version, settings), Cluster()):
        live_check.check(url, bundle.version, bundle.golden)
    return Endpoint(url, bundle.version)


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
