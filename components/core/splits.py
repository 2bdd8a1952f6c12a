"""Which rows a model has seen: the fingerprint of a split, and what may judge a model that was split another way.

A row is on the same side in two runs only if everything that decides its side is the same: the method, the shares, what
is hashed, and how the hashed columns are read. Where equal rows are kept together that is every feature, so that
another feature makes another split. A champion whose fingerprint is another one may have been trained on the
test rows of today.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ciclo.components.core.cleaning_policy import lasting
from ciclo.components.core.project import Project
from ciclo.components.core.values import EDITION

HASH = "md5 of the identity, first 12 hex digits"
EQUAL_ROWS = "md5 of the features, first 12 hex digits"


def fingerprint(project: Project) -> dict[str, Any]:
    """What decides the side of a row, as flat JSON values.

    Returns:
        ``method``, the shares, ``time_column``, and for a split by hash ``hash``, the ``group`` if there is one, the
        ``edition`` of the rules by which values are read, and ``identity``: a digest of the columns that decide the
        side of a row and of how they are read. ``digest`` is over all of it.
    """
    split, method = project.cleaning.split, project.split_method
    parts: dict[str, Any] = {
        "method": method,
        "validation": split.validation,
        "test": split.test,
        "time_column": project.data.time_column or "",
    }
    if method == "hash":
        together = split.equal_rows == "together"
        named = hashed_features(project) if together else project.data.id_columns or tuple(project.data.columns)
        if split.group is not None:  # and a row without one goes by the others
            parts["group"] = split.group
            named = tuple({*named, split.group})
        read = {name: project.data.columns[name].reading() for name in sorted(named)}
        parts |= {
            "hash": EQUAL_ROWS if together else HASH,
            "edition": EDITION,
            "identity_columns": ", ".join(sorted(named)),
            "identity": _digest(read),
        }
    return {**parts, "digest": _digest(parts)}


def hashed_features(project: Project) -> tuple[str, ...]:
    """The features that decide the side of a row where equal rows are kept together.

    One that may be dropped is not among them: rows that differ in it alone are equal once it is, and whether it is
    depends on the sides.
    """
    return tuple(lasting(project.cleaning, project.features))


def same_split(ours: Mapping[str, Any], theirs: object) -> bool:
    """Whether two models were tested on the same side: both by the same hash, with nothing changed.

    Args:
        ours: Fingerprint of today.
        theirs: What the lineage of the other model holds.
    """
    return isinstance(theirs, Mapping) and ours["method"] == "hash" and theirs.get("digest") == ours["digest"]


def end_of_training(ours: Mapping[str, Any], lineage: Mapping[str, Any]) -> str:
    """The time after which a model has surely seen no row, ISO; empty if it is not known in the time of today.

    Args:
        ours: Fingerprint of today.
        lineage: Lineage of the model.
    """
    theirs = lineage.get("split")
    same_clock = isinstance(theirs, Mapping) and theirs.get("time_column") == ours["time_column"] != ""
    return str(lineage.get("train_end") or "") if same_clock else ""


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
