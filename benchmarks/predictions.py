"""What windows of a million stored predictions cost in the PostgreSQL that CICLO_PREDICTIONS names.

    .ci/with-services python -m benchmarks.predictions

A database is made for it and removed. Every read is done once to warm up; times are medians of the rounds.
"""

import statistics
import time
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import sqlalchemy as sa
from psycopg import sql
from rich.console import Console
from rich.table import Table

from ciclo.components.core.settings import Settings
from ciclo.components.storage.windows import PredictionWindows
from tests.million import MILLION

ROUNDS = 5
START = datetime(2024, 4, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


def main() -> None:
    """Fill a database and print the table."""
    server, name = sa.make_url(Settings().predictions_uri), f"ciclo_bench_{uuid.uuid4().hex}"
    admin = server.set(drivername="postgresql")
    here = admin.set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        windows = PredictionWindows(here)
        try:
            windows.count("flights")
            with psycopg.connect(here, autocommit=True) as filling:
                for statement in MILLION:
                    filling.execute(statement)
            Console().print(measured(windows))
        finally:
            windows.close()
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def measured(windows: PredictionWindows) -> Table:
    """Time every read."""
    week, four = ("flights", START, START + WEEK), ("flights", START, START + 4 * WEEK)
    reads = {
        "batches, 1 week": lambda: sum(len(batch) for batch in windows.batches(*week)),
        "batches, 4 weeks": lambda: sum(len(batch) for batch in windows.batches(*four)),
        "labelled, 1 week": lambda: len(windows.labelled(*week)),
        "labelled, 4 weeks, a share": lambda: len(windows.labelled(*four)),
        "labelled, 4 weeks, whole": lambda: len(windows.labelled(*four, most=1_000_000)),
        "label_counts, 1 week": lambda: windows.label_counts(*week)[1],
        "newer_labels": lambda: windows.newer_labels("flights", START, 1_000),
        "newest": lambda: windows.newest(*week) is not None,
        "window, 1 week": lambda: len(windows.window(*week)),
    }
    table = Table("read", "rows", "seconds")
    for name, read in reads.items():
        read()
        taken = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            rows = read()
            taken.append(time.perf_counter() - began)
        table.add_row(name, f"{rows:,}", f"{statistics.median(taken):.2f}")
    return table


if __name__ == "__main__":
    main()
