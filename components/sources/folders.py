"""Columns that stand in the names of folders, as Hive, Spark and Arrow write them: ``year=2026/part-0.parquet``."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote

from ciclo.components.core.errors import DataError

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
