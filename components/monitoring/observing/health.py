"""Is the data itself broken? Then a person is called, and nothing is retrained on it.

What went wrong elsewhere was mostly this: a column retyped upstream and cast to null, a category list that outgrew the
model's, another unit, a feed that froze, a day sent twice. A model retrained on such rows learns the fault, so it does
not matter how important the column is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.usual import compare
from ciclo.components.core.wording import counted
from ciclo.components.monitoring.observing.drift import ColumnDrift, Drift
from ciclo.components.monitoring.observing.window import Window

JUMP = 0.2
UNKNOWN_JUMP = 0.05
REPEATED = 0.1
Z = 2.576
UNIT_EFFECT = 0.3
UNIT_FACTOR = 1.5
ROWS_FACTOR = 5.0
ROWS_WINDOWS = 4
ROWS = "(rows)"  # no column: what is wrong with all rows
UNIT, FROZEN, TWICE = "another unit?", "a frozen feed?", "sent twice?"


@dataclass(frozen=True)
class ColumnHealth:
    """Shares of the rows of a window, each beside that of the training rows.

    Attributes:
        name: The column.
        missing: Share without a value, in the window and in training.
        unknown: Share of values the model has not seen or hardly, of a category.
        outside: Share of values outside the range of training, of a number.
    """

    name: str
    missing: tuple[float, float]
    unknown: tuple[float, float] = (0.0, 0.0)
    outside: tuple[float, float] = (0.0, 0.0)


def health(window: Window) -> tuple[ColumnHealth, ...]:
    """How much is missing, unknown or out of range, by column."""
    found = []
    for name, column in window.profile.columns.items():
        counts, total = window.columns[name], max(sum(column.counts), 1)
        rows = max(int(counts.sum()), 1)
        unknown = column.kind == "category"
        found.append(
            ColumnHealth(
                name,
                (float(counts[-1]) / rows, column.missing),
                (float(counts[-2]) / rows, column.counts[-2] / total) if unknown else (0.0, 0.0),
                (window.outside.get(name, 0) / rows, 0.0),
            )
        )
    return tuple(found)


def faults(window: Window, drift: Drift) -> dict[str, str]:
    """Look for what no change in the world explains.

    A share counts as risen if it has surely (at 99.5 %) risen by more than a fifth of all rows over what training, and
    every window of it, has shown; that of unknown categories by a twentieth.

    Args:
        window: The rows.
        drift: How far each column has moved.

    Returns:
        What is wrong, by column, as sentences without their end; under ``ROWS`` what is wrong with all of them.
    """
    moved = {c.name: c for c in drift.columns}
    found = {}
    for name, column in window.profile.columns.items():
        known = column, moved[name], window
        if fault := _fault(*known) or _unit(*known) or _frozen(*known):
            found[name] = f"'{name}' {fault}"
    if _surely_above(window.repeated, window.rows, REPEATED):
        found[ROWS] = f"{window.repeated / window.rows:.0%} of the rows repeat an earlier one ({TWICE})"
    return found


def volume(rows: int, before: Sequence[float]) -> str:
    """Whether a window holds far fewer or far more rows than all windows before it; empty if not.

    Args:
        rows: Rows of the window.
        before: Rows of earlier windows of the same length that share none with it or with each other.
    """
    if len(before) < ROWS_WINDOWS:
        return ""
    least, most = min(before), max(before)
    if rows * ROWS_FACTOR < least or rows > most * ROWS_FACTOR:
        return (
            f"{counted(rows, 'row')} came, in the {counted(len(before), 'window')} before {least:,.0f} to {most:,.0f}"
        )
    return ""


def _fault(column: ColumnProfile, moved: ColumnDrift, window: Window) -> str:
    counts = window.columns[moved.name]
    rows = int(counts.sum())
    if _surely_above(int(counts[-1]), rows, _most(column, moved, -1) + JUMP):
        return f"is missing in {counts[-1] / rows:.0%} of the rows, in training in {column.missing:.0%}"
    if column.kind == "category":
        known = column.counts[-2] / max(sum(column.counts), 1)
        if _surely_above(int(counts[-2]), rows, _most(column, moved, -2) + UNKNOWN_JUMP):
            return f"has values unknown to the model in {counts[-2] / rows:.0%} of the rows, in training in {known:.0%}"
        return ""
    if _surely_above(outside := window.far.get(moved.name, 0), rows, JUMP):
        seen = f"its training range {column.minimum:.4g} to {column.maximum:.4g}"
        return f"lies far outside {seen} in {outside / rows:.0%} of the rows ({UNIT})"
    return ""


def _frozen(column: ColumnProfile, moved: ColumnDrift, window: Window) -> str:
    """Whether a number that used to vary is the same in many rows."""
    if column.kind != "number" or column.top is None or column.top >= 0.5:
        return ""
    values = window.sample[moved.name].dropna()
    if values.empty:
        return ""
    counted = values.value_counts()
    place = int(column.codes(pd.Series(counted.index[:1]))[0])
    usual = max(column.top, moved.most[place]) if moved.most else column.top
    if not _surely_above(int(counted.iloc[0]), len(window.sample), usual + JUMP):
        return ""
    share = counted.iloc[0] / len(window.sample)
    usually = f"in training no value was in more than {column.top:.0%}"
    return f"is {counted.index[0]:.4g} in {share:.0%} of the rows, {usually} ({FROZEN})"


def _unit(column: ColumnProfile, moved: ColumnDrift, window: Window) -> str:
    """Whether a number looks like that of training in another unit: multiplied, it has its old distribution.

    A drift of that size is rare in the world, and a factor that explains nearly all of it is rarer still.
    """
    if (
        column.kind != "number"
        or moved.effect < max(UNIT_EFFECT, 2 * max(moved.usual, default=0.0))
        or not column.edges
    ):
        return ""
    values = window.sample[moved.name].dropna()
    one_sided = column.minimum is not None and column.minimum >= 0
    now, then = (values.mean(), column.mean) if one_sided else (values.std(), column.std)
    factor = float(now / then) if then else 0.0
    if not factor > 0 or max(factor, 1 / factor) < UNIT_FACTOR:
        return ""
    rescaled = column.bin(values / factor)
    left = compare(np.array([column.counts[:-1]]), rescaled[None, :-1]).effect[0]
    if left > moved.effect / 3:
        return ""
    return f"has the distribution of training multiplied by {factor:.3g} ({UNIT})"


def _most(column: ColumnProfile, moved: ColumnDrift, place: int) -> float:
    """The largest share of a bin in training, or in any window of it."""
    whole = column.counts[place] / max(sum(column.counts), 1)
    return max(whole, moved.most[place]) if moved.most else whole


def _surely_above(count: int, rows: int, limit: float) -> bool:
    """Whether the lower end of Wilson's interval (Wilson, 1927) for a share lies above a limit."""
    if rows == 0:
        return False
    share = count / rows
    spread = Z * sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
    return (share + Z**2 / (2 * rows) - spread) / (1 + Z**2 / rows) > limit
