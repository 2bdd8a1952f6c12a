"""Folds of rows that keep together what belongs together: days, and the rows of one id.

Rows of one id are on the same side of every split, and so have to be in every fold: else a model that knows an id by
heart looks as if it could tell.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from ciclo.components.core.clusters import entities_of
from ciclo.components.core.errors import TrainingError
from ciclo.components.core.metrics import Array
from ciclo.components.core.project import Project
from ciclo.components.core.wording import counted
from ciclo.components.tables.datasets import Dataset

FOLDS = 5

Fold = tuple[Array, Array]


def partition(project: Project, rows: Dataset, seed: int, folds: int = FOLDS) -> list[Fold]:
    """Folds that leave out every row once: for predictions on the whole of the rows by models that did not see them.

    Rows in time are left out in blocks of whole days, since neighbours know each other's answers; rows of one id are
    left out together; else rows are shuffled, with the share of each class kept. A block without which there is but one
    class is not left out, since nothing can be learnt from the others.

    Args:
        project: The project.
        rows: The rows.
        seed: Of the shuffling.
        folds: How many.

    Raises:
        TrainingError: If the rows are too few, or no block can be left out.
    """
    if project.split_method == "time":
        cuts = [[(np.flatnonzero(b != n), np.flatnonzero(b == n)) for n in np.unique(b)] for b in ways(rows, folds)]
        found = max(
            ([fold for fold in cut if several(rows, fold[0])] for cut in cuts),
            key=lambda known: sum(held_out.size for _, held_out in known),
        )
        if not found:
            why = one_sided(rows, folds)
            raise TrainingError(f"nothing can be learnt from one part of the time about another: {why}")
        return found
    try:
        return dealt(rows, entities_of(project, rows.rows), folds, seed)
    except ValueError as error:
        raise TrainingError(
            f"{counted(len(rows), 'row is', 'rows are')} too few for cross-validation in {counted(folds, 'part')}",
            seen=str(error),
            hint="Give more rows.",
        ) from error


def dealt(rows: Dataset, together: Array | None, folds: int, seed: int) -> list[Fold]:
    """Shuffled folds that keep groups whole, and the shares of the classes alike.

    Args:
        rows: The rows.
        together: The group of each row, integers; None where each is by itself.
        folds: How many.
        seed: Of the shuffling.

    Raises:
        ValueError: If there are too few rows, or groups.
    """
    classes = rows.contract.task != "regression"
    options: dict[str, Any] = {"n_splits": folds, "shuffle": True, "random_state": seed}
    if together is None:
        splitter = (StratifiedKFold if classes else KFold)(**options)
    else:
        splitter = (StratifiedGroupKFold if classes else GroupKFold)(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer rows than folds is in some of them
        return list(splitter.split(np.zeros(len(rows)), rows.y, together))


def part_of(project: Project, rows: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """Take a share of the rows apart, all of an id or none of them.

    Returns:
        The others, and the rows that were taken.
    """
    together = entities_of(project, rows.rows)
    if together is None:
        taken = rows.rows.sample(frac=share, random_state=seed)
        return Dataset(rows.contract, rows.rows.drop(taken.index)), Dataset(rows.contract, taken)
    names = np.random.default_rng(seed).permutation(np.unique(together))
    inside = np.isin(together, names[: max(1, round(share * names.size))])
    return Dataset(rows.contract, rows.rows[~inside]), Dataset(rows.contract, rows.rows[inside])


def ways(rows: Dataset, count: int) -> list[Array]:
    """How to cut the time, the first the best: into parts of as many rows, or of a like share of every class.

    The second cuts a burst that holds all rows of a class, so that its one half can be asked about the other.
    """
    if rows.contract.task == "regression":
        return [blocks(rows, count)]
    return [blocks(rows, count), blocks(rows, count, 1 / np.bincount(rows.y)[rows.y])]


def blocks(rows: Dataset, count: int, weights: Array | None = None) -> Array:
    """Consecutive parts of the time, of whole days where there are days enough; integers from 0, shape ``(rows,)``.

    Args:
        rows: The rows.
        count: How many parts.
        weights: What each row counts in making them alike; None for one each.
    """
    times = rows.rows[rows.contract.time_column].reset_index(drop=True)
    days = times.dt.floor("D")
    unit = days if days.nunique() >= 2 * count else times
    counted = pd.Series(np.ones(len(rows)) if weights is None else weights).groupby(unit.to_numpy()).sum().sort_index()
    before = (counted.cumsum() - counted).to_numpy()  # of earlier days
    part = np.floor(before * count / counted.sum() + 1e-9).astype("int64")
    return np.asarray(np.unique(part[np.searchsorted(counted.index, unit)], return_inverse=True)[1])


def several(rows: Dataset, positions: Array) -> bool:
    """Whether some of the rows are of several classes; always so for values."""
    return rows.contract.task == "regression" or np.unique(rows.y[positions]).size > 1


def one_sided(rows: Dataset, count: int) -> str:
    """The parts of the time whose rows are of one class only, by name, as a clause; neighbours are told as one."""
    times: pd.Series = rows.rows[rows.contract.time_column].reset_index(drop=True)
    block, spans = blocks(rows, count), dict[str, list[list[Any]]]()
    last = ""
    for number in np.unique(block):
        inside = np.flatnonzero(block == number)
        name = "" if several(rows, inside) else rows.contract.classes[int(rows.y[inside[0]])]
        if name and name == last:
            spans[name][-1][1] = times[inside].max()
        elif name:
            spans.setdefault(name, []).append([times[inside].min(), times[inside].max()])
        last = name
    listing = {name: [f"{a:%Y-%m-%d %H:%M} to {b:%Y-%m-%d %H:%M}" for a, b in found] for name, found in spans.items()}
    return "; ".join(f"all rows are '{name}' from {' and from '.join(found)}" for name, found in listing.items())
