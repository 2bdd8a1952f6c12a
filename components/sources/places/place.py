"""What a place of data promises: files on this machine that hold all of what was asked for, or a named refusal.

A place is a module with one function: ``fetch(source, scratch, asked)``. What it gives is whole: what breaks off, is
empty, is too large or takes too long is an error and leaves nothing that could be taken for the source.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from ciclo.components.core.errors import DataError
from ciclo.components.core.settings import Settings
from ciclo.components.core.wording import counted

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
        path: Where it is on this machine.
        name: What messages call it.
        stamp: What changes when somebody writes to it, where it is read in place; empty for a copy of our own.
        folders: The columns that its folders name, and their values.
    """

    path: Path
    name: str
    stamp: tuple[int, ...] = ()
    folders: Mapping[str, str | None] = field(default_factory=dict)

    @classmethod
    def in_place(cls, path: Path, folders: Mapping[str, str | None] | None = None) -> "SourceFile":
        """A file of somebody else's, which may be written to while it is read."""
        return cls(path, str(path), _stamp(path), folders or {})

    def require_unchanged(self) -> None:
        """See that nobody wrote to it since it was found.

        Raises:
            DataError: If somebody did.
        """
        if self.stamp and (not self.path.is_file() or _stamp(self.path) != self.stamp):
            raise DataError(
                f"{self.name} changed while it was being read",
                hint="Run again, and have it written under another name first and then renamed.",
            )


def _stamp(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class Asked:
    """What is wanted of a source.

    Attributes:
        settings: Keys, and the limits of a download.
        query: For a database: what to select.
        time_column: The time of a row, where there is one.
        start: First time that is wanted; None for all. A place that can, leaves out the rows before it.
        end: First time that is not.
    """

    settings: Settings
    query: str = ""
    time_column: str = ""
    start: datetime | None = None
    end: datetime | None = None


class Place(Protocol):
    """Where a source may be."""

    def fetch(self, source: str, scratch: Path, asked: Asked) -> Sequence[SourceFile]:
        """Bring the files of a source to this machine, in the order of their names.

        Args:
            source: Its address.
            scratch: Folder for copies.
            asked: What is wanted.

        Raises:
            DataError: If there is nothing, or it cannot be had whole and within the limits.
        """


@dataclass
class Download:
    """What comes in, within the limits of the settings.

    Args:
        name: What messages call the source.
        settings: Give the limits.
    """

    name: str
    settings: Settings
    size: int = 0
    began: float = field(default_factory=time.monotonic)

    def allow(self, more: int) -> None:
        """Hold what came against the limits.

        Args:
            more: Bytes that came and are not in ``size`` yet.

        Raises:
            DataError: If there is too much, or it takes too long.
        """
        size = self.size + more
        if size > self.settings.source_bytes:
            raise DataError(
                f"{self.name} is larger than a source may be",
                seen=f"more than {counted(self.settings.source_bytes, 'byte')}",
                hint="Give a window or a smaller source, or raise CICLO_SOURCE_BYTES.",
            )
        if time.monotonic() - self.began > self.settings.source_seconds:
            raise DataError(
                f"{self.name} took longer than {self.settings.source_seconds:g} s",
                seen=f"{counted(size, 'byte')} by then",
                hint="Raise CICLO_SOURCE_SECONDS.",
            )

    def write(self, chunks: Iterable[Bytes], target: IO[bytes]) -> None:
        """Write all chunks.

        Raises:
            DataError: If there is nothing, too much, or it takes too long.
        """
        for chunk in chunks:
            self.allow(len(chunk))
            self.size += len(chunk)
            target.write(chunk)
        if not self.size:
            raise DataError(f"{self.name} is empty", hint="Give a source with a header and rows.")
