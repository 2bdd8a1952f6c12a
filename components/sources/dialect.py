"""How a CSV file is written: its delimiter, its header, and where its records begin; found in its first records."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ciclo.components.core.dates import PATTERNS
from ciclo.components.core.errors import DataError
from ciclo.components.core.rules import Plain
from ciclo.components.core.values import Refusal, ValueReader
from ciclo.components.core.wording import clean
from ciclo.components.core.written import NumberForm

DELIMITERS = (",", ";", "\t", "|")
CUT = "If its fields are cut at another character, set data.delimiter (ciclo init --delimiter)."
SHOWN = 500
_SAMPLE = 1 << 20
_RECORDS = 1_000
_TITLES = 10  # records before the header
_ALIKE = 10  # records at least, before what they have in common is taken for that of a whole file
_BOM = "\ufeff"
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)
_NUMBERS = [re.compile(form.pattern) for form in (NumberForm(".", ","), NumberForm(",", "."))]
_DIGITS = re.compile("[0-9]+")
_DATE = re.compile(PATTERNS["31/12/2026"])


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
        delimiter: Between two fields.
        is_spaced: Whether a quote may stand after a space: ``1, "two"``.
        names: Of the columns, trimmed.
        skipped: Lines before the first record.
        start: Where the first record begins, in bytes.
        unnamed: The name that an index was given whose header is empty; or empty.
    """

    delimiter: str
    is_spaced: bool
    names: tuple[str, ...]
    skipped: int
    start: int
    unnamed: str = ""


@dataclass(frozen=True)
class _Sample:
    """The first records as one delimiter cuts them."""

    delimiter: str
    records: list[list[str]]
    lines: int  # of the first record and of what stands before it
    is_broken: bool  # whether the first record breaks the rules of quoting
    is_spaced: bool  # whether a quote stands after a space

    @property
    def width(self) -> int:
        return len(self.records[0]) if self.records else 0

    @property
    def agreement(self) -> float:
        """Share of the records that have as many fields as the first, or one more: an index without a name."""
        rest = self.records[1:]
        return max(sum(len(r) == self.width + more for r in rest) for more in (0, 1)) / len(rest) if rest else 1.0


def find_dialect(path: Path, name: str, delimiter: str | None, header: bool | None) -> Dialect:
    """Look at the first records of a plain CSV file.

    Args:
        path: The file, UTF-8.
        name: What messages call it.
        delimiter: One character, or None to find it.
        header: Whether the first record names the columns; None to ask where it looks like values.

    Raises:
        DataError: If the header cannot name columns, or it cannot be known whether there is one.
    """
    lines, is_whole = _first_lines(path)
    before = 0
    if lines and (found := _SEPARATOR_LINE.fullmatch(lines[0].removeprefix(_BOM))):
        delimiter, before = delimiter or found[1], 1
    text = [line.removeprefix(_BOM) if place == 0 else line for place, line in enumerate(lines)][before:]
    if not any(line.strip("\r\n") for line in text):
        raise DataError(f"{name} has no header, only blank lines", hint="Give a file with a header and rows.")
    samples = {mark: _sample(text, mark, is_whole=is_whole) for mark in {*DELIMITERS, delimiter or ","}}
    chosen = _chosen(samples, name, delimiter)
    if header is not False:  # a title does not say what cuts the rest
        for sample in [chosen] if delimiter or chosen.agreement >= 0.5 else samples.values():
            _check_title(lines, sample, name)
    names, unnamed, is_header = _names(chosen, name, header)
    skipped = before + (chosen.lines if is_header else 0)
    start = sum(len(line.encode()) for line in lines[:skipped])
    return Dialect(chosen.delimiter, chosen.is_spaced, names, skipped, start, unnamed)


def _first_lines(path: Path) -> tuple[list[str], bool]:
    lines, size = [], 0
    with path.open(encoding="utf-8", newline="") as stream:
        for line in stream:
            lines.append(line)
            size += len(line)
            if size > _SAMPLE:
                return lines, False
    return lines, True


def quoted_after_space(record: Sequence[str]) -> bool:
    """Whether a field begins with a space and a quote, so that what the quote encloses may have been cut."""
    return any(field.lstrip(" ")[:1] == '"' for field in record if field[:1] == " ")


