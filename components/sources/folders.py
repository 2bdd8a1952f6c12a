"""Columns that stand in the names of folders, as Hive, Spark and Arrow write them: ``year=2026/part-0.parquet``."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import ibis

from ciclo.components.core.errors import DataError
from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.sources.json_lines import JsonLinesFile
from ciclo.components.sources.parquet import ParquetFile
from ciclo.components.sources.text import TextFile

_DATA = re.compile(r"\.(csv|tsv|txt|jsonl|ndjson|json|parquet|pq)(\.(gz|zst))?$", re.IGNORECASE)
_COLUMN = re.compile(r"([^=]+)=(.*)", re.DOTALL)
_HIDDEN = re.compile(r"(^|/)[._][^/]*/")
_MISSING = "__HIVE_DEFAULT_PARTITION__"


def columns_of(file: str) -> dict[str, str | None]:
    """The columns that folders name, and their values.

    Args:
        file: Path of a file below the source that was named, with ``/``.

    Raises:
        DataError: If a name or value cannot be read, or two folders name one column.
    """
    columns: dict[str, str | None] = {}
    for part in filter(None, map(_COLUMN.fullmatch, PurePosixPath(file).parent.parts)):
        try:
            name, value = (unquote(text, errors="strict") for text in part.groups())
        except UnicodeDecodeError as error:
            raise DataError(f"the folder {part[0]!r} is not named in UTF-8", seen=file, hint="Rename it.") from error
        if not name.strip() or "\0" in name + value:
            raise DataError(f"the folder {part[0]!r} names no column that can be read", seen=file, hint="Rename it.")
        if name in columns:
            raise DataError(f"two folders name the column '{name}'", seen=file, hint="Rename one.")
        columns[name] = None if value in ("", _MISSING) else value
    return columns


def names_a_column(folder: str) -> bool:
    """Whether a folder does, by its name."""
    return _COLUMN.fullmatch(folder) is not None


def files_of(folder: str, found: Iterable[str]) -> list[str]:
    """The data files of a folder: those that lie in it, or in folders below it that name columns.

    Folders that begin with ``_`` or a dot are those of the program that wrote it.

    Args:
        folder: What messages call it.
        found: Paths below it, with ``/``.

    Raises:
        DataError: If there is none, or there are others beside those of folders that name columns.
    """
    data = sorted(file for file in found if _DATA.search(file) and not _HIDDEN.search(file))
    own = [file for file in data if "/" not in file]
    below = [file for file in data if "/" in file and all(map(names_a_column, PurePosixPath(file).parent.parts))]
    if below and (others := sorted({*data} - {*below})):
        raise DataError(
            f"{folder} holds other data files beside those of folders that name a column",
            seen=f"{others[0]}, {below[0]}",
            hint="Name those that are wanted by a pattern.",
        )
    if not (own or below):
        raise DataError(f"there is no data file in the folder {folder}", hint="Name its files by a pattern.")
    return own or below


@dataclass(frozen=True)
class PlacedFile:
    """A file of a source with the columns that its folders name.

    Attributes:
        file: The file.
        folders: The columns of its folders, and their values.
    """

    file: TextFile | JsonLinesFile | ParquetFile
    folders: Mapping[str, str | None]

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.file.name

    @cached_property
    def added(self) -> dict[str, Any]:
        """The columns of its folders that it does not have itself, as expressions."""
        own = set(self.file.header)
        return {name: ibis.literal(text, "string") for name, text in self.folders.items() if name not in own}

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns."""
        return (*self.file.header, *self.added)

    def table(self, connection: Any, columns: list[str], first_line: int, scratch: Path) -> tuple[Any, int]:
        """Lay the file out as a table; see ``TextFile``, ``JsonLinesFile`` and ``ParquetFile``."""
        own = [name for name in columns if name not in self.added]
        table, rows = self.file.table(connection, own or [self.file.header[0]], first_line, scratch)
        if not self.added:
            return table, rows
        return table.select(
            *((self.added[n] if n in self.added else table[n]).name(n) for n in columns), LINE, MALFORMED
        ), rows

    def laid_out(self, scratch: Path) -> Path | None:
        """The Parquet file that is the table of a source of this file alone; None where there is none."""
        return self.file.laid_out(1, scratch) if isinstance(self.file, TextFile) and not self.added else None
