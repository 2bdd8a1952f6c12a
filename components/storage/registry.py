"""The registry: numbered versions of a project's model, and named pointers to them. There is no server.

Below ``projects/<project>/``:

- ``numbers/<n>`` claims a number. It is written only if absent, so two publishers never share one.
- ``versions/<n>/<file>`` are the files of a bundle, written by the claimer of the number and never again.
- ``published/<n>`` is the marker, written last, after the version was read back from the store and verified. A version
  without it does not exist: a publisher that died leaves a number unused, nothing more. It holds the manifest's digest.
- ``aliases/<name>.json`` is a pointer: version, digest, sequence, nonce, when, by whom and why. It is moved only by
  swapping exactly the document that was read. The champion's document holds the previous champion, so ``champion`` and
  ``previous`` change in one step.
- ``history/<name>/<sequence>.json`` keeps the document of every move. A mover files the document it is about to replace
  and, afterwards, its own; so a crash in between loses nothing, and a mover whose answer was lost and who was overtaken
  finds its own document there.
"""

import hashlib
import json
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from components.core.errors import ConflictError, IntegrityError, NotFoundError, StorageError
from components.core.settings import Settings
from components.storage.bundle import FILES, MANIFEST, SIGNATURE, Bundle, open_bundle, same_names, seal
from components.storage.objects import ObjectStore, Stored, open_store
from components.storage.signing import Signer, Trust, signer_from, trust_from

__all__ = ["Alias", "Registry", "open_registry", "signer_from", "trust_from"]

CHAMPION, PREVIOUS = "champion", "previous"


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
    """

    version: int
    digest: str
    sequence: int
    nonce: str
    moved_at: str
    by: str
    why: str


class Pointer(BaseModel):
    """The document behind a name.

    Attributes:
        current: Where it points.
        previous: Where it pointed before it pointed to this version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    current: Alias
    previous: Alias | None

    def to(self, version: int, digest: str, by: str, why: str) -> "Pointer":
        """The document that follows this one."""
        alias = _alias(version, digest, self.current.sequence + 1, by, why, self.current.moved_at)
        return Pointer(current=alias, previous=self.previous if self.current.version == version else self.current)


