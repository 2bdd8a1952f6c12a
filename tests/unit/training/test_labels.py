"""Calibration and threshold are learnt from predictions out of fold, and the model carries both."""

import contextlib

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.calibration import Reliability
from ciclo.components.core.errors import ProjectError, TrainingError
from ciclo.components.core.metrics import predictions, threshold_of
from ciclo.components.storage.models import dump_model, parse_model
from ciclo.components.tables.datasets import Dataset
from ciclo.components.training.labels import LEAST_ROWS, Labels, best_method, fit_model, learn_labels
from tests.tables import COLUMNS, TARGETS, dataset, project

# Neighbours that are few are sure of themselves: probabilities of 0 and 1 for half of the rows.
SURE = {"n_neighbors": 3, "weights": "uniform"}


def case(tmp_path, rows=1_500, estimator="nearest_neighbours", **changes):
    candidate = {"estimator": estimator, **changes}
    charter = project(training={"candidates": {"it": candidate}})
    data = Dataset.open(dataset(tmp_path / "d.parquet", rows=rows, signal=1.0))
    return charter, charter.candidates["it"], data.split("train", "validation"), data.split("test")


@pytest.mark.slow
def test_overconfident_neighbours_are_calibrated_and_new_rows_agree(tmp_path):
    charter, candidate, known, test = case(tmp_path)
    labels = learn_labels(charter, candidate, known, SURE, 0)
    assert labels.calibration in ("sigmoid", "isotonic")
    assert "saves" in labels.why
    model = fit_model(charter, candidate, known, SURE, labels, 0)
    plain = fit_model(charter, candidate, known, SURE, Labels(threshold=0.5), 0)
    ours, theirs = (Reliability.of(test.y, predictions("probability", m, test.X, [0, 1])[:, 1]) for m in (model, plain))
    assert ours.log_loss < theirs.log_loss
    assert ours.ece < theirs.ece
    assert labels.after.log_loss == pytest.approx(ours.log_loss, abs=0.08)


def test_a_model_that_can_be_taken_at_its_word_is_left_alone(tmp_path):
    charter, candidate, known, _ = case(tmp_path, estimator="logistic_regression")
    labels = learn_labels(charter, candidate, known, {"C": 1.0}, 0)
    assert (labels.calibration, labels.before) == ("none", labels.after)
    assert "sigmoid or isotonic is not clearly better" in labels.why
    assert labels.before.ece < 0.08
    assert 0.2 < labels.threshold < 0.6


SPREAD = np.tile([-0.5, 0.5], 5_000)  # of what is saved from row to row


@pytest.mark.parametrize(("saves", "rows", "days", "method"), [
    ({"sigmoid": 0.05}, 2_000, 50, "sigmoid"),
    ({"sigmoid": 0.05, "isotonic": 0.08}, 2_000, 50, "isotonic"),
    ({"sigmoid": 0.08, "isotonic": 0.05}, 2_000, 50, "sigmoid"),
    ({"isotonic": 0.08}, LEAST_ROWS, 50, "isotonic"),
    ({"isotonic": 0.08}, LEAST_ROWS - 2, 50, "none"),
    ({"sigmoid": 0.009}, 10_000, 50, "none"),
    ({"sigmoid": 0.011}, 10_000, 50, "sigmoid"),
    ({"sigmoid": -0.05}, 2_000, 50, "none"),
    ({"sigmoid": 0.05}, 2_000, 9, "none"),
    ({}, 2_000, 50, "none"),
], ids=[
    "it helps", "both help, isotonic more", "both help, sigmoid more", "enough rows", "too few rows for isotonic",
    "less than one percent", "more than one percent", "it harms", "too few days to tell", "nothing was tried",
])  # fmt: skip
def test_calibration_is_taken_where_it_clearly_helps(saves, rows, days, method):
    plain = np.ones(rows)
    tried = {name: plain - saved - SPREAD[:rows] * 0.1 for name, saved in saves.items()}
    groups = np.arange(rows) // 2 % days
    assert best_method(plain, tried, groups) == (method, pytest.approx(saves.get(method, 0.0)))


