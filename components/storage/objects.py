"""Objects: named bytes in a folder or an S3 bucket, behind one small protocol.

Everything above this module rests on three promises, which both implementations keep under races, crashes and lost
answers:

- **Whole or not at all.** A reader sees the old bytes or the new ones, never a part. A folder writes a draft, syncs it
  and renames it; S3 does this by itself.
- **One winner.** Of many ``put_if_absent`` on one key, or of many ``swap`` with one etag, exactly one returns True. A
  folder holds its lock for the moment of the change (the kernel releases it if the process dies); S3 checks
  ``If-None-Match`` and ``If-Match``.
- **No false refusal.** A write that was done is never reported as refused because its answer was lost on the way.

An etag is a function of the content, so a key that went from A to B and back to A looks unchanged to ``swap``.
Documents that are swapped therefore carry a sequence and a nonce of their own. A pointer is never deleted: MinIO skips
the check where the newest version is a delete marker.

Every failure is a ``StorageError``; after one, a write may or may not have been done, so look before repeating.
"""

import fcntl
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from components.core.errors import NotFoundError, SettingsError, StorageError
from components.core.settings import Settings

CHUNK = 1 << 20
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=+@-]{0,199}")


@dataclass(frozen=True)
class Stored:
    """An object as it was read.

    Attributes:
        data: Its bytes.
        etag: What ``swap`` has to be given to replace exactly these bytes.
    """

    data: bytes
    etag: str


class ObjectStore(Protocol):
    """Named bytes. Keys are relative paths of plain segments, such as ``projects/churn/aliases/champion.json``."""

    def get(self, key: str) -> Stored:
        """Read an object.

        Raises:
            NotFoundError: If there is none.
        """

    def put(self, key: str, data: bytes) -> None:
        """Write an object, whether or not there is one."""

    def put_file(self, key: str, path: Path) -> None:
        """Write an object from a file, without holding it in memory."""

    def get_file(self, key: str, path: Path) -> None:
        """Read an object into a file, without holding it in memory; the file appears whole or not at all.

        Raises:
            NotFoundError: If there is none.
        """

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object if there is none; whether this call wrote it."""

    def swap(self, key: str, data: bytes, etag: str) -> bool:
        """Replace an object if it is still the one with that etag; whether this call did."""

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that start with a prefix, sorted."""

    def delete(self, key: str) -> None:
        """Remove an object; it need not exist."""

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""


def open_store(uri: str, settings: Settings) -> ObjectStore:
    """Open a store by its address.

    Args:
        uri: ``file:///path`` or ``s3://bucket/prefix``.
        settings: Endpoint and keys of the S3 service.

    Raises:
        SettingsError: If the address is of another kind or incomplete.
    """
    parts = urlsplit(uri)
    if uri.startswith("file:///"):
        return DirectoryStore(Path(uri.removeprefix("file://")))
    if parts.scheme == "s3" and parts.netloc:
        from components.storage.s3 import S3Store, s3_client

        return S3Store(s3_client(settings), parts.netloc, parts.path.strip("/"))
    raise SettingsError("the object store has no usable address", seen=uri, hint="Use file:///path or s3://bucket.")


def checked(key: str) -> str:
    """A key, if it is one.

    Raises:
        StorageError: If it is not a relative path of plain names.
    """
    if not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise StorageError("an object's key has to be a relative path of plain names", seen=repr(key))
    return key


def checked_prefix(prefix: str) -> str:
    """A prefix, if its folders are plain names; the last name may be cut short.

    Raises:
        StorageError: If they are not.
    """
    folder, slash, _ = prefix.rpartition("/")
    if slash:
        checked(folder)
    return prefix


class DirectoryStore:
    """Objects as files below a folder.

    Args:
        root: The folder; it is made if it does not exist.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._drafts = root / ".drafts"

    def get(self, key: str) -> Stored:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._open(key) as file:
            data = file.read()
        return Stored(data, hashlib.sha256(data).hexdigest())

    def put(self, key: str, data: bytes) -> None:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._draft([data]) as draft, self._lock():
            self._reveal(draft, key, os.replace)

    def put_file(self, key: str, path: Path) -> None:
        """See ``ObjectStore``."""
        with _folder_errors(key), path.open("rb") as file, self._draft(_chunks(file)) as draft, self._lock():
            self._reveal(draft, key, os.replace)

    def get_file(self, key: str, path: Path) -> None:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._open(key) as file:
            write_whole(path, _chunks(file))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._draft([data]) as draft, self._lock():
            return self._reveal(draft, key, os.link)

    def swap(self, key: str, data: bytes, etag: str) -> bool:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._draft([data]) as draft, self._lock():
            if not self.exists(key) or self.get(key).etag != etag:
                return False
            return self._reveal(draft, key, os.replace)

    def list(self, prefix: str) -> Iterator[str]:
        """See ``ObjectStore``."""
        top = self._root / checked_prefix(prefix).rpartition("/")[0]
        with _folder_errors(prefix):
            files = [Path(at, name) for at, _, names in os.walk(top) for name in names]
        keys = (file.relative_to(self._root).as_posix() for file in files)
        return iter(sorted(key for key in keys if key.startswith(prefix) and not key.startswith(".")))

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        path = self._path(key)
        if self.exists(key):
            with _folder_errors(key), self._lock():
                path.unlink(missing_ok=True)

    def exists(self, key: str) -> bool:
        """See ``ObjectStore``."""
        with _folder_errors(key):
            return self._path(key).is_file()

    def _path(self, key: str) -> Path:
        return self._root / checked(key)

    def _open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFoundError(f"there is no object '{key}'") from error

    @contextmanager
    def _draft(self, chunks: Iterable[bytes]) -> Iterator[Path]:
        """A synced file on the same file system, out of sight, gone at the end."""
        self._drafts.mkdir(parents=True, exist_ok=True)
        draft = self._drafts / uuid.uuid4().hex
        try:
            with draft.open("wb") as file:
                file.writelines(chunks)
                file.flush()
                os.fsync(file.fileno())
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the store for the moment of a change; each call opens the file anew, so that threads exclude too."""
        with (self._root / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _reveal(self, draft: Path, key: str, move: Callable[[Path, Path], None]) -> bool:
        """Move a draft to its key; False if it is linked and there is an object."""
        path = self._path(key)
        made = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            move(draft, path)
        except FileExistsError:
            return False
        for folder in (path.parent, *(folder.parent for folder in made)):
            _sync(folder)
        return True


@contextmanager
def _folder_errors(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the object store could not handle '{key}'", seen=str(error), hint="Check the space and the rights."
        ) from error


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a copy that appears whole or not at all; it is not synced, as it can be fetched again."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with part.open("wb") as file:
            file.writelines(chunks)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
