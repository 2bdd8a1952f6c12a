import json

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import FixedThresholdClassifier

from ciclo.components.answering.engine import Engine, first_difference
from ciclo.components.core.contract import Contract
from ciclo.components.training.candidates import build
from tests.tables import project, table

CLASSES = {"binary": ("false", "true"), "multiclass": ("low", "mid", "high"), "regression": ()}


def fitted(task, estimator):
    charter, data = project(task), table(300, task=task)
    contract = Contract.of(charter, CLASSES[task])
    model = build(charter.candidates[estimator], charter, contract, len(data), {})
    return model.fit(contract.frame(data), contract.encode(data["y"])), contract, contract.frame(data)


def test_binary_answers_are_booleans_with_the_probability_of_true():
    model, contract, X = fitted("binary", "logistic_regression")
    answers = Engine(model, contract).predict(X)
    assert [a["prediction"] for a in answers] == [bool(code) for code in model.predict(X)]
    np.testing.assert_array_equal([a["probability"] for a in answers], model.predict_proba(X)[:, 1])


def test_multiclass_answers_are_labels_with_their_own_probability():
    model, contract, X = fitted("multiclass", "logistic_regression")
    answers = Engine(model, contract).predict(X)
    assert [a["prediction"] for a in answers] == [CLASSES["multiclass"][code] for code in model.predict(X)]
    np.testing.assert_array_equal([a["probability"] for a in answers], model.predict_proba(X).max(axis=1))
    assert {tuple(a["probabilities"]) for a in answers} == {contract.classes}
    np.testing.assert_array_equal([list(a["probabilities"].values()) for a in answers], model.predict_proba(X))


@pytest.mark.parametrize(("task", "estimator"), [("binary", "random_forest"), ("regression", "elastic_net")])
def test_only_many_classes_are_answered_with_the_probability_of_each(task, estimator):
    model, contract, X = fitted(task, estimator)
    assert {tuple(a) for a in Engine(model, contract).predict(X)} == {("prediction", "probability")}


def test_regression_answers_are_numbers_without_probability():
    model, contract, X = fitted("regression", "elastic_net")
    answers = Engine(model, contract).predict(X)
    np.testing.assert_array_equal([a["prediction"] for a in answers], model.predict(X))
    assert {a["probability"] for a in answers} == {None}


@pytest.mark.parametrize("task", CLASSES)
def test_answers_survive_json(task):
    model, contract, X = fitted(task, "random_forest")
    answers = Engine(model, contract).predict(X.head(20))
    assert json.loads(json.dumps(answers, allow_nan=False)) == answers


def test_a_class_the_model_never_saw_keeps_the_labels_in_place():
    contract = Contract.of(project("multiclass"), CLASSES["multiclass"])
    X = np.arange(20.0).reshape(-1, 1)
    model = RandomForestClassifier(5, random_state=0).fit(X, np.where(X[:, 0] < 10, 0, 2))
    answers = Engine(model, contract).predict(X)
    assert {answers[0]["prediction"], answers[-1]["prediction"]} == {"low", "high"}
    assert {a["probabilities"]["mid"] for a in answers} == {0.0}


@pytest.mark.slow
def test_the_model_runs_on_one_thread_however_it_is_wrapped():
    model, contract, X = fitted("binary", "random_forest")
    inner = model.set_params(model__n_jobs=-1)
    y = model.predict(X)
    wrapped = FixedThresholdClassifier(CalibratedClassifierCV(inner, ensemble=False, cv=2), threshold=0.4).fit(X, y)
    (calibrated,) = wrapped.estimator_.calibrated_classifiers_
    assert calibrated.estimator["model"].n_jobs == -1
    for asked in (model, wrapped):
        Engine(asked, contract)
    assert model["model"].n_jobs == calibrated.estimator["model"].n_jobs == 1


def test_an_answer_that_is_no_number_is_a_fault():
    model, contract, X = fitted("regression", "elastic_net")
    model["model"].coef_[:] = np.nan
    with pytest.raises(ArithmeticError, match="finite"):
        Engine(model, contract).predict(X)


def one(prediction, probability=None):
    return [{"prediction": prediction, "probability": probability}]


def each(**probabilities):
    return [{**one("a", 0.7)[0], "probabilities": probabilities}]


@pytest.mark.parametrize(
    ("expected", "given", "same"),
    [
        pytest.param(one(True, 0.7), one(True, 0.7), True, id="equal"),
        pytest.param(one(True, 0.7), one(True, 0.7 + 9e-7), True, id="probability-within"),
        pytest.param(one(True, 0.7), one(True, 0.7 + 2e-6), False, id="probability-beyond"),
        pytest.param(one(True, 0.5), one(False, 0.5), False, id="another-label"),
        pytest.param(one("a", 0.5), one("b", 0.5), False, id="another-text"),
        pytest.param(one(True, 0.5), one(1, 0.5), False, id="a-number-for-a-boolean"),
        pytest.param(one(1.0), one(True), False, id="a-boolean-for-a-number"),
        pytest.param(one("1"), one(1.0), False, id="a-number-for-text"),
        pytest.param(one(1e6), one(1e6 + 0.5), True, id="value-relatively-within"),
        pytest.param(one(1e6), one(1e6 + 2), False, id="value-relatively-beyond"),
        pytest.param(one(0.0), one(1e-9), True, id="around-zero"),
        pytest.param(one(2.0), one(None), False, id="nothing"),
        pytest.param(one(2.0), one(float("nan")), False, id="nan"),
        pytest.param(one(True, 0.7), one(True), False, id="no-probability"),
        pytest.param(one(2.0), one(2.0, 0.5), False, id="a-probability-too-many"),
        pytest.param(each(a=0.7, b=0.3), each(b=0.3, a=0.7 + 9e-7), True, id="every-probability-within"),
        pytest.param(each(a=0.7, b=0.3), each(a=0.7, b=0.3 + 2e-6), False, id="one-of-every-probability-beyond"),
        pytest.param(each(a=0.7, b=0.3), each(a=0.7, c=0.3), False, id="another-class"),
        pytest.param(each(a=0.7, b=0.3), one("a", 0.7), False, id="not-of-every-class"),
        pytest.param(one("a", 0.7), each(a=0.7, b=0.3), True, id="published-before-there-was-one-of-every-class"),
        pytest.param(one(True, 0.7), [], False, id="too-few"),
        pytest.param(one(True, 0.7), one(True, 0.7) * 2, False, id="too-many"),
    ],
)
def test_golden_answers_are_compared(expected, given, same):
    assert (first_difference(expected, given) is None) == same


def test_the_difference_names_the_row():
    expected = [*one(True, 0.1), *one(True, 0.2)]
    given = [*one(True, 0.1), *one(True, 0.3)]
    assert first_difference(expected, given) == "row 1: probability 0.3 instead of 0.2"
