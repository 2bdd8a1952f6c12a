"""The identity of a row and its side of the split, which nothing but its own values may change."""

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ciclo.components.cleaning.clean import clean
from ciclo.components.cleaning.splitting import time_cuts
from ciclo.components.core.cleaning_policy import Split
from ciclo.components.core.errors import DataError
from ciclo.components.core.own_columns import LINE, MALFORMED, ROW_ID, SPLIT
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.tables.datasets import rows_digest
from tests.depth import thorough

COLUMNS = {
    "b": {"type": "boolean"},
    "i": {"type": "integer"},
    "n": {"type": "number"},
    "t": {"type": "timestamp"},
    "w": {"type": "category"},
    "y": {"type": "number"},
}
TIME = datetime(2026, 1, 1, 12, 30, 0, 50, tzinfo=UTC)


def sides(path: Path, table: pa.Table, columns: list[str], keep: str = "first") -> dict[float, tuple[str, str]]:
    """Identity and side of each row by its target, which tells the rows of a test apart."""
    described = {"source": "x", "target": "y", "columns": {name: COLUMNS[name] for name in columns}}
    project = project_from_mapping(
        {"name": "unit", "data": described, "cleaning": {"duplicates": {"keep": keep}}}, origin="test"
    )
    table = table.append_column(LINE, pa.array(range(1, len(table) + 1), pa.int64()))
    table = table.append_column(MALFORMED, pa.nulls(len(table), pa.string()))
    pq.write_table(table, path / "raw")
    clean(project, path / "raw", path / "dataset", path / "quarantine")
    rows = pq.read_table(path / "dataset", columns=["y", ROW_ID, SPLIT]).to_pylist()
    return {row["y"]: (row[ROW_ID], row[SPLIT]) for row in rows}


QUICK = settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NUMBERS = st.floats(-1e38, 1e38)


@pytest.mark.slow
@settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(NUMBERS, min_size=60, max_size=60, unique=True), st.booleans())
def test_the_identity_is_as_documented(tmp_path: Path, numbers: list[float], missing: bool) -> None:
    word = None if missing else "é, 'x'"
    table = pa.table(
        {
            "w": pa.array([word] * 60, pa.string()),
            "y": pa.array(range(60), pa.float64()),
            "n": pa.array(numbers, pa.float64()),
            "t": pa.array([TIME] * 60),
            "i": pa.array([-7] * 60),
            "b": pa.array([True] * 60),
        }
    )
    found = sides(tmp_path, table, ["w", "y", "n", "t", "i", "b"])
    micros = int(TIME.timestamp()) * 1_000_000 + 50
    for y, number in enumerate(numbers):
        w = "w" if missing else f"w={word}"
        text = "\x1f".join(["b=true", "i=-7", f"n={number!r}", f"t={micros}", w, f"y={float(y)!r}"])
        assert found[y][0] == hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.slow
@settings(
    max_examples=10,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.randoms(use_true_random=False), st.integers(0, 60))
def test_rows_keep_their_side_when_others_come_and_the_order_changes(tmp_path: Path, random, more: int) -> None:
    rows = [(y, y * 0.25, f"w{y % 7}") for y in range(120)]
    frame = pd.DataFrame(rows, columns=["y", "n", "w"])
    before = sides(tmp_path, pa.Table.from_pandas(frame, preserve_index=False), ["y", "n", "w"])
    extra = pd.DataFrame([(1_000 + y, y, "new") for y in range(more)], columns=["y", "n", "w"])
    order = [*range(120 + more)]
    random.shuffle(order)
    mixed = pd.concat([frame, extra]).iloc[order][["w", "n", "y"]].astype({"n": float})
    after = sides(tmp_path, pa.Table.from_pandas(mixed, preserve_index=False), ["w", "n", "y"])
    assert {y: after[y] for y in before} == before


@pytest.mark.slow
def test_csv_and_parquet_give_the_same_identity(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": np.arange(100.0), "i": range(100), "n": np.linspace(0, 1, 100), "w": "a"})
    typed = sides(tmp_path, pa.Table.from_pandas(frame, preserve_index=False), list(frame))
    text = frame.astype(str)
    text["n"] += "0"
    assert sides(tmp_path, pa.Table.from_pandas(text, preserve_index=False), list(frame)) == typed


@thorough
def test_the_zone_of_the_machine_is_not_that_of_the_engine() -> None:
    ask = """
from ciclo.components.tables.datasets import connect
print(connect().raw_sql("SELECT current_setting('TimeZone')").fetchone()[0])
"""
    zone = subprocess.run(
        [sys.executable, "-c", ask],
        env={**os.environ, "TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert zone.stdout.strip() == "UTC"  # identities take times for UTC


def test_what_a_search_draws_goes_by_the_rows_and_not_by_their_file_or_order(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": np.arange(100.0), "n": np.linspace(0, 1, 100), "w": "a"})
    last = frame.tail(1)
    tables = {
        "as they are": frame,
        "in another order": frame.sample(frac=1, random_state=0)[["w", "y", "n"]],
        "as text": frame.astype(str),
        "another value": pd.concat([frame.head(99), last.assign(n=2.0)]),
        "a row less": frame.head(99),
        "a row twice": pd.concat([frame, last]),
        "a row three times": pd.concat([frame, last, last]),
    }
    found = {}
    for name, rows in tables.items():
        sides(tmp_path, pa.Table.from_pandas(rows, preserve_index=False), list(frame), keep="all")
        found[name] = rows_digest(tmp_path / "dataset")
    assert found["as they are"] == found["in another order"] == found["as text"]
    assert len(set(found.values())) == len(tables) - 2


@pytest.mark.slow
def test_shares_are_about_what_was_asked(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": np.arange(20_000.0), "n": np.arange(20_000.0)})
    found = [side for _, side in sides(tmp_path, pa.Table.from_pandas(frame), ["y", "n"]).values()]
    assert found.count("test") / 20_000 == pytest.approx(0.15, abs=0.01)
    assert found.count("validation") / 20_000 == pytest.approx(0.15, abs=0.01)


DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("days", "split", "cuts"),
    [
        (range(100), {}, (70, 85)),
        (range(99, -1, -1), {}, (70, 85)),
        (range(100), {"validation": 0.2, "test": 0.1}, (70, 90)),
        ([*range(80), *[80] * 20], {}, (65, 80)),
        ([*range(60), *[60] * 25, *range(61, 76)], {}, (60, 61)),
        (range(10), {"validation": 0.01, "test": 0.01}, (8, 9)),
    ],
    ids=["shares", "any order", "uneven", "ties at the end", "ties in the middle", "one row each"],
)
def test_time_cuts_by_share(days, split: dict, cuts: tuple[int, int]) -> None:
    times = np.array(list(days)) * DAY
    assert time_cuts(times, Split(**split)) == tuple(cut * DAY for cut in cuts)


def test_time_cuts_by_days() -> None:
    times = np.arange(100) * DAY
    validation, test = time_cuts(times, Split(validation="14d", test="7d"))
    assert np.count_nonzero(times >= test) == 7
    assert np.count_nonzero((times >= validation) & (times < test)) == 14


@pytest.mark.parametrize(
    ("days", "split"),
    [([5] * 100, {}), ([1] * 50 + [2] * 50, {}), (range(10), {"test": "10d"}), (range(10), {"validation": "9d"})],
    ids=["one instant", "two instants", "test takes all", "validation takes the rest"],
)
def test_a_time_split_without_rows_for_every_side_is_refused(days, split: dict) -> None:
    with pytest.raises(DataError, match="no rows before it"):
        time_cuts(np.array(list(days)) * DAY, Split(**split))
