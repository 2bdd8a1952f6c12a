"""What is usual: taken from the reference's own windows, whatever their number of bins and rows."""

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.usual import LEAST_WINDOWS, Usual, compare, p_values, sure_effects, usual

DAYS, A_DAY = 120, 100


def column(rng, effect, days=DAYS, a_day=A_DAY, categories=0):
    level = np.repeat(effect * rng.normal(size=days), a_day)
    values = pd.Series(level + rng.normal(size=days * a_day))
    if categories:
        values = values.rank(pct=True).mul(categories).astype(int).astype(str).astype(object)
    found = ColumnProfile.of(values)
    return found.sliced(found.codes(values), np.repeat(np.arange(days), a_day), days)


def week(profile, rows=700):
    return np.full(profile.bins, rows // profile.bins)


@pytest.mark.parametrize("categories", [0, 40], ids=["fewer bins than windows", "more bins than windows"])
def test_days_that_move_together_raise_what_is_usual_and_independent_rows_do_not(categories):
    rng = np.random.default_rng(0)
    calm, moving = (column(rng, effect, categories=categories) for effect in (0.0, 0.5))
    found = usual([("calm", calm, week(calm)), ("moving", moving, week(moving))], 7)
    assert found[0].factor < 2
    assert found[1].factor > 3
    assert max(found[0].effects) < 0.1 < max(found[1].effects)
    assert all(len(u.effects) == DAYS // 7 and u.calibrated for u in found)


def test_the_share_of_every_bin_lies_in_its_band_in_most_windows():
    profile = column(np.random.default_rng(1), 0.5)
    (found,) = usual([("x", profile, week(profile, 70_000))], 7)
    windows = np.array(profile.by_slice)[1:].reshape(17, 7, -1).sum(axis=1)
    shares = windows / windows.sum(axis=1, keepdims=True)
    inside = (shares >= np.array(found.low)) & (shares <= np.array(found.high))
    assert 0.7 <= inside[:, :-1].mean() <= 0.9


def test_the_moments_are_those_of_the_windows():
    """With factor and degrees of freedom the statistics of the windows themselves have that chi-square's moments."""
    profile = column(np.random.default_rng(2), 0.5)
    counts = week(profile, 70_000)
    rows = counts.sum()
    (found,) = usual([("x", profile, counts)], 7)
    whole = np.array(profile.by_slice)[1:].reshape(17, 7, -1).sum(axis=1)
    total = np.array(profile.by_slice).sum(axis=0)
    compared = compare(total - whole, whole)
    watched = 12_000 * rows / (12_000 + rows)
    scaled = np.maximum(compared.freedom + (compared.statistic - compared.freedom) * watched / compared.weight, 0)
    assert found.factor * found.freedom == pytest.approx(scaled.mean())
    assert 2 * found.factor**2 * found.freedom == pytest.approx(scaled.var(ddof=1))


def test_a_larger_window_is_expected_to_show_more():
    profile = column(np.random.default_rng(3), 0.3)
    small, large = (usual([("x", profile, week(profile, rows))], 7)[0] for rows in (200, 5_000))
    assert large.factor > small.factor


@pytest.mark.parametrize("days", [7 * LEAST_WINDOWS - 1, 0])
def test_few_windows_or_none_tell_nothing(days):
    profile = column(np.random.default_rng(4), 0.0, days=days or 14)
    if not days:
        profile = profile.model_copy(update={"by_slice": ()})
    assert usual([("x", profile, week(profile))], 7) == [Usual()]
    assert usual([("x", profile, week(profile))], 0) == [Usual()]


def test_windows_without_rows_do_not_count():
    profile = column(np.random.default_rng(5), 0.2)
    empty = (0,) * profile.bins
    gap = profile.model_copy(update={"by_slice": (*profile.by_slice[:50], *[empty] * 21, *profile.by_slice[71:])})
    (found,) = usual([("x", gap, week(gap))], 7)
    assert LEAST_WINDOWS <= len(found.effects) <= DAYS // 7 - 2


def test_it_is_the_same_each_time_whatever_else_is_compared():
    rng = np.random.default_rng(6)
    one, other = column(rng, 0.4), column(rng, 0.0, categories=30)
    (alone,) = usual([("one", one, week(one, 140))], 7)
    _, beside = usual([("other", other, week(other)), ("one", one, week(one, 140))], 7)
    assert beside.effects == pytest.approx(alone.effects)
    assert (beside.factor, beside.freedom) == pytest.approx((alone.factor, alone.freedom))


def test_two_bins_are_enough_to_tell_and_one_is_not():
    two = compare(np.array([[500, 500], [1_000, 0]]), np.array([[900, 100], [1_000, 0]]))
    likely = p_values(two, [Usual(), Usual()])
    assert likely[0] < 1e-9
    assert likely[1] == 1
    assert sure_effects(two, [Usual(), Usual()], 0.01)[1] == 1


def test_what_two_samples_show_of_chance_alone_has_a_limit_that_a_certain_difference_is_beyond():
    """Where nothing is seen the limit is told from the rows: about that of the same rows with a certain difference."""
    alike = compare(np.array([[500, 500]]), np.array([[500, 500]]))
    apart = compare(np.array([[500, 500]]), np.array([[580, 420]]))
    (alone,), (scaled,) = (sure_effects(found, [Usual()], 0.01) for found in (alike, apart))
    assert alike.effect[0] == 0
    assert apart.effect[0] > scaled
    assert alone == pytest.approx(scaled, rel=0.02)
