"""The registry: numbered versions of a project's model, and named pointers to them. There is no server.

Below ``projects/<project>/``:

- ``numbers/<n>`` claims a number. It is written only if absent, so two publishers never share one.
- ``versions/<n>/<file>`` are the files of a bundle, written by the claimer of the number and never again.
- ``sole/<name>`` holds the number of the one version of that name, where there may be no more than one; it is written
  right before the marker, so that of two publishers one makes the version and the other finds it.
- ``by-run/<id>/<n>`` and ``by-data/<digest>/<n>`` lead from a run and from data to what was made of them.
- ``published/<n>`` is the marker, written last, after the version was read back from the store and verified. A version
  without it does not exist: a publisher that died leaves a number unused, nothing more. It holds the manifest's digest.
- ``pruned/<n>`` marks a version whose model was deleted to save space (``retention``); it is no longer listed.
- ``aliases/`` and ``history/`` hold the pointers and all their moves (``aliases``).
"""

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from ciclo.components.core.errors import IntegrityError, NotFoundError, StorageError
from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import PREVIOUS, Alias, Aliases, Move
from ciclo.components.storage.bundle import (
    FILES,
    MANIFEST,
    REFITTED,
    SIGNATURE,
    STORY,
    Bundle,
    Record,
    folder_name,
    open_bundle,
    open_record,
    same_names,
    seal,
)
from ciclo.components.storage.objects import ObjectStore
from ciclo.components.storage.signing import Signer, Trust, trust_from
from ciclo.components.storage.store import open_store

Origin = Literal["run", "data"]
File = Path | bytes | Callable[[int], bytes]  # the last makes it for the number of its version
MARKER_SECONDS = 5.0  # longer than it takes to write the marker of a version that is complete


