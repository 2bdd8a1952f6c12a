"""Checks on cleaned data and on the assumptions of the models."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ciclo.components.core.metrics import Array
from ciclo.components.core.profile import Profile, Table
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Level
from ciclo.components.core.verdict import Check, Severity, Verdict, at_most
from ciclo.components.core.wording import counted, number
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.relations import category_names
from ciclo.components.tables.stored import Rows
from ciclo.components.validation import leakage
from ciclo.components.validation.associations import (
    Pairs,
    Relation,
    pairs,
    relation_checks,
    target_relations,
    twin_checks,
)
from ciclo.components.validation.assumptions import assumption_checks
from ciclo.components.validation.balance import class_rows, rare_rows
from ciclo.components.validation.departures import Departures, days_between, departures
from ciclo.components.validation.last_run import Beside, Counting, beside, last_run_checks

SAMPLE = 20_000
DEFAULT_LEVELS: dict[str, Level] = {
    "nulls": "warning",
    "imbalance": "warning",
    "class_rows": "error",
    "leakage": "error",
    "near_leakage": "warning",
    "seen_rows": "warning",
    "shared_entities": "warning",
    "multicollinearity": "warning",
    "split_drift": "warning",
    "last_run": "warning",
    "relation": "warning",
    "twins": "warning",
    "assumptions": "warning",
}


@dataclass(frozen=True)
class Findings:
    """Everything validation learnt.

    Attributes:
        verdict: Whether the data may be used.
        profile: The reference profile of the training and validation rows.
        relations: How each feature relates to the target on its own.
        inflation: Variance inflation factor of each numeric feature.
        drift: How far the test rows lie from the rows of the profile.
        beside: How the rows differ from those of the last accepted version.
        associations: How each feature goes with the target, and how likely that is chance.
        pairs: How features go with each other.
        sample: Training rows that pictures are drawn from.
        rows: All rows.
    """

    verdict: Verdict
    profile: Profile
    relations: dict[str, float]
    inflation: dict[str, float]
    drift: Departures
    beside: Beside
    associations: dict[str, Relation]
    pairs: Pairs
    sample: Dataset
    rows: int


def variance_inflation(frame: pd.DataFrame) -> dict[str, float]:
    """Variance inflation factors of numeric columns: the diagonal of the inverse correlation matrix.

    Belsley, Kuh and Welsch, Regression Diagnostics, 1980. Missing values are taken as the mean; constant columns are
    left out; a column that is an exact combination of others is infinite.

    Args:
        frame: Numeric columns, shape ``(rows, features)``.

    Returns:
        Factors by column, the greatest first.
    """
    filled = frame.fillna(frame.mean()).dropna(axis="columns")
    filled = filled.loc[:, filled.std() > 0]
    if filled.shape[1] < 2:
        return {}
    correlation = np.corrcoef(filled.to_numpy(), rowvar=False)
    values, vectors = np.linalg.eigh(correlation)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(values > 1e-10, 1 / np.maximum(values, 1e-10), np.inf)
        # An infinite weight counts for a column only if the column takes part in that exact combination.
        shares = vectors**2
        factors = np.where(shares > 1e-8, shares * weights, 0.0).sum(axis=1)
    return dict(sorted(zip(filled.columns, factors.tolist(), strict=True), key=lambda item: -item[1]))


def split_departures(project: Project, profile: Profile, fitted_on: Rows, test: Rows) -> Departures:
    """How far the test rows lie from the profiled ones.

    The rows of a group may be alike, so that where a split is by group there are as many pieces of evidence as groups.
    On a split by time the test rows are later: their distance is held against what windows of the training period show
    of each other, and any other against the limit of the project.
    """
    features = test.features
    counts = {name: column.bin(features[name]) for name, column in profile.columns.items()}
    limit, time, group = project.validation.split_drift, test.contract.time_column, project.cleaning.split.group
    if group is not None:
        ours, theirs = (rows.column(group).nunique() for rows in (fitted_on, test))
        profiled = {
            name: column.model_copy(update={"counts": tuple(_pieces(np.array(column.counts), ours).tolist())})
            for name, column in profile.columns.items()
        }
        return departures(profiled, {n: _pieces(found, theirs) for n, found in counts.items()}, fixed=limit)
    if project.split_method != "time" or time is None or not len(test):
        return departures(profile.columns, counts, fixed=limit)
    times = test.column(time)
    return departures(
        profile.columns,
        counts,
        fixed=limit,
        least=project.monitoring.minimum_effect,
        slice_days=profile.slice_days,
        span=days_between(times.min(), times.max()),
    )


def _pieces(counts: Array, groups: int) -> Array:
    """Counts of rows as those of so many groups."""
    return np.asarray(np.rint(counts * min(groups / max(counts.sum(), 1), 1.0)), dtype="int64")


def split_checks(found: Departures, level: Severity) -> list[Check]:
    """Whether the test rows are like those that are learnt from."""
    advice = "the test is on other data than the training"
    moved = found.moved
    if moved:
        return [
            at_most(
                "split_drift",
                moved[name].effect,
                moved[name].limit,
                f"distance of '{name}' between training and test rows"
                f"{f', where {usual}' if (usual := found.usual(name)) else ''}; {advice}",
                level=level,
            )
            for name in list(moved)[:10]
        ]
    if not found.columns:
        return []
    name = max(found.columns, key=lambda n: found.columns[n].effect / max(found.columns[n].limit, 1e-9))
    worst = found.columns[name]
    message = f"distance of '{name}' between training and test rows, the nearest to its limit"
    if usual := found.usual(name):
        message += f": {usual}"
    return [at_most("split_drift", worst.effect, worst.limit, message, level=level)]


def reference_profile(
    dataset: Rows, segments: Sequence[str] = (), window_days: float = 7.0, features: Table | None = None
) -> Profile:
    """Profile the rows a model is fitted on, through a view of their features if one is given."""
    time = dataset.contract.time_column
    times = dataset.column(time) if time else None
    return Profile.of(
        dataset.features if features is None else features, dataset.labels(), times, segments, window_days
    )


def validate(project: Project, dataset: Rows, digest: str, accepted: Accepted | None = None) -> Findings:
    """Judge a cleaned dataset.

    Args:
        project: Gives the levels and limits of the checks.
        dataset: All its rows, in memory or on disk.
        digest: sha256 of the dataset, the subject of the verdict.
        accepted: The last accepted version, whose rows these are compared with; None if there is none yet.

    Returns:
        The findings; the verdict's decision is ``pass`` or ``unusable``.
    """
    train = dataset.split("train").sample(SAMPLE, project.training.seed)
    held_out = dataset.split("validation").sample(SAMPLE, project.training.seed)
    watch = project.monitoring
    fitted_on = dataset.split("train", "validation")
    counting = Counting(fitted_on.features, accepted)
    with ThreadPoolExecutor(1) as meanwhile:  # of the sample, while all rows are read
        search = meanwhile.submit(leakage.search, project, train, held_out)
        profile = reference_profile(fitted_on, watch.segments, watch.window_days, counting)
        compared = beside(accepted, fitted_on, profile, counting.counts, watch.minimum_effect)
        drift = split_departures(project, profile, fitted_on, dataset.split("test"))
        leaked = search.result()
    inflation = variance_inflation(train.X.drop(columns=category_names(train.X)))
    associations, together = target_relations(train, profile), pairs(train)
    limits = project.validation
    measures: dict[str, Callable[[Severity], list[Check]]] = {
        "nulls": lambda level: _worst("nulls", {n: c.missing for n, c in profile.columns.items()}, limits.nulls, level),
        "leakage": lambda level: leakage.leak_checks(leaked, limits.leakage, level),
        "near_leakage": lambda level: leakage.doubt_checks(leaked, level),
        "seen_rows": lambda level: leakage.seen_rows(dataset, level),
        "shared_entities": lambda level: leakage.shared_entities(project, dataset, level),
        "multicollinearity": lambda level: _worst("multicollinearity", inflation, limits.vif, level),
        "split_drift": lambda level: split_checks(drift, level),
        "last_run": lambda level: last_run_checks(compared, level),
        "imbalance": lambda level: rare_rows(dataset, limits.imbalance, level),
        "class_rows": lambda level: class_rows(fitted_on, limits.class_rows, level),
        "relation": lambda level: relation_checks(associations, level),
        "twins": lambda level: twin_checks(together, limits.twins, level),
        "assumptions": lambda level: assumption_checks(project, train, level),
    }
    checks: list[Check] = []
    for name, measure in measures.items():
        level = project.validation.checks.get(name, DEFAULT_LEVELS[name])  # type: ignore[call-overload]
        if level != "off":
            checks += measure(level)
    return Findings(
        _verdict(checks, digest, len(dataset)),
        profile,
        leaked.relations,
        inflation,
        drift,
        compared,
        associations,
        together,
        train,
        len(dataset),
    )


def unusable(reason: str, digest: str) -> Verdict:
    """The verdict on data on which cleaning found that no model can be trained."""
    return Verdict(
        gate="validation",
        decision="unusable",
        reason=reason,
        subject=digest,
        checks=(Check(name="trainable", passed=False, message=reason),),
    )


# Of each check what its value is, and what to do where it is over the limit.
_SAYS = {
    "nulls": ("share of missing values in '{}'", "ignore the column or mend the source"),
    "multicollinearity": (
        "variance inflation factor of '{}'",
        "it is nearly a combination of other features, so linear coefficients are not to be read",
    ),
}


def _worst(name: str, values: dict[str, float], limit: float, level: Severity) -> list[Check]:
    """One check for each column over the limit, or one that passed with the worst column."""
    if not values:
        return []
    known = {c: value for c, value in values.items() if not np.isnan(value)}
    over = [c for c, value in known.items() if value > limit]
    what, advice = _SAYS[name]
    if over:
        return [at_most(name, known[c], limit, f"{what.format(c)}; {advice}", level=level) for c in over[:10]]
    worst = [max(known, key=lambda c: known[c])] if known else []
    return [at_most(name, known[c], limit, f"{what.format(c)}, the greatest of all", level=level) for c in worst]


def _verdict(checks: list[Check], digest: str, rows: int) -> Verdict:
    failed = [c for c in checks if c.level == "error" and not c.passed]
    warned = sum(c.level == "warning" and not c.passed for c in checks)
    reason = (
        "; ".join(f"{c.name}: {c.message}{_measured(c)}" for c in failed)
        if failed
        else f"{counted(rows, 'row meets', 'rows meet')} every error-level check, {counted(warned, 'warning')}"
    )
    return Verdict(
        gate="validation",
        decision="unusable" if failed else "pass",
        reason=reason,
        subject=digest,
        checks=tuple(checks),
        facts={"rows": rows},
    )


def _measured(check: Check) -> str:
    if check.limit is None:
        return ""
    return f" (is {'unknown or infinite' if check.value is None else number(check.value)}, limit {number(check.limit)})"
