"""The rules of a column: what decides how its values are read."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ciclo.components.core.dates import COMPACT, DateForm, WrittenDate
from ciclo.components.core.written import DecimalMark, NegativeForm, NumberForm, ThousandsMark

# What says how the text of a column is written.
WRITTEN = ("decimal", "thousands", "lakhs", "unit", "negative", "day_first", "dates", "ignore_case", "map")
ColumnType = Literal["number", "integer", "boolean", "category", "timestamp"]

KINDS: dict[ColumnType, str] = {
    "number": "a finite number up to 3.4e38",
    "integer": "a whole number",
    "boolean": "true or false",
    "category": "text",
    "timestamp": "an ISO time",
}


class Rules(Protocol):
    """What is known of a column; the columns of a project and of a contract both are rules."""

    @property
    def type(self) -> ColumnType:
        """How values are read."""

    @property
    def nullable(self) -> bool:
        """Whether a value may be missing."""

    @property
    def minimum(self) -> float | None:
        """Smallest number."""

    @property
    def maximum(self) -> float | None:
        """Largest number."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Allowed categories; empty means any."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Words that stand for a missing value."""

    @property
    def decimal(self) -> DecimalMark:
        """What stands before the decimals of a number that is text."""

    @property
    def thousands(self) -> ThousandsMark:
        """What may stand between thousands in a number that is text."""

    @property
    def lakhs(self) -> bool:
        """Whether digits are grouped as in India, where they are."""

    @property
    def unit(self) -> str:
        """What may stand before or after a number that is text."""

    @property
    def negative(self) -> NegativeForm:
        """How a number below zero may be written beside a minus sign in front."""

    @property
    def day_first(self) -> bool | None:
        """Whether 1/2/2026 is in February or in January; None if that is no time."""

    @property
    def dates(self) -> WrittenDate:
        """How a time that is text may be written beside ISO 8601; empty if in no other way than by ``day_first``."""

    @property
    def ignore_case(self) -> bool:
        """Whether a value that differs from a category only in case or spaces is that category."""

    @property
    def map(self) -> tuple[tuple[str, str], ...]:
        """Spellings, each with the level that it stands for."""


@dataclass(frozen=True)
class Plain:
    """Rules that only say the type."""

    type: ColumnType
    missing: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    decimal: DecimalMark = "."
    thousands: ThousandsMark = ""
    lakhs: bool = False
    unit: str = ""
    negative: NegativeForm = "-1"
    day_first: bool | None = None
    dates: WrittenDate = ""
    ignore_case: bool = False
    map: tuple[tuple[str, str], ...] = ()


def written(rules: Rules) -> dict[str, Any]:
    """How the text of a column is written, where that is not plain."""
    plain = Plain(rules.type)
    return {name: value for name in WRITTEN if (value := getattr(rules, name)) != getattr(plain, name)}


def is_compact(rules: Rules) -> bool:
    """Whether a number may be a time, such as 20230105."""
    return rules.type == "timestamp" and rules.dates == COMPACT


def number_form(rules: Rules) -> NumberForm:
    """How the numbers of a column are written."""
    return NumberForm(rules.decimal, rules.thousands, rules.lakhs, rules.unit, rules.negative)


def date_form(rules: Rules) -> DateForm | None:
    """How the times of a column are written beside ISO 8601; None if in no other way."""
    if rules.dates:
        return rules.dates
    return None if rules.day_first is None else "31/12/2026" if rules.day_first else "12/31/2026"


def kind_of(rules: Rules) -> str:
    """What a value of a column has to be, for a message."""
    if rules.type in ("number", "integer") and not (form := number_form(rules)).is_plain:
        return f"{KINDS[rules.type]}, written like {form.example(whole=rules.type == 'integer')}"
    if rules.type == "timestamp" and (date := date_form(rules)) is not None:
        return f"{KINDS[rules.type]}, or one like {date}"
    return KINDS[rules.type]
