"""Names that point at versions: candidate, approved, champion, previous, serving.

Publishing moves ``candidate``, a person moves ``approved``, promotion moves ``champion``, and deployment alone moves
``serving``, after the version has answered. So the champion is what ought to serve, and ``serving`` is what does.

``aliases/<name>.json`` is a signed pointer: version, digest, sequence, nonce, when, by whom and why. It is moved only
by swapping exactly the document that was read. The champion's document holds the previous champion, so ``champion``
and ``previous`` change in one step.

``history/<name>/<sequence>.json`` keeps the document of every move. A mover files the document it is about to replace
and, afterwards, its own; so a crash in between loses nothing, and a mover whose answer was lost and who was overtaken
finds its own document there. The history is never ahead of its pointer; where it is, somebody has put an old pointer
back, and it is refused although its signature is good.
"""

import json
import uuid
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from ciclo.components.core.errors import ConflictError, IntegrityError, NotFoundError, StorageError
from ciclo.components.storage.objects import ObjectStore, Stored
from ciclo.components.storage.signing import STATEMENT_TYPE, Signer, Trust

CANDIDATE, APPROVED, CHAMPION, PREVIOUS, SERVING = "candidate", "approved", "champion", "previous", "serving"
MOVED = (CANDIDATE, APPROVED, CHAMPION, SERVING)  # ``previous`` follows the champion
PREDICATE = "urn:ciclo:alias"
Action = Literal["publish", "approve", "promote", "rollback", "deploy"]


@dataclass(frozen=True)
class Alias:
    """Where a name points, and how it came to.

    Attributes:
        version: The version.
        digest: sha256 of its manifest, hex.
        sequence: 1 for the first move of this name, then counted up.
        nonce: Tells two moves apart that are otherwise the same.
        moved_at: When, ISO in UTC.
        by: Who moved it.
        why: Why.
        action: What kind of move it was.
        override: The reason a person gave for moving it against the rules, else empty.
    """

    version: int
    digest: str
    sequence: int
    nonce: str
    moved_at: str
    by: str
    why: str
    action: Action = "publish"
    override: str = ""


@dataclass(frozen=True)
class Move:
    """Who wants a name to be moved, and why; see ``Alias``."""

    by: str
    why: str
    action: Action = "publish"
    override: str = ""


