"""Files as people have them: the first project file, ingestion and cleaning together give the right values."""

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ciclo.components.cleaning.clean import clean
from ciclo.components.core.data_sections import Column
from ciclo.components.core.errors import DataError, ProjectError
from ciclo.components.core.own_columns import LINE, PREFIX, REASONS
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.values import Refusal, ValueReader
from ciclo.components.drafting.inference import propose
from ciclo.components.ingestion.ingest import ingest
from tests.depth import some, thorough

ROWS = 120
N = range(ROWS)
X = [i * 7919 % ROWS / 8 for i in N]


def prepared(folder: Path, source: Path | str, header: bool | None = None, target: str = "y") -> tuple[Any, str]:
    """What becomes of a source: the cleaned rows in its order, with every row accounted for; and the project file."""
    text = propose(source, target, header=header)
    charter = yaml.safe_load(text)
    charter["cleaning"] = {**charter.get("cleaning", {}), "quarantine_budget": 0.5, "minimum_rows": 1}
    project = project_from_mapping(charter, origin="test")
    facts = ingest(project, folder / "raw")
    report = clean(project, folder / "raw", folder / "dataset", folder / "quarantine")
    assert facts.rows == report.rows == report.kept + report.quarantined
    rows = pq.read_table(folder / "dataset").sort_by(LINE).to_pandas(ignore_metadata=True)
    assert len(rows) == report.kept
    return rows, text


def comment(text: str, column: str) -> str:
    """The line of a column in a project file."""
    (line,) = (line for line in text.splitlines() if line.startswith((f"    {column}:", f'    "{column}":')))
    return line


def write(folder: Path, header: str, *columns: list[Any], delimiter: str = ";", encoding: str = "utf-8") -> Path:
    """A CSV file with a feature ``x``, a target ``y`` and other columns as they are written."""
    lines = [delimiter.join([header, "x", "y"])]
    lines += [
        delimiter.join([*map(str, cells), str(i * 37 % 100), "ab"[i % 2]])
        for i, cells in enumerate(zip(*columns, strict=True))
    ]
    (folder / "data.csv").write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return folder / "data.csv"


AMOUNTS = [1000.5 + 12_345.25 * i for i in N]


def grouped(number: float, thousands: str, decimal: str) -> str:
    return f"{number:,.2f}".replace(",", "_").replace(".", decimal).replace("_", thousands)


def indian(number: float) -> str:
    """A number grouped as in India."""
    whole, cents = f"{number:.2f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)][::-1]
    return ",".join([*pairs, tail]) + "." + cents


OWED = [1000.25 * (i % 7 - 3) + i for i in N]
NUMBERS: dict[str, tuple[list[str], list[Any], dict[str, Any]]] = {
    "decimal comma": ([f"{v:.3f}".replace(".", ",") for v in X], X, {"decimal": ","}),
    "Excel in Germany": ([grouped(v, ".", ",") for v in AMOUNTS], AMOUNTS, {"decimal": ",", "thousands": "."}),
    "Excel in the States": ([f'"{grouped(v, ",", ".")}"' for v in AMOUNTS], AMOUNTS, {"thousands": ","}),
    "France": ([grouped(v, "\u202f", ",") for v in AMOUNTS], AMOUNTS, {"decimal": ",", "thousands": " "}),
    "Switzerland": ([grouped(v, "'", ".") for v in AMOUNTS], AMOUNTS, {"thousands": "'"}),
    "whole thousands": ([f"{15_000 * i:,}" for i in N], [15_000 * i for i in N], {"thousands": ","}),
    "dollars": ([f"${grouped(v, ',', '.')}" for v in AMOUNTS], AMOUNTS, {"thousands": ",", "unit": "$"}),
    "euros": ([f"{grouped(v, '.', ',')} €" for v in AMOUNTS], AMOUNTS, {"decimal": ",", "thousands": ".", "unit": "€"}),
    "a code in front": ([f"EUR {v:.2f}" for v in AMOUNTS], AMOUNTS, {"unit": "EUR"}),
    "some without a sign": ([f"{'' if i % 9 else '£'}{v:.2f}" for i, v in enumerate(AMOUNTS)], AMOUNTS, {"unit": "£"}),
    "per cent": ([f"{v}\u00a0%" for v in X], X, {"unit": "%"}),
    "India": ([indian(v) for v in AMOUNTS], AMOUNTS, {"thousands": ",", "lakhs": True}),
    "accounting": (
        [f"(${-v:,.2f})" if v < 0 else f"${v:,.2f}" for v in OWED],
        OWED,
        {"thousands": ",", "unit": "$", "negative": "(1)"},
    ),
    "SAP": ([f"{abs(v):.2f}{'-' if v < 0 else ''}" for v in OWED], OWED, {"negative": "1-"}),
    "typographer's minus": ([f"{v:.2f}".replace("-", "\u2212") for v in OWED], OWED, {"negative": "\u22121"}),
    "thin spaces": (
        [f"{int(v):,}".replace(",", "\u2009") for v in AMOUNTS],
        [int(v) for v in AMOUNTS],
        {"thousands": " "},
    ),
    "whole dollars": ([f"${i * 7 % 97}" for i in N], [i * 7 % 97 for i in N], {"unit": "$"}),
    "powers of ten": (["1.00E+05", *(str(i) for i in N[1:])], [100_000, *N[1:]], {}),
    "whole floats": ([f"{i * 5 % 97}.0" for i in N], [float(i * 5 % 97) for i in N], {}),
    "whole floats with gaps": (
        ["", "", *(f"{i * 5 % 97}.0" for i in N[2:])],
        [None, None, *(i * 5 % 97 for i in N[2:])],
        {},
    ),
    "plain": ([str(v) for v in X], X, {}),
}


