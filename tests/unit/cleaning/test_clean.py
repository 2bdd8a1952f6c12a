"""Which rows are kept, why the others are not, and that none is lost."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ciclo.components.cleaning.accounts import CleaningReport
from ciclo.components.cleaning.clean import clean
from ciclo.components.cleaning.report import cleaning_report
from ciclo.components.core.errors import CicloError, DataError, ProjectError, QuarantineError
from ciclo.components.core.own_columns import LINE, MALFORMED, REASONS, ROW_ID, SPLIT
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.tables.datasets import Dataset

COLUMNS = {
    "n": {"type": "number", "minimum": 0, "maximum": 1000, "missing": ["NA"]},
    "i": {"type": "integer"},
    "b": {"type": "boolean"},
    "c": {"type": "category", "categories": ["red", "blue", "none"]},
    "free": {"type": "category"},
    "must": {"type": "number", "nullable": False, "missing": ["?", "-999"]},
    "kept": {"type": "number", "role": "ignored"},
    "t": {"type": "timestamp"},
    "y": {"type": "boolean", "missing": ["n/a"]},
}
GOOD = {
    "n": "1.5",
    "i": "3",
    "b": "yes",
    "c": "red",
    "free": "x",
    "must": "1",
    "kept": "1",
    "t": "2026-01-01",
    "y": "1",
}


def project(columns: dict | None = None, data: dict | None = None, **sections: object) -> Project:
    described = {"source": "x.csv", "target": "y", "columns": columns or COLUMNS, **(data or {})}
    return project_from_mapping({"name": "unit", "data": described, **sections}, origin="test")


def write_raw(path: Path, frame: pd.DataFrame, schema: pa.Schema | None = None) -> None:
    """A file as ingestion writes it."""
    table = pa.Table.from_pandas(frame, preserve_index=False, schema=schema)
    if LINE not in table.column_names:
        table = table.append_column(LINE, pa.array(range(1, len(frame) + 1), pa.int64()))
    if MALFORMED not in table.column_names:
        table = table.append_column(MALFORMED, pa.nulls(len(frame), pa.string()))
    pq.write_table(table, path)


def run(path: Path, frame: pd.DataFrame, wanted: Project) -> CleaningReport:
    write_raw(path / "raw", frame)
    return clean(wanted, path / "raw", path / "dataset", path / "quarantine")


def good_rows(rows: int = 200) -> pd.DataFrame:
    frame = pd.DataFrame([GOOD] * rows).astype(object)
    frame["free"] = [f"row {i}" for i in range(rows)]
    frame["y"] = [str(i % 2) for i in range(rows)]
    return frame


BROKEN = {
    "not a number": ({"n": "many"}, ["type: column 'n' is not a finite number up to 3.4e38"]),
    "infinite": ({"n": "-inf"}, ["type: column 'n' is not a finite number up to 3.4e38"]),
    "below": ({"n": "-0.1"}, ["range: column 'n' is below 0"]),
    "above": ({"n": "1000.5"}, ["range: column 'n' is above 1000"]),
    "at the limits": ({"n": "1000"}, []),
    "missing may be": ({"n": "NA"}, []),
    "part of a whole": ({"i": "3.5"}, ["type: column 'i' is not a whole number"]),
    "whole as decimal": ({"i": "3.0"}, []),
    "too large": ({"i": "9" * 20}, ["exact: column 'i' is a whole number too large to be read exactly"]),
    "a float that may be its neighbour": (
        {"i": "9007199254740993.0"},
        ["exact: column 'i' is a whole number too large to be read exactly"],
    ),
    "a word that is not listed": ({"i": "NA"}, ["type: column 'i' is not a whole number"]),
    "leading zeros": ({"i": "007"}, []),
    "a number that says missing": ({"must": "-999.0"}, ["null: column 'must' must have a value"]),
    "neither true nor false": ({"b": "2"}, ["type: column 'b' is not true or false"]),
    "true in capitals": ({"b": " TRUE "}, []),
    "unknown category": ({"c": "green"}, ["category: column 'c' is not one of its categories"]),
    "a word that is a category": ({"c": "none"}, []),
    "a category with spaces": ({"c": " red "}, []),
    "must have a value": ({"must": "?"}, ["null: column 'must' must have a value"]),
    "delete": ({"free": ""}, ["delete: column 'free' is missing"]),
    "no label": ({"y": "n/a"}, ["target: column 'y' is missing"]),
    "label of another type": ({"y": "maybe"}, ["type: column 'y' is not true or false"]),
    "no time": ({"t": ""}, ["time: column 't' is missing"]),
    "no ISO time": ({"t": "01.02.2026"}, ["type: column 't' is not an ISO time"]),
    "no such day": ({"t": "2026-02-30"}, ["type: column 't' is not an ISO time"]),
    "ignored columns are not judged": ({"kept": "junk"}, []),
    "malformed alone counts": (
        {MALFORMED: "2 fields", **dict.fromkeys(GOOD)},
        ["malformed: the record does not fit the header"],
    ),
    "the same row again": ({"free": "row 3"}, ["duplicate: the same values as an earlier row"]),
    "two reasons": (
        {"n": "-1", "must": ""},
        ["range: column 'n' is below 0", "null: column 'must' must have a value"],
    ),
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[int, dict], set[int]]:
    """Quarantined rows by number, and the numbers of the kept ones, of a table with every fault once."""
    folder = tmp_path_factory.mktemp("rules")
    frame = good_rows()
    frame[MALFORMED] = None
    for line, (change, _) in enumerate(BROKEN.values(), start=101):
        frame.loc[line - 1, list(change)] = list(change.values())
    cleaning = {"missing": {"delete": ["free"]}, "split": {"method": "hash"}, "quarantine_budget": 0.2}
    run(folder, frame, project(data={"time_column": "t"}, cleaning=cleaning))
    kept = pq.read_table(folder / "dataset", columns=[LINE])[LINE].to_pylist()
    return {row[LINE]: row for row in pq.read_table(folder / "quarantine").to_pylist()}, set(kept)


@pytest.mark.parametrize("fault", BROKEN)
def test_row_rules(judged: tuple[dict[int, dict], set[int]], fault: str) -> None:
    quarantine, kept = judged
    change, reasons = BROKEN[fault]
    line = 101 + list(BROKEN).index(fault)
    assert (line in kept) == (not reasons)
    assert (line in quarantine) == bool(reasons)
    if reasons:
        assert quarantine[line][REASONS] == reasons
        assert {name: quarantine[line][name] for name in change} == change


def test_the_table_of_faults_is_all_that_is_quarantined(judged: tuple[dict[int, dict], set[int]]) -> None:
    quarantine, kept = judged
    assert len(quarantine) == sum(bool(reasons) for _, reasons in BROKEN.values())
    assert sorted([*quarantine, *kept]) == list(range(1, 201))


@pytest.mark.slow
def test_types_of_the_dataset(tmp_path: Path) -> None:
    frame = good_rows()
    frame.loc[0] = {
        "n": "1e2",
        "i": "9007199254740993",
        "b": "No",
        "c": " blue",
        "free": "007",
        "must": "-0",
        "kept": "",
        "t": "2026-01-01T02:00+01:00",
        "y": "t",
    }
    run(tmp_path, frame, project())
    table = pq.read_table(tmp_path / "dataset")
    row = table.slice(0, 1).to_pylist()[0]
    assert (row["n"], row["i"], row["b"], row["c"], row["free"]) == (100.0, 9007199254740993, False, "blue", "007")
    assert (row["must"], row["kept"], row["t"].isoformat()) == (0.0, None, "2026-01-01T01:00:00+00:00")
    assert row["y"] is True
    types = {field.name: str(field.type) for field in table.schema}
    assert types["t"] == "timestamp[us, tz=UTC]"
    assert (types["n"], types["i"], types["b"], types["c"]) == ("double", "int64", "bool", "string")


def test_parquet_values_and_words_mean_what_they_say(tmp_path: Path) -> None:
    columns = {
        "c": {"type": "category"},
        "f": {"type": "category"},
        "word": {"type": "category"},
        "y": {"type": "boolean"},
    }
    frame = pd.DataFrame({"c": range(100), "f": [3.0, 2.5, None, 1.0] * 25, "word": "NA", "y": [0.0, 1.0] * 50})
    run(tmp_path, frame, project(columns))
    rows = pq.read_table(tmp_path / "dataset").to_pylist()
    assert [row["f"] for row in rows[:4]] == ["3", "2.5", None, "1"]
    assert rows[99]["c"] == "99"
    assert {row["word"] for row in rows} == {"NA"}


@pytest.mark.slow
def test_the_budget_counts_broken_rows_and_not_unlabelled_ones(tmp_path: Path) -> None:
    frame = good_rows()
    frame.loc[:99, "y"] = ""
    frame.loc[190:, "n"] = "junk"
    assert run(tmp_path, frame, project()).reasons == {
        "target: column 'y' is missing": 100,
        "type: column 'n' is not a finite number up to 3.4e38": 10,
    }
    frame.loc[189, ["n", "y"]] = ["junk", ""]
    (tmp_path / "quarantine").unlink()
    with pytest.raises(QuarantineError, match=r"11 of 200 .*11 x type: column 'n'|101 x target") as error:
        run(tmp_path, frame, project())
    assert "11 x type: column 'n' is not a finite number up to 3.4e38" in str(error.value)
    assert pq.read_metadata(tmp_path / "quarantine").num_rows == 111


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "sections", "error", "message"),
    [
        ({"y": "1"}, {}, DataError, "only one value"),
        ({"y": ""}, {}, DataError, "missing in every row"),
        ({}, {"cleaning": {"minimum_rows": 201}}, DataError, "too few rows"),
        ({}, {"training": {"positive": "ture"}}, ProjectError, "did you mean 'true'"),
        ({"c": None}, {"cleaning": {"split": {"validation": 1e-9}}}, DataError, "validation split has no rows"),
    ],
)
def test_what_cannot_train_a_model_is_refused(
    tmp_path: Path, change: dict, sections: dict, error: type[CicloError], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(tmp_path, good_rows().assign(**change), project(**sections))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "values", "training", "classes"),
    [
        ({"type": "boolean"}, ["no", "yes"], {}, ["false", "true"]),
        ({"type": "boolean"}, ["1", "0"], {"positive": "false"}, ["true", "false"]),
        ({"type": "category", "categories": ["good", "bad"]}, ["bad", "good"], {}, ["good", "bad"]),
        ({"type": "category", "categories": ["bad", "good"]}, ["bad", "good"], {"positive": "bad"}, ["good", "bad"]),
        ({"type": "category"}, ["b", "a", "c"], {}, ["a", "b", "c"]),
        ({"type": "integer"}, ["10", "2", "1"], {"task": "multiclass"}, ["1", "2", "10"]),
        ({"type": "integer"}, ["1", "2"], {"task": "binary"}, ["1", "2"]),
        ({"type": "category"}, ["a", "b", "c"], {"task": "binary"}, "needs two classes"),
        ({"type": "category", "categories": ["a", "b", "z"]}, ["a", "b"], {}, "no row of class z"),
        ({"type": "category"}, ["a", "b"], {"task": "regression"}, "regression needs a number"),
        ({"type": "number"}, ["1", "2.5"], {}, []),
    ],
)
def test_classes_are_ordered_negative_first(
    tmp_path: Path, target: dict, values: list[str], training: dict, classes: list[str] | str
) -> None:
    frame = good_rows(240)
    frame["y"] = [values[i % len(values)] for i in range(240)]
    wanted = project({**COLUMNS, "y": target}, training=training)
    if isinstance(classes, str):
        with pytest.raises(CicloError, match=classes):
            run(tmp_path, frame, wanted)
        return
    report = run(tmp_path, frame, wanted)
    dataset = Dataset.open(tmp_path / "dataset")
    assert list(dataset.contract.classes) == list(report.classes) == classes
    assert sorted(set(dataset.y.tolist()))[: len(classes)] == list(range(len(classes))) or not classes


@pytest.mark.slow
def test_duplicates_by_id_keep_the_first_good_row(tmp_path: Path) -> None:
    frame = good_rows()
    frame.loc[[3, 4, 5], "i"] = "77"
    frame.loc[3, "n"] = "junk"
    frame.loc[6:, "i"] = [str(100 + i) for i in range(194)]
    frame.loc[:2, "i"] = ["", " ", None]  # no id: each goes by all its values
    wanted = project(data={"id_columns": ["i"]})
    run(tmp_path, frame, wanted)
    reasons = {row[LINE]: row[REASONS] for row in pq.read_table(tmp_path / "quarantine").to_pylist()}
    assert reasons == {
        4: ["type: column 'n' is not a finite number up to 3.4e38"],
        6: ["duplicate: the same id as an earlier row"],
    }


@pytest.mark.slow
def test_kept_duplicates_are_told_apart_and_stay_together(tmp_path: Path) -> None:
    frame = good_rows(100)
    frame = pd.concat([frame, frame, frame], ignore_index=True)
    report = run(tmp_path, frame, project(cleaning={"duplicates": "keep"}))
    rows = pq.read_table(tmp_path / "dataset").to_pandas()
    assert report.kept == 300
    assert rows[ROW_ID].is_unique
    first = rows[ROW_ID].str.slice(0, 32)
    assert (rows.groupby(first)[SPLIT].nunique() == 1).all()
    assert sorted(rows[ROW_ID].str.slice(32).unique()) == ["", "-1", "-2"]


@pytest.mark.slow
def test_the_report_shows_reasons_with_examples_classes_and_the_split_over_time(tmp_path: Path) -> None:
    frame = good_rows()
    frame.loc[5, "n"] = "junk"
    frame.loc[7, MALFORMED] = "1,2,three"
    frame.loc[9] = frame.loc[8]
    frame["t"] = [f"2026-01-{1 + i // 10:02}" for i in range(200)]
    frame.loc[9, "t"] = frame.loc[8, "t"]
    wanted = project(data={"time_column": "t"}, cleaning={"quarantine_budget": 0.1})
    report = run(tmp_path, frame, wanted)
    assert sum(rows for day in report.over_time.values() for rows in day.values()) == report.kept
    assert {label: sum(sides.values()) for label, sides in report.sides.items()} == report.classes
    html = cleaning_report("unit", report, tmp_path / "quarantine").html()
    for text in (
        "is not a finite number up to 3.4e38",
        "record 6: &#x27;junk&#x27;",
        "record 8: 1,2,three",
        "record 10: n",
    ):
        assert text in html
    for title in ("Split over time", "Class balance"):
        assert f'role="img" aria-label="{title}"' in html


@pytest.mark.slow
def test_a_report_is_written_also_where_the_rows_cannot_be_used(tmp_path: Path) -> None:
    frame = good_rows()
    frame.loc[:50, "n"] = "<junk>"
    write_raw(tmp_path / "raw", frame)
    with pytest.raises(QuarantineError):
        clean(project(), tmp_path / "raw", tmp_path / "d", tmp_path / "q", tmp_path / "report")
    html = (tmp_path / "report").read_text()
    assert "The data cannot be used" in html
    assert "more than the quarantine budget" in html
    assert "record 1: &#x27;&lt;junk&gt;&#x27;" in html


@pytest.mark.slow
def test_the_accounts_become_facts_of_the_dataset(tmp_path: Path) -> None:
    frame = good_rows()
    frame.loc[5, "n"] = "junk"
    report = run(tmp_path, frame, project())
    assert report.summary.startswith("199 of 200 rows kept (train ")
    facts = report.metadata({"digest": "d", "start": "2024-01-01", "end": "", "rows": 9, "display_name": "raw"})
    assert (facts["digest"], facts["start"], facts["source_rows"]) == ("d", "2024-01-01", report.rows)
    assert (facts["rows"], facts["quarantined"]) == (report.kept, report.quarantined)
    assert "display_name" not in facts
    json.dumps(facts)


QUICK = settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = st.sampled_from(["1", "2.5", "-3", "", "NA", "junk", "inf", "yes", "red", " 7 ", "1e400", "2026-01-01", "ü"])


@pytest.mark.slow
@settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS, st.booleans()), min_size=1, max_size=30))
def test_no_row_is_lost_whatever_it_holds(tmp_path: Path, rows: list[tuple[str, str, str, str, bool]]) -> None:
    columns = {"n": COLUMNS["n"], "i": COLUMNS["i"], "c": {"type": "category"}, "y": {"type": "boolean"}}
    sound = [("1", str(i), "x", str(i % 2), False) for i in range(80)]
    frame = pd.DataFrame(sound + rows, columns=["n", "i", "c", "y", MALFORMED])
    frame[MALFORMED] = frame[MALFORMED].map({True: "broken", False: None}).astype(object)
    report = run(tmp_path, frame, project(columns, cleaning={"quarantine_budget": 1}))
    kept = pq.read_table(tmp_path / "dataset", columns=[LINE, SPLIT]).to_pylist()
    gone = pq.read_table(tmp_path / "quarantine", columns=[LINE, REASONS]).to_pylist()
    assert sorted(row[LINE] for row in kept + gone) == list(range(1, len(frame) + 1))
    assert all(row[REASONS] for row in gone)
    assert {row[SPLIT] for row in kept} == {"train", "validation", "test"}
    assert report.kept == len(kept)
    assert report.quarantined == len(gone)
