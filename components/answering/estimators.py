"""The estimators of a fitted pipeline in the form that answers fastest, on plain arrays.

Trees go to treelite (Cho and Li, Treelite: toolbox for decision tree deployment, SysML 2018), linear models to one dot
product. Every other estimator answers itself, without the checks that scikit-learn makes of a table.
"""

import warnings
from collections.abc import Callable
from copy import copy
from types import SimpleNamespace
from typing import Any

import numpy as np

from ciclo.components.core.metrics import Array

Predict = Callable[[Array], Array]


def compiled_estimator(estimator: Any) -> Predict:
    """Compile a fitted estimator.

    Args:
        estimator: A classifier with ``predict_proba``, or a regressor.

    Returns:
        A function from ``float64`` of shape ``(rows, inputs)`` to probabilities of ``estimator.classes_``, shape
        ``(rows, classes)``, or to values, shape ``(rows,)``.
    """
    from sklearn import ensemble, linear_model, tree

    boosting = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
    forests = (
        ensemble.RandomForestClassifier,
        ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
    )
    match estimator:
        case linear_model.LogisticRegression():
            return _logistic(estimator)
        case linear_model.Ridge() | linear_model.ElasticNet():
            weights, intercept = np.ravel(estimator.coef_), float(np.ravel(estimator.intercept_)[0])
            return lambda rows: rows @ weights + intercept
        case tree.DecisionTreeClassifier() | tree.DecisionTreeRegressor():
            return _forest(_forest_of(estimator))
        case _ if isinstance(estimator, forests):
            return _forest(estimator)
        case _ if isinstance(estimator, boosting):
            return _boosting(estimator)
    return _itself(estimator)


def _logistic(estimator: Any) -> Predict:
    weights, intercept = estimator.coef_.T, estimator.intercept_
    return lambda rows: _softmax(rows @ weights + intercept)


def _forest(estimator: Any) -> Predict:
    """A forest; scikit-learn compares its values in single precision."""
    trees = _trees(estimator)
    classes = hasattr(estimator, "classes_")

    def predict(rows: Array) -> Array:
        found = trees(rows.astype("float32").astype("float64"))
        return found if classes else found[:, 0]

    return predict


def _boosting(estimator: Any) -> Predict:
    """Histogram gradient boosting, which codes its categories once more; treelite knows codes from 0 on only."""
    inner = estimator._preprocessor
    if inner is None:
        return _probable(_trees(estimator), estimator)
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
    trees = _probable(_trees(recoded), estimator)

    def predict(rows: Array) -> Array:
        rows = rows.copy()
        for position, table in zip(positions, tables, strict=True):
            code = rows[:, position].astype(int) + 1
            rows[:, position] = np.where(code < table.size, table[np.minimum(code, table.size - 1)], np.nan)
        return trees(rows)

    return predict


def _trees(estimator: Any) -> Predict:
    """Let treelite answer for what it can import: sums over trees, shape ``(rows, outputs)``."""
    import treelite

    trees = treelite.sklearn.import_model(estimator)

    def predict(rows: Array) -> Array:
        found = treelite.gtil.predict(trees, rows, nthread=1, pred_margin=True)
        return np.asarray(found).reshape(len(rows), -1)

    return predict


def _probable(scores: Predict, estimator: Any) -> Predict:
    """Scores as probabilities, in double precision; for a regressor through the inverse of its link."""
    if hasattr(estimator, "classes_"):
        return lambda rows: _softmax(scores(rows))
    inverse = estimator._loss.link.inverse
    return lambda rows: np.asarray(inverse(scores(rows)[:, 0]))


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


def _itself(estimator: Any) -> Predict:
    answer = estimator.predict_proba if hasattr(estimator, "classes_") else estimator.predict

    def predict(rows: Array) -> Array:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            return np.asarray(answer(rows))

    return predict
