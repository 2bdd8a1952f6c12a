"""Which rows a trial is fitted on and scored on."""

import re

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import TrainingError
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.folds import FOLDS, part_of, partition
from ciclo.components.training.folds import CELLS, Plan, plan_for


def made(
    rows: int,
    *,
    time: bool = False,
    ids: int = 0,
    group: bool = False,
    validation: float = 0.2,
    positive: float = 0.3,
    **training,
):
    """A project and its training and validation rows, in no order; ``ids`` rows share each id."""
    columns = {
        "at": {"type": "timestamp"},
        "who": {"type": "integer"},
        "x": {"type": "number"},
        "y": {"type": "boolean"},
    }
    data = {"source": "t.csv", "target": "y", "columns": columns}
    data |= {"time_column": "at"} if time else {}
    data |= {"id_columns": ["who"]} if ids and not group else {}
    split = {"split": {"group": "who"}} if group else {}
    raw = {"name": "unit", "data": data, "cleaning": split, "training": training}
    charter = project_from_mapping(raw, origin="test")
    rng = np.random.default_rng(0)
    order = rng.permutation(rows)
    held_out = order >= rows * (1 - validation)
    frame = pd.DataFrame(
        {
            "at": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(order * 60 * 24 * 60 // rows, unit="min"),
            "who": order // (ids or 1),
            "x": rng.normal(size=rows),
            "y": rng.random(rows) < positive,
            SPLIT: np.where(held_out, "validation", "train"),
        }
    )
    return charter, Dataset(Contract.of(charter, ("false", "true")), frame)


def side(plan: Plan, positions, column: str) -> np.ndarray:
    return plan.rows.rows[column].to_numpy()[positions]


def test_many_validation_rows_are_one_split():
    charter, dataset = made(10_000)
    plan = plan_for(charter, dataset, 0)
    (few, held_out), (every, again) = plan.steps
    assert (plan.averaged, plan.fitted_on, len(few), len(every)) == (False, 8_000, 2_000, 8_000)
    assert (len(held_out), held_out.tolist()) == (2_000, again.tolist())
    assert set(side(plan, every, SPLIT)) == {"train"}
    assert set(side(plan, held_out, SPLIT)) == {"validation"}


@pytest.mark.parametrize(("rows", "steps"), [(3_999, 1), (4_000, 2)])
def test_only_many_rows_are_tried_on_a_quarter_first(rows, steps):
    assert len(plan_for(*made(10_000, search_rows=rows), 0).steps) == steps


def test_days_are_taken_whole_where_there_are_two_for_each_part():
    charter, dataset = made(600, time=True)
    for days, whole in ((10, True), (9, False)):
        start = dataset.rows["at"].min()
        passed = (dataset.rows["at"] - start) / pd.Timedelta(days=60)  # the first days hold more rows than the last
        fewer = dataset.rows.assign(at=start + passed**1.5 * pd.Timedelta(days=days))
        folds = partition(charter, Dataset(dataset.contract, fewer), 0)
        dates = fewer["at"].dt.date.to_numpy()
        assert all(not set(dates[fit]) & set(dates[out]) for fit, out in folds) is whole
        assert len(folds) > 3


@pytest.mark.parametrize(("rows", "positive", "is_split"), [
    (5_100, 0.3, True), (4_900, 0.3, False), (10_000, 0.06, True), (10_000, 0.04, False),
])  # fmt: skip
def test_the_rarest_class_counts_too(rows, positive, is_split):
    assert plan_for(*made(rows, positive=positive), 0).averaged is not is_split


def test_no_more_rows_are_searched_than_asked_for_or_than_a_wide_table_allows():
    charter, dataset = made(10_000, search_rows=500)
    assert plan_for(charter, dataset, 0).fitted_on == 500
    wide = dataset.contract.model_copy(update={"columns": dataset.contract.columns * 1_000})
    assert plan_for(charter, Dataset(wide, dataset.rows), 0).most_rows == 500
    charter, dataset = made(10_000)
    assert plan_for(charter, Dataset(wide, dataset.rows), 0).most_rows == CELLS // len(wide.columns) == 2_000


def test_few_rows_are_cross_validated_with_the_share_of_each_class_kept():
    plan = plan_for(*made(600), 0)
    assert plan.averaged
    assert sorted(np.concatenate([out for _, out in plan.steps])) == list(range(600))
    shares = [plan.rows.y[out].mean() for _, out in plan.steps]
    assert max(shares) - min(shares) < 0.02


@pytest.mark.parametrize(("group", "says"), [(False, "id together"), (True, "one 'who' together")])
def test_rows_of_an_id_or_a_group_stay_together(group, says):
    plan = plan_for(*made(600, ids=4, group=group), 0)
    assert says in plan.text
    for fit, out in plan.steps:
        assert not set(side(plan, fit, "who")) & set(side(plan, out, "who"))
    assert "id together" not in plan_for(*made(600, ids=1), 0).text


def test_in_time_a_trial_is_tested_on_later_days_alone():
    plan = plan_for(*made(600, time=True), 0)
    assert (len(plan.steps), plan.averaged) == (FOLDS, True)
    for fit, out in plan.steps:
        last, first = side(plan, fit, "at").max(), side(plan, out, "at").min()
        assert pd.Timestamp(last).date() < pd.Timestamp(first).date()
    assert len(plan.steps[0][0]) == pytest.approx(100, abs=12)


def test_in_time_a_number_needs_no_classes_on_both_sides():
    charter, dataset = made(600, time=True)
    raw = charter.model_dump(exclude_defaults=True)
    raw["data"]["columns"]["y"] = {"type": "number"}
    asked = project_from_mapping(raw, origin="test")
    plan = plan_for(asked, Dataset(Contract.of(asked, ()), dataset.rows.astype({"y": "float64"})), 0)
    assert len(plan.steps) == FOLDS
    assert plan.text == f"{FOLDS} parts of the time, each after all it is fitted on"


def test_in_time_whole_days_are_left_out_once():
    charter, dataset = made(600, time=True)
    folds = partition(charter, dataset, 0)
    days = dataset.rows["at"].dt.date.to_numpy()
    assert sorted(np.concatenate([out for _, out in folds])) == list(range(600))
    for fit, out in folds:
        assert not set(days[fit]) & set(days[out])
        assert (max(days[out]) - min(days[out])).days < 60 / FOLDS + 1


def in_bursts(*months, rows=600):
    """Rows of two months, a day after the other, with positives on some days alone: pairs of the first and the last."""
    charter, dataset = made(rows, time=True)
    day = (dataset.rows["at"] - dataset.rows["at"].min()).dt.days
    inside = np.any([day.between(*pair) for pair in months], axis=0)
    return charter, Dataset(dataset.contract, dataset.rows.assign(y=inside & (dataset.rows["x"] > 0)))


def test_parts_of_the_time_without_a_positive_are_named_and_the_others_are_scored():
    charter, dataset = in_bursts((12, 18), (42, 58))
    plan = plan_for(charter, dataset, 0)
    assert 1 <= len(plan.steps) < FOLDS
    assert "all rows are 'false' from 2026-01-01 00:00 to 2026-01-10" in plan.text
    for both in plan.steps:
        assert all(set(side(plan, positions, "y")) == {True, False} for positions in both)
    assert len(partition(charter, dataset, 0)) == FOLDS


def test_one_burst_is_cut_so_that_one_half_of_it_can_be_asked_about_the_other():
    charter, dataset = in_bursts((2, 6))
    plan = plan_for(charter, dataset, 0)
    assert re.search(r"cut where the rarest class is: all rows are 'false' from 2026-01-11 .* to 2026-03-01", plan.text)
    assert all(set(side(plan, positions, "y")) == {True, False} for both in plan.steps for positions in both)
    for fit, out in plan.steps:
        assert pd.Timestamp(side(plan, fit, "at").max()).date() < pd.Timestamp(side(plan, out, "at").min()).date()
    folds = partition(charter, dataset, 0)
    assert sorted(np.concatenate([out for _, out in folds])) == list(range(600))
    assert all(dataset.y[fit].any() for fit, _ in folds)


def test_what_happens_on_one_day_alone_is_said_in_one_sentence():
    charter, dataset = in_bursts((2, 2))
    with pytest.raises(TrainingError, match=r"^no part of the time can be scored.*'false' from 2026-01-11[^;]*$"):
        plan_for(charter, dataset, 0)
    folds = partition(charter, dataset, 0)
    assert sum(out.size for _, out in folds) < 600
    assert all(dataset.y[fit].any() for fit, _ in folds)
    with pytest.raises(TrainingError, match=r"^nothing can be learnt.*all rows are 'false' from 2026-01-01[^;]*$"):
        partition(*in_bursts((99, 99)), 0)


def test_a_part_is_taken_with_all_rows_of_an_id():
    charter, dataset = made(600, ids=4)
    others, taken = part_of(charter, dataset, 0.25, 0)
    assert not set(others.rows["who"]) & set(taken.rows["who"])
    assert (len(others), len(taken)) == (448, 152)
    charter, dataset = made(600)
    assert [len(part) for part in part_of(charter, dataset, 0.25, 0)] == [450, 150]
