"""The data contract: which columns a model is given, and how their values are read.

Training and serving build their frames here and nowhere else, so that a model sees the same types in both. Imports
neither pyarrow nor anything that only the pipeline environment has.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.errors import DataError, RequestError
from ciclo.components.core.metrics import Array, Task
from ciclo.components.core.project import Column, ColumnType, Project

_TRUE = {"true", "1", "yes", "y", "t", "1.0"}
_FALSE = {"false", "0", "no", "n", "f", "0.0"}


class ContractColumn(BaseModel):
    """One feature as a model expects it; the fields are those of ``project.Column``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: ColumnType
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()

    def read(self, value: Any) -> float | str:
        """Read one value of a request.

        Args:
            value: A JSON value.

        Returns:
            A float for numbers, integers and booleans, text for categories; NaN where it is missing.

        Raises:
            RequestError: If the value is not of the type, out of range, not a known category or missing.
        """
        if value is None:
            if not self.nullable:
                raise RequestError(f"column '{self.name}' must have a value", seen="null")
            return math.nan
        return self._category(value) if self.type == "category" else self._number(value)

    def _category(self, value: Any) -> str:
        if not isinstance(value, str | int):
            raise RequestError(f"column '{self.name}' has to be text", seen=_short(value))
        text = str(value)
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise RequestError(f"column '{self.name}' has to be valid Unicode", seen=_short(text))
        if self.categories and text not in self.categories:
            raise RequestError(f"column '{self.name}' has an unknown category", seen=_short(text))
        return text

    def _number(self, value: Any) -> float:
        if self.type == "boolean":
            if value not in (True, False):
                raise RequestError(f"column '{self.name}' has to be true or false", seen=_short(value))
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise RequestError(f"column '{self.name}' has to be a finite {self.type}", seen=_short(value))
        if self.type == "integer" and value != int(value):
            raise RequestError(f"column '{self.name}' has to be a whole number", seen=_short(value))
        if (self.minimum is not None and value < self.minimum) or (self.maximum is not None and value > self.maximum):
            raise RequestError(
                f"column '{self.name}' is out of its range {_range(self.minimum, self.maximum)}", seen=_short(value)
            )
        return float(value)


class Contract(BaseModel):
    """The columns of one model, its target and its classes.

    Attributes:
        task: What is predicted.
        target: Name of the target column.
        target_type: Its type.
        classes: Class labels; for a binary task the second is the positive one. Empty for regression.
        columns: The features, in order.
        passthrough: Columns a request may carry beside the features (ids, time); they are recorded, not used.
        time_column: The passthrough column that tells when a row happened, if there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task
    target: str
    target_type: ColumnType
    classes: tuple[str, ...] = ()
    columns: tuple[ContractColumn, ...]
    passthrough: tuple[str, ...] = ()
    time_column: str | None = None

    @classmethod
    def of(cls, project: Project, classes: Sequence[str]) -> Self:
        """Build the contract of a project.

        Args:
            project: The project.
            classes: The class labels as text, negative first; empty for regression.
        """
        time = (project.data.time_column,) if project.data.time_column else ()
        return cls(
            task=project.task,
            target=project.data.target,
            target_type=project.data.columns[project.data.target].type,
            classes=tuple(classes),
            columns=tuple(_contract_column(name, column) for name, column in project.features.items()),
            passthrough=(*project.data.id_columns, *time),
            time_column=project.data.time_column,
        )

    @property
    def names(self) -> list[str]:
        """The names of the features, in order."""
        return [c.name for c in self.columns]

    @property
    def codes(self) -> list[int]:
        """The class labels as the estimators know them: their positions."""
        return list(range(len(self.classes)))

    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Bring the features of a clean frame to the types every model is given.

        Args:
            frame: Typed rows that hold at least the features.

        Returns:
            The features in order: ``float64`` for numbers, integers and booleans; ``object`` (text or NaN) for
            categories. Shape ``(rows, features)``.
        """
        columns: dict[str, Any] = {}
        for c in self.columns:
            values = frame[c.name]
            if c.type == "category":
                columns[c.name] = values.astype(object).where(values.notna(), np.nan)
            else:
                columns[c.name] = values.astype("float64")
        return pd.DataFrame(columns, index=frame.index)

    def rows(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        """The features of a clean frame as the rows of a request: JSON values, null where missing."""
        columns = {}
        for c in self.columns:
            values = frame[c.name].astype(object).where(frame[c.name].notna(), None)
            read = {"integer": int, "boolean": bool, "category": str}.get(c.type, float)
            columns[c.name] = [None if v is None else read(v) for v in values]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def encode(self, target: pd.Series) -> Array:
        """Turn target values into what estimators are fitted on.

        Args:
            target: Values of the target column, none missing.

        Returns:
            Positions in ``classes`` as integers, or floats for regression. Shape ``(rows,)``.

        Raises:
            DataError: If a label is not among the classes.
        """
        if self.task == "regression":
            return target.to_numpy(dtype="float64")
        codes = target.map(self.label_of).map({label: code for code, label in enumerate(self.classes)})
        if codes.isna().any():
            unknown = sorted(target[codes.isna()].map(self.label_of).unique())[:5]
            raise DataError(f"the target '{self.target}' has labels the model does not know", seen=", ".join(unknown))
        return codes.to_numpy(dtype="int64")

    def label_of(self, value: Any) -> str:
        """One label as text: ``true`` and ``false`` for booleans.

        Raises:
            DataError: If a boolean target has another value.
        """
        if self.target_type != "boolean":
            return str(value)
        text = str(value).lower()
        if text not in _TRUE | _FALSE:
            raise DataError(f"the target '{self.target}' has to be true or false", seen=_short(value))
        return "true" if text in _TRUE else "false"

    def parse(self, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """Read the rows of a request; the order of columns does not matter.

        Args:
            rows: One mapping of column to JSON value for each row.

        Returns:
            The features as ``frame`` gives them.

        Raises:
            RequestError: Naming the row and the column that break the contract.
        """
        allowed = {*self.names, *self.passthrough}
        values: dict[str, list[Any]] = {c.name: [] for c in self.columns}
        for number, row in enumerate(rows):
            try:
                for name in row:
                    if name not in allowed:
                        raise RequestError(f"column '{name}' is not known", hint=f"Send {', '.join(self.names)}.")
                for c in self.columns:
                    if c.name not in row:
                        raise RequestError(f"column '{c.name}' is missing", hint="Send null if it has no value.")
                    values[c.name].append(c.read(row[c.name]))
            except RequestError as error:
                raise RequestError(f"row {number}: {error.problem}", seen=error.seen, hint=error.hint) from None
        return pd.DataFrame(
            {
                c.name: pd.Series(values[c.name], dtype=object if c.type == "category" else "float64")
                for c in self.columns
            }
        )


def _contract_column(name: str, column: Column) -> ContractColumn:
    return ContractColumn(name=name, **column.model_dump(exclude={"role", "why"}))


def _range(minimum: float | None, maximum: float | None) -> str:
    return f"{'' if minimum is None else f'{minimum:g}'}..{'' if maximum is None else f'{maximum:g}'}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
