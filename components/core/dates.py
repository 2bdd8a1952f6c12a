"""How text stands for a time where its column says so: ``17/04/2023``, ``05-Jan-23``, ``20230105``.

As in ``core.written``, every form is a pattern and steps that make ISO 8601 of what looks like it, which Python and the
engines' RE2 read alike.
"""

import re
from functools import cache
from typing import Final, Literal, get_args

# A column says them by an example, the last day of 2026; the first two by ``day_first``.
DateForm = Literal[
    "2026/12/31", "31-Dec-2026", "20261231", "31/12/26", "12/31/26", "26/12/31", "31-Dec-26", "31/12/2026", "12/31/2026"
]
WrittenDate = Literal["", "2026/12/31", "31-Dec-2026", "20261231", "31/12/26", "12/31/26", "26/12/31", "31-Dec-26"]
FORMS: Final[tuple[DateForm, ...]] = get_args(DateForm)
COMPACT: Final = "20261231"
SHORT_YEARS: Final = "years 69 to 99 are 1969 to 1999, and 00 to 68 are 2000 to 2068"  # as POSIX strptime has it
# A time that says its zone.
ZONED: Final = r"[T :].*[0-9AaPpMm.] ?(?:Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)\s*$"

_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
_CLOCK = r"(?:[0-9]|[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
ZONE: Final = r"(?: ?(?:Z|UTC|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?))?"
# Chrome and Node write a narrow space in front of it, others one that does not break.
_HALF, _AM, _PM = (f"[ \u00a0\u202f]?[{letters}]\\.?[Mm]\\.?" for letters in ("AaPp", "Aa", "Pp"))
_HALF_DAY = rf"(?:0?[1-9]|1[0-2]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{{1,9}})?)?{_HALF}{ZONE}"
_DOTS = r"\.[0-5][0-9]\.[0-5][0-9](?:\.[0-9]{1,9})?"
_DOTTED = rf"(?:(?:[0-9]|[01][0-9]|2[0-3]){_DOTS}|(?:0?[1-9]|1[0-2]){_DOTS}{_HALF}){ZONE}"
_APART = "(?:[T ]|, ?| {2})"  # a day from its time
_TIME = rf"(?:{_APART}(?:{_CLOCK}{ZONE}|{_HALF_DAY}))?"
_ONE_OR_TWO = "[0-9]{1,2}"


def _in_any_case(word: str) -> str:
    return "".join(f"[{letter.upper()}{letter.lower()}]" for letter in word)


def _month(name: str) -> str:
    """A month by its name, by three letters of it, or by four of September."""
    short, more = name[:3], ["t"] if name == "September" else []
    rest = [_in_any_case(r) for r in (name[3:], *more) if r]
    return _in_any_case(short) + (f"(?:{'|'.join(rest)})?" if rest else "")


SHORT_MONTH: Final = f"(?:{'|'.join(_in_any_case(name[:3]) for name in _MONTHS)})"
_MONTH = rf"(?:{'|'.join(map(_month, _MONTHS))})\.?"
_ANY_MONTH = rf"({SHORT_MONTH})[A-Za-z]*\.?"
_MARK, _COMMA, _BREAK = "[ ./-]{0,2}", "(?:, ?|[ ./-]{0,2})", "(?:, ?|[ /-])"
_NAMED_TIME = rf"(?:(?:{_APART}|:)(?:{_CLOCK}{ZONE}|{_HALF_DAY}|{_DOTTED}))?"


def _same_mark(*parts: str) -> str:
    return "(?:" + "|".join(mark.join(parts) for mark in ("/", r"\.", "-")) + ")"


def _named(year: str) -> str:
    """A day, the name of its month and its year; a year of four digits may also come first, or the month."""
    day_first = f"{_ONE_OR_TWO}{_MARK}{_MONTH}{_COMMA}{year}"
    if year == "[0-9]{2}":
        return day_first
    month_first = f"{_MONTH}{_MARK}{_ONE_OR_TWO}{_BREAK}{year}"
    return f"(?:{day_first}|{month_first}|{year}{_MARK}{_MONTH}{_MARK}{_ONE_OR_TWO})"


_DAY_OF_YEAR = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_COMPACT_TIME = rf"(?:[T ]?[0-9]{{4}}(?:[0-9]{{2}})?{ZONE}|[T ]{_CLOCK}{ZONE})?"

PATTERNS: Final[dict[DateForm, str]] = {
    "31/12/2026": f"^{_same_mark(_ONE_OR_TWO, _ONE_OR_TWO, '[0-9]{4}')}{_TIME}$",
    "12/31/2026": f"^{_same_mark(_ONE_OR_TWO, _ONE_OR_TWO, '[0-9]{4}')}{_TIME}$",
    "2026/12/31": f"^{_same_mark('[0-9]{4}', _ONE_OR_TWO, _ONE_OR_TWO)}{_TIME}$",
    "31/12/26": f"^{_same_mark(_ONE_OR_TWO, _ONE_OR_TWO, '[0-9]{2}')}{_TIME}$",
    "12/31/26": f"^{_same_mark(_ONE_OR_TWO, _ONE_OR_TWO, '[0-9]{2}')}{_TIME}$",
    "26/12/31": f"^{_same_mark('[0-9]{2}', _ONE_OR_TWO, _ONE_OR_TWO)}{_TIME}$",
    "31-Dec-2026": f"^{_named('[0-9]{4}')}{_NAMED_TIME}$",
    "31-Dec-26": f"^{_named('[0-9]{2}')}{_NAMED_TIME}$",
    "20261231": rf"^[0-9]{{4}}{_DAY_OF_YEAR}(?:\.0+|{_COMPACT_TIME})$",  # the first of columns with gaps, by pandas
}


