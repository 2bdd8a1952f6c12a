"""What is broken is quarantined with its reason or refused with one, whatever the format, and the accounts balance."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from ciclo.components.cleaning.clean import clean
from ciclo.components.core.errors import DataError, QuarantineError
from ciclo.components.core.own_columns import LINE, MALFORMED, REASONS
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.ingestion.ingest import ingest
from ciclo.components.sources.text import TextFile
from tests.depth import rounds, some

COLUMNS: dict[str, Any] = {
    "id": {"type": "integer"},
    "n": {"type": "number", "minimum": 0, "maximum": 1000, "nullable": False},
    "w": {"type": "integer"},
    "c": {"type": "category", "categories": ["red", "blue"]},
    "t": {"type": "timestamp"},
    "y": {"type": "boolean"},
}
ROWS = 100
PLACE = 41  # the row that is broken; record PLACE + 1, line PLACE + 2 of the file


def sound(i: int) -> dict[str, str]:
    return {
        "id": str(i),
        "n": str(i * 5 % 97 / 4),
        "w": str(i % 7),
        "c": "red" if i % 3 else "blue",
        "t": f"2026-01-01T{i % 24:02d}:00",
        "y": str(i % 2),
    }


def project(source: object, **data: object) -> Project:
    given = {"source": str(source), "target": "y", "id_columns": ["id"], "time_column": "t", "columns": COLUMNS, **data}
    cleaning = {"split": {"method": "hash"}, "quarantine_budget": 0.5}
    return project_from_mapping({"name": "unit", "data": given, "cleaning": cleaning}, origin="test")


def run(wanted: Project, folder: Path) -> tuple[list[int], dict[int, dict[str, Any]]]:
    """The kept lines, and the quarantined rows by line; together they are all."""
    facts = ingest(wanted, folder / "raw")
    report = clean(wanted, folder / "raw", folder / "dataset", folder / "quarantine")
    kept = pq.read_table(folder / "dataset", columns=[LINE])[LINE].to_pylist()
    gone = {row[LINE]: row for row in pq.read_table(folder / "quarantine").to_pylist()}
    assert sorted([*kept, *gone]) == list(range(1, facts.rows + 1))
    assert (report.kept, report.quarantined) == (len(kept), len(gone))
    assert all(row[REASONS] for row in gone.values())
    return kept, gone


def lines(change: Callable[[str], str] | None = None) -> list[str]:
    rows = [",".join(sound(i).values()) for i in range(ROWS)]
    if change is not None:
        rows[PLACE] = change(rows[PLACE])
    return [",".join(COLUMNS), *rows]


def text(change: Callable[[str], str] | None = None) -> bytes:
    return ("\n".join(lines(change)) + "\n").encode()


def at(change: Callable[[list[str]], None]) -> bytes:
    every = lines()
    change(every)
    return ("\n".join(every) + "\n").encode()


QUOTED = '41,"5.0,6,red,2026-01-01T17:00,1'
# By name: the bytes of the file, and "malformed" where the row is quarantined for it, or what the refusal says.
BYTES: dict[str, tuple[bytes, str]] = {
    "a field too few": (text(lambda row: row.rsplit(",", 1)[0]), "malformed"),
    "a field too many": (text(lambda row: row + ",9"), "malformed"),
    "an empty field too many": (text(lambda row: row + ","), "malformed"),
    "one field alone": (text(lambda row: "junk"), "malformed"),
    "spaces alone": (text(lambda row: "   "), "malformed"),
    "another delimiter": (text(lambda row: row.replace(",", ";")), "malformed"),
    "text after a quote": (text(lambda row: row.replace("red", '"re"d')), "malformed"),
    "a quote that is not doubled": (text(lambda row: row.replace("red", '"r"e"d"')), "malformed"),
    "two records on a line": (text(lambda row: row + "," + row), "malformed"),
    "the header again": (text(lambda row: ",".join(COLUMNS)), "type"),
    "a quote never closed": (text(lambda row: QUOTED), "quote on line 43"),
    "a quote closed by a later field": (
        at(lambda every: every.__setitem__(slice(42, 60), [QUOTED, *every[43:59], '58,"5",6,red,2026-01-01,1'])),
        "quote on line 43",
    ),
    "a quote never closed at the end": (text() + b'100,"5.0,6', "quote on line 102"),
    "a quote never closed in the header": (text().replace(b"id,n", b'id,"n'), "header"),
    "a NUL byte": (text(lambda row: row.replace("red", "r\0d")), "NUL byte on line 43"),
    "a byte of Latin-1": (text(lambda row: row.replace("red", "r\xe9d")).decode().encode("latin-1"), "0xe9 on line 43"),
    "UTF-8 that is cut": (text() + "é".encode()[:1], "not UTF-8"),
    "a field without end": (text(lambda row: row.replace("red", "r" * 200_000)), "131,072 characters on line 43"),
}
# By name: what is changed in a sound row, and the rule it breaks.
VALUES: dict[str, tuple[dict[str, str], str]] = {
    "a word for a number": ({"n": "many"}, "type"),
    "infinity": ({"n": "inf"}, "type"),
    "too small": ({"n": "-1"}, "range"),
    "too large": ({"n": "1e4"}, "range"),
    "missing": ({"n": ""}, "null"),
    "a decimal comma that is not announced": ({"n": "1 000"}, "type"),
    "a part of a whole": ({"w": "2.5"}, "type"),
    "a whole number beyond 64 bits": ({"w": "9" * 30}, "exact"),
    "an unknown category": ({"c": "green"}, "category"),
    "no such day": ({"t": "2026-02-30"}, "type"),
    "no label": ({"y": ""}, "target"),
    "an id for the second time": ({"id": "40"}, "duplicate"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", some([*BYTES], 2))
def test_18_broken_files(tmp_path: Path, name: str) -> None:
    content, outcome = BYTES[name]
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    if " " in outcome or outcome == "header":
        with pytest.raises(DataError, match=outcome):
            run(project(path), tmp_path)
        return
    kept, gone = run(project(path), tmp_path)
    assert list(gone) == [PLACE + 1]
    assert outcome in {reason.split(":")[0] for reason in gone[PLACE + 1][REASONS]}
    if outcome == "malformed":
        raw = content.decode().split("\n")[PLACE + 1]
        assert gone[PLACE + 1][MALFORMED].endswith(": " + raw)
    assert len(kept) == ROWS - 1


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_12_broken_rows(tmp_path: Path, form: str) -> None:
    rows = [sound(i) for i in range(ROWS)]
    changed = dict(zip(range(PLACE, PLACE + len(VALUES)), VALUES.values(), strict=True))
    for place, (change, _) in changed.items():
        rows[place] |= change
    kept, gone = run(project(written(tmp_path, rows, form)), tmp_path)
    assert sorted(gone) == [place + 1 for place in changed]
    for place, (change, rule) in changed.items():
        assert [reason.split(":")[0] for reason in gone[place + 1][REASONS]] == [rule], change
        assert {name: gone[place + 1][name] or "" for name in change} == change
    assert len(kept) == ROWS - len(VALUES)


def written(folder: Path, rows: list[dict[str, str]], form: str) -> Path:
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    path = folder / f"data.{form}"
    if form == "csv":
        frame.to_csv(path, index=False)
    elif form == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    return path


def two_parts(folder: Path) -> str:
    frame = pd.DataFrame([sound(i) for i in range(ROWS)])
    frame.to_parquet(folder / "part-0.parquet")
    frame.astype({"n": float}).to_parquet(folder / "part-1.parquet")
    return f"{folder}/part-*.parquet"


def lists(folder: Path) -> str:
    pd.DataFrame([sound(i) for i in range(ROWS)]).assign(c=[["red"]] * ROWS).to_parquet(folder / "data.parquet")
    return f"{folder}/data.parquet"


def file(content: bytes) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / "data.csv").write_bytes(content)
        return f"{folder}/data.csv"

    return write


SCHEMAS: dict[str, tuple[Callable[[Path], str], dict[str, Any], str]] = {
    "a column is absent": (file(text().replace(b"id,n", b"id,nn")), {}, "no column 'n'.*did you mean 'nn'"),
    "a name twice": (file(text().replace(b"id,n", b"n,n")), {}, "the same name twice"),
    "names that differ in case": (
        file(text().replace(b",w,", b",N,")),
        {"columns": {**COLUMNS, "N": {"type": "integer"}}},
        "no column 'w'",
    ),
    "another type in another file": (two_parts, {}, "'n' is float64, not string"),
    "a column of lists": (lists, {}, "lists or structures"),
    "an extra field in every row": (
        file(text().replace(b"\n", b",\n").replace(b"y,\n", b"y\n", 1)),
        {},
        "every line but the header .* ends in",
    ),
}


@pytest.mark.parametrize(("write", "data", "message"), SCHEMAS.values(), ids=SCHEMAS)
def test_6_broken_schemas(tmp_path: Path, write: Any, data: dict[str, Any], message: str) -> None:
    with pytest.raises((DataError, QuarantineError), match=message):
        run(project(write(tmp_path), **data), tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "has a column without a name"), ("file_row_number", "'file_row_number', which its reader counts")],
)
def test_columns_of_parquet_that_cannot_be_asked_for_are_named(tmp_path: Path, name: str, message: str) -> None:
    pd.DataFrame([sound(i) for i in range(ROWS)]).assign(**{name: 1}).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(DataError, match=message):
        run(project(f"{tmp_path}/data.parquet"), tmp_path)


def test_a_parquet_file_without_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data/y=1").mkdir(parents=True)
    pd.DataFrame(index=range(3)).to_parquet(tmp_path / "data/y=1/part.parquet", index=False)
    with pytest.raises(DataError, match="has no column"):
        run(project(f"{tmp_path}/data"), tmp_path)


def test_the_tables_are_whole() -> None:
    assert (len(BYTES), len(VALUES), len(SCHEMAS)) == (18, 12, 6)


QUICK = settings(
    max_examples=rounds(2, 10),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FAULTS = st.sampled_from([*VALUES, "", "", "malformed"])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@QUICK
@given(st.lists(FAULTS, min_size=40, max_size=40))
def test_every_row_is_kept_or_quarantined_with_its_text_its_place_and_a_reason(
    tmp_path: Path, form: str, faults: list[str]
) -> None:
    rows = [{**sound(i + 60), "c": "red"} for i in range(len(faults))]
    for row, fault in zip(rows, faults, strict=True):
        row |= {} if fault in ("", "malformed", "an id for the second time") else VALUES[fault][0]
    rows = [sound(i) for i in range(60)] + rows
    path = written(tmp_path, rows, form)
    broken = {61 + i for i, fault in enumerate(faults) if fault not in ("", "malformed", "an id for the second time")}
    if form != "parquet":  # nothing in Parquet can be malformed
        every = path.read_text().splitlines()
        for i, fault in enumerate(faults):
            if fault == "malformed":
                every[60 + i + (form == "csv")] = f'{{"broken": {i}'
                broken.add(61 + i)
        path.write_text("\n".join(every))
    _, gone = run(project(path), tmp_path)
    assert set(gone) == broken
    for line, row in gone.items():
        if row[MALFORMED] is not None:
            assert row[MALFORMED].endswith(f': {{"broken": {line - 61}')
        else:
            assert {name: row[name] or "" for name in COLUMNS} == rows[line - 1]


PLAIN = ('"x,y",2,"a ""b"""\n1,2,3,\n\n1,2\n4,5,6', '1,2,3\r\n1,"2\n"\r\n\r\n4,5,"6"')
PIECES = st.sampled_from(
    ["a", '"', '""', ",", ",", "\n", "\r\n", "\r", " ", '"x,y"', '"x\ny"', ",,\n", "b,c,d\n", "1,2,3\n"]
)


@pytest.mark.slow
@settings(QUICK, max_examples=rounds(40, 240))
@given(st.lists(PIECES, max_size=25).map("".join))
@example(PLAIN[0])
@example(PLAIN[1])
def test_the_engine_reads_what_the_exact_reader_reads(tmp_path: Path, body: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,y,z\r\n" + body if "\r\n" in body else "x,y,z\n" + body, newline="")
    source = TextFile.open(path, "data.csv", ",", True)
    for out in ("engine", "exact"):
        (tmp_path / out).unlink(missing_ok=True)
    if source._plainly(tmp_path / "engine", ["z", "x", "y"], 1) is None:
        assert body not in PLAIN
        return
    source._exactly(tmp_path / "exact", ["z", "x", "y"], 1)
    assert pq.read_table(tmp_path / "engine").equals(pq.read_table(tmp_path / "exact"))
