"""The pictures of a card show what scikit-learn computes, thinned out, and survive what can happen."""

import numpy as np
import pytest
from kfp import dsl
from sklearn.metrics import auc, confusion_matrix

from ciclo.components.core.calibration import Reliability
from ciclo.components.core.plots import Plot
from ciclo.components.core.report import Document, Section, Table
from ciclo.components.evaluation.curves import Answered, confusion, log_pictures, roc_points, sections_of


def answered(classes, rows=2_000, threshold=None, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(classes), rows)
    scores = rng.random((rows, len(classes))) + np.eye(len(classes))[y] * 0.7
    probability = scores / scores.sum(axis=1, keepdims=True)
    labels = probability.argmax(axis=1) if threshold is None else (probability[:, 1] >= threshold).astype(int)
    return Answered(y, probability, labels, tuple(classes), threshold)


def plots(sections):
    return {p.title: p for s in sections for p in s.parts if isinstance(p, Plot)}


def tables(sections):
    return Document(title="card", sections=tuple(sections)).tables()


def test_two_classes():
    found = answered(["no", "yes"], threshold=0.6)
    sections = sections_of(found)
    assert [s.title for s in sections] == ["Curves", "Confusion matrix", "Calibration"]
    drawn = plots(sections)
    roc = next(c for c in drawn["ROC"].curves if c.name == "yes")
    x, y = zip(*roc.points, strict=True)
    assert auc(x, y) == pytest.approx(auc(*roc_points(found.y == 1, found.predicted[:, 1], 10**6)[:2]), abs=2e-3)
    assert len(roc.points) <= 150
    (point,) = next(c for c in drawn["ROC"].curves if c.dots).points
    cells = confusion_matrix(found.y, found.labels)
    assert point == (cells[0, 1] / cells[0].sum(), cells[1, 1] / cells[1].sum())
    assert (confusion(found) == cells).all()
    matrix = tables(sections)["Confusion matrix"]
    assert matrix["yes: labelled no"] == cells[1, 0]
    assert set(tables(sections)["Calibration"]) == {"Brier score", "log loss", "expected calibration error"}


def test_many_classes_show_what_is_confused_most():
    names = [f"class {n}" for n in range(20)]
    found = answered(names)
    sections = sections_of(found)
    assert [s.title for s in sections] == ["Curves", "Confusion matrix", "Calibration"]
    seen = Reliability.of_classes(found.y, found.predicted)
    assert tables(sections)["Calibration"] == {
        "Brier score": seen.brier, "log loss": seen.log_loss, "expected calibration error": seen.ece
    }  # fmt: skip
    drawn = plots(sections)["Calibration on the test rows"]
    assert (drawn.x, drawn.y) == ("probability of the label", "share of labels that are right")
    assert len(plots(sections)["ROC"].curves) == 7
    rows = next(p for p in sections[1].parts if isinstance(p, Table)).rows
    cells = confusion(found)
    np.fill_diagonal(cells, 0)
    assert rows[0][2] == cells.max()
    assert len(rows) == 12


def test_a_regression():
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=1_000)
    (section,) = sections_of(Answered(predicted + rng.normal(size=1_000), predicted, predicted[:0], ()))
    assert [p.title for p in section.parts if isinstance(p, Plot)] == ["Predicted and true", "Residuals"]
    assert abs(tables([section])["Residuals"]["50%"]) < 0.1


@pytest.mark.parametrize("y", [np.zeros(40, dtype=int), np.ones(40, dtype=int)])
def test_a_class_that_is_missing_leaves_its_curve_empty(y):
    probability = np.column_stack([np.linspace(0, 1, 40), np.linspace(1, 0, 40)])
    sections = sections_of(Answered(y, probability, probability.argmax(axis=1), ("no", "yes"), 0.5))
    assert Document(title="card", sections=sections).report().html().count("<svg") >= 1


def test_the_dashboard_gets_them_as_it_draws_them():
    curves = dsl.ClassificationMetrics()
    log_pictures(curves, answered(["no", "yes"], threshold=0.5))
    assert curves.metadata["confusionMatrix"]["annotationSpecs"] == [{"displayName": "no"}, {"displayName": "yes"}]
    points = curves.metadata["confidenceMetrics"]
    assert 10 < len(points) <= 150
    assert all(0 <= v <= 1 for point in points for v in point.values())
    empty = dsl.ClassificationMetrics()
    log_pictures(empty, Answered(np.ones(3), np.ones(3), np.ones(0), ()))
    assert empty.metadata == {}


def test_plots_are_data_and_come_back():
    document = Document(title="card", sections=tuple(sections_of(answered(["no", "yes"]))))
    again = Document.model_validate_json(document.model_dump_json())
    assert again == document
    assert again.report().html().count("<figure>") == 3
    assert isinstance(again.sections[0], Section)
