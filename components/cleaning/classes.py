"""The classes of the target, in the order every later stage counts them."""

from collections.abc import Sequence

from ciclo.components.core.errors import DataError, ProjectError, UnusableError
from ciclo.components.core.metrics import Task
from ciclo.components.core.project import Project
from ciclo.components.core.wording import did_you_mean


def class_labels(project: Project, observed: Sequence[object]) -> tuple[str, ...]:
    """The class labels as text; for a binary task the second is the positive one.

    Args:
        project: Gives the task, the declared categories and the positive class.
        observed: The different target values of the kept rows.

    Returns:
        Declared categories in their order, else false before true, else the observed labels sorted; empty for
        regression.

    Raises:
        UnusableError: If the target is constant.
        DataError: If it has another number of classes than the task.
        ProjectError: If the positive class is none of them, or regression was asked of text.
    """
    column, name = project.data.columns[project.data.target], project.data.target
    if len(observed) < 2:
        raise UnusableError(
            f"the target '{name}' has only one value", seen=", ".join(map(_label, observed)), hint="Nothing to learn."
        )
    if project.task == "regression":
        if column.type not in ("number", "integer"):
            raise ProjectError(f"training.task: regression needs a number, and the target '{name}' is {column.type}")
        return ()
    labels = column.categories or tuple(_label(value) for value in sorted(observed))  # type: ignore[type-var]
    return _checked(labels, project.task, project.training.positive, name)


def _label(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _checked(labels: tuple[str, ...], task: Task, positive: str | None, name: str) -> tuple[str, ...]:
    seen = ", ".join(labels[:10])
    if task == "binary" and len(labels) != 2:
        raise DataError(
            f"a binary task needs two classes, and the target '{name}' has {len(labels)}",
            seen=seen,
            hint="Set training.task to multiclass.",
        )
    if positive is None or task != "binary":
        return labels
    if positive not in labels:
        raise ProjectError(
            f"training.positive '{positive}' is not a class of '{name}'{did_you_mean(positive, labels)}", seen=seen
        )
    return (*(label for label in labels if label != positive), positive)
