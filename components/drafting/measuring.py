"""The values of every column, counted: columns of one kind are laid one below the other, for one query to count."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import ibis

from ciclo.components.core.dates import COMPACT
from ciclo.components.core.rules import Plain, number_form
from ciclo.components.core.values import LARGEST_NUMBER, LARGEST_WHOLE
from ciclo.components.drafting.absent import NO_DAYS, is_mark, is_no_day, word_of
from ciclo.components.drafting.columns import LEVELS, Facts
from ciclo.components.drafting.conventions import (
    MARKED,
    MARKED_NUMBER,
    Marks,
    Written,
    agreed,
    compact_date,
    decide,
    more_counts,
    of_plain,
    plain_counts,
    settled,
    varieties,
    without_unit,
)
from ciclo.components.tables.datasets import collect, stored
from ciclo.components.tables.reading import read, says_zone, trimmed
from ciclo.components.tables.stacking import batches, different

_STRAYS = 5
_MOSTLY = 0.9
_AGREE = 0.99
_NUMBER = Plain("number")
_READ = ("text", "number", "flag", "time")
_COMPACT_DAYS = (19_000_101, 21_001_231)
# Digits that are no number: those of a code, or of a telephone behind a plus.
_CODE = r"^[+-]?0[0-9]|^\+[0-9]{9,15}$"
_ISO_DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_POWER = r"^[+-]?[0-9.]+[eE]"
_BARE_POWER = "^[0-9]+[eE][0-9]+$"  # programs write a point or a sign too
_INFINITE = r"^[+-]?(?i:inf|infinity)$"


@dataclass
class _Batch:
    """Columns of one kind, one below the other.

    Attributes:
        names: The columns; their places are counted from 0.
        readings: Every different value: ``place``, ``raw`` without white space at its ends, what it is as ``text``,
            ``number``, ``flag`` and ``time``, in how many ``rows`` it stands, and the ``word`` for which the others are
            null.
        facts: What was counted, by place.
        marks: In which ways they may be written, for the columns worth a second look.
        words: Rows by word that is likely to stand for a missing value, by place.
        name: How the names of its tables begin.
        strays: Rows by value that is no time in a column of times, by place.
    """

    names: Sequence[str]
    readings: Any
    facts: dict[int, dict[str, Any]]
    marks: dict[int, Marks]
    words: dict[int, dict[str, int]]
    name: str
    strays: dict[int, dict[str, int]] = field(default_factory=dict)


def measure(table: Any, names: Collection[str], delimiter: str = "") -> dict[str, Facts]:
    """Count the columns of a raw table.

    Args:
        table: The raw table.
        names: Columns to look at.
        delimiter: Between the fields of its files, where it came as text.
    """
    rows = int(collect(table.aggregate(rows=table.count()))["rows"][0].as_py())
    read_in = [_read(table, batch, f"batch_{n}") for n, batch in enumerate(_batches(table, names, rows))]
    written = {
        (n, place): found
        for n, batch in enumerate(read_in)
        for place, marks in batch.marks.items()
        if (found := decide(marks, delimiter)) is not None
    }
    mark = agreed(written.values())
    written = {at: settled(found, read_in[at[0]].marks[at[1]], mark) for at, found in written.items()}
    written |= {(n, place): found for n, batch in enumerate(read_in) for place, found in _compact(batch).items()}
    facts: dict[str, Facts] = {}
    for n, batch in enumerate(read_in):
        mine = {place: found for (other, place), found in written.items() if other == n}
        for rules in {found.rules for found in mine.values()} - {_NUMBER}:
            _read_again(batch, [place for place, found in mine.items() if found.rules == rules], rules)
        _read_again(batch, [p for p, row in batch.facts.items() if p not in mine and _is_time(row)], Plain("timestamp"))
        for place in _restored(batch, mine):
            mine.pop(place, None)
        facts |= _described(batch, mine, rows)
    return {name: facts[name] for name in names}


def _batches(table: Any, names: Collection[str], rows: int) -> Iterator[Sequence[str]]:
    """The columns of each type, so many at a time as one query bears."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(str(table[name].type()), []).append(name)
    for columns in kinds.values():
        yield from batches(columns, rows)


