"""How a raw value becomes a typed one: ibis expressions that any engine can run.

Ingestion, cleaning and the first guess of a project file read values here and nowhere else, so that a value means the
same in all three.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from ciclo.components.core.project import ColumnType

SOURCE = "ciclo.source"  # key in the raw file: "csv" or "parquet"
MISSING_TEXT = ("na", "n/a", "nan", "null", "none", "?")
TRUE_TEXT = ("true", "yes", "y", "t", "1", "1.0")
FALSE_TEXT = ("false", "no", "n", "f", "0", "0.0")
TIME = dt.Timestamp(timezone="UTC")
_ISO_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"
_LARGEST_EXACT = 2.0**53


@dataclass(frozen=True)
class Value:
    """A raw column, read: two ibis expressions.

    Attributes:
        typed: The value as its type, null where it is missing or cannot be read.
        missing: Whether there is no value: null, NaN, empty text or a word that says so.
    """

    typed: Any
    missing: Any


def read(raw: Any, kind: ColumnType, *, tokens: bool, categories: Collection[str] = ()) -> Value:
    """Read a raw column as a type.

    Numbers become finite ``float64``, integers ``int64``, booleans true or false, categories trimmed text, times UTC.

    Args:
        raw: Column of a raw table.
        kind: The type.
        tokens: Whether words such as ``NA`` or ``?`` stand for a missing value, as they do in CSV.
        categories: Words that are values of this column although they look like a missing one.
    """
    if raw.type().is_string():
        return _read_text(raw, kind, tokens=tokens, categories=categories)
    if raw.type().is_decimal():
        raw = raw.cast("float64")
    missing = raw.isnull() | raw.isnan() if raw.type().is_floating() else raw.isnull()
    value = missing.ifelse(ibis.null(raw.type()), raw) if raw.type().is_floating() else raw
    return Value(_NATIVE[kind](value), missing)


def _read_text(raw: Any, kind: ColumnType, *, tokens: bool, categories: Collection[str]) -> Value:
    text = raw.strip()
    missing = raw.isnull() | (text == "")
    if tokens:
        words = text.lower().isin(MISSING_TEXT)
        missing = missing | (words & text.notin(list(categories)) if categories else words)
    if kind == "category":
        return Value(missing.ifelse(ibis.null("string"), text), missing)
    typed = _TEXT[kind](raw)
    # Trimming is the dear part: only what cannot be read as it stands is trimmed.
    typed = typed.isnull().ifelse(_TEXT[kind](text), typed)
    return Value(typed, typed.isnull().ifelse(missing, False))


def _number_text(text: Any) -> Any:
    number = text.try_cast("float64")
    return (number.isinf() | number.isnan() | text.contains("_")).ifelse(ibis.null("float64"), number)


def _integer_text(text: Any) -> Any:
    whole = _whole(_number_text(text))
    exact = text.re_search(r"^[+-]?[0-9]{16,}$")  # more digits than a float holds
    return exact.ifelse(text.try_cast("int64"), whole)


def _boolean_text(text: Any) -> Any:
    word = text.lower()
    return ibis.cases((word.isin(TRUE_TEXT), True), (word.isin(FALSE_TEXT), False), else_=ibis.null("boolean"))


def _time_text(text: Any) -> Any:
    return text.re_search(_ISO_TIME).ifelse(text.try_cast(TIME), ibis.null(TIME))


def _number(value: Any) -> Any:
    if not (value.type().is_numeric() or value.type().is_boolean()):
        return _unreadable(value, "float64")
    number = value.cast("float64")
    return number.isinf().ifelse(ibis.null("float64"), number)


def _whole(number: Any) -> Any:
    whole = (number % 1 == 0) & (number.abs() <= _LARGEST_EXACT)
    return whole.ifelse(number.try_cast("int64"), ibis.null("int64"))


def _integer(value: Any) -> Any:
    if value.type().is_integer() or value.type().is_boolean():
        return value.try_cast("int64")
    return _whole(_number(value))


def _boolean(value: Any) -> Any:
    if value.type().is_boolean():
        return value
    if not value.type().is_numeric():
        return _unreadable(value, "boolean")
    return ibis.cases((value == 1, True), (value == 0, False), else_=ibis.null("boolean"))


def _category(value: Any) -> Any:
    if not value.type().is_floating():
        return value.cast("string")
    whole = (value % 1 == 0) & (value.abs() <= _LARGEST_EXACT)
    return whole.ifelse(value.try_cast("int64").cast("string"), value.cast("string"))


def _time(value: Any) -> Any:
    return value.cast(TIME) if value.type().is_timestamp() or value.type().is_date() else _unreadable(value, TIME)


def _unreadable(value: Any, kind: Any) -> Any:
    """Null in every row; a bare null would be no column."""
    return value.isnull().ifelse(ibis.null(kind), ibis.null(kind))


_TEXT = {"number": _number_text, "integer": _integer_text, "boolean": _boolean_text, "timestamp": _time_text}
_NATIVE = {"number": _number, "integer": _integer, "boolean": _boolean, "category": _category, "timestamp": _time}
