import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from ciclo.components.core.calibration import Reliability, class_losses, row_losses


def rows(slope: float, count: int = 50_000):
    rng = np.random.default_rng(0)
    score = rng.normal(size=count)
    return rng.random(count) < 1 / (1 + np.exp(-score)), 1 / (1 + np.exp(-slope * score))


def test_true_probabilities_lie_on_the_diagonal():
    found = Reliability.of(*rows(1.0))
    assert found.ece < 0.01
    np.testing.assert_allclose(found.predicted, found.observed, atol=0.02)
    assert sum(found.rows) == 50_000
    assert len(found.rows) == 10


def test_overconfidence_is_seen():
    true, sure = Reliability.of(*rows(1.0)), Reliability.of(*rows(3.0))
    assert sure.ece > 0.1
    assert (sure.brier, sure.log_loss) > (true.brier, true.log_loss)
    assert sure.predicted[0] < sure.observed[0] < sure.observed[-1] < sure.predicted[-1]


def test_the_summaries_are_those_of_scikit_learn():
    y, p = rows(0.5, 500)
    found = Reliability.of(y, p)
    assert found.brier == pytest.approx(brier_score_loss(y, p))
    assert found.log_loss == pytest.approx(log_loss(y, p)) == pytest.approx(row_losses(y, p).mean())


@pytest.mark.parametrize("p", [np.full(20, 0.3), np.array([0.0] * 10 + [1.0] * 10)], ids=["one value", "certainty"])
def test_few_values_give_few_bins_and_no_number_that_is_not_one(p):
    found = Reliability.of(np.arange(20) % 2, p)
    assert sum(found.rows) == 20
    assert len(found.rows) == len(np.unique(p))
    assert np.isfinite([found.brier, found.log_loss, found.ece]).all()


def of_classes(slope: float, count: int = 50_000):
    """Three classes drawn from the probabilities that the slope 1 gives."""
    rng = np.random.default_rng(0)
    score = 1.5 * rng.normal(size=(count, 3))
    true, said = (np.exp(s * score) / np.exp(s * score).sum(axis=1, keepdims=True) for s in (1.0, slope))
    return (rng.random((count, 1)) > true.cumsum(axis=1)).sum(axis=1), said


def test_the_label_of_many_classes_is_held_to_its_probability():
    true, sure = Reliability.of_classes(*of_classes(1.0)), Reliability.of_classes(*of_classes(3.0))
    assert true.ece < 0.01 < 0.1 < sure.ece
    np.testing.assert_allclose(true.predicted, true.observed, atol=0.02)
    assert all(predicted > observed for predicted, observed in zip(sure.predicted, sure.observed, strict=True))
    assert (sure.brier, sure.log_loss) > (true.brier, true.log_loss)
    assert sum(true.rows) == 50_000


def test_the_summaries_of_many_classes_are_those_of_scikit_learn():
    y, p = of_classes(0.5, 500)
    found = Reliability.of_classes(y, p)
    assert found.log_loss == pytest.approx(log_loss(y, p)) == pytest.approx(class_losses(y, p).mean())
    assert found.brier == pytest.approx(brier_score_loss(y, p, scale_by_half=False))
