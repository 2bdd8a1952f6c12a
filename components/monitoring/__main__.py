"""The entry of the CronJob: ``python -P -m ciclo.components.monitoring PROJECT_FILE [--now TIME] [--dry-run]``.

Ends with 0 whatever was decided, and with 1 if nothing could be.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from ciclo.components.core.errors import CicloError
from ciclo.components.core.logs import configure
from ciclo.components.core.project_file import read_project
from ciclo.components.core.settings import settings
from ciclo.components.monitoring.submission import KfpSubmitter
from ciclo.components.monitoring.tick import tick
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.predictions import PredictionStore
from ciclo.components.storage.store import open_store


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one tick and print its decision."""
    parser = argparse.ArgumentParser(
        prog="python -P -m ciclo.components.monitoring", description="Watch the served model once."
    )
    parser.add_argument("project", help="project file")
    parser.add_argument("--now", type=_time, help="time of the tick, ISO; without a zone it is UTC")
    parser.add_argument("--dry-run", action="store_true", help="decide, but write, tell and submit nothing")
    options = parser.parse_args(arguments)
    configure()
    try:
        project, current = read_project(options.project), settings()
        decision = tick(
            project,
            registry=open_registry(project.name, current),
            predictions=PredictionStore(current.predictions_uri),
            store=open_store(current.store_uri, current),
            clock=lambda: options.now or datetime.now(UTC),
            submit=KfpSubmitter.of(current, project),
            dry_run=options.dry_run,
        )
    except CicloError as error:
        structlog.get_logger().error("monitoring failed", error=type(error).__name__, summary=str(error))
        return 1
    sys.stdout.write(decision.model_dump_json() + "\n")
    return 0


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