def _sample(lines: list[str], delimiter: str, *, is_whole: bool, is_spaced: bool = False) -> _Sample:
    records: list[list[str]] = []
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True, skipinitialspace=is_spaced)
    read, is_broken = 0, False
    while len(records) <= _RECORDS:
        try:
            record = next(reader)
        except StopIteration:
            break
        except csv.Error:
            if not records:
                is_broken = True
                break
            continue
        if record:
            records.append(record)
            read = read or reader.line_num
    if not is_whole and len(records) > 1 and len(records) <= _RECORDS:
        records.pop()  # the sample may end within it
    if not is_spaced and any(map(quoted_after_space, records)):
        return _sample(lines, delimiter, is_whole=is_whole, is_spaced=True)
    return _Sample(delimiter, records, read, is_broken, is_spaced)


def _chosen(samples: dict[str, _Sample], name: str, delimiter: str | None) -> _Sample:
    """The sample whose delimiter cuts every record alike, and into the most fields."""
    best = max(
        (samples[mark] for mark in DELIMITERS),
        key=lambda s: (s.width > 1, s.agreement if s.width > 1 else 0.0, s.width),
    )
    chosen = samples[delimiter] if delimiter else best
    if chosen.is_broken or not chosen.records or (best.width == 1 and any(s.is_broken for s in samples.values())):
        raise DataError(
            f"the header of {name} has a quote that is not closed, or text behind one",
            seen=shown(chosen.records[0][0]) if chosen.records and chosen.records[0] else None,
            hint=f'Write a quote inside a quoted name as "". {CUT}',
        )
    if chosen.width == 1 < best.width:
        raise DataError(
            f"the header of {name} is a single column when it is cut at {chosen.delimiter!r}",
            seen=shown(chosen.records[0][0]),
            hint=f"Set data.delimiter to {best.delimiter!r}, or leave it out.",
        )
    return chosen


def _names(sample: _Sample, name: str, header: bool | None) -> tuple[tuple[str, ...], str, bool]:
    """The names of the columns, which of them was made up for an index, and whether the file gives them."""
    first, rest = sample.records[0], sample.records[1:]
    numbered = tuple(f"column_{place}" for place in range(1, len(first) + 1))
    if header is False:
        return numbered, "", False
    if header is None and _looks_like_values(first, rest):
        raise DataError(
            f"is there a header? The first record of {name} looks like values",
            seen=clean(sample.delimiter.join(first), 200),
            hint="If there is none, set data.header: false (ciclo init --no-header), and the columns are column_1, "
            "column_2 and so on; if these are the names, set data.header: true (ciclo init --header).",
        )
    names = [field.strip() for field in first]
    _check_ends(sample, names, name)
    unnamed = ""
    if _has_index(names, rest):
        names = ["", *names]
    if len(names) > 1 and not names[0]:
        names[0] = unnamed = _free("index", names)
    if "" in names:
        raise DataError(
            f"column {names.index('') + 1} of the header of {name} has no name",
            seen=shown(sample.delimiter.join(first)),
            hint="Name every column, or leave out the index when the file is written.",
        )
    twice = sorted({field for field in names if names.count(field) > 1})
    if twice:
        places = ", ".join(str(place) for place, field in enumerate(names, 1) if field == twice[0])
        raise DataError(
            f"the header of {name} has the same name twice",
            seen=f"{', '.join(twice[:5])}; '{twice[0]}' names columns {places}",
            hint="Give each column a name of its own in the first line; nobody could say which of two is meant.",
        )
    return tuple(names), unnamed, True


def _check_ends(sample: _Sample, names: list[str], name: str) -> None:
    """Refuse a file each line of which ends in a delimiter, so that there seems to be one more column.

    Raises:
        DataError: If it is so.
    """
    rest, mark = sample.records[1:], sample.delimiter
    header_ends = len(names) > 1 and not names[-1] and all(names[1:-1])
    fields = len(names) if header_ends else len(names) + 1
    ends = len(rest) >= _ALIKE and all(len(r) == fields and not r[-1].strip() for r in rest)
    if ends and (header_ends or all(names)):
        lines = "every line" if header_ends else "every line but the header"
        raise DataError(
            f"{lines} of {name} ends in {mark!r}, as if one more column came, and it has neither name nor values",
            seen=shown(mark.join(sample.records[0])),
            hint=f"Take that off the end of the lines, as with: sed -E 's/[{mark}]\\r?$//' FILE > NEW",
        )


