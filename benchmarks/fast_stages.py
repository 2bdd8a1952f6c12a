"""Ingestion, cleaning and validation of 1 and 5 million rows of 30 columns, beside two peers in one run.

    python -m benchmarks.fast_stages 200000 1000000     # of so many rows, once each

Processor seconds are those of all threads of a process, its start included; they say more than the clock where a
machine is shared.
"""

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
    table({200_000: 1} if quick else {1_000_000: 3, 5_000_000: 1})


def table(repeats: dict[int, int]) -> None:
    """Print the table for tables of so many rows, each so many times."""
    rows = []
    for count, times in repeats.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write(folder / "table.csv", count, COLUMNS)
            runs = [{s: measured(s, folder, COLUMNS) for s in ("copy", *STAGES, "pandera")} for _ in range(times)]
        rows += compared(f"{count:,}", runs)
    head = ["rows", "what", "median", "processor", "peak memory", "times the three", "the three, times it"]
    show("Ingestion, cleaning and validation", head, rows)


def compared(count: str, runs: list[dict[str, Any]]) -> list[list[str]]:
    """The rows of the table for one length of the file."""
    for run in runs:
        ours = [run[s] for s in STAGES]
        sums = {name: sum(stage[name] for stage in ours) for name in ("seconds", "processor")}
        run["all three"] = sums | {"megabytes": max(stage["megabytes"] for stage in ours)}
    names = {**{s: s for s in STAGES}, "all three": "all three", "pandera": "pandas + pandera", "copy": "bare copy"}
    rows = []
    for what, name in names.items():
        seconds, processor = (statistics.median(run[what][n] for run in runs) for n in ("seconds", "processor"))
        memory = max(run[what]["megabytes"] for run in runs)
        slower = statistics.median(run[what]["seconds"] / run["all three"]["seconds"] for run in runs)
        times = {"pandera": [f"{slower:.1f}", ""], "copy": ["", f"{1 / slower:.1f}"]}.get(what, ["", ""])
        rows.append([count, name, f"{seconds:.1f} s", f"{processor:.1f} s", f"{memory:,.0f} MiB", *times])
    return rows


if __name__ == "__main__":
    table({int(count): 1 for count in sys.argv[1:]})
