"""Pictures of a model's answers on the test rows, as data: what a model card shows beside its scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ciclo.components.core.calibration import Reliability
from ciclo.components.core.metrics import Array, labels_of, predictions, threshold_of
from ciclo.components.core.plots import Curve, Plot
from ciclo.components.core.report import Section, Table, Text
from ciclo.components.core.wording import number
from ciclo.components.tables.datasets import Dataset

POINTS = 150
CLASSES = 6  # curves that can be told apart
NAMED = 12  # classes of a confusion matrix that fits a page
CLOUD = 400
PARTS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Answered:
    """The test rows and what the winner says of them.

    Attributes:
        y: True codes or values, shape ``(rows,)``.
        predicted: Probabilities, shape ``(rows, classes)``, or values, shape ``(rows,)``.
        labels: Codes as they are answered, shape ``(rows,)``; of a regression nothing.
        classes: The classes in words, negative first; of a regression nothing.
        threshold: From which probability on a row is labelled positive; None where the likeliest class is.
    """

    y: Array
    predicted: Array
    labels: Array
    classes: tuple[str, ...]
    threshold: float | None = None

    @classmethod
    def of(cls, model: Any, rows: Dataset) -> Self:
        """Ask a model once, for all that is made of its answers."""
        codes, classes = rows.contract.codes, tuple(rows.contract.classes)
        if not classes:
            return cls(rows.y, predictions("value", model, rows.X, codes), rows.y[:0], ())
        probability = predictions("probability", model, rows.X, codes)
        return cls(rows.y, probability, labels_of(model, probability), classes, threshold_of(model))

    def as_needed(self, needs: str) -> Array:
        """The answers in the form a metric needs, as ``predictions`` gives them."""
        return self.labels if needs == "label" else self.predicted


NOTHING = Answered(np.empty(0), np.empty(0), np.empty(0), ())


def sections_of(answered: Answered) -> tuple[Section, ...]:
    """The pictures for the task of the answers."""
    if not answered.classes:
        return (_residuals(answered),)
    curves = Section(title="Curves", parts=tuple(_curves(answered)))
    return (curves, _confusion(answered), _reliability(answered))


def roc_points(positive: Array, score: Array, most: int = POINTS) -> tuple[Array, Array, Array]:
    """False positive rates, true positive rates and thresholds, thinned out; empty where one class is missing."""
    from sklearn.metrics import roc_curve

    if positive.all() or not positive.any():
        return np.empty(0), np.empty(0), np.empty(0)
    found = roc_curve(positive, score)
    fpr, tpr, thresholds = (values[_thinned(len(values), most)] for values in found)
    return fpr, tpr, np.minimum(thresholds, 1.0)  # scikit-learn begins with infinity, which JSON has not


def log_pictures(curves: Any, answered: Answered) -> None:
    """Fill KFP's ``ClassificationMetrics``, so that its dashboard draws and compares; a regression has none."""
    if matrix := matrix_of(answered):
        curves.log_confusion_matrix(*matrix)
    if roc := roc_of(answered):
        curves.log_roc_curve(*roc)


def roc_of(answered: Answered) -> tuple[list[float], list[float], list[float]] | None:
    """What KFP draws a ROC curve from: false and true positive rates and thresholds; None but for two classes."""
    if len(answered.classes) != 2:
        return None
    fpr, tpr, thresholds = roc_points(answered.y == 1, answered.predicted[:, 1])
    return (fpr.tolist(), tpr.tolist(), thresholds.tolist()) if fpr.size else None


def matrix_of(answered: Answered) -> tuple[list[str], list[list[int]]] | None:
    """What KFP draws a confusion matrix from: classes and rows; None for a regression or more classes than fit."""
    if not 2 <= len(answered.classes) <= NAMED:
        return None
    return list(answered.classes), confusion(answered).tolist()


def _curves(answered: Answered) -> Iterable[Plot]:
    shown = [1] if len(answered.classes) == 2 else range(min(len(answered.classes), CLASSES))
    tones = ("accent", "second", "good", "warn", "bad", "past")
    roc, precision = [_line("by chance", [0.0, 1.0], [0.0, 1.0], "past", dashed=True)], []
    for tone, code in zip(tones, shown, strict=False):
        positive, score = answered.y == code, answered.predicted[:, code]
        fpr, tpr, thresholds = roc_points(positive, score)
        roc.append(_line(answered.classes[code], fpr, tpr, tone))
        precision.append(_line(answered.classes[code], *_precision(positive, score), tone))
        if answered.threshold is not None and thresholds.size:
            at = answered.labels == code
            caught, called = float((at & positive).sum()), float(at.sum())
            false = float((at & ~positive).sum()) / max(float((~positive).sum()), 1.0)
            recall = caught / max(float(positive.sum()), 1.0)
            mark = f"at the threshold, {number(answered.threshold)}"
            roc.append(Curve(name=mark, points=((false, recall),), tone="second", dots=True))
            precision.append(Curve(name=mark, points=((recall, caught / max(called, 1.0)),), tone="second", dots=True))
    yield Plot(title="ROC", x="false positive rate", y="true positive rate", curves=tuple(roc))
    yield Plot(title="Precision and recall", x="recall", y="precision", curves=tuple(precision))


