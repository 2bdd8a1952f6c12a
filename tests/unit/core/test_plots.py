"""Plots over numbers are well-formed whatever they are given, and are the same after a trip through JSON."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.components.core.plots import DRAWN, Curve, Plot
from tests.unit.core.test_charts import FLOATS, TEXTS, parsed

CURVES = st.lists(
    st.builds(
        Curve,
        name=TEXTS,
        points=st.lists(st.tuples(FLOATS, FLOATS), max_size=6).map(tuple),
        tone=st.sampled_from(["accent", "second", "past"]),
        dashed=st.booleans(),
        dots=st.booleans(),
    ),
    max_size=3,
).map(tuple)


@given(TEXTS, TEXTS, TEXTS, CURVES)
def test_whatever_it_is_given_it_is_well_formed_or_nothing(title, x, y, curves):
    svg = Plot(title=title, x=x, y=y, curves=curves).svg()
    known = [p for c in curves for p in c.points if all(math.isfinite(v) and abs(v) < 1e100 for v in p)]
    if not known:
        assert svg == ""
        return
    tree = parsed(svg)
    drawn = [float(e.attrib[a]) for e in tree.iter("circle") for a in ("cx", "cy")]
    assert all(0 <= v <= 400 for v in drawn)


@pytest.mark.parametrize("rows", [1, 2, DRAWN, DRAWN + 1, 5_000])
def test_many_points_are_thinned_out_and_the_ends_stay(rows):
    points = tuple((float(i), float(i * i)) for i in range(rows))
    tree = parsed(Plot(title="t", x="x", y="y", curves=(Curve(name="c", points=points),)).svg())
    path = next(e for e in tree.iter("path")).attrib["d"]
    corners = [tuple(map(float, c.split(","))) for c in path.removeprefix("M").split("L")]
    assert len(corners) <= DRAWN + 1
    assert corners[0][0] == pytest.approx(58 if rows > 1 else corners[0][0])
    assert corners == sorted(corners)
    again = Plot(title="t", x="x", y="y", curves=(Curve(name="c", points=points),))
    assert Plot.model_validate_json(again.model_dump_json()) == again


@pytest.mark.parametrize("low", [0.84731, -0.84731, 84_731.0, 1.2e-9])
def test_numbers_at_an_axis_differ_from_each_other(low):
    curve = Curve(name="the best so far", points=((1, low), (2, low * (1 + 1e-6))))
    written = re.findall(r'class="end"[^>]*>([^<]+)<', Plot(title="t", x="trial", y="score", curves=(curve,)).svg())
    assert len(set(written)) == len(written) >= 4