def _check_title(lines: list[str], sample: _Sample, name: str) -> None:
    """Refuse a file that begins with a title, before the line that names the columns.

    Raises:
        DataError: If it does.
    """
    first = [field for field in sample.records[0] if field.strip()]
    widths = Counter(len(record) for record in sample.records[1:])
    (width, rows), *_ = widths.most_common(1) or [(0, 0)]
    if width <= max(len(first) + 1, 2) or rows < max(0.9 * (len(sample.records) - 1 - _TITLES), _ALIKE):
        return
    reader = csv.reader(iter(lines), delimiter=sample.delimiter, skipinitialspace=sample.is_spaced)
    before = 0
    for _ in range(_TITLES):
        record = [field.strip() for field in next(reader, [])]
        if len(record) == width == len({*record}) and all(record) and not any(map(_is_measured, record)):
            raise DataError(
                f"{name} begins with a title, and the names of the columns seem to stand in line {before + 1}",
                seen=shown(sample.delimiter.join(sample.records[0])),
                hint=f"Leave out what stands above, as with: tail -n +{before + 1} FILE > NEW",
            )
        before = reader.line_num


def _has_index(names: list[str], rest: list[list[str]]) -> bool:
    """Whether every record has one field more than the header, as R writes its row names."""
    longer = bool(rest) and all(len(record) == len(names) + 1 for record in rest)
    return longer and all(names) and any(record[-1].strip() for record in rest)


def _free(name: str, names: Sequence[str]) -> str:
    taken = {other.casefold() for other in names}
    return next(n for n in (name, *(f"{name}_{place}" for place in range(1, len(names) + 2))) if n not in taken)


def _looks_like_values(first: list[str], rest: list[list[str]]) -> bool:
    """Whether the first record is one of the others: every field could be a value of its column.

    Numbers that count up are names all the same: years, or the columns of a matrix.
    """
    rest = [record for record in rest if len(record) == len(first) and record != first]
    if not rest or len(first) < 2 or not any(first):
        return False
    columns = [{field.strip() for field in column} - {""} for column in zip(*rest, strict=True)]
    cells = [field.strip() for field in first]
    measured = [bool(values) and sum(map(_is_measured, values)) >= 0.9 * len(values) for values in columns]
    if any(is_number and not _is_measured(cell) for cell, is_number in zip(cells, measured, strict=True)):
        return False
    numbers = [cell for cell, is_number in zip(cells, measured, strict=True) if is_number]
    if _count_up(numbers):
        return False
    words = [(c, values) for c, values, is_number in zip(cells, columns, measured, strict=True) if not is_number]
    among = all(cell in values or _has_their_shape(cell, values) for cell, values in words)
    return (among and (bool(numbers) or len(rest) >= 10)) or len(numbers) > 1


def _has_their_shape(cell: str, values: set[str]) -> bool:
    """Whether a text differs from nearly all others of its column in its digits alone: ``user0`` beside ``user17``."""
    shape = _DIGITS.sub("0", cell)
    return _DIGITS.search(cell) is not None and sum(_DIGITS.sub("0", v) == shape for v in values) >= 0.9 * len(values)


def _is_measured(text: str) -> bool:
    if any(pattern.fullmatch(text) for pattern in _NUMBERS) or _DATE.fullmatch(text):
        return True
    return not isinstance(_TIME.typed(text), Refusal)


_TIME = ValueReader(Plain("timestamp"))


def _count_up(cells: list[str]) -> bool:
    numbers = [int(cell) if cell.isascii() and cell.isdigit() else -1 for cell in cells]
    return len(numbers) > 1 and min(numbers) >= 0 and all(a < b for a, b in pairwise(numbers))


def shown(text: str) -> str:
    """The text of a record for a message or the quarantine: without its line end, and not too long."""
    return text.rstrip("\r\n")[:SHOWN]