def _precision(positive: Array, score: Array) -> tuple[Array, Array]:
    from sklearn.metrics import precision_recall_curve

    if not positive.any():
        return np.empty(0), np.empty(0)
    precision, recall, _ = precision_recall_curve(positive, score)
    kept = _thinned(len(recall), POINTS)
    return recall[kept], precision[kept]


def _thinned(length: int, most: int) -> Array:
    """Positions of that many points at most, spread evenly, the first and the last among them."""
    return np.unique(np.linspace(0, length - 1, min(most, length)).astype(int))


def _line(
    name: str, x: Sequence[float] | Array, y: Sequence[float] | Array, tone: str, *, dashed: bool = False
) -> Curve:
    points = tuple((float(a), float(b)) for a, b in zip(x, y, strict=True))
    return Curve(name=name, points=points, tone=tone, dashed=dashed)


def confusion(answered: Answered) -> Array:
    """How many rows of each class (down) got each label (across), shape ``(classes, classes)``."""
    count = len(answered.classes)
    cells = np.bincount(answered.y.astype(int) * count + answered.labels.astype(int), minlength=count * count)
    return np.asarray(cells.reshape(count, count))


def _confusion(answered: Answered) -> Section:
    cells, classes = confusion(answered), answered.classes
    rule = "the likeliest class" if answered.threshold is None else f"positive from {number(answered.threshold)} on"
    text = Text(text=f"Rows of each class, by the label they get; {rule}.")
    if len(classes) <= NAMED:
        rows = [
            (name, *map(int, line), _share(line[i], line.sum()))
            for i, (name, line) in enumerate(zip(classes, cells, strict=True))
        ]
        return Section(
            title="Confusion matrix",
            parts=(text, Table(header=("is", *(f"labelled {c}" for c in classes), "found"), rows=tuple(rows))),
        )
    wrong = cells.copy()
    np.fill_diagonal(wrong, 0)
    most = np.argsort(-wrong, axis=None)[:NAMED]
    pairs = [(classes[c // len(classes)], classes[c % len(classes)], int(wrong.flat[c])) for c in most if wrong.flat[c]]
    return Section(
        title="Confusion matrix",
        parts=(
            Text(text="The pairs that are confused most."),
            Table(header=("is", "labelled", "rows"), rows=tuple(pairs)),
        ),
    )


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else ""


def _reliability(answered: Answered) -> Section:
    x, y = "probability of the label", "share of labels that are right"
    if len(answered.classes) == 2:
        found = Reliability.of(answered.y == 1, answered.predicted[:, 1])
        x, y = f"probability of {answered.classes[1]}", f"share that is {answered.classes[1]}"
    else:
        found = Reliability.of_classes(answered.y, answered.predicted)
    diagonal = _line("as they are said", [0.0, 1.0], [0.0, 1.0], "past", dashed=True)
    plot = Plot(
        title="Calibration on the test rows",
        x=x,
        y=y,
        curves=(
            diagonal,
            _line("the model", found.predicted, found.observed, "accent"),
            Curve(
                name="a tenth of the rows", points=tuple(zip(found.predicted, found.observed, strict=True)), dots=True
            ),
        ),
    )
    summary = Table(
        header=("", "value"),
        rows=(
            ("Brier score", found.brier),
            ("log loss", found.log_loss),
            ("expected calibration error", found.ece),
        ),
    )
    return Section(title="Calibration", parts=(summary, plot))


def _residuals(answered: Answered) -> Section:
    residual = answered.y - answered.predicted
    some = np.random.default_rng(0).permutation(len(residual))[:CLOUD]
    low, high = (float(edge(answered.predicted)) for edge in (np.min, np.max))
    plots = (
        Plot(
            title="Predicted and true",
            x="predicted",
            y="true",
            curves=(
                _line("equal", [low, high], [low, high], "past", dashed=True),
                Curve(name="a test row", points=_pairs(answered.predicted[some], answered.y[some]), dots=True),
            ),
        ),
        Plot(
            title="Residuals",
            x="predicted",
            y="true less predicted",
            curves=(
                _line("none", [low, high], [0.0, 0.0], "past", dashed=True),
                Curve(name="a test row", points=_pairs(answered.predicted[some], residual[some]), dots=True),
            ),
        ),
    )
    quantiles = Table(
        header=("share of the rows", "true less predicted is at most"),
        rows=tuple((f"{part:.0%}", float(np.quantile(residual, part))) for part in PARTS),
    )
    return Section(title="Residuals", parts=(*plots, quantiles))


def _pairs(x: Array, y: Array) -> tuple[tuple[float, float], ...]:
    return tuple((float(a), float(b)) for a, b in zip(x, y, strict=True))