@pytest.fixture(scope="module")
def written_numbers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """All these columns in one file; none of them decides how another is read."""
    folder = tmp_path_factory.mktemp("numbers")
    cells = [[f'"{cell.strip(chr(34))}"' for cell in cells] for cells, _, _ in NUMBERS.values()]
    return prepared(folder, write(folder, ",".join(NUMBERS), *cells, delimiter=","))


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_as_they_are_written(written_numbers: tuple[Any, str], name: str) -> None:
    rows, text = written_numbers
    _, values, rules = NUMBERS[name]
    assert [None if pd.isna(v) else v for v in rows[name]] == values
    column = yaml.safe_load(text)["data"]["columns"][name]
    assert {key: column[key] for key in ("decimal", "thousands", "lakhs", "unit", "negative") if key in column} == rules
    assert column["type"] == ("number" if isinstance(values[2], float) else "integer")
    assert ("written like" in comment(text, name)) == bool(rules)


DAYS = [date.fromordinal(date(2023, 4, 1).toordinal() + i) for i in N]
MINUTES = [datetime(d.year, d.month, d.day, 8 + i % 12, 30, tzinfo=UTC) for i, d in enumerate(DAYS)]
TIMES: dict[str, tuple[list[str], list[datetime], bool]] = {
    "day/month": ([f"{d:%d/%m/%Y}" for d in DAYS], [datetime(d.year, d.month, d.day, tzinfo=UTC) for d in DAYS], True),
    "day.month and time": ([f"{t:%d.%m.%Y %H:%M}" for t in MINUTES], MINUTES, True),
    "month/day and time": ([f"{t.month}/{t.day}/{t.year} {t.hour}:30" for t in MINUTES], MINUTES, False),
    "browsers in Britain": ([f"{t:%d/%m/%Y, %H:%M:%S}" for t in MINUTES], MINUTES, True),
    "Chrome in the States": ([f"{t.month}/{t.day}/{t.year}, {t:%I:%M:%S\u202f%p}" for t in MINUTES], MINUTES, False),
    "month/day and half days": ([f"{t.month}/{t.day}/{t.year} {t:%I:%M %p}" for t in MINUTES], MINUTES, False),
}


@pytest.mark.slow
def test_times_as_they_are_written(tmp_path: Path) -> None:
    path = write(tmp_path, ";".join(TIMES), *(cells for cells, _, _ in TIMES.values()))
    rows, text = prepared(tmp_path, path)
    for name, (_, times, day_first) in TIMES.items():
        assert rows[name].tolist() == times, name
        column = yaml.safe_load(text)["data"]["columns"][name]
        assert (column["type"], column["day_first"]) == ("timestamp", day_first)
        assert f"the {'day' if day_first else 'month'} comes first" in comment(text, name)


MIDNIGHTS = [datetime(d.year, d.month, d.day, tzinfo=UTC) for d in DAYS]
DATES: dict[str, tuple[list[str], list[datetime], str]] = {
    "Oracle with a zone": (
        [f"{t:%d-%b-%y %I.%M}.00.000000 {t:%p} +00:00".upper() for t in MINUTES],
        MINUTES,
        "31-Dec-26",
    ),
    "SQL Server": (
        [f"{t:%b} {t.day:2} {t.year} {t:%I:%M%p}".replace(" 0", "  ") for t in MINUTES],
        MINUTES,
        "31-Dec-2026",
    ),
    "year first": ([f"{d:%Y/%m/%d}" for d in DAYS], MIDNIGHTS, "2026/12/31"),
    "year first and time": ([f"{t.year}.{t.month}.{t.day} {t:%H:%M}" for t in MINUTES], MINUTES, "2026/12/31"),
    "Oracle": ([f"{d:%d-%b-%y}".upper() for d in DAYS], MIDNIGHTS, "31-Dec-26"),
    "SAS": ([f"{t:%d%b%Y:%H:%M:%S}".upper() for t in MINUTES], MINUTES, "31-Dec-2026"),
    "Excel": ([f"{d.day}-{d:%b-%Y}" for d in DAYS], MIDNIGHTS, "31-Dec-2026"),
    "in words": ([f"{d:%B} {d.day}, {d.year}" for d in DAYS], MIDNIGHTS, "31-Dec-2026"),
    "day first, short": ([f"{d:%d/%m/%y}" for d in DAYS], MIDNIGHTS, "31/12/26"),
    "month first, short": ([f"{d.month}/{d.day}/{d:%y}" for d in DAYS], MIDNIGHTS, "12/31/26"),
    "year first, short": ([f"{d:%y-%m-%d}" for d in DAYS], MIDNIGHTS, "26/12/31"),
    "compact": ([f"{d:%Y%m%d}" for d in DAYS], MIDNIGHTS, "20261231"),
    "compact and time": ([f"{t:%Y%m%d%H%M}00" for t in MINUTES], MINUTES, "20261231"),
    "start_date": (
        [f"202301{1 + i % 2:02d}" for i in N],
        [datetime(2023, 1, 1 + i % 2, tzinfo=UTC) for i in N],
        "20261231",
    ),
}


@pytest.fixture(scope="module")
def written_dates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    folder = tmp_path_factory.mktemp("dates")
    return prepared(folder, write(folder, ";".join(DATES), *(cells for cells, _, _ in DATES.values())))


@pytest.mark.parametrize("name", DATES)
def test_dates_as_programs_write_them(written_dates: tuple[Any, str], name: str) -> None:
    rows, text = written_dates
    _, times, form = DATES[name]
    column = yaml.safe_load(text)["data"]["columns"][name]
    assert (column["type"], column["dates"]) == ("timestamp", form)
    assert rows[name].tolist() == times
    assert ("69 to 99 are 1969 to 1999" in comment(text, name)) == (len(form) in (8, 9) and form != "20261231")


