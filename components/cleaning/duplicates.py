"""Rows that are the same: by which columns, which of them stays, and why the others do not."""

from typing import Any

import ibis

from ciclo.components.core.own_columns import LINE
from ciclo.components.core.project import Project


def key_columns(project: Project) -> tuple[str, ...]:
    """The columns in which duplicates are the same; none stands for all columns."""
    return project.cleaning.duplicates.by or project.data.id_columns


def needs_key(project: Project) -> bool:
    """Whether rows are the same by something else than their identity."""
    return set(key_columns(project)) != set(project.data.id_columns)


def precedence(rows: Any, project: Project) -> list[Any]:
    """In which order rows that are the same come: the first of them stays.

    The latest has the greatest time; of equal times, or where rows have none, it is the last line.

    Args:
        rows: The rows, typed.
        project: The policy.
    """
    if project.cleaning.duplicates.keep != "latest":
        return [rows[LINE]]
    times = [ibis.desc(rows[project.data.time_column])] if project.data.time_column else []
    return [*times, ibis.desc(rows[LINE])]


def duplicate_reason(project: Project) -> str:
    """Why a row is quarantined that is the same as another; empty where it is kept."""
    policy = project.cleaning.duplicates
    if policy.keep == "all":
        return ""
    what = ", ".join(map(repr, policy.by)) if policy.by else "id" if project.data.id_columns else "values"
    return f"duplicate: the same {what} as {'a later' if policy.keep == 'latest' else 'an earlier'} row"


def replaced_reason(project: Project) -> str:
    """The reason of a row that a later one replaces, which is no fault of the source; empty where none does."""
    return duplicate_reason(project) if project.cleaning.duplicates.keep == "latest" else ""
