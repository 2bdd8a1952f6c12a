"""Has the stream moved away from the training rows?

Two questions for each column: is the difference real, beyond what the reference's own windows show of each other
(``core/usual.py``), and is it large (a distance)? Certainty alone is not enough, for with enough rows any difference is
certain. What counts for the window is how much of the model's importance lies in the columns that moved.

``minimum_effect`` is a Jensen-Shannon distance to base 2, from 0 (the same) to 1 (nothing in common). The default of
0.1 is a shift of a normal column by a quarter of its standard deviation, or a tenth of the rows that changed from one
of two equal categories to the other; 0.2 is half a standard deviation (see ``benchmarks/drift.py``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import binom

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.metrics import Array
from ciclo.components.core.profile import Profile
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.usual import Usual, compare, p_values, padded, usual

PREDICTION = "prediction"
JOINT = "(joint)"


@dataclass(frozen=True)
class Counted:
    """A window in the bins of a profile.

    Attributes:
        columns: Counts of every feature, shape ``(bins,)``.
        prediction: Counts of the answers; None if they were not profiled.
        joint: Counts of the reconstruction errors; None if they were not profiled.
        segments: Counts of every feature by column of a segment and its value, as in the profile.
    """

    columns: Mapping[str, Array]
    prediction: Array | None = None
    joint: Array | None = None
    segments: Mapping[str, Mapping[str, Mapping[str, Array]]] | None = None


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved.

    Attributes:
        name: The column.
        effect: Jensen-Shannon distance from the training rows, 0 to 1.
        p_value: Of the hypothesis that the window is one like those of the reference.
        importance: Its share of the model's importance.
        drifted: Whether the difference is both real and large.
        counts: Rows of the window in the bins of the profile.
        usual: Effects of the reference's own windows of this length, each against the rest; empty if not calibrated.
        low: Lower end of the share of each bin in those windows (10 %), shape ``(bins,)``; empty if not calibrated.
        high: Upper end (90 %).
        most: The largest share.
    """

    name: str
    effect: float
    p_value: float
    importance: float
    drifted: bool
    counts: tuple[int, ...]
    usual: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    most: tuple[float, ...] = ()


@dataclass(frozen=True)
class SegmentDrift:
    """Columns that moved in a part of the rows.

    Attributes:
        column: The column of the segment.
        value: Its value.
        rows: Rows of the window in it.
        columns: What moved there, the furthest first.
    """

    column: str
    value: str
    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """How far a window has moved.

    Attributes:
        columns: Every feature, the furthest first.
        prediction: The distribution of the predictions, or None if it could not be judged.
        importance: Share of the model's importance in drifted columns.
        inputs: Whether that share is large enough to matter.
        joint: How the columns go together, or None if it could not be judged.
        calibrated: Whether the reference has windows enough to tell what is usual.
        segments: Parts of the rows in which something moved.
    """

    columns: tuple[ColumnDrift, ...]
    prediction: ColumnDrift | None
    importance: float
    inputs: bool
    joint: ColumnDrift | None = None
    calibrated: bool = False
    segments: tuple[SegmentDrift, ...] = ()

    @property
    def names(self) -> list[str]:
        """The drifted columns, the furthest first."""
        return [c.name for c in self.columns if c.drifted]

    @property
    def predictions(self) -> bool:
        """Whether the predictions have drifted."""
        return self.prediction is not None and self.prediction.drifted

    @property
    def together(self) -> bool:
        """Whether the columns no longer go together as they did."""
        return self.joint is not None and self.joint.drifted

    @property
    def matters(self) -> bool:
        """Whether anything moved that counts."""
        return self.inputs or self.predictions or self.together or bool(self.segments)


