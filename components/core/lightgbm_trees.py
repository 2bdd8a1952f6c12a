"""LightGBM as an estimator: the library fits, treelite answers.

What is kept of a fit is LightGBM's own text of its trees, so a model file holds no foreign object and whoever answers
needs no LightGBM. The classes are named in model files, so they stay where they are.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.metrics import Array

# They answer nothing, and treelite refuses those that no normal float holds; the text names the lengths of its parts.
_GAINS = re.compile(r"(?<=\nsplit_gain=).*")
POSITIVE = ("gamma", "poisson", "tweedie")  # objectives whose trees add up to the logarithm of the value


def library() -> Any:
    """LightGBM, which is an extra.

    Raises:
        SettingsError: If it is not installed, or cannot be loaded.
    """
    try:
        import lightgbm
    except (ImportError, OSError) as error:  # the second where the machine has no OpenMP
        raise SettingsError(
            "the estimator 'lightgbm' needs LightGBM, which is not to be had here",
            seen=str(error),
            hint="Install it where models are fitted: pip install 'ciclo[lightgbm]' (and libgomp1, if missing), or "
            "build the image with --build-arg EXTRA=lightgbm.",
        ) from error
    return lightgbm


@dataclass(kw_only=True, eq=False, repr=False)
class _Trees(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Gradient boosting (Ke et al., LightGBM: a highly efficient gradient boosting decision tree, 2017).

    The parameters are those of LightGBM's own estimators. What is learnt are ``trees_``, their text as bytes.
    """

    learning_rate: float = 0.1
    n_estimators: int = 100
    num_leaves: int = 31
    max_depth: int = -1
    min_child_samples: int = 20
    min_child_weight: float = 1e-3
    min_split_gain: float = 0.0
    subsample: float = 1.0
    subsample_freq: int = 0
    colsample_bytree: float = 1.0
    reg_alpha: float = 0.0
    reg_lambda: float = 0.0
    categorical_features: Sequence[int] | None = None
    n_jobs: int = 1
    random_state: int | None = None

    def _learn(self, kind: str, X: Any, y: Any) -> None:  # noqa: N803
        lightgbm = library()
        parameters = self.get_params()
        positions = parameters.pop("categorical_features")
        fixed = {"deterministic": True, "force_row_wise": True, "verbosity": -1}
        fitting = getattr(lightgbm, kind)(**parameters, **fixed)
        try:
            fitting.fit(np.asarray(X, dtype="float64"), y, categorical_feature=list(positions or []))
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(f"LightGBM: {error}") from error
        text = _GAINS.sub(lambda gains: re.sub(r"\S", "0", gains[0]), fitting.booster_.model_to_string())
        self.trees_ = np.frombuffer(text.encode(), dtype="uint8")
        _trees_of(self.trees_.tobytes())

    def _sums(self, X: Any) -> Array:  # noqa: N803
        """Sums over trees, shape ``(rows, outputs)``."""
        import treelite

        rows = np.ascontiguousarray(X, dtype="float64")
        found = treelite.gtil.predict(_trees_of(self.trees_.tobytes()), rows, nthread=1, pred_margin=True)
        return np.asarray(found).reshape(len(rows), -1)


@dataclass(kw_only=True, eq=False, repr=False)
class LightGBMClassifier(ClassifierMixin, _Trees):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier of LightGBM; it learns ``classes_`` and ``trees_``."""

    class_weight: str | None = None

    def fit(self, X: Any, y: Any) -> "LightGBMClassifier":  # noqa: N803
        """Fit the trees.

        Args:
            X: Numbers, NaN where missing, and codes of categories; shape ``(rows, columns)``.
            y: Classes.

        Raises:
            SettingsError: If LightGBM is not to be had.
            ValueError: If it refuses the parameters or the rows.
        """
        self.classes_ = np.unique(y)
        self._learn("LGBMClassifier", X, y)
        return self

    def decision_function(self, X: Any) -> Array:  # noqa: N803
        """Log-odds of two classes, shape ``(rows,)``; of more, scores of shape ``(rows, classes)``."""
        sums = self._sums(X)
        return sums[:, 0] if sums.shape[1] == 1 else sums

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """Probabilities, shape ``(rows, classes)``."""
        from scipy.special import expit, softmax

        sums = self._sums(X)
        if sums.shape[1] > 1:
            return np.asarray(softmax(sums, axis=1))
        positive = expit(sums[:, 0])
        return np.column_stack([1 - positive, positive])

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The likeliest classes, shape ``(rows,)``."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


@dataclass(kw_only=True, eq=False, repr=False)
class LightGBMRegressor(RegressorMixin, _Trees):  # type: ignore[misc]  # scikit-learn has no types
    """A regressor of LightGBM; it learns ``trees_``."""

    objective: str = "regression"
    alpha: float = 0.9

    def fit(self, X: Any, y: Any) -> "LightGBMRegressor":  # noqa: N803
        """Fit the trees.

        Args:
            X: Numbers, NaN where missing, and codes of categories; shape ``(rows, columns)``.
            y: Values.

        Raises:
            SettingsError: If LightGBM is not to be had.
            ValueError: If it refuses the parameters or the rows.
        """
        self._learn("LGBMRegressor", X, y)
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """Values, shape ``(rows,)``."""
        sums = self._sums(X)[:, 0]
        return np.exp(sums) if self.objective in POSITIVE else sums


@lru_cache(maxsize=8)
def _trees_of(text: bytes) -> Any:
    """The trees as treelite has them; it reads them from a file alone."""
    import treelite

    with tempfile.TemporaryDirectory(prefix="ciclo-") as folder:
        path = Path(folder) / "trees.txt"
        path.write_bytes(text)
        try:
            return treelite.frontend.load_lightgbm_model(path)
        except treelite.TreeliteError as error:
            raise ValueError(f"LightGBM's trees cannot be read: {error}") from error
