"""How the numbers and times of a column are written, decided from all of its values, or a question about it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ibis

from ciclo.components.core.dates import COMPACT, PATTERNS, SHORT_MONTH, DateForm, WrittenDate
from ciclo.components.core.rules import Plain, number_form
from ciclo.components.core.wording import counted, listed
from ciclo.components.core.written import GAP, MINUS, NegativeForm

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
    Plain("number", thousands=",", lakhs=True),
)
# Signs and the codes of ISO 4217 for the currencies that are traded most (Bank for International Settlements, 2022).
_SIGNS = ("US$", "CA$", "A$", "C$", "HK$", "NZ$", "S$", "R$", *"$€£¥₹₩₽₺₪฿₫₴₦₱₡₲₵₸", "%", "kr", "zł", "Kč", "Ft", "Rs.")
_SIGNS += ("Rs", "Fr.")
_CODES = (  # noqa: SIM905
    "USD EUR JPY GBP CNY AUD CAD CHF HKD SGD SEK KRW NOK NZD INR MXN TWD ZAR BRL DKK PLN THB ILS IDR CZK AED TRY HUF "
    "CLP SAR PHP MYR COP RUB RON PEN"
).split()
_UNIT = f"(?:{'|'.join(re.escape(unit) for unit in (*_SIGNS, *_CODES))})"
_IN_FRONT = rf"^([+({MINUS}-]?)({_UNIT}){GAP}([(+{MINUS}-]?[.,]?[0-9])"
_BEHIND = rf"([0-9)][.,-]?){GAP}({_UNIT})([)-]?)$"
# A value worth a second look: it begins like a number or a time and has a mark, a sign, a unit or a month in it.
MARKED = "|".join(
    (
        r"^[+-]?[0-9]*[.,/' \x{a0}\x{2009}\x{202f}\x{2019}-][0-9]",
        rf"^[({MINUS}][(+{MINUS}-]?[.,]?[0-9]",
        r"^[0-9][0-9.,' ]*-$",
        rf"^[0-9]{{1,4}}[ ./-]{{0,2}}{SHORT_MONTH}",
        rf"^{SHORT_MONTH}[A-Za-z]*[ ./-]{{0,2}}[0-9]",
        _IN_FRONT,
        _BEHIND,
    )
)
MARKED_NUMBER = "^[+-]?[0-9]*[.-][0-9]"  # what that comes to for a plain number
# Numbers that could be days by chance: fewer different ones prove nothing, as a counter passes for days that long.
_PROOF = 32
_FEW = 20  # different whole numbers, up to which 2- may be a mark that is a little worse than 2
_DAYS, _YEARS = 28, 10  # as many days of a month, and as few years, that one cannot be taken for the other
_QUESTION = "its numbers could have decimals or thousands behind the {}: set {} or {}"
_SHORT: dict[str, WrittenDate] = {"dmy": "31/12/26", "mdy": "12/31/26", "ymd": "26/12/31"}
_NAMED: dict[str, WrittenDate] = {"year_first": "2026/12/31", "names": "31-Dec-2026", "short_names": "31-Dec-26"}
_NEGATIVE: dict[str, NegativeForm] = {"brackets": "(1)", "behind": "1-", "signs": "\u22121"}
_DATE_NAME = re.compile(
    r"(^|[^a-z])(date|day|dt|datum|ymd|yyyymmdd|time|timestamp|dob|birth|born)([^a-z]|$)"
    r"|(start|end|birth|order|due|sale|trade|value|book|post|ship)date$|^date(of|time)",
    re.IGNORECASE,
)
_CAMEL_DATE = re.compile(r"[a-z](Date|Day|Time|Dt)([^a-z]|$)")


@dataclass(frozen=True)
class Written:
    """How a column is written.

    Attributes:
        rules: What reads its numbers or times.
        question: What cannot be known from the values; or empty.
        decides: Whether the decimal mark of the column is beyond doubt.
        note: What else to say of it; or empty.
    """

    rules: Plain
    question: str = ""
    decides: bool = False
    note: str = ""


@dataclass(frozen=True)
class Marks:
    """What was counted of a column.

    Attributes:
        found: In how many rows each of ``counts`` and ``more_counts`` holds, and how many ``varieties`` there are.
        units: Rows by unit that stands beside a number; the empty one for those without.
        present: How many values there are.
        distinct: How many different ones.
    """

    found: Mapping[str, int]
    units: Mapping[str, int]
    present: int
    distinct: int

    @property
    def enough(self) -> float:
        """How many values have to agree."""
        return (1 - _TOLERANCE) * self.present

    @property
    def best(self) -> int:
        """The most values that one way to write numbers reads."""
        return max(self.found[f"n{place}"] for place in range(len(NUMBERS)))

    @property
    def tied(self) -> list[Plain]:
        """The ways that read as many."""
        return [rules for place, rules in enumerate(NUMBERS) if self.found[f"n{place}"] == self.best]


def without_unit(text: Any) -> tuple[Any, Any]:
    """The unit that stands beside a number, or empty text, and the value without it."""
    front, behind = text.re_extract(_IN_FRONT, 2), text.re_extract(_BEHIND, 2)
    is_behind = front == ""
    bare = is_behind.ifelse(text.re_replace(_BEHIND, r"\1\3"), text.re_replace(_IN_FRONT, r"\1\3"))
    return is_behind.ifelse(behind, front), bare


def counts(text: Any) -> dict[str, Any]:
    """In which ways a value may be written, as expressions over the trimmed text of a column."""
    parts = text.re_search(PATTERNS["31/12/2026"])
    first, second = _parts(text, 2)
    return {
        **_number_counts(text),
        "dates": parts & (first <= 31) & (second <= 31) & ((first <= 12) | (second <= 12)),
        "day_first": parts & (first > 12),
        "month_first": parts & (second > 12),
    }


def plain_counts(text: Any) -> dict[str, Any]:
    """The same, for columns that hold nothing but plain numbers: ``of_plain`` knows the rest."""
    wanted = {"marked", *(f"n{NUMBERS.index(_alike(rules))}" for rules in NUMBERS)}
    return {name: found for name, found in _number_counts(text).items() if name in wanted}


def of_plain(row: Mapping[str, int]) -> dict[str, int]:
    """All of ``counts`` from ``plain_counts``: a plain number is no date, and has a point and no other mark in it."""
    alike = {f"n{n}": f"n{NUMBERS.index(_alike(rules))}" for n, rules in enumerate(NUMBERS)}
    found = {name: row[other] for name, other in alike.items()}
    return {**found, "marked": row["marked"], "dates": 0, "day_first": 0, "month_first": 0}


def _alike(rules: Plain) -> Plain:
    """The one of three ways to write numbers that says the same of text without comma, space and apostrophe."""
    if rules.decimal == ".":
        return NUMBERS[0]
    return rules if rules.thousands == "." else NUMBERS[1]


def more_counts(text: Any, bare: Any) -> dict[str, Any]:
    """The same and in which other ways, for columns that are no plain numbers.

    Args:
        text: The trimmed text.
        bare: That without a unit.
    """
    brackets, behind = bare.re_search(r"^\([^()-]*\)$"), bare.re_search("^[0-9.,].*-$")
    signs = bare.re_search(f"^[{MINUS}]")
    plain = bare.re_replace(r"^\(([^()-]*)\)$", r"-\1").re_replace("^([0-9.,].*)-$", r"-\1")
    plain = plain.re_replace(f"^[{MINUS}]", "-")
    first, second, third = _parts(text, 3)
    short, is_month = text.re_search(_either("31/12/26", "26/12/31")), second.between(1, 12)
    last_short, first_short = text.re_search(PATTERNS["31/12/26"]), text.re_search(PATTERNS["26/12/31"])
    long = text.re_search(PATTERNS["2026/12/31"])
    return {
        **counts(text),
        **_number_counts(plain),
        "brackets": brackets,
        "behind": behind,
        "signs": signs,
        "plus": text.re_search(r"^\+"),
        "year_first": long & is_month & third.between(1, 31),
        "names": text.re_search(PATTERNS["31-Dec-2026"]),
        "short_names": text.re_search(PATTERNS["31-Dec-26"]),
        "dmy": short & last_short & first.between(1, 31) & is_month,
        "mdy": short & last_short & first.between(1, 12) & second.between(1, 31),
        "ymd": short & first_short & is_month & third.between(1, 31),
    }


def varieties(text: Any) -> dict[str, Any]:
    """Parts of a short date, whose different values tell days from years."""
    short = text.re_search(_either("31/12/26", "26/12/31"))
    first, _, third = _parts(text, 3)
    return {name: short.ifelse(part, ibis.null("int64")) for name, part in (("firsts", first), ("thirds", third))}


def _either(*forms: DateForm) -> str:
    return "|".join(PATTERNS[form] for form in forms)


def _parts(text: Any, count: int) -> list[Any]:
    pattern = "^" + "[./-]".join(["([0-9]+)"] * count)
    return [text.re_extract(pattern, group).try_cast("int64") for group in range(1, count + 1)]


def _number_counts(text: Any) -> dict[str, Any]:
    numbers = {f"n{place}": text.re_search(number_form(rules).pattern) for place, rules in enumerate(NUMBERS)}
    return {**numbers, "marked": text.re_search("[.,]")}


def decide(marks: Marks, delimiter: str = "") -> Written | None:
    """How a column is written, by its own values; None where it is plain or no number and no time.

    Args:
        marks: What was counted of it.
        delimiter: Between the fields of its file; a semicolon leaves the comma to the numbers.
    """
    return _date(marks) or _number(marks, delimiter)


def _date(marks: Marks) -> Written | None:
    found = marks.found
    if found["dates"] - min(found["day_first"], found["month_first"]) >= marks.enough:
        if not found["day_first"] and not found["month_first"]:
            return Written(
                Plain("timestamp"), "its dates could be day first or month first: set day_first: true or false"
            )
        return Written(Plain("timestamp", day_first=found["day_first"] > found["month_first"]))
    for name, form in _NAMED.items():
        if found.get(name, 0) >= marks.enough:
            return Written(Plain("timestamp", dates=form))
    return _short_date(marks)


def _short_date(marks: Marks) -> Written | None:
    """A date whose year has two digits; few different ones could be anything, such as versions."""
    read = {order: marks.found.get(order, 0) for order in _SHORT}
    best = max(read.values())
    if best < marks.enough or marks.distinct <= _PROOF:
        return None
    orders = [order for order, rows in read.items() if rows == best]
    if {"dmy", "ymd"} <= {*orders}:
        firsts, thirds = marks.found["firsts"], marks.found["thirds"]
        if firsts >= _DAYS and thirds <= _YEARS:
            orders.remove("ymd")
        elif thirds >= _DAYS and firsts <= _YEARS:
            orders.remove("dmy")
    if len(orders) > 1:
        choices = " or ".join(_SHORT[order] for order in orders)
        return Written(Plain("timestamp"), f"its dates could be read in several orders: set dates to {choices}")
    return Written(Plain("timestamp", dates=_SHORT[orders[0]]))


def compact_date(name: str, valid: int, different: int, present: int) -> Written | None:
    """Whether whole numbers such as 20230105 are days: where the column is called so, or where it cannot be chance.

    Args:
        name: Of the column.
        valid: How many values are days from 1900 to 2100.
        different: How many different days.
        present: How many values there are.
    """
    if valid < (1 - _TOLERANCE) * present or not (is_date_name(name) or different >= _PROOF):
        return None
    return Written(Plain("timestamp", dates=COMPACT))


def is_date_name(name: str) -> bool:
    """Whether a name says that the column holds days or times: ``order_date``, ``OrderDate``."""
    return bool(_DATE_NAME.search(name) or _CAMEL_DATE.search(name))


def _number(marks: Marks, delimiter: str) -> Written | None:
    found = marks.found
    if marks.best < marks.enough:
        return None
    negative: NegativeForm = "-1"
    if rows := max(found.get(name, 0) for name in _NEGATIVE):
        name = next(name for name in _NEGATIVE if found.get(name, 0) == rows)
        if name != "signs" and rows > 0.9 * marks.best:  # all in brackets are names; or so much is owed that none is
            return None
        negative = _NEGATIVE[name]
    column = _by_marks(marks, delimiter)
    if column.rules.thousands and found.get("plus", 0) >= marks.enough:
        return None  # telephone numbers
    return replace(column, rules=replace(column.rules, negative=negative))


def _by_marks(marks: Marks, delimiter: str) -> Written:
    tied = marks.tied
    point = next((rules for rules in tied if rules.decimal == "."), None)
    comma = next((rules for rules in tied if rules.decimal == ","), None)
    if point is None or comma is None:
        return Written(tied[0], decides=marks.found["marked"] > 0)
    if point.thousands == comma.thousands:
        return Written(point)
    if point != NUMBERS[0]:
        return Written(point, _QUESTION.format("comma", 'decimal: ","', f'thousands: "{point.thousands}"'))
    # Three digits behind every point: decimals, unless other values have no point or the file is cut at semicolons.
    is_open = marks.distinct > _FEW and (0 < marks.found["marked"] < marks.present or delimiter == ";")
    thousands = f'thousands: "{comma.thousands}" and decimal: ","'
    return Written(point, _QUESTION.format("point", 'decimal: "."', thousands) if is_open else "")


def agreed(columns: Iterable[Written]) -> str:
    """The decimal mark on which the columns that decide it agree; empty if there is none."""
    marks = {column.rules.decimal for column in columns if column.decides}
    return marks.pop() if len(marks) == 1 else ""


def settled(column: Written, marks: Marks, mark: str) -> Written:
    """A column that could be written in two ways, by the mark that the rest of its file has; and with its unit."""
    if column.rules.type != "number":
        return column
    if mark and not column.decides:
        tied = [rules for rules in marks.tied if rules.decimal == mark]
        if tied:
            column = replace(column, rules=replace(tied[0], negative=column.rules.negative), question="")
    if column.rules.negative == "1-" and marks.distinct <= _FEW and not marks.found["marked"]:
        question = 'its minus signs at the end could be those of numbers or of school marks: set negative: "1-" or '
        return replace(column, question=f"{question}type: category")
    return _with_unit(column, marks)


def _with_unit(column: Written, marks: Marks) -> Written:
    units = {unit: rows for unit, rows in sorted(marks.units.items(), key=lambda item: (-item[1], item[0])) if unit}
    if not units:
        return column
    total, bare = sum(units.values()), marks.units.get("", 0)
    unit = next(iter(units))
    if units[unit] < (1 - _TOLERANCE) * total:
        seen = listed((f"{unit!r} in {counted(rows, 'row')}" for unit, rows in units.items()), 5)
        return replace(column, question=f"its numbers have several units ({seen}): bring them to one")
    column = replace(column, rules=replace(column.rules, unit=unit))
    if unit == "%" and bare > _TOLERANCE * marks.present:
        seen = f"{total:,} of its numbers have a % and {bare:,} have none"
        return replace(column, question=f"{seen}: bring them to one unit")
    note = f"in {unit}" if unit != "%" else "in per cent: 12.5 % is 12.5"
    return replace(column, note=f"{note}, which {counted(bare, 'value does', 'values do')} not say" if bare else note)
