"""Ingestion, cleaning and validation of 1 and 5 million rows of 30 columns, beside two peers in one run."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.environments import interpreter
from benchmarks.watching import show
from benchmarks.wide_rows import write

ROOT = Path(__file__).parents[1]
HOME = ROOT / "build" / "pandera"
WANTED = ("pandera[pandas]==0.35.0", "scikit-learn==1.9.1", "pyarrow", "scipy")
COLUMNS = 30
STAGES = ("ingestion", "cleaning", "validation")


def measured(stage: str, folder: Path, columns: int) -> dict[str, Any]:
    """One stage, or a peer, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.stage_worker", stage, str(folder), str(columns)]
    if stage == "pandera":
        command = [str(interpreter(HOME, WANTED)), "-m", "benchmarks.pandera_worker", str(folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(*, quick: bool) -> None:
    """Print the table."""
    rows = []
    for count, repeats in ((200_000, 1),) if quick else ((1_000_000, 3), (5_000_000, 1)):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write(folder / "table.csv", count, COLUMNS)
            runs = [{s: measured(s, folder, COLUMNS) for s in ("copy", *STAGES, "pandera")} for _ in range(repeats)]
        rows += compared(f"{count:,}", runs)
    head = ["rows", "what", "median", "peak memory", "times the three", "the three, times it"]
    show("Ingestion, cleaning and validation", head, rows)


def compared(count: str, runs: list[dict[str, Any]]) -> list[list[str]]:
    """The rows of the table for one length of the file."""
    seconds = {s: statistics.median(run[s]["seconds"] for run in runs) for s in runs[0]}
    memory = {s: max(run[s]["megabytes"] for run in runs) for s in runs[0]}
    ours = [sum(run[s]["seconds"] for s in STAGES) for run in runs]
    rows = [[count, stage, f"{seconds[stage]:.1f} s", f"{memory[stage]:,.0f} MiB", "", ""] for stage in STAGES]
    most = max(memory[s] for s in STAGES)
    rows.append([count, "all three", f"{statistics.median(ours):.1f} s", f"{most:,.0f} MiB", "", ""])
    for peer, name in (("pandera", "pandas + pandera"), ("copy", "bare copy")):
        slower = statistics.median(run[peer]["seconds"] / own for run, own in zip(runs, ours, strict=True))
        times = [f"{slower:.1f}", ""] if peer == "pandera" else ["", f"{1 / slower:.1f}"]
        rows.append([count, name, f"{seconds[peer]:.1f} s", f"{memory[peer]:,.0f} MiB", *times])
    return rows
