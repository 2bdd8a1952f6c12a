"""A candidate from its search to its file: the same for the same data and seed, and within its seconds."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest

from ciclo.components.core.metrics import predictions
from ciclo.components.core.sections import Range
from ciclo.components.storage.models import parse_model
from ciclo.components.tables.datasets import Dataset
from ciclo.components.training import trials as trials_module
from ciclo.components.training import worker
from ciclo.components.training.candidates import build
from ciclo.components.training.children import death
from ciclo.components.training.folds import plan_for
from ciclo.components.training.search import fit
from ciclo.components.training.trials import PATIENCE, RANDOM_TRIALS, contains, run_trials, seed_of
from tests.depth import some, thorough
from tests.recipes import TASK_ESTIMATORS
from tests.tables import dataset, project

QUICK = {"trials": 2, "search_rows": 300}


@pytest.mark.slow
@pytest.mark.parametrize(("task", "name"), some(TASK_ESTIMATORS, 7), ids=str)
def test_every_candidate_learns_and_survives_the_file(tmp_path, task, name):
    parsed = project(task, training={**QUICK, "candidates": {"it": {"estimator": name}}})
    path = dataset(tmp_path / "d.parquet", task)
    fitted = fit(parsed, "it", path, tmp_path / "m.skops")
    assert fitted.failure == ""
    test = Dataset.open(path, "test")
    model = parse_model((tmp_path / "m.skops").read_bytes())
    said = predictions(parsed.metric.needs, model, test.X, test.contract.codes)
    constant = np.full(len(test), np.mean(Dataset.open(path, "train").y))
    no_skill = {"binary": 0.5, "multiclass": 1 / 3, "regression": parsed.metric.score(test.y, constant, [])}[task]
    assert parsed.metric.gain(parsed.metric.score(test.y, said, test.contract.codes), no_skill) > 0.1


def one(task: str = "binary", estimator: str = "logistic_regression", search: dict | None = None, **training):
    candidate = {"estimator": estimator, "search": search or {}}
    return project(task, training={**QUICK, "candidates": {"it": candidate}, **training})


def tried(parsed, path: Path, start: dict | None = None) -> list:
    """The trials of ``it``, here and not in a process of their own."""
    known, told = Dataset.open(path, "train", "validation"), []
    seed = seed_of("digest", parsed.training.seed)
    plan = plan_for(parsed, known, seed)
    run_trials(parsed.candidates["it"], parsed, plan, seed=seed, start=start or {}, seconds=60, report=told.append)
    return told


@thorough
def test_the_same_data_and_seed_give_the_same_search(tmp_path):
    path, other = dataset(tmp_path / "d.parquet"), dataset(tmp_path / "e.parquet", seed=1)
    recipe = {"estimator": "gradient_boosting", "search": {"max_iter": [10]}, "trials": 8}
    parsed = one(**recipe)
    runs = [fit(parsed, "it", path, tmp_path / f"{i}.skops") for i in range(2)]
    known = [[(t.parameters, t.score, t.problem) for t in run.trials] for run in runs]
    assert str(known[0]) == str(known[1])
    assert len(known[0]) == 8
    assert (tmp_path / "0.skops").stat().st_size > 0
    assert runs[0].labels == runs[1].labels
    for change, rows in (({}, other), ({"seed": 1}, path)):
        changed = fit(one(**recipe, **change), "it", rows, tmp_path / "x.skops")
        assert [t.parameters for t in changed.trials[1:]] != [t.parameters for t in runs[0].trials[1:]]


@pytest.mark.slow
def test_the_best_trial_is_the_smallest_error(tmp_path):
    parsed = one("regression", "ridge", trials=5)
    fitted = fit(parsed, "it", dataset(tmp_path / "d.parquet", "regression"), tmp_path / "m.skops")
    assert fitted.score == min(t.score for t in fitted.trials if not t.problem)


@pytest.mark.slow
def test_a_candidate_that_cannot_be_fitted_says_why_and_does_not_raise(tmp_path):
    parsed = one(search={"dual": [True]})  # which the default solver does not know
    fitted = fit(parsed, "it", dataset(tmp_path / "d.parquet"), tmp_path / "m.skops")
    assert "dual" in fitted.failure
    assert np.isnan(fitted.score)
    assert (tmp_path / "m.skops").read_bytes() == b""


@pytest.mark.slow
def test_one_bad_value_does_not_spoil_the_others(tmp_path):
    fitted = fit(
        one(search={"dual": [True, False], "C": [1.0]}), "it", dataset(tmp_path / "d.parquet"), tmp_path / "m.skops"
    )
    assert (fitted.failure, fitted.parameters["dual"]) == ("", False)
    assert {t.parameters["dual"]: bool(t.problem) for t in fitted.trials} == {True: True, False: False}


@pytest.mark.slow
def test_the_test_rows_are_not_read(tmp_path):
    path = dataset(tmp_path / "d.parquet")
    fitted = fit(one(), "it", path, tmp_path / "m.skops")
    assert fitted.rows == len(Dataset.open(path, "train", "validation"))
    assert fitted.labels["rows"] == 300


@pytest.mark.slow
def test_where_validation_rows_are_many_a_trial_is_fitted_on_the_training_rows_and_scored_on_those(tmp_path):
    parameters = {"max_depth": 12, "min_samples_leaf": 1, "max_features": "sqrt"}
    search = {name: [value] for name, value in parameters.items()}
    parsed, path = one(estimator="random_forest", search=search, search_rows=3_000), tmp_path / "d.parquet"
    dataset(path, rows=12_000)
    train, validation = Dataset.open(path, "train"), Dataset.open(path, "validation")
    train = train.sample(3_000, seed_of("digest", 0))
    model = build(parsed.candidates["it"], parsed, train.contract, len(train), parameters).fit(train.X, train.y)
    said = predictions(parsed.metric.needs, model, validation.X, train.contract.codes)
    (trial,) = tried(parsed, path)
    assert trial.score == pytest.approx(parsed.metric.score(validation.y, said, train.contract.codes))
    assert trial.score < 0.99, "rows that were learnt by heart would not tell the two apart"


def test_a_grid_that_is_not_larger_than_the_trials_is_tried_whole(tmp_path):
    alphas = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
    trials = tried(
        one("regression", "ridge", {"alpha": alphas}, trials=6), dataset(tmp_path / "d.parquet", "regression")
    )
    assert sorted(t.parameters["alpha"] for t in trials) == alphas
    assert {t.origin for t in trials} == {"grid"}


def test_of_a_grid_one_feature_and_all_of_them_are_two_values(tmp_path):
    parsed = one(estimator="decision_tree", search={"max_features": [1, 1.0]})
    first, second = sorted(tried(parsed, dataset(tmp_path / "d.parquet")), key=lambda t: str(t.parameters))
    assert (first.score != second.score, min(first.seconds, second.seconds) > 0) == (True, True)


@pytest.mark.parametrize(("champion", "first"), [
    ({"C": 0.02, "gone": 3}, ["champion", "defaults", "search"]), ({"C": 1.0}, ["champion", "search", "search"]),
    ({"C": 1e9}, ["defaults", "search", "search"]), ({}, ["defaults", "search", "search"]),
], ids=["another", "the defaults", "out of the range", "none"])  # fmt: skip
def test_the_champion_is_tried_first_and_then_the_estimator_as_it_comes(tmp_path, champion, first):
    trials = tried(one(trials=3), dataset(tmp_path / "d.parquet"), champion)
    assert [t.origin for t in trials] == first
    known = {"champion": champion.get("C"), "defaults": 1.0}
    assert all(t.parameters == {"C": known[t.origin]} for t in trials if t.origin in known)


@pytest.mark.slow
def test_a_range_is_searched_where_it_says(tmp_path):
    search = {"n_neighbors": {"low": 2, "high": 9}, "p": {"low": 1.0, "high": 3}, "weights": ["distance"]}
    trials = tried(one(estimator="nearest_neighbours", search=search, trials=12), dataset(tmp_path / "d.parquet"))
    found = [t.parameters for t in trials]
    assert all(isinstance(p["n_neighbors"], int) and 2 <= p["n_neighbors"] <= 9 for p in found)
    assert all(1 <= p["p"] <= 3 for p in found)
    assert {p["weights"] for p in found} == {"distance"}
    assert len({p["n_neighbors"] for p in found}) > 3


@pytest.mark.slow
def test_trials_that_are_far_behind_are_not_finished(tmp_path):
    parsed = one(search={"C": {"low": 1e-12, "high": 1.0, "log": True}}, metric="log_loss", trials=20)
    trials = tried(parsed, dataset(tmp_path / "d.parquet"))
    pruned = [t for t in trials if t.problem]
    assert 1 <= len(pruned) < len(trials) - 6
    assert all("behind the median" in t.problem and np.isnan(t.score) for t in pruned)
    assert max(t.parameters["C"] for t in trials if t.score == min(u.score for u in trials)) > 1e-3


@pytest.mark.slow
def test_a_search_that_brings_nothing_more_ends_and_fits_nothing_twice(tmp_path, monkeypatch):
    fits = []
    monkeypatch.setattr(trials_module, "build", lambda *a: fits.append(a[-1]) or build(*a))
    search = {"n_neighbors": {"low": 3, "high": 6}, "weights": ["uniform", "distance"]}
    trials = tried(one(estimator="nearest_neighbours", search=search, trials=60), dataset(tmp_path / "d.parquet"))
    best = max(range(len(trials)), key=lambda n: np.nan_to_num(trials[n].score, nan=-1.0))
    assert len(trials) == max(best, RANDOM_TRIALS) + PATIENCE + 1 < 60
    fitted = [tuple(sorted(parameters.items())) for parameters in fits if parameters]
    assert len(set(fitted)) < len(trials), "nothing was tried twice"
    assert max(fitted.count(one) for one in set(fitted)) == 5, "of one set, each of the five folds once"
    scores = {}
    for trial in trials:
        scores.setdefault(tuple(trial.parameters.values()), set()).add(str((trial.score, trial.problem)))
    assert all(len(found) == 1 for found in scores.values())


@pytest.mark.parametrize(("values", "value", "is_in"), [
    (Range(low=1, high=5), 5, True), (Range(low=1, high=5), 5.5, False), (Range(low=0, high=5), True, False),
    (("sqrt", 0.5), 0.5, True), (("sqrt", 0.5), "log2", False), ((0, 1), True, False), ((None, 3), None, True),
])  # fmt: skip
def test_whether_a_value_is_among_those_to_try(values, value, is_in):
    assert contains(values, value) is is_in


@pytest.mark.parametrize(("task", "name", "direction"), [
    ("binary", "logistic_regression", "maximize"), ("regression", "ridge", "minimize"),
])  # fmt: skip
def test_the_sampler_is_told_what_is_better(tmp_path, monkeypatch, task, name, direction):
    told = []
    create = optuna.create_study
    monkeypatch.setattr(optuna, "create_study", lambda **options: told.append(options) or create(**options))
    tried(one(task, name, trials=1), dataset(tmp_path / "d.parquet", task))
    assert [options["direction"] for options in told] == [direction]


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["accuracy_score", "f1_score"])
def test_a_metric_of_labels_is_taken_at_the_threshold_they_will_have(tmp_path, metric):
    parsed, path = one(metric=metric, search={"C": [0.001]}), dataset(tmp_path / "d.parquet")
    plan = plan_for(parsed, Dataset.open(path, "train", "validation"), seed_of("digest", 0))
    at_half = []
    for known, held_out in plan.steps:
        model = build(parsed.candidates["it"], parsed, plan.rows.contract, len(known), {"C": 0.001})
        model.fit(plan.rows.X.iloc[known], plan.rows.y[known])
        said = predictions("label", model, plan.rows.X.iloc[held_out], [0, 1])
        at_half.append(parsed.metric.score(plan.rows.y[held_out], said, [0, 1]))
    (trial,) = tried(parsed, path)
    assert trial.score > np.mean(at_half) + 0.02


@pytest.mark.parametrize(("search_rows", "pruned"), [(4_000, True), (3_000, False)])
def test_on_one_split_it_is_the_first_quarter_of_the_rows_that_tells(tmp_path, search_rows, pruned):
    search = {"C": {"low": 1e-12, "high": 1.0, "log": True}}
    parsed = one(search=search, metric="log_loss", trials=14, search_rows=search_rows)
    trials = tried(parsed, dataset(tmp_path / "d.parquet", rows=12_000))
    assert any(t.problem for t in trials) is pruned


# An estimator that is busy in compiled code for hours: a polynomial of noise that nothing separates.
ENDLESS = {"kernel": ["poly"], "degree": [9], "gamma": [50.0], "tol": [1e-12]}


@pytest.mark.slow
def test_a_trial_that_would_not_end_is_stopped(tmp_path):
    parsed = one(estimator="support_vectors", search={**ENDLESS, "C": [1e9]}, search_seconds=2.0)
    fitted = fit(parsed, "it", dataset(tmp_path / "d.parquet", rows=5_000, signal=0.0), tmp_path / "m.skops")
    assert fitted.failure.startswith("not one trial ended within half of training.search_seconds (2)")
    assert fitted.trials == ()


@thorough
def test_a_search_that_is_stopped_keeps_what_it_has(tmp_path):
    # A forest of five million trees never ends.
    search = {"n_estimators": [5, 5_000_000], "min_samples_leaf": {"low": 5, "high": 6}}
    parsed = one(estimator="random_forest", search=search, search_seconds=9.0, trials=300)
    path = dataset(tmp_path / "d.parquet", rows=1_500, signal=0.5)
    fitted = fit(parsed, "it", path, tmp_path / "m.skops", {"n_estimators": 5, "min_samples_leaf": 5})
    assert f"the search was stopped after {len(fitted.trials)} trials" in fitted.cut
    assert fitted.parameters in [t.parameters for t in fitted.trials]
    assert {t.parameters["n_estimators"] for t in fitted.trials} == {5}
    assert parse_model((tmp_path / "m.skops").read_bytes()).predict


@thorough
def test_a_final_fit_that_is_stopped_is_repeated_on_fewer_rows(tmp_path):
    search = {"C": [1e7], "gamma": [0.3], "tol": [1e-9]}
    parsed = one(estimator="support_vectors", search=search, search_seconds=12.0, search_rows=100)
    fitted = fit(parsed, "it", dataset(tmp_path / "d.parquet", rows=8_000, signal=0.2), tmp_path / "m.skops")
    assert fitted.failure == ""
    assert f"the fit on all rows was stopped, and repeated on {fitted.rows:,} rows" in fitted.cut
    assert fitted.rows <= 100
    assert parse_model((tmp_path / "m.skops").read_bytes()).predict


@pytest.mark.parametrize(("estimator", "most"), [("support_vectors", 10_000), ("nearest_neighbours", 20_000)])
def test_a_candidate_that_is_not_for_so_many_rows_says_so(tmp_path, estimator, most):
    path = dataset(tmp_path / "d.parquet", rows=most * 5 // 4 + 20)
    fitted = fit(one(estimator=estimator), "it", path, tmp_path / "m.skops")
    assert fitted.failure.startswith(
        f"{estimator} is for at most {most:,} rows to train on, and there are {most + 16:,}"
    )


@pytest.mark.parametrize(("error", "event"), [(ValueError, "failed"), (MemoryError, "failed"), (TypeError, "crashed")])
def test_how_a_process_ends_is_told(tmp_path, monkeypatch, capsys, error, event):
    def fails(*_):
        raise error("no\n " * 400)

    class Told:
        def __init__(self):
            self.lines = []

        def send_bytes(self, line):
            self.lines.append(json.loads(line))

    monkeypatch.setattr(worker, "fit_candidate", fails)
    told, job = (
        Told(),
        {"project": "", "candidate": "", "dataset": "", "model": "", "seed": 0, "start": {}, "seconds": 1},
    )
    worker.work(told, json.dumps(job))
    (ready, _), (ended, facts) = told.lines
    assert (ready, ended) == ("ready", event)
    if event == "failed":
        assert facts["reason"] == ("no " * 400)[:500]
    else:
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "says"), [
    (-signal.SIGKILL, "want of memory"), (-signal.SIGSEGV, "died of signal 11"), (3, "ended with code 3"),
])  # fmt: skip
def test_how_a_process_died_is_said(code, says):
    assert says in death(code)


@thorough
def test_a_temporary_folder_with_a_long_name_stops_nothing(tmp_path):
    """The address of a socket holds a hundred characters; of two threads one may hold a lock, so nothing is forked."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    code = "import threading; threading.Timer(60, int).start(); from ciclo.components.training import children; "
    code += "import os; print(children.context_for(print).get_start_method(), flush=True); os._exit(0)"
    env = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "spawn"