# What looks like a number, a date or an amount, and is none; by the type that it has to keep.
NEITHER: dict[str, tuple[list[str], str]] = {
    "versions": ([f"1.{i % 4}.{i % 7}" for i in N], "category"),
    "versions of two digits": ([f"8.{i % 3 + 1}.{27 + i % 5}" for i in N], "category"),
    "fertilizers": (["10-20-10", "20-10-20", "15-15-15"] * 40, "category"),
    "sort codes": ([f"{20 + i % 80}-{i % 90 + 10}-{i * 7 % 90 + 10}" for i in N], "category"),
    "telephones": ([f"+41 79{i % 10} {100 + i} {999 - i}" for i in N], "category"),
    "telephones in one": ([f"+4179{1_000_000 + i * 37}" for i in N], "category"),
    "local telephones": ([f"555-{1000 + i % 40}" for i in N], "category"),
    "ranges": ([f"{i % 5}-{i % 5 + 5}" for i in N], "category"),
    "ids in brackets": ([f"({100 + i % 40})" for i in N], "category"),
    "part numbers": ([f"{i % 28 + 1:02d}-{'Jan' if i % 2 else 'Mar'}" for i in N], "category"),
    "months": ([f"{'Jan' if i % 2 else 'Mar'}-{i % 9 + 10}" for i in N], "category"),
    "codes with words": ([f"TOP {i % 40}" for i in N], "category"),
    "numbers that are no days": ([str(20230101 + i) for i in N], "integer"),
    "few numbers that could be days": ([str(20230101 + i % 20) for i in N], "integer"),
    "prices and words": (["$5" if i % 3 else "free" for i in N], "category"),
    "chapters": ([f"{i % 9 + 1}.{i % 8 + 1:02d}" for i in N], "number"),
    "lists of codes": ([f"{i % 90 + 10},{i % 80 + 10},{i % 70 + 10}" for i in N], "category"),
    "times of day": ([f"{i % 24:02d}:{i % 60:02d}" for i in N], "category"),
    "states": (["T", "N"] * 60, "category"),
    "answers": (["Y", "N", "T"] * 40, "category"),
    "codes of two": (["1", "0", "00"] * 40, "category"),
}


