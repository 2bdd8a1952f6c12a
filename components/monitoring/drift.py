"""Has the stream moved away from the training rows?

Two questions for each column: is the difference real (a likelihood-ratio test), and is it large (a distance)? Certainty
alone is not enough, for with enough rows any difference is certain. What counts for the window is how much of the
model's importance lies in the columns that moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2

from ciclo.components.core.distances import divergence, jensen_shannon
from ciclo.components.core.metrics import Array
from ciclo.components.core.profile import ColumnProfile, Profile
from ciclo.components.core.sections import Monitoring

MINIMUM_EXPECTED = 5.0
PREDICTION = "prediction"


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved.

    Attributes:
        name: The column.
        effect: Jensen-Shannon distance from the training rows, 0 to 1.
        p_value: Of the hypothesis that both come from one distribution.
        importance: Its share of the model's importance.
        drifted: Whether the difference is both real and large.
        counts: Rows of the window in the bins of the profile.
    """

    name: str
    effect: float
    p_value: float
    importance: float
    drifted: bool
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Drift:
    """How far a window has moved.

    Attributes:
        columns: Every feature, the furthest first.
        prediction: The distribution of the predictions, or None if it could not be judged.
        importance: Share of the model's importance in drifted columns.
        inputs: Whether that share is large enough to matter.
    """

    columns: tuple[ColumnDrift, ...]
    prediction: ColumnDrift | None
    importance: float
    inputs: bool

    @property
    def names(self) -> list[str]:
        """The drifted columns, the furthest first."""
        return [c.name for c in self.columns if c.drifted]

    @property
    def predictions(self) -> bool:
        """Whether the predictions have drifted."""
        return self.prediction is not None and self.prediction.drifted


def merge_rare(reference: Array, window: Array) -> tuple[Array, Array]:
    """Merge the bins of each column that are too sparse for a chi-square approximation.

    Bins with fewer than five rows expected in the smaller sample (Cochran, Some methods for strengthening the common
    chi-squared tests, 1954) are merged into one; if that is still sparse, it joins the smallest of the others.

    Args:
        reference: Counts, shape ``(columns, bins)``; a column with fewer bins is padded with zeros.
        window: Counts of the same shape.

    Returns:
        Both with one more bin; merged and unused bins are zero.
    """
    pooled = reference + window
    total = np.maximum(pooled.sum(axis=1, keepdims=True), 1)
    smaller = np.minimum(reference.sum(axis=1, keepdims=True), window.sum(axis=1, keepdims=True))
    expected = pooled / total * smaller
    rare = expected < MINIMUM_EXPECTED
    sparse = (expected * rare).sum(axis=1) < MINIMUM_EXPECTED
    home = np.where(sparse & ~rare.all(axis=1), np.argmin(np.where(rare, np.inf, expected), axis=1), rare.shape[1])

    def merged(counts: Array) -> Array:
        kept = np.pad(np.where(rare, 0, counts), ((0, 0), (0, 1)))
        kept[np.arange(len(kept)), home] += np.where(rare, counts, 0).sum(axis=1)
        return kept

    return merged(reference), merged(window)


def compare(reference: Array, window: Array) -> tuple[Array, Array]:
    """Compare two samples of each column.

    The p-value is that of the G-test of homogeneity (Woolf, 1957). The effect is the Jensen-Shannon distance, less what
    two samples of one distribution would show by chance: their divergence is ``(k - 1) / 8 * (1/n + 1/m)`` on average
    over ``k`` bins, by the bias of entropy estimates (Miller, 1955).

    Args:
        reference: Counts, shape ``(columns, bins)``, padded with zeros.
        window: Counts of the same shape.

    Returns:
        Effects (0 to 1) and p-values, each of shape ``(columns,)``. An empty sample gives 0 and 1.
    """
    ours, theirs = merge_rare(reference.astype("float64"), window.astype("float64"))
    n, m = ours.sum(axis=1), theirs.sum(axis=1)
    known = (n > 0) & (m > 0)
    free = np.maximum(((ours + theirs) > 0).sum(axis=1) - 1, 0)
    safe_n, safe_m = np.maximum(n, 1)[:, None], np.maximum(m, 1)[:, None]

    pooled = (ours + theirs) / (safe_n + safe_m)
    g = 2 * (divergence(ours, pooled * safe_n) + divergence(theirs, pooled * safe_m))
    p_value = np.where(known & (free > 0), chi2.sf(g, np.maximum(free, 1)), 1.0)

    chance = free / 8 * (1 / safe_n + 1 / safe_m)[:, 0]
    return jensen_shannon(ours, theirs, chance), p_value


def bin_window(profile: Profile, frame: pd.DataFrame) -> dict[str, Array]:
    """Count the rows of a window in the bins of every feature of the profile.

    Args:
        profile: The reference.
        frame: Canonical frame (``Contract.frame``).
    """
    return {name: column.bin(frame[name]) for name, column in profile.columns.items()}


def assess(profile: Profile, counts: Mapping[str, Array], prediction: Array | None, policy: Monitoring) -> Drift:
    """Judge a window.

    A column has drifted if its p-value is below the false-alarm rate divided by the number of tests (Bonferroni; Dunn,
    1961) and its effect is at least ``minimum_effect``.

    Args:
        profile: The reference.
        counts: Counts of the window by feature.
        prediction: Counts of the predictions in the bins of ``profile.prediction``; None if there are too few.
        policy: The limits.
    """
    shares = _shares(profile)
    pairs = [(name, column, counts[name], shares[name]) for name, column in profile.columns.items()]
    if profile.prediction is not None and prediction is not None:
        pairs.append((PREDICTION, profile.prediction, prediction, 0.0))
    effects, p_values = compare(_padded([r.counts for _, r, _, _ in pairs]), _padded([w for _, _, w, _ in pairs]))
    drifted = (p_values < policy.false_alarm_rate / len(pairs)) & (effects >= policy.minimum_effect)
    found = [
        ColumnDrift(name, float(effect), float(p_value), share, bool(moved), tuple(window.tolist()))
        for (name, _, window, share), effect, p_value, moved in zip(pairs, effects, p_values, drifted, strict=True)
    ]
    columns = tuple(sorted(found[: len(profile.columns)], key=lambda c: (not c.drifted, -c.effect)))
    importance = sum(c.importance for c in columns if c.drifted)
    return Drift(
        columns=columns,
        prediction=found[-1] if len(found) > len(columns) else None,
        importance=importance,
        inputs=importance >= policy.drifted_importance,
    )


def _padded(rows: Sequence[Sequence[int] | Array]) -> Array:
    padded = np.zeros((len(rows), max(len(row) for row in rows)), dtype="int64")
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded


def _shares(profile: Profile) -> dict[str, float]:
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
