"""Evidently beside us: its environment, and a process in it that is handed Parquet files."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.environments import interpreter
from benchmarks.watching import THREADS

HOME = Path(__file__).parents[1] / "build" / "evidently"
WANTED = ("evidently==0.7.23", "pandas<3", "numpy<2.3", "pyarrow")
WORKER = Path(__file__).with_name("evidently_worker.py")


class Evidently:
    """A process that judges windows by Evidently's default preset."""

    def __init__(self) -> None:
        quiet = dict.fromkeys(THREADS, "1") | {"DO_NOT_TRACK": "1"}
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [interpreter(HOME, WANTED), "-P", "-W", "ignore", WORKER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **quiet},
        )  # fmt: skip

    def close(self) -> None:
        """Stop it."""
        self._process.communicate()
        self._folder.cleanup()

    def judge(self, reference: pd.DataFrame, windows: Iterable[pd.DataFrame], page: Path | None = None) -> Any:
        """Whether the data set drifted in each window, and the seconds that took.

        Args:
            reference: Rows of training.
            windows: Rows of each window.
            page: Where its page is written; none by default.
        """
        folder = Path(self._folder.name)
        reference.to_parquet(folder / "reference.parquet")
        paths = []
        for number, window in enumerate(windows):
            paths.append(folder / f"{number}.parquet")
            window.to_parquet(paths[-1])
        return self.ask(folder / "reference.parquet", paths, page)

    def ask(self, reference: Path, windows: list[Path], page: Path | None = None) -> Any:
        """The same of files."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"reference": str(reference), "windows": [str(path) for path in windows], "page": page and str(page)}
        print(json.dumps(job), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"Evidently ended; run {WORKER} by hand in {HOME} to see why")
        return json.loads(answer)
