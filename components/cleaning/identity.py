"""Who a row is: the same row has the same name on every run and every engine, wherever it stands."""

from functools import reduce
from typing import Any

import ibis

from ciclo.components.core.own_columns import LINE, OCCURRENCE, ROW_ID
from ciclo.components.core.project import Project
from ciclo.components.tables.reading import TIME, Value

_BETWEEN = "\x1f"


def row_id(values: dict[str, Value], project: Project) -> Any:
    """The identity of a row: the md5, in hex, of its id columns, or of all its columns.

    The text that is hashed has ``name=value`` for each column, in the order of the names, with U+001F between two; a
    missing value has the name alone. Numbers are written as the shortest text that reads back the same, as by Python's
    ``repr``; integers by their digits; booleans as ``true`` and ``false``; times as microseconds since 1970, UTC. So
    the identity depends on neither the format of the source nor the order of its columns. A row whose id columns are
    all missing goes by all its columns.

    Args:
        values: The columns, read.
        project: Says which are ids.
    """
    ids = sorted(project.data.id_columns)
    by_all = _digest({name: value.typed for name, value in values.items()})
    if not ids:
        return by_all
    unknown = reduce(lambda a, b: a & b, (values[name].typed.isnull() for name in ids))
    return unknown.ifelse(by_all, _digest({name: values[name].typed for name in ids}))


def group_id(value: Any, name: str, identity: Any) -> Any:
    """What decides the side of a row that belongs to a group: the md5 of the group's name and value, as for ids.

    Args:
        value: The column of the group, typed.
        name: Its name.
        identity: Goes in its place where a row has no group.
    """
    return value.isnull().ifelse(identity, _digest({name: value}))


def _digest(columns: dict[str, Any]) -> Any:
    parts = [(ibis.literal(name + "=") + _text(columns[name])).fill_null(name) for name in sorted(columns)]
    return ibis.literal(_BETWEEN).join(parts).hexdigest("md5")


def _text(value: Any) -> Any:
    if value.type().is_timestamp():
        value = value.delta(ibis.literal("1970-01-01", type=TIME), unit="microsecond")
    return value.cast("string")


def repeats(rows: Any) -> Any:
    """The rows that are not the first of their identity, with how many came before.

    Args:
        rows: Table with ``LINE`` and ``ROW_ID``.

    Returns:
        Table of ``LINE`` and ``OCCURRENCE``, 1 or more.
    """
    order = ibis.window(group_by=ROW_ID, order_by=LINE)
    numbered = rows.select(LINE, ibis.row_number().over(order).name(OCCURRENCE))
    return numbered.filter(numbered[OCCURRENCE] > 0)
