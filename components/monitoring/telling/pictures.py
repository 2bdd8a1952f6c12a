"""The picture of a column that moved, as PNG: mail shows no SVG. It is drawn only when people are told."""

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.wording import clean
from ciclo.components.monitoring.records import Decision
from ciclo.components.monitoring.telling.explanation import View, affected

BARS = 12


def picture(decision: Decision, view: View) -> bytes:
    """Draw the column a decision is most about; nothing where there is none to draw."""
    for column in affected(decision, view):
        if column.drift is not None and any(column.drift.counts):
            return drift_picture(
                f"{column.name}: moved by {column.drift.effect:.2f}", column.profile, column.drift.counts
            )
    return b""


def drift_picture(title: str, reference: ColumnProfile, counts: Sequence[int]) -> bytes:
    """Draw a column in training and in a window, side by side, as PNG.

    Args:
        title: Title of the picture.
        reference: The column in training.
        counts: Rows of the window in its bins, shape ``(bins,)``. Of many only those with the most rows are drawn.
    """
    from matplotlib.figure import Figure

    training, window = _shares(reference.counts), _shares(counts)
    drawn = np.flatnonzero(training + window)
    if len(drawn) > BARS:
        drawn = np.sort(drawn[np.argsort(-(training + window)[drawn], kind="stable")[:BARS]])
    at, labels = np.arange(len(drawn)), reference.bin_names
    figure = Figure(figsize=(5.6, 2.8), layout="constrained")  # not pyplot's: that keeps global state among threads
    axes = figure.subplots()
    axes.bar(at - 0.2, training[drawn] * 100, 0.4, label="training", color="#93a1af")
    axes.bar(at + 0.2, window[drawn] * 100, 0.4, label="now", color="#0b6e99")
    names = [clean(labels[i], 18) for i in drawn]
    axes.set_xticks(at, names, rotation=35, ha="right", fontsize=7)
    axes.set_ylabel("% of rows", fontsize=8)
    axes.set_title(clean(title, 60), loc="left", fontsize=9, parse_math=False)
    axes.tick_params(axis="y", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    for label in axes.get_xticklabels():
        label.set_parse_math(False)  # a pair of dollars would be read as mathematics
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters the font does not have
        figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _shares(counts: Sequence[int]) -> Any:
    numbers = np.asarray(counts, dtype="float64")
    return numbers / max(numbers.sum(), 1)
