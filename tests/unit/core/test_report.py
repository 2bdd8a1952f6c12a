"""Pages as data: they come back as they were, and a browser sees the same."""

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.components.core.report import Document, Section, Table, Text

WORDS = st.text(string.printable + "äß≠<>&\"'", max_size=20)
CELLS = st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(), WORDS)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.builds(
        Table,
        header=st.tuples(*[WORDS] * width),
        rows=st.lists(st.tuples(*[CELLS] * width), max_size=4).map(tuple),
    )
)
TEXTS = st.builds(Text, text=WORDS, tone=st.sampled_from(["", "good", "bad", "warn"]))
SECTIONS = st.builds(Section, title=WORDS, parts=st.lists(st.one_of(TEXTS, TABLES), max_size=3).map(tuple))
PAGES = st.builds(Document, title=WORDS, lead=WORDS, sections=st.lists(SECTIONS, max_size=3).map(tuple))


@pytest.mark.slow
@given(PAGES)
def test_a_page_comes_back_as_it_was_and_looks_the_same(page: Document) -> None:
    again = Document.model_validate_json(page.model_dump_json())
    assert again == page
    assert again.report().html() == page.report().html()
    assert again.tables() == page.tables()


def test_cells_are_named_by_their_row_and_where_there_are_several_by_their_column() -> None:
    slices = Table(header=("column", "value", "rows"), rows=(("a", "x", 1_000), ("a", "y", 0.25)))
    gains = Table(header=("over", "gain", "low"), rows=(("the champion", 0.5, math.nan),))
    sections = (
        Section(title="one", parts=(slices,)),
        Section(title="two", parts=(Text(text="no table here"),)),
        Section(title="three", parts=(Text(text="above"), gains)),
        Section(title="empty", parts=(Table(header=("a", "b"), rows=()),)),
    )
    assert Document(title="page", sections=sections).tables() == {
        "one": {"a, x": 1_000, "a, y": 0.25},
        "three": {"the champion: gain": 0.5, "the champion: low": None},
    }
    assert Document(title="page").tables() == {}


def test_what_stands_in_a_page_is_not_taken_for_html() -> None:
    table = Table(header=("<i>",), rows=(("<script>",), (True,), (1_234.5678,)))
    page = Document(title="<b>", lead="&", sections=(Section(title="</h2>", parts=(table, Text(text="<p>"))),))
    html = page.report().html()
    for part in ("<h1>&lt;b&gt;</h1>", "&lt;script&gt;", "&lt;i&gt;</th>", "&lt;/h2&gt;", ">yes<", ">1,235<"):
        assert part in html
    assert "<script>" not in html
