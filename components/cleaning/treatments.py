"""What the policy of missing values and outliers comes to, counted; and the columns that are dropped by it.

Nothing that is counted here is used by a model, which learns its own limits and values from the rows it is fitted on.
"""

from collections.abc import Mapping
from typing import Any

from ciclo.components.cleaning.duplicates import duplicate_reason
from ciclo.components.cleaning.rules import beyond, missing_reason, outlier_reasons
from ciclo.components.core.cleaning_policy import Outlier
from ciclo.components.core.own_columns import LINE, SPLIT
from ciclo.components.core.project import Project
from ciclo.components.core.quartiles import tukey
from ciclo.components.core.treatment import Treatment
from ciclo.components.core.wording import number
from ciclo.components.tables.datasets import collect

ROWS = "(rows)"  # in place of a column
MEASURED = 1_000_000  # training rows that tell where quartiles are


def gaps(kept: Any, project: Project) -> dict[str, tuple[int, int]]:
    """Missing values by feature: in all kept rows, and in those that train."""
    names, train = list(project.features), kept[SPLIT] == "train"
    counted = {f"n{n}": kept[name].isnull().sum() for n, name in enumerate(names)}
    counted |= {
        f"t{n}": (kept[name].isnull() & train).sum() for n, name in enumerate(names) if _may_drop(project, name)
    }
    (row,) = collect(kept.aggregate(**counted)).to_pylist()
    return {name: (int(row[f"n{n}"] or 0), int(row.get(f"t{n}") or 0)) for n, name in enumerate(names)}


def _may_drop(project: Project, name: str) -> bool:
    policy = project.cleaning.missing.columns.get(name)
    return policy is not None and policy.drop_above is not None


def dropped(project: Project, missing: Mapping[str, tuple[int, int]], train: int) -> dict[str, str]:
    """The features of which too much is missing, and why they are left out.

    Args:
        project: The policy.
        missing: From ``gaps``.
        train: Training rows.
    """
    found = {}
    for name, policy in project.cleaning.missing.columns.items():
        share = missing[name][1] / max(train, 1)
        if policy.drop_above is not None and share > policy.drop_above:
            found[name] = (
                f"missing in {share:.1%} of the training rows, and cleaning.missing.columns drops it above "
                f"{policy.drop_above:.15g}"
            )
    return found


def treatments(
    project: Project,
    kept: Any,
    rows: int,
    every: int,
    missing: Mapping[str, tuple[int, int]],
    left_out: Mapping[str, str],
    reasons: Mapping[str, int],
) -> list[Treatment]:
    """What the policy comes to, column by column.

    Args:
        project: The policy.
        kept: The kept rows, each on its side.
        rows: How many there are.
        every: How many rows there are with those that were quarantined.
        missing: From ``gaps``.
        left_out: From ``dropped``.
        reasons: Quarantined rows by reason.
    """
    cleaning, found = project.cleaning, []

    def line(name: str, policy: str, values: int, of: int, effect: str) -> None:
        share = values / max(of, 1)
        found.append(Treatment(column=name, policy=policy, values=values, share=share, effect=effect))

    if reason := duplicate_reason(project):
        policy_of_rows = f"duplicates: the {cleaning.duplicates.keep} stays"
        line(ROWS, policy_of_rows, reasons.get(reason, 0), every, f"rows quarantined as {reason}")
    if project.split_method == "hash":
        group = f"by '{cleaning.split.group}', " if cleaning.split.group else ""
        line(ROWS, f"split by hash: {group}equal rows {cleaning.split.equal_rows}", rows, every, "rows kept")
    for name, policy in cleaning.missing.columns.items():
        effect = f"dropped: {left_out[name]}" if name in left_out else "imputed in the model" if policy.impute else ""
        line(name, f"missing: {policy.text}", missing[name][0], rows, effect or "kept as they are")
    for name in cleaning.missing.delete:
        line(name, "missing: delete", reasons.get(missing_reason(name, project), 0), every, "rows quarantined")
    for name, outlier in cleaning.outliers.items():
        if name in left_out and outlier.action != "quarantine":
            line(name, f"outliers: {outlier.text}", 0, rows, "none, since the column is dropped")
            continue
        if outlier.action == "quarantine":
            values = sum(reasons.get(reason, 0) for reason in outlier_reasons(name, outlier))
            line(name, f"outliers: {outlier.text}", values, every, "rows quarantined; a request is answered")
            continue
        low, high = _limits(kept, name, outlier, rows)
        values = _count(kept, beyond(kept[name], low, high))
        done = "clipped in the model" if outlier.action == "clip" else "flagged in the model"
        span = f"{number(low)} to {number(high)}" if low > float("-inf") or high < float("inf") else "no limits"
        line(name, f"outliers: {outlier.text}", values, rows, f"{done}, about {span}")
    return found


def _limits(kept: Any, name: str, policy: Outlier, rows: int) -> tuple[float, float]:
    """The stated limits, or what the quartiles of the training rows make of them."""
    if policy.learnt is None:
        low = float("-inf") if policy.low is None else policy.low
        return low, float("inf") if policy.high is None else policy.high
    some = kept.filter((kept[SPLIT] == "train") & (kept[LINE] % max(rows // MEASURED, 1) == 0))
    known = some.filter(some[name].notnull()).select(value=some[name].cast("float64"))
    return tukey(collect(known)["value"].to_numpy(), policy.learnt)


def _count(rows: Any, condition: Any) -> int:
    found = rows.filter(condition)
    return int(collect(found.aggregate(rows=found.count()))["rows"][0].as_py())
