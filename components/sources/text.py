"""CSV files, read so that nothing is lost: every record becomes a row, or a malformed row with its reason.

Python's csv module in strict mode is the one reader; the fast readers each drop or mend some broken records quietly.
"""

import codecs
import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import pyarrow as pa
import pyarrow.parquet as pq

from ciclo.components.core.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
LINE, MALFORMED = "_line", "_malformed"
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_BATCH = 2_000
_BATCHES_PER_GROUP = 50
_RAW_LENGTH = 500


@dataclass(frozen=True)
class Malformed:
    """A record that cannot be laid under the header.

    Attributes:
        reason: Why, and its text.
    """

    reason: str


@dataclass(frozen=True)
class TextFile:
    """A CSV file whose bytes and header were found sound.

    Attributes:
        path: The file, plain or gzip.
        name: What messages call it.
        delimiter: Between two fields.
        header: Names of the columns, trimmed.
    """

    path: Path
    name: str
    delimiter: str
    header: tuple[str, ...]

    @classmethod
    def open(cls, path: Path, name: str, delimiter: str | None) -> "TextFile":
        """Check the bytes and the header of a file.

        Args:
            path: The file.
            name: What messages call it.
            delimiter: One character, or None to find it in the header.

        Raises:
            DataError: If the file is empty, not text, damaged, or its header cannot name columns.
        """
        _check_bytes(path, name)
        delimiter, header = _read_header(path, name, delimiter)
        names = tuple(field.strip() for field in header)
        if "" in names:
            raise DataError(
                f"column {names.index('') + 1} of the header of {name} has no name",
                seen=_shown(delimiter.join(header)),
                hint="Name every column, or leave out the index when the file is written.",
            )
        twice = sorted({field for field in names if names.count(field) > 1})
        if twice:
            raise DataError(f"the header of {name} has the same name twice", seen=", ".join(twice[:5]))
        return cls(path, name, delimiter, names)

    @property
    def unusable(self) -> dict[str, str]:
        """None: any text can be read."""
        return {}

    def table(self, connection: Any, columns: list[str], first_line: int, scratch: Path) -> tuple[Any, int]:
        """Lay the file out as a table, by way of a Parquet file of text.

        Args:
            connection: From ``connect()``.
            columns: Names to take, in order.
            first_line: Number of the first record.
            scratch: Folder for the Parquet file.

        Returns:
            The columns as text exactly as read, empty ones null, ``_line`` and ``_malformed``; and the number of
            records.

        Raises:
            DataError: If a quote is never closed.
        """
        path, rows = scratch / f"{first_line}.text.parquet", 0
        schema = pa.schema([*((name, pa.string()) for name in columns), (LINE, pa.int64()), (MALFORMED, pa.string())])
        batches = self._batches(columns, first_line, schema)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            while group := list(itertools.islice(batches, _BATCHES_PER_GROUP)):
                writer.write_table(pa.Table.from_batches(group))
                rows += sum(batch.num_rows for batch in group)
        read = connection.read_parquet(path)
        values = [read[name].nullif("").name(name) for name in columns]
        return read.select(*values, LINE, MALFORMED), rows

    def _batches(self, columns: list[str], first_line: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        places = [self.header.index(name) for name in columns]
        empty = [None] * len(self.header)
        records = self._records()
        while chunk := list(itertools.islice(records, _BATCH)):
            malformed = [record.reason if isinstance(record, Malformed) else None for record in chunk]
            rows = [empty if isinstance(record, Malformed) else record for record in chunk]
            fields = list(zip(*rows, strict=True))
            lines = range(first_line, first_line + len(chunk))
            arrays = [*(fields[place] for place in places), lines, malformed]
            yield pa.record_batch([pa.array(a, f.type) for a, f in zip(arrays, schema, strict=True)], schema=schema)
            first_line += len(chunk)

    def _records(self) -> Iterator[list[str] | Malformed]:
        width = len(self.header)
        held: list[str] = []
        with _text(self.path) as stream:
            reader = csv.reader(_held(stream, held), delimiter=self.delimiter, strict=True)
            header_read = False
            while True:
                held.clear()
                try:
                    record = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield self._broken(error, reader.line_num, held)
                    continue
                if not record:  # a blank line
                    continue
                if not header_read:
                    header_read = True
                elif len(record) == width:
                    yield record
                else:
                    yield Malformed(f"{len(record)} fields where the header has {width}: {_shown(''.join(held))}")

    def _broken(self, error: csv.Error, line: int, held: list[str]) -> Malformed:
        opened = line - len(held) + 1
        if "field limit" in str(error):
            raise DataError(
                f"{self.name} has a field of more than {csv.field_size_limit():,} characters on line {opened}",
                hint="Most often a quote that is opened there is never closed.",
            )
        if len(held) > 1 or "unexpected end" in str(error):
            raise DataError(
                f"{self.name} has a quote on line {opened} that is not closed, so the records after it cannot be told "
                "apart",
                seen=_shown(held[0]) if held else None,
                hint='Close it, or write a quote inside a quoted field as "".',
            )
        return Malformed(f"a quote inside a quoted field: {_shown(held[0])}")


def _held(stream: Iterator[str], held: list[str]) -> Iterator[str]:
    """Pass lines on and keep those of the current record."""
    for line in stream:
        held.append(line)
        yield line


def _bytes(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _text(path: Path) -> IO[str]:
    return io.TextIOWrapper(_bytes(path), encoding="utf-8-sig", newline="")


def _check_bytes(path: Path, name: str) -> None:
    """Refuse a file that is empty, damaged, or not UTF-8 text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, size = 1, 0
    try:
        with _bytes(path) as stream:
            while chunk := stream.read(_CHUNK):
                if b"\0" in chunk:
                    line += chunk[: chunk.index(b"\0")].count(b"\n")
                    raise DataError(
                        f"{name} has a NUL byte on line {line}, so it is not text",
                        hint="Give a CSV file in UTF-8, or a Parquet file.",
                    )
                decoder.decode(chunk)
                line += chunk.count(b"\n")
                size += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        _refuse_encoding(name, error, line)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name} is a damaged gzip file", seen=str(error)) from error
    if size == 0:
        raise DataError(f"{name} is empty", hint="Give a file with a header and rows.")


def _refuse_encoding(name: str, error: UnicodeDecodeError, line: int) -> NoReturn:
    line += error.object[: error.start].count(b"\n")
    raise DataError(
        f"{name} is not UTF-8 text",
        seen=f"byte 0x{error.object[error.start]:02x} on line {line}",
        hint="Save it as UTF-8, or give a Parquet file.",
    ) from error


def _read_header(path: Path, name: str, delimiter: str | None) -> tuple[str, list[str]]:
    """The delimiter that gives the most columns, and the first record read with it."""
    headers = {candidate: _first_record(path, name, candidate) for candidate in DELIMITERS}
    best = max(DELIMITERS, key=lambda candidate: len(headers[candidate]))
    chosen = delimiter or best
    header = headers[best] if delimiter is None else _first_record(path, name, delimiter)
    if not header or (len(headers[best]) == 1 and not all(headers.values())):
        raise DataError(f"the header of {name} has a quote that is not closed")
    if len(header) == 1 < len(headers[best]):
        raise DataError(
            f"the header of {name} is a single column when it is cut at {chosen!r}",
            seen=_shown(header[0]),
            hint=f"Set data.delimiter to {best!r}, or leave it out.",
        )
    return chosen, header


def _first_record(path: Path, name: str, delimiter: str) -> list[str]:
    """The first record that is not blank; empty if it breaks the rules of quoting."""
    with _text(path) as stream:
        try:
            for record in csv.reader(stream, delimiter=delimiter, strict=True):
                if record:
                    return record
        except csv.Error:
            return []
    raise DataError(f"{name} has no header, only blank lines", hint="Give a file with a header and rows.")


def _shown(text: str) -> str:
    return text.rstrip("\r\n")[:_RAW_LENGTH]
