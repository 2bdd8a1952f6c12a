"""How columns go together: a broken correlation is seen, a column that moved alone is left to its own test."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from ciclo.components.core.profile import Profile

ROWS = 6_000


def rows(rng, number, correlation=0.8, shift=0.0):
    shared = rng.normal(size=number)
    columns = {n: np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=number) for n in "abcd"}
    columns["a"] = columns["a"] + shift
    frame = pd.DataFrame(columns)
    frame["kind"] = pd.Series(np.where(shared > 0, "high", "low"), dtype=object)
    return frame


def profile(frame, days=60):
    times = pd.Series(
        pd.date_range("2026-01-05", periods=len(frame), freq=pd.Timedelta(days=days) / len(frame), tz="UTC")
    )
    return Profile.of(frame, pd.Series(["no", "yes"] * 20, dtype=object), times)


def errors(known, frame):
    codes = {name: column.codes(frame[name]) for name, column in known.columns.items()}
    return known.joint.errors(known.columns, frame, codes)


@pytest.mark.parametrize(
    ("change", "differs"),
    [({}, False), ({"shift": 2.0}, False), ({"correlation": 0.4}, True), ({"correlation": 0.0}, True)],
    ids=["the same", "a column moved", "looser", "independent"],
)
def test_only_a_change_of_the_correlations_changes_the_error(change, differs):
    rng = np.random.default_rng(0)
    known = profile(rows(rng, ROWS))
    usual, now = errors(known, rows(rng, 2_000)), errors(known, rows(rng, 2_000, **change))
    assert bool(ks_2samp(usual, now).pvalue < 1e-6) is differs


def test_its_windows_are_counted_by_slice_and_hold_every_row():
    known = profile(rows(np.random.default_rng(1), ROWS))
    assert np.array(known.joint.error.by_slice).sum() == ROWS == sum(known.joint.error.counts)
    assert len(known.joint.error.by_slice) == len(known.columns["a"].by_slice) == 60
    assert 1 <= len(known.joint.components) < len(known.joint.columns)


def test_missing_values_and_values_far_away_have_an_error_too():
    rng = np.random.default_rng(2)
    known = profile(rows(rng, ROWS))
    odd = rows(rng, 100)
    odd.loc[:9, "a"], odd.loc[10:19, "b"], odd.loc[20:29, "kind"] = np.nan, 1e300, None
    assert np.isfinite(errors(known, odd)).all()


@pytest.mark.parametrize("columns", [["a"], ["a", "b"], ["a", "b", "same"]])
def test_fewer_than_three_columns_that_vary_go_together_in_no_way(columns):
    frame = rows(np.random.default_rng(3), 500).assign(same=1.0)[columns]
    assert profile(frame).joint is None
