"""One data stage in a process of its own: seconds, processor seconds and peak memory, as JSON.

python -m benchmarks.stage_worker STAGE FOLDER COLUMNS
"""

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.wide_rows import project_of
from benchmarks.worker import report


def _ingestion(folder: Path, columns: int) -> str:
    from ciclo.components.ingestion.ingest import ingest

    return ingest(project_of(folder / "table.csv", columns), folder / "raw.parquet").summary


def _cleaning(folder: Path, columns: int) -> str:
    from ciclo.components.cleaning.clean import clean

    project = project_of(folder / "table.csv", columns)
    return clean(project, *(folder / name for name in ("raw.parquet", "dataset.parquet", "quarantine.parquet"))).summary


def _validation(folder: Path, columns: int) -> str:
    from ciclo.components.tables.stored import Stored
    from ciclo.components.validation.checks import validate

    found = validate(project_of(folder / "table.csv", columns), Stored(folder / "dataset.parquet"), "benchmark")
    return f"{found.verdict.decision}: {found.verdict.reason}"


def _copy(folder: Path, columns: int) -> str:
    import duckdb

    duckdb.connect().execute(
        f"COPY (FROM read_csv('{folder}/table.csv')) TO '{folder}/copy.parquet' (FORMAT parquet, COMPRESSION zstd)"
    )
    return f"{columns} columns copied"


STAGES: dict[str, Callable[[Path, int], str]] = {
    "ingestion": _ingestion,
    "cleaning": _cleaning,
    "validation": _validation,
    "copy": _copy,
}

if __name__ == "__main__":
    report(lambda: STAGES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3])))
