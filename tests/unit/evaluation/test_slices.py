"""The metric in parts of the rows, and the floor that no part may be surely below."""

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.clusters import Groups
from ciclo.components.core.contract import Contract
from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import METRICS
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.sections import Evaluation
from ciclo.components.evaluation.slices import Slice, floor_checks, slices_of
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.slicing import parts as parts_of

COLUMNS = {
    "y": {"type": "boolean"},
    "x": {"type": "number"},
    "place": {"type": "category"},
    "at": {"type": "timestamp"},
    "pages": {"type": "integer"},
}


def cut(columns, rows=600, **evaluation):
    """A table whose answers are worthless where the place is 'east' or x is large."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=rows),
            "place": rng.choice(["north", "east", "west"], rows, p=[0.5, 0.4, 0.1]),
            "at": pd.date_range("2026-01-05", periods=rows, freq="6h", tz="UTC"),
            "pages": rng.integers(0, 3, rows),
            "y": rng.random(rows) < 0.5,
        }
    )
    frame.loc[::50, "place"] = None
    project = project_from_mapping(
        {"name": "u", "data": {"source": "s.csv", "target": "y", "columns": COLUMNS},
         "evaluation": {"slices": columns, **evaluation}},
        origin="test",
    )  # fmt: skip
    test = Dataset(Contract.of(project, ("false", "true")), frame.assign(**{ROW_ID: "", SPLIT: "test"}))
    good = np.where(frame["place"] == "east", rng.random(rows), frame["y"] * 0.6 + rng.random(rows) * 0.4)
    answers = np.column_stack([1 - good, good])
    return {(s.column, s.value): s for s in slices_of(project, test, answers, Groups.of(project, test.rows))}, test


def test_a_category_is_cut_by_value_and_the_missing_are_a_part_too():
    found, test = cut(["place"], minimum_rows=10)
    assert [value for _, value in found] == ["north", "east", "west", "(missing)"]
    assert sum(s.rows for s in found.values()) == len(test)
    assert found["place", "east"].score.high < 0.65 < found["place", "north"].score.low
    assert found["place", "east"].score.low < 0.5 < found["place", "east"].score.high


def test_numbers_are_cut_into_quarters_and_times_into_months_and_few_values_one_by_one():
    found, test = cut(["x", "at", "pages"])
    quarters = [s for (column, _), s in found.items() if column == "x"]
    assert [s.rows for s in quarters] == [150] * 4
    ends = [s.value.split(" to ") for s in quarters]
    assert [high for _, high in ends[:-1]] == [low for low, _ in ends[1:]]
    assert float(ends[0][0]) == pytest.approx(test.rows["x"].min(), rel=1e-3)
    assert [value for column, value in found if column == "at"][:3] == ["2026-01", "2026-02", "2026-03"]
    assert sorted(value for column, value in found if column == "pages") == ["0", "1", "2"]


def test_a_slice_knows_the_days_of_its_rows():
    """Rows that come ten a day, with days that move together, say less of a slice than their number."""
    columns = {"y": {"type": "boolean"}, "place": {"type": "category"}, "at": {"type": "timestamp"}}
    raw = {"name": "u", "data": {"source": "s.csv", "target": "y", "time_column": "at", "columns": columns},
           "evaluation": {"slices": ["place"]}, "training": {"metric": "accuracy_score"}}  # fmt: skip
    project = project_from_mapping(raw, origin="test")
    day = np.repeat(np.arange(40), 10)
    frame = pd.DataFrame({"place": "north", "at": pd.Timestamp("2026-01-05", tz="UTC") + pd.to_timedelta(day, "D")})
    frame = frame.assign(y=True, row_id="", split="test")
    test = Dataset(Contract.of(project, ("false", "true")), frame)
    right = (day % 2).astype("int64")  # all of a day, or none
    (found,) = slices_of(project, test, right, Groups.of(project, test.rows))
    assert found.score.high - found.score.low == pytest.approx(2 * 1.685 * 0.5 / np.sqrt(39), rel=0.06)


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (RNG.uniform(40.7001, 40.7039, 400), [100] * 4),
        (RNG.uniform(1e6, 1.0001e6, 400), [100] * 4),
        (np.r_[np.zeros(300), RNG.uniform(1, 9, 100)], [300, 25, 25, 25, 25]),
        (np.r_[np.zeros(200), np.full(150, 5.0), np.arange(50) * 3.0 + 7], [200, 150, 12, 13, 12, 13]),
        (np.r_[np.full(40, np.nan), RNG.normal(size=360)], [90, 90, 90, 90, 40]),
        (np.r_[np.zeros(389), np.arange(11) + 1.0], [389, 3, 2, 3, 3]),
    ],
)
def test_every_number_lies_in_one_part_of_a_name_of_its_own(values, parts):
    found = list(parts_of(pd.Series(values)))
    assert len({name for name, _ in found}) == len(found)
    assert sorted(np.concatenate([rows for _, rows in found]).tolist()) == list(range(len(values)))
    assert [len(rows) for _, rows in found] == pytest.approx(parts, abs=1)


def test_parts_with_few_rows_have_no_score():
    found, _ = cut(["place"], minimum_rows=100)
    assert {value for (_, value), one in found.items() if one.score.bounded} == {"north", "east"}
    assert {value for (_, value), one in found.items() if not one.score.bounded} == {"west", "(missing)"}


def interval(low, high):
    return Interval(low, (low + high) / 2, high)


NAN = float("nan")
FLOORS = [
    ("roc_auc_score", 0.6, interval(0.61, 0.7), True, "no slice is surely below 0.6"),
    ("roc_auc_score", 0.6, interval(0.50, 0.61), True, "no slice is surely below 0.6"),
    ("roc_auc_score", 0.6, interval(0.50, 0.59), False, "surely below 0.6 where 'place' is east"),
    ("log_loss", 0.6, interval(0.61, 0.7), False, "surely above 0.6 where 'place' is east"),
    ("log_loss", 0.6, interval(0.5, 0.61), True, "no slice is surely above 0.6"),
    ("roc_auc_score", 0.6, Interval(NAN, 0.1, NAN), True, "nobody can tell where 'place' is east"),
]


@pytest.mark.parametrize(("metric", "floor", "score", "passed", "words"), FLOORS)
def test_a_floor_is_missed_only_where_the_interval_is_on_the_wrong_side(metric, floor, score, passed, words):
    (check,) = floor_checks((Slice("place", "east", 50, score),), Evaluation(slice_floor=floor), METRICS[metric])
    assert (check.name, check.level, check.passed) == ("slice_floor", "error", passed)
    assert words in check.message


def test_without_a_floor_nothing_is_checked():
    assert floor_checks((Slice("place", "east", 50, interval(0, 0.1)),), Evaluation(), METRICS["roc_auc_score"]) == []


@pytest.mark.parametrize("own", ["(missing)", "any of 3 others"])
def test_a_value_that_is_called_like_a_part_is_another_part(own):
    values = [own] * 5 + [repr(own)] * 4 + [f"v{i:02d}" for i in range(31) for _ in range(3)] + [None] * 4
    found = list(parts_of(pd.Series(values, dtype=object)))
    names = [name for name, _ in found]
    assert len({*names}) == len(names)
    assert sorted(row for _, rows in found for row in rows) == list(range(len(values)))
    assert [name for name, rows in found if 0 in rows] == [repr(own)]
    assert names[-2:] == ["any of 3 others", "(missing)"]


def test_infinite_numbers_are_in_the_last_quarter_and_the_first():
    values = pd.Series([*map(float, range(40)), np.inf, -np.inf, -np.inf, np.nan])
    found = {name: rows.tolist() for name, rows in parts_of(values)}
    assert [*found] == ["0 to 9.75", "9.75 to 19.5", "19.5 to 29.25", "29.25 to 39", "(missing)"]
    assert (41 in found["0 to 9.75"], 40 in found["29.25 to 39"]) == (True, True)
    assert sum(map(len, found.values())) == len(values)
    few = {name: rows.tolist() for name, rows in parts_of(pd.Series([*[np.inf] * 20, *map(float, range(12))]))}
    assert few["∞"] == list(range(20))
