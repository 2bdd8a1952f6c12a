"""CSV records by Python's csv module in strict mode: the exact reader, for files that are not written plainly.

It takes line ends of several kinds in one file, quotes in plain text, and text after a quote, each of which DuckDB's
reader refuses or reads past; and it tells on which line a quote was opened that is never closed.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ciclo.components.core.errors import DataError
from ciclo.components.core.wording import counted
from ciclo.components.sources.dialect import Dialect, quoted_after_space, shown


@dataclass(frozen=True)
class Malformed:
    """A record that cannot be laid under the header.

    Attributes:
        reason: Why, and its text.
    """

    reason: str


def wrong_width(fields: int, width: int, text: str) -> str:
    """Why a record with too few or too many fields is malformed."""
    return f"{counted(fields, 'field')} where the header has {width}: {shown(text)}"


def records(path: Path, name: str, dialect: Dialect) -> Iterator[list[str] | Malformed]:
    """Every record of a plain file.

    Args:
        path: The file, UTF-8.
        name: What messages call it.
        dialect: How it is written.

    Raises:
        DataError: If a quote is never closed.
    """
    held: list[str] = []
    width = len(dialect.names)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for _ in range(dialect.skipped):
            next(stream)
        lines = _held(stream, held)
        reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True, skipinitialspace=dialect.is_spaced)
        while True:
            held.clear()
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield _broken(name, error, dialect.skipped + reader.line_num, held)
                continue
            if not dialect.is_spaced and quoted_after_space(record):
                record = _spaced(held, dialect) or record
            if len(record) == width:
                yield record
            elif record:  # not a blank line
                yield Malformed(wrong_width(len(record), width, "".join(held)))


def _spaced(held: list[str], dialect: Dialect) -> list[str]:
    """The one record of some lines in which a quote stands after a space; none if they break the rules of quoting."""
    try:
        found = list(csv.reader(held, delimiter=dialect.delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return []
    return found[0] if len(found) == 1 else []


def _held(stream: Iterator[str], held: list[str]) -> Iterator[str]:
    """Pass lines on and keep those of the current record."""
    for line in stream:
        held.append(line)
        yield line


def _broken(name: str, error: csv.Error, line: int, held: list[str]) -> Malformed:
    opened = line - len(held) + 1
    if "field limit" in str(error):
        raise DataError(
            f"{name} has a field of more than {counted(csv.field_size_limit(), 'character')} on line {opened}",
            hint="Most often a quote that is opened there is never closed.",
        )
    if len(held) > 1 or "unexpected end" in str(error):
        raise DataError(
            f"{name} has a quote on line {opened} that is not closed, so the records after it cannot be told apart",
            seen=shown(held[0]) if held else None,
            hint='Close it, or write a quote inside a quoted field as "".',
        )
    return Malformed(f"a quote inside a quoted field: {shown(held[0])}")
