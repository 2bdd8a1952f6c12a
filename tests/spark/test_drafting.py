"""What ``ciclo init`` alone does is not for Spark, and this is why."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ciclo.components.tables.datasets import collect, connect
from ciclo.components.tables.stacking import stacked


def test_columns_are_laid_one_below_the_other_by_duckdb_alone(spark: Any, tmp_path: Path) -> None:
    """Two arrays that are unnested side by side are gone through together there; Spark takes every pair of them.

    One array of structs means the same to both. DuckDB takes twice as long to plan it where columns are many, and that
    is what the stacking is there to avoid.
    """
    pq.write_table(pa.table({"a": [1, 2], "b": [3, 4], "c": [5, 6]}), tmp_path / "raw.parquet")
    rows = [
        collect(stacked(engine.read_parquet(tmp_path / "raw.parquet"), ["a", "b", "c"])).num_rows
        for engine in (connect(), spark)
    ]
    assert rows == [2 * 3, 2 * 3 * 3]
