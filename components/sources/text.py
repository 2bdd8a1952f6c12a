"""CSV files, read so that nothing is lost: every record becomes a row, or a malformed row with its reason.

DuckDB reads what is written plainly, at a tenth of the cost, and is held to the count of the physical records; the
exact reader of ``records`` takes the rest.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.sources.dialect import SHOWN, Dialect, find_dialect
from ciclo.components.sources.records import Malformed, records, wrong_width
from ciclo.components.sources.scan import Ragged, Scan, scan
from ciclo.components.tables.datasets import BOUNDS

_BATCH = 2_000
_BATCHES_PER_GROUP = 50
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
        path = scratch / f"{first_line}.text.parquet"
        if (rows := self._by_engine(path, columns, first_line, scratch)) is not None:
            read = connection.read_parquet(path, file_row_number=True)
        else:
            rows = self._exactly(path, columns, first_line)
            read = connection.read_parquet(path)
        line = read[LINE] if LINE in read.columns else (read["file_row_number"] + first_line).cast("int64")
        malformed = read[MALFORMED] if LINE in read.columns else ibis.null("string")
        values = [read[f"c{place}"].nullif("").name(name) for place, name in enumerate(columns)]
        return read.select(*values, line.name(LINE), malformed.name(MALFORMED)), rows

    def _by_engine(self, path: Path, columns: list[str], first_line: int, scratch: Path) -> int | None:
        """Let DuckDB read the records; None where it cannot be known that it reads every one as it is."""
        dialect = self.dialect
        if dialect.is_spaced or not dialect.delimiter.isascii():
            return None
        counted = scan(self.path, dialect.start, dialect.delimiter, len(dialect.names))
        if not counted.is_regular or not counted.records:
            return None
        link = scratch / f"{first_line}.source.csv"  # the engine reads * and [ in a path as a pattern
        link.unlink(missing_ok=True)
        link.symlink_to(self.path.resolve())
        places = [dialect.names.index(name) for name in columns]
        good = scratch / f"{first_line}.good.parquet" if counted.ragged else path
        # An empty field too many at the end is read past; every other record that does not fit is left out.
        read_past = [r for r in counted.ragged if r.fields == len(dialect.names) + 1 and r.ends_empty]
        with duckdb.connect(config=BOUNDS) as engine:
            try:
                _copy(engine, link, good, dialect, places, is_parallel=not counted.has_inner_breaks)
                if pq.read_metadata(good).num_rows != counted.records - len(counted.ragged) + len(read_past):
                    return None
                if counted.ragged:
                    _number(engine, good, path, counted, self._malformed(counted, first_line), read_past, first_line)
            except duckdb.Error:
                return None
        return counted.records

    def _malformed(self, counted: Scan, first_line: int) -> pa.Table:
        """The records that do not fit the header, with their text."""
        lines, reasons = [], []
        with self.path.open("rb") as file:
            for record in counted.ragged:
                file.seek(record.start)
                raw = file.read(min(record.end - record.start, 4 * SHOWN)).decode("utf-8-sig", errors="ignore")
                lines.append(record.number - 1 + first_line)
                reasons.append(wrong_width(record.fields, len(self.header), raw))
        return pa.table({LINE: pa.array(lines, pa.int64()), MALFORMED: pa.array(reasons, pa.string())})

    def _exactly(self, path: Path, columns: list[str], first_line: int) -> int:
        rows = 0
        names = [f"c{place}" for place in range(len(columns))]
        schema = pa.schema([*((name, pa.string()) for name in names), (LINE, pa.int64()), (MALFORMED, pa.string())])
        batches = self._batches(columns, first_line, schema)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            while group := list(itertools.islice(batches, _BATCHES_PER_GROUP)):
                writer.write_table(pa.Table.from_batches(group))
                rows += sum(batch.num_rows for batch in group)
        return rows

    def _batches(self, columns: list[str], first_line: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        places = [self.header.index(name) for name in columns]
        empty = [None] * len(self.header)
        read = records(self.path, self.name, self.dialect)
        while chunk := list(itertools.islice(read, _BATCH)):
            malformed = [record.reason if isinstance(record, Malformed) else None for record in chunk]
            rows = [empty if isinstance(record, Malformed) else record for record in chunk]
            fields = list(zip(*rows, strict=True))
            lines = range(first_line, first_line + len(chunk))
            arrays = [*(fields[place] for place in places), lines, malformed]
            yield pa.record_batch([pa.array(a, f.type) for a, f in zip(arrays, schema, strict=True)], schema=schema)
            first_line += len(chunk)


def _copy(
    engine: duckdb.DuckDBPyConnection, path: Path, out: Path, dialect: Dialect, places: list[int], *, is_parallel: bool
) -> None:
    """Write the records that fit the header as they stand; those that do not are left out."""
    fields = {f"f{place}": "VARCHAR" for place in range(len(dialect.names))}
    columns = ", ".join(f"f{place} AS c{n}" for n, place in enumerate(places))
    read = f"""read_csv($path, auto_detect = false, header = false, skip = {dialect.skipped}, delim = $delimiter,
        quote = '"', escape = '"', columns = {fields}, strict_mode = true, null_padding = false,
        store_rejects = true, parallel = {is_parallel})"""
    engine.execute(
        f"COPY (SELECT {columns} FROM {read}) TO $out (FORMAT parquet, COMPRESSION lz4_raw)",  # noqa: S608
        {"path": str(path), "delimiter": dialect.delimiter, "out": str(out)},
    )


def _number(
    engine: duckdb.DuckDBPyConnection,
    good: Path,
    out: Path,
    counted: Scan,
    malformed: pa.Table,
    read_past: list[Ragged],
    first_line: int,
) -> None:
    """Put the malformed records between the good ones, and number them all."""
    skipped = {r.number for r in counted.ragged} - {r.number for r in read_past}
    numbers = np.setdiff1d(np.arange(1, counted.records + 1), np.array(sorted(skipped), "int64"))
    engine.register("malformed", malformed)
    engine.register("numbers", pa.table({LINE: numbers + first_line - 1}))
    engine.execute(
        f"""COPY (
            SELECT * FROM (SELECT * FROM read_parquet($good) POSITIONAL JOIN numbers)
            WHERE {LINE} NOT IN (SELECT {LINE} FROM malformed)
            UNION ALL BY NAME FROM malformed ORDER BY {LINE}
        ) TO $out (FORMAT parquet, COMPRESSION zstd)""",  # noqa: S608
        {"good": str(good), "out": str(out)},
    )