def _read(table: Any, names: Sequence[str], batch: str) -> _Batch:
    """Read every different value of each column once, into tables of the engine that begin with a name."""
    values = different(table, names, "values_to_count")
    raw = values["raw"]
    is_text = raw.type().is_string()
    if is_text:
        values = values.mutate(raw=trimmed(raw))
        values = values.mutate(word=word_of(values["raw"]))
        raw = values["raw"]
        values = values.mutate(raw=values["word"].isnull().ifelse(raw, ibis.null("string")))
    readings = values.mutate(text=_typed(values["raw"], Plain("category")), number=_typed(values["raw"], _NUMBER))
    raw, number = readings["raw"], readings["number"]
    flag, time = (_typed(raw, Plain(kind)) for kind in ("boolean", "timestamp"))
    if is_text:  # a number is no time, and only two of them are true or false
        flag = number.isnull().ifelse(flag, ibis.cases((number == 1, True), (number == 0, False)))
        time = number.isnull().ifelse(time, ibis.null(time.type()))
    readings = stored(readings.mutate(flag=flag, time=time), f"{batch}_readings")
    facts = _facts(readings, _NUMBER)
    marks, words = (_marks(readings, facts), _words(readings)) if is_text else ({}, {})
    return _Batch(names, readings, facts, marks, words, batch)


def _typed(raw: Any, rules: Plain) -> Any:
    return read(raw, rules, is_trimmed=True).typed


def _facts(readings: Any, rules: Plain) -> dict[int, dict[str, Any]]:
    """What is counted of each column."""
    raw, text, number, flag, time = (readings[name] for name in ("raw", "text", "number", "flag", "time"))
    kind = raw.type()
    code = _CODE if number_form(rules).negative == "-1" and not rules.unit else "^[^0-9.,]{0,8}0[0-9]"
    whole = (number % 1 == 0).fill_null(False)
    if kind.is_string():
        # A pattern is dear, so it is asked only of values of which nothing cheaper tells.
        is_number = number.notnull()
        has_point = whole.ifelse(raw.re_search(f"[{rules.decimal}][0-9]*[^0-9]*$"), False)
        is_large = text.re_search(_POWER) & (text.try_cast("float64").abs() > LARGEST_NUMBER)
        infinite = is_number.ifelse(False, text.re_search(_INFINITE) | is_large.fill_null(False))
        marked = is_number.ifelse(text.re_search(MARKED_NUMBER), text.re_search(MARKED))
        is_power = (is_number & (text.contains("e") | text.contains("E"))).ifelse(text.re_search(_BARE_POWER), False)
        impossible = (is_number | time.notnull()).ifelse(False, text.re_search(_ISO_DAY))
        padded = (text < "1").ifelse(text.re_search(code), False) if code == _CODE else text.re_search(code)
    else:
        is_whole = kind.is_integer() or (kind.is_decimal() and kind.scale == 0)
        always, never = readings["place"].notnull(), readings["place"].isnull()
        has_point, marked, impossible, is_power = never if is_whole else always, never, never, never
        padded = text.re_search(code)
        # Beside NaN, which is the largest of all to an engine.
        infinite = (raw.abs() > LARGEST_NUMBER) & (raw.abs() <= math.inf) if kind.is_floating() else never
    grouped = readings.group_by("place").aggregate(
        present=_sum(text.notnull() | infinite.fill_null(False), readings),
        distinct=text.nunique(),
        numbers=_sum(number.notnull(), readings),
        whole=_sum(whole & ~has_point, readings),
        rounded=_sum(whole & has_point, readings),
        huge=_sum(whole & (number.abs() >= float(LARGEST_WHOLE)), readings),
        infinite=_sum(infinite, readings),
        booleans=_sum(flag.notnull(), readings),
        times=_sum(time.notnull(), readings),
        impossible=_sum(impossible, readings),
        padded=_sum(padded, readings),
        marked=_sum(marked, readings),
        letters=(text.length() * readings["rows"]).sum(),
        power=is_power.ifelse(text, ibis.null("string")).max(),
        longest=text.argmax(text.length()),
        minimum=number.min(),
        maximum=number.max(),
        first=time.min(),
        last=time.max(),
    )
    found: dict[int, dict[str, Any]] = {}
    for place, row in _by_place(grouped):
        days: dict[str, Any] = {key: row.pop(key).date().isoformat() for key in ("first", "last") if key in row}
        length = row.pop("letters", 0) / max(row["present"], 1)
        found[place] = {**row, **days, "length": length}
    return found


def _sum(condition: Any, readings: Any) -> Any:
    """How many rows meet a condition."""
    return condition.fill_null(False).ifelse(readings["rows"], 0).sum()


