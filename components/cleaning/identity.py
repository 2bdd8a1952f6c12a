"""Who a row is: the same row has the same name on every run and every engine, wherever it stands."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from ciclo.components.core.own_columns import LINE, OCCURRENCE, STAYED
from ciclo.components.tables.reading import Value

_BETWEEN = "\x1f"
_CLOCK = dt.Timestamp(scale=6)  # without the zone, which is UTC: DuckDB tells the time between two four times as fast


def row_id(values: dict[str, Value], names: Sequence[str]) -> Any:
    """The identity of a row: the md5, in hex, of some columns, or of all its columns.

    The text that is hashed has ``name=value`` for each column, in the order of the names, with U+001F between two; a
    missing value has the name alone. Numbers are written as the shortest text that reads back the same, as by Python's
    ``repr``; integers by their digits; booleans as ``true`` and ``false``; times as microseconds since 1970, UTC. So
    the identity depends on neither the format of the source nor the order of its columns. A row whose named columns are
    all missing goes by all its columns.

    Args:
        values: The columns, read.
        names: The columns that name a row; none for all.
    """
    by_all = _digest({name: value.typed for name, value in values.items()})
    if not names:
        return by_all
    unknown = reduce(lambda a, b: a & b, (values[name].typed.isnull() for name in sorted(names)))
    return unknown.ifelse(by_all, _digest({name: values[name].typed for name in names}))


def pattern_id(rows: Any, names: Sequence[str]) -> Any:
    """What rows have in common that are equal in some columns: the md5 of the columns, as for ids; -0.0 is 0.0.

    Args:
        rows: Table that has the columns, typed.
        names: Which.
    """
    return _digest({name: _one_zero(rows[name]) for name in names})


def _one_zero(value: Any) -> Any:
    return (value == 0).ifelse(0.0, value) if value.type().is_floating() else value


def group_id(value: Any, name: str, identity: Any) -> Any:
    """What decides the side of a row that belongs to a group: the md5 of the group's name and value, as for ids.

    Args:
        value: The column of the group, typed.
        name: Its name.
        identity: Goes in its place where a row has no group.
    """
    return value.isnull().ifelse(identity, _digest({name: value}))


def _digest(columns: dict[str, Any]) -> Any:
    parts: list[Any] = []
    for name in sorted(columns):
        start = _BETWEEN * bool(parts) + name
        parts += [columns[name].isnull().ifelse(start, f"{start}="), _text(columns[name])]
    return ibis.literal("").join(parts).hexdigest("md5")  # a value that is null is left out


def _text(value: Any) -> Any:
    if value.type().is_timestamp():
        value = value.cast(_CLOCK).delta(ibis.literal("1970-01-01", type=_CLOCK), unit="microsecond")
    return value.cast("string")


def repeats(rows: Any, key: str, precedence: Sequence[Any]) -> Any:
    """The rows that are not the first of those that are the same.

    Args:
        rows: Table with ``LINE`` and the key.
        key: Column that is the same in rows that are.
        precedence: In which order rows come.

    Returns:
        Table of ``LINE``; ``OCCURRENCE``, 1 or more; and ``STAYED``, the line of the first.
    """
    order = ibis.window(group_by=key, order_by=precedence)
    numbered = rows.select(
        LINE, ibis.row_number().over(order).name(OCCURRENCE), rows[LINE].first().over(order).name(STAYED)
    )
    return numbered.filter(numbered[OCCURRENCE] > 0)