class Registry:
    """The versions of one project.

    Args:
        store: Where they are.
        project: Name of the project.
        trust: Whose signature a version needs.
    """

    def __init__(self, store: ObjectStore, project: str, trust: Trust) -> None:
        self.project = project
        self.root = f"projects/{project}"
        self.store = store
        self._trust = trust
        self._aliases = Aliases(store, self.root, project, trust)

    def publish(self, files: Mapping[str, File], *, signer: Signer | None, parent: int | None, sole: str = "") -> int:
        """Write a new version.

        Args:
            files: The files of the bundle by name, without manifest and signature.
            signer: Who signs, or None for an unsigned version.
            parent: The champion it was compared with.
            sole: A name of which there is one version at most; where there is one already, that is given.

        Returns:
            Its number.

        Raises:
            StorageError: If the store fails; no version exists then.
            IntegrityError: If a file is missing, foreign or unreadable, or this registry would not trust the signature.
        """
        same_names(files, FILES | {REFITTED} & set(files))
        if sole and (known := self._sole(sole)):
            return known
        version = self._claim()
        with _laid_out(files, folder_name(self.project, version), version) as folder:
            digest = seal(folder, project=self.project, version=version, parent=parent, signer=signer)
            for path in sorted(folder.iterdir()):
                self.store.put_file(f"{self.root}/versions/{version}/{path.name}", path)
            copy = self._copy(version, folder.parent / "copy")
            copy.check()
        if sole and (first := self._first_of(sole, version)) != version:
            return first
        for key in index(copy.lineage):
            self.store.put(f"{self.root}/{key}/{version}", b"")
        self.store.put(f"{self.root}/published/{version}", json.dumps({"digest": digest}).encode())
        if self._gone(version):
            raise StorageError(
                f"version {version} of {self.project} was pruned as unfinished before it was",
                hint="Publish again. Do not prune while a version is being published.",
            )
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
        self._same(version, bundle.digest, digest)
        return bundle

    def record(self, version: int) -> Record:
        """What is known of a version, without its model; of a pruned one too, if its story was kept.

        Raises:
            NotFoundError: If there is no such version.
            IntegrityError: If it is not what was published.
        """
        digest = self._published(version, pruned=True)
        prefix = f"{self.root}/versions/{version}/"
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            try:
                for name in sorted(STORY - ({SIGNATURE} if self._trust.unsigned else set())):
                    self.store.get_file(prefix + name, folder / name)
            except NotFoundError as error:
                raise self._gone(version) or error from error
            record = open_record(folder, project=self.project, version=version, trust=self._trust)
        self._same(version, record.digest, digest)
        return record

    def read(self, record: Record, name: str) -> bytes:
        """One file of a version that is known.

        Raises:
            NotFoundError: If it was pruned.
            IntegrityError: If it is not what was published.
        """
        data = self.store.get(f"{self.root}/versions/{record.version}/{name}").data
        if hashlib.sha256(data).hexdigest() != record.files[name]:
            raise IntegrityError(f"'{name}' of version {record.version} is not the one that was published")
        return data

    def versions(self) -> list[int]:
        """The numbers of all versions that can be fetched, ascending."""
        return sorted(set(self.numbers("published")) - set(self.numbers("pruned")))

    def find(self, origin: Origin, start: str) -> list[int]:
        """The versions that a run made, or that were made of data, ascending; pruned ones too, if their story was kept.

        Args:
            origin: ``run`` for an id of a run, ``data`` for a digest of source or dataset.
            start: The id or digest, or how it begins.
        """
        prefix = f"{self.root}/by-{origin}/"
        found = set(_decimals(self.store.list(prefix + _segment(start))))
        return [version for version in sorted(found) if self._comes_from(version, origin, start)]

    def alias(self, name: str) -> Alias | None:
        """Where a name points, or None if it does not yet."""
        return self._aliases.get(name)

    def aliases(self) -> dict[str, Alias]:
        """Every name that points somewhere."""
        found = {name: self._aliases.get(name) for name in self._aliases.names()}
        return {name: alias for name, alias in found.items() if alias is not None}

    def move(self, name: str, version: int, move: Move, *, expected: Alias | None, signer: Signer | None) -> Alias:
        """Point a name at a version.

        Args:
            name: Such as ``champion`` or ``candidate``; ``previous`` follows the champion by itself.
            version: A published version.
            move: Who wants it, and why.
            expected: What the name was seen to point at.
            signer: Who signs the move, or None where signatures are off.

        Raises:
            ConflictError: If it points at something else by now.
            NotFoundError: If there is no such version.
            IntegrityError: If this registry would not trust the signature.
        """
        moved = self._aliases.move(name, version, self._published(version), move, expected=expected, signer=signer)
        if gone := self._gone(version):  # a pruner marked it before it could see the name
            if expected is not None:
                back = Move(move.by, f"back from version {version}, which was pruned meanwhile")
                self._aliases.move(name, expected.version, expected.digest, back, expected=moved, signer=signer)
            raise gone
        return moved

    def repair(self) -> dict[str, Alias]:
        """Put back every name whose pointer cannot be trusted, and say where it points now."""
        found = {name: self._aliases.repair(name) for name in self._aliases.names() if name != PREVIOUS}
        return {name: alias for name, alias in found.items() if alias is not None}

    def set_aside(self) -> list[str]:
        """Take moves out of the history that cannot be trusted, and give their keys; see ``Aliases``."""
        return self._aliases.set_aside()

    def history(self) -> list[dict[str, Any]]:
        """Every move of every name, oldest first: the fields of ``Alias``, and ``alias``, the name."""
        return self._aliases.history()

    def numbers(self, folder: str) -> list[int]:
        """The numbers below ``numbers``, ``published`` or ``pruned``, ascending."""
        return sorted(_decimals(self.store.list(f"{self.root}/{folder}/")))

    def _claim(self) -> int:
        version = max(self.numbers("numbers"), default=0) + 1
        while not self.store.put_if_absent(f"{self.root}/numbers/{version}", b""):
            version += 1
        return version

    def _sole(self, name: str) -> int | None:
        """The one version of a name, if there is one that can be fetched."""
        try:
            number = int(self.store.get(f"{self.root}/sole/{name}").data)
        except NotFoundError:
            return None
        return number if number in self.versions() else None

    def _first_of(self, name: str, version: int) -> int:
        """The one version of a name: this one, or that of a publisher who was first and is not dead."""
        key, number = f"{self.root}/sole/{name}", str(version).encode()
        while not self.store.put_if_absent(key, number):
            found, until = self.store.get(key), time.monotonic() + MARKER_SECONDS
            while (known := self._sole(name)) is None and time.monotonic() < until:
                time.sleep(MARKER_SECONDS / 25)
            if known is not None:
                return known
            if self.store.swap(key, number, found.etag):
                break
        return version

    def _copy(self, version: int, folder: Path) -> Bundle:
        prefix = f"{self.root}/versions/{version}/"
        names = {key.removeprefix(prefix) for key in self.store.list(prefix)}
        known = FILES | {REFITTED} & names | {MANIFEST, SIGNATURE}
        folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(names & known):
            self.store.get_file(prefix + name, folder / name)
        bundle = open_bundle(folder, project=self.project, version=version, trust=self._trust)
        same_names(names, known, optional=self._trust.unsigned)
        return bundle

    def _published(self, version: int, *, pruned: bool = False) -> str:
        """The digest in the marker of a version."""
        try:
            marker = self.store.get(f"{self.root}/published/{version}").data
            digest = str(json.loads(marker)["digest"])
        except NotFoundError as error:
            raise NotFoundError(
                f"there is no version {version} of {self.project}", seen=f"versions {self.versions()[-10:]}"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"the marker of version {version} of {self.project} cannot be read") from error
        if not pruned and (gone := self._gone(version)):
            raise gone
        return digest

    def _gone(self, version: int) -> NotFoundError | None:
        try:
            marker = self.store.get(f"{self.root}/pruned/{version}").data
        except NotFoundError:
            return None
        return NotFoundError(
            f"version {version} of {self.project} was pruned",
            seen=marker.decode(errors="replace")[:200],
            hint="Retrain on its data; `ciclo models show` tells what that was, if it was kept.",
        )

    def _same(self, version: int, digest: str, published: str) -> None:
        if digest != published:
            raise IntegrityError(f"version {version} of {self.project} is not the one that was published")

    def _comes_from(self, version: int, origin: Origin, start: str) -> bool:
        try:
            lineage = self.record(version).lineage
        except NotFoundError:  # its publisher died, or nothing is left of it
            return False
        return any(value.startswith(start) for value in _origins(lineage)[origin])


