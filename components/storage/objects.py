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

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ciclo.components.core.errors import StorageError

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

    def get_file(self, key: str, path: Path, allow: Callable[[int], None] | None = None) -> None:
        """Read an object into a file, without holding it in memory; the file appears whole or not at all.

        Args:
            key: Of the object.
            path: File to write.
            allow: Asked with the number of bytes that came so far, before they are written; what it raises ends it.

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


def allowed(chunks: Iterable[bytes], allow: Callable[[int], None] | None) -> Iterator[bytes]:
    """Chunks of an object, each after ``allow`` was asked with the bytes that came so far, as for ``get_file``."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if allow is not None:
            allow(size)
        yield chunk


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
