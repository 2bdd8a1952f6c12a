"""The data contract: which columns a model is given, and how their values are read.

Training and serving build their frames here and nowhere else, so that a model sees the same types in both. Imports
neither pyarrow nor anything that only the pipeline environment has.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NoReturn, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ciclo.components.core.data_sections import Column
from ciclo.components.core.dates import WrittenDate
from ciclo.components.core.errors import DataError, RequestError
from ciclo.components.core.metrics import Array, Task
from ciclo.components.core.project import Project
from ciclo.components.core.rules import KINDS, ColumnType, kind_of
from ciclo.components.core.values import EDITION, Refusal, ValueReader
from ciclo.components.core.wording import did_you_mean, exact, listed, shown
from ciclo.components.core.written import DecimalMark, NegativeForm, ThousandsMark


class ContractColumn(BaseModel):
    """One column as a model expects it; the fields are those of ``project.Column``, the rules of ``values``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    type: ColumnType
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    cycle: float | None = None
    decimal: DecimalMark = "."
    thousands: ThousandsMark = ""
    lakhs: bool = False
    unit: str = ""
    negative: NegativeForm = "-1"
    day_first: bool | None = None
    dates: WrittenDate = ""
    ignore_case: bool = False
    map: tuple[tuple[str, str], ...] = ()

    @property
    def reader(self) -> ValueReader:
        """What reads its values."""
        return _reader(self)

    def read(self, value: Any) -> Any:
        """Read one value of a request.

        Args:
            value: A JSON value.

        Returns:
            The canonical value, None where it is missing.

        Raises:
            RequestError: If the value is refused.
        """
        found = self.reader.read(value)
        return self.refuse(value, found) if isinstance(found, Refusal) else found

    def read_type(self, value: Any) -> Any:
        """As ``read``, but only what is not of the type is refused: for columns that come along."""
        found = self.reader.typed(value)
        return self.refuse(value, found) if isinstance(found, Refusal) else found

    def refuse(self, value: Any, refusal: Refusal) -> NoReturn:
        """Say why a value is refused.

        Raises:
            RequestError: Always.
        """
        limits = "..".join("" if limit is None else exact(limit) for limit in (self.minimum, self.maximum))
        problem, hint = {
            Refusal.TYPE: (f"has to be {kind_of(self)}", ""),
            Refusal.EXACT: ("holds a whole number too large to be read exactly", "Send it as text."),
            Refusal.BELOW: (f"is out of its range {limits}", ""),
            Refusal.ABOVE: (f"is out of its range {limits}", ""),
            Refusal.CATEGORY: ("has an unknown category", f"Send one of {listed(self.categories)}."),
            Refusal.NULL: ("must have a value", ""),
        }[refusal]
        raise RequestError(f"column '{self.name}' {problem}", seen=_seen(value), hint=hint)

    def column(self, values: pd.Series) -> pd.Series:
        """Read values that are stored, by type alone; what is not of the type is missing.

        Returns:
            ``float64`` for numbers, integers and booleans, ``object`` (text or NaN) for categories.
        """
        if self.type != "category" and values.dtype.kind in "fiub" and not self.missing:
            return values.astype("float64")
        found = [self.reader.typed(v) for v in values.astype(object)]
        kept = [math.nan if v is None or isinstance(v, Refusal) else v for v in found]
        return pd.Series(kept, index=values.index, dtype=object if self.type == "category" else "float64")


