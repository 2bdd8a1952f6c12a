"""Clustered intervals: they cover what they say where days move together, and say nothing from a handful of days."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from ciclo.components.core.clusters import (
    Clustered,
    Groups,
    covariance,
    effective_groups,
    entities_of,
    gain_interval,
    groups_of,
    jackknife,
    score_interval,
)
from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import METRICS
from ciclo.components.core.project_file import project_from_mapping

DAYS, A_DAY = 14, 200
MAE = METRICS["mean_absolute_error"]


def days_of_rows(rng, effect):
    """Rows whose days move together, their true mean being 0."""
    values = rng.normal(size=(DAYS, A_DAY)) + effect * rng.normal(size=(DAYS, 1))
    return values.ravel(), np.repeat(np.arange(DAYS), A_DAY)


@pytest.mark.slow
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


def of_people(people, each, ids=("who",)):
    """The groups of some rows of people, split by the hash of their id."""
    columns = {"y": {"type": "boolean"}, "who": {"type": "category"}, "x": {"type": "number"}}
    raw = {"name": "unit", "data": {"source": "t.csv", "target": "y", "id_columns": list(ids), "columns": columns}}
    who = np.repeat(np.arange(people), each)
    frame = pd.DataFrame({"who": who.astype(str), "x": 0.0, "y": False})
    return Groups.of(project_from_mapping(raw, origin="test"), frame), who


@pytest.mark.parametrize(
    ("people", "each", "ids", "unit", "count"),
    [
        (40, 5, ["who"], "entity", 40),
        (2_000, 2, ["who"], "entity", 2_000),
        (40, 1, ["who"], "row", 40),
        (40, 5, [], "row", 200),
    ],
)
def test_rows_of_one_id_are_one_piece_of_evidence(people, each, ids, unit, count):
    groups, who = of_people(people, each, ids)
    assert (groups.unit, groups.count) == (unit, count)
    assert groups[np.arange(2 * each)].count == (2 if unit == "entity" else 2 * each)
    if unit == "entity":
        assert (pd.Series(groups.of_rows).groupby(who).nunique() == 1).all()
        assert np.unique(groups.of_rows).size in (count, 50)


def test_the_group_of_the_split_is_the_entity_and_a_row_without_one_is_its_own():
    kinds = {"y": "boolean", "who": "category", "id": "integer", "x": "number"}
    columns = {name: {"type": kind} for name, kind in kinds.items()}
    data = {"source": "t.csv", "target": "y", "id_columns": ["id"], "columns": columns}
    raw = {"name": "unit", "data": data, "cleaning": {"split": {"group": "who"}}}
    charter = project_from_mapping(raw, origin="test")
    frame = pd.DataFrame({"who": ["a", "b", None, "a", None, "b"], "id": range(6), "x": 0.0, "y": False})
    groups = Groups.of(charter, frame)
    assert (groups.unit, groups.count) == ("entity", 4)
    assert groups.pieces.tolist() == [0, 1, 2, 0, 3, 1]
    assert list(charter.features) == ["x"]


@pytest.mark.slow
def test_an_equal_challenger_is_not_better_for_its_luck_with_some_people():
    """Taken for independent, rows of 60 people make one of two equal models surely better in a third of the cases."""
    groups, who = of_people(60, 50)
    wrong = by_rows = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        y = (rng.random(who.size) < 0.5).astype(int)
        base = y * 0.95 + rng.normal(size=who.size)
        ours, theirs = (base + 0.7 * rng.normal(size=60)[who] * np.where(y == 1, 1, -1) for _ in range(2))
        for which in (groups.of_rows, groups_of(None, who.size)):
            gain = gain_interval(
                METRICS["roc_auc_score"], y, *(np.column_stack([-z, z]) for z in (ours, theirs)), [0, 1],
                groups=which, confidence=0.95,
            )  # fmt: skip
            wrong += gain.low > 0 and which is groups.of_rows
            by_rows += gain.low > 0 and which is not groups.of_rows
    assert wrong <= 14  # 5 % of 120 are 6
    assert by_rows > 25


def test_of_a_mean_it_is_the_ordinary_error_of_the_means_of_the_days():
    values, groups = days_of_rows(np.random.default_rng(0), 0.3)
    found = Clustered.of(lambda rows: float(values[rows].mean()), groups)
    means = values.reshape(DAYS, A_DAY).mean(axis=1)
    assert found.error == pytest.approx(means.std(ddof=1) / np.sqrt(DAYS))
    assert (found.point, found.groups) == (pytest.approx(values.mean()), DAYS)


def test_two_statistics_of_the_same_days_vary_together():
    values, groups = days_of_rows(np.random.default_rng(1), 0.3)
    ours = jackknife(lambda rows: float(values[rows].mean()), groups)
    theirs = jackknife(lambda rows: 2 * float(values[rows].mean()), groups)
    assert covariance(ours.without, theirs.without) == pytest.approx(2 * covariance(ours.without, ours.without))


def test_a_difference_from_another_statistic_carries_both_errors():
    found = Clustered(point=0.7, error=0.03, groups=20)
    alone, both = found.away_from(0.75, 0.0, 0.99), found.away_from(0.75, 0.04, 0.99)
    assert (alone.point, both.point) == (pytest.approx(-0.05), pytest.approx(-0.05))
    assert (both.high - both.point) / (alone.high - alone.point) == pytest.approx(0.05 / 0.03)


def test_days_of_different_size_count_for_fewer():
    groups = np.repeat(np.arange(20), [100] * 10 + [1] * 10)
    assert effective_groups(groups) == pytest.approx(1010**2 / (10 * 100**2 + 10))
    assert effective_groups(np.repeat(np.arange(20), 7)) == 20
    assert effective_groups(np.array([0, 0, 0])) == 1
    found = Clustered(point=0.7, error=0.03, groups=20)
    alike = found.interval(0.95)
    uneven = found.model_copy(update={"effective": effective_groups(groups)}).interval(0.95)
    assert (uneven.high - 0.7) / (alike.high - 0.7) == pytest.approx(t.ppf(0.95, 9.2) / t.ppf(0.95, 19), rel=1e-3)
    assert np.isfinite(found.model_copy(update={"effective": 1.0}).interval(0.95).high)


def test_the_gain_and_the_score_know_how_uneven_days_are():
    rng = np.random.default_rng(4)
    y, noise = rng.normal(size=(2, 2_000))
    widths = []
    for days in (np.arange(2_000) % 20, np.sort(rng.choice(20, 2_000, p=np.r_[0.62, np.full(19, 0.02)]))):
        plain = Clustered.of(scorer(MAE, y, y + noise, []), days).model_copy(update={"effective": None}).interval(0.95)
        told = score_interval(MAE, y, y + noise, [], groups=days, confidence=0.95)
        gain = gain_interval(MAE, y, y + noise, np.zeros(2_000), [], groups=days, confidence=0.95)
        widths.append((told.high - told.point) / (plain.high - plain.point))
        assert gain.bounded
    assert widths[0] == pytest.approx(1)
    assert widths[1] > 1.2


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


@pytest.mark.parametrize("named", [{"data": {"id_columns": ["who"]}}, {"cleaning": {"split": {"group": "who"}}}])
def test_a_row_that_does_not_say_whose_it_is_is_by_itself(named):
    columns = {"who": {"type": "category"}, "x": {"type": "number"}, "y": {"type": "boolean"}}
    data = {"source": "t.csv", "target": "y", "columns": columns, **named.pop("data", {})}
    project = project_from_mapping({"name": "unit", "data": data, **named}, origin="test")
    rows = pd.DataFrame({"who": ["ann", None, "bob", None, "ann"]})
    assert entities_of(project, rows).tolist() == [0, 2, 1, 3, 0]
    assert entities_of(project, rows.iloc[1:]) is None
