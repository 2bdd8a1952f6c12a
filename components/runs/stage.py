"""A stage of a run: it says that it starts and how it ends, and every way to end has an exit status.

Whoever runs the pipeline shows those lines to people (``pipelines/backends/local.py``); what decides the run or breaks
it is left as a note in the store.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import structlog

from ciclo.components.core.errors import CicloError, SettingsError, StorageError
from ciclo.components.core.logs import configure
from ciclo.components.core.report import Document
from ciclo.components.core.settings import settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.runs.accounts import Account, leave_account
from ciclo.components.runs.notes import Ending, Note, leave_note

STAGE_EVENT = "stage"
CANCELLED = 128 + signal.SIGTERM


class Stage:
    """What a running stage has to say of itself.

    Attributes:
        summary: One sentence on what came out, shown when the stage ends.
        detail: Further short lines for people.
        ending: How the stage ends the run, if it does.
        reason: Why, as a sentence; the summary by default.
        figures: What is worth reading at a glance, by name.
        verdict: What it decided, if it is a gate.
        document: What it shows people as data, if it keeps that.
    """

    def __init__(self) -> None:
        self.summary = ""
        self.detail: list[str] = []
        self.ending: Ending | None = None
        self.reason = ""
        self.figures: dict[str, int | float | str] = {}
        self.verdict: Verdict | None = None
        self.document: Document | None = None

    def done(self, summary: str, *detail: str) -> None:
        """Say what came out."""
        self.summary = summary
        self.detail = list(detail)

    def decided(self, verdict: Verdict, document: str | Path | None = None) -> None:
        """Say what the gate decided, for the report of the run.

        Args:
            verdict: The decision.
            document: File of what the stage shows people as data.
        """
        self.verdict = verdict
        self.summary = self.summary or f"{verdict.decision}: {verdict.reason}"
        if document is not None:
            self.document = Document.model_validate_json(Path(document).read_text())

    def ends(self, ending: Ending, reason: str = "") -> None:
        """Say how the run ends here."""
        self.ending, self.reason = ending, reason


@contextmanager
def stage(name: str, project: str, label: str = "") -> Iterator[Stage]:
    """Run a stage: announce its start and its end, and turn a named error into a clean exit.

    While it runs, SIGTERM is an exception like another, so that whoever changed something puts it back; a second one
    is not listened to.

    Args:
        name: Folder name of the stage.
        project: The project as JSON.
        label: What tells two tasks of one stage apart, such as the candidate.

    Raises:
        SystemExit: With status 1 for a ``CicloError``, whose text is in the log without a traceback; with 143 if the
            stage was told to stop.
    """
    configure()
    log = structlog.get_logger().bind(stage=name, label=label)
    started = time.monotonic()
    current = Stage()
    log.info(STAGE_EVENT, status="started", pid=os.getpid())

    def failed(status: Literal["failed", "crashed"], ending: Ending | None, summary: str, **more: str) -> None:
        log.error(STAGE_EVENT, status=status, summary=summary, **more, **_since(started))
        sys.stdout.flush()
        if ending is not None:
            _account(project, Account(stage=name, label=label, status=status, summary=summary, **_since(started)))
            _leave(name, label, project, ending, summary)

    with _stoppable():
        try:
            yield current
        except CicloError as error:
            ending: Ending | None = None if isinstance(error, StorageError) else "failed"  # where could the note go?
            failed("failed", ending, str(error), error=type(error).__name__)
            raise SystemExit(1) from None
        except SystemExit as ended:
            if ended.code == CANCELLED:
                failed("failed", "cancelled", "told to stop before it had ended")
            raise
        except Exception as error:
            failed("crashed", "failed", f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
            raise
    log.info(STAGE_EVENT, status="done", summary=current.summary, detail=current.detail, **_since(started))
    sys.stdout.flush()
    _account(
        project,
        Account(
            stage=name,
            label=label,
            status="done",
            summary=current.summary,
            detail=tuple(current.detail),
            figures=current.figures,
            verdict=current.verdict,
            document=current.document,
            **_since(started),
        ),
    )
    if current.ending is not None:
        _leave(name, label, project, current.ending, current.reason or current.summary)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Make SIGTERM an exception in the body; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(CANCELLED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(name: str, label: str, project: str, ending: Ending, reason: str) -> None:
    with suppress(SettingsError, ValueError, TypeError, KeyError):  # what is wrong with these was said by the stage
        note = Note(stage=f"{name} {label}".strip(), ending=ending, reason=reason)
        leave_note(note, json.loads(project)["name"], settings())


def _account(project: str, account: Account) -> None:
    with suppress(SettingsError, ValueError, TypeError, KeyError):
        leave_account(account, json.loads(project)["name"], settings())


def _since(started: float) -> dict[str, Any]:
    return {"seconds": round(time.monotonic() - started, 2)}
