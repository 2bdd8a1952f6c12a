"""The champion of today as a rival: read if it can be, and asked about rows it has surely not seen.

Whatever keeps the two from being compared is a reason in words and no error: the candidate is then published for a
person to decide on.

A champion that holds a refitted model is asked through its tested one. The challenger is a tested model as well, and
when one of the two serves, it does so refitted, later by the length of its test rows. So on the test rows the two
tested models differ in age as the two refitted ones will on the rows that follow. The champion's refitted model would
be younger by that length than what it stands for here, which counts against the challenger; and where a run follows
soon, it has seen part of the test rows. What the tested one has seen ends with the ``train_end`` of its lineage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import CicloError
from ciclo.components.core.metrics import Array, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.recipe import changed, recipe
from ciclo.components.core.splits import end_of_training, fingerprint, same_clock, unseen_by_hash
from ciclo.components.core.threshold import Rule
from ciclo.components.core.wording import counted, listed
from ciclo.components.releases.names import CHAMPION
from ciclo.components.releases.registry import Registry
from ciclo.components.storage.bundle import Bundle
from ciclo.components.tables.datasets import Dataset


@dataclass(frozen=True)
class Champion:
    """The version that is the champion.

    Attributes:
        version: Its number.
        bundle: The version, verified; None if it cannot be read.
        problem: Why it cannot be read.
    """

    version: int
    bundle: Bundle | None
    problem: str = ""


@dataclass(frozen=True)
class Answers:
    """What the champion predicts for the test rows it has not seen.

    Attributes:
        predicted: Predictions on all test rows as the metric needs them, or None.
        unseen: Which test rows it has surely not seen, shape ``(rows,)``.
        problem: Why there are none; empty if there are.
    """

    predicted: Array | None
    unseen: Array
    problem: str = ""


@dataclass(frozen=True)
class Gate:
    """What a candidate has to show.

    Attributes:
        name: ``first``: there is no champion yet. ``change``: it is of another recipe than the champion, and has to be
            better. ``refresh``: it is of the same recipe on newer rows, or under other costs of an error, and must not
            be worse by a margin.
        why: Why it is that one, as a clause.
    """

    name: Literal["first", "change", "refresh"]
    why: str


FIRST = Gate("first", "there is no champion yet")


def gate_of(champion: Champion | None, project: Project, train_end: str | None, dataset: str, rows: int) -> Gate:
    """Which gate a candidate of today goes through, told from the lineage of the champion.

    Args:
        champion: The champion, or None if there is none yet.
        project: The project of today.
        train_end: Time of the newest training row of today, ISO; None where rows have no times.
        dataset: sha256 of the cleaned rows of today.
        rows: How many these are. Without times, more than the champion had are newer rows; others are other rows.
    """
    if champion is None:
        return FIRST
    who = f"version {champion.version}"
    if champion.bundle is None:
        return Gate("change", f"the recipe of {who} cannot be read")
    lineage = champion.bundle.lineage
    parts = changed(recipe(project), lineage.get("recipe"))
    if parts is None:
        return Gate("change", f"the lineage of {who} does not hold its recipe")
    if parts:
        return Gate("change", f"the recipe is another than that of {who}: {listed(parts)}")
    then = str(lineage.get("train_end") or "") if same_clock(fingerprint(project), lineage) else ""
    if train_end and then:
        newer = pd.Timestamp(train_end) > pd.Timestamp(then)
    else:
        data = lineage.get("data")
        newer = (
            isinstance(data, Mapping)
            and data.get("dataset_digest") not in (None, dataset)
            and rows > int(data.get("rows", 0))
        )
    if not newer and (rule := _another_label_rule(lineage, project)):
        return Gate("refresh", f"the recipe is that of {who}, and its labels went by {rule}")
    if not newer:
        return Gate("change", f"the recipe is that of {who}, and no row is newer")
    return Gate("refresh", f"the recipe is that of {who}, and the rows are newer")


def _another_label_rule(lineage: Mapping[str, Any], project: Project) -> str:
    """By what the champion's label threshold was chosen, where that is no longer what the project asks for.

    Other costs of an error are no other recipe, and a metric of ranks does not show them.
    """
    model = lineage.get("model")
    then = str(model.get("threshold_by") or "") if isinstance(model, Mapping) else ""
    return "" if not then or then == Rule.of(project.metric, project.evaluation.costs).text else then


def read_origin(registry: Registry, champion: Champion, folder: Path) -> Champion | None:
    """The version whose refreshes led to the champion, or None if the champion is itself one that had to be better.

    Each refresh may be a little worse. So that many of them do not add up, a refresh is also compared with the last
    version that was no refresh.
    """
    origin = champion.bundle.lineage.get("refreshed_from") if champion.bundle else None
    if not isinstance(origin, int) or origin == champion.version:
        return None
    try:
        bundle = registry.fetch(origin, folder)
        _ = bundle.contract, bundle.lineage
        return Champion(origin, bundle)
    except CicloError as error:
        return Champion(origin, None, f"it cannot be read: {_clause(error)}")


def read_champion(registry: Registry, folder: Path) -> Champion | None:
    """The champion, verified, or None if there is none yet.

    Args:
        registry: The versions of a project.
        folder: Where its files are put.
    """
    alias = registry.alias(CHAMPION)
    if alias is None:
        return None
    try:
        bundle = registry.fetch(alias.version, folder)
        _ = bundle.contract, bundle.lineage  # all that is asked of it beside its model
        return Champion(alias.version, bundle)
    except CicloError as error:
        return Champion(alias.version, None, f"it cannot be read: {_clause(error)}")


def ask(champion: Champion, project: Project, test: Dataset, known: Dataset) -> Answers:
    """Let the champion answer the test rows, and say which of them it has not seen.

    It has seen none of the test rows where the split is the very same stable hash, but for some of those that are equal
    in its features, where these are others. Otherwise only rows later than its training are sure to be new to it.

    Args:
        champion: The champion.
        project: The project of today.
        test: The test rows of today.
        known: All others.
    """
    bundle = champion.bundle
    if bundle is None:
        return Answers(None, np.zeros(len(test), dtype=bool), champion.problem)
    unseen, problem = _unseen(bundle.lineage, project, test, known), _differs(bundle.contract, project, test)
    rows = int(unseen.sum())
    if not problem and rows < project.evaluation.minimum_rows:
        problem = (
            f"it was trained under another split, and {counted(rows, 'test row is', 'test rows are')} surely "
            f"new to it, fewer than evaluation.minimum_rows ({project.evaluation.minimum_rows})"
        )
    if problem:
        return Answers(None, unseen, problem)
    contract = bundle.contract
    try:
        predicted = predictions(project.metric.needs, bundle.model(), contract.frame(test.rows), contract.codes)
    except CicloError as error:
        return Answers(None, unseen, f"it cannot be loaded: {_clause(error)}")
    except Exception as error:  # a model of other times may fail in any way
        return Answers(None, unseen, f"it cannot answer these rows: {type(error).__name__}: {str(error)[:200]}")
    return Answers(predicted, unseen)


def _clause(error: Exception) -> str:
    return str(error).rstrip(".")


def _differs(theirs: Contract, project: Project, test: Dataset) -> str:
    """In what the champion is about something else, or nothing."""
    ours = test.contract
    for what, then, today in (
        ("predicts", theirs.target, ours.target),
        ("has the task", theirs.task, ours.task),
        ("knows the classes", ", ".join(theirs.classes), ", ".join(ours.classes)),
    ):
        if then != today:
            return f"it {what} {then or 'none'}, and today that is {today or 'none'}"
    gone = [name for name in theirs.names if name not in test.rows.columns]
    if gone:
        return f"it needs columns that are gone: {listed(gone)}"
    columns = project.data.columns
    for column in theirs.columns:
        if column.name in columns and columns[column.name].type != column.type:
            return f"it reads column '{column.name}' as {column.type}, and today that is {columns[column.name].type}"
    return ""


def _unseen(lineage: Mapping[str, Any], project: Project, test: Dataset, known: Dataset) -> Array:
    """Which test rows the champion was surely not trained on."""
    later, end = np.zeros(len(test), dtype=bool), end_of_training(fingerprint(project), lineage)
    if end and project.data.time_column is not None:
        later = (test.rows[project.data.time_column] > pd.Timestamp(end)).to_numpy(dtype=bool)
    by_hash = unseen_by_hash(project, lineage.get("split"), test.rows, known.rows)
    return later if by_hash is None else later | by_hash
