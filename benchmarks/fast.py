"""How long a window takes beside Evidently's preset, its page included, on the same rows in turn."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.evidently import Evidently
from benchmarks.streams import KINDS, Stream
from benchmarks.watching import POLICY, THREADS, Watch, show
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.monitoring.observing.drift import assess
from ciclo.components.monitoring.observing.health import faults, health
from ciclo.components.monitoring.observing.window import Window
from ciclo.components.monitoring.telling.explanation import View
from ciclo.components.monitoring.telling.report import tick_report

COLUMNS = 30
PROJECT = project_from_mapping(
    {
        "name": "benchmark",
        "data": {"source": "x", "target": "y", "columns": {"x": {"type": "number"}, "y": {"type": "boolean"}}},
    },
    origin="benchmark",
)


def main(quick: bool = False) -> None:
    """Print a table of both."""
    rows, rounds = (20_000, 3) if quick else (200_000, 3)
    environment = os.environ | dict.fromkeys(THREADS, "1")
    command = [sys.executable, "-m", "benchmarks.fast", str(rows)]
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as ours,
    ):
        folder, evidently = Path(name), Evidently()
        stream = _stream(rows)
        reference, (window, _) = stream.reference.sample(rows, random_state=0), stream.week(0, 0.5)
        reference.to_parquet(folder / "reference.parquet")
        window.to_parquet(folder / "window.parquet")
        del stream, reference, window
        times: list[list[float]] = []
        for _ in range(rounds + 1):
            mine = _asked(ours)
            page = folder / "page.html"
            (theirs,) = evidently.ask(folder / "reference.parquet", [folder / "window.parquet"], page)["seconds"]
            times.append([*mine, theirs])
        evidently.close()
        assert ours.stdin
        ours.stdin.close()
    counted, told, stored, theirs = (statistics.median(t) for t in zip(*times[1:], strict=True))
    ratio = statistics.median(t[3] / (t[0] + t[1]) for t in times[1:])
    of_stored = statistics.median(t[3] / (t[2] + t[1]) for t in times[1:])
    shown = [
        ("counting the rows, a table in memory", f"{counted:.2f}", ""),
        ("judging, deciding, the page", f"{told:.2f}", ""),
        ("together", f"{counted + told:.2f}", f"{ratio:.0f}"),
        ("the same, counting from JSON text as it is stored", f"{stored + told:.2f}", f"{of_stored:.0f}"),
        ("Evidently's DataDriftPreset and its page", f"{theirs:.2f}", "1"),
    ]
    note = f"Medians of {rounds} rounds, one thread each, in turn. Asked: 50 times, the page included."
    show(f"Fast: {rows:,} rows, {COLUMNS} columns", ("", "s", "times Evidently's speed"), shown, note)


def _stream(rows: int) -> Stream:
    """A stream whose weeks are of so many rows, and whose training rows are a little more than one of them."""
    stream = Stream(KINDS[0], COLUMNS, rows // 14, 1, seed=1)
    stream.rows = rows
    return stream


def _asked(process: "subprocess.Popen[str]") -> list[float]:
    assert process.stdin is not None
    assert process.stdout is not None
    print("go", file=process.stdin, flush=True)
    return [float(part) for part in process.stdout.readline().split()]


def _rounds(rows: int) -> None:
    """Do a round for every line that comes in, and print the seconds of its parts."""
    stream = _stream(rows)
    frame, times = stream.week(0, 0.5)
    stream.reference = pd.DataFrame()
    batches = list(stream.batches(frame, times))
    texts = [features.to_json(orient="records", lines=True).splitlines() for features, _ in batches]
    stored = [
        answered.assign(features=np.array(text, dtype=object))
        for (_, answered), text in zip(batches, texts, strict=True)
    ]
    for _ in sys.stdin:
        marks = [time.perf_counter()]
        window = Window(stream.profile, stream.contract)
        for features, answered in batches:
            window.add(features, answered)
        marks.append(time.perf_counter())
        watch = Watch()
        drift = assess(stream.profile, window.counted, POLICY)
        seen = {"rows": window.rows, "drift": drift, "faults": faults(window, drift), "health": health(window)}
        decision = watch.decide(0, **seen)
        assert watch.evidence
        assert len(tick_report(PROJECT, decision, View(watch.evidence, stream.profile)).html()) > 10_000
        marks.append(time.perf_counter())
        assert Window.of(stream.profile, stream.contract, stored).rows == window.rows
        marks.append(time.perf_counter())
        print(*np.diff(marks), flush=True)


if __name__ == "__main__":
    _rounds(int(sys.argv[1]))
