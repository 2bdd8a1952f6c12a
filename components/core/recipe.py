"""The recipe of a model: everything a project says that makes another model of the same rows.

A newer model of the same recipe is the better bet where the world moves, and one of another recipe has to show that it
is better; so the gate asks which of the two it has before it. What is left out does not change what is being fitted:
how long the search may take, the seed, and the split, whose own fingerprint decides who may be compared.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ciclo.components.core.cleaning_policy import Cleaning
from ciclo.components.core.data_sections import Column
from ciclo.components.core.project import Project
from ciclo.components.core.values import EDITION

# Raised where a release fits other models of the same project: other defaults of the search, or other preprocessing.
RECIPES = 2
PARTS = ("features", "target", "candidates", "cleaning", "metric", "release")


def recipe(project: Project) -> dict[str, str]:
    """The recipe of a project, part by part, as digests.

    Returns:
        ``features`` with how they are read and what is refused; the ``target``; the ``candidates`` with their search
        spaces; the ``cleaning`` of values; the ``metric``; the ``release``, whose rules read values and whose defaults
        are searched.
    """
    target = project.data.columns[project.data.target]
    parts: dict[str, Any] = {
        "features": {name: _column(column) for name, column in project.features.items()},
        "target": [project.data.target, project.task, project.training.positive, _column(target)],
        "candidates": {name: candidate.model_dump(mode="json") for name, candidate in project.candidates.items()},
        "cleaning": _cleaning(project.cleaning),
        "metric": project.metric.name,
        "release": [EDITION, RECIPES],
    }
    return {name: hashlib.sha256(json.dumps(parts[name], sort_keys=True).encode()).hexdigest() for name in PARTS}


def changed(ours: Mapping[str, str], theirs: object) -> list[str] | None:
    """The parts in which two recipes differ.

    Args:
        ours: The recipe of today.
        theirs: What the lineage of the other model holds.

    Returns:
        None where the other recipe is not known.
    """
    if not isinstance(theirs, Mapping) or not theirs:
        return None
    return [part for part in PARTS if ours[part] != theirs.get(part)]


def _cleaning(cleaning: Cleaning) -> list[object]:
    """What is not said is left out, so that the models of before it could be said compare."""
    missing, duplicates = cleaning.missing, cleaning.duplicates
    stated: dict[str, object] = {
        "columns": {name: policy.model_dump(exclude_defaults=True) for name, policy in missing.columns.items()},
        "outliers": {name: policy.model_dump(exclude_defaults=True) for name, policy in cleaning.outliers.items()},
        "by": duplicates.by,
    }
    kept = {"first": "quarantine", "all": "keep"}.get(duplicates.keep, duplicates.keep)
    more = {name: value for name, value in stated.items() if value}
    return [{"numbers": missing.numbers, "delete": missing.delete}, kept, *([more] if more else [])]


def _column(column: Column) -> dict[str, object]:
    limits = {"minimum": column.minimum, "maximum": column.maximum, "nullable": column.nullable}
    cycle = {} if column.cycle is None else {"cycle": column.cycle}
    return {**column.reading(), **limits, **cycle}
