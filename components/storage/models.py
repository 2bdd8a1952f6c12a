"""Model files: skops archives, never pickles.

A skops file is a zip of a schema and NumPy arrays. It is read only if it is exactly that, is of a sane size once
unpacked, and names no type beyond those that skops trusts and ``TRUSTED``. The list is written down here and never
taken from the file. It keeps foreign code out, not foreign numbers: a forged file can still ask NumPy and SciPy for
endless work, and a forged tree can point outside its arrays. That is why a bundle's signature is verified first, and a
file that nobody vouches for is rehearsed in a child process.
"""

import threading
import zipfile
from pathlib import Path
from typing import Any

from ciclo.components.core.errors import IntegrityError, TrainingError
from ciclo.components.storage.archive import check_archive

# What the pipelines of components/training need beyond the defaults of skops 0.16 on scikit-learn 1.9.
TRUSTED = (
    "ciclo.components.core.empty_columns.zero_if_empty",  # of numbers that trees are given
    "ciclo.components.core.among_numbers.AmongNumbers",  # of imputers that look at all numbers
    "ciclo.components.core.fences.Fences",  # of outliers
    "ciclo.components.core.lightgbm_trees.LightGBMClassifier",
    "ciclo.components.core.lightgbm_trees.LightGBMRegressor",
    "functools.partial",  # of check_array, inside histogram gradient boosting with categories
    "numpy.cos",  # of what comes round; skops trusts it by itself on numpy 2 alone
    "numpy.dtype",
    "numpy.interp",  # of the angle of what comes round
    "numpy.sin",
    "sklearn.impute._iterative.IterativeImputer",  # experimental: skops trusts it only where training is imported
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)

# CPython 3.11 counts the depth of a syntax tree for all threads together, and NumPy parses the header of an array as
# one: two threads that load at once fail at random ("AST constructor recursion depth mismatch").
_ONE_AT_A_TIME = threading.Lock()


def dump_model(estimator: Any, path: str | Path) -> None:
    """Write a fitted estimator.

    Raises:
        TrainingError: If it is not made of types that ``parse_model`` would read back.
    """
    import skops.io

    try:
        data = skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED)
        parse_model(data)
    except Exception as error:  # skops refuses in many ways
        raise TrainingError(
            f"a model of type {type(estimator).__name__} cannot be stored",
            seen=str(error)[:200],
            hint="Use the estimators of components/training/candidates.py.",
        ) from error
    Path(path).write_bytes(data)


def parse_model(data: bytes) -> Any:
    """Read a fitted estimator from the bytes of a file that somebody vouches for, in this process.

    Raises:
        IntegrityError: If they are anything but a skops archive of trusted types.
    """
    import skops.io
    from sklearn.base import BaseEstimator

    try:
        with _ONE_AT_A_TIME:
            check_archive(data)
            model = skops.io.loads(data, trusted=list(TRUSTED))
    except IntegrityError:
        raise
    except Exception as error:  # whatever a forged file makes skops, NumPy or scikit-learn raise
        raise IntegrityError("the model file cannot be trusted", seen=str(error)[:300]) from error
    if not isinstance(model, BaseEstimator):
        raise IntegrityError("the model file does not hold an estimator", seen=type(model).__name__)
    return model
