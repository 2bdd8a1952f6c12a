"""The pictures of the demo: one self-contained report."""

from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ciclo.components.core.report import Report

MARKS = {
    "retrain": ("v", "#b3261e", "retraining"),
    "restore": ("<", "#7a4b00", "back to the tested model"),
    "page": ("s", "#6f42c1", "data broken"),
    "escalate_development": ("^", "#9a6700", "to development"),
    "escalate_design": ("P", "#1d2733", "to design"),
}
COLOURS = ("#0b6e4f", "#1f6feb", "#b35900", "#8250df", "#0a7ea4", "#a40e26")


def metric_over_time(weeks: pd.DataFrame, metric: str) -> Figure:
    """Draw the metric of the model in service and of the first one, with versions and decisions."""
    figure, axis = plt.subplots(figsize=(11, 4.2))
    axis.plot(weeks["end"], weeks["first"], color="#9aa5b1", linestyle="--", label="version 1, never refitted")
    axis.plot(weeks["end"], weeks["monthly"], color="#c9a227", linestyle=":", label="refitted every month")
    for version, part in weeks.groupby("version"):
        colour = COLOURS[(int(version) - 1) % len(COLOURS)]
        axis.plot(
            part["end"], part["service"], "o-", color=colour, markersize=3.5, label=f"version {version}, in service"
        )
    low = float(weeks[["service", "first", "monthly"]].min().min())
    for action, (mark, colour, label) in MARKS.items():
        hits = weeks[weeks["action"] == action]
        if len(hits):
            axis.plot(hits["end"], [low - 0.015] * len(hits), mark, color=colour, markersize=8, label=label)
    axis.set_ylabel(f"{metric}, week by week")
    axis.xaxis.set_major_formatter(mdates.DateFormatter("%b"))
    axis.grid(alpha=0.25)
    axis.legend(ncol=3, fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.18))
    return figure


def write_report(path: Path, summary: dict[str, Any], weeks: pd.DataFrame) -> None:
    """Write the report.

    Args:
        path: Where to.
        summary: The content of ``summary.json``.
        weeks: One row a week: end, version, scores, action, reason.
    """
    metric = summary["metric"]
    report = Report(
        "A year of flights out of New York",
        f"Trained on January to April, then served, watched and retrained until December. {summary['sample']}",
    )
    report.section("How good the predictions were").figure(metric_over_time(weeks, metric))
    report.section("Month by month").table(
        ["month", "version", "rows", metric, "from", "to", "version 1 alone", "refitted monthly", "decision", "why"],
        [
            [m[k] for k in ("month", "version", "rows", "service")]
            + [m.get("low"), m.get("high")]
            + [m[k] for k in ("first", "monthly", "decision", "reason")]
            for m in summary["months"]
        ],
    )
    report.section("Runs of the training pipeline").table(
        ["rows until", "trigger", "outcome", "version", "why"],
        [[r["time"], r["trigger"], r["outcome"], r["version"], r["reason"]] for r in summary["runs"]],
    )
    report.section("Every week").table(
        ["week until", "version", "rows", metric, "version 1 alone", "refitted monthly", "decision", "why"],
        weeks[["week", "version", "rows", "service", "first", "monthly", "action", "reason"]].to_numpy().tolist(),
    )
    report.text("; ".join(f"{what}: {seconds:.0f} s" for what, seconds in summary["seconds"].items()))
    report.write(path)
