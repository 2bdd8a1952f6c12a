"""The rules a row has to keep, as ibis expressions: one reason for each way to break them."""

import math
from functools import reduce
from operator import or_
from typing import Any

import ibis

from ciclo.components.core.cleaning_policy import Outlier
from ciclo.components.core.data_sections import Column
from ciclo.components.core.project import Project
from ciclo.components.core.rules import kind_of
from ciclo.components.core.wording import exact
from ciclo.components.tables.reading import Value, read

UNLABELLED = "target: column '{}' is missing"


def read_columns(raw: Any, project: Project) -> dict[str, Value]:
    """Read every column of the project.

    Args:
        raw: The raw table.
        project: Says which columns, and their rules.
    """
    return {name: read(raw[name], column) for name, column in project.data.columns.items()}


def broken_rules(values: dict[str, Value], malformed: Any, project: Project) -> dict[str, Any]:
    """What may be wrong with a row, beside being a duplicate.

    A column that is only carried along is not checked, and a project gives it no rules, unless a missing value in it is
    to delete the row. A malformed row breaks that rule alone: its values are not known.

    Args:
        values: The columns, read.
        malformed: Whether the record does not fit the header.
        project: The rules.

    Returns:
        For each reason a boolean expression, true or false for every row, true where the row breaks the rule.
    """
    data = project.data
    named = (data.target, data.time_column, project.cleaning.split.group, *data.id_columns)
    checked = {*project.features, *named, *project.cleaning.duplicates.by}
    reasons: dict[str, Any] = {"malformed: the record does not fit the header": malformed}
    for name, column in data.columns.items():
        if name in checked:
            for reason, broken in _column_rules(name, column, values[name]).items():
                reasons[reason] = ~malformed & broken.fill_null(False)
    times = (data.time_column,) if data.time_column else ()
    for name in dict.fromkeys((data.target, *times, *project.cleaning.missing.delete)):
        reasons[missing_reason(name, project)] = ~malformed & values[name].missing
    for name, policy in project.cleaning.outliers.items():
        if policy.action == "quarantine":
            for reason, limits in outlier_reasons(name, policy).items():
                reasons[reason] = ~malformed & beyond(values[name].typed, *limits).fill_null(False)
    return reasons


def outlier_reasons(name: str, policy: Outlier) -> dict[str, tuple[float, float]]:
    """The reasons of a row that is set aside for an outlier, each with the limits that it is beyond."""
    reasons = {}
    if policy.low is not None:
        reasons[f"outlier: column '{name}' is below {exact(policy.low)}"] = (policy.low, math.inf)
    if policy.high is not None:
        reasons[f"outlier: column '{name}' is above {exact(policy.high)}"] = (-math.inf, policy.high)
    return reasons


def beyond(value: Any, low: float, high: float) -> Any:
    """Whether a number is beyond limits, an infinite one of which is none."""
    below = value < low if low > -math.inf else ibis.literal(False)
    return below | (value > high) if high < math.inf else below


def missing_reason(name: str, project: Project) -> str:
    """The reason of a row without a value in the target, the time, or a column whose missing values delete rows."""
    if name == project.data.target:
        return UNLABELLED.format(name)
    rule = "time" if name == project.data.time_column else "delete"
    return f"{rule}: column '{name}' is missing"


def _column_rules(name: str, column: Column, value: Value) -> dict[str, Any]:
    unread = ~value.missing & value.typed.isnull()
    rules = {}
    if value.inexact is not None:
        rules[f"exact: column '{name}' is a whole number too large to be read exactly"] = value.inexact
        unread = unread & ~value.inexact
    rules[f"type: column '{name}' is not {kind_of(column)}"] = unread
    if not column.nullable:
        rules[f"null: column '{name}' must have a value"] = value.missing
    if column.minimum is not None:
        rules[f"range: column '{name}' is below {exact(column.minimum)}"] = value.typed < column.minimum
    if column.maximum is not None:
        rules[f"range: column '{name}' is above {exact(column.maximum)}"] = value.typed > column.maximum
    if column.categories:
        rules[f"category: column '{name}' is not one of its categories"] = value.typed.notin(list(column.categories))
    return rules


def reasons_of(rules: dict[str, Any]) -> Any:
    """All reasons that hold for a row, as a list of text."""
    texts = [broken.ifelse(ibis.literal(reason), ibis.null("string")) for reason, broken in rules.items()]
    found = ibis.array(texts).filter(lambda reason: reason.notnull())
    return reduce(or_, rules.values()).ifelse(found, ibis.literal([], found.type()))  # of the few rows that need it
