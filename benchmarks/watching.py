"""Weeks of a stream as the watch sees them: counted, judged and decided by the code of the CronJob."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.streams import FIRST, WEEK, Stream
from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.governing.decision import decide
from ciclo.components.monitoring.observing.drift import assess
from ciclo.components.monitoring.observing.evidence import Evidence
from ciclo.components.monitoring.observing.health import faults
from ciclo.components.monitoring.records import Decision, History

POLICY = Monitoring()
BEGIN: datetime = FIRST.to_pydatetime()
QUIET = ("ok", "watch")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class Watch:
    """One tick a week, each with the decisions before it; ``evidence`` is what the last one rests on."""

    decisions: list[Decision] = field(default_factory=list)
    evidence: Evidence | None = None

    def of(self, stream: Stream, week: int, frame: pd.DataFrame, times: pd.Series) -> Decision:
        """Judge a week of a stream."""
        window = stream.window(frame, times)
        drift = assess(stream.profile, window.counted, POLICY)
        return self.decide(week, rows=window.rows, drift=drift, faults=faults(window, drift))

    def decide(self, week: int, **seen: Any) -> Decision:
        """Decide on what was seen in a week."""
        start = BEGIN + timedelta(days=week * WEEK)
        end = start + timedelta(days=WEEK)
        evidence = Evidence(
            version=1, serving_since=BEGIN, start=start, end=end, last_row=end, trainable_until=start, **seen
        )
        self.evidence = evidence
        decision = decide(evidence, History(decisions=tuple(self.decisions)), end, POLICY)
        self.decisions.append(decision)
        return decision


def side_by_side(work: Callable[[Any], Any], tasks: Iterable[Any], processes: int = 2) -> list[Any]:
    """Do tasks in so many processes of one thread each, in the order of the tasks."""
    for name in THREADS:
        os.environ[name] = "1"
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, tasks))


def show(title: str, head: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> None:
    """Print a plain table."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(str(value) for value in row))
    console = Console(width=150)
    console.print(table)
    console.print(f"{note}\n", highlight=False)
    sys.stdout.flush()


def share(found: int | float, all_: int) -> str:
    """A share in per cent, and of how many."""
    return f"{100 * found / all_:.1f} %" if all_ else "-"
