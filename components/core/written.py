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
_DAY_AND_MONTH, _SPACES = re.compile(DAY_AND_MONTH), re.compile(SPACES)


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


@cache
def iso_steps(*, day_first: bool) -> tuple[tuple[str, str], ...]:
    """What is replaced, one after the other, to make ISO 8601 of text that is like ``DAY_AND_MONTH``."""
    date = r"\3-\2-\1" if day_first else r"\3-\1-\2"
    hour = r"^(.{10}[T ])"
    return (
        (r"^([0-9])([./-])", r"0\1\2"),
        (r"^([0-9]{2}[./-])([0-9][./-])", r"\g<1>0\2"),
        (r"^([0-9]{2})[./-]([0-9]{2})[./-]([0-9]{4})", date),
        (rf"{hour}([0-9]:)", r"\g<1>0\2"),
        (rf"{hour}12(:[0-9:]+) ?[Aa][Mm]$", r"\g<1>00\2"),
        *((rf"{hour}{h:02d}(:[0-9:]+) ?[Pp][Mm]$", rf"\g<1>{h + 12}\2") for h in range(1, 12)),
        (r" ?[AaPp][Mm]$", ""),
    )


@cache
def _compiled(*, day_first: bool) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), instead) for pattern, instead in iso_steps(day_first=day_first)]


def iso_time(text: str, *, day_first: bool) -> str:
    """A time whose day and month come first as ISO 8601; other text as it is."""
    if not _DAY_AND_MONTH.fullmatch(text):
        return text
    for pattern, instead in _compiled(day_first=day_first):
        text = pattern.sub(instead, text)
    return text


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
