"""Which rows a model has seen: the fingerprint of a split, and what may judge a model that was split another way.

A row is on the same side in two runs only if everything that decides its side is the same: the method, the shares, what
is hashed, and how the hashed columns are read. A champion whose fingerprint is another one may have been trained on the
test rows of today.

Rows that are equal in all features and kept together go where their features lead, and every other row goes by its
identity. So another feature moves no row that is like no other, and of those the champion goes on to be asked.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ciclo.components.core.cleaning_policy import lasting
from ciclo.components.core.metrics import Array
from ciclo.components.core.own_columns import ROW_ID
from ciclo.components.core.project import Project
from ciclo.components.core.values import EDITION

HASH = "md5 of the identity, first 12 hex digits"
COPIES = f"{HASH}; of a copy, with its number"
DIGITS = 12


def fingerprint(project: Project) -> dict[str, Any]:
    """What decides the side of a row, as flat JSON values.

    Returns:
        ``method``, the shares, ``time_column``, and for a split by hash ``hash``, the ``group`` if there is one, the
        ``edition`` of the rules by which values are read, and ``identity``: a digest of the columns that decide the
        side of a row and of how they are read. ``digest`` is over all of it. ``clock`` is over how the time is read.
        ``equal_in`` are the columns in which rows are equal that are kept together, as a list in JSON, and
        ``equal_digest`` is over how they are read.
    """
    split, method, time = project.cleaning.split, project.split_method, project.data.time_column
    parts: dict[str, Any] = {
        "method": method,
        "validation": split.validation,
        "test": split.test,
        "time_column": time or "",
    }
    if method == "hash":
        named = project.data.id_columns or tuple(project.data.columns)
        if split.group is not None:  # and a row without one goes by the others
            parts["group"] = split.group
            named = tuple({*named, split.group})
        read = {name: project.data.columns[name].reading() for name in sorted(named)}
        parts |= {
            "hash": COPIES if copies_fall_apart(project) else HASH,
            "edition": EDITION,
            "identity_columns": ", ".join(sorted(named)),
            "identity": _digest(read),
        }
    equal_in = sorted(hashed_features(project)) if method == "hash" and split.equal_rows == "together" else []
    alike = {name: project.data.columns[name].reading() for name in equal_in}
    clock = "" if time is None else _digest(project.data.columns[time].reading())
    return {
        **parts,
        "clock": clock,
        "digest": _digest(parts),
        "equal_in": json.dumps(equal_in),
        "equal_digest": _digest(alike),
    }


def copies_fall_apart(project: Project) -> bool:
    """Whether rows that are equal in all columns go each by itself.

    They have one identity where there are no ids, and on one side all rows of a pattern with one label would be apart
    from those with another, so that a model learns the wrong share of them.
    """
    cleaning = project.cleaning
    return cleaning.split.equal_rows == "apart" and cleaning.duplicates.keep == "all" and not project.data.id_columns


def threshold(share: float) -> str:
    """The hex digits below which that share of the identities lies; as text they compare like the number they spell."""
    return f"{round(share * 16**DIGITS):0{DIGITS}x}"


def hashed_features(project: Project) -> tuple[str, ...]:
    """The features that decide the side of a row where equal rows are kept together.

    One that may be dropped is not among them: rows that differ in it alone are equal once it is, and whether it is
    depends on the sides.
    """
    return tuple(lasting(project.cleaning, project.features))


def unseen_by_hash(project: Project, theirs: object, test: pd.DataFrame, known: pd.DataFrame) -> Array | None:
    """Which test rows another model has not been trained on, by the hash that both were split by.

    Where the same equal rows were kept together these are all, but for one that has become equal to another since.
    Otherwise it is a row that is a test row by its own identity, and like no other in what was equal then.

    Args:
        project: The project of today.
        theirs: The fingerprint in the lineage of the other model.
        test: The test rows of today, typed.
        known: All other rows.

    Returns:
        Shape ``(test rows,)``; None where the other model was split another way.
    """
    ours = fingerprint(project)
    if ours["method"] != "hash" or not isinstance(theirs, Mapping) or theirs.get("digest") != ours["digest"]:
        return None
    then = json.loads(theirs.get("equal_in") or "[]")
    if theirs.get("equal_digest", _digest({})) == ours["equal_digest"]:
        return np.ones(len(test), dtype=bool)
    if not set(then) <= set(test.columns):
        return np.zeros(len(test), dtype=bool)
    unseen: Array = (test[ROW_ID].str[:DIGITS] < threshold(float(project.cleaning.split.test))).to_numpy(dtype=bool)
    if then:
        unseen = unseen & ~pd.concat([test[then], known[then]]).duplicated(keep=False).to_numpy()[: len(test)]
    group = project.cleaning.split.group
    return unseen if group is None else unseen | test[group].notna().to_numpy()


def end_of_training(ours: Mapping[str, Any], lineage: Mapping[str, Any]) -> str:
    """The time after which a model has surely seen no row, ISO; empty if it is not known in the time of today.

    Args:
        ours: Fingerprint of today.
        lineage: Lineage of the model.
    """
    theirs = lineage.get("split")
    known = isinstance(theirs, Mapping) and ours["time_column"] != ""
    return str(lineage.get("train_end") or "") if known and same_clock(ours, lineage) else ""


def same_clock(ours: Mapping[str, Any], lineage: Mapping[str, Any]) -> bool:
    """Whether the times of a model are read from the same column in the same way, or nothing says that they are not."""
    theirs = lineage.get("split")
    parts = ("time_column", "clock")
    return not isinstance(theirs, Mapping) or all(theirs.get(part) == ours.get(part) for part in parts)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
