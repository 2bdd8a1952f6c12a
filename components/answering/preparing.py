"""The preprocessing of a fitted pipeline as plain arrays and look-up tables.

What happens to numbers is a chain of array operations. What happens to a category is looked up: the fitted encoder is
asked once about every value it knows, about a missing one and about an unknown one, and its answers are the table. So
nothing of how an encoder works inside (rare levels, unseen values) is written a second time.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ciclo.components.core.fences import Fences
from ciclo.components.core.metrics import Array

Block = Callable[[Array], Array]
Prepare = Callable[[pd.DataFrame], Array]
UNKNOWN = "\x00no such value\x00"


class NotCompiledError(Exception):
    """A pipeline, or a part of it, has no compiled form; its message says why. The fitted pipeline answers itself."""


def prepared(transformer: Any) -> Prepare:
    """Compile a fitted ``ColumnTransformer``.

    Args:
        transformer: Whose parts take whole numbers or whole categories, as those of ``training/preprocessing.py`` do.

    Returns:
        A function from features, shape ``(rows, features)``, to what the estimator takes, ``float64`` of shape
        ``(rows, outputs)``.

    Raises:
        NotCompiledError: If a part is none that is known here.
    """
    parts = [
        _part(name, fitted, [str(c) for c in columns])
        for name, fitted, columns in transformer.transformers_
        if len(columns) and not (isinstance(fitted, str) and fitted == "drop")
    ]

    def prepare(frame: pd.DataFrame) -> Array:
        return np.hstack([part(frame) for part in parts]) if len(parts) > 1 else parts[0](frame)

    return prepare


def _part(name: str, fitted: Any, columns: Sequence[str]) -> Prepare:
    from sklearn.impute import MissingIndicator

    if name.startswith("categories"):
        return _table(fitted, columns)
    if isinstance(fitted, MissingIndicator):
        return lambda frame: frame[list(columns)].isna().to_numpy(dtype="float64")
    chain = _numbers(fitted)

    def part(frame: pd.DataFrame) -> Array:
        values = np.empty((len(frame), len(columns)))
        for position, column in enumerate(columns):
            values[:, position] = frame[column].to_numpy()
        return chain(values)

    return part


def _numbers(fitted: Any) -> Block:
    """What a transformer of numbers does to an array of shape ``(rows, columns)``."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import FeatureUnion, Pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    match fitted:
        case "passthrough" | FunctionTransformer(func=None):
            return lambda values: values
        case FunctionTransformer(func=function, kw_args=options):
            return lambda values: np.asarray(function(values, **(options or {})))
        case FeatureUnion():
            branches = [_numbers(branch) for _, branch in fitted.transformer_list]
            return lambda values: np.hstack([branch(values) for branch in branches])
        case Pipeline():
            steps = [_numbers(step) for _, step in fitted.steps]

            def chain(values: Array) -> Array:
                for step in steps:
                    values = step(values)
                return values

            return chain
        case SimpleImputer(missing_values=missing) if missing != missing:
            return _imputer(fitted)
        case Fences():
            return lambda values: np.asarray(fitted.transform(values))
        case StandardScaler(mean_=mean, scale_=scale) if mean is not None and scale is not None:
            return lambda values: (values - mean) / scale
    what = getattr(fitted, "way", f"what {type(fitted).__name__} does to numbers")  # as AmongNumbers has it
    raise NotCompiledError(f"{what} has no compiled form")


def _imputer(fitted: Any) -> Block:
    filling = np.asarray(fitted.statistics_, dtype="float64")
    if np.isnan(filling).any() and not fitted.keep_empty_features:
        raise NotCompiledError("an imputer that drops columns has no compiled form")
    flagged = fitted.indicator_.features_ if fitted.indicator_ is not None else None

    def impute(values: Array) -> Array:
        missing = np.isnan(values)
        filled = np.where(missing, filling, values)
        return filled if flagged is None else np.hstack([filled, missing[:, flagged].astype("float64")])

    return impute


def _table(fitted: Any, columns: Sequence[str]) -> Prepare:
    """The answers of a fitted encoder of categories, by column and value."""
    known = _categories(fitted, len(columns))
    unknown = _encoded(fitted, columns, [[UNKNOWN] * len(columns)])[0]
    tables: list[dict[Any, Array]] = []
    touched = np.zeros(unknown.size, dtype=int)
    for position, values in enumerate(known):
        asked = [*values, np.nan]
        rows = [[UNKNOWN] * position + [value] + [UNKNOWN] * (len(columns) - position - 1) for value in asked]
        changes = _encoded(fitted, columns, rows) - unknown
        touched += (changes != 0).any(axis=0)
        tables.append(dict(zip([*values, None], changes, strict=True)))
    if (touched > 1).any():
        raise NotCompiledError("an encoder that mixes columns has no compiled form")

    def encode(frame: pd.DataFrame) -> Array:
        encoded = np.repeat(unknown[None, :], len(frame), axis=0)
        for column, table in zip(columns, tables, strict=True):
            for row, value in enumerate(frame[column].tolist()):
                change = table.get(value if value == value else None)
                if change is not None:
                    encoded[row] += change
        return encoded

    return encode


def _categories(fitted: Any, columns: int) -> list[list[Any]]:
    """The values a fitted encoder knows, column by column, without the missing one."""
    last = fitted.steps[-1][1] if hasattr(fitted, "steps") else fitted
    found = getattr(last, "categories_", None)
    if found is None or len(found) != columns:
        raise NotCompiledError(f"what {type(last).__name__} does to categories has no compiled form")
    return [[value for value in values.tolist() if value is not None and value == value] for values in found]


def _encoded(fitted: Any, columns: Sequence[str], rows: list[list[Any]]) -> Array:
    frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
    encoded = fitted.transform(frame)
    dense = encoded.toarray() if hasattr(encoded, "toarray") else np.asarray(encoded)
    return np.asarray(dense, dtype="float64")
