"""Broken CSV files: each ends in rows that balance, or in a refusal that says why."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ciclo.components.cleaning.clean import clean
from ciclo.components.core.errors import DataError
from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.ingestion.ingest import ingest

COLUMNS = {"a": {"type": "integer"}, "b": {"type": "number"}, "c": {"type": "category"}, "y": {"type": "boolean"}}
RECORDS = [f"{i},{i / 2},{'red' if i % 3 else 'blue'},{i % 2}" for i in range(200)]


def project(path: Path, **data: object) -> Project:
    raw = {"source": str(path), "target": "y", "columns": COLUMNS, **data}
    return project_from_mapping({"name": "unit", "data": raw}, origin="test")


def csv(*, header: str = "a,b,c,y", at: dict[int, str] | None = None, end: str = "\n") -> bytes:
    """A sound table with other records at some places."""
    records = [(at or {}).get(i, record) for i, record in enumerate(RECORDS)]
    return (end.join([header, *records]) + end).encode()


KEPT = {
    "sound": (csv(), {}),
    "byte order mark": (b"\xef\xbb\xbf" + csv(), {}),
    "short record": (csv(at={7: "7,3.5,red"}), {"malformed": 1}),
    "long record": (csv(at={7: "7,3.5,red,1,9", 8: "8,4.0,red,0,"}), {"malformed": 2}),
    "text after a quote": (csv(at={7: '7,3.5,"re"d,1'}), {"malformed": 1}),
    "late change of type": (csv(at={199: "high,99.5,red,1"}), {"type": 1}),
    "decimal comma in quotes": (csv(at={5: '5,"2,5",red,1'}), {"type": 1}),
    "CRLF": (csv(end="\r\n"), {}),
    "mixed line ends": (csv().replace(b"\n", b"\r\n", 90), {}),
    "old Mac line ends": (csv(end="\r"), {}),
    "blank lines": (csv(at={7: RECORDS[7] + "\n\n\n"}) + b"\n\n", {}),
    "blank lines first": (b"\n\n" + csv(), {}),
    "line break in quotes": (csv(at={7: '7,3.5,"re\nd\r\n",1'}), {}),
    "quote in quotes": (csv(at={7: '7,3.5,"5"" disk",1'}), {}),
    "quote in plain text": (csv(at={7: '7,3.5,5" disk,1'}), {}),
    "long field": (csv(at={7: f"7,3.5,{'x' * 100_000},1"}), {}),
    "no line end at the end": (csv()[:-1], {}),
    "spaces": (csv(header=" a , b,c ,y", at={7: " 7 ,\t3.5, red ,1 "}), {}),
    "words that no column lists": (csv(at={7: "NA,?,n/a,1", 8: "null,,None,0"}), {"type": 3}),
    "infinity": (csv(at={7: "7,inf,red,1", 8: "8,1e999,red,0"}), {"type": 2}),
    "underscored number": (csv(at={7: "1_000,3.5,red,1"}), {"type": 1}),
    "spaces alone on a line": (csv(at={7: "   "}), {"malformed": 1}),
    "semicolons": (csv().replace(b",", b";"), {}),
    "tabs": (csv().replace(b",", b"\t"), {}),
    "bars": (csv().replace(b",", b"|"), {}),
    "gzip": (gzip.compress(csv()), {}),
    "zstd": (pa.compress(csv(), "zstd", asbytes=True), {}),
    "UTF-16": (csv().decode().encode("utf-16"), {}),
    "UTF-16, packed": (gzip.compress(csv().decode().encode("utf-16-be").join([b"\xfe\xff", b""])), {}),
    "the same record twice": (csv(at={7: RECORDS[6]}), {"duplicate": 1}),
    "another column order": (b"y,a,b,c\n" + b"".join(b"%d,%d,1.5,red\n" % (i % 2, i) for i in range(200)), {}),
}

REFUSED = {
    "empty file": (b"", "is empty"),
    "blank lines alone": (b"\n\n\n", "only blank lines"),
    "header alone": (b"a,b,c,y\n", "no rows"),
    "quote never closed": (csv(at={7: '7,3.5,"red,1'}), "quote on line 9"),
    "quote closed by a later field": (csv(at={7: '7,3.5,"red,1', 90: '90,45,"blue",0'}), "quote on line 9"),
    "quote never closed at the end": (csv() + b'200,1,"red,1', "quote on line 202"),
    "quote never closed in the header": (csv(header='a,b,"c,y'), "header"),
    "field without end": (csv(at={7: f"7,3.5,{'x' * 200_000},1"}), "131,072 characters on line 9"),
    "NUL byte": (csv(at={7: "7,3.5,re\0d,1"}), "NUL byte on line 9"),
    "latin-1": (csv(at={7: "7,3.5,gr\xfcn,1"}).decode().encode("latin-1"), "0xfc on line 9"),
    "cut UTF-8": (csv() + "ü".encode()[:1], "not UTF-8"),
    "UTF-16 without its mark": (csv().decode().encode("utf-16-le"), "NUL byte on line 1"),
    "cut UTF-16": (csv().decode().encode("utf-16")[:-1], "UTF-16"),
    "cut zstd": (bytes(pa.compress(csv(), "zstd", asbytes=True))[:-20], "zstd"),
    "binary": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "not UTF-8|NUL"),
    "a workbook": (b"PK\x03\x04" + bytes(range(256)) * 20, "workbook or a zip"),
    "text behind a quote": (csv(header='"a" "b" "c" "y"'), "text behind one"),
    "cut gzip": (gzip.compress(csv())[:-20], "gzip"),
    "name twice": (csv(header="a,b,b,y"), "twice"),
    "empty name": (csv(header="a,,c,y"), "column 2"),
    "trailing delimiter in the header": (csv(header="a,b,c,y,"), "column 5"),
    "names that differ in case": (b"a,b,c,y,A\n" + b"1,2,x,1,3\n" * 60, None),
    "column absent": (csv(header="a,bee,c,y"), "no column 'b'"),
    "trailing delimiter in every record": (csv().replace(b"\n", b",\n").replace(b"y,", b"y", 1), r"sed -E .s/"),
    "cut Parquet": (b"PAR1" + b"x" * 100, "Parquet"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("content", "reasons"), KEPT.values(), ids=KEPT)
def test_every_record_is_kept_or_quarantined_with_its_reason(
    tmp_path: Path, content: bytes, reasons: dict[str, int]
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    facts = ingest(project(path), tmp_path / "raw")
    report = clean(project(path), tmp_path / "raw", tmp_path / "dataset", tmp_path / "quarantine")
    assert facts.rows == report.rows == 200
    lines = [pq.read_table(tmp_path / name, columns=[LINE])[LINE].to_pylist() for name in ("dataset", "quarantine")]
    assert sorted(lines[0] + lines[1]) == list(range(1, 201))
    counted: dict[str, int] = {}
    for reason, count in report.reasons.items():
        rule = reason.split(":")[0]
        counted[rule] = counted.get(rule, 0) + count
    assert counted == reasons


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_apart_is_refused(tmp_path: Path, content: bytes, message: str | None) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    wanted = project(path, columns={**COLUMNS, "A": {"type": "integer"}}) if message is None else project(path)
    with pytest.raises(DataError, match=message or "differ only in case"):
        _prepare(wanted, tmp_path)


def _prepare(wanted: Project, folder: Path) -> None:
    ingest(wanted, folder / "raw")
    clean(wanted, folder / "raw", folder / "dataset", folder / "quarantine")


def test_values_are_text_exactly_as_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b'a,b,c,y,more\n 1 ,2.50,"x, ""y""\n z",,u\n007,NA,"",1,v\n')
    facts = ingest(project(path), tmp_path / "raw")
    assert facts.dropped == ("more",)
    assert pq.read_table(tmp_path / "raw").to_pylist() == [
        {"a": " 1 ", "b": "2.50", "c": 'x, "y"\n z', "y": None, LINE: 1, MALFORMED: None},
        {"a": "007", "b": "NA", "c": None, "y": "1", LINE: 2, MALFORMED: None},
    ]


def test_a_malformed_record_keeps_its_text_and_its_number(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(csv(at={7: "7,3.5," + "x" * 2_000}))
    assert ingest(project(path), tmp_path / "raw").malformed == 1
    row = pq.read_table(tmp_path / "raw").to_pylist()[7]
    assert row[LINE] == 8
    assert row[MALFORMED] == "3 fields where the header has 4: 7,3.5," + "x" * 494
    assert row["a"] is None


@pytest.mark.parametrize(("delimiter", "separator"), [(",", ";"), (";", ","), ("|", "\t")])
def test_the_wrong_delimiter_is_told_the_right_one(tmp_path: Path, delimiter: str, separator: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(csv().replace(b",", separator.encode()))
    with pytest.raises(DataError, match="single column") as error:
        ingest(project(path, delimiter=delimiter), tmp_path / "raw")
    assert repr(separator) in error.value.hint
