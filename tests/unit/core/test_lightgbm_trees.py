"""What treelite answers is what LightGBM would, to the last digits, without LightGBM."""

import sys

import numpy as np
import pytest
from sklearn.base import clone

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.lightgbm_trees import POSITIVE, LightGBMClassifier, LightGBMRegressor, library
from tests.recipes import needs_lightgbm

pytestmark = needs_lightgbm
SPECIAL = np.array([np.nan, 0.0, -0.0, 1e-300, 1e-36, 1e30, -1e30, 2.0**53 + 1, -1.0, 1e9])
CATEGORY = 3


def rows(count, missing, rng):
    """Numbers, and codes of a category; -1 stands for a missing one."""
    X = rng.normal(size=(count, 5))
    X[rng.random(X.shape) < missing] = np.nan
    X[:, CATEGORY] = rng.integers(-1, 30, count)
    return X


@pytest.mark.parametrize(("count", "missing"), [(600, 0.1), (600, 0.0), (12, 0.0)])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "quantile", *POSITIVE])
def test_answers_are_those_of_lightgbm(kind, count, missing):
    rng = np.random.default_rng(1)
    X = rows(count, missing, rng)
    signal = np.nan_to_num(X[:, 0]) + np.sin(X[:, CATEGORY]) + rng.normal(size=count)
    y = {"binary": signal > 0, "multiclass": np.digitize(signal, [-0.5, 0.5])}.get(kind, signal)
    y = np.exp(signal) if kind in POSITIVE else y
    common = {"n_estimators": 20, "categorical_features": [CATEGORY], "random_state": 1}
    classes = kind in ("binary", "multiclass")
    model = LightGBMClassifier(**common) if classes else LightGBMRegressor(objective=kind, **common)
    model = clone(model).fit(X, y)

    asked = rows(2_000, missing, rng)
    odd = rng.random(asked.shape) < 0.2
    asked[odd] = rng.choice(SPECIAL, odd.sum())
    theirs = library().Booster(model_str=model.trees_.tobytes().decode()).predict(asked, num_threads=1)
    ours = model.predict_proba(asked) if classes else model.predict(asked)
    np.testing.assert_allclose(ours[:, 1] if kind == "binary" else ours, theirs, rtol=1e-14, atol=1e-15)
    assert count == 12 or np.unique(theirs).size > 20


def test_gains_that_are_nearly_nothing_are_none():
    X = np.linspace(-1, 1, 400).reshape(-1, 1)
    y = 10.0 * (X[:, 0] > 0)
    model = LightGBMRegressor(n_estimators=150, learning_rate=0.3).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-9)


def test_the_same_rows_give_the_same_trees_on_any_number_of_threads():
    rng = np.random.default_rng(2)
    X = rows(2_000, 0.1, rng)
    one, two = (LightGBMRegressor(n_jobs=n, n_estimators=20, random_state=1).fit(X, X[:, 4] > 0) for n in (1, 2))
    asked = rows(500, 0.1, rng)
    np.testing.assert_array_equal(one.predict(asked), two.predict(asked))


def test_whoever_answers_needs_no_lightgbm_and_whoever_fits_is_told(monkeypatch):
    X, y = np.arange(60.0).reshape(-1, 1), np.arange(60) % 2
    model = LightGBMClassifier(n_estimators=2).fit(X, y)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert model.predict_proba(X).shape == (60, 2)
    with pytest.raises(SettingsError, match=r"pip install 'ciclo\[lightgbm\]'"):
        LightGBMClassifier().fit(X, y)
