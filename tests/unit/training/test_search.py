import math
import time

import numpy as np
import optuna
import pytest

from ciclo.components.core.metrics import predictions
from ciclo.components.storage.rehearsal import load_models
from ciclo.components.tables.datasets import Dataset
from ciclo.components.training.candidates import RECIPES, build
from ciclo.components.training.search import fit
from tests.tables import dataset, project

QUICK = {"trials": 2, "search_rows": 300}
CASES = [
    (task, name)
    for task in ("binary", "multiclass", "regression")
    for name, recipe in RECIPES.items()
    if (recipe.regressor if task == "regression" else recipe.classifier)
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "name"), CASES, ids=str)
def test_every_candidate_learns_and_survives_the_file(tmp_path, task, name):
    parsed = project(task, training={**QUICK, "candidates": {"it": {"estimator": name}}})
    path = dataset(tmp_path / "d.parquet", task)
    fitted = fit(parsed, "it", path, tmp_path / "m.skops")
    assert fitted.failure == ""
    test = Dataset.open(path, "test")
    (model,) = load_models([tmp_path / "m.skops"])
    said = predictions(parsed.metric.needs, model, test.X, test.contract.codes)
    constant = np.full(len(test), np.mean(Dataset.open(path, "train").y))
    no_skill = {"binary": 0.5, "multiclass": 1 / 3, "regression": parsed.metric.score(test.y, constant, [])}[task]
    assert parsed.metric.gain(parsed.metric.score(test.y, said, test.contract.codes), no_skill) > 0.1


def test_the_search_is_the_same_for_the_same_seed(tmp_path):
    parsed = project(training={**QUICK, "trials": 4})
    path = dataset(tmp_path / "d.parquet")
    runs = [fit(parsed, "gradient_boosting", path, tmp_path / f"{i}.skops") for i in range(2)]
    assert [(t.parameters, t.score) for t in runs[0].trials] == [(t.parameters, t.score) for t in runs[1].trials]


def test_the_best_trial_is_the_smallest_error(tmp_path):
    parsed = project("regression", training={"trials": 5})
    fitted = fit(parsed, "ridge", dataset(tmp_path / "d.parquet", "regression"), tmp_path / "m.skops")
    assert fitted.score == min(t.score for t in fitted.trials)


def test_a_candidate_that_cannot_be_fitted_says_why_and_does_not_raise(tmp_path):
    candidate = {"estimator": "logistic_regression", "search": {"C": [-1.0]}}
    parsed = project(training={**QUICK, "candidates": {"it": candidate}})
    fitted = fit(parsed, "it", dataset(tmp_path / "d.parquet"), tmp_path / "m.skops")
    assert "C" in fitted.failure
    assert math.isnan(fitted.score)
    assert (tmp_path / "m.skops").read_bytes() == b""


def test_the_test_rows_are_not_read(tmp_path):
    path = dataset(tmp_path / "d.parquet")
    fitted = fit(project(training=QUICK), "logistic_regression", path, tmp_path / "m.skops")
    assert fitted.rows == len(Dataset.open(path, "train", "validation"))


def test_a_trial_is_fitted_on_the_training_rows_and_scored_on_the_validation_rows(tmp_path):
    candidate = {"estimator": "random_forest", "search": {"max_depth": [12]}}
    parsed = project(training={"candidates": {"it": candidate}})
    path = dataset(tmp_path / "d.parquet")
    train, validation = Dataset.open(path, "train"), Dataset.open(path, "validation")
    codes = train.contract.codes
    model = build(parsed.candidates["it"], parsed, train.contract, len(train), {"max_depth": 12}).fit(train.X, train.y)
    said = predictions(parsed.metric.needs, model, validation.X, codes)
    fitted = fit(parsed, "it", path, tmp_path / "m.skops")
    assert fitted.score == pytest.approx(parsed.metric.score(validation.y, said, codes))
    assert fitted.score < 0.99, "rows that were learnt by heart would not tell the two apart"


def test_a_grid_that_is_not_larger_than_the_trials_is_tried_whole(tmp_path):
    alphas = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
    candidate = {"estimator": "ridge", "search": {"alpha": alphas}}
    parsed = project("regression", training={"trials": 6, "candidates": {"it": candidate}})
    started = time.monotonic()
    fitted = fit(parsed, "it", dataset(tmp_path / "d.parquet", "regression"), tmp_path / "m.skops")
    assert sorted(t.parameters["alpha"] for t in fitted.trials) == alphas
    assert 0 < sum(t.seconds for t in fitted.trials) <= time.monotonic() - started


@pytest.mark.parametrize(("task", "name", "direction"), [
    ("binary", "logistic_regression", "maximize"), ("regression", "ridge", "minimize"),
])  # fmt: skip
def test_the_sampler_is_told_what_is_better(tmp_path, monkeypatch, task, name, direction):
    told = []
    create = optuna.create_study
    monkeypatch.setattr(optuna, "create_study", lambda **options: told.append(options) or create(**options))
    parsed = project(task, training={**QUICK, "trials": 1})
    assert fit(parsed, name, dataset(tmp_path / "d.parquet", task), tmp_path / "m.skops").failure == ""
    assert [options["direction"] for options in told] == [direction]


def test_a_long_failure_is_cut(tmp_path, monkeypatch):
    def fails(*_):
        raise ValueError("no\n " * 400)

    monkeypatch.setattr("ciclo.components.training.search.build", fails)
    fitted = fit(project(training=QUICK), "logistic_regression", dataset(tmp_path / "d.parquet"), tmp_path / "m.skops")
    assert fitted.failure == ("no " * 400)[:500]
