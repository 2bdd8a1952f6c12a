"""All files of a source as one table, whatever their format."""

import codecs
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis

from ciclo.components.core.data_sections import Data
from ciclo.components.core.errors import DataError, ProjectError
from ciclo.components.core.own_columns import PREFIX, is_own
from ciclo.components.core.rules import Plain, Rules
from ciclo.components.core.settings import settings
from ciclo.components.core.wording import did_you_mean, listed
from ciclo.components.sources.dialect import CUT
from ciclo.components.sources.json_lines import JsonLinesFile
from ciclo.components.sources.locating import locate, size_and_digest
from ciclo.components.sources.parquet import MAGIC, ParquetFile
from ciclo.components.sources.placed import File, PlacedFile
from ciclo.components.sources.places.place import Asked, SourceFile
from ciclo.components.sources.text import TextFile
from ciclo.components.sources.unpacking import plain_text
from ciclo.components.tables.datasets import connect
from ciclo.components.tables.reading import read

_JSON_NAME = re.compile(r"\.(jsonl|ndjson|json)(\.(gz|zst))?$", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A source that was read through once.

    Attributes:
        table: The ibis table: the columns, ``LINE``, ``MALFORMED``.
        rows: Records counted while reading.
        bytes: Size of the files.
        digest: sha256 of their contents, one after the other.
        dropped: Columns that were not taken.
        unusable: Those of them whose values are lists or the like, with their type.
        indexes: Columns that are but numbers of rows, with why they are taken for them.
        folders: Columns that stand in the names of folders.
        files: What was read.
        laid_out: The Parquet file that is the table as it stands; None where there is none.
        delimiter: Between the fields of its first file; empty where that is no CSV.
    """

    table: Any
    rows: int
    bytes: int
    digest: str
    dropped: tuple[str, ...]
    unusable: dict[str, str]
    indexes: dict[str, str]
    folders: tuple[str, ...] = ()
    files: tuple[SourceFile, ...] = ()
    laid_out: Path | None = None
    delimiter: str = ""

    def require_unchanged(self) -> None:
        """See, when all is read, that nobody wrote to a file meanwhile.

        Raises:
            DataError: If somebody did.
        """
        for file in self.files:
            file.require_unchanged()

    def time(self, column: str, rules: Rules = Plain("timestamp")) -> Any:  # noqa: B008  (immutable)
        """A column as UTC times, null where it cannot be read as one."""
        return read(self.table[column], rules).typed


def open_source(
    source: str,
    scratch: Path,
    data: Data | None = None,
    header: bool | None = None,
    asked: Asked | None = None,
    delimiter: str | None = None,
) -> Source:
    """Check every file of a source and lay them out as one table.

    Args:
        source: A path, folder or pattern, or an address.
        scratch: Folder for downloads and for text turned into Parquet; has to outlive the table.
        data: Says which columns to take, the format and the delimiter; without it every usable column is taken.
        header: Without ``data``: whether the first record of a CSV file names the columns; None to find out.
        asked: What is wanted of the place that has the source.
        delimiter: Without ``data``: what stands between two fields of a CSV file; None to find out.

    Raises:
        DataError: If a file is missing, broken or empty, or lacks a column.
        ProjectError: If the project gives a delimiter and the source is Parquet.
    """
    connection = connect()
    files = locate(source, scratch, asked or Asked(settings()))
    if data is not None:
        header, delimiter = data.header, data.delimiter
    opened = [PlacedFile(_open(file, data, header, delimiter, scratch), file.folders) for file in files]
    wanted = _wanted(opened, data)
    parts: list[Any] = []
    rows = 0
    for file in opened:
        columns = _columns(file, wanted, opened)
        try:
            part, count = file.table(connection, columns, rows + 1, scratch)
        except duckdb.Error as error:
            raise DataError(f"{file.name} cannot be read", seen=str(error).split("\n")[0]) from error
        if count == 0:
            raise DataError(f"{file.name} has a header and no rows", hint="Give a file with rows.")
        if parts:
            _same(parts[0], part, opened[0].name, file.name)
        parts.append(part)
        rows += count
    size, digest = size_and_digest(files)
    return Source(
        table=ibis.union(*parts) if len(parts) > 1 else parts[0],
        rows=rows,
        bytes=size,
        digest=digest,
        dropped=tuple(sorted({name for file in opened for name in file.header} - set(wanted))),
        unusable={name: kind for file in opened for name, kind in file.unusable.items()},
        indexes={name: why for file in opened for name, why in file.indexes.items()},
        folders=tuple(dict.fromkeys(name for file in opened for name in file.added if name in wanted)),
        files=tuple(files),
        laid_out=opened[0].laid_out(scratch) if len(opened) == 1 else None,
        delimiter=opened[0].file.dialect.delimiter if isinstance(opened[0].file, TextFile) else "",
    )


def _open(file: SourceFile, data: Data | None, header: bool | None, delimiter: str | None, scratch: Path) -> File:
    kind = "auto" if data is None else data.format
    with file.path.open("rb") as stream:
        is_parquet = stream.read(len(MAGIC)) == MAGIC
    if kind == "parquet" or (kind == "auto" and (is_parquet or file.name.endswith((".parquet", ".pq")))):
        _only_for_text(file, data, "Parquet")
        return ParquetFile.open(file.path, file.name)
    plain = SourceFile(plain_text(file.path, file.name, scratch), file.name)
    if kind == "jsonl" or (kind == "auto" and _is_json(plain)):
        _only_for_text(file, data, "JSON lines")
        return JsonLinesFile.open(plain.path, plain.name, scratch)
    return TextFile.open(plain.path, plain.name, delimiter, header)


def _only_for_text(file: SourceFile, data: Data | None, kind: str) -> None:
    for field in ("delimiter", "header"):
        if data is not None and getattr(data, field) is not None:
            raise ProjectError(f"data.{field} is for text, and {file.name} is {kind}", hint="Take the field out.")


def _is_json(file: SourceFile) -> bool:
    """Whether it holds JSON lines, by its name or its first byte.

    Raises:
        DataError: If it is JSON of another kind.
    """
    with file.path.open("rb") as stream:
        first = stream.read(200).removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    is_named = _JSON_NAME.search(file.name) is not None
    if is_named and first == b"[":
        raise DataError(
            f"{file.name} holds a JSON list, not JSON lines",
            hint="Write one object on each line, as DataFrame.to_json(orient='records', lines=True) does.",
        )
    return is_named or first == b"{"


def _wanted(files: Sequence[PlacedFile], data: Data | None) -> list[str]:
    """The columns to take: those of the project, or all that can be used, in the order of the first file."""
    if data is not None:
        return list(data.columns)
    files = files if isinstance(files[0].file, JsonLinesFile) else files[:1]
    unusable = {name for file in files for name in file.unusable}
    names = [name for name in dict.fromkeys(n for file in files for n in file.header) if name not in unusable]
    if own := [name for name in names if is_own(name)]:
        raise DataError(
            f"column '{own[0]}' of {files[0].name} has a name that begins with {PREFIX}, as those of Ciclo's own do",
            hint="Rename it, or leave it out.",
        )
    return names


def _columns(file: PlacedFile, wanted: list[str], files: Sequence[PlacedFile]) -> list[str]:
    """The wanted columns of a file, all of them usable and told apart by every engine."""
    known = set(file.header)
    if isinstance(file.file, JsonLinesFile):  # an object may lack a key
        known |= {name for other in files for name in other.file.header}
    for name in wanted:
        if name not in known:
            raise DataError(
                f"{file.name} has no column '{name}'{did_you_mean(name, file.header)}",
                seen=listed(file.header),
                hint=CUT if len(file.header) == 1 else "",
            )
        if name in file.unusable:
            raise DataError(
                f"column '{name}' of {file.name} holds lists or structures, not single values",
                seen=file.unusable[name],
                hint="Take it out of data.columns.",
            )
    counts = Counter(name.casefold() for name in wanted)
    clash = [name for name in wanted if counts[name.casefold()] > 1]
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
    raise DataError(
        f"{other_name} has other columns or types than {first_name}",
        seen=seen or None,
        hint="Write all files with the same columns and types; pandas makes floats of whole numbers with gaps.",
    )
