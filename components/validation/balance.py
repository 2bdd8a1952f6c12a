"""Whether there are enough rows of the rarest class, counted: 0.5 % of a million are plenty, half of twelve are not."""

from ciclo.components.core.verdict import Check, Severity, at_least
from ciclo.components.core.wording import number
from ciclo.components.tables.stored import Rows


def class_counts(dataset: Rows) -> dict[str, int]:
    """Rows of each class, in the order of the classes; nothing for a regression."""
    if dataset.contract.task == "regression":
        return {}
    found = dataset.labels().value_counts()
    return {label: int(found.get(label, 0)) for label in dataset.contract.classes}


def rare_rows(dataset: Rows, limit: int, level: Severity) -> list[Check]:
    """Whether there are enough rows of the rarest class, on all sides of the split, to tell how well it is met.

    Args:
        dataset: All rows.
        limit: The fewest that are enough.
        level: Severity of the check.
    """
    return _fewest(
        "imbalance",
        dataset,
        limit,
        level,
        "rows of the rarest class '{label}', {share} of all",
        "scores of it have wide intervals; collect {short} more, or choose a metric that does not rest on it",
    )


def class_rows(dataset: Rows, limit: int, level: Severity) -> list[Check]:
    """Whether there are enough rows of each class to learn it from.

    Args:
        dataset: The rows that are learnt from.
        limit: The fewest that are enough.
        level: Severity of the check.
    """
    return _fewest(
        "class_rows",
        dataset,
        limit,
        level,
        "rows of the rarest class '{label}' to train on",
        "{short} more would do, or leave the class out",
    )


def _fewest(name: str, dataset: Rows, limit: int, level: Severity, what: str, advice: str) -> list[Check]:
    counts = class_counts(dataset)
    if not counts:
        return []
    rarest = min(counts, key=lambda label: counts[label])
    least, rows = counts[rarest], max(sum(counts.values()), 1)
    message = what.format(label=rarest, share=f"{number(100 * least / rows)} %")
    if least < limit:
        message += "; " + advice.format(short=f"{limit - least:,}")
    return [at_least(name, float(least), float(limit), message, level=level)]
