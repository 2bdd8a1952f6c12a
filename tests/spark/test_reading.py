"""A value means the same on Spark as on DuckDB: every type, every way to write it, every container."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ciclo.components.core.dates import FORMS
from ciclo.components.core.rules import Plain
from ciclo.components.tables.datasets import collect, connect
from ciclo.components.tables.reading import read, says_zone
from tests.unit.serving.test_one_reader import EDGES, FINE, MOMENTS, TIMES, WORDS, ZONED

NUMBERS = [
    *(*WORDS, *(f" \t{word} " for word in WORDS)),
    *("1d", "1f", "2.5D", "0x1p3", "1e5f", "1_0", "+ 1", "\u06f1", "1\n", "e5", ".", "+", "", " ", "\u00a0", None),
    *("1.622,15", "1,622.15", "1'622.15", "1 622,15", "12,34,567.8", "1.622,15 \u20ac", "\u20ac 5", "$5", "$1,234.50"),
    *("(12.50)", "-3", "\u22123", "3-", "(3)", "1.234", "1,234", "-999.0", "1e3", "1E-3"),
]
DATED = [
    *(
        *TIMES,
        *(time.replace("T", " ") for time in TIMES),
        *ZONED,
        *EDGES,
        "2024-01-01 10:00Z",
        "2024-01-01T10:00-05:30",
    ),
    *("17/04/2023", "4/17/2023", "17.4.23", "05-Jan-23", "5 January 2023", "Jan 5, 2023", "2023/4/7", "30/02/2023"),
    *("2023/04/07 08:30", "17/04/2023 8:30 PM", "12/31/2026 12:05 am", "5. Sept. 2023 08.30.15", "31-Dec-2026, 23:59"),
    *("20230105", "20230105.0", "20230105 0830", "20230105T083015Z", "31/12/26", "26/12/31", "1.1.69", "1.1.68"),
    *("12/31/26 11:59:59.123456789 p.m.", "never", None, " "),
]
WRITTEN: list[dict[str, Any]] = [
    *({}, {"missing": ("NA", "-999")}, {"decimal": ",", "thousands": "."}, {"thousands": ","}, {"thousands": "'"}),
    *({"decimal": ",", "thousands": " "}, {"thousands": ",", "lakhs": True}, {"unit": "$", "thousands": ","}),
    *({"unit": "\u20ac", "decimal": ",", "thousands": "."}, {"negative": "(1)"}, {"negative": "1-"}),
    {"negative": "\u22121", "missing": ("\u22123",)},
]
TOWNS = (("NYC", "New York"), ("true", "2"), ("9.0", "2"))
NUMBER_RULES = [Plain(kind, **written) for kind in ("number", "integer") for written in WRITTEN]
WORD_RULES = [
    Plain("boolean"),
    Plain("boolean", missing=("none", "9", "N", "no")),
    Plain("category"),
    Plain("category", missing=("NA", "-999", "True")),
    Plain("category", categories=("1", "2.0", "True", "007", "none")),
    Plain("category", categories=("New York", "2"), map=TOWNS, ignore_case=True),
    Plain("category", map=TOWNS),
]
TIME_RULES = [
    Plain("timestamp"),
    Plain("timestamp", missing=("never", "9999-12-31")),
    *(Plain("timestamp", day_first=day_first) for day_first in (True, False)),
    *(Plain("timestamp", dates=form, missing=("31/12/26", "20230105")) for form in FORMS[:7]),
]
NATIVE_RULES = [
    *(Plain(kind) for kind in ("number", "integer", "boolean", "category", "timestamp")),
    *(Plain(kind, missing=("NA", "-999", "7", "2.5")) for kind in ("number", "integer", "boolean", "category")),
    Plain("timestamp", missing=("9999-12-31", "2020-01-02")),
    Plain("timestamp", dates="20261231"),
    Plain("category", categories=("1", "2.0", "True", "7"), map=(("0", "7"),)),
]
FLOATS = [
    0.0,
    -0.0,
    1.0,
    2.5,
    7.0,
    -999.0,
    1e20,
    1e-5,
    0.1,
    123456789.125,
    20230105.0,
    np.nan,
    np.inf,
    -np.inf,
    2.0**24,
]
WHOLE = [0, 1, 7, -1, 127, None]
DECIMALS = [*map(Decimal, ("1", "2.5", "0", "7", "-999", "9007199254740993", "99999999999999999999.5")), None]
DAYS = [date(2020, 1, 2), date(1, 1, 1), date(1582, 10, 10), date(9999, 12, 31), None]
SECONDS = [*(moment and moment.replace(microsecond=0) for moment in MOMENTS), datetime(1582, 10, 10)]
AT_ONCE = 4  # rules in one query, which Spark has to analyse
TABLES: dict[str, tuple[pa.Array, list[Plain]]] = {
    "numbers": (pa.array(NUMBERS), NUMBER_RULES),
    "words": (pa.array(NUMBERS), WORD_RULES),
    "times": (pa.array(DATED), TIME_RULES),
    "float64": (pa.array([*FLOATS, 2.0**53, 2.0**53 - 1, 3.5e38, 5e-324, 2e-3, 1e23, None]), NATIVE_RULES),
    "float32": (pa.array(np.array(FLOATS, "float32")), NATIVE_RULES),
    "int8": (pa.array(WHOLE, pa.int8()), NATIVE_RULES),
    "int64": (pa.array([*WHOLE, 2**53 + 1, 2**63 - 1, -(2**63), 20230105, 20230231], pa.int64()), NATIVE_RULES),
    "uint64": (pa.array([1, 7, 2**63, 2**64 - 1, None], pa.uint64()), NATIVE_RULES),
    "decimal": (pa.array(DECIMALS, pa.decimal128(30, 4)), NATIVE_RULES),
    "boolean": (pa.array([True, False, None]), NATIVE_RULES),
    "date": (pa.array(DAYS), NATIVE_RULES),
    "microseconds": (pa.array([*MOMENTS, datetime(9999, 12, 31)], pa.timestamp("us")), NATIVE_RULES),
    "milliseconds": (pa.array(SECONDS, pa.timestamp("ms")), NATIVE_RULES),
    "seconds": (pa.array(SECONDS, pa.timestamp("s")), NATIVE_RULES),
    "zoned": (pa.array([*MOMENTS, datetime(9999, 12, 31)], pa.timestamp("us", "+02:00")), NATIVE_RULES),
}


def typed(table: Any, every: list[Plain]) -> list[dict[str, Any]]:
    columns: dict[str, Any] = {}
    if table["raw"].type().is_string():
        columns["zoned"] = says_zone(table["raw"])
    for place, value in enumerate(read(table["raw"], rules) for rules in every):
        inexact = ibis.literal(False) if value.inexact is None else value.inexact
        columns |= {f"typed{place}": value.typed, f"missing{place}": value.missing, f"inexact{place}": inexact}
    return collect(table.select("place", **columns).order_by("place")).to_pylist()


def both(spark: Any, folder: Path, array: pa.Array) -> tuple[Any, Any]:
    """Values as a table of each engine."""
    pq.write_table(pa.table({"place": range(len(array)), "raw": array}), folder / "raw.parquet")
    return connect().read_parquet(folder / "raw.parquet"), spark.read_parquet(folder / "raw.parquet")


@pytest.mark.parametrize("name", TABLES)
def test_a_value_is_read_alike(spark: Any, tmp_path: Path, name: str) -> None:
    array, every = TABLES[name]
    ours, theirs = both(spark, tmp_path, array)
    different = []
    for start in range(0, len(every), AT_ONCE):
        rules = every[start : start + AT_ONCE]
        for raw, here, there in zip(array.to_pylist(), typed(ours, rules), typed(theirs, rules), strict=True):
            different += [(raw, rules, c, here[c], there[c]) for c in here if repr(here[c]) != repr(there[c])]
    if name == "zoned":  # Spark has no columns with a zone and without: the one that a category would end with is lost
        texts = [(here, there) for _, _, _, here, there in different if isinstance(here, str)]
        assert len(texts) == len(different) > 0
        assert all(here == f"{there}+00:00" for here, there in texts)
        return
    assert not different


def test_nanoseconds_are_none_of_spark(spark: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table({"raw": pa.array(FINE, pa.timestamp("ns"))}), tmp_path / "raw.parquet")
    with pytest.raises(Exception, match="TIMESTAMP\\(NANOS"):
        spark.read_parquet(tmp_path / "raw.parquet")
