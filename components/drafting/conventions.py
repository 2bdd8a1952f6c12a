"""How the numbers and times of a column are written, decided from all of its values, or a question about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ciclo.components.core.values import Plain
from ciclo.components.core.written import DAY_AND_MONTH, number_pattern

_TOLERANCE = 0.01
# In the order of preference where values read alike; the first is the plain one.
NUMBERS = (
    Plain("number"),
    Plain("number", decimal=","),
    Plain("number", thousands=","),
    Plain("number", decimal=",", thousands="."),
    Plain("number", thousands=" "),
    Plain("number", decimal=",", thousands=" "),
    Plain("number", thousands="'"),
    Plain("number", decimal=",", thousands="'"),
)
# A value worth a second look: it begins like a number and has a mark in it.
MARKED = r"^[+-]?[0-9]*[.,/' \x{a0}\x{202f}\x{2019}-][0-9]"


@dataclass(frozen=True)
class Written:
    """How a column is written.

    Attributes:
        rules: What reads its numbers or times.
        question: What cannot be known from the values; or empty.
        decides: Whether the decimal mark of the column is beyond doubt.
    """

    rules: Plain
    question: str = ""
    decides: bool = False


def counts(text: Any) -> dict[str, Any]:
    """In which ways a value may be written, as expressions over the trimmed text of a column."""
    parts = text.re_search(DAY_AND_MONTH)
    first, second = (text.re_extract(r"^([0-9]+)[./-]([0-9]+)", group).try_cast("int64") for group in (1, 2))
    numbers = {
        f"n{place}": text.re_search(number_pattern(rules.decimal, rules.thousands))
        for place, rules in enumerate(NUMBERS)
    }
    return {
        **numbers,
        "marked": text.re_search("[.,]"),
        "dates": parts & (first <= 31) & (second <= 31) & ((first <= 12) | (second <= 12)),
        "day_first": parts & (first > 12),
        "month_first": parts & (second > 12),
    }


def decide(found: Mapping[str, int], present: int) -> Written | None:
    """How a column is written, by its own values; None where it is plain or no number and no time.

    Args:
        found: In how many rows each of ``counts`` holds.
        present: How many values there are.
    """
    enough = (1 - _TOLERANCE) * present
    if found["dates"] - min(found["day_first"], found["month_first"]) >= enough:
        if not found["day_first"] and not found["month_first"]:
            return Written(
                Plain("timestamp"), "its dates could be day first or month first: set day_first: true or false"
            )
        return Written(Plain("timestamp", day_first=found["day_first"] > found["month_first"]))
    best = max(found[f"n{place}"] for place in range(len(NUMBERS)))
    if best < enough:
        return None
    tied = [rules for place, rules in enumerate(NUMBERS) if found[f"n{place}"] == best]
    point = next((rules for rules in tied if rules.decimal == "."), None)
    comma = next((rules for rules in tied if rules.decimal == ","), None)
    if point is None or comma is None:
        return Written(point or comma or NUMBERS[0], decides=found["marked"] > 0)
    if point.thousands == comma.thousands:
        return Written(point)
    return Written(point, "" if point == NUMBERS[0] else _question(point))


def _question(point: Plain) -> str:
    return (
        f'its numbers could have decimals or thousands behind the comma: set decimal: "," or '
        f'thousands: "{point.thousands}"'
    )


def agreed(columns: Iterable[Written]) -> str:
    """The decimal mark on which the columns that decide it agree; empty if there is none."""
    marks = {column.rules.decimal for column in columns if column.decides}
    return marks.pop() if len(marks) == 1 else ""


def settled(column: Written, found: Mapping[str, int], mark: str) -> Written:
    """A column that could be written in two ways, by the mark that the rest of its file has."""
    if column.decides or column.rules.type != "number" or not mark:
        return column
    best = max(found[f"n{place}"] for place in range(len(NUMBERS)))
    tied = [rules for place, rules in enumerate(NUMBERS) if found[f"n{place}"] == best and rules.decimal == mark]
    return replace(column, rules=tied[0], question="") if tied else column