class Pointer(BaseModel):
    """The document behind a name.

    Attributes:
        project: The project.
        alias: The name.
        current: Where it points.
        previous: Where it pointed before it pointed to this version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str
    alias: str
    current: Alias
    previous: Alias | None

    def to(self, version: int, digest: str, move: Move) -> "Pointer":
        """The document that follows this one."""
        alias = _alias(version, digest, self.current.sequence + 1, move, self.current.moved_at)
        previous = self.previous if self.current.version == version else self.current
        return Pointer(project=self.project, alias=self.alias, current=alias, previous=previous)


class Aliases:
    """The names of one project.

    Args:
        store: Where they are.
        root: Prefix of the project in the store.
        project: Name of the project.
        trust: Whose signature a pointer needs.
    """

    def __init__(self, store: ObjectStore, root: str, project: str, trust: Trust) -> None:
        self._store = store
        self._root = root
        self._project = project
        self._trust = trust
        self._remedy = f"`ciclo models repair {project}` puts the newest signed move back"

    def get(self, name: str) -> Alias | None:
        """Where a name points, or None if it does not yet.

        Raises:
            IntegrityError: If its document is not signed by somebody trusted, or is not its newest one.
        """
        found = self._pointer(CHAMPION if name == PREVIOUS else name)
        if found is None:
            return None
        pointer, _ = found
        return pointer.previous if name == PREVIOUS else pointer.current

    def names(self) -> list[str]:
        """The names that have been moved, and ``previous`` with the champion; those too whose pointer is gone."""
        prefix = f"{self._root}/aliases/"
        found = {key.removeprefix(prefix).removesuffix(".json") for key in self._store.list(prefix)}
        found |= {name for name in {*MOVED} - found if self._store.exists(self._history_key(name, 1))}
        return sorted({*found, PREVIOUS} if CHAMPION in found else found)

    def move(
        self, name: str, version: int, digest: str, move: Move, *, expected: Alias | None, signer: Signer | None
    ) -> Alias:
        """Point a name at a version.

        Raises:
            ConflictError: If it does not point at what was expected any more.
            IntegrityError: If nobody here would trust the signature.
        """
        if name == PREVIOUS:
            raise StorageError("'previous' cannot be moved", hint="Move 'champion'; 'previous' follows it.")
        found = self._pointer(name)
        if (found[0].current if found else None) != expected:
            raise self._conflict(name)
        key = f"{self._root}/aliases/{name}.json"
        if found is None:
            first = _alias(version, digest, 1, move)
            after = Pointer(project=self._project, alias=name, current=first, previous=None)
            document = self._document(after, signer)
            won = self._store.put_if_absent(key, document)
        else:
            before, stored = found
            after = before.to(version, digest, move)
            document = self._document(after, signer)
            self._file(before, stored.data)
            won = self._store.swap(key, document, stored.etag)
        if not won and not self._filed(after):
            raise self._conflict(name)
        self._file(after, document)
        return after.current

    def history(self) -> list[dict[str, Any]]:
        """Every move of every name, oldest first: the fields of ``Alias``, and ``alias``, the name.

        Raises:
            IntegrityError: If a document is not signed by somebody trusted.
        """
        moves = {}
        for folder in ("history", "aliases"):
            prefix = f"{self._root}/{folder}/"
            for key in self._store.list(prefix):
                name = key.removeprefix(prefix).removesuffix(".json").partition("/")[0]
                move = self._parse(name, self._store.get(key), key).current
                moves[name, move.sequence] = {"alias": name, **asdict(move)}
        return sorted(moves.values(), key=lambda move: (move["moved_at"], move["alias"], move["sequence"]))

    def repair(self, name: str) -> Alias | None:
        """Put the newest move that is signed back in the place of a pointer that is gone or cannot be trusted.

        Returns:
            Where the name points now, or None if its pointer is sound, or no move of it can be trusted.
        """
        with suppress(IntegrityError):
            self._pointer(name)
            return None
        for key in reversed(list(self._store.list(f"{self._root}/history/{name}/"))):
            with suppress(IntegrityError):
                moved = self._parse(name, self._store.get(key), key)
                self._store.put(f"{self._root}/aliases/{name}.json", self._store.get(key).data)
                return moved.current
        return None

    def set_aside(self) -> list[str]:
        """Take documents out of the history that cannot be trusted, so that the others can be read.

        They are kept below ``damaged/``. The newest move of a name is its pointer, and stays known.

        Returns:
            Their keys.
        """
        prefix, damaged = f"{self._root}/history/", []
        for key in list(self._store.list(prefix)):
            name = key.removeprefix(prefix).partition("/")[0]
            stored = self._store.get(key)
            try:
                self._parse(name, stored, key)
            except IntegrityError:
                self._store.put(f"{self._root}/damaged/{key.removeprefix(prefix)}", stored.data)
                self._store.delete(key)
                damaged.append(key)
        return damaged

    def _pointer(self, name: str) -> tuple[Pointer, Stored] | None:
        key = f"{self._root}/aliases/{name}.json"
        while True:
            try:
                stored = self._store.get(key)
            except NotFoundError:
                if not self._store.exists(self._history_key(name, 1)):
                    return None
                if self._store.exists(key):  # it was moved for the first time meanwhile
                    continue
                raise IntegrityError(
                    f"'{key}' is gone, and its history is not",
                    hint=f"Find out who deleted it. {self._remedy}.",
                ) from None
            pointer = self._parse(name, stored, key)
            if not self._store.exists(self._history_key(name, pointer.current.sequence + 1)):
                return pointer, stored
            if self._store.get(key) == stored:  # nobody has moved it meanwhile
                raise IntegrityError(
                    f"'{key}' was put back to an older state",
                    seen=f"sequence {pointer.current.sequence}, with a later one in the history",
                    hint="Find out who wrote to the bucket; the newest document in the history is the true one.",
                )

    def _document(self, pointer: Pointer, signer: Signer | None) -> bytes:
        statement = {
            "_type": STATEMENT_TYPE,
            "subject": [
                {
                    "name": f"{self._root}/versions/{pointer.current.version}/manifest.json",
                    "digest": {"sha256": pointer.current.digest},
                }
            ],
            "predicateType": PREDICATE,
            "predicate": pointer.model_dump(mode="json"),
        }
        document = json.dumps(statement, indent=2).encode() if signer is None else signer.sign(statement)
        self._trust.read(document)
        return document

    def _parse(self, name: str, stored: Stored, key: str) -> Pointer:
        try:
            statement = self._trust.read(stored.data)
            if statement.get("predicateType") != PREDICATE:
                raise IntegrityError("the statement is about something else")
            pointer = Pointer.model_validate(statement.get("predicate"))
        except (IntegrityError, ValidationError) as error:
            raise IntegrityError(
                f"'{key}' is not a pointer that can be trusted",
                seen=str(error)[:300],
                hint=f"Find out who wrote it. {self._remedy}, and sets aside what is damaged in the history.",
            ) from error
        if (pointer.project, pointer.alias) != (self._project, name):
            raise IntegrityError(f"'{key}' is not that pointer", seen=f"{pointer.alias} of {pointer.project}")
        return pointer

    def _file(self, pointer: Pointer, document: bytes) -> None:
        self._store.put_if_absent(self._history_key(pointer.alias, pointer.current.sequence), document)

    def _filed(self, pointer: Pointer) -> bool:
        key = self._history_key(pointer.alias, pointer.current.sequence)
        return self._store.exists(key) and self._parse(pointer.alias, self._store.get(key), key) == pointer

    def _history_key(self, name: str, sequence: int) -> str:
        return f"{self._root}/history/{name}/{sequence:08d}.json"

    def _conflict(self, name: str) -> ConflictError:
        found = self.get(name)
        return ConflictError(
            f"somebody else moved '{name}' first",
            seen=f"version {found.version} since {found.moved_at} by {found.by}" if found else "nothing",
            hint="Look at it again and decide anew.",
        )


def _alias(version: int, digest: str, sequence: int, move: Move, after: str = "") -> Alias:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return Alias(version, digest, sequence, uuid.uuid4().hex, max(now, after), **asdict(move))