@cache
def iso_steps(form: DateForm) -> tuple[tuple[str, str], ...]:
    """What is replaced, one after the other, to make ISO 8601 of text that is like the pattern of a form."""
    return (*_DATES[form], *_CLOCKS)


def mixed_zones(zoned: int, others: int) -> str:
    """What is said where some times of a column say their zone and others do not."""
    say = "says no zone and is" if others == 1 else "say no zone and are"
    return f"{others:,} of its times {say} taken for UTC, beside {zoned:,} with one"


@cache
def _compiled(form: DateForm) -> tuple[re.Pattern[str], list[tuple[re.Pattern[str], str]]]:
    return re.compile(PATTERNS[form]), [(re.compile(pattern), instead) for pattern, instead in iso_steps(form)]


def iso_time(text: str, form: DateForm) -> str:
    """A time that is written like a form as ISO 8601; other text as it is."""
    pattern, steps = _compiled(form)
    if not pattern.fullmatch(text):
        return text
    for old, new in steps:
        text = old.sub(new, text)
    return text


_Steps = tuple[tuple[str, str], ...]
_PAD_FIRST = (r"^([0-9])([./-])", r"0\1\2")
_PAD_SECOND = (r"^([0-9]{2}[./-])([0-9][./-])", r"\g<1>0\2")
_PAD_DAY = (r"^(.{8})([0-9])($|[^0-9])", r"\g<1>0\2\3")
_CENTURY: _Steps = ((r"^(69|[7-9][0-9])-", r"19\1-"), (r"^([0-9]{2})-", r"20\1-"))


def _number_steps(year: str, order: str) -> _Steps:
    return (_PAD_FIRST, _PAD_SECOND, (rf"^([0-9]{{2}})[./-]([0-9]{{2}})[./-]([0-9]{{{year}}})", order))


def _year_first(digits: str) -> _Steps:
    return ((rf"^([0-9]{{{digits}}})[./-]([0-9]{{1,2}})[./-]([0-9]{{1,2}})", r"\1-\2-\3"),)


def _named_steps(digits: str) -> _Steps:
    year = f"([0-9]{{{digits}}})"
    return (
        (rf"^([0-9]{{1,2}}){_MARK}{_ANY_MONTH}{_COMMA}{year}", r"\3-\2-\1"),
        *(((rf"^{_ANY_MONTH}{_MARK}([0-9]{{1,2}}){_BREAK}{year}", r"\3-\1-\2"),) if digits == "4" else ()),
        *(((rf"^{year}{_MARK}{_ANY_MONTH}{_MARK}([0-9]{{1,2}})", r"\1-\2-\3"),) if digits == "4" else _CENTURY),
        *((f"^(.{{5}}){_in_any_case(name[:3])}-", rf"\g<1>{n:02d}-") for n, name in enumerate(_MONTHS, 1)),
        _PAD_DAY,
    )


_PAD_MONTH = (r"^(.{5})([0-9])-", r"\g<1>0\2-")
_DATES: dict[DateForm, _Steps] = {
    "31/12/2026": _number_steps("4", r"\3-\2-\1"),
    "12/31/2026": _number_steps("4", r"\3-\1-\2"),
    "2026/12/31": (*_year_first("4"), _PAD_MONTH, _PAD_DAY),
    "31/12/26": (*_number_steps("2", r"\3-\2-\1"), *_CENTURY),
    "12/31/26": (*_number_steps("2", r"\3-\1-\2"), *_CENTURY),
    "26/12/31": (*_year_first("2"), *_CENTURY, _PAD_MONTH, _PAD_DAY),
    "31-Dec-2026": _named_steps("4"),
    "31-Dec-26": _named_steps("2"),
    "20261231": (
        (r"^([0-9]{8})\.0+$", r"\1"),
        (r"^([0-9]{4})([0-9]{2})([0-9]{2})", r"\1-\2-\3"),
        (r"^(.{10})([0-9])", r"\1 \2"),
        (r"^(.{10}[T ])([0-9]{2})([0-9]{2})", r"\1\2:\3"),
        (r"^(.{10}[T ].{5})([0-9]{2})", r"\1:\2"),
    ),
}
_HOUR = r"^(.{10}[T ])"
_CLOCKS: _Steps = (
    (r"^(.{10})(?::|, ?| {2})", r"\1 "),
    (rf"{_HOUR}([0-9]{{1,2}})\.([0-5][0-9])\.([0-5][0-9])", r"\1\2:\3:\4"),
    (rf"{_HOUR}([0-9]:)", r"\g<1>0\2"),
    (rf"{_HOUR}12(:[0-9:.]+){_AM}", r"\g<1>00\2"),
    *((rf"{_HOUR}{h:02d}(:[0-9:.]+){_PM}", rf"\g<1>{h + 12}\2") for h in range(1, 12)),
    (_HALF, ""),
)
