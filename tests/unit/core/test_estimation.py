"""Performance without labels: right under another mix of cases, blind to another relation, silent if it cannot tell."""

import numpy as np
import pytest

from ciclo.components.core.estimation import LEAST_ROWS, Estimation
from ciclo.components.core.metrics import METRICS

AUC, LOSS = METRICS["roc_auc_score"], METRICS["log_loss"]


def cases(rng, rows, spread=1.5, middle=0.0, confidence=1.0):
    """Log-odds of some spread, their outcomes, and what a model answers that is too sure by a factor."""
    odds = rng.normal(middle, spread, rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    positive = 1 / (1 + np.exp(-confidence * odds))
    return y, np.column_stack([1 - positive, positive])


@pytest.mark.slow
@pytest.mark.parametrize(
    "metric", ["roc_auc_score", "log_loss", "accuracy_score", "average_precision_score", "f1_score"]
)
@pytest.mark.parametrize("spread", [0.7, 1.5])
def test_the_score_of_another_mix_of_cases_is_told_from_the_answers(metric, spread):
    rng, metric = np.random.default_rng(0), METRICS[metric]
    known = Estimation.of(metric, *cases(rng, 6_000, confidence=1.6))
    y, answers = cases(rng, 6_000, spread, middle=-0.5, confidence=1.6)
    given = answers if metric.needs == "probability" else answers.argmax(axis=1)
    found = known.score(metric, answers)
    assert found.point == pytest.approx(metric.score(y, given, [0, 1]), abs=0.03)
    assert 0.01 < found.high - found.low < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.1, 0.8])
@pytest.mark.parametrize("metric", ["accuracy_score", "f1_score"])
def test_labels_are_those_of_the_threshold_of_the_model(metric, threshold):
    rng, metric = np.random.default_rng(0), METRICS[metric]
    known = Estimation.of(metric, *cases(rng, 6_000, confidence=1.2), threshold)
    y, answers = cases(rng, 6_000, confidence=1.2)
    given = metric.score(y, (answers[:, 1] >= threshold).astype(int), [0, 1])
    assert known.score(metric, answers).point == pytest.approx(given, abs=0.03)
    assert abs(given - metric.score(y, answers.argmax(axis=1), [0, 1])) > 0.02


@pytest.mark.slow
def test_a_model_that_is_too_sure_is_calibrated_first():
    rng = np.random.default_rng(1)
    known = Estimation.of(AUC, *cases(rng, 20_000, confidence=2.0))
    assert known.slope == pytest.approx(0.5, abs=0.03)
    assert known.reference == pytest.approx(AUC.score(*cases(rng, 20_000, confidence=2.0), [0, 1]), abs=0.01)


@pytest.mark.slow
def test_it_is_blind_where_the_relation_to_the_target_turned():
    rng = np.random.default_rng(2)
    known = Estimation.of(AUC, *cases(rng, 5_000))
    y, answers = cases(rng, 5_000)
    assert AUC.score(1 - y, answers, [0, 1]) < 0.3
    assert known.score(AUC, answers).point > 0.75


@pytest.mark.slow
def test_many_classes():
    rng = np.random.default_rng(3)

    def drawn(rows, sharpness):
        raw = np.exp(sharpness * rng.normal(size=(rows, 3)))
        answers = raw / raw.sum(axis=1, keepdims=True)
        return (rng.random(rows)[:, None] > answers.cumsum(axis=1)[:, :-1]).sum(axis=1), answers

    known = Estimation.of(LOSS, *drawn(5_000, 1.5))
    y, answers = drawn(5_000, 0.5)
    found = known.score(LOSS, answers)
    assert found.low <= LOSS.score(y, answers, [0, 1, 2]) <= found.high
    assert known.reference < 0.8 < found.point


@pytest.mark.parametrize("name", ["root_mean_squared_error", "mean_absolute_error", "r2_score"])
def test_errors_of_values_are_told_from_where_the_values_lie(name):
    rng, metric = np.random.default_rng(4), METRICS[name]

    def drawn(rows, middle):
        answers = rng.uniform(0, 10, rows) if middle is None else rng.normal(middle, 1, rows)
        return answers + (0.2 + 0.3 * np.clip(answers, 0, None)) * rng.normal(size=rows), answers

    known = Estimation.of(metric, *drawn(8_000, None))
    easy, hard = (known.score(metric, drawn(4_000, middle)[1]) for middle in (2, 8))
    assert metric.gain(easy.point, hard.point) > 0
    for middle in (2, 8):
        y, answers = drawn(20_000, middle)
        assert known.score(metric, answers).point == pytest.approx(metric.score(y, answers, []), rel=0.2)


def test_what_cannot_be_told_is_not():
    rng = np.random.default_rng(5)
    assert Estimation.of(AUC, *cases(rng, LEAST_ROWS - 1)) is None
    assert Estimation.of(AUC, rng.integers(0, 2, 500), np.full((500, 2), np.nan)) is None
    y, answers = cases(rng, 500)
    known = Estimation.of(AUC, y, answers)
    assert known.score(AUC, np.column_stack([np.ones(50), np.zeros(50)])) is None
    assert Estimation.model_validate_json(known.model_dump_json()) == known
