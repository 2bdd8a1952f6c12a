"""Logs: one JSON object a line on standard output, set up by entry points only.

A stage announces itself with ``stage``; whoever runs the pipeline shows those lines to
people (``pipelines/backends/local.py``).
"""

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from ciclo.components.core.errors import CicloError

STAGE_EVENT = "stage"


def configure() -> None:
    """Send logs to standard output as JSON lines."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )


class Stage:
    """What a running stage has to say of itself.

    Attributes:
        summary: One sentence on what came out, shown when the stage ends.
        detail: Further short lines for people.
    """

    def __init__(self) -> None:
        self.summary = ""
        self.detail: list[str] = []

    def done(self, summary: str, *detail: str) -> None:
        """Say what came out."""
        self.summary = summary
        self.detail = list(detail)


@contextmanager
def stage(name: str, label: str = "") -> Iterator[Stage]:
    """Run a stage: announce its start and its end, and turn a named error into a clean exit.

    Args:
        name: Folder name of the stage.
        label: What tells two tasks of one stage apart, such as the candidate.

    Raises:
        SystemExit: With status 1 for a ``CicloError``; its text is in the log, without a traceback.
    """
    configure()
    log = structlog.get_logger().bind(stage=name, label=label)
    started = time.monotonic()
    current = Stage()
    log.info(STAGE_EVENT, status="started")
    try:
        yield current
    except CicloError as error:
        log.error(STAGE_EVENT, status="failed", summary=str(error), error=type(error).__name__, **_since(started))
        sys.stdout.flush()
        raise SystemExit(1) from None
    except Exception as error:
        log.error(
            STAGE_EVENT,
            status="crashed",
            summary=f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
            **_since(started),
        )
        raise
    log.info(STAGE_EVENT, status="done", summary=current.summary, detail=current.detail, **_since(started))
    sys.stdout.flush()


def _since(started: float) -> dict[str, Any]:
    return {"seconds": round(time.monotonic() - started, 2)}
