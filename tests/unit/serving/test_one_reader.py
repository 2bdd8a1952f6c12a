"""The same value means the same in a CSV, a Parquet file, a request over REST and gRPC, and a feedback."""

import json
import math
import re
import struct
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from ciclo.components.cleaning.rules import broken_rules, read_columns
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import RequestError
from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.rules import ColumnType, Plain, Rules
from ciclo.components.core.values import Refusal, ValueReader
from ciclo.components.core.written import SPACES, same_label
from ciclo.components.serving.messages import plain, read_feedback, read_request
from ciclo.components.sources.layout import open_source
from ciclo.components.tables import reading
from ciclo.components.tables.datasets import collect, connect
from tests.depth import rounds

COLUMNS: dict[str, dict[str, Any]] = {
    "number": {"type": "number", "missing": ["NA", "-999"]},
    "bounded": {"type": "number", "minimum": -1, "maximum": 7, "nullable": False},
    "integer": {"type": "integer", "missing": ["?"], "minimum": -(2**60)},
    "boolean": {"type": "boolean", "missing": ["none", "9", "N", "no"]},
    "text": {"type": "category", "missing": ["NA", "-999"]},
    "code": {"type": "category", "categories": ["1", "2.0", "True", "007", "none"], "nullable": False},
    "town": {
        "type": "category",
        "categories": ["New York", "2"],
        "map": {"NYC": "New York", "N. Y.": "New York", "true": "2", "9.0": "2"},
        "ignore_case": True,
        "missing": ["NA"],
    },
    "time": {"type": "timestamp", "missing": ["never", "9999-12-31"]},
}
REFUSED = "refused"
BIG = 2**53 + 1


@cache
def project(target: str) -> Project:
    columns = {"x": {"type": "number"}, **COLUMNS}
    described: dict[str, Any] = {"source": "x", "target": target, "columns": columns}
    if target != "time":
        described["time_column"] = "time"
    return project_from_mapping({"name": "unit", "data": described}, origin="test")


def through_file(table: Any) -> dict[str, list[Any]]:
    """What cleaning makes of a raw table: by column its canonical values, or the kind of refusal."""
    wanted = project("x")
    values = read_columns(table, wanted)
    rules = broken_rules(values, table[MALFORMED].notnull(), wanted)
    rows = collect(
        table.select(LINE, **{n: v.typed for n, v in values.items() if n != "x"}, **rules).order_by(LINE)
    ).to_pylist()
    found: dict[str, list[Any]] = {}
    for name in COLUMNS:
        judged = []
        for row in rows:
            reasons = [r.split(":")[0] for r, broken in row.items() if broken is True and f"'{name}'" in r]
            judged.append((REFUSED, *reasons) if reasons else row[name])
        found[name] = judged
    return found


