"""Where rows come from: files, several files, Parquet, objects, and windows of time."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ciclo.components.core import settings as settings_module
from ciclo.components.core.errors import DataError, ProjectError
from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.settings import Settings
from ciclo.components.ingestion.ingest import ingest
from ciclo.components.storage.store import open_store

COLUMNS = {"x": {"type": "number"}, "t": {"type": "timestamp"}, "y": {"type": "boolean"}}


def project(source: object, **data: object) -> Project:
    raw = {"source": str(source), "target": "y", "time_column": "t", "columns": COLUMNS, **data}
    return project_from_mapping({"name": "unit", "data": raw}, origin="test")


def frame(rows: int = 100, start: int = 0) -> pd.DataFrame:
    times = pd.date_range(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=start), periods=rows, freq="D")
    return pd.DataFrame({"x": [i * 0.5 for i in range(rows)], "t": times, "y": [i % 2 == 0 for i in range(rows)]})


def test_parquet_keeps_types_and_takes_the_listed_columns(tmp_path: Path) -> None:
    path = tmp_path / "odd [1]*.parquet"
    frame().assign(more=1, tags=[["a"]] * 100).to_parquet(path)
    facts = ingest(project(path), tmp_path / "raw")
    table = pq.read_table(tmp_path / "raw")
    assert table.column_names == ["x", "t", "y", LINE, MALFORMED]
    assert table.schema.field("x").type == pa.float64()
    assert table.schema.field("y").type == pa.bool_()
    assert table[LINE].to_pylist() == list(range(1, 101))
    assert table[MALFORMED].null_count == 100
    assert facts.dropped == ("more", "tags")
    assert (facts.bytes, facts.digest) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    assert (facts.start, facts.end) == ("2026-01-01T00:00:00+00:00", "2026-04-10T00:00:00+00:00")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_any_unit_and_zone_are_utc(tmp_path: Path, unit: str) -> None:
    times = frame()["t"].dt.tz_convert("America/New_York").dt.as_unit(unit)
    frame().assign(t=times).to_parquet(tmp_path / "table.parquet")
    ingest(project(tmp_path / "table.parquet"), tmp_path / "raw", "2026-01-02", "2026-01-03")
    assert pq.read_table(tmp_path / "raw")["t"].to_pylist() == [datetime(2026, 1, 2, tzinfo=UTC)]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-01-03", "2026-01-05", [3, 4]),
        ("2026-01-03T00:00:01", "2026-01-05T00:00:01+00:00", [4, 5]),
        ("2026-01-03T01:00+01:00", "2026-01-04", [3]),
        ("", "2026-01-03", [1, 2]),
        ("2026-04-09", "", [99, 100]),
    ],
)
def test_a_window_is_half_open_and_utc(tmp_path: Path, form: str, start: str, end: str, days: list[int]) -> None:
    path = tmp_path / f"table.{form}"
    frame().to_csv(path, index=False) if form == "csv" else frame().to_parquet(path)
    facts = ingest(project(path), tmp_path / "raw", start, end)
    assert pq.read_table(tmp_path / "raw")[LINE].to_pylist() == days
    assert facts.rows == len(days)
    assert facts.start == (start or "2026-01-01T00:00:00+00:00")


def test_rows_without_a_readable_time_are_left_to_cleaning(tmp_path: Path) -> None:
    text = frame().astype({"t": str})
    text.loc[[3, 50], "t"] = ["soon", None]
    text.to_csv(tmp_path / "table.csv", index=False)
    ingest(project(tmp_path / "table.csv"), tmp_path / "raw", "2026-01-01", "2026-01-03")
    assert pq.read_table(tmp_path / "raw")[LINE].to_pylist() == [1, 2, 4, 51]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_several_files_are_one_source(tmp_path: Path, form: str) -> None:
    for number in (1, 0):
        path = tmp_path / f"part-{number}.{form}"
        part = frame(start=100 * number)[["y", "t", "x"] if number else ["x", "t", "y"]]
        part.to_csv(path, index=False) if form == "csv" else part.to_parquet(path)
    facts = ingest(project(tmp_path / "part-*"), tmp_path / "raw")
    table = pq.read_table(tmp_path / "raw").to_pandas()
    assert facts.rows == 200
    assert table[LINE].tolist() == list(range(1, 201))
    assert table["t"].astype(str).is_monotonic_increasing
    both = b"".join((tmp_path / f"part-{n}.{form}").read_bytes() for n in (0, 1))
    assert facts.digest == hashlib.sha256(both).hexdigest()


def test_files_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "a.parquet")
    frame().astype({"x": str}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="'x' is string, not float64"):
        ingest(project(tmp_path / "*.parquet"), tmp_path / "raw")


@pytest.mark.parametrize(
    ("name", "data", "window", "message"),
    [
        ("absent.csv", {}, (), "no file at .*absent.csv"),
        ("nothing", {}, (), "no data file in the folder"),
        ("table.txt", {"format": "parquet"}, (), "not a Parquet file"),
        ("table.txt", {"columns": {**COLUMNS, "xx": {"type": "number"}}}, (), "did you mean 'x'"),
        ("table.txt", {"row_budget": 99}, (), "more rows than the budget"),
        ("table.txt", {}, ("2026-13-01", ""), "window_start is not an ISO time"),
        ("table.txt", {}, ("2026-01-02", "2026-01-02"), "ends before it starts"),
        ("table.txt", {}, ("2030-01-01", ""), "no rows in the window"),
        ("table.txt", {"time_column": None}, ("2026-01-01", ""), "needs rows with a time"),
        ("table.parquet", {"columns": {**COLUMNS, "tags": {"type": "category"}}}, (), "not single values"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(
    tmp_path: Path, name: str, data: dict[str, object], window: tuple[str, ...], message: str
) -> None:
    (tmp_path / "nothing").mkdir()
    frame().to_csv(tmp_path / "table.txt", index=False)
    frame().assign(tags=[["a"]] * 100, split="a").to_parquet(tmp_path / "table.parquet")
    with pytest.raises(DataError, match=message):
        ingest(project(tmp_path / name, **data), tmp_path / "raw", *window)


@pytest.mark.slow
def test_objects_are_a_source(tmp_path: Path, s3_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("store", "s3_endpoint", "s3_access_key"):
        monkeypatch.setenv(f"CICLO_{name.upper()}", getattr(s3_settings, name))
    monkeypatch.setenv("CICLO_S3_SECRET_KEY", s3_settings.s3_secret_key.get_secret_value())
    monkeypatch.setenv("CICLO_S3_SECURE", "false")
    settings_module.settings.cache_clear()
    try:
        bucket = s3_settings.store.split("/")[2]
        store = open_store(f"s3://{bucket}", s3_settings)
        for number in (0, 1):
            frame(start=100 * number).to_csv(tmp_path / "table.csv", index=False)
            store.put_file(f"in/part-{number}.csv", tmp_path / "table.csv")
        one = ingest(project(f"s3://{bucket}/in/part-1.csv"), tmp_path / "raw")
        assert (one.rows, one.digest) == (100, hashlib.sha256((tmp_path / "table.csv").read_bytes()).hexdigest())
        assert ingest(project(f"s3://{bucket}/in/*.csv"), tmp_path / "raw").rows == 200
        with pytest.raises(DataError, match=r"no object at s3://.*/in/other.csv"):
            ingest(project(f"s3://{bucket}/in/other.csv"), tmp_path / "raw")
    finally:
        settings_module.settings.cache_clear()


def test_a_delimiter_for_parquet_is_told(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "table.parquet")
    with pytest.raises(ProjectError, match=r"delimiter is for text, and .*table\.parquet is Parquet"):
        ingest(project(tmp_path / "table.parquet", delimiter=";"), tmp_path / "raw")
