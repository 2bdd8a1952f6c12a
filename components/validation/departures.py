"""How far some rows lie from the profiled ones, and how far they may before that is a finding.

Rows in time are judged as the watch judges them: against what windows of the profiled time, as long as the rows that
are judged or as eight of them allow, show of each other. Without such windows a distance has to be both more than
chance and above a fixed one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.metrics import Array
from ciclo.components.core.usual import LEAST_WINDOWS, Usual, compare, padded, sure_effects, usual
from ciclo.components.core.wording import counted

LEVEL = 0.01  # share of clean comparisons that may be called one, all columns together
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Departure:
    """How far one column lies from its profile.

    Attributes:
        effect: Jensen-Shannon distance less what chance shows, 0 to 1.
        limit: Above which that is a finding.
        windows: Distances of the profile's own windows from the rest of it; empty where it has too few.
        counts: Rows that are judged in the bins of the profile, shape ``(bins,)``.
        band: Ends of the share of each bin that is usual in those windows; empty where they are too few.
    """

    effect: float
    limit: float
    windows: tuple[float, ...]
    counts: Array
    band: tuple[tuple[float, float], ...] = ()

    @property
    def moved(self) -> bool:
        """Whether it is far enough."""
        return self.effect > self.limit


@dataclass(frozen=True)
class Departures:
    """How far the columns lie from their profile.

    Attributes:
        columns: By name.
        days: Length of the windows they are held against; 0 where a fixed limit holds.
    """

    columns: Mapping[str, Departure]
    days: int = 0

    @property
    def moved(self) -> dict[str, Departure]:
        """Those that are far enough, the furthest beyond its limit first."""
        far = {name: found for name, found in self.columns.items() if found.moved}
        return dict(sorted(far.items(), key=lambda item: -item[1].effect / item[1].limit))

    def usual(self, name: str) -> str:
        """What windows of the profiled time usually show of a column, as a clause; nothing where that is not known."""
        windows = self.columns[name].windows
        return f"any {counted(self.days, 'day')} of it differ by at most {max(windows):.2f}" if windows else ""


def departures(
    profiled: Mapping[str, ColumnProfile],
    counts: Mapping[str, Array],
    *,
    fixed: float,
    least: float = 0.0,
    slice_days: int = 0,
    span: float = 0.0,
) -> Departures:
    """Judge every column.

    Args:
        profiled: The columns of the profile.
        counts: The rows that are judged in their bins, shape ``(bins,)`` each.
        fixed: Limit of the distance where the profile has too few windows.
        least: Least distance that is a finding where it has enough.
        slice_days: Length of its slices; 0 if its rows have no times.
        span: Days that the rows which are judged stretch over.
    """
    if not counts:
        return Departures({})
    tested = [(name, profiled[name], found) for name, found in counts.items()]
    slices = min(len(column.by_slice) for _, column, _ in tested)
    window = min(max(round(span / slice_days), 1), slices // LEAST_WINDOWS) if slice_days else 0
    expected = usual(tested, window)
    compared = compare(padded([column.counts for _, column, _ in tested]), padded([found for _, _, found in tested]))
    sure = sure_effects(compared, expected, LEVEL / len(tested))
    floors = np.array([least if known.calibrated else fixed for known in expected])
    limits = np.maximum(sure, floors)
    columns = {
        name: Departure(float(compared.effect[i]), float(limits[i]), expected[i].effects, found, _band(expected[i]))
        for i, (name, _, found) in enumerate(tested)
    }
    return Departures(columns, window * slice_days if any(known.calibrated for known in expected) else 0)


def _band(known: Usual) -> tuple[tuple[float, float], ...]:
    return tuple(zip(known.low, known.high, strict=True))


def days_between(first: pd.Timestamp, last: pd.Timestamp) -> float:
    """Days from the first to the last of some rows; parts of a day count as one."""
    return float(np.ceil(max((last - first) / DAY, 1e-9)))
