"""The entry of the CronJob: ``python -P -m ciclo.components.monitoring PROJECT_FILE [--now TIME] [--dry-run]``.

Everything else comes from the environment. The last line on standard output is the decision, or what went wrong, as
JSON; the termination message of the container has it as a sentence, where ``kubectl describe pod`` shows it.

Exit code: 0 whatever was decided; 1 something that is needed cannot be reached or read, and the next tick tries again;
2 the project file or the environment is wrong, and no other try would help; 3 a bug; 4 the time was up; 143 it was told
to stop. Whenever it ends, it leaves things so that the next tick can go on.
"""

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import structlog

from ciclo.components.core.errors import CicloError, ProjectError, SettingsError
from ciclo.components.core.logs import configure
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import read_project
from ciclo.components.core.settings import Settings, settings
from ciclo.components.monitoring.records import Decision
from ciclo.components.monitoring.submitting.submission import KfpSubmitter
from ciclo.components.monitoring.telling.metrics import export, metrics_of, metrics_of_failure
from ciclo.components.monitoring.tick import tick
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.store import open_store
from ciclo.components.storage.windows import PredictionWindows

DECIDED, UNREACHABLE, WRONG, BUG, LATE, STOPPED = 0, 1, 2, 3, 4, 143
MESSAGE_BYTES = 2_000  # of 4,096 that Kubernetes keeps
GRACE_SECONDS = 20.0


class _Over(BaseException):
    """The time is up, or somebody stopped it: nothing on the way may take this for an error it can live with."""

    def __init__(self, code: int) -> None:
        self.code = code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one tick, print its decision, and say how it ended."""
    parser = argparse.ArgumentParser(
        prog="python -P -m ciclo.components.monitoring", description="Watch the served model once."
    )
    parser.add_argument("project", help="project file")
    parser.add_argument("--now", type=_time, help="time of the tick, ISO; without a zone it is UTC")
    parser.add_argument("--dry-run", action="store_true", help="decide, but write, tell and submit nothing")
    options = parser.parse_args(arguments)
    configure()
    started, current, project = time.monotonic(), None, None
    try:
        current = settings()
        project = read_project(options.project)
        with _bounded(current):
            decision = _tick(project, current, options.now, options.dry_run)
    except (_Over, Exception) as error:
        code, summary = _explained(error, current)
        if current is not None and project is not None and not options.dry_run:
            export(metrics_of_failure(project.name, time.monotonic() - started), project.name, current, decided=False)
        _leave_message(current, f"no decision (exit code {code}): {summary}")
        structlog.get_logger().error("monitoring failed", error=type(error).__name__, code=code, summary=summary)
        return code
    if not options.dry_run:
        found = metrics_of(project.name, decision, time.monotonic() - started, time.time())
        export(found, project.name, current, decided=True)
    _leave_message(current, f"{decision.action}: {decision.reason}")
    sys.stdout.write(decision.model_dump_json() + "\n")
    return DECIDED


def _tick(project: Project, current: Settings, now: datetime | None, dry_run: bool) -> Decision:
    return tick(
        project,
        registry=open_registry(project.name, current),
        predictions=PredictionWindows(current.predictions_uri),
        store=open_store(current.store_uri, current),
        clock=lambda: now or datetime.now(UTC),
        submit=KfpSubmitter.of(current, project),
        dry_run=dry_run,
    )


def _explained(error: BaseException, current: Settings | None) -> tuple[int, str]:
    """The exit code for what went wrong, and a sentence about it."""
    match error:
        case _Over(code=code) if code == LATE and current is not None:
            return LATE, f"the tick was not over after {current.deadline_seconds:g} s. The next one goes on from there."
        case _Over(code=code):
            return code, "the tick was told to stop. The next one goes on from there."
        case ProjectError() | SettingsError():
            return WRONG, str(error)
        case CicloError():
            return UNREACHABLE, str(error)
        case _:
            traceback.print_exception(error)
            return BUG, f"this is a bug in ciclo: {type(error).__name__}. The log has its traceback."


@contextmanager
def _bounded(current: Settings) -> Iterator[None]:
    """End what takes too long: by an exception, and where that is stuck in a call that hears nothing, at once."""

    def stop(number: int, _: FrameType | None) -> None:
        raise _Over(LATE if number == signal.SIGALRM else STOPPED)

    def give_up() -> None:
        _leave_message(current, f"no decision (exit code {LATE}): {_explained(_Over(LATE), current)[1]}")
        os._exit(LATE)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hard = threading.Timer(current.deadline_seconds + GRACE_SECONDS, give_up)
    hard.daemon = True
    before = {number: signal.signal(number, stop) for number in (signal.SIGALRM, signal.SIGTERM)}
    signal.setitimer(signal.ITIMER_REAL, current.deadline_seconds)
    hard.start()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        hard.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_message(current: Settings | None, text: str) -> None:
    """Write the termination message, where there is a file for it."""
    path = current.termination_log if current is not None else Path(Settings.model_fields["termination_log"].default)
    with suppress(OSError):
        if path.parent != Path("/dev") or path.exists():  # outside a container it is not there, and nobody reads it
            path.write_bytes(text.encode()[:MESSAGE_BYTES].decode(errors="ignore").encode())


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
