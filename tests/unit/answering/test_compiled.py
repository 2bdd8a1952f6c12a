"""Every built-in candidate compiles and answers as it did; what does not answer exactly alike is not used."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

from ciclo.components.answering import compiled as compiling
from ciclo.components.answering.compiled import CompiledModel, Parity, engine_of, parity
from ciclo.components.answering.engine import Engine, first_difference
from ciclo.components.answering.estimators import compiled_estimator
from ciclo.components.answering.generated import UNSEEN, generated_rows
from ciclo.components.answering.preparing import NotCompiledError
from ciclo.components.core.contract import Contract
from ciclo.components.core.sections import Candidate
from ciclo.components.tables.datasets import Dataset
from ciclo.components.training.candidates import build
from ciclo.components.training.labels import Labels, fit_model
from tests.depth import some, thorough
from tests.recipes import TASK_ESTIMATORS
from tests.tables import dataset, project, table

CLASSES = {"binary": ("false", "true"), "multiclass": ("low", "mid", "high"), "regression": ()}


def fitted(task, estimator, parameters=None, data=None):
    charter, data = project(task), table(500, task=task) if data is None else data
    contract = Contract.of(charter, CLASSES[task])
    model = build(Candidate(estimator=estimator), charter, contract, len(data), parameters or {})
    return model.fit(contract.frame(data), contract.encode(data["y"])), contract, contract.frame(data)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "estimator"), some(TASK_ESTIMATORS, 5))
def test_every_built_in_candidate_compiles_exactly(task, estimator):
    model, contract, X = fitted(task, estimator)
    found = parity(model, contract, X, seed=1)
    assert (found.engine, found.why, found.rows) == ("compiled", "", 20_000)
    asked = generated_rows(contract, X, 500, seed=2)
    ours, theirs = engine_of(model, contract, found).predict(asked), Engine(model, contract).predict(asked)
    assert first_difference(theirs, ours) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "estimator"), some([*product(CLASSES, ["gradient_boosting", "random_forest", "decision_tree"])], 4)
)
def test_trees_learn_where_a_column_has_not_one_value_and_compile(task, estimator):
    model, contract, X = fitted(task, estimator, data=table(500, task=task).assign(noise=np.nan))
    assert parity(model, contract, X, seed=1).why == ""
    blank, filled = (Engine(model, contract).predict(X.assign(noise=value)) for value in (np.nan, 7.0))
    assert first_difference(blank, filled) is None, "nothing could be learnt of it"
    some = X.assign(size=np.nan)
    assert first_difference(Engine(model, contract).predict(some), blank) is not None


@thorough
def test_neighbours_are_the_same_where_the_features_were_sparse():
    data = table(3_000).assign(colour=[f"level {n % 40}" for n in range(3_000)])
    model, contract, X = fitted("binary", "nearest_neighbours", data=data)
    assert model.named_steps["preprocess"].sparse_output_
    assert parity(model, contract, X, seed=1).why == ""


VARIANTS = [
    ("binary", "logistic_regression", {"solver": "liblinear"}),
    ("regression", "gradient_boosting", {"loss": "poisson"}),
    ("regression", "gradient_boosting", {"loss": "quantile", "quantile": 0.9}),
    ("multiclass", "gradient_boosting", {"max_iter": 3}),
    ("binary", "random_forest", {"n_estimators": 1, "max_depth": 1}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "estimator", "parameters"), some(VARIANTS))
def test_parameters_that_change_how_answers_are_made(task, estimator, parameters):
    data = table(500, task=task)
    if parameters.get("loss") == "poisson":
        data["y"] = np.exp(data["y"] / 3)
    model, contract, X = fitted(task, estimator, parameters, data)
    assert parity(model, contract, X, seed=1).why == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("calibration", "estimator"),
    some(
        [
            *product(
                ["none", "sigmoid", "isotonic"],
                ["logistic_regression", "gradient_boosting", "random_forest", "support_vectors"],
            )
        ]
    ),
)
def test_a_calibration_and_a_threshold_are_compiled_with_it(tmp_path, estimator, calibration):
    rows = Dataset.open(dataset(tmp_path / "rows.parquet", rows=400))
    labels, charter = Labels(calibration=calibration, threshold=0.3), project("binary")
    model = fit_model(charter, Candidate(estimator=estimator), rows, {}, labels, seed=0)
    found = parity(model, rows.contract, rows.X, seed=1)
    assert (found.engine, found.why) == ("compiled", "")
    compiled = CompiledModel(model)
    assert (compiled.predict(rows.X) == model.predict(rows.X)).all()
    assert ((model.predict_proba(rows.X)[:, 1] > 0.3) & (model.predict_proba(rows.X)[:, 1] < 0.5)).sum() > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "calibration"),
    [
        *((name, "temperature") for name in some([name for task, name in TASK_ESTIMATORS if task == "multiclass"])),
        ("logistic_regression", "sigmoid"),
        ("extra_trees", "sigmoid"),
    ],
)
def test_a_calibration_of_many_classes(tmp_path, estimator, calibration):
    rows = Dataset.open(dataset(tmp_path / "rows.parquet", "multiclass", rows=400))
    small = {"gradient_boosting": {"max_iter": 20}}.get(estimator, {})
    labels = Labels(calibration=calibration)
    model = fit_model(project("multiclass"), Candidate(estimator=estimator), rows, small, labels, seed=0)
    found = parity(model, rows.contract, rows.X, seed=1)
    assert (found.engine, found.why) == ("compiled", "")


ODD_TABLES = {
    "nothing missing": lambda plain: plain.dropna(),
    "an empty category": lambda plain: plain.assign(colour=pd.Series([None] * 500, dtype=object)),
    "one level": lambda plain: plain.assign(colour="red"),
    "more levels than are kept": lambda plain: plain.assign(colour=[f"level {n % 300}" for n in range(500)]),
    "two rows' worth of values": lambda plain: plain.assign(size=1.5, count=3),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "estimator"),
    some([*product(ODD_TABLES, ["logistic_regression", "gradient_boosting", "random_forest"])], 2),
)
def test_odd_tables(name, estimator):
    model, contract, X = fitted("binary", estimator, data=ODD_TABLES[name](table(500)))
    assert parity(model, contract, X, seed=1).why == ""


def test_what_has_no_compiled_form_answers_itself_and_says_why():
    model, contract, X = fitted("binary", "logistic_regression")
    number = model.named_steps["preprocess"].named_transformers_["numbers"]
    number.steps[1] = ("scale", MinMaxScaler().fit(np.nan_to_num(X[["size", "count", "open", "noise"]])))
    assert parity(model, contract, X, seed=1) == Parity(why="what MinMaxScaler does to numbers has no compiled form")
    with pytest.raises(NotCompiledError, match="Pipeline of other steps"):
        CompiledModel(Pipeline([("model", FunctionTransformer())]))


@pytest.mark.parametrize("harm", ["label", "value", "crash"])
def test_a_compiled_form_that_answers_otherwise_is_not_used(monkeypatch, harm):
    model, contract, X = fitted("binary", "logistic_regression")

    class Harmed(CompiledModel):
        def predict_proba(self, X):
            found = super().predict_proba(X)
            if harm == "crash":
                raise MemoryError("no room")
            if harm == "value":
                found[7] += (2e-9, -2e-9)
            else:
                found[7] = found[7, ::-1]
            return found

    monkeypatch.setattr(compiling, "CompiledModel", Harmed)
    found = parity(model, contract, X, seed=1)
    assert found.engine == "fitted"
    assert {"label": "1 other label,", "value": "2e-09", "crash": "MemoryError"}[harm] in found.why
    assert isinstance(engine_of(model, contract, found)._model, Pipeline)


@pytest.mark.slow
def test_a_label_that_flips_on_the_threshold_is_enough_however_near_the_probabilities_are(monkeypatch, tmp_path):
    rows = Dataset.open(dataset(tmp_path / "rows.parquet", rows=400))
    candidate = Candidate(estimator="decision_tree")
    plain = fit_model(project("binary"), candidate, rows, {"max_leaf_nodes": 8}, Labels(threshold=0.5), seed=0)
    on_it = float(np.median(plain.predict_proba(rows.X)[:, 1]))
    model = fit_model(project("binary"), candidate, rows, {"max_leaf_nodes": 8}, Labels(threshold=on_it), seed=0)
    assert parity(model, rows.contract, rows.X, seed=1).engine == "compiled"

    class Lower(CompiledModel):
        def predict_proba(self, X):
            return super().predict_proba(X) + np.array([1e-12, -1e-12])

    monkeypatch.setattr(compiling, "CompiledModel", Lower)
    found = parity(model, rows.contract, rows.X, seed=1)
    assert (found.engine, found.largest_difference < compiling.EXACT) == ("fitted", True)
    assert "other labels" in found.why


def test_what_is_generated_holds_what_models_are_rarely_asked():
    _, contract, X = fitted("binary", "logistic_regression")
    rows = generated_rows(contract, X, 2_000, seed=3)
    assert list(rows) == contract.names
    assert set(UNSEEN) < set(rows["colour"].dropna())
    for name in contract.names:
        assert 0.1 < rows[name].isna().mean() < 0.35
    assert rows["size"].abs().max() == 1e30
    known = np.unique(X["size"].dropna())
    assert np.isin(rows["size"], known[1:] / 2 + known[:-1] / 2).mean() > 0.05


def test_trees_are_asked_in_the_precision_they_split_in():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    model = HistGradientBoostingRegressor(max_iter=5).fit(X, X[:, 0])
    split = model._predictors[0][0].nodes[0]["num_threshold"]
    asked = np.array([[np.nextafter(split, s), np.nextafter(split, s)] for s in (-np.inf, np.inf)] + [[split, split]])
    np.testing.assert_allclose(compiled_estimator(model).predict(asked), model.predict(asked), rtol=0, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["logistic_regression", "nearest_neighbours"])
def test_what_comes_round_is_compiled(estimator):
    charter, data = project("binary"), table(500)
    contract = Contract.of(charter, CLASSES["binary"])
    columns = tuple(c.model_copy(update={"cycle": 7.0}) if c.name == "count" else c for c in contract.columns)
    contract = contract.model_copy(update={"columns": columns})
    model = build(Candidate(estimator=estimator), charter, contract, len(data), {})
    model.fit(contract.frame(data), contract.encode(data["y"]))
    assert len(model.named_steps["preprocess"].transformers_) == 3
    assert parity(model, contract, contract.frame(data), seed=1).why == ""
