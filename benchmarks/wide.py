"""How long does `ciclo init` take on a table of very many columns?

    python -m benchmarks.wide [COLUMNS] [ROWS]

Numbers, whole numbers, categories, booleans, numbers with gaps and dates, all as text of a CSV file, beside a time and
a target that one of them tells something about. The command is a process of its own, as a user starts it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ciclo.pipelines.command import app

COLUMNS, ROWS = 2_000, 5_000
START = "2024-01-01"


def table(columns: int, rows: int) -> pd.DataFrame:
    """So many columns of text, with the time first and the target last."""
    rng = np.random.default_rng(1)
    times = pd.Timestamp(START) + pd.to_timedelta(97 * np.arange(rows), unit="min")
    score = rng.normal(0, 50, rows)
    makers: dict[str, Callable[[], object]] = {
        "number": lambda: np.char.mod("%.2f", rng.normal(0, 50, rows)),
        "integer": lambda: rng.integers(0, 1_000, rows).astype(str),
        "category": lambda: rng.choice(["red", "green", "blue", "amber"], rows),
        "boolean": lambda: rng.choice(["yes", "no"], rows),
        "gap": lambda: np.where(rng.random(rows) < 0.05, "n/a", np.char.mod("%.3f", rng.random(rows))),
        "date": lambda: (pd.Timestamp(START) + pd.to_timedelta(rng.integers(0, 700, rows), unit="D")).strftime("%F"),
    }
    kinds = ["number"] * 8 + ["integer"] * 5 + ["category"] * 3 + ["boolean"] * 2 + ["gap"] * 2
    found: dict[str, object] = {"at": times.strftime("%F %T"), "score": np.char.mod("%.2f", score)}
    for place in range(columns - len(found) - 1):
        kind = kinds[place % len(kinds)] if place % 97 else "date"
        found[f"{kind}_{place}"] = makers[kind]()
    found["y"] = np.where(score + rng.normal(0, 50, rows) > 30, "yes", "no")
    return pd.DataFrame(found)


def main() -> None:
    """Draft a project file for the table and print what that took."""
    asked = [int(text) for text in sys.argv[1:]]
    columns, rows = [*asked, *(COLUMNS, ROWS)[len(asked) :]]
    with tempfile.TemporaryDirectory() as folder:
        table(columns, rows).to_csv(Path(folder, "wide.csv"), index=False)
        command = [sys.executable, "-P", "-m", app.__name__, "init", "wide.csv", "--target", "y"]
        started, before = time.monotonic(), os.times()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        took, after = time.monotonic() - started, os.times()
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"ciclo init, {columns:,} columns of {rows:,} rows: {took:.0f} s, {worked:.0f} processor seconds")


if __name__ == "__main__":
    main()