def test_what_a_few_days_save_is_not_clear():
    """Half of the days save much and the others lose nearly as much: luck, and rows would take it for certain."""
    day = np.arange(4_000) // 200
    saved = 0.02 + np.where(day % 2, 0.2, -0.2)
    assert best_method(np.ones(4_000), {"sigmoid": 1 - saved}, day)[0] == "none"
    assert (
        best_method(np.ones(4_000), {"sigmoid": 1 - saved}, np.random.default_rng(0).permutation(day))[0] == "sigmoid"
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["none", "sigmoid", "isotonic"])
def test_what_the_project_asks_for_is_done_and_survives_the_file(tmp_path, method):
    charter, candidate, known, test = case(tmp_path, rows=400, calibration=method)
    labels = learn_labels(charter, candidate, known, SURE, 0)
    assert labels.calibration == method
    model = fit_model(charter, candidate, known, SURE, labels, 0)
    assert threshold_of(model) == labels.threshold
    dump_model(model, tmp_path / "m.skops")
    data = (tmp_path / "m.skops").read_bytes()
    again = parse_model(data)
    np.testing.assert_array_equal(again.predict_proba(test.X), model.predict_proba(test.X))
    np.testing.assert_array_equal(again.predict(test.X), predictions("label", model, test.X, [0, 1]))
    assert Labels.from_facts(labels.facts()) == labels


def test_a_threshold_from_out_of_fold_predictions_is_not_flattered(tmp_path):
    """One neighbour knows its own rows by heart, so what it says of them tells nothing of new ones."""
    charter, candidate, known, _ = case(tmp_path, calibration="none")
    labels = learn_labels(charter, candidate, known, {"n_neighbors": 1, "weights": "uniform"}, 0)
    assert labels.before.brier > 0.1
    assert labels.rows == len(known)


@pytest.mark.parametrize(("costs", "share"), [((20.0, 1.0), 0.2), ((1.0, 20.0), 0.8)])
def test_dear_errors_are_avoided(tmp_path, costs, share):
    _, candidate, known, test = case(tmp_path, estimator="logistic_regression")
    charter = project(
        training={"candidates": {"it": {"estimator": "logistic_regression"}}},
        evaluation={"costs": {"false_positive": costs[0], "false_negative": costs[1]}},
    )
    labels = learn_labels(charter, candidate, known, {"C": 1.0}, 0)
    said = predictions("label", fit_model(charter, candidate, known, {"C": 1.0}, labels, 0), test.X, [0, 1])
    assert (said.mean() < share) if share < 0.5 else (said.mean() > share)
    assert "least cost" in labels.rule


def test_values_have_neither_threshold_nor_calibration(tmp_path):
    charter = project("regression")
    known = Dataset.open(dataset(tmp_path / "d.parquet", "regression")).split("train", "validation")
    labels = learn_labels(charter, charter.candidates["extra_trees"], known, {}, 0)
    assert labels == Labels()
    assert threshold_of(fit_model(charter, charter.candidates["extra_trees"], known, {}, labels, 0)) is None


def several(tmp_path, rows=1_500, estimator="nearest_neighbours", **changes):
    """The same of three classes."""
    charter = project("multiclass", training={"candidates": {"it": {"estimator": estimator, **changes}}})
    data = Dataset.open(dataset(tmp_path / "d.parquet", "multiclass", rows=rows, signal=1.0))
    return charter, charter.candidates["it"], data.split("train", "validation"), data.split("test")


@pytest.mark.slow
def test_overconfident_neighbours_of_three_classes_get_a_temperature_and_new_rows_agree(tmp_path):
    charter, candidate, known, test = several(tmp_path)
    labels = learn_labels(charter, candidate, known, SURE, 0)
    assert (labels.calibration, labels.threshold, labels.rows) == ("temperature", None, len(known)), labels.why
    assert "saves" in labels.why
    model = fit_model(charter, candidate, known, SURE, labels, 0)
    plain = fit_model(charter, candidate, known, SURE, Labels(), 0)
    warm, cold = (predictions("probability", m, test.X, [0, 1, 2]) for m in (model, plain))
    ours, theirs = (Reliability.of_classes(test.y, p) for p in (warm, cold))
    assert ours.log_loss < theirs.log_loss
    assert ours.ece < theirs.ece
    assert ours.brier < theirs.brier
    assert labels.after.log_loss == pytest.approx(ours.log_loss, abs=0.08)
    assert labels.after.ece < labels.before.ece
    assert (warm.argmax(axis=1) == cold.argmax(axis=1)).all(), "a temperature changes no label"
    dump_model(model, tmp_path / "m.skops")
    again = parse_model((tmp_path / "m.skops").read_bytes())
    np.testing.assert_array_equal(again.predict_proba(test.X), model.predict_proba(test.X))
    assert Labels.from_facts(labels.facts()) == labels


