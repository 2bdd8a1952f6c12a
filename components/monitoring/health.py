"""Is the data itself broken? Then a person is called, and nothing is retrained on it.

What went wrong elsewhere was mostly this: a column retyped upstream and cast to null, a category list that outgrew the
model's, another unit. A model retrained on such rows learns the fault.
"""

from collections.abc import Mapping
from math import sqrt

import numpy as np
import pandas as pd

from ciclo.components.core.metrics import Array
from ciclo.components.core.profile import ColumnProfile, Profile

JUMP = 0.2
Z = 2.576


def faults(profile: Profile, counts: Mapping[str, Array], frame: pd.DataFrame) -> dict[str, str]:
    """Look for what no change in the world explains.

    A share counts as risen if it has surely (at 99.5 %) risen by more than a fifth of all rows.

    Args:
        profile: The reference.
        counts: Counts of the window by feature.
        frame: Canonical frame of the window.

    Returns:
        What is wrong, by column.
    """
    found = {name: _fault(column, counts[name], frame[name]) for name, column in profile.columns.items()}
    return {name: f"'{name}' {fault}" for name, fault in found.items() if fault}


def _fault(column: ColumnProfile, counts: Array, values: pd.Series) -> str:
    rows = int(counts.sum())
    if _surely_above(int(counts[-1]), rows, column.missing + JUMP):
        return f"is missing in {counts[-1] / rows:.0%} of the rows, in training in {column.missing:.0%}"
    if column.kind == "category":
        known = column.counts[-2] / max(sum(column.counts), 1)
        if _surely_above(int(counts[-2]), rows, known + JUMP):
            return f"has values unknown to the model in {counts[-2] / rows:.0%} of the rows, in training in {known:.0%}"
        return ""
    if _surely_above(outside := far_outside(column, values), rows, JUMP):
        seen = f"its training range {column.minimum:.4g} to {column.maximum:.4g}"
        return f"lies far outside {seen} in {outside / rows:.0%} of the rows (another unit?)"
    return ""


def far_outside(column: ColumnProfile, values: pd.Series) -> int:
    """Count values further outside the training range than the range is wide.

    For a column that was always positive, values below a tenth of the smallest are far outside as well. A column that
    was constant has no range to judge by.

    Args:
        column: The reference.
        values: Numbers of the window.
    """
    if column.minimum is None or column.maximum is None or column.minimum == column.maximum:
        return 0
    width = column.maximum - column.minimum
    low = column.minimum - width
    if column.minimum > 0:
        low = max(low, column.minimum / 10)
    numbers = values.to_numpy(dtype="float64")
    return int(np.sum((numbers < low) | (numbers > column.maximum + width)))


def _surely_above(count: int, rows: int, limit: float) -> bool:
    """Whether the lower end of Wilson's interval (Wilson, 1927) for a share lies above a limit."""
    if rows == 0:
        return False
    share = count / rows
    spread = Z * sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
    return (share + Z**2 / (2 * rows) - spread) / (1 + Z**2 / rows) > limit
