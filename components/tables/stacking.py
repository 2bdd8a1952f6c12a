"""Columns of one type laid one below the other, so that one short expression reads a thousand of them.

An expression for each column costs more to compile than its values to read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ibis
import numpy as np
import pandas as pd

from ciclo.components.core.rules import Rules, date_form, number_form
from ciclo.components.tables.datasets import collect
from ciclo.components.tables.reading import read

_CELLS = 10_000_000  # values in one query


def stacked(table: Any, names: Sequence[str], *beside: str) -> Any:
    """The values of some columns of one type, one below the other.

    Args:
        table: An ibis table.
        names: The columns.
        beside: Columns to keep beside each value.

    Returns:
        Table of ``place``, which column counted from 0; ``raw``; and the columns beside.
    """
    places = ibis.array([ibis.literal(place, "int32") for place in range(len(names))])
    return table.select(*beside, place=places.unnest(), raw=ibis.array([table[name] for name in names]).unnest())


def batches(names: Sequence[str], rows: int) -> Iterator[Sequence[str]]:
    """Columns, so many at a time as one query bears."""
    size = max(_CELLS // max(rows, 1), 1)
    for start in range(0, len(names), size):
        yield names[start : start + size]


def typed_frame(table: Any, columns: Mapping[str, Rules], order: str) -> pd.DataFrame:
    """Read the columns of a raw table that fits into memory.

    Args:
        table: The raw table.
        columns: The rules of each column.
        order: A column that no two rows share, by which the rows are ordered.

    Returns:
        The typed columns; ``object`` where a value is missing or no number.
    """
    lines = np.sort(collect(table.select(order))[order].to_numpy())
    alike: dict[tuple[str, str], list[str]] = {}
    for name, rules in columns.items():
        alike.setdefault((str(table[name].type()), repr(_reading(rules))), []).append(name)
    found: dict[str, pd.Series] = {}
    for names in alike.values():
        for batch in batches(names, len(lines)):
            cells = stacked(table, batch, order)
            typed = read(cells["raw"], columns[batch[0]]).typed
            rows = collect(cells.select(order, "place", typed=typed)).sort_by(
                [("place", "ascending"), (order, "ascending")]
            )
            for place, name in enumerate(batch):
                found[name] = rows["typed"].slice(place * len(lines), len(lines)).to_pandas()
    return pd.DataFrame({name: found[name] for name in columns})


def _reading(rules: Rules) -> tuple[object, ...]:
    return (
        rules.type,
        rules.categories,
        rules.missing,
        number_form(rules),
        date_form(rules),
        rules.ignore_case,
        rules.map,
    )
