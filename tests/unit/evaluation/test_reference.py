"""What monitoring will compare with: learnt from the right rows, in the shape every task needs."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from ciclo.components.core.clusters import Clustered, Groups
from ciclo.components.core.contract import Contract
from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import predictions
from ciclo.components.evaluation.reference import reference_of
from ciclo.components.tables.datasets import Dataset
from ciclo.components.validation.checks import reference_profile
from tests.tables import COLUMNS, TARGETS
from tests.unit.evaluation.test_fairness import CLASSES, fitted, project, rows

ESTIMATORS = {"binary": LogisticRegression(), "multiclass": LogisticRegression(), "regression": Ridge()}


def made(task="binary", timed=True, importance=None, **sections):
    asked = project(task, timed=timed, **sections)
    frame = rows(task).assign(who=np.arange(600) % 20)
    contract = Contract.of(asked, CLASSES[task])
    train, test = Dataset(contract, frame.iloc[:400]), Dataset(contract, frame.iloc[400:].reset_index(drop=True))
    model = fitted(asked, ESTIMATORS[task], frame.iloc[:400])
    shares = importance or {name: float(n == 0) for n, name in enumerate(contract.names)}
    profile = reference_profile(train, window_days=asked.monitoring.window_days)
    return reference_of(asked, profile, shares, model, train, test), train, test, asked, model


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_task_has_its_anchor_its_errors_and_its_windows(task):
    found, train, test, asked, _ = made(task)
    assert found.score.groups >= 10
    assert found.score.error > 0
    assert found.anchor.score.point != found.score.point
    assert asked.metric.gain(found.score.point, found.anchor.score.point) > 0
    assert np.array(found.prediction.by_slice).sum() == len(train)
    assert sum(found.prediction.counts) == len(test)
    width = len(CLASSES[task]) or 1
    assert np.array(found.anchor.answers).shape == (found.anchor.bins.bins, width)
    assert found.estimation is not None
    assert abs(asked.metric.gain(found.estimation.reference, found.score.point)) < 0.15


@pytest.mark.slow
def test_the_anchor_is_todays_rule_where_there_is_one_and_the_most_important_feature_else():
    _, train, *_ = made()
    number = next(c.name for c in train.contract.columns if c.type == "number")
    middle = float(train.X[number].median())
    ruled, *_ = made(design={"simple_rule": {"column": number, "at_least": middle}})
    assert (ruled.anchor.column, ruled.anchor.bins.edges) == (number, (middle,))
    last = train.contract.names[-1]
    alone, *_ = made(importance={name: float(name == last) for name in train.contract.names})
    assert (alone.anchor.column, alone.anchor.rule) == (last, f"'{last}' alone")


@pytest.mark.slow
def test_the_anchor_has_seen_no_test_row():
    _, train, test, asked, model = made()
    turned = Dataset(test.contract, test.rows.assign(**{test.contract.target: ~test.rows[test.contract.target]}))
    shares = dict.fromkeys(train.contract.names, 1.0)
    ours, theirs = (
        reference_of(asked, reference_profile(train), shares, model, train, rows) for rows in (test, turned)
    )
    assert ours.anchor.answers == theirs.anchor.answers
    assert ours.anchor.score.point == pytest.approx(1 - theirs.anchor.score.point)


def test_answers_are_cut_into_the_slices_of_the_columns(monkeypatch):
    monkeypatch.setattr("ciclo.components.core.profile.SLICES", 3)
    found, *_ = made(monitoring={"window_days": 1})
    width = {len(column.by_slice) for column in (*found.columns.values(), found.prediction)}
    assert (len(width), found.slice_days) == (1, 1)


def test_without_times_there_are_no_windows_and_the_errors_are_those_of_rows():
    found, *_ = made(timed=False)
    assert found.slice_days == 0
    assert found.prediction.by_slice == ()
    assert found.score.groups == 50


def test_the_errors_are_those_of_people_where_the_split_keeps_their_rows_together():
    columns = {**COLUMNS, "y": TARGETS["binary"], "who": {"type": "integer"}, "t": {"type": "timestamp"}}
    data = {"source": "t.csv", "target": "y", "columns": columns, "time_column": "t"}
    found, _, test, asked, model = made(data=data, cleaning={"split": {"group": "who"}})
    groups, metric = Groups.of(asked, test.rows).of_rows, asked.metric
    for score, answers in (
        (found.score, predictions("probability", model, test.X, [0, 1])),
        (found.anchor.score, found.anchor.predict("probability", test.X[found.anchor.column])),
    ):
        assert score == Clustered.of(scorer(metric, test.y, answers, [0, 1]), groups)
        assert score.groups == 20
