"""The recorder: an answered prediction is on disk before the answer goes out, and in the database soon after.

The spool is a folder of segments, each a file of JSON lines, one line for one request. A process appends to a segment
of its own and holds a lock on it; the kernel lets go of the lock when the process dies, however it dies. A thread seals
the segment, sends every segment that nobody holds to the prediction store, and removes it. It may send a segment twice,
never not at all, and the store takes a row only once.

A database that does not answer is tried again. Requests that it will never take are set aside as ``<segment>.refused``,
the lines as they were, with ``<segment>.reason`` beside it, and hold up neither the others of their segment nor the
next one. What is set aside has a bound of its own; beyond it the oldest goes, which is logged.

Lines are not synced to the disk one by one: they survive the death of the process, not that of the machine.
"""

import fcntl
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from ciclo.components.core.errors import RefusedError, StorageError
from ciclo.components.core.files import write_whole
from ciclo.components.core.wording import counted
from ciclo.components.storage.predictions import Label, PredictionRow, PredictionStore

BATCH_ROWS = 5_000
SEGMENT_BYTES = 8 << 20
SPOOL_BYTES = 256 << 20
ASIDE_BYTES = 64 << 20
ASIDE = (".refused", ".reason", ".damaged")
IDLE_SECONDS = 0.5
BACKOFF_SECONDS = 30.0


@dataclass(frozen=True)
class _Line:
    """One request or one feedback, as it stands in a segment."""

    text: bytes
    rows: list[PredictionRow]
    labels: list[Label]


@dataclass
class _Segment:
    """The segment this process appends to."""

    file: int
    size: int = 0


