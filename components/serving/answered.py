"""Which requests were answered already: a retry gets the answer it had, another request with the same id is refused.

Three places know, each slower and wider than the one before:

1. A small SQLite file beside the spool, shared by the worker processes of one pod. A worker claims an id there before
   it predicts, so on one pod an id never stands for two contents, and a retry that overtakes its first try waits for
   the answer of that. If that takes too long, it answers under our id of the first try, and both are one request. The
   ids we give to requests without one are claimed as well. It is bounded and forgets the oldest.
2. The prediction store, asked for ids that the file does not know, for a moment only. While it does not answer it is
   not asked again for some seconds, and requests are answered as if their ids were new.
3. The key of the store itself: what still got past, such as a retry that reached another pod while the database was
   down, is stored once. If its content was another, both were answered, and the later one is set aside by the recorder.

So an answer never depends on the database, at the price that an id is certain to stand for one content on one pod, or
once it is in the database, and for one stored request everywhere.
"""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from ciclo.components.answering.engine import Answer
from ciclo.components.core.errors import ReusedIdError, StorageError
from ciclo.components.storage.database import write_ahead
from ciclo.components.storage.predictions import Answered, PredictionStore

LOOK_SECONDS = 0.25
LOCK_SECONDS = 1.0
REST_SECONDS = 10.0
MOST_IDS = 20_000
MOST_BYTES = 64 << 20
_PRUNE_EVERY = 200


@dataclass(frozen=True)
class Reply:
    """What a request is answered with.

    Attributes:
        request_id: Id of the client, or ours if it gave none.
        prediction_id: Our id.
        version: Version that answered.
        predictions: The answers, row by row.
    """

    request_id: str
    prediction_id: str
    version: int
    predictions: list[Answer]


@dataclass(frozen=True)
class _Known:
    """What an id stands for: a content, and our id and the answer, None where there is none yet."""

    digest: str
    key: str | None
    reply: Reply | None


def digest_of(content: Sequence[Any]) -> str:
    """The sha256 of what was asked, as canonical values; the order of columns does not matter."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class AnsweredRequests:
    """The answered requests of a project.

    Args:
        path: The SQLite file that the processes of a pod share.
        project: Name of the project.
        store: Asked for what the file does not know; it should give up soon.
    """

    def __init__(self, path: Path, project: str, store: PredictionStore) -> None:
        self._path = path
        self._project = project
        self._store = store
        self._lock = threading.Lock()
        self._file: sqlite3.Connection | None = None
        self._claims = 0
        self._rest_until = 0.0
        self._looking = ThreadPoolExecutor(max_workers=2, thread_name_prefix="answered")

    def claim(self, request_id: str, digest: str, features: list[dict[str, Any]], key: str) -> Reply | str:
        """Take an id for a content, before it is predicted.

        Args:
            request_id: The client's id, or ours if it gave none.
            digest: Of the content.
            features: What is asked, for requests that were stored before there were digests.
            key: Our own id of the request.

        Returns:
            What was answered before, if this is a retry. Otherwise our id to answer it under: that of the first try, if
            that has no answer yet, so that both are one request.

        Raises:
            ReusedIdError: If the id stands for another content.
        """
        known = self._settled(request_id, digest, key)
        if known is not None:
            if known.digest != digest:
                raise _reused(request_id)
            return known.reply or known.key or key
        stored = self._in_store(request_id) if request_id != key else None  # nobody has seen an id that is made here
        if stored is None:
            return key
        same = stored.digest == digest if stored.digest else stored.features == features
        if not same:
            self.release(request_id)
            raise _reused(request_id)
        reply = Reply(request_id, stored.prediction_id, stored.version, stored.answers)
        self.answered(reply, digest)
        return reply

    def answered(self, reply: Reply, digest: str) -> None:
        """Keep an answer for its retries; the first one stays."""
        text = json.dumps(vars(reply))
        kept = (
            "INSERT INTO answered (id, digest, key, reply, size) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " key = excluded.key, reply = excluded.reply, size = excluded.size"
            " WHERE reply IS NULL AND digest = excluded.digest"
        )
        self._run(kept, (reply.request_id, digest, reply.prediction_id, text, len(text)))

    def release(self, request_id: str) -> None:
        """Give an id back that got no answer."""
        self._run("DELETE FROM answered WHERE id = ? AND reply IS NULL", (request_id,))

    def _settled(self, request_id: str, digest: str, key: str) -> _Known | None:
        """As ``_in_file``, once the one that is at the same request now has its answer, or is too slow or dead."""
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            known = self._in_file(request_id, digest, key)
            if known is None or known.digest != digest or known.reply is not None or time.monotonic() > deadline:
                return known
            time.sleep(0.01)

    def _in_file(self, request_id: str, digest: str, key: str) -> _Known | None:
        """Claim the id in the file; what it stands for if it was claimed before."""
        claim = "INSERT INTO answered (id, digest, key) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING digest"
        if self._run(claim, (request_id, digest, key)):
            self._prune()
            return None
        found = self._run("SELECT digest, key, reply FROM answered WHERE id = ?", (request_id,))
        if not found:  # the file cannot be used, or the id was given back a moment ago
            return None
        was, owner, reply = found[0]
        return _Known(was, owner, Reply(**json.loads(reply)) if reply else None)

    def _in_store(self, request_id: str) -> Answered | None:
        if time.monotonic() < self._rest_until:
            return None
        looking = self._looking.submit(self._store.answered, self._project, request_id)
        try:
            return looking.result(LOOK_SECONDS)
        except (Late, StorageError) as error:
            self._rest_until = time.monotonic() + REST_SECONDS
            looking.cancel()
            structlog.get_logger().warning(
                "the prediction store is not asked for retries for a while", reason=str(error) or "it is slow"
            )
            return None

    def _prune(self) -> None:
        self._claims += 1
        if self._claims % _PRUNE_EVERY:
            return
        self._run(
            "DELETE FROM answered WHERE place <= (SELECT max(place) FROM answered) - ? OR place IN (SELECT place FROM ("
            "SELECT place, sum(size) OVER (ORDER BY place DESC) AS newer FROM answered) WHERE newer > ?)",
            (MOST_IDS, MOST_BYTES),
        )

    def _run(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        """Run a statement; nothing if the file cannot be used, which costs recognition and no answer."""
        with self._lock:
            try:
                if self._file is None:
                    self._file = _open(self._path)
                return self._file.execute(statement, values).fetchall()
            except (sqlite3.Error, OSError) as error:
                structlog.get_logger().warning("answered requests cannot be looked up", reason=str(error))
                return []


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False)
    write_ahead(file, LOCK_SECONDS)
    file.execute("PRAGMA synchronous=OFF")  # it has to outlive a process, not the machine
    file.execute(
        "CREATE TABLE IF NOT EXISTS answered (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL,"
        " reply TEXT, size INTEGER NOT NULL DEFAULT 0, key TEXT)"
    )
    if "key" not in {column[1] for column in file.execute("PRAGMA table_info(answered)")}:  # of a release before
        try:
            file.execute("ALTER TABLE answered ADD COLUMN key TEXT")
        except sqlite3.OperationalError as error:
            if "duplicate" not in str(error):  # another process was faster
                raise
    return file


def _reused(request_id: str) -> ReusedIdError:
    return ReusedIdError(
        f"the id '{request_id}' was given to a request with other content",
        hint="Send the same content again, or give the request an id of its own.",
    )