def csv(folder: Path, cells: list[str]) -> dict[str, list[Any]]:
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    lines = [",".join(["x", *COLUMNS]), *(",".join(["1", *[cell] * len(COLUMNS)]) for cell in quoted)]
    (folder / "x.csv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return through_file(open_source(str(folder / "x.csv"), folder).table)


def parquet(folder: Path, array: pa.Array) -> dict[str, list[Any]]:
    table = pa.table({"x": [1.0] * len(array), **dict.fromkeys(COLUMNS, array)})
    table = table.append_column(LINE, pa.array(range(len(array))))
    table = table.append_column(MALFORMED, pa.nulls(len(array), pa.string()))
    pq.write_table(table, folder / "x.parquet")
    return through_file(connect().read_parquet(folder / "x.parquet"))


def by_table(folder: Path, array: pa.Array, rules: Rules) -> list[Any]:
    """What the table makes of values: canonical, None where they are missing, or the refusal."""
    return by_tables(folder, array, [rules])[0]


def by_tables(folder: Path, array: pa.Array, every: list[Rules]) -> list[list[Any]]:
    """The same by several rules."""
    pq.write_table(pa.table({"place": range(len(array)), "raw": array}), folder / "raw.parquet")
    table = connect().read_parquet(folder / "raw.parquet")
    columns = {}
    for n, value in enumerate(reading.read(table["raw"], rules) for rules in every):
        inexact = ibis.literal(False) if value.inexact is None else value.inexact
        columns |= {f"typed{n}": value.typed, f"missing{n}": value.missing, f"inexact{n}": inexact}
    found = collect(table.select("place", **columns).order_by("place")).to_pylist()
    refusals = {True: Refusal.EXACT, False: Refusal.TYPE}
    return [
        [
            None
            if row[f"missing{n}"]
            else refusals[row[f"inexact{n}"]]
            if row[f"typed{n}"] is None
            else row[f"typed{n}"]
            for row in found
        ]
        for n in range(len(every))
    ]


def by_reader(array: pa.Array, rules: Rules) -> list[Any]:
    return [ValueReader(rules).typed(raw) for raw in array.to_pylist()]


SAYS = {
    "has to be": "type",
    "too large to be read exactly": "exact",
    "out of its range": "range",
    "unknown category": "category",
    "no such class": "category",
    "must have a value": "null",
}


def kind_of(error: RequestError) -> tuple[str, str]:
    (kind,) = (kind for text, kind in SAYS.items() if text in error.problem)
    return (REFUSED, kind)


def canonical(value: Any, column: str) -> Any:
    """A value of a request's frame, where every number is a float, as its column has it in a dataset."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return {"integer": int, "boolean": bool}.get(COLUMNS[column]["type"], lambda v: v)(value)


def through_request(message: Any, column: str) -> Any:
    contract = Contract.of(project("x"), ())
    contract = contract.model_copy(update={"columns": tuple(c for c in contract.columns if c.name == column)})
    try:
        return canonical(contract.parse(read_request(message).rows)[column].tolist()[0], column)
    except RequestError as error:
        return kind_of(error)


def rest(value: Any, column: str) -> Any:
    return through_request(json.loads(json.dumps({"jsonData": {"rows": [{column: value}]}})), column)


def grpc(value: Any, column: str) -> Any:
    struct = Struct()
    struct.update({"jsonData": {"rows": [{column: value}]}})
    return through_request(plain(Struct.FromString(struct.SerializeToString())), column)


def feedback(value: Any, column: str) -> Any:
    """What a label means where the column is the target; the transport makes every number a float."""
    wanted = project(column)
    classes = () if wanted.task == "regression" else wanted.data.columns[column].categories or ("false", "true")
    struct = Struct()
    struct.update({"truth": {"jsonData": {"labels": [{"request_id": "a", "value": value}]}}})
    try:
        return read_feedback(plain(struct), "unit", Contract.of(wanted, classes))[0].value
    except RequestError as error:
        return kind_of(error)


def as_label(value: Any, column: str) -> Any:
    if value is None:
        return (REFUSED, "null")
    if isinstance(value, tuple):
        return value
    return str(value).lower() if isinstance(value, bool) else float(value) if isinstance(value, int) else value


LARGE = [3.4e38, 3.5e38, -3.5e38, 1e308, 1e39]
FEATURES = [name for name in COLUMNS if name != "time"]
LABELS = ["number", "bounded", "integer", "boolean", "code", "town"]
QUICK = settings(
    max_examples=rounds(1, 12),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = (  # noqa: SIM905
    "1 0 1.0 0.0 -0 -0.0 2 2.0 2.00 007 007.0 +5 .5 5. 1e2 1E+2 1e400 -1e400 1e-400 9 9.0 7.5 -999 -999.0 -999.5 "
    "NYC nyc N.Y. NY York "
    "true TRUE True tRuE false Yes no NO Y n N T f on NA na Na ? none None nan NaN inf -Infinity null N/A "
    "never 1_000 1,5 0x1A 9007199254740991 9007199254740992 9007199254740993 9007199254740993.0 9007199254740992.0 "
    "-9007199254740993 9223372036854775807 9223372036854775808 -9223372036854775808 "
    "-9223372036854775809 1234567890123456789.0 1e18 0000000000000000000000012 99999999999999999999999999 "
    "12.50 1.10 \u00fc \u0130 \u017f \uff11\uff12 \u00bd"
).split()
TEXT = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS).map(lambda w: f" \t{w} "),
    st.sampled_from(WORDS).map(lambda w: f"\u00a0{w}\u3000"),
    st.floats().map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
    st.from_regex(r"\A[+-]?[0-9]{0,18}\.?[0-9]{0,3}(e[+-]?[0-9]{1,3})?\Z"),
)


@pytest.mark.slow
@QUICK
@given(st.lists(TEXT, min_size=1, max_size=20))
@example([*WORDS, "NYC\u00a0", "\u3000N.Y."])
def test_a_text(tmp_path: Path, texts: list[str]) -> None:
    from_csv, from_parquet = csv(tmp_path, texts), parquet(tmp_path, pa.array(texts))
    for column in FEATURES:
        for text, in_csv, in_parquet in zip(texts, from_csv[column], from_parquet[column], strict=True):
            read = [in_csv, in_parquet, rest(text, column), grpc(text, column)]
            if column == "integer" and isinstance(in_csv, int):
                read[:2] = [float(v) for v in read[:2]]  # what a model is given
                read[2:] = [float(v) for v in read[2:]]
            assert read == [read[0]] * 4, (column, text, read)
            if column in LABELS:
                assert feedback(text, column) == as_label(in_csv, column), (column, text)


@pytest.mark.slow
@QUICK
@given(st.lists(st.floats() | st.integers(-(2**55), 2**55).map(float) | st.sampled_from([0.0, 1.0, 2.0, 9.0, -999.0])))
@example([math.nan, 0.0, 7.0])  # a file with NaN whose statistics are finite
@example([math.nan, math.inf, -math.inf, -0.0, 3.0, 2.5, 2.0**53, 2.0**53 - 1, 1e20, 1e-5, float(BIG), *LARGE])
def test_a_float(tmp_path: Path, numbers: list[float]) -> None:
    numbers = [*numbers, 1.0]
    from_parquet = parquet(tmp_path, pa.array(numbers, pa.float64()))
    finite = [n for n in numbers if math.isfinite(n)]
    from_csv = csv(tmp_path, [repr(n) for n in finite])
    for column in FEATURES:
        in_csv = dict(zip(finite, from_csv[column], strict=True))
        for number, expected in zip(numbers, from_parquet[column], strict=True):
            read = [rest(number, column), grpc(number, column)]
            assert read == [expected] * 2, (column, number, expected, read)
            if column in LABELS:
                assert feedback(number, column) == as_label(expected, column), (column, number)
            if number in in_csv and expected != (REFUSED, "exact"):
                assert in_csv[number] == expected, (column, number)


@pytest.mark.slow
@QUICK
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, 2, 7, 8, 9, -999])))
@example([BIG, -BIG, 2**63 - 1, -(2**63), 2**53 - 1, 2**53])
def test_a_whole_number(tmp_path: Path, numbers: list[int]) -> None:
    numbers = [*numbers, 1]
    from_parquet, from_csv = parquet(tmp_path, pa.array(numbers, pa.int64())), csv(tmp_path, [str(n) for n in numbers])
    for column in FEATURES:
        for number, expected, in_csv in zip(numbers, from_parquet[column], from_csv[column], strict=True):
            assert in_csv == expected, (column, number)
            by_rest = rest(number, column)
            assert by_rest == (int(float(expected)) if isinstance(expected, int) else expected), (column, number)
            by_grpc = grpc(number, column)
            if column in ("integer", "text", "code", "town") and abs(number) > 2**53 - 1:
                assert by_grpc == (REFUSED, "exact"), (column, number)
            else:
                assert by_grpc == expected, (column, number)
            if column in LABELS and by_grpc == expected:
                assert feedback(number, column) == as_label(expected, column), (column, number)


@pytest.mark.slow
@pytest.mark.parametrize("bits", ["7ff8000000000000", "fff8000000000000", "7ff0000000000001", "ffffffffffffffff"])
@pytest.mark.parametrize("size", [pa.float64(), pa.float32()], ids=str)
def test_every_nan_is_missing(tmp_path: Path, bits: str, size: pa.DataType) -> None:
    array = pa.array(np.array([struct.unpack(">d", bytes.fromhex(bits))[0], 1.0, np.inf, -np.inf])).cast(size)
    assert by_table(tmp_path, array[:2], Plain("number")) == [None, 1.0]  # the file says nothing of its NaN
    assert by_table(tmp_path, array, Plain("number")) == [None, 1.0, Refusal.TYPE, Refusal.TYPE]


@pytest.mark.slow
@pytest.mark.parametrize("value", [True, False, None])
def test_a_boolean_and_null(tmp_path: Path, value: bool | None) -> None:
    from_parquet = parquet(tmp_path, pa.array([value], pa.bool_()))
    from_csv = csv(tmp_path, ["" if value is None else str(value)])  # as pandas writes it
    for column in FEATURES:
        read = [from_csv[column][0], from_parquet[column][0], rest(value, column), grpc(value, column)]
        assert read == [read[0]] * 4, (column, read)


@pytest.mark.slow
@QUICK
@given(st.lists(st.decimals(-(10**20), 10**20, places=4), min_size=1, max_size=10))
@example([Decimal(BIG), Decimal("9007199254740993.5"), Decimal("1.50"), Decimal("7.0001"), Decimal(-999)])
def test_a_decimal_is_not_rounded_before_it_is_judged(tmp_path: Path, numbers: list[Decimal]) -> None:
    found = parquet(tmp_path, pa.array(numbers, pa.decimal128(30, 4)))
    contract = Contract.of(project("x"), ())
    for column in contract.columns:
        for number, expected in zip(numbers, found[column.name], strict=True):
            try:
                read = column.read(number)
            except RequestError as error:
                read = kind_of(error)
            assert read == expected, (column.name, number)


TIMES = (  # noqa: SIM905
    "2024-02-29 2023-02-29 2024-01-01T10:00 2024-01-01T10:00:00Z 2024-01-01T10:00:00.5+02:00 2024-01-01T10:00:00+0530 "
    "2024-01-01T10 20240101 2024-1-1 01.02.2024 2024-01-01T24:00 2024-01-01T10:61 1704103200 never NA 0000-01-01 "
    "2024-01-01T10:00:00.123456789Z 2024-01-01T10:00:00.123456789 2024-01-01T10:00:00+16 2024-W01-1 2024-13-01 "
    "9999-12-31 9999-12-31T00:00:00 9999-12-31T02:00+02:00 9999-12-31T00:00:01 9999-12-30"
).split()

ZONED = [
    f"2024-01-01 10:00:00{zone}"
    for zone in (" UTC", "UTC", " Z", " +02:00", " +0530", " -08", "  UTC", " +16:00", " CET", " utc", "+02:00 UTC")
]


@pytest.mark.slow
@QUICK
@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(str), max_size=5))
def test_a_time(tmp_path: Path, times: list[str]) -> None:
    times = [*times, *TIMES, *ZONED, *(t.replace("T", " ") for t in TIMES)]
    contract = Contract.of(project("x"), ())
    found, column = csv(tmp_path, times)["time"], contract.column_of("time")
    for text, expected in zip(times, found, strict=True):
        try:
            read = column.read_type(text)
        except RequestError as error:
            read = kind_of(error)
        # The time column has to have a value; in a request the clock stands in for it.
        assert read == (None if expected == (REFUSED, "time") else expected), text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "word", "texts", "missing"),
    [
        ("boolean", "no", ["no", " no ", "NO", "f", "yes"], [1, 1, 0, 0, 0]),
        ("boolean", "N", ["N", "N ", "n", "No"], [1, 1, 0, 0]),
        ("integer", "1.5", ["1.50", "1.5", " 1.50", "1.6"], [1, 1, 1, 0]),
        ("timestamp", "9999-12-31", ["9999-12-31", " 9999-12-31", "9999-12-31 00:00Z", "9999-12-30"], [1, 1, 1, 0]),
        ("timestamp", "1900-01-01T02:00+02:00", ["1900-01-01", "1900-01-01T01:00+01:00", "1900-01-02"], [1, 1, 0]),
    ],
)
def test_a_word_for_missing_that_reads_as_the_type_is_missing_all_the_same(
    tmp_path: Path, kind: ColumnType, word: str, texts: list[str], missing: list[int]
) -> None:
    rules = Plain(kind, missing=(word,))
    assert [value is None for value in by_reader(pa.array(texts), rules)] == list(map(bool, missing))
    assert by_table(tmp_path, pa.array(texts), rules) == by_reader(pa.array(texts), rules)


@pytest.mark.parametrize(
    "kind", [pa.timestamp("us"), pa.timestamp("s"), pa.timestamp("ms", "UTC"), pa.date32()], ids=str
)
def test_a_time_that_stands_for_missing_does_so_however_it_is_stored(tmp_path: Path, kind: pa.DataType) -> None:
    rules = Plain("timestamp", missing=("9999-12-31",))
    array = pa.array([datetime(9999, 12, 31), datetime(2024, 3, 1), None]).cast(kind)
    assert by_reader(array, rules) == by_table(tmp_path, array, rules) == [None, datetime(2024, 3, 1, tzinfo=UTC), None]


EDGES = ["0001-01-01T00:00+15:00", "0001-01-01T15:00+15:00", "9999-12-31T23:00-15:00", "9999-12-31T23:59:59.999999"]
FINE = [1_681_720_200_123_456_789, 999, -1, -1001]  # nanoseconds
CUT = ["2023-04-17T08:30:00.123456", "1970-01-01T00:00:00", "1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999998"]
MOMENTS = [datetime(2020, 1, 2, 3, 4, 5, 600), datetime(999, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999_999), None]


@pytest.mark.parametrize(
    ("kind", "array", "expected"),
    [
        ("integer", pa.array([1, 2**63, 2**64 - 1], pa.uint64()), [1, Refusal.EXACT, Refusal.EXACT]),
        ("category", pa.array([1, 2**64 - 1], pa.uint64()), ["1", "18446744073709551615"]),
        ("timestamp", pa.array(FINE, pa.timestamp("ns")), [datetime.fromisoformat(cut) for cut in CUT]),
        ("timestamp", pa.array([f"{cut}789" for cut in CUT[:1]]), [datetime.fromisoformat(CUT[0])]),
        ("category", pa.array(FINE, pa.timestamp("ns")), CUT),
        ("timestamp", pa.array(EDGES), [Refusal.TYPE, datetime.min, Refusal.TYPE, datetime.max]),
        ("category", pa.array(MOMENTS, pa.timestamp("us")), [m and m.isoformat() for m in MOMENTS]),
        ("category", pa.array(MOMENTS, pa.timestamp("us", "UTC")), [m and f"{m.isoformat()}+00:00" for m in MOMENTS]),
        ("category", pa.array(MOMENTS[:1], pa.timestamp("us", "+02:00")), ["2020-01-02T03:04:05.000600+00:00"]),
        ("category", pa.array(MOMENTS[:1], pa.timestamp("us")).cast(pa.date32()), ["2020-01-02"]),
    ],
)
def test_a_value_of_another_container_is_read_alike(
    tmp_path: Path, kind: ColumnType, array: pa.Array, expected: list[Any]
) -> None:
    expected = [e.replace(tzinfo=UTC) if isinstance(e, datetime) else e for e in expected]
    assert by_reader(array, Plain(kind)) == by_table(tmp_path, array, Plain(kind)) == expected


@pytest.mark.parametrize("kind", ["integer", "category", "number", "boolean"])
@pytest.mark.parametrize("size", [np.float32, np.float16])
def test_a_small_float_is_read_alike(tmp_path: Path, kind: ColumnType, size: type[np.floating[Any]]) -> None:
    numbers = np.array([1, 0, 2.5, 2**11, 2**14, np.nan, np.inf] + [2**24 - 1, 2**30] * (size is np.float32), size)
    reader = ValueReader(Plain(kind))
    array = pa.array(numbers.astype(np.float32))
    if size is np.float16:
        array = pa.array(numbers)
    assert by_table(tmp_path, array, Plain(kind)) == [reader.typed(number) for number in numbers]


def test_an_id_that_came_as_a_float_is_refused_and_not_another_id() -> None:
    described = {"source": "x", "target": "y", "id_columns": ["id"], "columns": {"y": {"type": "number"}}}
    described["columns"] |= {"id": {"type": "integer"}, "x": {"type": "number"}}
    contract = Contract.of(project_from_mapping({"name": "unit", "data": described}, origin="test"), ())
    column = contract.column_of("id")
    assert column.read_type(BIG) == column.read_type(str(BIG)) == BIG
    with pytest.raises(RequestError, match=r"column 'id' .* too large to be read exactly .*Send it as text"):
        column.read_type(float(BIG))


def test_the_decisions_travel_in_the_contract() -> None:
    contract = Contract.of(project("x"), ())
    again = Contract.model_validate_json(contract.model_dump_json())
    assert again == contract
    assert {c.name: list(c.missing) for c in (*again.columns, *again.described) if c.missing} == {
        name: described["missing"] for name, described in COLUMNS.items() if "missing" in described
    }
    assert again.column_of("time").read_type("2024-01-01T12:00+02:00") == datetime(2024, 1, 1, 10, tzinfo=UTC)


WRITTEN = {
    "comma": Plain("number", decimal=",", missing=("-999,0",)),
    "points and a comma": Plain("number", decimal=",", thousands="."),
    "commas and a point": Plain("integer", thousands=",", missing=("1,000",)),
    "spaces": Plain("integer", decimal=",", thousands=" "),
    "apostrophes": Plain("number", thousands="'"),
    "dollars": Plain("number", thousands=",", unit="$", negative="(1)", missing=("$0",)),
    "euros": Plain("number", decimal=",", thousands=".", unit="EUR", negative="1-"),
    "per cent": Plain("number", unit="%", negative="\u22121"),
    "India": Plain("number", thousands=",", lakhs=True, unit="Rs."),
    "year first": Plain("timestamp", dates="2026/12/31"),
    "names of months": Plain("timestamp", dates="31-Dec-2026", missing=("1 Jan 1900",)),
    "names of months, short years": Plain("timestamp", dates="31-Dec-26"),
    "day first, short years": Plain("timestamp", dates="31/12/26"),
    "month first, short years": Plain("timestamp", dates="12/31/26"),
    "year first, short years": Plain("timestamp", dates="26/12/31"),
    "compact": Plain("timestamp", dates="20261231", missing=("0", "99991231")),
    "day first": Plain("timestamp", day_first=True, missing=("31/12/2099",)),
    "month first": Plain("timestamp", day_first=False),
    "spellings": Plain("category", map=(("yes", "Yes"), ("1", "Yes"), ("true", "no"), ("007", "Bond"))),
    "spellings in any case": Plain(
        "category", categories=("Yes", "No"), ignore_case=True, map=(("Not yet", "No"), ("\u0130zmir", "Yes"))
    ),
    "labels": Plain(
        "category", categories=("Yes", "Not yet", "No", "1", "\u0130zmir", "\u039f\u03a3"), ignore_case=True
    ),
}
AS_WRITTEN = (  # noqa: SIM905
    "1,5|-999,0|-999|1.622,15|1,622.15|1.62|1,62|1.622|12.34.567|1.234.567,8|1 622|1\u00a0622,5|1\u202f622|12 34|"
    "1'622.5|"
    "1\u20191'622|0,5|,5|5,|.|,|1e3|1,5E+2|1.000e2|+1.000|1,000|1,000.0|0.125|0,125|007|12,345,678|1,,5|1.5.5|nan|inf|"
    "17/04/2023|4/17/2023|7.4.2023|07-04-2023 08:30|07.04.2023 8:30|07.04.2023T08:30:15.5Z|1/2/2023 12:05 AM|"
    "1/2/2023 12:05 PM|1/2/2023 1:05pm|1/2/2023 13:05 PM|1/2/2023 0:05 AM|1/2.2023|1/2/23|31/04/2023|04/31/2023|"
    "$1,622.15|($12.50)|$(12)|-$5|$-5|5 $|$ 1,000|$0|0|$5$|$|()|(5|(-5)|1,5 EUR|EUR 1.622,5|12,50-|12,50- EUR|-12,5-|"
    "EUR1E3|1E3EUR|12.5 %|%12|\u22125|\u2013 5|\u22125 %|1,62,215.50|Rs. 1,62,215|1,234,567|12,34,56,789|"
    "2023/01/05|2023.1.5 08:30|2023-1-5 8:30 pm|2023/13/05|2023/01.05|05-Jan-2023|5 January 2023|Jan 5, 2023|"
    "Sept. 5 2023|05JAN2023:08:30:00|2023-FEB-29|1 jan 1900|05-JAN-23 08.30.15.123456 PM|13-JAN-23 13.30.15 PM|5jan69|"
    "5jan68|12-Jan|Jan-23|17/04/23|4/17/23|23/4/17|1.4.99 8:30|31-02-23|1.2.3|20230105|20230105083000|20230105T0830Z|"
    "20230105.0|20230105.5|1,234e3|-5,894E+03|5.894E+03|"
    "20230231|99991231|20230105 08:30:15.5|20231301|5 Ma\u0131 2023|7-Au\u011f-2023|"
    "17-APR-23 08.30.00.000000 PM +02:00|17-APR-23 12.30.00 AM UTC|Apr  7 2023  8:30PM|17/04/2023, 08:30|"
    "4/7/2023,8:30:00 p.m.|"
    "4/7/2023, 8:30:00\u202fAM|2023/1/5  08:30 UTC|17/04/2023 08:30 +02:00|17/04/2023   08:30|17/04/2023 08.30|"
    "20230105 083000 UTC|"
    "2023-04-17 08:30:00 UTC|2023-04-17 08:30:00 +02:00|2023-04-17, 8:30 AM|17/04/2023 8:30 AMZ|5 Jan 2023, 08.30.15|"
    "31/12/2099|31.12.2099 00:00|2023-04-17|2023-04-17T01:00+02:00|1/2/2023 10:00+0530|1/2/2023 24:00|00/01/2023|"
    "yes|YES|Yes|no|NOT  YET|not\tyet|notyet|1.0|1|\u0130ZMIR|i\u0307zmir|izmir|\u03bf\u03c3|\u03bf\u03c2|true"
).split("|")
MARKED = st.from_regex(r"\A[+-]?[0-9]{1,3}([., '\u00a0][0-9]{3}){0,3}([.,][0-9]{0,3})?(e[0-9])?\Z")
DATED = st.from_regex(r"\A[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{4}([T ][0-9]{1,2}:[0-5][0-9]( ?[AaPp]m)?)?\Z")


PRICED = st.from_regex(r"\A[(-]?(Rs\.|EUR|[$%\u2212])? ?[(-]?[0-9]{1,3}([.,][0-9]{2,3}){0,3} ?(EUR|[%$])?[)-]?\Z")
NAMED = st.from_regex(
    r"\A([0-9]{1,2}[ ./-]?(Jan|JUN|sept|December)[ ,./-]{0,2}([0-9]{2}){1,2}|May [0-9]{1,2}, [0-9]{4}|2[0-9]{7}|"
    r"[0-9]{2}[./-][0-9]{1,2}[./-][0-9]{1,2}|[0-9]{4}/[0-9]{1,2}/[0-9]{1,2})"
    r"(([T :]|, | {2})[0-9]{1,2}[:.]?[0-5][0-9]([:.][0-5][0-9])?( ?[AaPp]m)?( ?UTC| [+-]0[0-9]:00)?)?\Z"
)
OTHERWISE = MARKED | DATED | PRICED | NAMED | st.sampled_from(AS_WRITTEN).map(lambda t: f" {t} ")


@pytest.mark.slow
@settings(QUICK, max_examples=max(QUICK.max_examples // 3, 1))
@given(
    st.lists(
        MARKED | DATED | PRICED | NAMED | st.sampled_from(AS_WRITTEN).map(lambda t: f" {t} "),
        min_size=200,
        max_size=300,
    )
)
@example(AS_WRITTEN)
def test_text_that_is_written_otherwise(tmp_path: Path, texts: list[str]) -> None:
    array = pa.array(texts, pa.string())
    found = by_tables(tmp_path, array, list(WRITTEN.values()))
    for (name, rules), values in zip(WRITTEN.items(), found, strict=True):
        for text, value, expected in zip(texts, values, by_reader(array, rules), strict=True):
            assert value == expected, (name, text)


APRIL = datetime(2023, 4, 17, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rules", "raw", "value"),
    [
        ("points and a comma", "1.622,15", 1622.15),
        ("points and a comma", "1,62", 1.62),
        ("points and a comma", "1.62", Refusal.TYPE),
        ("points and a comma", 1622.15, 1622.15),
        ("commas and a point", "1,622", 1622),
        ("commas and a point", "1,62", Refusal.TYPE),
        ("commas and a point", "1,000.0", None),
        ("comma", -999, None),
        ("spaces", "1\u202f622", 1622),
        ("day first", "7.4.2023 08:30", datetime(2023, 4, 7, 8, 30, tzinfo=UTC)),
        ("month first", "4/7/2023 8:30 pm", datetime(2023, 4, 7, 20, 30, tzinfo=UTC)),
        ("month first", "17/04/2023", Refusal.TYPE),
        ("day first", "2023-04-07", datetime(2023, 4, 7, tzinfo=UTC)),
        ("dollars", "$1,622.15", 1622.15),
        ("dollars", "(12.50)", -12.5),
        ("dollars", "$ (1,000)", -1000),
        ("dollars", "\u20ac5", Refusal.TYPE),
        ("dollars", "$0", None),
        ("euros", "1.622,15 EUR", 1622.15),
        ("euros", "12,50- EUR", -12.5),
        ("per cent", "12.5\u00a0%", 12.5),
        ("per cent", "\u221212.5 %", -12.5),
        ("India", "Rs. 1,62,215.50", 162215.5),
        ("India", "1,621,215", Refusal.TYPE),
        ("year first", "2023/1/5 8:30", datetime(2023, 1, 5, 8, 30, tzinfo=UTC)),
        ("names of months", "05JAN2023:08:30:00", datetime(2023, 1, 5, 8, 30, tzinfo=UTC)),
        ("names of months", "January 5, 2023", datetime(2023, 1, 5, tzinfo=UTC)),
        ("names of months", "01-JAN-1900", None),
        ("names of months", "05-Jan", Refusal.TYPE),
        ("names of months", "31-Apr-2023", Refusal.TYPE),
        ("names of months, short years", "05-JAN-23 08.30.15 PM", datetime(2023, 1, 5, 20, 30, 15, tzinfo=UTC)),
        ("names of months, short years", "17-APR-23 08.30.00.000000 PM +02:00", APRIL.replace(hour=18)),
        ("names of months", "Apr 17 2023  8:30AM", APRIL),
        ("day first", "17/04/2023, 08:30", APRIL),
        ("month first", "4/17/2023, 8:30:00\u202fAM", APRIL),
        ("year first", "2023-04-17 08:30:00 UTC", APRIL),
        ("year first", "2023-04-17 10:30:00.0000000 +02:00", APRIL),
        ("day first, short years", "17/04/68", datetime(2068, 4, 17, tzinfo=UTC)),
        ("day first, short years", "17/04/69", datetime(1969, 4, 17, tzinfo=UTC)),
        ("month first, short years", "17/04/69", Refusal.TYPE),
        ("year first, short years", "69-4-17", datetime(1969, 4, 17, tzinfo=UTC)),
        ("compact", "20230105", datetime(2023, 1, 5, tzinfo=UTC)),
        ("compact", 20230105.0, datetime(2023, 1, 5, tzinfo=UTC)),
        ("compact", 20230105083000, datetime(2023, 1, 5, 8, 30, tzinfo=UTC)),
        ("compact", 0, None),
        ("compact", 99991231, None),
        ("compact", 20230231, Refusal.TYPE),
        ("compact", True, Refusal.TYPE),
        ("labels", " not   YET", "Not yet"),
        ("spellings", " yes ", "Yes"),
        ("spellings", "YES", "YES"),
        ("spellings", 1.0, "Yes"),
        ("spellings", True, "no"),
        ("spellings", "007", "Bond"),
        ("spellings", "7", "7"),
        ("spellings in any case", "NOT  yet", "No"),
        ("spellings in any case", "no", "No"),
        ("spellings in any case", "never", Refusal.CATEGORY),
        ("labels", "never", Refusal.CATEGORY),
    ],
)
def test_what_is_written_means(rules: str, raw: object, value: object) -> None:
    assert ValueReader(WRITTEN[rules]).read(raw) == value


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.float64(), pa.decimal128(20, 0)], ids=str)
def test_a_number_may_be_a_time(tmp_path: Path, kind: pa.DataType) -> None:
    array = pa.array([20230105, 20230231, 0, 99991231, 7, None]).cast(kind)
    expected = [datetime(2023, 1, 5, tzinfo=UTC), Refusal.TYPE, None, None, Refusal.TYPE, None]
    assert by_reader(array, WRITTEN["compact"]) == by_table(tmp_path, array, WRITTEN["compact"]) == expected


def test_serving_and_feedback_read_what_is_written_like_the_file() -> None:
    columns = {
        "amount": {"type": "number", "decimal": ",", "thousands": "."},
        "price": {"type": "number", "thousands": ",", "lakhs": True, "unit": "Rs.", "negative": "(1)"},
        "at": {"type": "timestamp", "day_first": True},
        "paid": {"type": "timestamp", "role": "ignored", "dates": 20261231},
        "town": {"type": "category", "map": {"NYC": "New York"}},
        "y": {"type": "category", "categories": ["No", "Yes"], "ignore_case": True, "map": {"paid": "Yes"}},
    }
    data = {"source": "x", "target": "y", "time_column": "at", "id_columns": ["paid"], "columns": columns}
    contract = Contract.of(project_from_mapping({"name": "unit", "data": data}, origin="test"), ("No", "Yes"))
    contract = Contract.model_validate_json(contract.model_dump_json())
    rows = [{"amount": "1.622,15", "town": "NYC", "price": "(Rs. 1,62,215)"}]
    rows += [{"amount": 2.5, "town": "New York", "price": "7"}]
    assert contract.parse(rows)["price"].tolist() == [-162215, 7]
    assert contract.column_of("paid").read_type(20230105) == datetime(2023, 1, 5, tzinfo=UTC)
    amounts = next(c for c in contract.columns if c.name == "price").column(pd.Series(["Rs. 5", None]))  # as stored
    assert amounts.fillna(0).tolist() == [5, 0]
    assert contract.parse(rows)["amount"].tolist() == [1622.15, 2.5]
    assert contract.parse(rows)["town"].tolist() == ["New York", "New York"]
    stored = pd.Series(["NYC", None, "Rome"])  # as the watch finds it
    (town,) = (c for c in contract.columns if c.name == "town")
    assert town.column(stored).fillna("-").tolist() == ["New York", "-", "Rome"]
    assert contract.truth_of("PAID") == "Yes"
    assert contract.column_of("at").read_type("17/04/2023") == datetime(2023, 4, 17, tzinfo=UTC)
    assert [contract.truth_of(label) for label in ("YES", " no", "Yes")] == ["Yes", "No", "Yes"]
    with pytest.raises(RequestError, match=r"'amount' has to be a finite number up to 3.4e38, written like 1\.234,5"):
        contract.parse([{"amount": "1622.15", "town": None, "price": None}])
    with pytest.raises(
        RequestError, match=r"'price' has to be .*, written like 1,23,456\.5 Rs\. or \(1,23,456\.5 Rs\.\)"
    ):
        contract.parse([{"amount": 1, "town": None, "price": "$5"}])


@pytest.mark.slow
def test_every_letter_is_folded_alike(tmp_path: Path) -> None:
    letters = [chr(c) for c in range(1, 0x20000) if not 0xD800 <= c < 0xE000]
    pq.write_table(pa.table({"place": range(len(letters)), "letter": letters}), tmp_path / "letters")
    table = connect().read_parquet(tmp_path / "letters")
    lower = collect(table.select("place", lower=table["letter"].lower()).order_by("place"))["lower"].to_pylist()
    differ = [(a, b) for a, b in zip(letters, lower, strict=True) if not re.fullmatch(SPACES, a) and same_label(a) != b]
    assert differ == []
