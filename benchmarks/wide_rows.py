"""Generated tables of any length, as CSV files with what real ones have: gaps, broken values, repeated rows."""

from pathlib import Path
from typing import Any

import duckdb

from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping

_KINDS = ("number", "number", "number", "integer", "integer", "category", "boolean")


def columns_of(count: int) -> dict[str, dict[str, Any]]:
    """The columns of a table, target and time among them, as a project file lists them."""
    columns: dict[str, dict[str, Any]] = {"at": {"type": "timestamp"}, "y": {"type": "boolean"}}
    for place in range(count - 2):
        kind = _KINDS[place % len(_KINDS)]
        columns[f"{kind}_{place}"] = {"type": kind}
        if kind == "number":
            columns[f"{kind}_{place}"] |= {"minimum": -1000, "maximum": 1000}
        elif kind == "category":
            columns[f"{kind}_{place}"]["categories"] = [f"level {n}" for n in range(12)]
    return columns


def project_of(path: Path, count: int) -> Project:
    """A project over a generated table."""
    data = {"source": str(path), "target": "y", "time_column": "at", "columns": columns_of(count)}
    raw = {"name": "generated", "data": {**data, "row_budget": 100_000_000}}
    return project_from_mapping(raw, origin="the benchmark")


def write(path: Path, rows: int, count: int) -> None:
    """Write a table: 2 % of the values are missing, in a thousandth of the rows a number is no number.

    Args:
        path: CSV file to write.
        rows: How many rows.
        count: How many columns.
    """
    if path.exists():
        return
    drawn = "hash(i::VARCHAR || ':{n}')"
    gap = f"CASE WHEN {drawn} % 50 = 0 THEN '' "
    values = {
        "number": f"{gap} WHEN {drawn} % 1000 = 1 AND {{n}} = 0 THEN 'n/k' "
        f"ELSE CAST(round(({drawn} % 200001) / 100.0 - 1000, 2) AS VARCHAR) END",
        "integer": f"{gap} ELSE CAST({drawn} % 1000 AS VARCHAR) END",
        "category": f"{gap} ELSE 'level ' || ({drawn} % 12) END",
        "boolean": f"CASE WHEN {drawn} % 2 = 0 THEN 'true' ELSE 'false' END",
    }
    named = [name for name in columns_of(count) if name not in ("at", "y")]
    parts = [f'{values[name.split("_")[0]].format(n=place)} AS "{name}"' for place, name in enumerate(named)]
    parts.insert(0, "strftime(TIMESTAMP '2026-01-01' + to_seconds(i * 15552000 // {rows}), '%Y-%m-%d %H:%M:%S') AS at")
    parts.insert(
        1, "CASE WHEN hash(i::VARCHAR || ':y') % 4 < 1 + hash(i::VARCHAR || ':0') % 2 THEN 'true' ELSE 'false' END AS y"
    )
    query = f"SELECT {', '.join(parts)} FROM range({rows}) t(i)".replace("{rows}", str(rows))
    partial = path.with_suffix(".partial")
    duckdb.connect().execute(f"COPY ({query}) TO '{partial}' (HEADER)")
    partial.rename(path)