@pytest.mark.parametrize(("asked", "given", "says"), [
    ("auto", "none", "temperature is not clearly better than the log loss of"),
    ("none", "none", ""), ("temperature", "temperature", "the project asks for it"),
    ("isotonic", "isotonic", "the project asks for it"),
])  # fmt: skip
@pytest.mark.slow
def test_of_three_classes_what_helps_or_is_asked_for_is_done(tmp_path, asked, given, says):
    charter, candidate, known, _ = several(tmp_path, 600, "logistic_regression", calibration=asked)
    labels = learn_labels(charter, candidate, known, {"C": 1.0}, 0)
    assert labels.calibration == given
    assert labels.why.startswith(says)
    assert bool(labels.why) == bool(says)
    assert fit_model(charter, candidate, known, {"C": 1.0}, labels, 0).predict(known.X).size == len(known)


def test_a_class_that_a_part_of_the_rows_holds_alone_is_named_and_nothing_is_calibrated(tmp_path):
    charter, candidate, known, _ = several(tmp_path, calibration="temperature")
    first = np.flatnonzero(known.y == 2)[:1]
    rows = Dataset(known.contract, known.rows[(known.y != 2) | np.isin(np.arange(len(known)), first)])
    labels = learn_labels(charter, candidate, rows, SURE, 0)
    assert (labels.calibration, labels.before) == ("none", None)
    assert labels.why == "without a part of the rows there is none of 'high', and so nothing is calibrated"
    with pytest.raises(TrainingError, match="cannot be calibrated: without a part of the rows there is none of 'high'"):
        fit_model(charter, candidate, rows, SURE, Labels(calibration="temperature"), 0)


def test_two_classes_have_no_temperature():
    with pytest.raises(ProjectError, match=r"it\.calibration: temperature is for more than two classes; use sigmoid"):
        project(training={"candidates": {"it": {"estimator": "extra_trees", "calibration": "temperature"}}})


def by_day(tmp_path, days, **changes):
    """Two thousand rows of so many days, one after the other."""
    charter, candidate, known, _ = case(tmp_path, rows=2_000, **changes)
    charter = charter.model_copy(update={"data": charter.data.model_copy(update={"time_column": "t"})})
    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(len(known)) * days // len(known), unit="D")
    contract = known.contract.model_copy(update={"time_column": "t"})
    return charter, candidate, Dataset(contract, known.rows.assign(t=at))


@pytest.mark.parametrize(("days", "calibrated"), [(40, True), (9, False)])
def test_days_are_the_evidence_for_a_calibration(tmp_path, days, calibrated):
    """Of nine days nobody can tell, however many rows they are."""
    charter, candidate, known = by_day(tmp_path, days)
    assert (learn_labels(charter, candidate, known, SURE, 0).calibration != "none") is calibrated


@pytest.mark.parametrize(("people", "calibrated"), [(40, True), (9, False)])
def test_people_are_the_evidence_for_a_calibration_where_the_split_keeps_their_rows_together(
    tmp_path, people, calibrated
):
    """Of nine people nobody can tell either, on whatever days their rows are."""
    columns = {**COLUMNS, "y": TARGETS["binary"], "who": {"type": "category"}, "t": {"type": "timestamp"}}
    data = {"source": "table.csv", "target": "y", "columns": columns, "time_column": "t"}
    charter = project(data=data, cleaning={"split": {"group": "who"}})
    _, candidate, known = by_day(tmp_path, 40)
    rows = Dataset(known.contract, known.rows.assign(who=np.arange(len(known)) % people))
    assert (learn_labels(charter, candidate, rows, SURE, 0).calibration != "none") is calibrated


@pytest.mark.slow
@pytest.mark.parametrize("calibration", ["auto", "sigmoid"])
def test_where_positives_come_in_a_burst_the_rest_is_learnt_and_it_is_said(tmp_path, calibration):
    charter, candidate, known = by_day(tmp_path, 40, calibration=calibration, estimator="logistic_regression")
    late = np.arange(len(known)) >= 0.75 * len(known)
    for burst, by in ((late, "greatest f1_score"), (np.arange(len(known)) >= 0.975 * len(known), "one half")):
        rows = Dataset(known.contract, known.rows.assign(y=known.rows["y"] & burst))
        labels = learn_labels(charter, candidate, rows, {"C": 1.0}, 0)
        assert labels.calibration == ("sigmoid" if (calibration, by) == ("sigmoid", "greatest f1_score") else "none")
        assert by in labels.rule
        if by == "one half":
            assert (labels.threshold, labels.rows < len(rows)) == (0.5, True)
            assert "all rows are 'false' from 2026-01-01" in labels.why
        fit_model(charter, candidate, rows, {"C": 1.0}, labels, 0)
        with (
            pytest.raises(TrainingError, match="cannot be calibrated on rows of which")
            if by == "one half"
            else (contextlib.nullcontext())
        ):
            fit_model(charter, candidate, rows, {"C": 1.0}, Labels(calibration="sigmoid", threshold=0.5), 0)
