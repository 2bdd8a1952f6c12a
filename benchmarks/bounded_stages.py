"""20 million rows, about 2 GB of CSV, through ingestion, cleaning and validation: how much memory does each take?"""

import tempfile
from pathlib import Path

from benchmarks.fast_stages import STAGES, measured
from benchmarks.watching import show
from benchmarks.wide_rows import write

COLUMNS = 13


def main(*, quick: bool) -> None:
    """Print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        count = 200_000 if quick else 20_000_000
        write(folder / "table.csv", count, COLUMNS)
        size = (folder / "table.csv").stat().st_size / 1e9
        for stage in STAGES:
            found = measured(stage, folder, COLUMNS)
            rows.append([stage, f"{found['seconds']:.0f} s", f"{found['megabytes']:,.0f} MiB", found["summary"]])
    title = f"{count:,} rows, {COLUMNS} columns, {size:.1f} GB of CSV"
    show(title, ["stage", "seconds", "peak memory", "what came of it"], rows)
