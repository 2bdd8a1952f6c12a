"""Which rows train, choose and judge: by a hash of the identity or the group, or by time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np

from ciclo.components.core.cleaning_policy import Split
from ciclo.components.core.errors import DataError
from ciclo.components.core.metrics import Array
from ciclo.components.core.splits import threshold
from ciclo.components.tables.reading import TIME

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def by_hash(row_id: Any, split: Split) -> Any:
    """The side of a row by what it goes by alone.

    The first hex digits of the identity, an md5, are a uniform number in [0, 1): below the share of the test it is a
    test row, below the two shares together a validation row.

    Args:
        row_id: The identities, or those of the groups or of equal rows.
        split: Gives the shares.
    """
    test = float(split.test)
    return _sides(row_id < threshold(test + float(split.validation)), row_id < threshold(test))


def by_time(time: Any, cuts: tuple[int, int]) -> Any:
    """The side of a row by its time.

    Args:
        time: The times.
        cuts: From ``time_cuts``.
    """
    validation, test = (ibis.literal(_EPOCH + timedelta(microseconds=cut), type=TIME) for cut in cuts)
    return _sides(time >= validation, time >= test)


def _sides(held_out: Any, test: Any) -> Any:
    return ibis.cases((test, "test"), (held_out, "validation"), else_="train")


def time_cuts(times: Array, split: Split) -> tuple[int, int]:
    """Where validation and test begin, counted from the last time backwards.

    Rows of one instant stay together, on the later side of a share's cut. ``14d`` is the 14 days up to and with the
    last time.

    Args:
        times: Times in microseconds since 1970, shape ``(rows,)``, at least one.
        split: Shares of all rows, or days.

    Returns:
        First time of the validation rows and first time of the test rows.

    Raises:
        DataError: If a part would be empty.
    """
    ordered = np.sort(times)
    test = _cut(ordered, len(ordered), split.test)
    validation = _cut(ordered[ordered < test], len(ordered), split.validation)
    return validation, test


def _cut(ordered: Array, rows: int, size: float | str) -> int:
    """The first time of the last part; some rows have to be left before it."""
    cut = None
    if len(ordered) and isinstance(size, str):
        cut = int(ordered[-1]) - timedelta(days=int(size[:-1])) // timedelta(microseconds=1) + 1
    elif len(ordered):
        cut = int(ordered[max(len(ordered) - max(round(rows * float(size)), 1), 0)])
    if cut is None or not (ordered < cut).any():
        raise DataError(
            f"a split by time with a part of {size} leaves no rows before it",
            hint="Make cleaning.split.test and validation smaller, or set cleaning.split.method to hash.",
        )
    return cut