class Recorder:
    """Write-behind to the prediction store through a bounded spool.

    Several processes may share a folder; what a dead one left behind is sent by the others.

    Args:
        folder: The spool.
        store: Where the rows go in the end.
        limit: Most bytes the spool may hold.
        refused: Called for each segment of which something was set aside.
    """

    def __init__(
        self,
        folder: Path,
        store: PredictionStore,
        limit: int = SPOOL_BYTES,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._store = store
        self._limit = limit
        self._refused = refused
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._segment: _Segment | None = None
        self._thread: threading.Thread | None = None
        self._folder.mkdir(parents=True, exist_ok=True)
        self._waiting = self._measure()

    @property
    def waiting(self) -> int:
        """Bytes in the spool that wait to be sent."""
        return self._waiting

    def start(self) -> None:
        """Begin to send; call it after the process has forked, since threads do not survive a fork."""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def record(self, rows: Sequence[PredictionRow]) -> None:
        """Take predictions; when this returns they outlive the process.

        Raises:
            StorageError: If the spool is full or cannot be written; the predictions must not be answered then.
        """
        self._append({"predictions": [_plain(row) for row in rows]})

    def label(self, labels: Sequence[Label]) -> None:
        """Take labels, as ``record`` takes predictions."""
        self._append({"labels": [vars(label) for label in labels]})

    def flush(self) -> None:
        """Stop sending in the background and send what there is, once.

        Raises:
            StorageError: If the database does not answer; the spool stays for the next process.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.ship()

    def ship(self) -> None:
        """Send every segment that no other process is writing, oldest first.

        Raises:
            StorageError: If the database does not answer; what was not sent stays.
        """
        with self._lock:
            self._seal()
        try:
            for path in sorted(self._folder.glob("*.jsonl")):
                with _held(path) as file:
                    if file is not None:
                        self._send(path, file)
        finally:
            with self._lock:
                self._waiting = self._measure()

    def _run(self) -> None:
        delay = IDLE_SECONDS
        while not self._stop.wait(delay):
            try:
                self.ship()
                delay = IDLE_SECONDS
            except Exception as error:
                delay = min(2 * delay, BACKOFF_SECONDS)
                structlog.get_logger().warning(
                    "predictions wait in the spool", reason=str(error), waiting=self._waiting, retry_in=delay
                )

    def _append(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, default=datetime.isoformat, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            if self._waiting + len(line) > self._limit:
                raise StorageError("the spool of predictions is full", seen=counted(self._waiting, "byte"))
            try:
                self._write(line)
            except OSError as error:
                self._seal()  # what was written of the line is the torn end of a segment now
                raise StorageError("the spool of predictions cannot be written", seen=error.strerror) from error
            self._waiting += len(line)

    def _write(self, line: bytes) -> None:
        if self._segment is not None and self._segment.size >= SEGMENT_BYTES:
            self._seal()
        if self._segment is None:
            self._segment = _new_segment(self._folder)
        written = 0
        while written < len(line):
            written += os.write(self._segment.file, line[written:])
        self._segment.size += written

    def _seal(self) -> None:
        """Close the segment of this process, which lets go of its lock."""
        if self._segment is not None:
            os.close(self._segment.file)
            self._segment = None

    def _send(self, path: Path, file: int) -> None:
        batch: list[_Line] = []
        refused: list[tuple[_Line, str]] = []
        damaged = waiting = 0
        with os.fdopen(os.dup(file), "rb") as lines:
            for text in lines:
                try:
                    line = _read_line(text)
                    batch.append(line)
                    waiting += len(line.rows) + len(line.labels)
                except (ValueError, TypeError, KeyError, AttributeError):
                    damaged += text.endswith(b"\n")  # a torn last line was never acknowledged
                if waiting >= BATCH_ROWS:
                    refused += self._store_batch(batch)
                    batch, waiting = [], 0
        refused += self._store_batch(batch)
        if refused:
            self._set_aside(path, refused)
        if damaged:
            structlog.get_logger().error("a segment of the spool is damaged and kept", path=str(path), lines=damaged)
            path.rename(path.with_suffix(".damaged"))
        else:
            path.unlink()
        if refused or damaged:
            self._refused()
            self._forget_oldest()

    def _store_batch(self, batch: list[_Line]) -> list[tuple[_Line, str]]:
        """Store what the database takes; the lines it refuses for ever, each with the reason."""
        try:
            self._store.record([row for line in batch for row in line.rows])
            self._store.label([label for line in batch for label in line.labels])
        except RefusedError as error:
            if len(batch) == 1:
                return [(batch[0], str(error))]
            middle = len(batch) // 2
            return self._store_batch(batch[:middle]) + self._store_batch(batch[middle:])
        return []

    def _set_aside(self, path: Path, refused: list[tuple[_Line, str]]) -> None:
        write_whole(path.with_suffix(".reason"), (reason.encode() + b"\n" for _, reason in refused))
        write_whole(path.with_suffix(".refused"), (line.text for line, _ in refused))
        structlog.get_logger().error(
            "the database refuses requests for ever; they are set aside",
            path=str(path.with_suffix(".refused")),
            requests=len(refused),
            reason=refused[0][1],
        )

    def _forget_oldest(self) -> None:
        """Keep what is set aside within its bound."""
        aside = sorted(path for path in self._folder.iterdir() if path.suffix in ASIDE)
        size = sum(_size_of(path) for path in aside)
        for path in aside:
            if size <= ASIDE_BYTES:
                return
            structlog.get_logger().error("what was set aside is too much; the oldest is forgotten", path=str(path))
            size -= _size_of(path)
            path.unlink(missing_ok=True)

    def _measure(self) -> int:
        return sum(_size_of(path) for path in self._folder.iterdir() if path.suffix not in ASIDE)


def _read_line(text: bytes) -> _Line:
    record = json.loads(text)
    rows = [PredictionRow(**_timed(r)) for r in record.get("predictions", ())]
    return _Line(text, rows, [Label(**_timed(r)) for r in record.get("labels", ())])


def _plain(row: PredictionRow) -> dict[str, Any]:
    """A row as it stands in a segment, which a server of the release before may send, if it needs no more than that."""
    return {name: value for name, value in vars(row).items() if name != "probabilities" or value is not None}


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # sent by another process
        return 0


def _new_segment(folder: Path) -> _Segment:
    """A segment that is locked before others can see it, named so that names sort by age."""
    path = folder / f"{datetime.now().timestamp():017.6f}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
    draft = path.with_suffix(".new")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    draft.rename(path)
    return _Segment(file)


@contextmanager
def _held(path: Path) -> Iterator[int | None]:
    """The open segment, locked; None if another process holds it or has sent it already."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield file if _locked(file) and path.exists() else None
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _timed(record: dict[str, Any]) -> dict[str, Any]:
    return record | {"time": datetime.fromisoformat(record["time"])}
