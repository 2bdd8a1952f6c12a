"""The source of a project as one Parquet file, with what was read and from where."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.parquet as pq

from ciclo.components.core.data_sections import Data
from ciclo.components.core.errors import DataError
from ciclo.components.core.own_columns import MALFORMED
from ciclo.components.core.project import Project
from ciclo.components.core.rules import date_form
from ciclo.components.core.settings import settings
from ciclo.components.core.wording import counted, listed
from ciclo.components.sources.layout import Source, open_source
from ciclo.components.sources.places.place import Asked
from ciclo.components.tables.datasets import collect, write_stream


@dataclass(frozen=True)
class SourceFacts:
    """What was read.

    Attributes:
        rows: Rows written, malformed ones included.
        bytes: Size of the source.
        digest: sha256 of its bytes, of all files in the order of their names.
        start: Start of the window, or the first time seen, ISO; empty where rows have no time.
        end: End of the window, or the last time seen.
        malformed: Records that cannot be laid under the header.
        dropped: Columns of the source that the project does not list.
    """

    rows: int
    bytes: int
    digest: str
    start: str
    end: str
    malformed: int
    dropped: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One sentence for the log."""
        times = f" from {self.start} to {self.end}" if self.start else ""
        broken = f", {self.malformed:,} of them malformed" if self.malformed else ""
        others = f"; not listed in data.columns: {listed(map(repr, self.dropped), 10)}" if self.dropped else ""
        return f"{counted(self.rows, 'row')} read{times}{broken}{others}."


@dataclass(frozen=True)
class Window:
    """A half-open span of time, UTC; None is open."""

    start: datetime | None
    end: datetime | None

    @classmethod
    def of(cls, start: str, end: str, time_column: str | None) -> "Window":
        """Read the bounds of a window; an empty text is open.

        Raises:
            DataError: If a bound is not an ISO time, the bounds are in the wrong order, or rows have no time.
        """
        window = cls(_instant("window_start", start), _instant("window_end", end))
        if (start or end) and time_column is None:
            raise DataError("a window needs rows with a time", hint="Name their column in data.time_column.")
        if window.start and window.end and window.start >= window.end:
            raise DataError("the window ends before it starts", seen=f"{start} to {end}")
        return window

    def outside(self, time: Any) -> Any:
        """Whether a time is known to lie outside; an unreadable one is not."""
        known = time.notnull()
        before = time < self.start if self.start else ~known
        after = time >= self.end if self.end else ~known
        return known & (before | after)


def ingest(project: Project, out_path: str | Path, window_start: str = "", window_end: str = "") -> SourceFacts:
    """Read the source of a project into one Parquet file.

    Values of CSV stay text exactly as read, empty ones null; those of JSON lines become text as JSON has them; Parquet
    values keep their types, with times in UTC. Beside
    the columns of the project the file has ``LINE``, the 1-based number of the record in the source, and
    ``MALFORMED``: null, or why the record cannot be laid under the header, with its text.

    Args:
        project: Gives the source, its columns and the row budget.
        out_path: Parquet file to write.
        window_start: First time to take, ISO; empty for all.
        window_end: First time not to take. Rows whose time cannot be read are taken whatever the window.

    Returns:
        What was read.

    Raises:
        DataError: If the source is missing, broken, empty, too large, or lacks a column.
    """
    data = project.data
    window = Window.of(window_start, window_end, data.time_column)
    with TemporaryDirectory() as scratch:
        time = data.time_column or ""
        if time and date_form(data.columns[time]) is not None:
            time = ""  # a database would compare such text letter by letter
        asked = Asked(settings(), data.query, time, window.start, window.end)
        source = open_source(data.source, Path(scratch), data, asked=asked)
        if not (window.start or window.end):
            _within_budget(source.rows, data)
        outside, start, end = _write(source, window, data, out_path)
        source.require_unchanged()
    rows = pq.read_metadata(out_path).num_rows
    if rows + outside != source.rows:
        raise DataError(
            f"{data.source} was not read whole", seen=f"{rows + outside:,} of {counted(source.rows, 'record')}"
        )
    if rows == 0:
        raise DataError("there are no rows in the window", seen=f"the source has times from {start} to {end}")
    _within_budget(rows, data)
    return SourceFacts(
        rows=rows,
        bytes=source.bytes,
        digest=source.digest,
        start=window_start or start,
        end=window_end or end,
        malformed=_malformed(out_path),
        dropped=source.dropped,
    )


def _within_budget(rows: int, data: Data) -> None:
    if rows > data.row_budget:
        raise DataError(
            f"{data.source} has more rows than the budget",
            seen=f"{counted(rows, 'row')}, budget {data.row_budget:,}",
            hint="Give a window, or raise data.row_budget.",
        )


def _instant(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataError(
            f"{name} is not an ISO time", seen=text, hint="Write 2026-01-31 or 2026-01-31T12:00Z."
        ) from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _write(source: Source, window: Window, data: Data, path: str | Path) -> tuple[int, str, str]:
    """Write the rows of the window; how many lie outside, and the first and last time of the source."""
    taken, outside, start, end = source.table, 0, "", ""
    try:
        if data.time_column is not None:
            time = source.time(data.time_column, data.columns[data.time_column])
            seen = source.table.aggregate(outside=window.outside(time).sum(), start=time.min(), end=time.max())
            row = collect(seen).to_pylist()[0]
            outside, start, end = int(row["outside"]), _iso(row["start"]), _iso(row["end"])
            taken = source.table.filter(~window.outside(time))
        if source.laid_out is not None and outside == 0:
            shutil.move(source.laid_out, path)
        else:
            write_stream(taken, path)
    except duckdb.Error as error:
        raise DataError("the source cannot be read to its end", seen=str(error).split("\n")[0]) from error
    return outside, start, end


def _iso(time: datetime | None) -> str:
    return "" if time is None else time.isoformat()


def _malformed(path: str | Path) -> int:
    batches = pq.ParquetFile(path).iter_batches(columns=[MALFORMED])
    return sum(batch.num_rows - batch.column(0).null_count for batch in batches)
