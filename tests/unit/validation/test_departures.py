"""Rows that are judged against windows of the profiled time: streams in which nothing changes, and some that do."""

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.contract import Contract
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.core.usual import compare, p_values, padded, usual
from ciclo.components.tables.datasets import Dataset
from ciclo.components.validation.checks import validate
from ciclo.components.validation.departures import LEVEL, days_between, departures
from tests.tables import TARGETS, project

DAYS, TEST, A_DAY, COLUMNS = 102, 18, 60, 6


def moving(kind, rng):
    """How the mean of a column goes over the days, in standard deviations of a row."""
    days = np.arange(DAYS + TEST)
    if kind == "days":
        return rng.normal(0, 0.5, days.size)
    if kind == "weekdays":
        return 0.7 * np.sin(2 * np.pi * (days / 7 + rng.random()))
    if kind == "season":
        return 0.7 * np.sin(2 * np.pi * (days / 30 + rng.random())) + rng.normal(0, 0.3, days.size)
    return np.zeros(days.size)


def judged(kind, rng, shift=0.0, **options):
    profiled, counts = {}, {}
    for number in range(COLUMNS):
        values = np.repeat(moving(kind, rng), A_DAY) + rng.normal(size=(DAYS + TEST) * A_DAY)
        before, after = pd.Series(values[: DAYS * A_DAY]), pd.Series(values[DAYS * A_DAY :] + shift * (number == 0))
        column = ColumnProfile.of(before)
        name = f"column {number}"
        profiled[name] = column.sliced(column.codes(before), np.repeat(np.arange(DAYS), A_DAY), DAYS)
        counts[name] = column.bin(after)
    return profiled, departures(profiled, counts, **{"fixed": 0.3, "slice_days": 1, "span": TEST, **options})


@pytest.mark.parametrize("kind", ["rows", "days", "weekdays", "season"])
def test_a_stream_that_goes_on_as_it_was_is_no_departure(kind):
    rng = np.random.default_rng(0)
    runs = [judged(kind, rng)[1] for _ in range(25)]
    assert sum(bool(found.moved) for found in runs) <= 3
    assert all(found.days == DAYS // 8 for found in runs)


@pytest.mark.parametrize(("kind", "shift"), [("rows", 0.3), ("days", 1.0), ("weekdays", 0.5)])
def test_a_test_period_that_moved_is_one(kind, shift):
    rng = np.random.default_rng(1)
    moved = [list(judged(kind, rng, shift)[1].moved) for _ in range(25)]
    assert sum("column 0" in names for names in moved) >= 20
    assert sum("column 0" not in names for names in moved if names) <= 1


def test_the_limit_of_a_distance_is_that_of_its_p_value():
    rng = np.random.default_rng(2)
    for shift in (0.0, 0.4, 0.8):
        profiled, found = judged("days", rng, shift, least=0.0)
        tested = [(name, profiled[name], one.counts) for name, one in found.columns.items()]
        compared = compare(padded([p.counts for _, p, _ in tested]), padded([c for *_, c in tested]))
        likely = p_values(compared, usual(tested, found.days))
        assert [one.moved for one in found.columns.values()] == list(likely < LEVEL / COLUMNS)


def test_windows_are_as_long_as_the_rows_that_are_compared_or_as_eight_of_them_allow():
    rng = np.random.default_rng(5)
    for span, days in ((0.3, 1), (5, 5), (12, 12), (18, 12), (500, 12)):
        found = judged("rows", rng, span=span)[1]
        assert (found.days, {len(one.windows) for one in found.columns.values()}) == (days, {DAYS // days})
    profiled, found = judged("rows", rng)
    found = departures(profiled, {name: one.counts for name, one in found.columns.items()}, fixed=0.3)
    assert (found.days, found.columns["column 0"].windows, found.usual("column 0")) == (0, (), "")
    now = pd.Timestamp("2026-01-01")
    assert [days_between(now, now + pd.Timedelta(hours=h)) for h in (0, 24, 36)] == [1, 1, 2]


def test_without_times_the_fixed_limit_holds_and_chance_is_no_distance():
    rng = np.random.default_rng(3)
    values = pd.Series(rng.normal(size=4_000))
    column = ColumnProfile.of(values)

    def moved(rows, shift, fixed=0.3):
        counts = {"x": column.bin(pd.Series(rng.normal(size=rows) + shift))}
        return bool(departures({"x": column}, counts, fixed=fixed).moved)

    assert not moved(2_000, 0.5)
    assert moved(2_000, 1.5)
    assert not any(moved(20, 0.0, fixed=0.01) for _ in range(20))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "shift", "passed"), [("time", 1.0, False), ("time", 0.0, True), ("hash", 0.6, True)]
)
def test_only_rows_split_by_time_are_held_against_the_windows(method, shift, passed):
    rng = np.random.default_rng(4)
    rows = (DAYS + TEST) * A_DAY
    side = np.where(np.arange(rows) < DAYS * A_DAY, "train", "test")
    frame = pd.DataFrame({"size": np.repeat(moving("weekdays", rng), A_DAY) + rng.normal(size=rows)})
    frame.loc[side == "test", "size"] += shift
    frame["at"] = pd.date_range("2026-01-05", periods=rows, freq="24min", tz="UTC")
    frame["y"] = rng.random(rows) < 0.4
    frame[SPLIT] = np.where(np.arange(rows) % (DAYS * A_DAY) > (DAYS - 8) * A_DAY, "validation", side)
    columns = {"size": {"type": "number"}, "at": {"type": "timestamp"}, "y": TARGETS["binary"]}
    charter = project(
        data={"source": "t.csv", "target": "y", "time_column": "at", "columns": columns},
        cleaning={"split": {"method": method}},
    )
    findings = validate(charter, Dataset(Contract.of(charter, ("false", "true")), frame), "d" * 64)
    (check,) = [c for c in findings.verdict.checks if c.name == "split_drift"]
    assert (check.passed, "any 12 days of it differ" in check.message) == (passed, method == "time"), check
