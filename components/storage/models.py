"""Model files: skops archives, never pickles.

A skops file is a zip of a schema and NumPy arrays. It is read only if it is exactly that, is of a sane size once
unpacked, and names no type beyond those that skops trusts and ``TRUSTED``. The list is written down here and never
taken from the file. It keeps foreign code out, not foreign numbers: a forged tree can still point outside its arrays,
which is why a bundle's signature is verified first.
"""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

from components.core.errors import IntegrityError, TrainingError

# What the pipelines of components/training need beyond the defaults of skops 0.16 on scikit-learn 1.9.
TRUSTED = (
    "functools.partial",  # of check_array, inside histogram gradient boosting with categories
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)
UNPACKED_LIMIT = 2 << 30
RATIO_LIMIT = 200
_ENTRY = re.compile(r"schema\.json|\d+\.npy")
_NPY = b"\x93NUMPY"


def dump_model(estimator: Any, path: str | Path) -> None:
    """Write a fitted estimator.

    Raises:
        TrainingError: If it is not made of types that ``load_model`` would read back.
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


def load_model(path: str | Path) -> Any:
    """Read a fitted estimator.

    Raises:
        IntegrityError: If the file is anything but a skops archive of trusted types.
    """
    return parse_model(Path(path).read_bytes())


def parse_model(data: bytes) -> Any:
    """Read a fitted estimator from the bytes of its file.

    Raises:
        IntegrityError: If they are anything but a skops archive of trusted types.
    """
    import skops.io
    from sklearn.base import BaseEstimator

    check_archive(data)
    try:
        model = skops.io.loads(data, trusted=list(TRUSTED))
    except Exception as error:  # whatever a forged file makes skops, NumPy or scikit-learn raise
        raise IntegrityError("the model file cannot be trusted", seen=str(error)[:300]) from error
    if not isinstance(model, BaseEstimator):
        raise IntegrityError("the model file does not hold an estimator", seen=type(model).__name__)
    return model


def check_archive(data: bytes) -> None:
    """Check the shape of a model file without parsing what is in it.

    Raises:
        IntegrityError: If it is not a zip of one schema and NumPy arrays, or unpacks to more than is sane.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            strange = [n for n in names if not _ENTRY.fullmatch(n)]
            if strange or "schema.json" not in names or len(set(names)) != len(names):
                raise IntegrityError("the model file is not a skops archive", seen=", ".join(strange or names)[:200])
            size = sum(entry.file_size for entry in entries)
            if size > min(UNPACKED_LIMIT, RATIO_LIMIT * len(data)):
                raise IntegrityError("the model file unpacks to too much", seen=f"{size:,} bytes from {len(data):,}")
            for entry in entries:
                with archive.open(entry) as file:
                    if entry.filename != "schema.json" and file.read(len(_NPY)) != _NPY:
                        raise IntegrityError("the model file holds something else than arrays", seen=entry.filename)
    except IntegrityError:
        raise
    except Exception as error:
        raise IntegrityError("the model file is not a skops archive", seen=str(error)[:200]) from error
