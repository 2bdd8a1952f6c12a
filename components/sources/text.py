"""CSV files, read so that nothing is lost: every record becomes a row, or a malformed row with its reason.

Arrow reads what is written plainly, at a tenth of the cost, and is held to the count of the physical records; the
exact reader of ``records`` takes the rest.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.sources.dialect import SHOWN, Dialect, find_dialect
from ciclo.components.sources.plain import in_order, sound_records
from ciclo.components.sources.records import Malformed, records, wrong_width
from ciclo.components.sources.scan import Ragged, scan
from ciclo.components.tables.datasets import write_parts

_BATCH = 2_000
_INDEX = "the header gives it no name, as where pandas or R write the index of a table"


@dataclass(frozen=True)
class TextFile:
    """A CSV file whose header was found sound.

    Attributes:
        path: The file, from ``plain_text``.
        name: What messages call it.
        dialect: How it is written.
    """

    path: Path
    name: str
    dialect: Dialect

    @classmethod
    def open(cls, path: Path, name: str, delimiter: str | None, header: bool | None) -> "TextFile":
        """Find out how a file is written.

        Args:
            path: The file, from ``plain_text``.
            name: What messages call it.
            delimiter: One character, or None to find it.
            header: Whether the first record names the columns; None to ask where it looks like values.

        Raises:
            DataError: If its header cannot name columns, or it cannot be known whether it has one.
        """
        return cls(path, name, find_dialect(path, name, delimiter, header))

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns."""
        return self.dialect.names

    @property
    def unusable(self) -> dict[str, str]:
        """None: any text can be read."""
        return {}

    @property
    def indexes(self) -> dict[str, str]:
        """The column that is but a number of the row, with why it is taken for one."""
        return {self.dialect.unnamed: _INDEX} if self.dialect.unnamed else {}

    def table(self, connection: Any, columns: list[str], first_line: int, scratch: Path) -> tuple[Any, int]:
        """Lay the file out as a table, by way of a Parquet file of text.

        Args:
            connection: From ``connect()``.
            columns: Names to take, in order.
            first_line: Number of the first record.
            scratch: Folder for the Parquet file.

        Returns:
            The columns as text exactly as read, empty ones null, ``LINE`` and ``MALFORMED``; and the number of
            records.

        Raises:
            DataError: If a quote is never closed.
        """
        path = self.laid_out(first_line, scratch)
        rows = self._plainly(path, columns, first_line)
        if rows is None:
            rows = self._exactly(path, columns, first_line)
        return connection.read_parquet(path), rows

    def laid_out(self, first_line: int, scratch: Path) -> Path:
        """The Parquet file that ``table`` writes: the table as it stands."""
        return scratch / f"{first_line}.text.parquet"

    def _plainly(self, path: Path, columns: list[str], first_line: int) -> int | None:
        """Let Arrow read the records; None where it cannot be known that it reads every one as it is."""
        dialect = self.dialect
        if dialect.is_spaced or not dialect.delimiter.isascii():
            return None
        counted = scan(self.path, dialect.start, dialect.delimiter, len(dialect.names))
        if not counted.is_regular or not counted.records:
            return None
        malformed = self._malformed(counted.ragged, first_line)
        good = sound_records(self.path, dialect, columns, has_inner_breaks=counted.has_inner_breaks)
        try:
            rows = write_parts(path, _schema(columns), in_order(good, malformed, first_line))
        except pa.ArrowInvalid:
            return None
        return rows if rows == counted.records else None

    def _malformed(self, ragged: list[Ragged], first_line: int) -> pa.Table:
        """The records that do not fit the header, with their text."""
        lines, reasons = [], []
        with self.path.open("rb") as file:
            for record in ragged:
                file.seek(record.start)
                raw = file.read(min(record.end - record.start, 4 * SHOWN)).decode("utf-8-sig", errors="ignore")
                lines.append(record.number - 1 + first_line)
                reasons.append(wrong_width(record.fields, len(self.header), raw))
        return pa.table({LINE: pa.array(lines, pa.int64()), MALFORMED: pa.array(reasons, pa.string())})

    def _exactly(self, path: Path, columns: list[str], first_line: int) -> int:
        schema = _schema(columns)
        return write_parts(path, schema, self._batches(columns, first_line, schema))

    def _batches(self, columns: list[str], first_line: int, schema: pa.Schema) -> Iterator[pa.Table]:
        places = [self.header.index(name) for name in columns]
        empty = [None] * len(self.header)
        read = records(self.path, self.name, self.dialect)
        while chunk := list(itertools.islice(read, _BATCH)):
            malformed = [record.reason if isinstance(record, Malformed) else None for record in chunk]
            rows = [empty if isinstance(record, Malformed) else [v or None for v in record] for record in chunk]
            fields = list(zip(*rows, strict=True))
            lines = range(first_line, first_line + len(chunk))
            arrays = [*(fields[place] for place in places), lines, malformed]
            yield pa.table([pa.array(a, f.type) for a, f in zip(arrays, schema, strict=True)], schema=schema)
            first_line += len(chunk)


def _schema(columns: list[str]) -> pa.Schema:
    return pa.schema([*((name, pa.string()) for name in columns), (LINE, pa.int64()), (MALFORMED, pa.string())])
