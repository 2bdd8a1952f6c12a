"""The values of every column, counted: columns of one kind are laid one below the other, for one query to count."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis

from ciclo.components.core.values import LARGEST_WHOLE, Plain
from ciclo.components.drafting.columns import LEVELS, MISSING_WORDS, Facts
from ciclo.components.drafting.conventions import MARKED, Written, agreed, counts, decide, settled
from ciclo.components.tables.datasets import collect
from ciclo.components.tables.reading import read

_CELLS = 10_000_000  # values in one query
_STRAYS = 5
_INFINITE = r"^[+-]?(?i:inf|infinity)$"


@dataclass
class _Batch:
    """Columns of one kind, one below the other.

    Attributes:
        names: The columns; their places are counted from 0.
        readings: ``place``, the raw value, and what it is as text, number, flag and time.
        facts: What was counted, by place.
        marks: What ``conventions.counts`` counted, for the columns worth it.
        words: Rows by word that is likely to stand for a missing value, by place.
    """

    names: Sequence[str]
    readings: Any
    facts: dict[int, dict[str, Any]]
    marks: dict[int, dict[str, int]]
    words: dict[int, dict[str, int]]


def measure(table: Any, names: Collection[str], scratch: Path) -> dict[str, Facts]:
    """Count the columns of a raw table.

    Args:
        table: The raw table.
        names: Columns to look at.
        scratch: Folder for the values as they were read, so that each is read once.
    """
    rows = int(collect(table.aggregate(rows=table.count()))["rows"][0].as_py())
    batches = [
        _read(table, batch, scratch / f"readings-{n}.parquet") for n, batch in enumerate(_batches(table, names, rows))
    ]
    written = {
        (n, place): found
        for n, batch in enumerate(batches)
        for place, marks in batch.marks.items()
        if (found := decide(marks, batch.facts[place]["present"])) is not None
    }
    mark = agreed(written.values())
    written = {at: settled(found, batches[at[0]].marks[at[1]], mark) for at, found in written.items()}
    facts: dict[str, Facts] = {}
    for n, batch in enumerate(batches):
        mine = {place: found for (other, place), found in written.items() if other == n}
        for rules in {found.rules for found in mine.values()}:
            places = [place for place, found in mine.items() if found.rules == rules]
            again = batch.readings.filter(batch.readings["place"].isin(places))
            typed = read(again["raw"], rules).typed
            column = "time" if rules.type == "timestamp" else "number"
            batch.facts |= _facts(again.mutate(**{column: typed}), rules)
        facts |= _described(batch, mine, rows)
    return {name: facts[name] for name in names}


def _batches(table: Any, names: Collection[str], rows: int) -> Iterator[list[str]]:
    """The columns of each type, so many at a time as one query bears."""
    size = max(_CELLS // max(rows, 1), 1)
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(str(table[name].type()), []).append(name)
    for columns in kinds.values():
        for start in range(0, len(columns), size):
            yield columns[start : start + size]


def _read(table: Any, names: Sequence[str], path: Path) -> _Batch:
    places = ibis.array([ibis.literal(place, "int32") for place in range(len(names))])
    long = table.select(place=places.unnest(), raw=ibis.array([table[name] for name in names]).unnest())
    raw = long["raw"]
    is_text = raw.type().is_string()
    if is_text:
        likely = raw.strip().lower().isin(MISSING_WORDS)
        long = long.mutate(
            word=likely.ifelse(raw.strip(), ibis.null("string")), raw=likely.ifelse(ibis.null("string"), raw)
        )
        raw = long["raw"]
    kinds = {"text": "category", "number": "number", "flag": "boolean", "time": "timestamp"}
    long.mutate(**{name: read(raw, Plain(kind)).typed for name, kind in kinds.items()}).to_parquet(path)
    readings = table.get_backend().read_parquet(path)
    facts = _facts(readings, Plain("number"))
    return _Batch(
        names, readings, facts, _marks(readings, facts) if is_text else {}, _words(readings) if is_text else {}
    )


def _facts(readings: Any, rules: Plain) -> dict[int, dict[str, Any]]:
    """What is counted of each column."""
    raw, text, number, flag, time = (readings[name] for name in ("raw", "text", "number", "flag", "time"))
    kind = raw.type()
    if kind.is_string():
        has_point = text.re_search(f"[{rules.decimal}][0-9]*$")
        infinite = text.re_search(_INFINITE) | text.try_cast("float64").isinf().fill_null(False)
        marked = text.re_search(MARKED)
    else:
        is_whole = kind.is_integer() or (kind.is_decimal() and kind.scale == 0)
        always, never = readings["place"].notnull(), readings["place"].isnull()
        has_point, marked = never if is_whole else always, never
        infinite = raw.isinf() if kind.is_floating() else never
    whole = (number % 1 == 0).fill_null(False)
    grouped = readings.group_by("place").aggregate(
        present=(text.notnull() | infinite.fill_null(False)).sum(),
        distinct=text.nunique(),
        numbers=number.count(),
        whole=(whole & ~has_point).sum(),
        rounded=(whole & has_point).sum(),
        huge=(whole & (number.abs() >= float(LARGEST_WHOLE))).sum(),
        infinite=infinite.sum(),
        booleans=flag.count(),
        times=time.count(),
        padded=text.re_search(r"^[+-]?0[0-9]").sum(),
        marked=marked.sum(),
        length=text.length().mean(),
        longest=text.argmax(text.length()),
        minimum=number.min(),
        maximum=number.max(),
        first=time.min(),
        last=time.max(),
    )
    found = {}
    for place, row in _by_place(grouped):
        days = {key: row.pop(key).date().isoformat() for key in ("first", "last") if key in row}
        found[place] = {"present": 0, "distinct": 0, **row, **days}
    return found


def _by_place(grouped: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each column with what is known of it; the engine's sums of counts are decimals."""
    for row in collect(grouped).to_pylist():
        known = {key: int(v) if isinstance(v, Decimal) else v for key, v in row.items() if v is not None}
        yield known.pop("place"), known


