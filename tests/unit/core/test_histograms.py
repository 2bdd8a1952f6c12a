"""Pictures of data are well-formed whatever they are given, and stay within their frame."""

import math

from hypothesis import given
from hypothesis import strategies as st

from ciclo.components.core.histograms import PANEL, TONES, Bin, Distribution, class_key, heatmap, share_bars
from tests.unit.core.test_charts import FLOATS, TEXTS, parsed

COUNTS = st.integers(0, 10**9)
PARTS = st.just(()) | st.tuples(FLOATS) | st.lists(st.floats(0, 1), min_size=2, max_size=6).map(
    lambda shares: tuple(s / max(sum(shares), 1) for s in shares)
)  # fmt: skip
BINS = st.builds(Bin, TEXTS, COUNTS, PARTS)


def within(tree, width):
    """Every rectangle lies in the frame."""
    high = float(tree.get("viewBox").split()[3])
    for box in tree.iter("rect"):
        x, y, wide, tall = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        assert -0.2 <= x <= x + wide <= width + 0.2
        assert -0.2 <= y <= y + tall <= high + 0.2


@given(
    TEXTS, st.lists(BINS, max_size=8).map(tuple), BINS, st.booleans(), st.just(()) | st.tuples(FLOATS) | PARTS, TEXTS
)
def test_a_distribution_is_well_formed_whatever_it_is_given(name, bins, missing, number, usual, target):
    drawn = Distribution(name, bins, missing, number, usual).svg(target)
    if not bins and not missing.rows:
        assert drawn == ""
    else:
        within(parsed(drawn), PANEL)


@given(TEXTS, st.dictionaries(TEXTS, FLOATS, max_size=6), TEXTS, st.lists(TEXTS, max_size=5), st.data())
def test_shares_and_heat_maps_are_well_formed_whatever_they_are_given(title, shares, note, names, data):
    within(parsed(share_bars(title, shares, notes=dict.fromkeys(list(shares)[:2], note))), PANEL)
    row = st.lists(FLOATS, min_size=len(names), max_size=len(names))
    drawn = heatmap(title, names, data.draw(st.lists(row, min_size=len(names), max_size=len(names))))
    if names:
        within(parsed(drawn), 600)
    else:
        assert drawn == ""


def test_bars_are_as_long_as_their_shares_and_the_target_lies_where_it_is():
    bins = (Bin("a", 10, (0.0,)), Bin("b", 30, (1.0,)), Bin("c", 40, (0.5,)))
    tree = parsed(Distribution("x", bins, Bin("missing", 20), True, (0.5,)).svg("share"))
    heights = [float(box.get("height")) for box in tree.iter("rect")]
    assert [h / max(heights) for h in heights] == [0.25, 0.75, 1.0, 0.5]
    dots = [float(dot.get("cy")) for dot in tree.iter("circle")]
    assert dots[0] > dots[2] > dots[1]
    assert math.isclose(dots[2], (dots[0] + dots[1]) / 2)
    lying = parsed(Distribution("x", bins, Bin("missing", 0), False, (0.5,)).svg("share"))
    widths = [float(box.get("width")) for box in lying.iter("rect")]
    assert [w / max(widths) for w in widths] == [0.25, 0.75, 1.0]


def test_many_classes_share_the_last_colour():
    assert [name for _, name in class_key("abcdef")] == list("abcdef")
    assert class_key([str(i) for i in range(40)])[-1] == (TONES[-1], "35 other classes")
