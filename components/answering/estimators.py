"""The estimators of a fitted pipeline in the form that answers fastest, on plain arrays.

Trees go to treelite (Cho and Li, Treelite: toolbox for decision tree deployment, SysML 2018), linear models to one dot
product. Every other estimator answers itself, without the checks that scikit-learn makes of a table. What is wrapped
around an estimator, its calibration, is put around its compiled form.
"""

import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from ciclo.components.answering.preparing import NotCompiledError
from ciclo.components.core.metrics import Array
from ciclo.components.core.wording import counted

Predict = Callable[[Any], Array]
NO_LOG_OF_ZERO = 1e-12  # what scikit-learn adds to a probability before it takes the logarithm


@dataclass(frozen=True)
class Answers:
    """A compiled estimator.

    Attributes:
        predict: Gives probabilities of its classes, shape ``(rows, classes)``, or values, shape ``(rows,)``.
        score: Gives what a calibration is learnt from, the decision function where it has one, else its probabilities:
            shape ``(rows,)`` for two classes, ``(rows, classes)`` for more. None for a regressor.
    """

    predict: Predict
    score: Predict | None = None


def compiled_estimator(estimator: Any, *, sparse: bool = False) -> Answers:
    """Compile a fitted estimator.

    Args:
        estimator: A classifier with ``predict_proba``, or a regressor.
        sparse: Whether it was fitted on a sparse matrix. What answers itself is given one then: distances of sparse and
            of dense rows differ in their last digits, and so do ties of neighbours.
    """
    from scipy.sparse import csr_matrix
    from sklearn import calibration, ensemble, linear_model, tree

    boosting = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
    forests = (
        ensemble.RandomForestClassifier,
        ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
    )
    match estimator:
        case calibration.CalibratedClassifierCV():
            return calibrated(estimator, partial(compiled_estimator, sparse=sparse))
        case linear_model.LogisticRegression():
            weights, intercept = estimator.coef_.T, estimator.intercept_
            return _of_margins(lambda rows: rows @ weights + intercept)
        case linear_model.Ridge() | linear_model.ElasticNet():
            weights, constant = np.ravel(estimator.coef_), float(np.ravel(estimator.intercept_)[0])
            return Answers(lambda rows: rows @ weights + constant)
        case tree.DecisionTreeClassifier() | tree.DecisionTreeRegressor():
            return _forest(_forest_of(estimator))
        case _ if isinstance(estimator, forests):
            return _forest(estimator)
        case _ if isinstance(estimator, boosting):
            return _boosting(estimator)
    return _itself(estimator, csr_matrix if sparse else np.asarray)


def _of_margins(margins: Predict) -> Answers:
    """A classifier whose probabilities are made of margins, shape ``(rows, 1)`` for two classes."""
    return Answers(lambda rows: _softmax(margins(rows)), lambda rows: _decided(margins(rows)))


def _of_probabilities(probabilities: Predict) -> Answers:
    return Answers(probabilities, lambda rows: _decided(probabilities(rows)))


def _decided(scores: Array) -> Array:
    return scores[:, -1] if scores.shape[1] <= 2 else scores


def calibrated(estimator: Any, compiled: Callable[[Any], Answers]) -> Answers:
    """Put a fitted calibration around the compiled forms of what it calibrates.

    Args:
        estimator: A ``CalibratedClassifierCV``.
        compiled: Compiles what it calibrates.
    """
    each = [(compiled(one.estimator).score, _calibration(one)) for one in estimator.calibrated_classifiers_]

    def predict(rows: Any) -> Array:
        found = [calibrate(score(rows)) for score, calibrate in each if score]
        return np.asarray(np.mean(found, axis=0))

    return _of_probabilities(predict)


def _calibration(one: Any) -> Callable[[Array], Array]:
    """From the scores of a fitted classifier to calibrated probabilities.

    Args:
        one: A classifier with what calibrates it, of ``CalibratedClassifierCV``.

    Raises:
        NotCompiledError: If it is calibrated in a way that training does not use.
    """
    from scipy.special import softmax

    classes = len(one.classes)
    if one.method in ("sigmoid", "isotonic"):
        return partial(_calibrated, curves=one.calibrators, classes=classes)
    if one.method != "temperature" or classes <= 2:
        raise NotCompiledError(f"{one.method} of {counted(classes, 'class', 'classes')} has no compiled form")
    inverse = float(one.calibrators[0].beta_)
    if hasattr(one.estimator, "decision_function"):
        return lambda scores: np.asarray(softmax(inverse * scores, axis=1))
    return lambda scores: np.asarray(softmax(inverse * np.log(scores + NO_LOG_OF_ZERO), axis=1))


