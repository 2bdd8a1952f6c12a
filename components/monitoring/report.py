"""The report of a tick, and the picture of a column that moved."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ciclo.components.core.profile import ColumnProfile, Profile
from ciclo.components.core.report import Report
from ciclo.components.monitoring.decision import Evidence
from ciclo.components.monitoring.drift import ColumnDrift
from ciclo.components.monitoring.records import Decision

FIGURES = 3
BARS = 15
_TONES = {"ok": "good", "watch": "warn", "recommend": "warn", "retrain": "warn", "blocked": "warn"}


def tick_report(project: str, decision: Decision, evidence: Evidence, profile: Profile) -> Report:
    """Show what one tick saw and what it decided.

    Args:
        project: Name of the project.
        decision: What it decided.
        evidence: What it saw.
        profile: The reference.
    """
    window = f"{decision.window_start:%Y-%m-%d %H:%M} to {decision.window_end:%Y-%m-%d %H:%M}"
    report = Report(
        f"{project}: {decision.action.replace('_', ' ')}", f"Version {decision.version}, window {window} UTC"
    )
    report.text(decision.reason, _TONES.get(decision.action, "bad"))
    report.section("Evidence").table(["fact", "value"], sorted(decision.evidence.items()))
    if evidence.drift is None:
        return report
    drift = evidence.drift
    compared = [*([drift.prediction] if drift.prediction else []), *drift.columns]
    report.section("Distance from the training rows").table(
        ["column", "effect", "p-value", "importance", "drifted"],
        [[c.name, c.effect, c.p_value, c.importance, "yes" if c.drifted else "no"] for c in compared],
    )
    for column in [c for c in compared if c.drifted or c.name in evidence.faults][:FIGURES]:
        reference = profile.prediction if column is drift.prediction else profile.columns[column.name]
        if reference is not None:
            report.figure(drift_figure(_caption(column), reference, column.counts))
    return report


def drift_figure(column_name: str, profile_column: ColumnProfile, counts: Sequence[int]) -> Any:
    """Draw a column in training and in a window, side by side.

    Args:
        column_name: Title of the picture.
        profile_column: The reference.
        counts: Rows of the window in its bins, shape ``(bins,)``.

    Returns:
        A matplotlib figure, for ``Report.figure``. Of many categories only those with the most rows are drawn.
    """
    from matplotlib.figure import Figure

    training, window = _shares(profile_column.counts), _shares(counts)
    shown = np.flatnonzero(training + window)
    if len(shown) > BARS:
        shown = np.sort(shown[np.argsort(-(training + window)[shown], kind="stable")[:BARS]])
    labels = [_short(profile_column.labels[i]) for i in shown]
    at = np.arange(len(shown))
    figure = Figure(figsize=(8, 2.8))  # not pyplot's: that keeps global state and is not safe among threads
    axes = figure.subplots()
    axes.bar(at - 0.2, training[shown], 0.4, label="training", color="#9aa7b4")
    axes.bar(at + 0.2, window[shown], 0.4, label="window", color="#0b6e99")
    axes.set_xticks(at, labels, rotation=35, ha="right", fontsize=8)
    axes.set_ylabel("share of rows")
    axes.set_title(column_name, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _caption(column: ColumnDrift) -> str:
    return f"{column.name}: effect {column.effect:.2f}, importance {column.importance:.0%}"


def _shares(counts: Sequence[int]) -> Any:
    numbers = np.asarray(counts, dtype="float64")
    return numbers / max(numbers.sum(), 1)


def _short(label: str) -> str:
    safe = label.replace("$", r"\$")  # a pair of dollars would be read as mathematics
    return safe if len(safe) <= 24 else safe[:23] + "…"
