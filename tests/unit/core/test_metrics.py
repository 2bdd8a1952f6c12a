import numpy as np
import pytest

from ciclo.components.core.metrics import METRICS

RNG = np.random.default_rng(0)


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
