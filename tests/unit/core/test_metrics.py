import numpy as np
import pytest
from sklearn import metrics as sk

from ciclo.components.core.intervals import gain_interval, score_interval
from ciclo.components.core.metrics import METRICS

RNG = np.random.default_rng(0)
OPTIONS = {"confidence": 0.95, "resamples": 200, "seed": 0}


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_gain_is_positive_for_the_better_model_whatever_the_direction(metric):
    good, bad = (0.9, 0.1) if metric.greater_is_better else (0.1, 0.9)
    assert metric.gain(good, bad) > 0 > metric.gain(bad, good)
    assert metric.gain(good, good) == 0


def test_a_perfect_model_scores_best_on_every_metric():
    labels = RNG.integers(0, 2, 200)
    for metric in METRICS.values():
        classes = [] if metric.needs == "value" else [0, 1]
        probability = np.column_stack([1 - labels, labels]).astype(float)
        perfect = probability if metric.needs == "probability" else labels
        wrong = probability[:, ::-1] if metric.needs == "probability" else 1 - labels
        assert metric.gain(metric.score(labels, perfect, classes), metric.score(labels, wrong, classes)) > 0, (
            metric.name
        )


def test_auc_of_one_class_is_not_a_number():
    one_class = METRICS["roc_auc_score"].score(np.ones(5), np.full((5, 2), 0.5), [0, 1])
    assert np.isnan(one_class)


def noisy(y, strength):
    score = 1 / (1 + np.exp(-(strength * (y - 0.5) + RNG.normal(size=y.size))))
    return np.column_stack([1 - score, score.round(2)])


def test_the_quick_auc_of_a_draw_is_that_of_scikit_learn():
    y, metric = RNG.integers(0, 2, 300), METRICS["roc_auc_score"]
    said = noisy(y, 1.0)
    interval = score_interval(metric, y, said, [0, 1], **OPTIONS)
    draws = np.random.default_rng(0)
    rows = [draws.integers(0, 300, 300) for _ in range(200)]
    slow = [sk.roc_auc_score(y[r], said[r, 1]) for r in rows]
    assert interval.point == pytest.approx(sk.roc_auc_score(y, said[:, 1]), abs=1e-12)
    assert (interval.low, interval.high) == pytest.approx(np.quantile(slow, [0.05, 0.95]), abs=1e-12)


def test_an_equal_model_is_rarely_called_better_and_a_better_one_usually_is():
    metric = METRICS["roc_auc_score"]
    called = {"equal": 0, "better": 0}
    for _ in range(60):
        y = RNG.integers(0, 2, 2000)
        champion = noisy(y, 1.0)
        for name, strength in (("equal", 1.0), ("better", 1.4)):
            challenger = noisy(y, strength)
            called[name] += gain_interval(metric, y, challenger, champion, [0, 1], **OPTIONS).low > 0
    assert called["equal"] <= 10
    assert called["better"] >= 57
