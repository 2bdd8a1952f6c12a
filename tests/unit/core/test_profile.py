from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.components.core import column_profile
from ciclo.components.core.column_profile import RARE, ColumnProfile

NUMBERS = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")), st.integers(0, 3).map(float)), min_size=1)
CATEGORIES = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1)


@given(NUMBERS)
def test_every_number_falls_in_exactly_one_bin(values):
    column = pd.Series(values, dtype="float64")
    profile = ColumnProfile.of(column)
    assert sum(profile.counts) == len(values)
    assert profile.counts[-1] == column.isna().sum()
    assert len({*profile.labels}) == len({*profile.bin_names}) == len(profile.counts)


def test_bins_that_lie_close_together_have_names_of_their_own():
    profile = ColumnProfile.of(pd.Series([1e6 + i / 8 for i in range(100)]))
    assert len({*profile.labels}) == len({*profile.bin_names}) == profile.bins == 11
    assert profile.labels[0] == "below 1000001"


@given(CATEGORIES)
def test_every_category_falls_in_exactly_one_bin(values):
    profile = ColumnProfile.of(pd.Series(values, dtype=object))
    assert sum(profile.counts) == len(values)
    assert len(profile.labels) == len(profile.counts)


@given(st.sets(st.sampled_from(["(missing)", "'(missing)'", "''(missing)''", "(other)", "'(other)'", "(missing)'"])))
def test_a_value_that_is_called_like_another_bin_has_a_name_of_its_own(values):
    profile = ColumnProfile.of(pd.Series([*values, None] * RARE, dtype=object))
    assert len({*profile.labels}) == profile.bins == len(values) + 2
    assert profile.labels[-2:] == ["(other)", "(missing)"]


def test_an_unseen_category_is_counted_as_other():
    profile = ColumnProfile.of(pd.Series(["a", "b", "a"] * 10, dtype=object))
    assert profile.bin(pd.Series(["a", "new", None], dtype=object)).tolist() == [1, 0, 1, 1]


def test_bins_of_a_continuous_column_hold_about_the_same():
    profile = ColumnProfile.of(pd.Series(np.random.default_rng(0).normal(size=10_000)))
    assert len(profile.counts) == 11
    assert min(profile.counts[:-1]) == pytest.approx(1000, abs=2)


def test_a_column_of_few_values_has_a_bin_for_each():
    profile = ColumnProfile.of(pd.Series([0.0, 0, 0, 1, 2, np.nan]))
    assert profile.counts == (3, 1, 1, 1)


@given(
    st.lists(
        st.sampled_from([-2.5, 0.0, 1.0, 1.0, 7.25, float("nan")]) | st.floats(-1e6, 1e6), min_size=1, max_size=200
    ),
    st.sampled_from([1, 3, 1 << 20]),
)
def test_a_long_column_is_profiled_in_parts_as_a_short_one(values, chunk):
    """Against numpy on the whole: the bins, the most frequent value and the counts by slice."""
    numbers = np.array(values)
    finite = numbers[np.isfinite(numbers)]
    with mock.patch.object(column_profile, "CHUNK", chunk):
        found = ColumnProfile.of(pd.Series(numbers))
        slices = np.arange(numbers.size) % 3
        by_slice = np.array(found.sliced(found.codes(pd.Series(numbers)), slices, 3).by_slice)
    if not finite.size:
        assert found.counts == (0, numbers.size)
        return
    distinct, times = np.unique(finite, return_counts=True)
    cuts = distinct[1:] if distinct.size <= 20 else np.quantile(finite, np.linspace(0, 1, 11)[1:-1])
    assert found.edges == pytest.approx(np.unique(cuts))
    assert found.top == times.max() / numbers.size
    assert found.distinct == distinct.size
    assert (found.minimum, found.maximum) == (finite.min(), finite.max())
    assert by_slice.sum(axis=0).tolist() == list(found.counts)
