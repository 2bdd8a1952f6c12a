"""All files of a source as one table, whatever their format."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis

from ciclo.components.core.errors import DataError, ProjectError
from ciclo.components.core.project import RESERVED
from ciclo.components.core.sections import Data
from ciclo.components.core.values import Plain
from ciclo.components.core.wording import did_you_mean, listed
from ciclo.components.sources.files import SourceFile, locate, size_and_digest
from ciclo.components.sources.parquet import MAGIC, ParquetFile
from ciclo.components.sources.text import TextFile
from ciclo.components.tables.datasets import connect
from ciclo.components.tables.reading import read


@dataclass(frozen=True)
class Source:
    """A source that was read through once.

    Attributes:
        table: The ibis table: the columns, ``_line``, ``_malformed``.
        is_text: Whether it was CSV.
        rows: Records counted while reading.
        bytes: Size of the files.
        digest: sha256 of their contents, one after the other.
        dropped: Columns that were not taken.
        unusable: Those of them whose values are lists or the like, with their type.
    """

    table: Any
    is_text: bool
    rows: int
    bytes: int
    digest: str
    dropped: tuple[str, ...]
    unusable: dict[str, str]

    def time(self, column: str) -> Any:
        """A column as UTC times, null where it cannot be read as one."""
        return read(self.table[column], Plain("timestamp")).typed


def open_source(source: str, scratch: Path, data: Data | None = None) -> Source:
    """Check every file of a source and lay them out as one table.

    Args:
        source: Path, glob, ``file://`` or ``s3://`` address.
        scratch: Folder for downloads and for CSV turned into Parquet; has to outlive the table.
        data: Says which columns to take, the format and the delimiter; without it every usable column is taken.

    Raises:
        DataError: If a file is missing, broken or empty, or lacks a column.
        ProjectError: If the project gives a delimiter and the source is Parquet.
    """
    connection = connect()
    parts: list[Any] = []
    opened: list[TextFile | ParquetFile] = []
    rows = 0
    files = locate(source, scratch)
    for file in files:
        opened.append(_open(file, data))
        columns = _columns(opened[-1], None if data is None else list(data.columns))
        try:
            part, count = opened[-1].table(connection, columns, rows + 1, scratch)
        except duckdb.Error as error:
            raise DataError(f"{file.name} cannot be read", seen=str(error).split("\n")[0]) from error
        if count == 0:
            raise DataError(f"{file.name} has a header and no rows", hint="Give a file with rows.")
        if parts:
            _same(parts[0], part, files[0].name, file.name)
        parts.append(part)
        rows += count
    size, digest = size_and_digest(files)
    return Source(
        table=ibis.union(*parts) if len(parts) > 1 else parts[0],
        is_text=isinstance(opened[0], TextFile),
        rows=rows,
        bytes=size,
        digest=digest,
        dropped=tuple(sorted({name for file in opened for name in file.header} - set(parts[0].columns))),
        unusable={name: kind for file in opened for name, kind in file.unusable.items()},
    )


def _open(file: SourceFile, data: Data | None) -> TextFile | ParquetFile:
    kind = "auto" if data is None else data.format
    with file.path.open("rb") as stream:
        is_parquet = stream.read(len(MAGIC)) == MAGIC
    if kind == "parquet" or (kind == "auto" and (is_parquet or file.name.endswith((".parquet", ".pq")))):
        if data is not None and data.delimiter is not None:
            raise ProjectError(f"data.delimiter is for text, and {file.name} is Parquet", hint="Take the field out.")
        return ParquetFile.open(file.path, file.name)
    return TextFile.open(file.path, file.name, data.delimiter if data else None)


def _columns(file: TextFile | ParquetFile, wanted: list[str] | None) -> list[str]:
    """The columns to take from a file, all of them usable and told apart by every engine."""
    if wanted is None:
        wanted = [name for name in file.header if name not in file.unusable and name.casefold() not in RESERVED]
    for name in wanted:
        if name not in file.header:
            raise DataError(
                f"{file.name} has no column '{name}'{did_you_mean(name, file.header)}", seen=listed(file.header)
            )
        if name in file.unusable:
            raise DataError(
                f"column '{name}' of {file.name} holds lists or structures, not single values",
                seen=file.unusable[name],
                hint="Take it out of data.columns.",
            )
    folded = [name.casefold() for name in wanted]
    clash = [name for name in wanted if folded.count(name.casefold()) > 1]
    if clash:
        raise DataError(
            f"{file.name} has column names that differ only in case",
            seen=", ".join(clash),
            hint="Rename one, or leave it out of data.columns.",
        )
    return wanted


def _same(first: Any, other: Any, first_name: str, other_name: str) -> None:
    mine, theirs = first.schema(), other.schema()
    if mine == theirs:
        return
    differ = [n for n in theirs.names if n not in mine or mine[n] != theirs[n]] or [
        n for n in mine.names if n not in theirs
    ]
    seen = "; ".join(f"'{n}' is {theirs.get(n, 'absent')}, not {mine.get(n, 'absent')}" for n in differ[:5])
    raise DataError(f"{other_name} has other columns or types than {first_name}", seen=seen or None)
