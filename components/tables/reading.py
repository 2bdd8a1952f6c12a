"""How a raw column becomes a typed one: the rules of ``core.values`` as ibis expressions that any engine can run.

Ingestion, cleaning and the first guess of a project file read columns here and nowhere else. A property test holds
every expression to ``ValueReader``, value by value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from ciclo.components.core.dates import COMPACT, PATTERNS, ZONED, DateForm, iso_steps
from ciclo.components.core.rules import Rules, date_form, is_compact, number_form
from ciclo.components.core.values import (
    DIGITS,
    FALSE_WORDS,
    LARGEST_EXACT,
    LARGEST_NUMBER,
    LARGEST_SINGLE,
    TRUE_WORDS,
    WHOLE_FLOAT,
    ZONES,
    common_labels,
    missing_numbers,
    missing_times,
    missing_words,
    spelling,
)
from ciclo.components.core.values import TIME as ISO_TIME
from ciclo.components.core.written import SPACES

TIME = dt.Timestamp(timezone="UTC")


@dataclass(frozen=True)
class Value:
    """A raw column, read: ibis expressions.

    Attributes:
        typed: The value as its type, null where it is missing or cannot be read.
        missing: Whether there is no value: null, NaN, blank text, or a word or number that the rules list.
        inexact: Whether it is a whole number that cannot be read exactly; ``typed`` is null then. None where no value
            of the column can be one.
    """

    typed: Any
    missing: Any
    inexact: Any = None


def read(raw: Any, rules: Rules, *, is_trimmed: bool = False) -> Value:
    """Read a raw column as a type.

    Numbers become finite ``float64``, integers ``int64``, booleans true or false, categories trimmed text, times UTC.

    Args:
        raw: Column of a raw table.
        rules: Its type, the words that stand for a missing value, and how categories are spelled.
        is_trimmed: Whether it is a column that ``trimmed`` gave; an expression is worked out wherever it is used.
    """
    if not raw.type().is_string():
        return _read_native(raw, rules)
    return _read_text(raw, raw if is_trimmed else raw.strip(), rules)


def trimmed(text: Any) -> Any:
    """Text without white space at its ends, which is asked for only where there is some: trimming is dear."""
    return ((text < "!") | (text.right(1) < "!")).ifelse(text.strip(), text)


def says_zone(text: Any) -> Any:
    """Whether the text of a time says its zone; a date alone is too short for one."""
    return ((text.length() > 10) & text.re_search(ZONED)).fill_null(False)


def _read_text(raw: Any, text: Any, rules: Rules) -> Value:
    words = missing_words(rules)
    missing = _blank(raw, text)
    if rules.type == "category":
        value = _spelled(_folded(text), rules, text)
        missing = missing | text.isin(words) | value.isin(words).fill_null(False) if words else missing
        return Value(missing.ifelse(ibis.null("string"), value), missing)
    if (plain := _plain(text, rules)) is not None:
        missing = missing | text.isin(words) if words else missing
        text = plain
        typed = _TEXT[rules.type](text)
    else:
        # Trimming is the dear part: only what cannot be read as it stands is trimmed. What can be is a word as it
        # stands.
        read = typed = _TEXT[rules.type](raw)
        missing = read.isnull().ifelse(missing | text.isin(words), raw.isin(words)) if words else missing
        if text is not raw and rules.type != "number":  # a cast to a number looks past white space by itself
            # No ``coalesce``: it would be worked out for every row, and this once for each entry of a dictionary.
            typed = read.isnull().ifelse(_TEXT[rules.type](text), read)
    if numbers := missing_numbers(rules):
        number = typed.cast("float64") if rules.type in ("number", "integer") else _number_text(text)
        number = typed.isnull().ifelse(_number_text(text), number) if rules.type == "integer" else number
        missing = missing | number.isin(numbers).fill_null(False)
    missing = _or_time(missing, typed, rules)
    typed = missing.ifelse(ibis.null(typed.type()), typed) if rules.missing else typed
    if rules.type != "integer":
        return Value(typed, missing)
    number = _number_text(text)
    whole = (text.re_search(DIGITS) | ((number % 1 == 0) & (number.abs() > LARGEST_EXACT))).fill_null(False)
    return Value(typed, missing, typed.isnull().ifelse(~missing & whole, False))


def _blank(raw: Any, text: Any) -> Any:
    """Whether there is nothing but white space, all of which sorts before every other character that is written."""
    return raw.isnull() | (raw < "!").ifelse(text == "", False)


def _plain(text: Any, rules: Rules) -> Any:
    """The plain form of text that its column writes otherwise, as ``values`` has it; None if it does not."""
    if rules.type in ("number", "integer") and not (form := number_form(rules)).is_plain:
        return text.re_search(form.pattern).ifelse(_replaced(text, form.steps), ibis.null("string"))
    if rules.type == "timestamp" and (date := date_form(rules)) is not None:
        return _iso_time(text, date)
    return None


def _iso_time(text: Any, form: DateForm) -> Any:
    return text.re_search(PATTERNS[form]).ifelse(_replaced(text, iso_steps(form)), text)


def _replaced(text: Any, steps: Sequence[tuple[str, str]]) -> Any:
    for pattern, instead in steps:
        text = text.re_replace(pattern, instead.replace(r"\g<1>", r"\1"))  # RE2 knows groups of one digit alone
    return text


def _or_time(missing: Any, time: Any, rules: Rules) -> Any:
    """Missing as before, or one of the times that stand for it."""
    times = [ibis.literal(t, TIME) for t in missing_times(rules)]
    return missing | time.isin(times).fill_null(False) if times else missing


def _number_text(text: Any) -> Any:
    number = text.try_cast("float64")
    fit = (number.abs() <= LARGEST_NUMBER) & ~text.contains("_")  # to an engine NaN is the largest of all
    return fit.ifelse(number, ibis.null("float64"))


def _integer_text(text: Any) -> Any:
    exact = text.re_search(r"^[+-]?[0-9]{16,}$")  # more digits than a float holds
    written = exact.ifelse(text.try_cast("int64"), _whole(_number_text(text)))
    return text.re_search(r"^-?[0-9]{1,15}$").ifelse(text.try_cast("int64"), written)


def _boolean_text(text: Any) -> Any:
    word = text.lower()
    number = _boolean(_number_text(text))
    return ibis.cases((word.isin(TRUE_WORDS), True), (word.isin(FALSE_WORDS), False), else_=number)


def _time_text(text: Any) -> Any:
    iso = text
    for zone, instead in ZONES:
        iso = iso.replace(zone, instead)
    time = ibis.coalesce(text.try_cast(TIME), iso.try_cast(TIME))  # the second is asked for where the first is null
    inside = text.between("0001-01-03", "9999-12-29")  # whatever its offset, which saves the dearer question
    return text.re_search(ISO_TIME).ifelse(inside.ifelse(time, _in_years(time)), ibis.null(TIME))


def _in_years(time: Any) -> Any:
    """A time as Python has it, which knows the years 1 to 9999."""
    first, last = (ibis.literal(t.replace(tzinfo=UTC), TIME) for t in (datetime.min, datetime.max))
    return time.between(first, last).ifelse(time, ibis.null(TIME))


def _folded(text: Any) -> Any:
    is_flag = (text >= "F").ifelse(text.lower().isin(["true", "false"]), False)  # what begins with a digit is none
    digits = text.contains(".0").ifelse(text.re_replace(WHOLE_FLOAT, r"\1\2"), text)
    return is_flag.ifelse(text.lower(), digits)  # as ``values.folded``


def _spelled(value: Any, rules: Rules, text: Any) -> Any:
    spelled, known = spelling(rules), list(rules.categories)
    if spelled:
        substituted = value.substitute(spelled)
        value = text.isin(known).ifelse(text, substituted) if known else substituted
    if not rules.ignore_case or not known:
        return value
    label = value.lower().re_replace(SPACES, " ").strip()
    return value.isin(known).ifelse(value, label.substitute(common_labels(rules), else_=value))


def _read_native(raw: Any, rules: Rules) -> Value:
    missing = raw.isnull() | _is_nan(raw) if raw.type().is_floating() else raw.isnull()
    value = missing.ifelse(ibis.null(raw.type()), raw) if raw.type().is_floating() else raw
    typed = _compact_time(value) if is_compact(rules) and raw.type().is_numeric() else _NATIVE[rules.type](value)
    if rules.type == "category":
        typed = _spelled(typed, rules, typed)
        missing = missing | typed.isin(missing_words(rules)).fill_null(False) if rules.missing else missing
    elif numbers := missing_numbers(rules):
        missing = missing | _number(value).isin(numbers).fill_null(False)
    missing = _or_time(missing, typed, rules)
    if rules.missing:
        typed = missing.ifelse(ibis.null(typed.type()), typed)
    whole_type = raw.type().is_integer() and not raw.type().is_uint64()
    if rules.type in ("integer", "category") and raw.type().is_numeric() and not whole_type:
        readable = value.abs() <= LARGEST_NUMBER if rules.type == "integer" and value.type().is_floating() else True
        whole = ((value % 1 == 0) & readable).fill_null(False)
        return Value(typed, missing, typed.isnull() & ~missing & whole)
    return Value(typed, missing)


def _is_nan(number: Any) -> Any:
    """Whether it is NaN. DuckDB answers ``isnan`` from the statistics of a Parquet file, which leave NaN out."""
    return number.cast("float64").hash() == ibis.literal(math.nan, "float64").hash()


def _number(value: Any) -> Any:
    if not value.type().is_numeric():
        return _unreadable(value, "float64")
    number = _double(value)
    return (number.abs() > LARGEST_NUMBER).ifelse(ibis.null("float64"), number)


def _double(value: Any) -> Any:
    """A number as a ``float64``; of a smaller float the one of its shortest text, as it would stand in a CSV file."""
    is_single = value.type().is_floating() and not value.type().is_float64()
    return (value.cast("string") if is_single else value).cast("float64")


def _whole(number: Any, largest: int = LARGEST_EXACT) -> Any:
    whole = (number % 1 == 0) & (number.abs() <= largest)
    return whole.ifelse(number.try_cast("int64"), ibis.null("int64"))


def _integer(value: Any) -> Any:
    if value.type().is_integer():
        return value.try_cast("int64")
    if value.type().is_decimal():
        return (value % 1 == 0).ifelse(value.try_cast("int64"), ibis.null("int64"))
    return _whole(_number(value), _largest(value))


def _largest(value: Any) -> int:
    """The largest whole number that a float of this size cannot take for its neighbour."""
    return LARGEST_EXACT if value.type().is_float64() else LARGEST_SINGLE


def _boolean(value: Any) -> Any:
    if value.type().is_boolean():
        return value
    if not value.type().is_numeric():
        return _unreadable(value, "boolean")
    return ibis.cases((value == 1, True), (value == 0, False), else_=ibis.null("boolean"))


def _category(value: Any) -> Any:
    if value.type().is_decimal():
        return (value % 1 == 0).ifelse(
            value.cast("decimal(38, 0)").cast("string"), value.cast("float64").cast("string")
        )
    if value.type().is_timestamp():
        return _iso(value)
    if not value.type().is_floating():
        return value.cast("string")
    number = _double(value)
    digits = _whole(number, _largest(value)).cast("string")
    return ((number % 1 == 0) | (number.abs() == math.inf)).ifelse(digits, number.cast("string"))


def _iso(time: Any) -> Any:
    """A time as ``datetime.isoformat`` writes it, in UTC if it has a zone."""
    zone = "" if time.type().timezone is None else "+00:00"
    time = _in_microseconds(time).cast(dt.Timestamp(scale=6))
    whole = time.microsecond() % 1_000_000 == 0
    return whole.ifelse(time.strftime("%Y-%m-%dT%H:%M:%S"), time.strftime("%Y-%m-%dT%H:%M:%S.%f")) + zone


def _time(value: Any) -> Any:
    if not (value.type().is_timestamp() or value.type().is_date()):
        return _unreadable(value, TIME)
    return _in_years(_in_microseconds(value).cast(TIME))


def _in_microseconds(time: Any) -> Any:
    """A time without what is finer, by way of its text, of which engines cut that off; of a number they round it."""
    kind = time.type()
    finer = kind.is_timestamp() and kind.scale == 9
    return time.cast("string").cast(dt.Timestamp(timezone=kind.timezone, scale=6)) if finer else time


def _compact_time(value: Any) -> Any:
    """A time of a number such as 20230105."""
    return _time_text(_iso_time(_integer(value).cast("string"), COMPACT))


def _unreadable(value: Any, kind: Any) -> Any:
    """Null in every row; a bare null would be no column."""
    return value.isnull().ifelse(ibis.null(kind), ibis.null(kind))


_TEXT = {"number": _number_text, "integer": _integer_text, "boolean": _boolean_text, "timestamp": _time_text}
_NATIVE = {"number": _number, "integer": _integer, "boolean": _boolean, "category": _category, "timestamp": _time}
