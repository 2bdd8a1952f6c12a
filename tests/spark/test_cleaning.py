"""Cleaning keeps the same rows on Spark, on the same side, under the same identity, and refuses the others alike."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ciclo.components.cleaning import clean as cleaning
from ciclo.components.tables.datasets import rows_digest
from tests.unit.cleaning.test_clean import project, run

COLUMNS = {
    "id": {"type": "integer", "nullable": True},
    "n": {"type": "number", "minimum": -1e6, "missing": ["-999"]},
    "i": {"type": "integer", "maximum": 100},
    "b": {"type": "boolean"},
    "w": {"type": "category", "categories": ["a", "\u00fc", "\u0130", "3", "\U0001f40d"]},
    "free": {"type": "category"},
    "t": {"type": "timestamp"},
    "g": {"type": "category"},
    "y": {"type": "boolean"},
}
NASTY = {
    "n": [
        *("0", "-0", "0.0", "1e-3", "0.001", "-1e7", "-999", "1d", "1e23", "123456789.125", "NaN", "0.1"),
        *("5e-324", "2e-3"),
    ],
    "i": ["1", "1.0", "-3", "9007199254740993.0", "101", "007", "x"],
    "b": ["yes", "1", "no", "maybe", "T"],
    "w": ["a", " a", "A", "\u00fc", "u\u0308", "\u0130", "3.0", "\U0001f40d"],
    "free": ["x", "x ", "\u00e9", "\x1f", "a=b", "12", "12.0"],
    "t": [
        *("2024-01-01", "2024-01-01T00:00:00.000001", "2024-03-01 10:00+02:00", "2024-02-30"),
        *("2024-05-05 05:05 UTC", "1969-12-31T23:59:59"),
    ],
    "g": [f"g{n}" for n in range(10)],
}
POLICIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "by all columns": ({}, {"duplicates": {"keep": "first"}}),
    "by an id": ({"id_columns": ["id"]}, {"duplicates": {"keep": "latest"}, "split": {"method": "hash"}}),
    "by some columns": ({"id_columns": ["id"]}, {"duplicates": {"keep": "first", "by": ["n", "w"]}}),
    "all stay, equal rows together": ({}, {"duplicates": {"keep": "all"}, "split": {"equal_rows": "together"}}),
    "all stay, equal rows apart": ({}, {"duplicates": {"keep": "all"}, "split": {"equal_rows": "apart"}}),
    "by a group": ({}, {"split": {"group": "g"}, "duplicates": {"keep": "latest"}}),
    "by time": ({"time_column": "t"}, {"split": {"method": "time"}, "duplicates": {"keep": "latest"}}),
    "treatments": (
        {},
        {
            "missing": {"delete": ["b"], "columns": {"i": {"impute": "median"}, "free": {"drop_above": 0.1}}},
            "outliers": {
                "n": {"action": "quarantine", "low": -5, "high": 1e20},
                "i": {"action": "clip", "fences": 1.5},
            },
        },
    ),
}


GOOD = {"n": "2.5", "i": "4", "b": "yes", "w": "a", "free": "f", "t": "2024-04-01", "g": "g1"}


def rows() -> pd.DataFrame:
    """Every nasty value beside good ones, and every row of them again, and enough others to train on."""
    nasty = [GOOD | {name: value} for name, values in NASTY.items() for value in [*values, None]]
    plenty = [
        GOOD | {"n": f"{n / 7}", "g": f"g{n % 40}", "t": f"2024-06-{1 + n % 28:02d}T{n % 24:02d}:00"}
        for n in range(200)
    ]
    frame = pd.DataFrame([*nasty, *nasty, *plenty])
    frame["id"] = [str(n // 2) if n % 9 else None for n in range(len(frame))]
    frame["y"] = [str(n % 2) if n % 31 else None for n in range(len(frame))]
    return frame


@pytest.mark.parametrize("name", POLICIES)
def test_the_same_rows_are_kept_and_refused(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data, policy = POLICIES[name]
    wanted = project(COLUMNS, data, cleaning={"quarantine_budget": 1, **policy})
    here, there = tmp_path / "duckdb", tmp_path / "spark"
    here.mkdir()
    there.mkdir()
    accounts = run(here, rows(), wanted)
    monkeypatch.setattr(cleaning, "connect", lambda: spark)
    assert run(there, rows(), wanted) == accounts
    for file in ("dataset", "quarantine"):
        ours, theirs = (pq.read_table(folder / file).to_pylist() for folder in (here, there))
        assert len(ours) > 20
        assert [*map(repr, theirs)] == [*map(repr, ours)]
    assert rows_digest(there / "dataset") == rows_digest(here / "dataset")
