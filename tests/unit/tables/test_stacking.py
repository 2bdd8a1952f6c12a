"""Columns one below the other: each different value is read once, and stands where it stood."""

import pyarrow as pa
import pytest

from ciclo.components.core.rules import Plain
from ciclo.components.tables.datasets import collect, connect
from ciclo.components.tables.stacking import different, rows_by_value, typed_frame

COLUMNS = {
    "words": ["b", " a ", None, "b", "n/a"],
    "numbers": ["1.50", "1.5", "x", None, " 2 "],
    "whole": [3, None, 3, 1, 2],
    "empty": pa.nulls(5, pa.string()),
}
RULES = {
    "words": Plain("category", missing=("n/a",)),
    "numbers": Plain("number"),
    "whole": Plain("integer"),
    "empty": Plain("category"),
}


@pytest.fixture
def table() -> object:
    connection = connect()
    connection.con.register("rows", pa.table({"line": [4, 1, 3, 2, 5], **COLUMNS}))
    return connection.table("rows")


def test_values_are_read_once_and_put_back_in_the_order_of_the_lines(table: object) -> None:
    frame = typed_frame(table, RULES, "line")
    assert list(frame) == list(RULES)
    assert frame["words"].fillna("").tolist() == ["a", "b", "", "b", ""]
    assert frame["numbers"].fillna(-1).tolist() == [1.5, -1, -1, 1.5, 2]
    assert frame["whole"].fillna(-1).tolist() == [-1, 1, 3, 3, 2]
    assert frame["empty"].isna().all()


@pytest.mark.parametrize("names", [["words", "numbers"], ["numbers"], ["empty"]])
def test_every_row_is_counted_under_its_value(table: object, names: list[str]) -> None:
    counted = collect(different(table, names, "counted")).to_pylist()
    for place, name in enumerate(names):
        found = {row["raw"]: row["rows"] for row in counted if row["place"] == place}
        column = pa.array(COLUMNS[name]).to_pylist()
        assert found == {value: column.count(value) for value in column}


def test_values_that_are_written_differently_are_one(table: object) -> None:
    sizes = rows_by_value(table, RULES, 5)
    assert {name: sorted(found) for name, found in sizes.items()} == {
        "words": [1, 2],
        "numbers": [1, 2],
        "whole": [1, 1, 2],
        "empty": [],
    }
