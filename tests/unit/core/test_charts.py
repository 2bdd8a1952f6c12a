"""Charts are well-formed whatever they are given, say in words what they show, and numbers are those of people."""

import math
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.components.core.charts import (
    Bar,
    Lane,
    Line,
    Mark,
    Point,
    Span,
    bars,
    line_chart,
    percent,
    strip,
    timeline,
)
from ciclo.components.core.dates import mixed_zones
from ciclo.components.core.report import Report
from ciclo.components.core.svg import HUGE
from ciclo.components.core.wording import clean, counted, number

TEXTS = st.text(max_size=40) | st.sampled_from(
    ["<script>", "</svg>", "]]>", "\u202eabc", "a" * 10_000, "\0\x1b", "\"&'"]
)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))
TONES = st.sampled_from(["accent", "second", "past", "good", "warn", "bad"])
POINTS = st.builds(Point, TIMES, FLOATS, st.none() | FLOATS, st.none() | FLOATS)
LINES = st.lists(
    st.builds(
        Line, TEXTS, st.lists(POINTS, max_size=5).map(lambda p: tuple(sorted(p, key=lambda q: q.time))), TONES,
        st.booleans(),
    ),
    max_size=3,
)  # fmt: skip
MARKS = st.lists(st.builds(Mark, TIMES, TEXTS, TONES, st.booleans()), max_size=3)
SPANS = st.builds(lambda a, b, text, tone: Span(min(a, b), max(a, b), text, tone), TIMES, TIMES, TEXTS, TONES)
LANES = st.lists(st.builds(Lane, TEXTS, st.lists(SPANS, max_size=3).map(tuple), MARKS.map(tuple)), max_size=4)
SHARES = st.floats(0, 1)
BARS = st.lists(
    st.builds(Bar, TEXTS, SHARES, SHARES) | st.builds(Bar, TEXTS, SHARES, SHARES, SHARES, SHARES), max_size=5
)


def parsed(svg):
    """The chart as a tree; its title and description are there, and nothing in it can run."""
    tree = ElementTree.fromstring(str(svg))
    assert tree.tag == "svg"
    assert tree.find("title") is not None
    assert tree.findtext("desc") is not None
    assert {e.tag for e in tree.iter()} <= {
        "svg", "title", "desc", "line", "text", "polygon", "path", "circle", "rect",
    }  # fmt: skip
    drawn = [value for e in tree.iter() for name, value in e.attrib.items() if name != "aria-label"]
    assert not any("nan" in value.lower() for value in drawn)
    return tree


@given(TEXTS, LINES, MARKS)
def test_a_line_chart_is_well_formed_whatever_it_is_given(title, lines, marks):
    svg = line_chart(title, lines, marks)
    if any(abs(p.value) < HUGE for line in lines for p in line.points):
        numbers = [
            v for e in parsed(svg).iter() for k, v in e.attrib.items() if k in ("x", "y", "cx", "cy", "x1", "y1")
        ]
        assert all(math.isfinite(float(v)) for v in numbers)
    else:
        assert svg == ""


@given(TEXTS, LANES, BARS, FLOATS, st.lists(FLOATS, max_size=4))
def test_the_other_charts_are_well_formed_whatever_they_are_given(title, lanes, rows, value, usual):
    if any(lane.spans or lane.marks for lane in lanes):
        parsed(timeline(title, lanes))
    parsed(bars(title, rows))
    if math.isfinite(value):
        parsed(strip(title, value, usual, 1.0))


def test_a_chart_of_many_points_stays_small_and_keeps_the_last():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    points = tuple(Point(start + timedelta(hours=i), float(i), i - 1.0, i + 1.0) for i in range(8_760))
    svg = line_chart("a year of hours", [Line("score", points)])
    assert len(svg) < 30_000
    assert "score: last 8,759 (8,758 to 8,760)" in svg


def test_events_that_would_hide_each_other_are_drawn_once_and_the_gravest_of_them():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=i) for i in range(8_760)]
    marks = tuple(Mark(t, "m", "bad" if i == 4_000 else "good") for i, t in enumerate(hours))
    spans = tuple(Span(t, t + timedelta(hours=1), "s", "bad" if i == 4_000 else "good") for i, t in enumerate(hours))
    svg = timeline("busy", [Lane("both", spans, marks)])
    assert len(svg) < 80_000
    assert [svg.count(kind) for kind in ('class="fill bad"', 'class="dot bad"')] == [1, 1]
    line = line_chart("busy", [Line("l", (Point(start, 1), Point(hours[-1], 2)))], marks)
    assert line.count("<circle") < 160


def test_a_bar_outside_its_band_is_told_from_one_within():
    tree = parsed(
        bars("b", [Bar("in", 0.5, 0.5, 0.4, 0.6), Bar("out", 0.1, 0.3, 0.05, 0.15), Bar("unknown", 0.1, 0.3)])
    )
    assert [e.text for e in tree.iter("text") if e.get("class") == "strong"] == ["30 %"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (167_423.7, "167,400"), (0.731_19, "0.7312"), (0.0, "0"), (-0.0, "0"), (400.0, "400"),
        (12_345_678, "12,345,678"),
        (np.int64(12_345), "12,345"), (1e-7, "1·10⁻⁷"), (-2.5e20, "-2.5·10²⁰"), (math.nan, "unknown"),
        (-math.inf, "-∞"), (99_999.9, "100,000"), (0.000_123_45, "0.0001234"), (True, "1"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_people_write_them(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (1, "100 %"), (0.123, "12.3 %"), (0.0004, "<0.1 %"), (math.nan, "unknown")]
)
def test_shares_are_written_as_people_write_them(share, text):
    assert percent(share) == text


@given(TEXTS, st.integers(2, 50))
def test_text_of_others_is_one_short_line(text, most):
    line = clean(text, most)
    assert len(line) <= most
    assert line.isprintable()


def test_a_chart_alone_is_taken_as_markup():
    report = Report("t").table(["a"], [["<svg>"], [strip("s", 0.1, [], 1)]])
    assert "&lt;svg&gt;" in report.html()
    assert '<svg class="strip"' in report.html()
    assert "<code>ciclo run</code> &lt;b&gt;" in Report("t").text("`ciclo run` <b>").html()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (counted(0, "version"), "0 versions"),
        (counted(1, "version"), "1 version"),
        (counted(1_200, "version"), "1,200 versions"),
        (counted(1, "value is", "values are"), "1 value is"),
        (counted(2, "value is", "values are"), "2 values are"),
        (mixed_zones(5, 1), "1 of its times says no zone and is taken for UTC, beside 5 with one"),
        (mixed_zones(1, 5), "5 of its times say no zone and are taken for UTC, beside 1 with one"),
    ],
)
def test_one_is_said_otherwise_than_many(said: str, words: str) -> None:
    assert said == words