def _by_place(grouped: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each column with what is known of it; the engine's sums of counts are decimals."""
    for row in collect(grouped).to_pylist():
        known = {key: int(v) if isinstance(v, Decimal) else v for key, v in row.items() if v is not None}
        yield known.pop("place"), known


def _marks(readings: Any, facts: Mapping[int, Mapping[str, Any]]) -> dict[int, Marks]:
    """For the columns that are no plain numbers or times, or could be others: in which ways they may be written."""
    worth = {place: row for place, row in facts.items() if row.get("marked") and row["times"] < row["present"]}
    plain = [place for place, row in worth.items() if row["numbers"] + row["infinite"] == row["present"]]
    others = [
        place
        for place, row in worth.items()
        if place not in plain and row["marked"] + row["numbers"] + row["times"] >= _MOSTLY * row["present"]
    ]
    units: dict[int, dict[str, int]] = {}
    found: dict[int, dict[str, int]] = {}
    if plain:
        known = _present(readings, plain)
        conditions = plain_counts(known["raw"])
        grouped = known.group_by("place").aggregate(**{n: _sum(c, known) for n, c in conditions.items()})
        found |= {place: of_plain(row) for place, row in _by_place(grouped)}
    if others:
        known = _present(readings, others)
        unit, bare = without_unit(known["raw"])
        known = known.mutate(unit=unit, bare=bare)
        conditions = more_counts(known["raw"], known["bare"])
        parts = {name: part.nunique() for name, part in varieties(known["raw"]).items()}
        found |= _by_place(
            known.group_by("place").aggregate(**{n: _sum(c, known) for n, c in conditions.items()}, **parts)
        )
        counted = known.group_by("place", "unit").aggregate(rows=known["rows"].sum())
        for row in collect(counted.order_by("place", ibis.desc("rows"), "unit")).to_pylist():
            units.setdefault(row["place"], {})[row["unit"]] = int(row["rows"])
    return {
        place: Marks(marks, units.get(place, {}), facts[place]["present"], facts[place]["distinct"])
        for place, marks in found.items()
    }


def _present(readings: Any, places: Sequence[int]) -> Any:
    return readings.filter(readings["place"].isin(places) & readings["text"].notnull())


def _compact(batch: _Batch) -> dict[int, Written]:
    """The columns whose whole numbers are days, such as 20230105, but for those that stand for none."""
    first, last = _COMPACT_DAYS
    places = [
        place
        for place, row in batch.facts.items()
        if 0 < row["present"] == row["numbers"] == row["whole"] + row["rounded"]
        and (row["minimum"] in NO_DAYS or row["minimum"] >= first)
        and (row["maximum"] in NO_DAYS or first <= row["maximum"] < (last + 1) * 1_000_000)
    ]
    if not places:
        return {}
    known = batch.readings.filter(batch.readings["place"].isin(places) & batch.readings["number"].notin(NO_DAYS))
    known = known.mutate(day=_typed(known["raw"], Plain("timestamp", dates=COMPACT)))
    counted = known.group_by("place").aggregate(
        valid=_sum(known["day"].notnull(), known),
        different=known["day"].nunique(),
        present=known["rows"].sum(),
        minimum=known["number"].min(),
        maximum=known["number"].max(),
    )
    found = {
        place: compact_date(batch.names[place], row["valid"], row["different"], row["present"])
        for place, row in _by_place(counted)
        if any(first * scale <= row["minimum"] and row["maximum"] < (last + 1) * scale for scale in (1, 1_000_000))
    }
    return {place: written for place, written in found.items() if written is not None}


def _is_time(row: Mapping[str, Any]) -> bool:
    """Whether a column holds ISO times of which some are none, or none that is meant."""
    is_whole = row["times"] == row["present"] and row.get("last") != "9999-12-31"
    return not is_whole and row["times"] > 0 and row["times"] + row["impossible"] >= _AGREE * row["present"]


def _read_again(batch: _Batch, places: Sequence[int], rules: Plain) -> None:
    """Count some columns anew, as their numbers or times are written; days that stand for none are words."""
    if not places:
        return
    again = batch.readings.filter(batch.readings["place"].isin(places))
    typed = _typed(again["raw"], rules)
    if rules.type != "timestamp":
        batch.facts |= _facts(again.mutate(number=typed), rules)
        return
    again = stored(again.mutate(time=typed), f"{batch.name}_times_{min(places)}")
    absent = is_no_day(again["time"])
    if rules.dates == COMPACT:
        absent = absent | again["number"].isin(NO_DAYS).fill_null(False)
    for place, words in _counted(again, places, absent & again["text"].notnull(), "rows").items():
        batch.words.setdefault(place, {}).update(words)
    again = again.mutate(**{name: absent.ifelse(ibis.null(again[name].type()), again[name]) for name in _READ})
    batch.facts |= _facts(again, rules)
    batch.strays |= _counted(again, places, again["text"].notnull() & again["time"].isnull(), "rows")


def _restored(batch: _Batch, written: Mapping[int, Written]) -> list[int]:
    """The columns in which marks such as ``-`` are values after all, as they hold neither numbers nor times."""
    marked = {p: [w for w in words if is_mark(w)] for p, words in batch.words.items() if any(map(is_mark, words))}
    places = [place for place in marked if not _bears_marks(batch.facts[place], written.get(place))]
    if not places:
        return []
    readings = batch.readings
    if "word" in readings.columns:  # of what is no text only days were taken out, and not for good
        words = list({word for place in places for word in marked[place]})
        back = readings["place"].isin(places) & readings["word"].isin(words)
        batch.readings = readings.mutate(
            raw=back.ifelse(readings["word"], readings["raw"]), text=back.ifelse(readings["word"], readings["text"])
        )
    batch.facts |= _facts(batch.readings.filter(batch.readings["place"].isin(places)), _NUMBER)
    for place in places:
        batch.words[place] = {word: rows for word, rows in batch.words[place].items() if not is_mark(word)}
        batch.strays.pop(place, None)
    return places


def _bears_marks(row: Mapping[str, Any], written: Written | None) -> bool:
    """Whether different numbers or times are all that a column holds but marks."""
    numbers = 0 if row["padded"] else row["numbers"] + row["infinite"]
    read = max(numbers, row["times"] + row["impossible"] if row["times"] else 0)
    is_time = written is not None and written.rules.type == "timestamp"
    return row["distinct"] > 1 and (is_time or read >= _AGREE * row["present"])


def _zoned(batch: _Batch, places: Sequence[int]) -> dict[int, int]:
    """How many times of each column say their zone."""
    raw = batch.readings["raw"]
    if not places or not raw.type().is_string():
        return {}
    known = batch.readings.filter(batch.readings["place"].isin(list(places)) & raw.notnull())
    counted = known.group_by("place").aggregate(zoned=_sum(says_zone(known["raw"]), known))
    return {place: row["zoned"] for place, row in _by_place(counted)}


def _words(readings: Any) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    likely = (
        readings.filter(readings["word"].notnull()).group_by("place", "word").aggregate(rows=lambda t: t["rows"].sum())
    )
    for row in collect(likely.order_by("place", "word")).to_pylist():
        found.setdefault(row["place"], {})[row["word"]] = int(row["rows"])
    return found


def _described(batch: _Batch, written: Mapping[int, Written], rows: int) -> dict[str, Facts]:
    levels = _levels(batch, [place for place, row in batch.facts.items() if row["distinct"] <= LEVELS])
    known = {*written, *batch.strays}
    mixed = {p: row for p, row in batch.facts.items() if p not in known and _is_mixed(row)}
    dated = [p for p, row in mixed.items() if row["times"] > row["numbers"]]
    strays = _strays(batch, [p for p in mixed if p not in dated], "number") | _strays(batch, dated, "time")
    times = [p for p in batch.facts if p in written and written[p].rules.type == "timestamp"]
    zoned = _zoned(batch, [*times, *(p for p, row in batch.facts.items() if p not in times and row["times"])])
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
            strays=dict(list((batch.strays.get(place) or strays.get(place, {})).items())[:_STRAYS]),
            zoned=zoned.get(place, 0),
            rules=None if found is None else found.rules,
            question="" if found is None else found.question,
            note="" if found is None else found.note,
        )
    return facts


