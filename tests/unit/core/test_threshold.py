"""The label's threshold: chosen where errors cost least, and one and the same for whoever asks."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier

from ciclo.components.answering.engine import Engine
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import ProjectError
from ciclo.components.core.metrics import METRICS, labels_of, predictions, threshold_of
from ciclo.components.core.sections import Costs
from ciclo.components.core.threshold import Rule, choose_threshold
from tests.tables import project

F1 = Rule("f1_score")
DEAR = Costs(false_positive=1, false_negative=5)
RULES = [F1, Rule("accuracy_score"), Rule("balanced_accuracy_score"), Rule("costs", DEAR)]


def worth(rule: Rule, positive, labels) -> float:
    """How good labels are, by the definition and not by counts at every threshold."""
    if rule.costs is not None:
        alarms, misses = (labels & ~positive).sum(), (positive & ~labels).sum()
        return -(rule.costs.false_positive * alarms + rule.costs.false_negative * misses)
    return METRICS[rule.by].score(positive.astype(int), labels.astype(int), [0, 1])


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.by)
@given(rows=st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.4, 0.5, 0.8, 1.0])), min_size=2))
@example(rows=[(True, 0.5), (False, 0.8), (False, 0.8), (False, 1.0), (False, 0.1)])
@example(rows=[(False, 0.5), (True, 0.4), (True, 0.25), (True, 0.1), (True, 0.8)])
def test_no_threshold_is_worth_more(rule, rows):
    positive, probability = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    if rule.by in ("balanced_accuracy_score", "f1_score") and positive.all() | ~positive.any():
        return  # what is not defined has no best
    chosen = choose_threshold(positive, probability, rule)
    best = max(worth(rule, positive, probability >= t) for t in (*np.unique(probability), 2.0))
    assert worth(rule, positive, probability >= chosen) == pytest.approx(best)


@pytest.mark.parametrize(("false_positive", "false_negative"), [(1, 1), (1, 4), (9, 1)])
def test_of_true_probabilities_the_costs_say_where(false_positive, false_negative):
    """Elkan, The Foundations of Cost-Sensitive Learning, 2001: c_fp / (c_fp + c_fn)."""
    rng = np.random.default_rng(0)
    probability = rng.random(200_000)
    positive = rng.random(200_000) < probability
    costs = Costs(false_positive=false_positive, false_negative=false_negative)
    chosen = choose_threshold(positive, probability, Rule.of(METRICS["roc_auc_score"], costs))
    assert chosen == pytest.approx(false_positive / (false_positive + false_negative), abs=0.03)


def test_of_equal_thresholds_the_one_nearest_to_one_half_is_taken():
    positive, probability = np.array([False, True, False, True]), np.array([0.1, 0.3, 0.6, 0.9])
    assert choose_threshold(positive, probability, Rule("accuracy_score")) == pytest.approx(0.75)
    assert choose_threshold(positive, 1 - probability[::-1], Rule("accuracy_score")) == pytest.approx(0.25)


@pytest.mark.parametrize(("metric", "by"), [
    ("roc_auc_score", "f1_score"), ("log_loss", "f1_score"), ("accuracy_score", "accuracy_score"),
    ("balanced_accuracy_score", "balanced_accuracy_score"), ("f1_score", "f1_score"),
])  # fmt: skip
def test_without_costs_the_metric_says_or_f1(metric, by):
    assert Rule.of(METRICS[metric], None) == Rule(by)
    assert Rule.of(METRICS[metric], Costs(false_positive=2, false_negative=1)).by == "costs"


def test_what_is_tested_is_what_is_served_and_what_the_model_says_itself():
    """Rows exactly on the threshold too."""
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 4, (400, 5)).astype(float)
    y = (frame[:, 0] + rng.normal(size=400) > 2).astype(int)
    plain = LogisticRegression().fit(frame, y)
    on_it = float(plain.predict_proba(frame)[7, 1])
    options = {"threshold": on_it, "pos_label": 1, "response_method": "predict_proba"}
    model = FixedThresholdClassifier(LogisticRegression(), **options).fit(frame, y)
    contract = Contract.of(project(), ("false", "true"))
    served = [answer["prediction"] for answer in Engine(model, contract).predict(frame)]
    tested = predictions("label", model, frame, [0, 1])
    assert served == [bool(code) for code in tested] == [bool(code) for code in model.predict(frame)]
    assert served[7]
    assert served != [bool(code) for code in plain.predict(frame)]


@pytest.mark.parametrize(("probability", "threshold", "label"), [
    ([0.5, 0.5], None, 0), ([0.4, 0.6], None, 1), ([0.7, 0.3], 0.3, 1), ([0.7, 0.3], 0.31, 0), ([0.2, 0.8], 1.5, 0),
    ([0.2, 0.3, 0.5], 0.1, 2),
])  # fmt: skip
def test_labels(probability, threshold, label):
    model = FixedThresholdClassifier(LogisticRegression(), threshold="auto" if threshold is None else threshold)
    assert threshold_of(model) == threshold
    assert labels_of(model, np.array([probability])).tolist() == [label]


@pytest.mark.parametrize(("task", "costs", "says"), [
    ("binary", {"false_positive": 0, "false_negative": 1}, "greater than 0"),
    ("binary", {"false_positive": 1}, "evaluation.costs.false_negative: missing"),
    ("regression", {"false_positive": 1, "false_negative": 1}, "binary task, and this one is regression"),
    ("multiclass", {"false_positive": 1, "false_negative": 1}, "binary task, and this one is multiclass"),
])  # fmt: skip
def test_costs_are_positive_and_of_a_binary_task(task, costs, says):
    with pytest.raises(ProjectError, match=says):
        project(task, evaluation={"costs": costs})
