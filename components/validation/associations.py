"""How strongly a feature goes with the target, and features with each other, each measured in the way of its kind.

Two numbers: Spearman's correlation. A number and categories: the correlation ratio of the ranks, corrected for the
number of categories (epsilon squared, Kelley 1935). Two categories: Cramer's V with Bergsma's correction (2013). Of
chance tell the tests that belong to them (t, Kruskal and Wallis 1952, chi squared), with p-values corrected for how
many features are looked at (Benjamini and Hochberg, 1995).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ciclo.components.core.metrics import Array
from ciclo.components.core.profile import Profile
from ciclo.components.core.verdict import Check, Severity, at_least, at_most
from ciclo.components.core.wording import listed
from ciclo.components.tables.datasets import Dataset

CATEGORIES = 50  # of one column that are told apart
RARE = 10  # rows of a category below which it is one of the others
PAIR_ROWS = 5_000
PAIR_CATEGORIES = 60  # category columns that are compared with each other
SURE = 0.05  # corrected p-value below which a relation is taken for one


@dataclass(frozen=True)
class Relation:
    """How a feature goes with the target.

    Attributes:
        measure: What the strength is.
        strength: From 0 to 1; of Spearman's correlation from -1.
        information: Mutual information of their bins in bits, without what chance adds (Miller and Madow, 1955).
        p_value: How often chance alone would give as much; corrected for the number of features.
    """

    measure: str
    strength: float
    information: float
    p_value: float


@dataclass(frozen=True)
class Pairs:
    """How features go with each other.

    Attributes:
        names: The features.
        strength: From -1 to 1, shape ``(features, features)``; NaN where that is not known.
    """

    names: tuple[str, ...]
    strength: Array

    def twins(self, limit: float) -> list[tuple[str, str, float]]:
        """Pairs of which one feature says what the other says, the strongest first."""
        rows, columns = np.nonzero(np.tril(np.nan_to_num(np.abs(self.strength)) >= limit, -1))
        found = [
            (self.names[b], self.names[a], float(abs(self.strength[a, b]))) for a, b in zip(rows, columns, strict=True)
        ]
        return sorted(found, key=lambda pair: -pair[2])


def target_relations(sample: Dataset, profile: Profile) -> dict[str, Relation]:
    """How each feature goes with the target.

    Args:
        sample: Training rows in memory.
        profile: Gives the bins of the mutual information.

    Returns:
        By feature, in the order of the contract.
    """
    labels = sample.labels()
    bins = profile.target.codes(labels)
    target = _Column(labels)
    measured = {}
    for name in sample.contract.names:
        values = sample.X[name].reset_index(drop=True)
        measure, strength, p = _Column(values).beside(target)
        column = profile.columns[name]
        measured[name] = (measure, strength, _information(column.codes(values), bins), p)
    known = [name for name, (*_, p) in measured.items() if np.isfinite(p)]
    corrected = (
        dict(zip(known, stats.false_discovery_control([measured[n][3] for n in known]), strict=True)) if known else {}
    )
    return {n: Relation(m, s, i, float(corrected.get(n, np.nan))) for n, (m, s, i, _) in measured.items()}


def pairs(sample: Dataset) -> Pairs:
    """How features go with each other, on at most 5,000 rows; of category columns the first 60 are compared.

    Args:
        sample: Training rows in memory.
    """
    frame = sample.sample(PAIR_ROWS, 0).X.reset_index(drop=True)
    texts = [name for name in frame.columns if frame[name].dtype == object][:PAIR_CATEGORIES]
    numbers = [name for name in frame.columns if frame[name].dtype != object]
    ranked = _ranks(frame[numbers])
    strength = np.full((len(numbers) + len(texts),) * 2, np.nan)
    if numbers:
        strength[: len(numbers), : len(numbers)] = ranked.T @ ranked / max(len(frame), 1)
    groups = {name: _groups(frame[name]) for name in texts}
    for row, name in enumerate(texts, len(numbers)):
        ratio = _ratios(groups[name], ranked)
        strength[row, : len(numbers)] = strength[: len(numbers), row] = ratio
        for column, other in enumerate(texts[: row - len(numbers) + 1], len(numbers)):
            strength[row, column] = strength[column, row] = _cramer(groups[name], groups[other])[0]
    still = np.isnan(ranked).all(axis=0) if numbers else np.array([], dtype=bool)
    strength[: len(numbers), : len(numbers)][still] = np.nan
    return Pairs((*numbers, *texts), np.clip(strength, -1, 1))


def relation_checks(relations: dict[str, Relation], level: Severity) -> list[Check]:
    """Whether anything goes with the target at all."""
    if not relations:
        return []
    sure = [name for name, found in relations.items() if found.p_value < SURE]
    message = f"features that go with the target by themselves: {listed(sure, 5)}" if sure else (
        "features that go with the target by themselves; only several together could, or there is nothing to learn: "
        "look for columns that say more"
    )  # fmt: skip
    return [at_least("relation", float(len(sure)), 1.0, message, level=level)]


def twin_checks(found: Pairs, limit: float, level: Severity) -> list[Check]:
    """Whether one feature says what another says."""
    if len(found.names) < 2:
        return []
    twins = found.twins(limit)
    if twins:
        advice = "one says what the other says: importances are shared between them, and one may be left out"
        return [
            at_most("twins", v, limit, f"'{a}' and '{b}' go together; {advice}", level=level) for a, b, v in twins[:10]
        ]
    strength = np.nan_to_num(np.abs(np.tril(found.strength, -1)))
    a, b = np.unravel_index(int(strength.argmax()), strength.shape)
    message = f"'{found.names[b]}' and '{found.names[a]}' go together, more than any other two"
    return [at_most("twins", float(strength[a, b]), limit, message, level=level)]


class _Column:
    """Values that are compared: numbers by their ranks, text by its groups."""

    def __init__(self, values: pd.Series) -> None:
        self.values = values
        self.known = values.notna().to_numpy()
        self.text = values.dtype == object

    def beside(self, other: "_Column") -> tuple[str, float, float]:
        """Measure, strength and p-value on the rows in which both are known."""
        both = self.known & other.known
        a, b = self.values[both], other.values[both]
        if self.text and other.text:
            return ("Cramér's V", *_cramer(_groups(a), _groups(b)))
        if self.text or other.text:
            text, numbers = (a, b) if self.text else (b, a)
            groups, ranked = _groups(text), _ranks(numbers.to_frame())
            return "correlation ratio", float(_ratios(groups, ranked)[0]), _kruskal(groups, ranked[:, 0])
        ranked = _ranks(pd.DataFrame({"a": a, "b": b}))
        rows, r = len(ranked), float((ranked[:, 0] * ranked[:, 1]).mean()) if len(ranked) else np.nan
        if rows < 3 or not np.isfinite(r):
            return "Spearman", np.nan, np.nan
        t = abs(r) * np.sqrt((rows - 2) / max(1 - r * r, 1e-300))
        return "Spearman", r, float(2 * stats.t.sf(t, rows - 2))


def _ranks(frame: pd.DataFrame) -> Array:
    """Ranks of every column with mean 0 and variance 1, a missing value in the middle; NaN for a constant column."""
    ranks = frame.rank().to_numpy(dtype="float64")
    with np.errstate(all="ignore"):
        ranks = ranks - np.where(np.isnan(ranks), 0, ranks).sum(axis=0) / np.maximum((~np.isnan(ranks)).sum(axis=0), 1)
        ranks = np.nan_to_num(ranks)
        spread = ranks.std(axis=0)
        return np.asarray(np.where(spread > 0, ranks / spread, np.nan))


def _groups(values: pd.Series) -> Array:
    """The category of every row from 0; rare ones are one group, and a missing value is one too."""
    counted = values.value_counts()
    kept = counted[counted >= RARE].index[:CATEGORIES]
    codes = pd.Index(kept, dtype=object).get_indexer(pd.Index(values, dtype=object))
    codes = np.where(codes < 0, len(kept) + values.isna().to_numpy(), codes)
    return np.unique(codes, return_inverse=True)[1]


def _between(groups: Array, ranked: Array) -> Array:
    """Share of the variance of ranks that lies between groups, shape ``(columns,)``."""
    sizes = np.bincount(groups)
    sums = np.zeros((len(sizes), ranked.shape[1]))
    np.add.at(sums, groups, ranked)
    return np.asarray((sums**2 / sizes[:, None]).sum(axis=0) / max(len(groups), 1))


def _ratios(groups: Array, ranked: Array) -> Array:
    rows, kinds = len(groups), int(groups.max(initial=-1)) + 1
    if kinds < 2 or rows <= kinds:
        return np.full(ranked.shape[1], np.nan)
    epsilon = 1 - (1 - _between(groups, ranked)) * (rows - 1) / (rows - kinds)
    return np.sqrt(np.clip(epsilon, 0, 1))


def _kruskal(groups: Array, ranked: Array) -> float:
    kinds = int(groups.max(initial=-1)) + 1
    if kinds < 2 or not np.isfinite(ranked).all():
        return np.nan
    return float(stats.chi2.sf((len(groups) - 1) * _between(groups, ranked[:, None])[0], kinds - 1))


def _table(a: Array, b: Array) -> Array:
    wide = int(b.max(initial=0)) + 1
    counts = np.bincount(a.astype("int64") * wide + b, minlength=(int(a.max(initial=0)) + 1) * wide)
    return counts.reshape(-1, wide).astype("float64")


def _cramer(a: Array, b: Array) -> tuple[float, float]:
    """Cramer's V, and the p-value of chi squared."""
    table = _table(a, b)
    rows, (r, k) = table.sum(), table.shape
    if min(r, k) < 2 or rows < 2:
        return np.nan, np.nan
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    square = float(((table - expected) ** 2 / expected).sum())
    phi = max(0.0, square / rows - (r - 1) * (k - 1) / (rows - 1))
    r_corrected, k_corrected = r - (r - 1) ** 2 / (rows - 1), k - (k - 1) ** 2 / (rows - 1)
    v = np.sqrt(phi / max(min(r_corrected, k_corrected) - 1, 1e-12))
    return float(min(v, 1.0)), float(stats.chi2.sf(square, (r - 1) * (k - 1)))


def _information(a: Array, b: Array) -> float:
    table = _table(np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1])
    rows = table.sum()
    if not rows:
        return np.nan
    shares = table / rows
    alone = np.outer(shares.sum(axis=1), shares.sum(axis=0))
    seen = shares > 0
    bits = float((shares[seen] * np.log2(shares[seen] / alone[seen])).sum())
    by_chance = (seen.any(axis=1).sum() - 1) * (seen.any(axis=0).sum() - 1) / (2 * rows * np.log(2))
    return max(0.0, float(bits - by_chance))
