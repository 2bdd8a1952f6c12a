"""Parts of rows by a column: each value of a category, the quarters of a number, the months of a time.

The parts can be those of other rows, so that what is said of a part of one table is about the same part of another.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ciclo.components.core.metrics import Array
from ciclo.components.core.wording import apart, counted, number

QUARTERS = 4
FEW = 10  # different numbers up to which each is a part
MOST_VALUES = 30
MISSING = "(missing)"


def slice_name(column: str, value: str) -> str:
    """What to call a part of a column."""
    return f"'{column}' is {value}"


def parts(values: pd.Series, like: pd.Series | None = None) -> Iterator[tuple[str, Array]]:
    """The parts of a column, each with the positions of its rows.

    Args:
        values: The column.
        like: The same column of the rows whose parts they are; by default its own. What occurs only in ``values`` is in
            no part, and a number beyond those of ``like`` in the first or the last quarter.
    """
    like = values if like is None else like
    if pd.api.types.is_numeric_dtype(like) and not pd.api.types.is_bool_dtype(like) and like.nunique() > FEW:
        yield from _quarters(*(v.to_numpy(dtype="float64", na_value=np.nan) for v in (values, like)))
        return
    names, order = (_months if isinstance(like.dtype, pd.DatetimeTZDtype) else _named)(values, like)
    named = np.where(values.isna().to_numpy(), MISSING, names)
    for name in [*order, *([MISSING] if like.isna().any() else [])]:
        yield name, np.flatnonzero(named == name)


def _named(values: pd.Series, like: pd.Series) -> tuple[Array, list[str]]:
    """The part of each row in words, and the parts, the most frequent first; rare values are one part.

    A value that is called like one of our own parts is put in quotes.
    """
    known = like[like.notna()].astype(str).value_counts()
    rare = set(known.index[MOST_VALUES:])
    others = f"any of {counted(len(rare), 'other')}"
    texts = values.astype(str)
    names = {t: others if t in rare else apart(t, (MISSING, others)) for t in {*known.index, *texts.dropna().unique()}}
    return texts.map(names).to_numpy(dtype=object), list(dict.fromkeys(names[t] for t in known.index))


def _months(values: pd.Series, like: pd.Series) -> tuple[Array, list[str]]:
    """The month of each row, and the months in their order."""
    named, known = (v.dt.strftime("%Y-%m").to_numpy(dtype=object) for v in (values, like[like.notna()].sort_values()))
    return named, list(dict.fromkeys(known.tolist()))


def _quarters(numbers: Array, like: Array) -> Iterator[tuple[str, Array]]:
    """Each quarter of the values, by its ends; a value that is a quarter of the rows or more is a part by itself."""
    found, counts = np.unique(like[~np.isnan(like)], return_counts=True)
    frequent = found[counts * QUARTERS >= counts.sum()]
    for value in frequent:
        yield number(float(value)), np.flatnonzero(numbers == value)
    rest, known = (np.where(np.isin(v, frequent), np.nan, v) for v in (numbers, like))
    if (finite := known[np.isfinite(known)]).size:
        edges = np.unique(np.quantile(finite, np.linspace(0, 1, QUARTERS + 1)))
        part = np.clip(np.searchsorted(edges, rest, side="right") - 1, 0, max(edges.size - 2, 0))
        ends = _distinguishable(edges)
        for place in range(max(edges.size - 1, 1)):
            name = f"{ends[place]} to {ends[min(place + 1, len(ends) - 1)]}"
            yield name, np.flatnonzero((part == place) & ~np.isnan(rest))
    if np.isnan(like).any():
        yield MISSING, np.flatnonzero(np.isnan(numbers))


def _distinguishable(edges: Array) -> list[str]:
    """Numbers in as many digits as tell them apart."""
    for digits in range(4, 17):
        names = [number(float(edge)) if digits == 4 else f"{edge:.{digits}g}" for edge in edges]
        if len(set(names)) == len(names):
            break
    return names
