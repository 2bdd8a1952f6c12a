"""Every column beside the target, from a sample of the training rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ciclo.components.core.histograms import FEW, ROWS, TONES, Bin, Distribution
from ciclo.components.core.metrics import Array
from ciclo.components.core.wording import counted, number
from ciclo.components.tables.datasets import Dataset

BINS = 24
TAIL = 0.01  # share of rows at either end that do not stretch the scale
SINGLE = 20  # different numbers up to which each has a bin of its own


def target_parts(sample: Dataset) -> tuple[Array, list[str]]:
    """What is told of the target in every row, and the names of it.

    Args:
        sample: The rows.

    Returns:
        Shape ``(rows, parts)``: of two classes whether it is the positive one, of more whether it is each of the most
        frequent, and any other; of a number the number itself. And the classes in that order.
    """
    contract = sample.contract
    if contract.task == "regression":
        return np.asarray(sample.y, dtype="float64")[:, None], []
    labels = sample.labels().to_numpy()
    if len(contract.classes) == 2:
        return (labels == contract.classes[1])[:, None].astype("float64"), [contract.classes[1]]
    order = sorted(contract.classes, key=lambda label: -int((labels == label).sum()))
    own = order if len(order) <= len(TONES) else order[: len(TONES) - 1]
    parts = [labels == label for label in own]
    if len(own) < len(order):
        parts.append(~np.logical_or.reduce(parts))
    return np.column_stack(parts).astype("float64"), order


def distributions(sample: Dataset, names: Sequence[str]) -> list[Distribution]:
    """Bin columns, and tell of each bin what its target is.

    Args:
        sample: Rows in memory.
        names: The columns.
    """
    target, _ = target_parts(sample)
    kinds = {column.name: column.type for column in sample.contract.columns}
    return [_distribution(name, kinds[name], sample.X[name], target) for name in names]


def target_distribution(sample: Dataset) -> Distribution:
    """The target of a regression by itself.

    Args:
        sample: Rows in memory.
    """
    return _distribution(sample.contract.target, "number", sample.labels(), np.zeros((len(sample), 0)))


def _distribution(name: str, kind: str, values: pd.Series, target: Array) -> Distribution:
    usual = tuple(target.mean(axis=0).tolist()) if len(target) else ()
    absent = values.isna().to_numpy()
    missing = _bin("missing", absent, target)
    if kind == "boolean":
        values = values.map({0.0: "false", 1.0: "true"}).astype(object)
    if values.dtype == object:
        found = values.value_counts()
        kept = list(found.index[:ROWS])
        bins = [_bin(str(value), (values == value).to_numpy(), target) for value in kept]
        if len(found) > len(kept):
            rest = ~absent & ~values.isin(kept).to_numpy()
            bins.append(_bin(counted(len(found) - len(kept), "other"), rest, target))
        return Distribution(name, tuple(bins), missing, number=False, usual=usual)
    numbers = values.to_numpy(dtype="float64")
    known = numbers[np.isfinite(numbers)]
    distinct = np.unique(known)
    if distinct.size <= SINGLE:
        bins = [_bin(number(float(value)), numbers == value, target) for value in distinct]
        return Distribution(name, tuple(bins), missing, number=True, usual=usual)
    low, high = np.quantile(known, [TAIL, 1 - TAIL])
    if not low < high:
        low, high = float(distinct[0]), float(distinct[-1])
    edges = np.linspace(low, high, BINS + 1)
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, BINS - 1)
    place[~np.isfinite(numbers)] = -1
    labels = [number(float(edge)) for edge in edges]
    labels[0] = f"≤ {labels[0]}" if distinct[0] < low else labels[0]
    end = f"≥ {labels[-1]}" if distinct[-1] > high else labels[-1]
    bins = [_bin(labels[i], place == i, target) for i in range(BINS)]
    return Distribution(name, tuple(bins), missing, number=True, usual=usual, end=end)


def _bin(label: str, chosen: Array, target: Array) -> Bin:
    rows = int(chosen.sum())
    return Bin(label, rows, tuple(target[chosen].mean(axis=0).tolist()) if rows >= FEW else ())