@pytest.fixture(scope="module")
def neither(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    folder = tmp_path_factory.mktemp("neither")
    return prepared(folder, write(folder, "|".join(NEITHER), *(cells for cells, _ in NEITHER.values()), delimiter="|"))


@pytest.mark.parametrize("name", NEITHER)
def test_what_is_neither_number_nor_date_stays_what_it_is(neither: tuple[Any, str], name: str) -> None:
    rows, text = neither
    cells, kind = NEITHER[name]
    column = yaml.safe_load(text)["data"]["columns"][name]
    assert (column["type"], {*column} & {"dates", "day_first", "unit", "negative", "thousands"}) == (kind, set())
    assert rows[name].tolist() == [{"category": str, "integer": int, "number": float}[kind](cell) for cell in cells]


ASKED: dict[str, tuple[list[str], str]] = {
    "either order, short": (
        [f"{1 + i % 12:02d}/{1 + i * 5 % 12:02d}/{40 + i % 30}" for i in N],
        "31/12/26 or 12/31/26",
    ),
    "many versions": ([f"{i % 11 + 1}.{i % 5 + 1}.{i % 19 + 10}" for i in N], "several orders"),
    "first of the month": ([f"01/{1 + i % 12:02d}/{1 + i // 12:02d}" for i in N], "several orders"),
    "several currencies": ([f"{'$€'[i % 2]}{100 + i}" for i in N], "'$' in 60 rows, '€' in 60 rows"),
    "some in per cent": ([f"{i % 50 / 8}{'%' if i % 2 else ''}" for i in N], "60 have none"),
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    folder = tmp_path_factory.mktemp("asked")
    return prepared(folder, write(folder, ";".join(ASKED), *(cells for cells, _ in ASKED.values())))


@pytest.mark.parametrize("name", ASKED)
def test_what_the_values_leave_open_is_asked(asked: tuple[Any, str], name: str) -> None:
    column = yaml.safe_load(asked[1])["data"]["columns"][name]
    assert column["role"] == "ignored"
    assert ASKED[name][1] in column["why"]


@pytest.mark.slow
def test_a_value_of_another_currency_is_quarantined_with_its_reason(tmp_path: Path) -> None:
    cells = [f"{'€' if i == 7 else '$'}{v:.2f}" for i, v in enumerate(AMOUNTS)]
    rows, text = prepared(tmp_path, write(tmp_path, "amount", cells))
    assert rows["amount"].tolist() == [v for i, v in enumerate(AMOUNTS) if i != 7]
    assert "1 value is no number" in comment(text, "amount")
    (row,) = pq.read_table(tmp_path / "quarantine").to_pylist()
    assert row["amount"] == cells[7]
    assert row[REASONS] == ["type: column 'amount' is not a finite number up to 3.4e38, written like 1234.5 $"]


def test_a_target_in_several_currencies_is_asked_about(tmp_path: Path) -> None:
    path = write(tmp_path, "amount", [f"{'$€'[i % 2]}{v}" for i, v in enumerate(AMOUNTS)])
    with pytest.raises(DataError, match=r"target 'amount'.*several units .*bring them to one"):
        propose(path, "amount")


FLAGS: dict[str, tuple[list[str], list[bool]]] = {
    "words": (["Yes", "no", "TRUE", "0"] * 30, [True, False, True, False] * 30),
    "letters": (["Y", "N"] * 60, [True, False] * 60),
    "letters and words": (["y", "No", "YES", "n", "1", "yes "] * 20, [True, False, True, False, True, True] * 20),
    "any case": (["true", "True", "FALSE", "f"] * 30, [True, True, False, False] * 30),
}


@pytest.mark.slow
def test_booleans_spelt_in_several_ways_are_one(tmp_path: Path) -> None:
    cells = [cells for cells, _ in FLAGS.values()]
    rows, text = prepared(tmp_path, write(tmp_path, ";".join(["n", *FLAGS]), list(N), *cells))
    for name, (_, flags) in FLAGS.items():
        assert rows[name].tolist() == flags, name
        assert ("taken for true" in comment(text, name)) == (name != "letters")
    assert "'Yes', 'true' taken for true, and '0', 'no' for false" in comment(text, "words")


@pytest.mark.slow
def test_a_target_spelt_in_several_ways_is_a_boolean(tmp_path: Path) -> None:
    cells = [("Yes", "no", "TRUE", "0")[i * 7 % 11 % 4] for i in N]
    rows, text = prepared(tmp_path, write(tmp_path, "paid", cells), target="paid")
    assert yaml.safe_load(text)["training"]["task"] == "binary"
    assert rows["paid"].tolist() == [cell in ("Yes", "TRUE") for cell in cells]


@thorough
def test_times_without_a_zone_beside_times_with_one_are_counted(tmp_path: Path) -> None:
    cells = [f"{t:%Y-%m-%dT%H:%M}{'+02:00' if i % 3 else ''}" for i, t in enumerate(MINUTES)]
    dates = [f"{t:%d/%m/%Y %H:%M}{'Z' if i < 5 else ''}" for i, t in enumerate(MINUTES)]
    alike = [f"{t:%Y-%m-%dT%H:%M}Z" for t in MINUTES]
    text = propose(write(tmp_path, "at;paid;alike;day", cells, dates, alike, [f"{d}" for d in DAYS]), "y")
    assert "40 of its times say no zone and are taken for UTC, beside 80 with one" in comment(text, "at")
    assert "115 of its times say no zone and are taken for UTC, beside 5 with one" in comment(text, "paid")
    assert "zone" not in comment(text, "alike") + comment(text, "day")
    project = project_from_mapping(yaml.safe_load(text), origin="test")
    ingest(project, tmp_path / "raw")
    report = clean(project, tmp_path / "raw", tmp_path / "dataset", tmp_path / "quarantine", tmp_path / "report")
    assert report.zones == {"at": (80, 40), "paid": (5, 115)}
    assert "'at': 40 of its times say no zone" in report.summary
    assert "115 of its times say no zone" in (tmp_path / "report").read_text()


@pytest.mark.slow
def test_malformed_records_are_counted_and_one_is_shown(tmp_path: Path) -> None:
    lines = ["a,b,y", *(f"{v},note {i},{i % 2}" for i, v in enumerate(X))]
    lines[8] = r'7,"he said \"no\", twice",1'
    lines[9] = "7,8"
    (tmp_path / "data.csv").write_text("\n".join(lines))
    text = propose(tmp_path / "data.csv", "y")
    assert f"2 of {ROWS} records are malformed and will be quarantined, such as record 8" in text
    assert r"he said \"no\"" in text
    assert "Spark" in text
    (tmp_path / "data.csv").write_text("\n".join([*lines[:8], *lines[9:]]))
    text = propose(tmp_path / "data.csv", "y")
    assert "1 of 119 records is malformed" in text
    assert "Spark" not in text
    (tmp_path / "data.csv").write_text("\n".join([*lines[:8], *lines[10:]]))
    assert "malformed and" not in propose(tmp_path / "data.csv", "y")


@thorough
def test_a_time_column_may_be_written_like_that(tmp_path: Path) -> None:
    path = write(tmp_path, "at", TIMES["month/day and half days"][0])
    rows, text = prepared(tmp_path, path)
    project = project_from_mapping(yaml.safe_load(text), origin="test")
    assert project.data.time_column == "at"
    facts = ingest(project, tmp_path / "window", "2023-04-17", "2023-04-18")
    assert (facts.rows, len(rows)) == (1, ROWS)


@pytest.mark.slow
def test_dates_that_could_be_either_are_asked_about(tmp_path: Path) -> None:
    path = write(tmp_path, "at", [f"0{1 + i % 9}/0{1 + i // 9 % 9}/2023" for i in N])
    text = propose(path, "y")
    column = yaml.safe_load(text)["data"]["columns"]["at"]
    assert (column["role"], column.get("day_first")) == ("ignored", None)
    assert "day_first: true" in column["why"]
    assert yaml.safe_load(text)["data"].get("time_column") is None


@thorough
def test_numbers_that_could_be_either_go_by_the_rest_of_the_file(tmp_path: Path) -> None:
    cells = [f"{1 + i % 9},{100 + i}" for i in N]
    told = [f"{v:.1f}".replace(".", ",") for v in X]
    rows, text = prepared(tmp_path, write(tmp_path, "either;told", cells, told))
    assert rows["either"].tolist() == [float(c.replace(",", ".")) for c in cells]
    quoted = [f'"{c}"' for c in cells]
    told = [f'"{1_000_000 + 1000 * i:,}"' for i in N]
    rows, _ = prepared(tmp_path, write(tmp_path, "either,told", quoted, told, delimiter=","))
    assert rows["either"].tolist() == [int(c.replace(",", "")) for c in cells]
    text = propose(write(tmp_path, "either", quoted, delimiter=","), "y")
    column = yaml.safe_load(text)["data"]["columns"]["either"]
    assert column["role"] == "ignored"
    assert 'thousands: ","' in column["why"]


HEAD = "a,b,c,y"
BODY = [(f"{i}", f"{X[i]}", "uv"[i % 2], "01"[i // 2 % 2]) for i in N]
FILES: dict[str, bytes] = {
    "a line that says the delimiter": ("sep=;\na;b;c;y\n" + "".join(";".join(r) + "\n" for r in BODY)).encode(),
    "UTF-16": (HEAD + "\r\n" + "".join(",".join(r) + "\r\n" for r in BODY)).encode("utf-16"),
    "quotes after a space": ('a, "b", "c", "y"\n' + "".join(f'{a}, {b}, "{c}", {y}\n' for a, b, c, y in BODY)).encode(),
    "commas in a header": ("a;b;c;y\n" + "".join(";".join(r) + "\n" for r in BODY)).encode(),
    "gzip": gzip.compress((HEAD + "\n" + "".join(",".join(r) + "\n" for r in BODY)).encode()),
    "zstd": pa.compress((HEAD + "\n" + "".join(",".join(r) + "\n" for r in BODY)).encode(), "zstd", asbytes=True),
    "index of pandas": (",a,b,c,y\n" + "".join(f"{i},{','.join(r)}\n" for i, r in enumerate(BODY))).encode(),
    "index of R": ('"a","b","c","y"\n' + "".join(f'"{i + 1}",{",".join(r)}\n' for i, r in enumerate(BODY))).encode(),
    "JSON lines": "".join(
        json.dumps({"a": int(a), "b": float(b), "c": c, "y": bool(int(y))}) + "\n" for a, b, c, y in BODY
    ).encode(),
    "JSON lines, gaps left out": "".join(
        json.dumps({"y": y, "c": c, "b": float(b)} | ({"a": int(a)} if i else {})) + "\n"
        for i, (a, b, c, y) in enumerate(BODY)
    ).encode(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", some([*FILES]))
def test_files_as_programs_write_them(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").write_bytes(FILES[name])
    rows, text = prepared(tmp_path, tmp_path / "data")
    assert rows["b"].tolist() == X
    assert rows["c"].tolist() == ["uv"[i % 2] for i in N]
    assert rows["y"].tolist() == [i // 2 % 2 == 1 for i in N]
    assert rows["a"].tolist()[1:] == list(N)[1:]
    columns = yaml.safe_load(text)["data"]["columns"]
    assert set(columns) - {"a", "b", "c", "y"} <= {"index"}
    if "index" in columns:
        assert columns["index"]["role"] == "ignored"
        assert "pandas or R" in columns["index"]["why"]
        assert yaml.safe_load(text)["data"].get("id_columns", ["a"]) == ["a"]


@pytest.mark.slow
def test_values_with_commas_are_no_reason_to_see_a_title(tmp_path: Path) -> None:
    notes = [f"Doe, J{i}, Main St" for i in N]
    assert len(prepared(tmp_path, write(tmp_path, "address", notes))[0]) == ROWS


@pytest.mark.slow
def test_commas_in_a_header_cut_at_semicolons(tmp_path: Path) -> None:
    lines = ["price, EUR;weight, kg;y", *(f"{v};{i};{i % 2}" for i, v in enumerate(X))]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    rows, _ = prepared(tmp_path, tmp_path / "data.csv")
    assert rows["price, EUR"].tolist() == X


@pytest.mark.slow
def test_a_file_without_a_header_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("".join(f"{v},{5 + i % 3},{'red' if i % 3 else 'blue'},{i % 2}\n" for i, v in enumerate(X)))
    with pytest.raises(DataError, match="is there a header") as error:
        propose(path, "column_4")
    assert "--no-header" in error.value.hint
    rows, text = prepared(tmp_path, path, header=False, target="column_4")
    assert yaml.safe_load(text)["data"]["header"] is False
    assert rows["column_1"].tolist() == X
    assert len(rows) == ROWS


@pytest.mark.parametrize("first", ["user{0},{0},a", "user{0},{0},mail{0}@x.org,a"])
def test_a_first_record_with_an_id_is_no_header(tmp_path: Path, first: str) -> None:
    (tmp_path / "data.csv").write_text("".join(first.format(i).replace(",a", f",{'ab'[i % 2]}") + "\n" for i in N))
    with pytest.raises(DataError, match="is there a header"):
        propose(tmp_path / "data.csv", "y")


@pytest.mark.slow
@pytest.mark.parametrize("header", some(["country,2019,2020,2021,y", "0,1,2,3,y", "x1,x2,x3,x4,y", "red,blue,x,z,y"]))
def test_a_header_is_not_taken_for_values(tmp_path: Path, header: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(header + "\n" + "".join(f"{'ab'[i % 2]},{v},{i},{i * 3},{i % 2}\n" for i, v in enumerate(X)))
    assert len(prepared(tmp_path, path)[0]) == ROWS


BIG = 2**53
KINDS: dict[str, tuple[pa.Array, list[Any], str]] = {
    "string_view": (pa.array(["u", "v"] * 60, pa.string_view()), ["u", "v"] * 60, "category"),
    "large_string": (pa.array(["u", "v"] * 60, pa.large_string()), ["u", "v"] * 60, "category"),
    "dictionary": (pa.array(["u", "v"] * 60).dictionary_encode(), ["u", "v"] * 60, "category"),
    "decimals that are ids": (
        pa.array([Decimal(BIG + i) for i in N], pa.decimal128(38, 0)),
        [BIG + i for i in N],
        "integer",
    ),
    "decimals beyond 64 bits": (
        pa.array([Decimal(10**30 + i) for i in N], pa.decimal128(38, 0)),
        [str(10**30 + i) for i in N],
        "category",
    ),
    "decimals": (pa.array([Decimal(i) / 4 for i in N], pa.decimal128(10, 2)), [i / 4 for i in N], "number"),
    "uint64": (pa.array([i * 5 % 97 for i in N], pa.uint64()), [i * 5 % 97 for i in N], "integer"),
    "uint64 beyond int64": (
        pa.array([2**63 + i for i in N], pa.uint64()),
        [str(2**63 + i) for i in N],
        "category",
    ),
    "NaN without nulls": (pa.array([np.nan, *X[1:]], from_pandas=False), [None, *X[1:]], "number"),
    "whole floats with a gap": (
        pa.array([np.nan, *(float(i * 5 % 97) for i in N[1:])]),
        [None, *(i * 5 % 97 for i in N[1:])],
        "integer",
    ),
    "whole floats": (pa.array([float(i * 5 % 97) for i in N]), [float(i * 5 % 97) for i in N], "number"),
    "seconds": (pa.array(MINUTES, pa.timestamp("s")), MINUTES, "timestamp"),
    "milliseconds of a zone": (pa.array(MINUTES, pa.timestamp("ms", "Europe/Zurich")), MINUTES, "timestamp"),
    "nanoseconds": (
        pa.array([1_680_000_000_123_456_999 + 10**14 * i for i in N], pa.timestamp("ns", "UTC")),
        [datetime.fromtimestamp(1_680_000_000 + 10**5 * i, UTC).replace(microsecond=123_456) for i in N],
        "timestamp",
    ),
    "microseconds": (pa.array(MINUTES, pa.timestamp("us", "UTC")), MINUTES, "timestamp"),
    "nanoseconds of a zone": (pa.array(MINUTES, pa.timestamp("ns", "America/New_York")), MINUTES, "timestamp"),
    "days as numbers": (pa.array([int(f"{d:%Y%m%d}") for d in DAYS]), MIDNIGHTS, "timestamp"),
    "days as floats": (
        pa.array([np.nan, *(float(f"{d:%Y%m%d}") for d in DAYS[1:])]),
        [None, *MIDNIGHTS[1:]],
        "timestamp",
    ),
    "days": (pa.array(DAYS, pa.date32()), [datetime(d.year, d.month, d.day, tzinfo=UTC) for d in DAYS], "timestamp"),
}


@pytest.fixture(scope="module")
def stored_kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """All these columns in one file."""
    folder = tmp_path_factory.mktemp("kinds")
    table = pa.table({**{name: array for name, (array, _, _) in KINDS.items()}, "x": X, "y": ["a", "b"] * 60})
    pq.write_table(table, folder / "data.parquet")
    return prepared(folder, folder / "data.parquet")


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_parquet_of_any_writer(stored_kinds: tuple[Any, str], name: str) -> None:
    rows, text = stored_kinds
    _, values, kind = KINDS[name]
    assert yaml.safe_load(text)["data"]["columns"][name]["type"] == kind
    assert [None if v is None or v != v else v for v in rows[name].astype(object)] == values


@pytest.mark.slow
@pytest.mark.parametrize("form", some(["csv", "parquet"], 2))
def test_classes_written_as_floats_stay_classes(tmp_path: Path, form: str) -> None:
    labels = pd.Series([None, *(float(i % 3) for i in N[1:])])
    frame = pd.DataFrame({"x": X, "z": X[::-1], "y": labels})
    path = tmp_path / f"data.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    rows, text = prepared(tmp_path, path)
    assert yaml.safe_load(text)["training"]["task"] == "multiclass"
    assert rows["y"].tolist() == [str(i % 3) for i in N[1:]]


@pytest.mark.slow
def test_files_with_their_columns_in_another_order_are_laid_out_by_name(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": X, "c": ["u", "v"] * 60, "y": ["a", "b", "b", "a"] * 30})
    frame[:60].to_csv(tmp_path / "part-0.csv", index=False)
    frame[60:][["y", "x", "c"]].to_csv(tmp_path / "part-1.csv", index=False)
    rows, _ = prepared(tmp_path, f"{tmp_path}/part-*.csv")
    pd.testing.assert_frame_equal(rows[["x", "c", "y"]], frame, check_dtype=False)


NAMES = ["split", "reasons", "occurrence", "row_id", "_line", "_line_right", "_malformed", "self", "v0", "c0", "count"]


@pytest.mark.slow
@pytest.mark.parametrize("form", some(["csv", "parquet"], 2))
def test_any_name_works(tmp_path: Path, form: str) -> None:
    frame = pd.DataFrame({name: np.roll(X, place) for place, name in enumerate(NAMES)} | {"y": ["a", "b"] * 60})
    path = tmp_path / f"data.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    for duplicates in (frame, pd.concat([frame, frame[:30]])):
        duplicates.to_csv(path, index=False) if form == "csv" else duplicates.to_parquet(path, index=False)
        rows, _ = prepared(tmp_path, path)
        pd.testing.assert_frame_equal(rows[[*NAMES, "y"]], duplicates.reset_index(drop=True), check_dtype=False)


def test_names_of_our_own_are_named_in_the_error(tmp_path: Path) -> None:
    name = f"{PREFIX}Split".upper()
    pd.DataFrame({name: X, "x": X, "y": ["a", "b"] * 60}).to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(DataError, match=f"column '{name}'"):
        propose(tmp_path / "data.csv", "y")
    columns = {name: {"type": "number"}, "y": {"type": "category"}}
    with pytest.raises(ProjectError, match=name):
        project_from_mapping({"name": "p", "data": {"source": "x", "target": "y", "columns": columns}}, origin="test")


@pytest.mark.slow
def test_labels_that_differ_in_case_or_spaces_are_one_class(tmp_path: Path) -> None:
    labels = ["Yes", "yes", "YES ", "No", "not  yet", "Not Yet"]
    rows, text = prepared(
        tmp_path, write(tmp_path, "z;label", [i * 11 % 97 for i in N], [labels[i % 6] for i in N]), target="label"
    )
    column = yaml.safe_load(text)["data"]["columns"]["label"]
    assert column["ignore_case"] is True
    assert {c.lower() for c in column["categories"]} == {"yes", "no", "not yet"}
    assert rows["label"].value_counts().to_dict() == {
        next(c for c in column["categories"] if c.lower() == label): count
        for label, count in {"yes": 60, "no": 20, "not yet": 40}.items()
    }
    assert "'YES'" in comment(text, "label")


@pytest.mark.slow
@pytest.mark.parametrize(("word", "rows", "task"), [("other", 40, "multiclass"), ("pending", 12, "regression")])
def test_a_frequent_word_in_a_target_of_numbers(tmp_path: Path, word: str, rows: int, task: str) -> None:
    numbers = [str(i % 3) if task == "multiclass" else f"{X[i]}" for i in N]
    cells = [word if i < rows else numbers[i] for i in N]
    kept, text = prepared(tmp_path, write(tmp_path, "z;label", [i * 11 % 97 for i in N], cells), target="label")
    assert yaml.safe_load(text)["training"]["task"] == task
    if task == "multiclass":
        assert kept["label"].value_counts()[word] == rows
    else:
        assert len(kept) == ROWS - rows
        assert f"{word!r} in {rows} rows" in comment(text, "label")
        assert "quarantined" in comment(text, "label")


@pytest.mark.slow
def test_figures_are_written_out_and_those_too_large_are_told(tmp_path: Path) -> None:
    large = ["1e300", *(f"{900_719_925_474_099 + i}.5" for i in N[1:])]
    rows, text = prepared(tmp_path, write(tmp_path, "large;year", large, [1990 + i % 30 for i in N]))
    assert "1 value is infinite or beyond 3.4e38" in comment(text, "large")
    assert "900,720,000,000,000 to" in comment(text, "large")
    assert "# 1990 to 2019" in comment(text, "year")
    (row,) = pq.read_table(tmp_path / "quarantine").to_pylist()
    assert row[REASONS] == ["type: column 'large' is not a finite number up to 3.4e38"]
    assert len(rows) == ROWS - 1


@pytest.mark.slow
@pytest.mark.parametrize("form", some(["csv", "parquet"], 2))
def test_infinity_is_reported_as_such(tmp_path: Path, form: str) -> None:
    frame = pd.DataFrame({"v": [np.inf, -np.inf, np.inf, *X[3:]], "x": X, "y": ["a", "b"] * 60})
    path = tmp_path / f"data.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    rows, text = prepared(tmp_path, path)
    assert yaml.safe_load(text)["data"]["columns"]["v"]["type"] == "number"
    assert "3 values are infinite" in comment(text, "v")
    assert len(rows) == ROWS - 3


@pytest.mark.slow
def test_scientific_notation_has_no_thousands(tmp_path: Path) -> None:
    """Where another column writes 12.5, -5,894E+03 could pass for -5,894,000 otherwise."""
    cells = [f"{(-1) ** i},{800 + i}E+03" for i in N]
    rows, text = prepared(tmp_path, write(tmp_path, "half;e", [str(i / 2) for i in N], cells))
    assert rows["e"].tolist() == pytest.approx([float(cell.replace(",", ".")) for cell in cells]), text


@thorough
def test_days_as_floats_are_days_in_text_too(tmp_path: Path) -> None:
    """pandas writes whole numbers of a column with a gap as 20230105.0."""
    cells = [f"{d:%Y%m%d}.0" for d in DAYS]
    rows, text = prepared(tmp_path, write(tmp_path, "order_date", cells))
    assert rows["order_date"].tolist() == MIDNIGHTS, text


ABSENT: dict[str, tuple[list[str], list[str], str]] = {
    "dash": ([f"{v}" if i % 5 else "-" for i, v in enumerate(X)], ["-"], "number"),
    "spreadsheet": ([str(i) if i % 5 else ("#N/A", "#DIV/0!")[i % 2] for i in N], ["#DIV/0!", "#N/A"], "integer"),
    "statistics": ([str(i * 7) if i % 6 else "." for i in N], ["."], "integer"),
    "databases": ([str(i * 7) if i % 6 else ("\\N", "(null)", "NULL")[i % 9 // 3] for i in N], [], "integer"),
    "amounts": ([f"{i * 1000:,}".replace(",", ".") + ",50 €" if i % 6 else "n.a." for i in N], ["n.a."], "number"),
    "flags": ([("0", "1", "--")[i % 3] for i in N], ["--"], "boolean"),
    "dates": ([f"{d:%d/%m/%Y}" if i % 9 else "-" for i, d in enumerate(DAYS)], ["-"], "timestamp"),
    "MySQL": ([f"{d}" if i % 9 else "0000-00-00" for i, d in enumerate(DAYS)], ["0000-00-00"], "timestamp"),
    "points": ([f"{d:%d.%m.%Y}" if i % 9 else "00.00.0000" for i, d in enumerate(DAYS)], ["00.00.0000"], "timestamp"),
    "SAP": ([f"{d:%Y%m%d}" if i % 9 else "00000000" for i, d in enumerate(DAYS)], ["00000000"], "timestamp"),
    "open ends": ([f"{d:%Y%m%d}" if i % 9 else ("0", "99991231")[i % 2] for i, d in enumerate(DAYS)], [], "timestamp"),
    "valid to": ([f"{d}" if i % 9 else "9999-12-31" for i, d in enumerate(DAYS)], ["9999-12-31"], "timestamp"),
}
# Where the same marks mean something; and days that are some.
MEANT: dict[str, tuple[list[str], str]] = {
    "blood": (["A", "B", "-", "0"] * 30, "category"),
    "one number": ([f"{'1' if i % 3 else '-'}" for i in N], "category"),
    "codes": ([f"{i % 40:03d}" if i % 5 else "-" for i in N], "category"),
    "marks alone": (["-", "--"] * 60, "category"),
    "since 1900": ([f"{d:%Y%m%d}" if i % 9 else "19000101" for i, d in enumerate(DAYS)], "timestamp"),
    "first": ([f"{d}" if i % 9 else "1900-01-01" for i, d in enumerate(DAYS)], "timestamp"),
    "numbers from 0": ([str(i * 200_000) for i in N], "integer"),
}


def guessed(path: Path) -> tuple[str, dict[str, Column]]:
    """The project file of a table, and its columns."""
    text = propose(path, "y")
    return text, dict(project_from_mapping(yaml.safe_load(text), origin="test").data.columns)


@pytest.fixture(scope="module")
def absent(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Column]]:
    folder = tmp_path_factory.mktemp("absent")
    cells = [cells for cells, *_ in (*ABSENT.values(), *MEANT.values())]
    return guessed(write(folder, "|".join((*ABSENT, *MEANT)), *cells, delimiter="|"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ABSENT)
def test_marks_and_days_that_stand_for_no_value_are_proposed(absent: tuple[str, dict[str, Column]], name: str) -> None:
    cells, words, kind = ABSENT[name]
    words = words or sorted({cell for cell in cells if cells.count(cell) > 1})
    column = absent[1][name]
    assert (column.type, sorted(column.missing)) == (kind, words)
    values = map(ValueReader(column).read, cells)
    assert [(value is None, isinstance(value, Refusal)) for value in values] == [
        (cell in words, False) for cell in cells
    ]
    assert f"taken for missing: {words[0]!r} in {cells.count(words[0])} rows" in comment(absent[0], name)


@pytest.mark.slow
@pytest.mark.parametrize("name", MEANT)
def test_the_same_marks_among_words_are_values(absent: tuple[str, dict[str, Column]], name: str) -> None:
    cells, kind = MEANT[name]
    column = absent[1][name]
    assert (column.type, column.missing) == (kind, ())
    values = list(map(ValueReader(column).read, cells))
    assert not {None, *Refusal} & {*values}
    assert kind != "category" or values == cells


@thorough
def test_days_as_numbers_that_stand_for_none_are_missing(tmp_path: Path) -> None:
    days = [int(f"{d:%Y%m%d}") if i % 9 else (0, 99991231)[i % 2] for i, d in enumerate(DAYS)]
    never = [datetime(9999, 12, 31) if i % 9 == 0 else datetime(d.year, d.month, d.day) for i, d in enumerate(DAYS)]
    table = pa.table({"due": days, "until": pa.array(never, pa.timestamp("us")), "x": X, "y": ["a", "b"] * 60})
    pq.write_table(table, tmp_path / "data.parquet")
    text, columns = guessed(tmp_path / "data.parquet")
    expected = [None if i % 9 == 0 else day for i, day in enumerate(MIDNIGHTS)]
    assert sorted(columns["due"].missing) == ["0", "99991231"]
    for name, values in {"due": days, "until": never}.items():
        assert [*map(ValueReader(columns[name]).read, values)] == expected
        assert "2023-04-02 to 2023-07-29" in comment(text, name)


@thorough
def test_days_that_do_not_exist_are_told(tmp_path: Path) -> None:
    at = [f"{d:%d/%m/%Y}" if i % 40 else "30/02/2023" for i, d in enumerate(DAYS)]
    born = [f"{d}" if i % 30 != 7 else "2023-02-30" for i, d in enumerate(DAYS)]
    until = [f"{d:%d-%b-%Y}" if i != 9 else "31-Apr-2023" for i, d in enumerate(DAYS)]
    rows, text = prepared(tmp_path, write(tmp_path, "at;born;until", at, born, until))
    assert yaml.safe_load(text)["data"]["time_column"] == "at"
    said = "3 values are no days of the calendar, such as '30/02/2023': those rows are quarantined"
    assert said in comment(text, "at")
    said = "4 values are no days of the calendar, such as '2023-02-30': they are read as missing"
    assert said in comment(text, "born")
    assert "1 value is no day of the calendar, such as '31-Apr-2023': it is read" in comment(text, "until")
    assert (len(rows), rows["born"].isna().sum(), rows["until"].isna().sum()) == (ROWS - 3, 4, 1)


@pytest.mark.slow
def test_what_may_be_a_code_is_said(tmp_path: Path) -> None:
    parts = [f"{d:%d-%m-%y}" for d in DAYS]
    classes = [f"{10 + i % 3}E{1 + i % 4}" for i in N]
    text = propose(write(tmp_path, "part;born;due_date;class;rate", parts, parts[::-1], parts, classes, X), "y")
    asks = {
        name for name in ("part", "born", "due_date", "class", "rate") if "make it a category" in comment(text, name)
    }
    assert asks == {"part", "class"}
    assert "'12E4' is read as a power of ten" in comment(text, "class")


def test_the_columns_of_folders_are_columns_like_others(tmp_path: Path) -> None:
    places = ["Zürich/Nord", "a=b", None]
    frame = pd.DataFrame({"x": [float(i) for i in N], "y": ["ab"[i % 2] for i in N], "year": [2020 + i % 4 for i in N]})
    frame["place"] = [places[i % 3] for i in N]
    frame.to_parquet(tmp_path / "table", partition_cols=["year", "place"])
    rows, text = prepared(tmp_path, tmp_path / "table")
    assert "from the names of the folders" in comment(text, "year")
    assert "from the names of the folders" in comment(text, "place")
    assert rows["year"].dtype == "int64"
    found, wanted = (
        sorted(part[["x", "y", "year", "place"]].fillna("").itertuples(index=False, name=None))
        for part in (rows, frame)
    )
    assert found == wanted
