"""Pages, and the tables that are read back from them."""

import string

from hypothesis import given
from hypothesis import strategies as st

from ciclo.components.core.report import Report, read_tables

CELLS = st.text(string.printable + "äß≠<>&\"'", max_size=20).filter(lambda text: "\r" not in text)


@given(st.dictionaries(CELLS, st.lists(CELLS, min_size=2, max_size=2), min_size=1), CELLS.filter(str.strip))
def test_a_table_is_read_back_as_it_was_written(rows: dict[str, list[str]], title: str) -> None:
    page = Report("page", "lead").section(title).table(["<b>", "", ""], [[key, *cells] for key, cells in rows.items()])
    assert read_tables(page.html()) == {title: {key: "  ".join(cells) for key, cells in rows.items()}}


def test_rows_that_begin_alike_are_told_apart_by_two_cells() -> None:
    page = Report("page").section("one").table(["column", "value", "rows"], [["a", "x", 1_000], ["a", "y", 0.25]])
    page.section("two").text("no table here").section("three").table(["", ""], [["yes", True], ["none", None]])
    assert read_tables(page.html()) == {
        "one": {"a, x": "1,000", "a, y": "0.25"},
        "three": {"yes": "yes", "none": ""},
    }


def test_a_page_without_tables_has_none() -> None:
    assert read_tables("") == read_tables("<html>card</html>") == read_tables(Report("page").html()) == {}
