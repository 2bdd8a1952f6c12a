"""How text stands for a number, a time or a category where its column says so: ``1.622,15``, ``17/04/2023``, ``YES``.

Every rule turns text into the one form that ``core.values`` reads. The patterns mean the same to Python and to the
engines' RE2, so that ``tables.reading`` says the same as an expression.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, Literal

DecimalMark = Literal[".", ","]
ThousandsMark = Literal["", ",", ".", " ", "'"]

# What is written for a mark: a space may be one that does not break, an apostrophe the typographer's.
MARKS: Final = {".": r"\.", ",": ",", " ": "[ \u00a0\u202f]", "'": "['\u2019]"}
SPACES: Final = r"[ \t\r\n\x0b\x0c]+"
_CLOCK = r"(?:[0-9]|[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)?"
_HALF_DAY = r"(?:0?[1-9]|1[0-2]):[0-5][0-9](?::[0-5][0-9])? ?[AaPp][Mm]"
# A day and a month of one or two digits, in either order, the same mark twice, and a year of four.
DAY_AND_MONTH: Final = (
    r"^(?:[0-9]{1,2}/[0-9]{1,2}/|[0-9]{1,2}\.[0-9]{1,2}\.|[0-9]{1,2}-[0-9]{1,2}-)[0-9]{4}"
    rf"(?:[T ](?:{_CLOCK}{_ZONE}|{_HALF_DAY}))?$"
)
# The same, cut: first number, second number, year, hour, the rest of the clock, A or P.
DATE_PARTS: Final = (
    r"^([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})(?:[T ]([0-9]{1,2})(:[0-9:.Z+-]*))?(?: ?([AaPp])[Mm])?$"
)
_DAY_AND_MONTH, _DATE_PARTS, _SPACES = re.compile(DAY_AND_MONTH), re.compile(DATE_PARTS), re.compile(SPACES)


@cache
def number_pattern(decimal: DecimalMark, thousands: ThousandsMark) -> str:
    """What a number looks like; a mark of thousands stands between groups of three digits or nowhere."""
    grouped = f"|[1-9][0-9]{{0,2}}(?:{MARKS[thousands]}[0-9]{{3}})+" if thousands else ""
    mark = MARKS[decimal]
    return rf"^[+-]?(?:(?:[0-9]+{grouped})(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?$"


def plain_number(decimal: DecimalMark, thousands: ThousandsMark) -> Callable[[str], str] | None:
    """What turns the text of a number into that of a plain one, and other text into none; None if nothing is to do."""
    if decimal == "." and not thousands:
        return None
    pattern = re.compile(number_pattern(decimal, thousands))
    between = re.compile(MARKS[thousands]) if thousands else None

    def plain(text: str) -> str:
        if not pattern.fullmatch(text):
            return ""
        return (between.sub("", text) if between else text).replace(decimal, ".")

    return plain


def iso_time(text: str, *, day_first: bool) -> str:
    """A time whose day and month come first as ISO 8601; other text as it is."""
    if not _DAY_AND_MONTH.fullmatch(text) or not (found := _DATE_PARTS.fullmatch(text)):
        return text
    first, second, year, hour, rest, half = found.groups()
    day, month = (first, second) if day_first else (second, first)
    date = f"{year}-{month:0>2}-{day:0>2}"
    if hour is None:
        return date
    if half is not None:
        hour = str(int(hour) % 12 + (12 if half in "Pp" else 0))
    return f"{date} {hour:0>2}{rest}"


def same_label(text: str) -> str:
    """What two labels have in common that differ only in case or in spaces.

    Case letter by letter, as engines have it: ``str.lower`` knows where in a word a letter stands.
    """
    return _SPACES.sub(" ", "".join(map(_lower, text)))


@cache
def _lower(letter: str) -> str:
    return letter.lower()[0] if letter == "\u0130" else letter.lower()


def labels(categories: Sequence[str]) -> dict[str, str]:
    """The category that each label in common stands for."""
    return {same_label(category): category for category in reversed(categories)}
