"""What is learnt from out-of-fold predictions: whether probabilities are calibrated, and the label's threshold.

Rows that a model was fitted on flatter it; a model of the same recipe that did not see them does not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV, _TemperatureScaling
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier

from ciclo.components.core.calibration import Reliability, class_losses, row_losses
from ciclo.components.core.clusters import Clustered, Groups
from ciclo.components.core.errors import TrainingError
from ciclo.components.core.intervals import Rows
from ciclo.components.core.metrics import Array, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Candidate
from ciclo.components.core.threshold import Rule, choose_threshold
from ciclo.components.core.wording import listed
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.folds import FOLDS, Fold, one_sided, partition
from ciclo.components.training.candidates import build

CLEAR = 0.99  # confidence of the lower bound on what calibration gains
LEAST_GAIN = 0.01  # of the log loss without it
ASKED = "the project asks for it"
LEAST_ROWS = 1_000  # below which isotonic regression learns noise (Niculescu-Mizil and Caruana, 2005)

Calibrator = Callable[[Array], Array]


@dataclass(frozen=True)
class Labels:
    """How the probabilities of a model are turned into what it answers.

    Attributes:
        calibration: ``none``, ``sigmoid``, ``isotonic`` or ``temperature``.
        why: Why that one, as a sentence.
        threshold: From which probability on a row is labelled positive; None but for a binary task.
        rule: What the threshold was chosen by, in words.
        rows: Out-of-fold predictions it rests on.
        before: Reliability of the probabilities as they come; None where nobody asked, as of values.
        after: Reliability of those that the model will give.
    """

    calibration: str = "none"
    why: str = ""
    threshold: float | None = None
    rule: str = ""
    rows: int = 0
    before: Reliability | None = None
    after: Reliability | None = None

    def facts(self) -> dict[str, Any]:
        """The same as JSON values."""
        reliability = {"before": self.before, "after": self.after}
        return {
            **vars(self),
            **{name: found.model_dump(mode="json") if found else None for name, found in reliability.items()},
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "Labels":
        """Read what ``facts`` gave."""
        reliability = {name: facts.get(name) and Reliability(**facts[name]) for name in ("before", "after")}
        return cls(**{**facts, **reliability})


def learn_labels(
    project: Project, candidate: Candidate, rows: Dataset, parameters: dict[str, Any], seed: int
) -> Labels:
    """Predict every row by a model that was not fitted on it, and learn from that.

    Calibration by ``sigmoid`` (Platt, 1999) or ``isotonic`` regression (Zadrozny and Elkan, 2002), or of more than two
    classes by ``temperature``, which changes no label (Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural
    Networks, 2017), is taken only where it is clearly better: on the predictions of each fold by a calibrator of the
    other folds, the 99 % lower bound of what it saves in log loss lies above zero, with the evidence counted as the
    gates count it (``Groups``), and it saves at least 1 % of it.

    Where positives come in bursts, the part of the time that holds all of one class is not predicted: without it there
    is nothing to learn. No calibration is learnt from what is left, nor a threshold if that is of one class.

    Args:
        project: The project.
        candidate: What is fitted.
        rows: A sample of the training and validation rows.
        parameters: Those of the final model.
        seed: Of the folds.
    """
    if project.task == "regression":
        return Labels()
    if project.task == "multiclass":
        return _of_classes(project, candidate, rows, parameters, seed)
    folds = partition(project, rows, seed)
    predicted, score = np.zeros(len(rows)), np.zeros(len(rows))
    for fit, held_out in folds:
        model = build(candidate, project, rows.contract, len(fit), parameters).fit(rows.X.iloc[fit], rows.y[fit])
        X = rows.X.iloc[held_out]
        predicted[held_out] = predictions("probability", model, X, rows.contract.codes)[:, 1]
        score[held_out] = model.decision_function(X) if hasattr(model, "decision_function") else predicted[held_out]
    positive = rows.y == 1
    known = np.zeros(len(rows), dtype=bool)
    for _, held_out in folds:
        known[held_out] = True
    rule = Rule.of(project.metric, project.evaluation.costs)
    if not known.all():
        return _of_some(rows, positive[known], predicted[known], rule)
    before = Reliability.of(positive, predicted)
    tried = {} if candidate.calibration == "none" else _cross_calibrated(score, positive, folds)
    if candidate.calibration == "auto":
        losses = {name: row_losses(positive, p) for name, p in tried.items()}
        method, why = _clearly_better(project, candidate, rows, row_losses(positive, predicted), losses)
    else:
        method, why = candidate.calibration, ASKED
    final = predicted if method == "none" else tried[method]
    return Labels(
        calibration=method,
        why=why,
        threshold=choose_threshold(positive, final, rule),
        rule=rule.text,
        rows=len(rows),
        before=before,
        after=Reliability.of(positive, final),
    )


def _of_classes(project: Project, candidate: Candidate, rows: Dataset, parameters: dict[str, Any], seed: int) -> Labels:
    """What is learnt of more than two classes: whether a temperature helps."""
    if candidate.calibration not in ("auto", "temperature"):
        return Labels(calibration=candidate.calibration, why=ASKED if candidate.calibration != "none" else "")
    folds = partition(project, rows, seed)
    if reason := _uncalibrated(rows, folds):
        return Labels(why=reason)
    predicted, score = (np.zeros((len(rows), len(rows.contract.classes))) for _ in range(2))
    for fit, held_out in folds:
        model = build(candidate, project, rows.contract, len(fit), parameters).fit(rows.X.iloc[fit], rows.y[fit])
        X = rows.X.iloc[held_out]
        predicted[held_out] = predictions("probability", model, X, rows.contract.codes)
        score[held_out] = model.decision_function(X) if hasattr(model, "decision_function") else predicted[held_out]
    warmed = np.zeros_like(score)
    for others, held_out in folds:
        warmed[held_out] = _TemperatureScaling().fit(score[others], rows.y[others]).predict(score[held_out])
    method, why = "temperature", ASKED
    if candidate.calibration == "auto":
        losses = {method: class_losses(rows.y, warmed)}
        method, why = _clearly_better(project, candidate, rows, class_losses(rows.y, predicted), losses)
    final = predicted if method == "none" else warmed
    before, after = (Reliability.of_classes(rows.y, p) for p in (predicted, final))
    return Labels(calibration=method, why=why, rows=len(rows), before=before, after=after)


def _uncalibrated(rows: Dataset, folds: list[Fold]) -> str:
    """Why a temperature cannot be learnt, as a clause; empty if it can."""
    if sum(held_out.size for _, held_out in folds) < len(rows):
        return f"not every part can be left out, and so nothing is calibrated: {one_sided(rows, FOLDS)}"
    for fit, _ in folds:
        missing = set(rows.contract.codes) - set(np.unique(rows.y[fit]).tolist())
        if missing:
            names = listed((f"'{rows.contract.classes[code]}'" for code in sorted(missing)), 3)
            return f"without a part of the rows there is none of {names}, and so nothing is calibrated"
    return ""


def _of_some(rows: Dataset, positive: Array, predicted: Array, rule: Rule) -> Labels:
    """What can be learnt where not every part of the time can be left out."""
    parts = one_sided(rows, FOLDS)
    why, seen = f"not every part of the time can be left out, and so nothing is calibrated: {parts}", None
    threshold, by = 0.5, f"one half, since the rows that can be left out are of one class: {parts}"
    if 0 < positive.sum() < positive.size:
        threshold, by, seen = (
            choose_threshold(positive, predicted, rule),
            rule.text,
            Reliability.of(positive, predicted),
        )
    return Labels(why=why, threshold=threshold, rule=by, rows=positive.size, before=seen, after=seen)


def fit_model(
    project: Project, candidate: Candidate, rows: Dataset, parameters: dict[str, Any], labels: Labels, seed: int
) -> Any:
    """Fit the final model, its calibration and its threshold in it.

    Returns:
        The pipeline, inside ``CalibratedClassifierCV`` where it is calibrated, inside ``FixedThresholdClassifier``
        where it has a threshold.
    """
    model = build(candidate, project, rows.contract, len(rows), parameters)
    if labels.calibration != "none":
        folds = partition(project, rows, seed)
        if labels.calibration == "temperature" and (reason := _uncalibrated(rows, folds)):
            raise TrainingError(f"it cannot be calibrated: {reason}")
        if sum(held_out.size for _, held_out in folds) < len(rows):
            why = one_sided(rows, FOLDS)
            raise TrainingError(f"it cannot be calibrated on rows of which not every part can be left out: {why}")
        model = CalibratedClassifierCV(model, method=labels.calibration, cv=folds, ensemble=False)
    if labels.threshold is not None:
        model = FixedThresholdClassifier(
            model, threshold=labels.threshold, pos_label=1, response_method="predict_proba"
        )
    model.fit(rows.X, rows.y)
    if labels.calibration != "none":  # the folds name every row, and are of no use any more
        for part in (model,) if labels.threshold is None else (model.estimator, model.estimator_):
            part.set_params(cv=None)
    return model


def _cross_calibrated(score: Array, positive: Array, folds: list[Fold]) -> dict[str, Array]:
    """Probabilities of each fold by calibrators that were fitted on the other folds."""
    tried = {}
    for method, fit in _METHODS.items():
        tried[method] = np.zeros(len(score))
        for others, held_out in folds:
            tried[method][held_out] = fit(score[others], positive[others])(score[held_out])
    return tried


def _sigmoid(score: Array, positive: Array) -> Calibrator:
    model = LogisticRegression(C=np.inf).fit(score.reshape(-1, 1), positive)
    return lambda new: np.asarray(model.predict_proba(new.reshape(-1, 1))[:, 1])


def _isotonic(score: Array, positive: Array) -> Calibrator:
    model = IsotonicRegression(out_of_bounds="clip").fit(score, positive.astype("float64"))
    return lambda new: np.asarray(model.predict(new))


_METHODS: dict[str, Callable[[Array, Array], Calibrator]] = {"sigmoid": _sigmoid, "isotonic": _isotonic}


def _clearly_better(
    project: Project, candidate: Candidate, rows: Dataset, plain: Array, tried: dict[str, Array]
) -> tuple[str, str]:
    """The method that saves most log loss, if it clearly saves any, and why; all losses are by row."""
    if isinstance(build(candidate, project, rows.contract, len(rows), {})["model"], CalibratedClassifierCV):
        return "none", "the candidate is calibrated by itself"
    method, saved = best_method(plain, tried, Groups.of(project, rows.rows).of_rows)
    if method == "none":
        return method, f"{' or '.join(tried)} is not clearly better than the log loss of {plain.mean():.4g} without"
    return method, f"it saves {saved:.3g} of the log loss of {plain.mean():.4g} without, out of fold"


def best_method(plain: Array, tried: Mapping[str, Array], groups: Array) -> tuple[str, float]:
    """The calibration that saves most, and how much; ``none`` if none clearly saves any.

    Args:
        plain: Log loss of each row without calibration, shape ``(rows,)``.
        tried: The same with each method.
        groups: Rows of one group are one piece of evidence; integers, shape ``(rows,)``.
    """
    best, saved = "none", 0.0
    for method, losses in tried.items():
        if method == "isotonic" and len(plain) < LEAST_ROWS:
            continue
        found = Clustered.of(partial(_mean, plain - losses), groups)
        if found is None or found.interval(CLEAR).low <= 0 or found.point < LEAST_GAIN * plain.mean():
            continue
        if found.point > saved:
            best, saved = method, found.point
    return best, saved


def _mean(values: Array, rows: Rows) -> float:
    return float(values[rows].mean())
