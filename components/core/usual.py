"""How far do the reference's own windows lie from each other?

Rows in time are not independent: a week shares its weather. A test that takes them for independent calls every week
drifted. So the training rows are cut into windows of the length that is judged, each is compared with the rest, and
what those comparisons show is what a clean window shows. Monitoring judges the rows that are served so, validation the
test rows of a split by time, and the rows of a run beside those of the champion.

The likelihood-ratio statistic of clustered rows is a weighted sum of chi-squares (Rao and Scott, The Analysis of
Categorical Data from Complex Sample Surveys, 1981). It is divided by a factor and given degrees of freedom so that its
first two moments are those of the windows (Satterthwaite, 1946; Rao and Scott, On Chi-Squared Tests for Multiway
Contingency Tables, 1984). No window can show a season that training has not seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from scipy.stats import chi2, f

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.distances import divergence, jensen_shannon
from ciclo.components.core.metrics import Array

MINIMUM_EXPECTED = 5.0
LEAST_WINDOWS = 8
BAND = (0.1, 0.9)
TINY = 1e-9


@dataclass(frozen=True)
class Usual:
    """What the windows of the reference show of one column.

    Attributes:
        factor: What the statistic is divided by; 1 where rows are independent.
        freedom: Its degrees of freedom then; 0 for those of an ordinary test.
        effects: Distance of each window from the rest, shape ``(windows,)``.
        low: 10 % quantile of the share of each bin, shape ``(bins,)``.
        high: 90 % quantile.
        most: The largest.
    """

    factor: float = 1.0
    freedom: float = 0.0
    effects: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    most: tuple[float, ...] = ()

    @property
    def calibrated(self) -> bool:
        """Whether there were windows enough to tell."""
        return len(self.effects) >= LEAST_WINDOWS


@dataclass(frozen=True)
class Compared:
    """Two samples of each column, compared; every field has shape ``(columns,)``.

    Attributes:
        statistic: Of the G-test of homogeneity (Woolf, 1957).
        freedom: Its degrees of freedom.
        effect: Jensen-Shannon distance, less what two samples of one distribution would show by chance: their
            divergence is ``(k - 1) / 8 * (1/n + 1/m)`` on average over ``k`` bins, by the bias of entropy estimates
            (Miller, 1955). 0 to 1.
        weight: ``n * m / (n + m)``: what a difference that is there is multiplied by in the statistic.
    """

    statistic: Array
    freedom: Array
    effect: Array
    weight: Array


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


def compare(reference: Array, window: Array) -> Compared:
    """Compare two samples of each column.

    Args:
        reference: Counts, shape ``(columns, bins)``, padded with zeros.
        window: Counts of the same shape. Where either sample is empty, the statistic and the effect are 0.
    """
    ours, theirs = merge_rare(reference.astype("float64"), window.astype("float64"))
    n, m = ours.sum(axis=1), theirs.sum(axis=1)
    known = (n > 0) & (m > 0)
    free = np.maximum(((ours + theirs) > 0).sum(axis=1) - 1, 0)
    safe_n, safe_m = np.maximum(n, 1), np.maximum(m, 1)
    pooled = (ours + theirs) / (safe_n + safe_m)[:, None]
    g = 2 * (divergence(ours, pooled * safe_n[:, None]) + divergence(theirs, pooled * safe_m[:, None]))
    return Compared(
        statistic=np.where(known, g, 0.0),
        freedom=free,
        effect=jensen_shannon(ours, theirs, free / 8 * (1 / safe_n + 1 / safe_m)),
        weight=safe_n * safe_m / (safe_n + safe_m),
    )


def padded(rows: Sequence[Sequence[int] | Array]) -> Array:
    """Counts of columns with different numbers of bins as one array, shape ``(columns, bins)``."""
    out = np.zeros((len(rows), max((len(row) for row in rows), default=0)), dtype="int64")
    for number, row in enumerate(rows):
        out[number, : len(row)] = row
    return out


def p_values(compared: Compared, expected: Sequence[Usual]) -> Array:
    """Of the ordinary test, or against the windows of the reference.

    The mean that those show is itself an estimate from so many windows, which makes a chi-square an F (Rao and Scott,
    On Simple Adjustments to Chi-Square Tests with Sample Survey Data, 1987).

    Args:
        compared: Samples of each column.
        expected: What is usual of each.

    Returns:
        Shape ``(columns,)``.
    """
    factor, freedom, windows = _scales(expected)
    ordinary = chi2.sf(compared.statistic, np.maximum(compared.freedom, 1))
    clustered = f.sf(compared.statistic / factor / freedom, freedom, windows * freedom)
    return np.where(compared.freedom > 0, np.where(freedom > TINY, clustered, ordinary), 1.0)


def sure_effects(compared: Compared, expected: Sequence[Usual], level: float) -> Array:
    """The effect of each column above which its p-value is below a level.

    The statistic grows with the square of the effect, so that the root of what it may reach at most, beside what it
    has reached, scales the effect. One that has reached no more than chance is not scaled, but taken for eight times
    the divergence on as many rows as weigh, which it nearly is.

    Args:
        compared: Samples of each column.
        expected: What is usual of each.
        level: The p-value.

    Returns:
        Shape ``(columns,)``; 1 where nothing tells.
    """
    factor, freedom, windows = _scales(expected)
    free = np.maximum(compared.freedom, 1)
    clustered = f.isf(level, freedom, windows * freedom) * factor * freedom
    room = np.maximum(np.where(freedom > TINY, clustered, chi2.isf(level, free)) - compared.freedom, 0.0)
    beyond = np.maximum(compared.statistic - compared.freedom, 0.0)
    scaled = compared.effect * np.sqrt(room / np.where(beyond > 0, beyond, 1.0))
    alone = np.sqrt(room / (8 * np.log(2) * np.maximum(compared.weight, TINY)))
    known = np.where((compared.effect > 0) & (beyond > 0), scaled, alone)
    return np.where(compared.freedom > 0, np.minimum(known, 1.0), 1.0)


def _scales(expected: Sequence[Usual]) -> tuple[Array, Array, Array]:
    """Factor, degrees of freedom, and windows of each column."""
    return (
        np.array([u.factor for u in expected]),
        np.array([max(u.freedom, TINY) for u in expected]),
        np.array([max(len(u.effects), 1) for u in expected]),
    )


def usual(columns: Sequence[tuple[str, ColumnProfile, Array]], slices: int) -> list[Usual]:
    """What the windows of the reference show of each column.

    Args:
        columns: Names, profiles, and the counts of the window that is watched; windows of the reference are thinned to
            as many rows, since the statistic grows with them.
        slices: Slices of time in a window.
    """
    if slices < 1:
        return [Usual() for _ in columns]
    windows = [_windows(name, column, slices, int(counts.sum())) for name, column, counts in columns]
    width = max((part.shape[2] for part in windows), default=0)
    rest, thinned = (
        np.concatenate([np.pad(part[kind], ((0, 0), (0, width - part.shape[2]))) for part in windows])
        if windows
        else np.zeros((0, 0))
        for kind in (0, 1)
    )
    found = compare(rest, thinned)
    total = np.array([sum(column.counts) for _, column, _ in columns], dtype="float64")
    rows = np.array([counts.sum() for _, _, counts in columns], dtype="float64")
    watched = total * rows / np.maximum(total + rows, 1)
    ends = np.cumsum([part.shape[1] for part in windows])
    return [
        _usual(found, slice(end - part.shape[1], end), watched[place], part[1])
        for place, (part, end) in enumerate(zip(windows, ends, strict=True))
    ]


def _windows(name: str, column: ColumnProfile, slices: int, rows: int) -> Array:
    """The windows of a column and the rest of each: shape ``(2, windows, bins)``, the rest first."""
    by_slice = np.array(column.by_slice, dtype="int64").reshape(-1, column.bins)
    number = len(by_slice) // slices
    if number < LEAST_WINDOWS:
        return np.zeros((2, 0, column.bins), dtype="int64")
    whole = by_slice[len(by_slice) - number * slices :].reshape(number, slices, -1).sum(axis=1)
    draws = np.random.default_rng(int.from_bytes(sha256(name.encode()).digest()[:8]))
    thinned = [part if part.sum() <= rows else draws.multivariate_hypergeometric(part, rows) for part in whole]
    return np.array([by_slice.sum(axis=0) - whole, thinned])


def _usual(found: Compared, own: slice, watched: float, windows: Array) -> Usual:
    if own.start == own.stop:
        return Usual()
    filled = windows.sum(axis=1) > 0
    if filled.sum() < LEAST_WINDOWS:
        return Usual()
    free, effects = found.freedom[own][filled], found.effect[own][filled]
    scale = watched / found.weight[own][filled]
    statistic = np.maximum(free + (found.statistic[own][filled] - free) * scale, 0.0)
    mean, variance = float(statistic.mean()), float(statistic.var(ddof=1))
    factor, freedom = (variance / (2 * mean), 2 * mean**2 / variance) if mean > 0 and variance > 0 else (1.0, 0.0)
    shares = windows[filled] / windows[filled].sum(axis=1, keepdims=True)
    low, high = np.quantile(shares, BAND, axis=0)
    return Usual(
        factor=max(factor, 1.0),
        freedom=freedom if factor > 1 else 0.0,
        effects=tuple(effects.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        most=tuple(shares.max(axis=0).tolist()),
    )