class Contract(BaseModel):
    """The columns of one model, its target and its classes.

    Attributes:
        task: What is predicted.
        target: Name of the target column.
        target_type: Its type.
        classes: Class labels; for a binary task the second is the positive one. Empty for regression.
        columns: The features, in order.
        passthrough: Columns a request may carry beside the features (ids, group, time); they are recorded, not used.
        dropped: Features of the project that the model does not see, and why; a request may go on to carry them, and
            they are neither read nor recorded.
        time_column: The passthrough column that tells when a row happened, if there is one.
        described: How the target and the passthrough columns are read; a column that is not among them is read by its
            type alone, an id as text.
        edition: Of the rules in ``core.values``, by which values are read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Task
    target: str
    target_type: ColumnType
    classes: tuple[str, ...] = ()
    columns: tuple[ContractColumn, ...]
    passthrough: tuple[str, ...] = ()
    dropped: dict[str, str] = {}
    time_column: str | None = None
    described: tuple[ContractColumn, ...] = ()
    edition: Literal[1] = EDITION

    @classmethod
    def of(cls, project: Project, classes: Sequence[str], dropped: Mapping[str, str] | None = None) -> Self:
        """Build the contract of a project.

        Args:
            project: The project.
            classes: The class labels as text, negative first; empty for regression.
            dropped: Features to leave out, and why.
        """
        left = dict(dropped or {})
        time = (project.data.time_column,) if project.data.time_column else ()
        group = (project.cleaning.split.group,) if project.cleaning.split.group else ()
        passthrough = tuple(dict.fromkeys((*project.data.id_columns, *group, *time)))
        beside = dict.fromkeys((project.data.target, *passthrough))
        return cls(
            task=project.task,
            target=project.data.target,
            target_type=project.data.columns[project.data.target].type,
            classes=tuple(classes),
            columns=tuple(
                _contract_column(name, column) for name, column in project.features.items() if name not in left
            ),
            passthrough=passthrough,
            dropped=left,
            time_column=project.data.time_column,
            described=tuple(_contract_column(name, project.data.columns[name]) for name in beside),
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
        return pd.DataFrame({c.name: self.canonical(c.name, frame[c.name]) for c in self.columns}, index=frame.index)

    def canonical(self, name: str, values: pd.Series) -> pd.Series:
        """One feature of clean rows in the type that every model is given; as in ``frame``."""
        (kind,) = (c.type for c in self.columns if c.name == name)
        return values.astype(object).where(values.notna(), np.nan) if kind == "category" else values.astype("float64")

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
        code_of = {label: code for code, label in enumerate(self.classes)}
        labels = {value: self.label_of(value) for value in target.unique()}
        unknown = sorted({label for label in labels.values() if label not in code_of})
        if unknown:
            raise DataError(f"the target '{self.target}' has labels the model does not know", seen=listed(unknown, 5))
        return target.map({value: code_of[label] for value, label in labels.items()}).to_numpy(dtype="int64")

    def labels(self, target: pd.Series) -> pd.Series:
        """The target of clean rows as people read it: class labels as text, or numbers."""
        if self.task == "regression":
            return target.astype("float64")
        codes, values = pd.factorize(target)
        return pd.Series(np.array([self.label_of(value) for value in values], dtype=object)[codes], dtype=object)

    def label_of(self, value: Any) -> str:
        """One label as text, spelled as among the classes where it is one: ``true`` and ``false`` for booleans.

        Raises:
            DataError: If the value is missing or does not read as the target.
        """
        reader, class_of = _labels(self.column_of(self.target), self.classes)
        found = reader.typed(value)
        if found is None or isinstance(found, Refusal):
            kind = KINDS[self.target_type] if found is Refusal.TYPE else "a value that can be read exactly"
            raise DataError(f"the target '{self.target}' has to be {kind}", seen=_seen(value))
        text = str(found).lower() if isinstance(found, bool) else str(found)
        return class_of.get(found, text)

    def truth_of(self, value: Any) -> str | float:
        """What turned out to be true, by the rules of the target: a class, or a number for regression.

        Raises:
            RequestError: Naming the target, if the value is missing, refused, or no class.
        """
        column = self.column_of(self.target)
        found = column.read(value) if self.task == "regression" else column.read_type(value)
        if found is None:
            column.refuse(value, Refusal.NULL)
        if self.task == "regression":
            return float(found)
        label = self.label_of(value)
        if label not in self.classes:
            raise RequestError(
                f"column '{self.target}' has no such class", seen=shown(label), hint=f"Use {listed(self.classes)}."
            )
        return label

    def column_of(self, name: str) -> ContractColumn:
        """How the target or a passthrough column is read."""
        for column in self.described:
            if column.name == name:
                return column
        if name == self.target:
            return ContractColumn(name=name, type=self.target_type, nullable=False)
        return ContractColumn(name=name, type="timestamp" if name == self.time_column else "category")

    def parse(self, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """Read the rows of a request; the order of columns does not matter.

        Args:
            rows: One mapping of column to JSON value for each row.

        Returns:
            The features as ``frame`` gives them.

        Raises:
            RequestError: Naming the row and the column that break the contract.
        """
        allowed = {*self.names, *self.passthrough, *self.dropped}
        readers = [(c, c.reader.read) for c in self.columns]
        values: dict[str, list[Any]] = {c.name: [] for c in self.columns}
        for number, row in enumerate(rows):
            try:
                for name in row:
                    if name not in allowed:
                        raise RequestError(
                            f"column '{name}' is not known{did_you_mean(name, allowed)}",
                            hint=f"Send {', '.join(self.names)}.",
                        )
                for c, read in readers:
                    if c.name not in row:
                        raise RequestError(f"column '{c.name}' is missing", hint="Send null if it has no value.")
                    found = read(row[c.name])
                    if found is None:
                        found = math.nan
                    elif isinstance(found, Refusal):
                        c.refuse(row[c.name], found)
                    values[c.name].append(found)
            except RequestError as error:
                raise error.at(f"row {number}") from None
        return pd.DataFrame(
            {
                c.name: pd.Series(values[c.name], dtype=object if c.type == "category" else "float64")
                for c in self.columns
            }
        )


def _contract_column(name: str, column: Column) -> ContractColumn:
    return ContractColumn(
        name=name,
        type=column.type,
        nullable=column.nullable,
        cycle=column.cycle,
        minimum=column.minimum,
        maximum=column.maximum,
        categories=column.categories,
        missing=column.missing,
        decimal=column.decimal,
        thousands=column.thousands,
        lakhs=column.lakhs,
        unit=column.unit,
        negative=column.negative,
        day_first=column.day_first,
        dates=column.dates,
        ignore_case=column.ignore_case,
        map=column.map,
    )


@lru_cache(maxsize=10_000)
def _reader(column: ContractColumn) -> ValueReader:
    return ValueReader(column)


@lru_cache(maxsize=100)
def _labels(target: ContractColumn, classes: tuple[str, ...]) -> tuple[ValueReader, dict[Any, str]]:
    """What reads labels, and the class that a canonical value is, so that 1, 1.0 and '1.0' are one."""
    reader = ValueReader(target.model_copy(update={"categories": classes}))
    return reader, {reader.typed(label): label for label in reversed(classes)}


def _seen(value: object) -> str:
    return "null" if value is None else shown(value)