def _calibrated(scores: Array, curves: list[Any], classes: int) -> Array:
    """Each class against the rest, made to add up to one."""
    if classes == 2:
        positive = curves[0].predict(scores)
        return np.column_stack([1 - positive, positive])
    found = np.column_stack([curve.predict(scores[:, column]) for column, curve in enumerate(curves)])
    total = found.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(found, total, out=np.full_like(found, 1 / classes), where=total != 0))


def _forest(estimator: Any) -> Answers:
    """A forest; scikit-learn compares its values in single precision."""
    trees = _trees(estimator)

    def predict(rows: Array) -> Array:
        return trees(rows.astype("float32").astype("float64"))

    if not hasattr(estimator, "classes_"):
        return Answers(lambda rows: predict(rows)[:, 0])
    return _of_probabilities(predict)


def _boosting(estimator: Any) -> Answers:
    """Histogram gradient boosting, which codes its categories once more; treelite knows codes from 0 on only."""
    inner = estimator._preprocessor
    if inner is None:
        return _boosted(_trees(estimator), estimator)
    (name, encoder, _), *others = inner.transformers_
    positions = np.flatnonzero(estimator.is_categorical_)
    tables = []
    for known in encoder.categories_:
        seen = known[np.isfinite(known)].astype(int)
        table = np.full(max(seen.max(initial=-1) + 2, 1), np.nan)
        table[seen + 1] = np.arange(seen.size)
        tables.append(table)
    recoded, plain = copy(estimator), copy(inner)
    codes = SimpleNamespace(categories_=[np.arange(len(known)) for known in encoder.categories_])
    plain.transformers_ = [(name, codes, positions), *others]
    recoded._preprocessor = plain
    trees = _trees(recoded)

    def predict(rows: Array) -> Array:
        rows = rows.copy()
        for position, table in zip(positions, tables, strict=True):
            code = rows[:, position].astype(int) + 1
            rows[:, position] = np.where(code < table.size, table[np.minimum(code, table.size - 1)], np.nan)
        return trees(rows)

    return _boosted(predict, estimator)


def _trees(estimator: Any) -> Predict:
    """Let treelite answer for what it can import: sums over trees, shape ``(rows, outputs)``."""
    import treelite

    trees = treelite.sklearn.import_model(estimator)

    def predict(rows: Array) -> Array:
        found = treelite.gtil.predict(trees, rows, nthread=1, pred_margin=True)
        return np.asarray(found).reshape(len(rows), -1)

    return predict


def _boosted(margins: Predict, estimator: Any) -> Answers:
    """Sums over trees as probabilities, in double precision; for a regressor through the inverse of its link."""
    if hasattr(estimator, "classes_"):
        return _of_margins(margins)
    inverse = estimator._loss.link.inverse
    return Answers(lambda rows: np.asarray(inverse(margins(rows)[:, 0])))


def _softmax(scores: Array) -> Array:
    from scipy.special import expit, softmax

    if scores.shape[1] > 1:
        return np.asarray(softmax(scores, axis=1))
    positive = expit(scores[:, 0])
    return np.column_stack([1 - positive, positive])


def _forest_of(estimator: Any) -> Any:
    """A tree as a forest of one, which is what treelite imports."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    forest = (RandomForestClassifier if hasattr(estimator, "classes_") else RandomForestRegressor)(n_estimators=1)
    forest.estimators_ = [estimator]
    for name in ("n_features_in_", "n_outputs_", "n_classes_", "classes_"):
        if hasattr(estimator, name):
            setattr(forest, name, getattr(estimator, name))
    return forest


def _itself(estimator: Any, form: Callable[[Array], Any]) -> Answers:
    def quiet(answer: Callable[[Array], Any]) -> Predict:
        def predict(rows: Array) -> Array:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "X does not have valid feature names")
                return np.asarray(answer(form(rows)))

        return predict

    if not hasattr(estimator, "classes_"):
        return Answers(quiet(estimator.predict))
    if not hasattr(estimator, "decision_function"):
        return _of_probabilities(quiet(estimator.predict_proba))
    return Answers(quiet(getattr(estimator, "predict_proba", estimator.predict)), quiet(estimator.decision_function))