@contextmanager
def _laid_out(files: Mapping[str, File], name: str, version: int) -> Iterator[Path]:
    """A folder of that name with the files of a version in it."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / name
        folder.mkdir()
        for file, content in files.items():
            if isinstance(content, Path):
                shutil.copyfile(content, folder / file)
            else:
                (folder / file).write_bytes(content if isinstance(content, bytes) else content(version))
        yield folder


def _decimals(keys: Iterable[str]) -> list[int]:
    names = (key.rpartition("/")[2] for key in keys)
    return [int(name) for name in names if name.isdecimal()]


def _origins(lineage: Mapping[str, Any]) -> dict[Origin, list[str]]:
    data = lineage.get("data")
    digests = (data.get("digest"), data.get("dataset_digest")) if isinstance(data, dict) else ()
    return {
        "run": [str(lineage["run"])] if lineage.get("run") else [],
        "data": [str(digest) for digest in digests if digest],
    }


def index(lineage: Mapping[str, Any]) -> list[str]:
    """The folders below which a version is found by what it was made of."""
    return [f"by-{origin}/{_segment(value)}" for origin, values in _origins(lineage).items() for value in values]


def _segment(value: str) -> str:
    """A value as one plain name of a key; two values may share one, so a find looks at the lineage as well."""
    return "v" + re.sub(r"[^A-Za-z0-9._-]", "_", value)[:150]


def open_registry(project_name: str, settings: Settings) -> Registry:
    """The registry of a project in the store of the settings."""
    return Registry(open_store(settings.store_uri, settings), project_name, trust_from(settings))