def _marks(readings: Any, facts: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, int]]:
    """For the columns that are no plain numbers or times, or could be others: in which ways they may be written."""
    places = [place for place, row in facts.items() if row.get("marked") and row["times"] < row["present"]]
    if not places:
        return {}
    known = readings.filter(readings["place"].isin(places) & readings["text"].notnull())
    known = known.mutate(trimmed=known["raw"].strip())
    return dict(_by_place(known.group_by("place").aggregate(**counts(known["trimmed"]))))


def _words(readings: Any) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    likely = readings.filter(readings["word"].notnull()).group_by("place", "word").aggregate(rows=lambda t: t.count())
    for row in collect(likely.order_by("place", "word")).to_pylist():
        found.setdefault(row["place"], {})[row["word"]] = row["rows"]
    return found


def _described(batch: _Batch, written: Mapping[int, Written], rows: int) -> dict[str, Facts]:
    levels = _levels(batch, [place for place, row in batch.facts.items() if row["distinct"] <= LEVELS])
    mixed = [p for p, row in batch.facts.items() if p not in written and 0 < row["numbers"] < row["present"]]
    strays = _strays(batch, mixed)
    facts = {}
    for place, name in enumerate(batch.names):
        row = {key: value for key, value in batch.facts[place].items() if key != "marked"}
        found = written.get(place)
        facts[name] = Facts(
            name=name,
            rows=rows,
            **row,
            levels=levels.get(place, {}),
            words=batch.words.get(place, {}),
            strays=strays.get(place, {}),
            rules=None if found is None else found.rules,
            question="" if found is None else found.question,
        )
    return facts


def _levels(batch: _Batch, places: Sequence[int]) -> dict[int, dict[str, int]]:
    """Rows by value of the columns with few of them."""
    return _counted(batch.readings, places, batch.readings["text"].notnull(), "value")


def _strays(batch: _Batch, places: Sequence[int]) -> dict[int, dict[str, int]]:
    """Rows by the values that are no numbers in columns that mostly hold them, the most frequent first."""
    readings = batch.readings
    found = _counted(readings, places, readings["text"].notnull() & readings["number"].isnull(), "rows")
    return {place: dict(list(values.items())[:_STRAYS]) for place, values in found.items()}


def _counted(readings: Any, places: Sequence[int], wanted: Any, order: str) -> dict[int, dict[str, int]]:
    if not places:
        return {}
    known = readings.filter(wanted & readings["place"].isin(list(places))).group_by("place", value=readings["text"])
    counted = known.aggregate(rows=lambda t: t.count())
    by = ibis.desc("rows") if order == "rows" else "value"
    found: dict[int, dict[str, int]] = {place: {} for place in places} if order == "value" else {}
    for row in collect(counted.order_by("place", by)).to_pylist():
        found.setdefault(row["place"], {})[row["value"]] = row["rows"]
    return found