def assess(profile: Profile, window: Counted, policy: Monitoring) -> Drift:
    """Judge a window.

    A column has drifted if its p-value is below its share of the level of a window and its effect is at least
    ``minimum_effect``. Half of the level goes to the columns by their importance, the rest to all tests alike, so that
    the column that matters most is seen first (weighted Bonferroni; Genovese, Roeder and Wasserman, False Discovery
    Control with p-Value Weighting, 2006).

    Args:
        profile: The reference.
        window: The window in its bins.
        policy: The limits.
    """
    shares = importances(profile)
    tested = [(name, column, window.columns[name]) for name, column in profile.columns.items()]
    if profile.prediction is not None and window.prediction is not None:
        tested.append((PREDICTION, profile.prediction, window.prediction))
    if profile.joint is not None and window.joint is not None:
        tested.append((JOINT, profile.joint.error, window.joint))
    slices = round(policy.window_days / profile.slice_days) if profile.slice_days else 0
    expected = usual(tested, slices)
    compared = compare(padded([c.counts for _, c, _ in tested]), padded([counts for _, _, counts in tested]))
    parts = _parts(profile, window)
    level = window_level(policy) / 2
    alike = level / (len(tested) + sum(len(names) for _, _, names, _ in parts))
    likely = p_values(compared, expected)
    levels = np.array([alike + level * shares.get(name, 0.0) for name, _, _ in tested])
    drifted = (likely < levels) & (compared.effect >= policy.minimum_effect)
    found = {
        name: ColumnDrift(
            name,
            float(compared.effect[i]),
            float(likely[i]),
            shares.get(name, 0.0),
            bool(drifted[i]),
            tuple(int(n) for n in counts),
            expected[i].effects,
            expected[i].low,
            expected[i].high,
            expected[i].most,
        )
        for i, (name, _, counts) in enumerate(tested)
    }
    columns = tuple(sorted((found[n] for n in profile.columns), key=lambda c: (not c.drifted, -c.effect)))
    importance = sum(c.importance for c in columns if c.drifted)
    calibration = dict(zip(found, expected, strict=True))
    return Drift(
        columns=columns,
        prediction=found.get(PREDICTION),
        importance=importance,
        inputs=importance >= policy.drifted_importance,
        joint=found.get(JOINT),
        calibrated=bool(profile.columns) and all(calibration[name].calibrated for name in profile.columns),
        segments=_segments(parts, calibration, alike, policy, shares),
    )


def window_level(policy: Monitoring) -> float:
    """The share of clean windows that may alarm, so that no more than ``false_alarm_rate`` of ticks have it confirmed.

    A tick confirms an alarm if those of M - 1 of the N - 1 windows before are, too. Half of the rate is used, since
    windows that follow each other are not quite independent.
    """
    needed, others = policy.persistence.alarms - 1, policy.persistence.windows - 1
    rate = policy.false_alarm_rate / 2

    def confirmed(level: float) -> float:
        return float(level * binom.sf(needed - 1, others, level) - rate)

    return float(brentq(confirmed, 0.0, 1.0)) if needed else rate


_Part = tuple[str, str, list[str], list[tuple[Sequence[int], Array]]]


def _parts(profile: Profile, window: Counted) -> list[_Part]:
    """Each segment that both have: its column, its value, and the counts of every other feature in both."""
    return [
        (column, value, names, [(reference[name], seen[value][name]) for name in names])
        for column, values in profile.segments.items()
        if (seen := (window.segments or {}).get(column)) is not None
        for value, reference in values.items()
        if value in seen and (names := [name for name in reference if name != column])
    ]


def _segments(
    parts: list[_Part],
    calibration: Mapping[str, Usual],
    level: float,
    policy: Monitoring,
    shares: Mapping[str, float],
) -> tuple[SegmentDrift, ...]:
    found = []
    for column, value, names, counts in parts:
        compared = compare(padded([r for r, _ in counts]), padded([w for _, w in counts]))
        rows = int(counts[0][1].sum())
        # What is usual of all rows stands for a part of them, whose statistic has fewer rows to grow with.
        moved = p_values(compared, [calibration[n] for n in names]) < level
        moved &= compared.effect >= policy.minimum_effect
        drifted = [i for i in np.argsort(-compared.effect) if moved[i]]
        if sum(shares[names[i]] for i in drifted) >= policy.drifted_importance:
            found.append(SegmentDrift(column, value, rows, tuple(names[i] for i in drifted)))
    return tuple(found)


def importances(profile: Profile) -> dict[str, float]:
    """Importance by feature; equal shares if the profile knows none, so that drift is never overlooked."""
    if sum(c.importance for c in profile.columns.values()) > 0:
        return {name: c.importance for name, c in profile.columns.items()}
    return dict.fromkeys(profile.columns, 1 / len(profile.columns))


def prediction_values(frame: pd.DataFrame, reference: ColumnProfile, task: str) -> pd.Series:
    """The predictions of a window in the form in which they were profiled.

    Args:
        frame: Rows with ``prediction`` and ``probability``.
        reference: Profile of the predictions.
        task: Of the contract; for ``binary`` the probability of the positive class is meant.
    """
    if reference.kind == "category":
        return frame[PREDICTION].astype(object)
    source = "probability" if task == "binary" else PREDICTION
    return pd.to_numeric(frame[source], errors="coerce").astype("float64")
