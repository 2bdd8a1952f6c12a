"""A model server as a process of this machine: start it, watch it come up, stop it."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from ciclo.components.core.errors import DeploymentError
from ciclo.components.core.settings import Settings
from ciclo.components.deployment.endpoint import Endpoint

HOST = "127.0.0.1"
START_SECONDS = 120
STOP_SECONDS = 30
LOG_TAIL = 2_000
STARTED = ".json"  # beside the log of every server that was started


def start(project: str, version: int, settings: Settings, log: Path) -> Endpoint:
    """Start the microservice, detached from this process, and wait until it is healthy.

    Args:
        project: Name of the project.
        version: Version to serve.
        settings: Where its store and its predictions are, and its Python.
        log: File that takes what it prints.

    Raises:
        DeploymentError: With the end of the log, if it does not come up; it is stopped then.
    """
    python = serving_python(settings)
    port, metrics_port = _free_ports(2)
    ports = ["--port", str(port), "--metrics-port", str(metrics_port)]
    arguments = ["-P", "-m", "ciclo.components.serving", "--host", HOST, *ports]
    log.parent.mkdir(parents=True, exist_ok=True)
    pid = os.posix_spawn(
        python,
        [str(python), *arguments],
        {**_foreign(os.environ), **environment(project, version, settings)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_CLOSE, number) for number in _inherited()),
        ],
        setsid=True,
    )
    metrics = f"http://{HOST}:{metrics_port}/metrics"
    endpoint = Endpoint(f"http://{HOST}:{port}", version, pid, start_time(pid) or "", metrics)
    endpoint.write(log.with_suffix(STARTED))
    try:
        _wait_until_healthy(endpoint, project, log)
    except BaseException:
        stop(endpoint)
        raise
    return endpoint


def _inherited() -> list[int]:
    """What a child would hold open for as long as it lives: whoever waits for the end of such a pipe waits for it."""
    found = []
    for number in map(int, os.listdir("/dev/fd")):
        with suppress(OSError):  # the one that listed them
            if number > 2 and os.get_inheritable(number):
                found.append(number)
    return found


def stop(endpoint: Endpoint) -> None:
    """Stop a server: it finishes its requests and sends its predictions; after half a minute it is killed."""
    if endpoint.pid is None or not alive(endpoint):
        return
    with suppress(ProcessLookupError):
        os.kill(endpoint.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while alive(endpoint) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(endpoint.pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(endpoint.pid, os.WNOHANG)


def sweep(folder: Path, keep: Endpoint | None) -> None:
    """Stop what runs beside the one server there should be, as a deployment that was killed leaves it.

    Args:
        folder: Where the logs of a project's servers are.
        keep: The server that stays, if there is one.
    """
    for file in folder.glob(f"*{STARTED}"):
        found = Endpoint.read(file)
        if found is not None and keep is not None and (found.pid, found.started) == (keep.pid, keep.started):
            continue
        if found is not None:
            stop(found)
        file.unlink(missing_ok=True)


def alive(endpoint: Endpoint) -> bool:
    """Whether the very process of the endpoint still runs."""
    return endpoint.pid is not None and start_time(endpoint.pid) == endpoint.started != ""


def start_time(pid: int) -> str | None:
    """When a process started, in units of the operating system; None if it is gone or a zombie."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]
    shown = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(shown) < 2 or shown[0].startswith("Z") else shown[1].strip()


def serving_python(settings: Settings) -> Path:
    """Python of the serving environment.

    Raises:
        DeploymentError: If there is none.
    """
    checkout = Path(__file__).resolve().parents[2] / ".venv-serving" / "bin" / "python"
    python = settings.serving_python or checkout
    if python.exists():
        return python.absolute()
    raise DeploymentError(
        "there is no serving environment",
        seen=python,
        hint="Run `make env`, or set CICLO_SERVING_PYTHON.",
    )


def environment(project: str, version: int, settings: Settings) -> dict[str, str]:
    """The variables that give a server the settings of this process, with absolute paths."""
    served = settings.model_copy(
        update={
            "home": settings.home.resolve(),
            "store": settings.store_uri,
            "predictions": settings.predictions_uri,
            "project": project,
            "version": version,
            "alerts": "",
        }
    )
    return served.environment()


def _foreign(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not name.startswith("CICLO_")}


def _wait_until_healthy(endpoint: Endpoint, project: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    expected = {"project": project, "version": endpoint.version}
    while not expected.items() <= _health(endpoint.url).items():
        if not alive(endpoint) or time.monotonic() > deadline:
            problem = "does not become healthy" if alive(endpoint) else "ended while it started"
            raise DeploymentError(
                f"the model server of {project}, version {endpoint.version}, {problem}",
                seen=f"the end of {log}:\n{tail(log)}\n",
            )
        time.sleep(0.1)


def _health(url: str) -> dict[str, Any]:
    try:
        with urlopen(f"{url}/health/status", timeout=5) as answer:  # noqa: S310
            return dict(json.load(answer)["jsonData"])
    except (URLError, OSError, ValueError, KeyError, TypeError):
        return {}


def tail(log: Path) -> str:
    """The end of a log."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return text[-LOG_TAIL:].strip()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()
