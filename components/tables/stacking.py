"""Columns of one type laid one below the other, so that one short expression reads a thousand of them.

An expression for each column costs more to compile than its values to read; and of values that stand in many rows each
different one is read once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from ciclo.components.core.metrics import Array
from ciclo.components.core.rules import Rules, date_form, number_form
from ciclo.components.tables.datasets import collect, lent
from ciclo.components.tables.reading import read, trimmed

_CELLS = 10_000_000  # values at once


def different(table: Any, names: Sequence[str], name: str) -> Any:
    """The different values of some columns of one type, and in how many rows each stands.

    Args:
        table: An ibis table.
        names: The columns; as many of them, or a single one, as ``batches`` gives.
        name: What the engine is to call the result.

    Returns:
        Table of ``place``, which column counted from 0; ``raw``; and ``rows``.
    """
    if len(names) == 1:  # of any length, so the engine counts it within its bounds
        cells = table.select(place=ibis.literal(0, "int32"), raw=table[names[0]])
        return cells.group_by("place", "raw").aggregate(rows=cells.count())
    values = _Values(collect(table.select(*names)))
    rows = [np.bincount(codes, minlength=size) for codes, size in zip(values.codes, values.sizes, strict=True)]
    counted = lent(pa.table({"place": values.places, "raw": values.raw, "rows": np.concatenate(rows)}), table, name)
    return counted.mutate(raw=counted["raw"].cast(table.schema()[names[0]]))


class _Values:
    """The different values of columns of one type.

    Attributes:
        codes: For each column which of its values stands in each row.
        sizes: How many each column has.
        raw: Those of all columns, one below the other.
    """

    def __init__(self, columns: pa.Table) -> None:
        coded = [column.combine_chunks().dictionary_encode(null_encoding="encode") for column in columns.columns]
        self.codes = [column.indices.to_numpy() for column in coded]
        self.sizes = [len(column.dictionary) for column in coded]
        self.raw = pa.chunked_array([column.dictionary for column in coded])

    @property
    def places(self) -> Array:
        """Whose each value is, counted from 0."""
        return np.repeat(np.arange(len(self.sizes), dtype="int32"), self.sizes)


def batches(names: Sequence[str], rows: int) -> Iterator[Sequence[str]]:
    """Columns, so many at a time as are held at once."""
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
    rows = int(collect(table.aggregate(rows=table.count()))["rows"][0].as_py())
    found: dict[str, pd.Series] = {}
    for batch in batches(list(columns), rows):
        cells = collect(table.select(order, *(name for name in batch if name != order)))
        lines = pa.array(np.argsort(cells[order].to_numpy(), kind="stable"))
        for names in alike(table, {name: columns[name] for name in batch}):
            values = _Values(cells.select(names))
            raw = lent(pa.table({"n": np.arange(len(values.raw)), "raw": values.raw}), table, "values_to_read")
            raw = raw.mutate(raw=raw["raw"].cast(table.schema()[names[0]]))
            read_in = collect(_typed(raw, columns[names[0]]).select("n", "typed"))
            typed = read_in["typed"].take(np.argsort(read_in["n"].to_numpy(), kind="stable"))
            starts = np.cumsum([0, *values.sizes])
            for name, codes, start, size in zip(names, values.codes, starts, values.sizes, strict=False):
                own = typed.slice(start, size).combine_chunks()
                found[name] = own.take(pa.array(codes).take(lines)).to_pandas()
    return pd.DataFrame({name: found[name] for name in columns})


def rows_by_value(table: Any, columns: Mapping[str, Rules], rows: int) -> dict[str, Array]:
    """In how many rows each value of some columns stands, missing ones aside.

    Args:
        table: The raw table.
        columns: The rules of each column.
        rows: Rows of the table.
    """
    found: dict[str, Array] = {}
    for names in alike(table, columns):
        for batch in batches(names, rows):
            values = _typed(different(table, batch, "values_to_count"), columns[batch[0]])
            values = values.filter(values["typed"].notnull()).group_by("place", "typed")
            counted = collect(values.aggregate(rows=lambda t: t["rows"].sum()).select("place", "rows"))
            places, sizes = (counted[name].to_numpy() for name in ("place", "rows"))
            found |= {name: sizes[places == place].astype("int64") for place, name in enumerate(batch)}
    return found


def _typed(values: Any, rules: Rules) -> Any:
    """A table with its column ``raw`` read, as ``typed``."""
    is_text = values["raw"].type().is_string()
    values = values.mutate(raw=trimmed(values["raw"])) if is_text else values
    return values.mutate(typed=read(values["raw"], rules, is_trimmed=True).typed)


def alike(table: Any, columns: Mapping[str, Rules]) -> list[list[str]]:
    """The columns of a raw table by how they are read.

    Args:
        table: The raw table.
        columns: The rules of each column.
    """
    found: dict[tuple[str, str], list[str]] = {}
    types = table.schema()
    for name, rules in columns.items():
        found.setdefault((str(types[name]), repr(_reading(rules))), []).append(name)
    return list(found.values())


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
