"""Clustered intervals: they cover what they say where days move together, and say nothing from a handful of days."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ciclo.components.core.clusters import Clustered, covariance, groups_of, jackknife

DAYS, A_DAY = 14, 200


def days_of_rows(rng, effect):
    """Rows whose days move together, their true mean being 0."""
    values = rng.normal(size=(DAYS, A_DAY)) + effect * rng.normal(size=(DAYS, 1))
    return values.ravel(), np.repeat(np.arange(DAYS), A_DAY)


@pytest.mark.parametrize("effect", [0.0, 0.3])
def test_the_interval_covers_the_truth_as_often_as_it_says(effect):
    missed = by_rows = 0
    for seed in range(400):
        values, groups = days_of_rows(np.random.default_rng(seed), effect)
        found = Clustered.of(lambda rows, v=values: float(v[rows].mean()), groups)
        missed += not found.interval(0.975).low <= 0 <= found.interval(0.975).high
        by_rows += abs(values.mean()) > norm.ppf(0.975) * values.std() / np.sqrt(values.size)
    assert missed <= 32  # 5 % of 400 are 20
    assert (by_rows > 150) == (effect > 0)  # what takes rows for independent is wrong in a third of the cases


def test_of_a_mean_it_is_the_ordinary_error_of_the_means_of_the_days():
    values, groups = days_of_rows(np.random.default_rng(0), 0.3)
    found = Clustered.of(lambda rows: float(values[rows].mean()), groups)
    means = values.reshape(DAYS, A_DAY).mean(axis=1)
    assert found.error == pytest.approx(means.std(ddof=1) / np.sqrt(DAYS))
    assert (found.point, found.groups) == (pytest.approx(values.mean()), DAYS)


def test_two_statistics_of_the_same_days_vary_together():
    values, groups = days_of_rows(np.random.default_rng(1), 0.3)
    _, ours = jackknife(lambda rows: float(values[rows].mean()), groups)
    _, theirs = jackknife(lambda rows: 2 * float(values[rows].mean()), groups)
    assert covariance(ours, theirs) == pytest.approx(2 * covariance(ours, ours))


def test_a_difference_from_another_statistic_carries_both_errors():
    found = Clustered(point=0.7, error=0.03, groups=20)
    alone, both = found.away_from(0.75, 0.0, 0.99), found.away_from(0.75, 0.04, 0.99)
    assert (alone.point, both.point) == (pytest.approx(-0.05), pytest.approx(-0.05))
    assert (both.high - both.point) / (alone.high - alone.point) == pytest.approx(0.05 / 0.03)


@pytest.mark.parametrize("days", [1, 9])
def test_few_days_tell_nothing(days):
    groups = np.repeat(np.arange(days), 100)
    assert Clustered.of(lambda rows: 1.0 * len(rows), groups) is None


def test_a_statistic_that_is_undefined_without_some_day_tells_nothing():
    groups = np.repeat(np.arange(12), 10)
    assert Clustered.of(lambda rows: float("nan") if 3 not in groups[rows] else 1.0, groups) is None


@pytest.mark.parametrize("days", [28, 10, 3])
def test_groups_are_calendar_days(days):
    since = pd.to_timedelta(np.linspace(0, days - 1e-6, 999), unit="D")
    times = pd.Series(pd.Timestamp("2026-03-02", tz="UTC") + since)
    assert np.unique(groups_of(times, 999)).size == days


def test_rows_without_times_are_independent():
    values = np.random.default_rng(2).normal(size=5_000)
    found = Clustered.of(lambda rows: float(values[rows].mean()), groups_of(None, 5_000))
    assert found.error == pytest.approx(1 / np.sqrt(5_000), rel=0.3)
