"""Rows that a model is rarely asked: missing, unseen and extreme values, and those that lie where trees split."""

import numpy as np
import pandas as pd

from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import Array

ODD = 0.15  # share of values that are replaced, of each kind
UNSEEN = ("", " ", "no such value", "\u6e29\u5ea6", "NaN", "None")
EXTREME = (0.0, -0.0, 1.0, -1.0, 1e-300, 1e-9, 1e9, -1e9, 1e30, -1e30, 2.0**53 + 1)


def generated_rows(contract: Contract, rows: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Draw rows again and spoil them.

    Trees split half-way between two values they have seen, so those are the values at which a rounding would show.

    Args:
        contract: The data contract.
        rows: Features as ``contract.frame`` gives them, at least one row.
        count: How many rows.
        seed: Of the draws.

    Returns:
        Features in the same form, shape ``(count, features)``.
    """
    rng = np.random.default_rng(seed)
    drawn = rows.iloc[rng.integers(0, len(rows), count)].reset_index(drop=True)
    columns = {}
    for column in contract.columns:
        values = drawn[column.name].to_numpy(copy=True)
        kind = rng.random(count)
        if column.type == "category":
            odd = kind < ODD
            values[odd] = rng.choice(np.array(UNSEEN, dtype=object), int(odd.sum()))
        else:
            values = _spoiled(values.astype("float64"), rows[column.name].to_numpy(dtype="float64"), kind, rng)
        values[(kind >= 1 - ODD)] = np.nan
        columns[column.name] = pd.Series(values, dtype=object if column.type == "category" else "float64")
    return pd.DataFrame(columns)


def _spoiled(values: Array, known: Array, kind: Array, rng: np.random.Generator) -> Array:
    extreme, between = kind < ODD, (kind >= ODD) & (kind < 3 * ODD)
    values[extreme] = rng.choice(EXTREME, int(extreme.sum()))
    seen = np.unique(known[np.isfinite(known)])
    if seen.size > 1:
        below = rng.integers(0, seen.size - 1, int(between.sum()))
        middle = seen[below] / 2 + seen[below + 1] / 2
        side = rng.choice([-np.inf, 0.0, np.inf], middle.size)
        values[between] = np.where(side == 0, middle, np.nextafter(middle, side))
    return values
