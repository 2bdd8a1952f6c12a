"""What a project says about cleaning: missing values, outliers, duplicates, and the sides of the split.

What is learnt of a policy (a median, a fence, a neighbour) is learnt in the model, from the rows it is fitted on; what
is decided before that is decided by cleaning, from stated limits alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ciclo.components.core.data_sections import Column
from ciclo.components.core.section import MOST_DAYS, Section
from ciclo.components.core.wording import counted, did_you_mean

DAYS = re.compile(r"0*([1-9][0-9]*)d")
Imputation = Literal["median", "mean", "most_frequent", "constant", "iterative", "knn"]
# Rows above which these are not fitted: their time or their size grows too fast with them.
MOST_ROWS: Mapping[str, int] = {"iterative": 20_000, "knn": 10_000}
MOST_NUMBERS = 100  # features that are numbers, above which they are not fitted either
TUKEY = 1.5


class MissingColumn(Section):
    """What becomes of the missing values of one feature, whatever the candidate.

    Attributes:
        impute: What is put in their place: the ``median``, ``mean`` or ``most_frequent`` value of the rows the model is
            fitted on; a ``constant``; or what the other numbers of the row tell: ``iterative``, by a Bayesian ridge
            regression of each number on the others in turn (van Buuren and Groothuis-Oudshoorn, 2011), or ``knn``, by
            the five nearest rows where numbers are scaled to unit variance (Troyanskaya et al., 2001). By default
            linear models impute by ``cleaning.missing.numbers`` and trees place missing values themselves.
        value: The constant.
        indicator: Whether a column of 0 and 1 beside it tells where a value was missing; by default where ``impute`` is
            given.
        drop_above: The column is no feature where more than that share of the training rows is missing.
    """

    impute: Imputation | None = None
    value: bool | float | str | None = None
    indicator: bool | None = None
    drop_above: float | None = Field(None, ge=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, raw: object) -> object:
        return {"impute": raw} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.impute == "constant") != (self.value is not None):
            raise ValueError("a value is given with impute: constant, and with nothing else")
        if self.impute is None and self.indicator is None and self.drop_above is None:
            raise ValueError("say what becomes of its missing values: impute, indicator or drop_above")
        return self

    @property
    def for_all(self) -> bool:
        """Whether it says what every candidate is given, and not only when the column is dropped."""
        return self.impute is not None or self.indicator is not None

    @property
    def flagged(self) -> bool:
        """Whether a column of 0 and 1 stands beside it."""
        return self.impute is not None if self.indicator is None else self.indicator

    @property
    def text(self) -> str:
        """The policy in words."""
        parts = []
        if self.impute is not None:
            value = f"{self.value:.15g}" if type(self.value) is float else self.value
            parts.append(f"impute {self.impute}" + ("" if value is None else f" {value}"))
        if self.for_all:
            parts.append("with an indicator" if self.flagged else "without an indicator")
        if self.drop_above is not None:
            parts.append(f"dropped above {self.drop_above:.15g} of the training rows")
        return ", ".join(parts)


class Missing(Section):
    """The missing-data policy: impute inside the model, delete the row, or drop the column.

    Attributes:
        numbers: How a missing number is imputed for linear models; fitted on the training rows alone.
        columns: What holds for one feature and every candidate; ``age: knn`` is short for ``age: {impute: knn}``.
        delete: Columns whose missing value sends the row to quarantine instead.
    """

    numbers: Literal["median", "mean", "most_frequent"] = "median"
    columns: dict[str, MissingColumn] = Field({})
    delete: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_stated_once(self) -> Self:
        if both := [name for name in self.delete if name in self.columns]:
            raise ValueError(
                f"'{both[0]}' is in delete and in columns: a row without it is deleted, so that nothing is left to "
                "impute; remove one of them"
            )
        return self


class Outlier(Section):
    """What becomes of the unlikely values of one number.

    Attributes:
        action: ``clip`` moves them to the limit, in the model; ``flag`` leaves them, and a column of 0 and 1 beside
            them tells which; ``quarantine`` sets the row aside, so that it neither trains nor tests, and needs stated
            limits. A request is answered in each case; what cannot be, and is to be refused, is said by ``minimum``
            and ``maximum`` of the column.
        fences: Limits are Q1 - fences * IQR and Q3 + fences * IQR of the rows the model is fitted on (Tukey, 1977); by
            default 1.5, and 3 is for what is far out.
        low: A stated limit in their place.
        high: A stated limit in their place.
    """

    action: Literal["clip", "flag", "quarantine"]
    fences: float | None = Field(None, gt=0)
    low: float | None = None
    high: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, raw: object) -> object:
        return {"action": raw} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _has_limits_of_one_kind(self) -> Self:
        stated = self.low is not None or self.high is not None
        if stated and self.fences is not None:
            raise ValueError("give fences, or low and high; not both")
        if self.action == "quarantine" and not stated:
            raise ValueError("quarantine needs low or high: cleaning goes by nothing that is learnt from the rows")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low:.15g} has to be below high {self.high:.15g}")
        return self

    @property
    def learnt(self) -> float | None:
        """How many interquartile ranges the limits lie beyond the quartiles; None where they are stated."""
        return None if self.low is not None or self.high is not None else self.fences or TUKEY

    @property
    def text(self) -> str:
        """The policy in words."""
        if self.learnt is not None:
            return f"{self.action} beyond {self.learnt:.15g} IQR of the quartiles"
        ends = [f"below {self.low:.15g}"] if self.low is not None else []
        ends += [f"above {self.high:.15g}"] if self.high is not None else []
        return f"{self.action} {' and '.join(ends)}"


class Duplicates(Section):
    """Which of several rows that are the same stays.

    Attributes:
        by: Columns in which rows are the same; by default the ids, and all columns where there are none. A row without
            any value in them goes by its identity.
        keep: The ``first`` line; the ``latest``, which has the greatest time, and of equal times, or without a time
            column, is the last line; or ``all``.
    """

    by: tuple[str, ...] = ()
    keep: Literal["first", "latest", "all"] = "first"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, raw: object) -> object:
        words = {"quarantine": "first", "keep": "all"}  # of the projects before there was a choice
        return {"keep": words.get(raw, raw)} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _a_key_decides(self) -> Self:
        if self.by and self.keep == "all":
            raise ValueError("by says which rows are the same, and keep: all keeps them all; remove one of them")
        return self


class Split(Section):
    """How rows are divided; the same row always falls on the same side.

    Attributes:
        method: ``hash`` of the row's identity or of its group, or ``time``: the last rows are the test. ``auto`` takes
            time where there is a time column and no group.
        validation: Share of the rows, or days such as ``14d`` for a time split.
        test: The same for the test rows.
        group: A column that names people or things which have several rows: all rows of one are on one side, by the
            hash of its value, and it is no feature. A row without a value goes as if there were no group.
        equal_rows: Whether rows that are equal in all features are kept ``together`` on one side of a split by hash, by
            that of these features, so that no test row stands in training too, or may fall ``apart`` as all others do.
    """

    method: Literal["auto", "hash", "time"] = "auto"
    validation: float | str = 0.15
    test: float | str = 0.15
    group: str | None = None
    equal_rows: Literal["together", "apart"] = "together"

    @field_validator("validation", "test")
    @classmethod
    def _size(cls, value: float | str) -> float | str:
        if isinstance(value, str):
            days = DAYS.fullmatch(value)
            if days is None:
                raise ValueError("give a share such as 0.15, or days such as '14d'")
            if len(days[1]) > len(str(MOST_DAYS)) or int(days[1]) > MOST_DAYS:
                raise ValueError(f"give at most {MOST_DAYS} days")
        elif not 0 < value < 0.5:
            raise ValueError("a share has to be above 0 and below 0.5")
        return value


class Cleaning(Section):
    """What may be kept, what is quarantined, and what becomes of values that are missing or unlikely.

    Attributes:
        missing: Of missing values.
        outliers: Of unlikely values, by feature; ``income: clip`` is short for ``income: {action: clip}``.
        duplicates: Of rows that are the same; ``latest`` is short for ``{keep: latest}``.
        quarantine_budget: Largest share of the rows that may break the rules. Rows that only lack a label, and those
            that a later one replaces, do not count.
        minimum_rows: Fewer rows train no model.
        split: Which rows train, choose and test.
    """

    missing: Missing = Missing()
    outliers: dict[str, Outlier] = Field({})
    duplicates: Duplicates = Duplicates()
    quarantine_budget: float = Field(0.05, ge=0, le=1)
    minimum_rows: int = Field(50, ge=1)
    split: Split = Split()


def policy_problems(cleaning: Cleaning, columns: Mapping[str, Column], features: Mapping[str, Column]) -> Iterator[str]:
    """What does not fit together between a cleaning policy and the columns, each as a sentence that names the field.

    Args:
        cleaning: The policy.
        columns: All columns.
        features: Those a model may see.
    """
    missing = cleaning.missing.columns
    named = {"missing.columns": [*missing], "outliers": [*cleaning.outliers], "duplicates.by": cleaning.duplicates.by}
    for field, names in named.items():
        for name in names:
            if name not in columns:
                yield f"cleaning.{field}: there is no column '{name}'{did_you_mean(name, columns)}"
            elif name not in features and field != "duplicates.by":
                yield f"cleaning.{field}.{name}: it is no feature, so no model is given its values; remove it"
    for name in features:
        if name in missing and (problem := _imputing_problem(missing[name], features[name])):
            yield f"cleaning.missing.columns.{name}: {problem}"
        if name in cleaning.outliers and features[name].type not in ("number", "integer"):
            yield f"cleaning.outliers.{name}: a {features[name].type} has no outliers; remove it"
    if features and not lasting(cleaning, features):
        yield "cleaning.missing.columns: every feature may be dropped; leave drop_above out of one at least"


def lasting(cleaning: Cleaning, features: Mapping[str, Column]) -> list[str]:
    """The features that are never dropped, whatever the rows hold."""
    policies = cleaning.missing.columns
    return [name for name in features if name not in policies or policies[name].drop_above is None]


def beyond_reach(cleaning: Cleaning, numbers: Sequence[str], rows: int) -> str:
    """Why missing values cannot be imputed as a policy has it on a table of that size; empty if they can.

    Args:
        cleaning: The policy.
        numbers: The features that are numbers.
        rows: Rows to fit on.
    """
    for name, policy in cleaning.missing.columns.items():
        most = MOST_ROWS.get(policy.impute or "")
        if most is None or name not in numbers:
            continue
        way = f"cleaning.missing.columns.{name}: {policy.impute} is for at most"
        if rows > most:
            return f"{way} {counted(most, 'row')} to fit on, and there are {rows:,}: its time grows too fast with them"
        if len(numbers) > MOST_NUMBERS:
            return f"{way} {MOST_NUMBERS} features that are numbers, and there are {len(numbers):,}"
    return ""


def _imputing_problem(policy: MissingColumn, column: Column) -> str:
    if not column.nullable and policy.for_all:
        return "the column is not nullable, so a row without it is quarantined; remove one of them"
    if column.type == "category" and policy.impute in ("median", "mean", "iterative", "knn"):
        return f"a category has no {policy.impute}; impute most_frequent or a constant"
    if policy.value is None:
        return ""
    return _value_problem(policy.value, column)


def _value_problem(value: Any, column: Column) -> str:
    number = isinstance(value, bool | int | float)
    if column.type == "category":
        return "" if isinstance(value, str) and value.strip() else "value has to be text in quotes"
    if not number or (column.type != "boolean" and isinstance(value, bool)):
        return f"value has to be {'true or false' if column.type == 'boolean' else 'a number'}"
    if column.type == "boolean" and value not in (0, 1):
        return "value has to be true or false"
    if column.type == "integer" and value % 1:
        return "value has to be a whole number"
    low, high = column.minimum, column.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        return "value is out of the range of the column"
    return ""