class Registry:
    """The versions of one project.

    Args:
        store: Where they are.
        project: Name of the project.
        trust: Whose signature a version needs.
    """

    def __init__(self, store: ObjectStore, project: str, trust: Trust) -> None:
        self.project = project
        self._store = store
        self._trust = trust
        self._root = f"projects/{project}"

    def publish(self, files: Mapping[str, Path | bytes], *, signer: Signer | None, parent: int | None) -> int:
        """Write a new version.

        Args:
            files: The files of the bundle by name, without manifest and signature.
            signer: Who signs, or None for an unsigned version.
            parent: The champion it was compared with.

        Returns:
            Its number.

        Raises:
            StorageError: If the store fails; no version exists then.
            IntegrityError: If a file is missing, foreign or unreadable, or this registry would not trust the signature.
        """
        same_names(files, FILES)
        version = self._claim()
        sealed = seal(files, project=self.project, version=version, parent=parent, signer=signer)
        for name, content in {**files, **sealed}.items():
            key = f"{self._root}/versions/{version}/{name}"
            if isinstance(content, bytes):
                self._store.put(key, content)
            else:
                self._store.put_file(key, content)
        with tempfile.TemporaryDirectory() as folder:
            self._copy(version, Path(folder)).check()
        marker = {"digest": hashlib.sha256(sealed[MANIFEST]).hexdigest()}
        self._store.put(f"{self._root}/published/{version}", json.dumps(marker).encode())
        return version

    def fetch(self, version: int, folder: Path) -> Bundle:
        """Copy a version to a folder and verify the copy.

        Args:
            version: The version.
            folder: An empty folder, or one that an earlier fetch filled.

        Raises:
            NotFoundError: If there is no such version.
            IntegrityError: If it is not what was published.
        """
        digest = self._published(version)
        bundle = self._copy(version, folder)
        if bundle.digest != digest:
            raise IntegrityError(f"version {version} of {self.project} is not the one that was published")
        return bundle

    def versions(self) -> list[int]:
        """The numbers of all published versions, ascending."""
        return self._numbers("published")

    def alias(self, name: str) -> Alias | None:
        """Where a name points, or None if it does not yet."""
        found = self._pointer(CHAMPION if name == PREVIOUS else name)
        if found is None:
            return None
        pointer, _ = found
        return pointer.previous if name == PREVIOUS else pointer.current

    def move(self, name: str, version: int, *, expected: Alias | None, by: str, why: str) -> Alias:
        """Point a name at a version.

        Args:
            name: Such as ``champion`` or ``candidate``; ``previous`` follows the champion by itself.
            version: A published version.
            expected: What the name was seen to point at.
            by: Who moves it.
            why: Why.

        Raises:
            ConflictError: If it points at something else by now.
            NotFoundError: If there is no such version.
        """
        if name == PREVIOUS:
            raise StorageError("'previous' cannot be moved", hint="Move 'champion'; 'previous' follows it.")
        digest = self._published(version)
        found = self._pointer(name)
        if (found[0].current if found else None) != expected:
            raise self._conflict(name)
        key = f"{self._root}/aliases/{name}.json"
        if found is None:
            after = Pointer(current=_alias(version, digest, 1, by, why), previous=None)
            won = self._store.put_if_absent(key, _document(after))
        else:
            before, stored = found
            after = before.to(version, digest, by, why)
            self._file(name, before)
            won = self._store.swap(key, _document(after), stored.etag)
        if not won and not self._filed(name, after):
            raise self._conflict(name)
        self._file(name, after)
        return after.current

    def history(self) -> list[dict[str, Any]]:
        """Every move of every name, oldest first: the fields of ``Alias``, and ``alias``, the name."""
        moves = {}
        for folder in ("history", "aliases"):
            prefix = f"{self._root}/{folder}/"
            for key in self._store.list(prefix):
                name = key.removeprefix(prefix).removesuffix(".json").partition("/")[0]
                move = _parse(self._store.get(key), key).current
                moves[name, move.sequence] = {"alias": name, **asdict(move)}
        return sorted(moves.values(), key=lambda move: (move["moved_at"], move["alias"], move["sequence"]))

    def _claim(self) -> int:
        version = max(self._numbers("numbers"), default=0) + 1
        while not self._store.put_if_absent(f"{self._root}/numbers/{version}", b""):
            version += 1
        return version

    def _copy(self, version: int, folder: Path) -> Bundle:
        prefix = f"{self._root}/versions/{version}/"
        names = {key.removeprefix(prefix) for key in self._store.list(prefix)}
        known = FILES | {MANIFEST, SIGNATURE}
        folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(names & known):
            self._store.get_file(prefix + name, folder / name)
        bundle = open_bundle(folder, project=self.project, version=version, trust=self._trust)
        same_names(names, known, optional=self._trust.unsigned)
        return bundle

    def _numbers(self, folder: str) -> list[int]:
        names = (key.rpartition("/")[2] for key in self._store.list(f"{self._root}/{folder}/"))
        return sorted(int(name) for name in names if name.isdecimal())

    def _published(self, version: int) -> str:
        """The digest in the marker of a version."""
        try:
            marker = self._store.get(f"{self._root}/published/{version}").data
            return str(json.loads(marker)["digest"])
        except NotFoundError as error:
            raise NotFoundError(
                f"there is no version {version} of {self.project}", seen=f"versions {self.versions()[-10:]}"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"the marker of version {version} of {self.project} cannot be read") from error

    def _pointer(self, name: str) -> tuple[Pointer, Stored] | None:
        key = f"{self._root}/aliases/{name}.json"
        try:
            stored = self._store.get(key)
        except NotFoundError:
            return None
        return _parse(stored, key), stored

    def _file(self, name: str, pointer: Pointer) -> None:
        self._store.put_if_absent(self._history_key(name, pointer), _document(pointer))

    def _filed(self, name: str, pointer: Pointer) -> bool:
        key = self._history_key(name, pointer)
        return self._store.exists(key) and _parse(self._store.get(key), key) == pointer

    def _history_key(self, name: str, pointer: Pointer) -> str:
        return f"{self._root}/history/{name}/{pointer.current.sequence:08d}.json"

    def _conflict(self, name: str) -> ConflictError:
        found = self.alias(name)
        return ConflictError(
            f"somebody else moved '{name}' first",
            seen=f"version {found.version} since {found.moved_at} by {found.by}" if found else "nothing",
            hint="Look at it again and decide anew.",
        )


def _alias(version: int, digest: str, sequence: int, by: str, why: str, after: str = "") -> Alias:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return Alias(version, digest, sequence, uuid.uuid4().hex, max(now, after), by, why)


def _document(pointer: Pointer) -> bytes:
    return pointer.model_dump_json(indent=2).encode()


def _parse(stored: Stored, key: str) -> Pointer:
    try:
        return Pointer.model_validate_json(stored.data)
    except ValidationError as error:
        raise IntegrityError(f"'{key}' is not a pointer", seen=str(error)[:300]) from error


def open_registry(project_name: str, settings: Settings) -> Registry:
    """The registry of a project in the store of the settings."""
    return Registry(open_store(settings.store_uri, settings), project_name, trust_from(settings))
