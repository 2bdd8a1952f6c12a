"""The checks that look for what will not be known when a prediction is wanted, and for test rows that were seen."""

from ciclo.components.core.clusters import Groups
from ciclo.components.core.project import Project
from ciclo.components.core.verdict import Check, Severity, at_most
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.entities import SeenRows, names_an_entity, share_known, sizes_of
from ciclo.components.tables.leaks import Leak, Leaks, leaks
from ciclo.components.tables.stored import Rows

MOST_SHOWN = 10
SEEN = 0.01  # share of the test rows
LEAST_SEEN = 3  # of them; one pair of equal flowers is no finding
# What to do about one column, and about several.
_LATE = (
    "usually known only after the outcome: ignore it",
    "usually known only after the outcome: ignore those that are",
)
_ADVICE = (
    "is it known before the outcome? If not, ignore it",
    "are they known before the outcome? If not, ignore them",
)


def search(project: Project, train: Dataset, held_out: Dataset) -> Leaks:
    """Look for leaks on samples of the training and of the validation rows."""
    groups = Groups.of(project, held_out.rows).of_rows
    return leaks(train, held_out, project.validation.leakage, groups)


def leak_checks(found: Leaks, limit: float, level: Severity) -> list[Check]:
    """What is a leak beyond doubt, of level ``level``; or a check that passed with the strongest column."""
    errors = found.errors[:MOST_SHOWN]
    if errors:
        return [_check("leakage", leak, level, _LATE[len(leak.columns) > 1]) for leak in errors]
    if not found.telling:
        return [Check(name="leakage", passed=True, level=level, message="too few rows to tell")]
    name, score = next(iter(found.relations.items()))
    text = f"'{name}' is the strongest column alone, and no column or combination is surely over the limit"
    return [Check(name="leakage", passed=True, level=level, value=score, limit=limit, message=text)]


def doubt_checks(found: Leaks, level: Severity) -> list[Check]:
    """What is only strange; or a check that passed."""
    doubts = [leak for leak in found.found if leak.level != "error"][:MOST_SHOWN]
    if doubts:
        return [_check("near_leakage", leak, level, _ADVICE[len(leak.columns) > 1]) for leak in doubts]
    return [Check(name="near_leakage", passed=True, level=level, message="no column or model is too good")]


def _check(name: str, leak: Leak, level: Severity, advice: str) -> Check:
    return Check(
        name=name, passed=False, level=level, value=leak.score, limit=leak.limit, message=f"{leak.text}; {advice}"
    )


def seen_rows(dataset: Rows, level: Severity) -> list[Check]:
    """The share of the test rows whose features stand in training as they are."""
    test, known = dataset.split("test"), dataset.split("train", "validation")
    seen = SeenRows(len(test), len(known))
    ours, theirs = test.features, known.features
    for name in ours.columns:
        if seen.is_settled:
            break
        seen.add(ours[name], theirs[name])
    share, limit = seen.share, max(SEEN, min(2 * seen.by_chance, 1.0), (LEAST_SEEN - 1) / max(len(test), 1))
    message = "share of the test rows whose features stand in training as they are"
    message += "; a model may know them by heart" if share > limit else ""
    return [at_most("seen_rows", share, limit, message, level=level)]


def shared_entities(project: Project, dataset: Rows, level: Severity) -> list[Check]:
    """For each column that names people or things: the share of the test rows whose person stands in training too.

    Of rows in time that is as it will be in service; and ids, or the group of the split, are never on both sides.
    """
    if project.split_method == "time":
        return []
    test, known = dataset.split("test"), dataset.split("train", "validation")
    apart = {project.data.target, project.cleaning.split.group, *project.data.id_columns}
    checks = []
    for name, column in project.data.columns.items():
        if name in apart or column.type not in ("integer", "category"):
            continue
        if not names_an_entity(name, sizes_of(dataset.column(name))):
            continue
        share = share_known(test.column(name), known.column(name))
        message = (
            f"share of the test rows whose '{name}' stands in training too; a model may recognise it: set "
            f"cleaning.split.group to '{name}'"
        )
        if share > SEEN:
            checks.append(at_most("shared_entities", share, SEEN, message, level=level))
    if checks:
        return checks[:MOST_SHOWN]
    message = "no person or thing stands on both sides of the split"
    return [Check(name="shared_entities", passed=True, level=level, message=message)]
