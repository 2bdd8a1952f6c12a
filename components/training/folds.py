"""Which rows a trial is fitted on and which it is scored on.

A single validation split is enough where it is large: at 1,000 rows with 100 of the rarest class the standard error of
an AUC is about 0.025 and falls with the root of the rows (Hanley and McNeil, The Meaning and Use of the Area under a
ROC Curve, 1982), and the trials of one search share it. Below that, twenty trials on one split choose the luckiest, so
trials are scored by cross-validation on the training and validation rows together. The limits are a rule of thumb.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ciclo.components.core.clusters import entities_of
from ciclo.components.core.errors import TrainingError
from ciclo.components.core.metrics import Array
from ciclo.components.core.project import Project
from ciclo.components.core.wording import counted
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.folds import FOLDS, Fold, one_sided, partition, several, ways

LARGE = 1_000  # validation rows from which one split is enough
LARGE_CLASS = 100  # of the rarest class among them
FIRST_RUNG = 4_000  # training rows from which a trial is tried on a quarter of them first
SCORED = 20_000  # validation rows that are scored at least, where there are so many: that costs little
CELLS = 4_000_000  # most values a trial is fitted on; a table of 2,000 columns is searched on 2,000 rows


@dataclass(frozen=True)
class Plan:
    """How trials are scored.

    Attributes:
        rows: The rows it is about, a sample of the training and validation rows.
        steps: Positions of the rows to fit on and of those to score on.
        averaged: Whether the score of a trial is the mean of its steps; otherwise it is that of the last one, and the
            steps before it tell early which trials are not worth finishing.
        text: The plan in words.
        most_rows: Most rows of a trial, and of what is learnt for the labels.
    """

    rows: Dataset
    steps: tuple[Fold, ...]
    averaged: bool
    text: str
    most_rows: int

    @property
    def fitted_on(self) -> int:
        """Rows of the largest fit."""
        return max(len(fit) for fit, _ in self.steps)


def plan_for(project: Project, dataset: Dataset, seed: int) -> Plan:
    """Plan the trials: one split where the validation rows are many, else cross-validation.

    Args:
        project: Gives the split and the most rows.
        dataset: Training and validation rows.
        seed: Of sampling and shuffling.
    """
    most = max(10, min(project.training.search_rows, CELLS // max(1, len(dataset.contract.columns))))
    train = dataset.split("train")
    if _is_large(dataset.split("validation")) and several(train, np.arange(len(train))):
        held_out = dataset.split("validation").sample(max(SCORED, project.training.search_rows), seed)
        return _single(train.sample(most, seed), held_out, most, seed)
    rows = dataset.sample(most, seed)
    if project.split_method == "time":
        return _in_time(rows, most)
    kept = f" that keep the rows of {_whose(project)} together" if entities_of(project, rows.rows) is not None else ""
    return Plan(rows, tuple(partition(project, rows, seed)), True, f"{FOLDS}-fold cross-validation{kept}", most)


def _whose(project: Project) -> str:
    return "an id" if project.cleaning.split.group is None else f"one '{project.cleaning.split.group}'"


def _in_time(rows: Dataset, most: int) -> Plan:
    """Each part of the time by what was before it, as far as both have several classes."""
    cuts = [list(_forward(block)) for block in ways(rows, FOLDS + 1)]
    if not cuts[0]:
        raise TrainingError("all rows are of one time, so that none can be tested on later ones")
    known = [tuple(step for step in cut if all(several(rows, side) for side in step)) for cut in cuts]
    number, steps = next(((n, steps) for n, steps in enumerate(known) if steps), (0, ()))
    parts = one_sided(rows, FOLDS + 1)
    if not steps:
        raise TrainingError(f"no part of the time can be scored by what was before it: {parts}")
    text = f"{counted(len(steps), 'part')} of the time, each after all it is fitted on"
    if number:
        text += f", cut where the rarest class is: {parts}"
    elif len(steps) < len(cuts[0]):
        text += f"; {len(cuts[0]) - len(steps)} more cannot be learnt from or scored: {parts}"
    return Plan(rows, steps, True, text, most)


def _single(train: Dataset, validation: Dataset, most: int, seed: int) -> Plan:
    rows = Dataset(train.contract, pd.concat([train.rows, validation.rows]))
    every, held_out = np.arange(len(train)), np.arange(len(train), len(rows))
    steps = [(every, held_out)]
    if len(train) >= FIRST_RUNG:
        few = np.sort(np.random.default_rng(seed).choice(len(train), len(train) // 4, replace=False))
        steps.insert(0, (few, held_out))
    return Plan(rows, tuple(steps), False, counted(len(validation), "validation row"), most)


def _is_large(validation: Dataset) -> bool:
    if len(validation) < LARGE or validation.contract.task == "regression":
        return len(validation) >= LARGE
    return int(np.bincount(validation.y, minlength=len(validation.contract.classes)).min()) >= LARGE_CLASS


def _forward(block: Array) -> Iterator[Fold]:
    for later in range(1, int(block.max()) + 1):
        yield np.flatnonzero(block < later), np.flatnonzero(block == later)