def _levels(batch: _Batch, places: Sequence[int]) -> dict[int, dict[str, int]]:
    """Rows by value of the columns with few of them."""
    return _counted(batch.readings, places, batch.readings["text"].notnull(), "value")


def _is_mixed(row: Mapping[str, Any]) -> bool:
    """Whether some values of a column are numbers, or times, and others are not."""
    return any(0 < row[kind] < row["present"] for kind in ("numbers", "times"))


def _strays(batch: _Batch, places: Sequence[int], kind: str) -> dict[int, dict[str, int]]:
    """Rows by the values that are no ``number`` or ``time``, the most frequent first."""
    readings = batch.readings
    return _counted(readings, places, readings["text"].notnull() & readings[kind].isnull(), "rows")


def _counted(readings: Any, places: Sequence[int], wanted: Any, order: str) -> dict[int, dict[str, int]]:
    if not places:
        return {}
    known = readings.filter(wanted & readings["place"].isin(list(places))).group_by("place", value=readings["text"])
    counted = known.aggregate(rows=lambda t: t["rows"].sum())
    by = ibis.desc("rows") if order == "rows" else "value"
    found: dict[int, dict[str, int]] = {place: {} for place in places} if order == "value" else {}
    for row in collect(counted.order_by("place", by)).to_pylist():
        found.setdefault(row["place"], {})[row["value"]] = int(row["rows"])
    return found
