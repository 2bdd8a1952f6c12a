"""The physical records of a CSV file, counted byte by byte and apart from any reader, to hold a reader to them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ciclo.components.core.metrics import Array

_CHUNK = 1 << 24
_LONGEST_RECORD = 1 << 20
LONGEST_FIELD = 131_072
_LF, _CR, _QUOTE = 10, 13, 34


@dataclass(frozen=True)
class Ragged:
    """A record with too few or too many fields.

    Attributes:
        number: Of the record, from 1.
        fields: How many it has.
        start: Its first byte.
        end: The byte after it.
    """

    number: int
    fields: int
    start: int
    end: int


@dataclass
class Scan:
    """What the bytes say of the records.

    Attributes:
        records: How many there are, blank lines left out.
        ragged: Those that do not fit the header.
        is_regular: Whether all of it is written so plainly that every reader has to agree: one kind of line end,
            quotes around whole fields only and doubled inside, no field that is too long. What is counted of a file
            that is not regular means nothing.
        has_inner_breaks: Whether a line ends within quotes.
    """

    records: int = 0
    ragged: list[Ragged] = field(default_factory=list)
    is_regular: bool = True
    has_inner_breaks: bool = False


def scan(path: Path, start: int, delimiter: str, width: int) -> Scan:
    """Count the records of a file.

    Args:
        path: A plain file in UTF-8.
        start: Where the first record begins.
        delimiter: One ASCII character.
        width: Fields of a sound record.
    """
    found, size = Scan(), path.stat().st_size
    if start >= size:
        return found
    ends: set[bool] = set()
    with path.open("rb") as file:
        while start < size and found.is_regular:
            file.seek(start)
            part = np.frombuffer(file.read(_CHUNK), np.uint8)
            is_cut = start + len(part) == size and part[-1] != _LF
            if is_cut:
                part = np.append(part, np.uint8(_LF))
            taken = _part(found, part, start, ord(delimiter), width, ends, is_cut=is_cut)
            found.is_regular &= taken > 0 and len(ends) < 2
            start += taken
    return found


def _part(found: Scan, part: Array, offset: int, delimiter: int, width: int, ends: set[bool], *, is_cut: bool) -> int:
    """Count the whole records of a part that begins with one, and say how long they are together.

    The last line end of a part that is cut is not in the file.
    """
    is_quote, is_break = part == _QUOTE, part == _LF
    is_end, is_mark = is_break, is_break | (part == delimiter)
    quotes = np.flatnonzero(is_quote)
    if len(quotes):
        is_outside = ~np.logical_xor.accumulate(is_quote)
        is_end, is_mark = is_break & is_outside, is_mark & is_outside
    last = np.flatnonzero(is_end)
    if not len(last):
        return 0
    taken = int(last[-1]) + 1
    marks = np.flatnonzero(is_mark[:taken])
    first = np.concatenate([[0], last[:-1] + 1])
    fields = np.diff(np.searchsorted(marks, last), prepend=-1)
    has_return = (part[last - 1] == _CR) & (last > first)
    ends |= set(np.unique(has_return[: -1 if is_cut else None]).tolist())
    returns = int(np.count_nonzero(part[:taken] == _CR))
    longest = int((last - first).max())
    regular = (
        returns == int(has_return.sum())
        and _quoted_well(part, quotes[quotes < taken], delimiter)
        and longest < _LONGEST_RECORD
        and (longest <= LONGEST_FIELD or int(np.diff(marks, prepend=-1).max()) <= LONGEST_FIELD)
    )
    found.is_regular &= regular
    found.has_inner_breaks |= len(last) < int(np.count_nonzero(is_break[:taken]))
    blank = last - has_return == first
    numbers = found.records + np.cumsum(~blank)
    found.records = int(numbers[-1])
    for place in np.flatnonzero((fields != width) & ~blank):
        end = int(last[place] - has_return[place])
        found.ragged.append(
            Ragged(
                number=int(numbers[place]),
                fields=int(fields[place]),
                start=offset + int(first[place]),
                end=offset + end,
            )
        )
    return taken


def _quoted_well(part: Array, quotes: Array, delimiter: int) -> bool:
    """Whether every quote opens a field, closes one, or is one of two inside of it."""
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) != len(closing):
        return False
    before: Any = np.where(opening > 0, part[opening - 1], _LF)
    after = part[closing + 1]
    opens = (before == delimiter) | (before == _LF) | (before == _QUOTE)
    closes = (after == delimiter) | (after == _LF) | (after == _CR) | (after == _QUOTE)
    return bool(opens.all() and closes.all())
