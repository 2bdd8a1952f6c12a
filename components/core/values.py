"""What a value means: the one place that decides it, for a file, a request and a label alike.

Plain Python over the rules of a column. ``tables.reading`` says the same as expressions, made from the words and
patterns here; a property test holds the two to each other value by value.

- Missing is null, NaN, blank text, and the words the project file lists for the column; nothing else. A word that is
  a number or a time stands for it however it is written, and comes before what it would mean otherwise.
- Text is trimmed. Numbers are ASCII decimals, ``007`` is 7, and have to be finite in the single precision that trees
  split in (up to 3.4e38). A float32 is what its shortest text says, 0.1 and not 0.10000000149, as in a CSV file.
- A whole number may be written as a float (``3.0``); beyond 2^53 - 1 a float may stand for its neighbour: refused. So
  may a float32 beyond 2^24 - 1.
- Booleans are the words below in any case, and the numbers 1 and 0. A boolean is no number.
- A category is its text (``007`` stays). A whole number is its digits however it is written (``3.0`` is ``3``), a
  boolean is ``true`` or ``false`` in any case; where the project lists categories, it is spelled as there, and where
  it says so in whatever case or spaces; where it maps spellings to a level, it is that level.
- A column may say that its numbers are written otherwise (``1.622,15 €``), or its times (``17/04/2023``); text is then
  turned into the plain form first, by ``core.written`` and ``core.dates``. Values that are no text are what they are;
  only where times are written ``20230105`` is a whole number one.
- Times are ISO 8601, UTC where no zone is given, and within the years 1 and 9999 in UTC; a space may stand before the
  zone, and ``UTC`` for it. What is finer than a microsecond is cut off. A time that is a category is its ISO text.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache, partial
from typing import Any, Final

from ciclo.components.core.dates import ZONE, iso_time
from ciclo.components.core.rules import ColumnType, Plain, Rules, date_form, is_compact, number_form
from ciclo.components.core.written import BLANK, labels, plain_number, same_label

EDITION: Final = 1  # of these rules: another edition may read a stored value in another way
TRUE_WORDS = ("true", "yes", "y", "t")
FALSE_WORDS = ("false", "no", "n", "f")
LARGEST_EXACT = 2**53 - 1
LARGEST_SINGLE = 2**24 - 1  # as LARGEST_EXACT, for a float32
LARGEST_WHOLE = 2**63 - 1
LARGEST_NUMBER = 2.0**128 - 2.0**104  # the largest float32

# Patterns of whole texts that Python and the engines' RE2 read alike.
NUMBER = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
DIGITS = r"^[+-]?[0-9]+$"
WHOLE_FLOAT = r"^(?:-?(0)|(-?[1-9][0-9]{0,15}))\.0+$"
TIME = (
    r"^(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9])-[0-9][0-9]-[0-9][0-9]"
    rf"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{{1,9}})?)?{ZONE})?$"
)
# What makes ISO 8601 of the zones that databases write: 2023-04-17 08:30 UTC, 2023-04-17 08:30 +02:00.
ZONES: Final = (("UTC", "Z"), (" Z", "Z"), (" +", "+"), (" -", "-"))

_NUMBER, _DIGITS, _TIME = re.compile(NUMBER), re.compile(DIGITS), re.compile(TIME)
_WHOLE_FLOAT = re.compile(WHOLE_FLOAT)
_FLAGS = dict.fromkeys(TRUE_WORDS, True) | dict.fromkeys(FALSE_WORDS, False)
_MISSING_TYPES = ("NAType", "NaTType")  # pandas' own, which are not equal to anything


class Refusal(Enum):
    """Why a value is none of its column's.

    Attributes:
        TYPE: It does not read as the type of the column.
        EXACT: It is a whole number that its container cannot hold exactly.
        BELOW: It is less than the minimum.
        ABOVE: It is more than the maximum.
        CATEGORY: It is not one of the categories.
        NULL: It is missing and must not be.
    """

    TYPE = "type"
    EXACT = "exact"
    BELOW = "below"
    ABOVE = "above"
    CATEGORY = "category"
    NULL = "null"


class ValueReader:
    """Reads the values of one column, from whatever container they come in.

    Canonical values are ``float`` for numbers, ``int`` for integers, ``bool``, ``str`` for categories, ``datetime`` in
    UTC for times, and None for a missing value.

    Args:
        rules: The column.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._read = _READERS[rules.type]
        self._plain = _plain(rules)
        self._is_compact = is_compact(rules)
        self._words = frozenset(missing_words(rules))
        self._numbers = frozenset(missing_numbers(rules))
        self._times = frozenset(missing_times(rules))
        self._categories = frozenset(rules.categories)
        self._spelling = spelling(rules)
        self._labels = common_labels(rules)

    def read(self, raw: Any) -> Any:
        """Read a value and hold it against every rule.

        Args:
            raw: A JSON value, a scalar of numpy or pandas, a ``Decimal`` or a time.

        Returns:
            The canonical value, or the ``Refusal``.
        """
        value, rules = self.typed(raw), self._rules
        if value is None:
            return None if rules.nullable else Refusal.NULL
        if isinstance(value, Refusal):
            return value
        if rules.type == "category":
            return Refusal.CATEGORY if self._categories and value not in self._categories else value
        if rules.type in ("number", "integer"):
            if rules.minimum is not None and value < rules.minimum:
                return Refusal.BELOW
            if rules.maximum is not None and value > rules.maximum:
                return Refusal.ABOVE
        return value

    def typed(self, raw: Any) -> Any:
        """Read a value by type alone: canonical, None where it is missing, or ``TYPE`` or ``EXACT``."""
        if isinstance(raw, str):
            raw = raw.strip(BLANK)
            if not raw or raw in self._words:
                return None
            if self._plain is not None:
                raw = self._plain(raw)
        elif type(raw) not in (int, bool):
            raw = _scalar(raw)
            if raw is None:
                return None
        if self._numbers and _number(raw) in self._numbers:
            return None
        if self._is_compact and isinstance(raw, int | float | Decimal) and self._plain is not None:
            whole = _integer(raw)
            raw = self._plain(str(whole)) if isinstance(whole, int) else raw
        value = self._read(raw)
        if isinstance(value, str):
            value = raw if raw in self._categories else self._spelling.get(value, value)
            if self._labels and value not in self._categories:
                value = self._labels.get(same_label(value), value)
            return None if value in self._words else value
        return None if self._times and value in self._times else value


@lru_cache(maxsize=4_096)
def reader(kind: ColumnType) -> ValueReader:
    """The reader of a type without further rules."""
    return ValueReader(Plain(kind))


def missing_words(rules: Rules) -> tuple[str, ...]:
    """The words that stand for a missing value; for a category also as it would hold them."""
    words = rules.missing
    return tuple(dict.fromkeys((*words, *map(folded, words)))) if rules.type == "category" else words


def missing_numbers(rules: Rules) -> tuple[float, ...]:
    """The numbers among the words that stand for a missing value; a category knows words alone."""
    if rules.type not in ("number", "integer", "boolean") and not is_compact(rules):
        return ()
    plain = _plain(rules)
    numbers = (_number(plain(word) if plain else word) for word in rules.missing)
    return tuple(number for number in numbers if isinstance(number, float))


def missing_times(rules: Rules) -> tuple[datetime, ...]:
    """The times among the words that stand for a missing value, in UTC."""
    plain = _plain(rules)
    words = rules.missing if rules.type == "timestamp" else ()
    times = (_time(plain(word) if plain else word) for word in words)
    return tuple(time for time in times if isinstance(time, datetime))


def spelling(rules: Rules) -> dict[str, str]:
    """How the categories spell what would be written otherwise, such as ``true`` as ``True``, and what is mapped.

    Where case and spaces are not minded, ``common_labels`` knows what is mapped.
    """
    categories = rules.categories
    own = {folded(c): c for c in reversed(categories) if folded(c) != c and folded(c) not in categories}
    return own if rules.ignore_case else own | {folded(key): level for key, level in rules.map}


def common_labels(rules: Rules) -> dict[str, str]:
    """The level that a label stands for whatever its case and spaces; none where these are minded."""
    if not rules.ignore_case:
        return {}
    return {same_label(folded(key)): level for key, level in rules.map} | labels(rules.categories)


def folded(text: str) -> str:
    """A text as a category: a whole float as its digits, a boolean in lower case."""
    lower = text.lower() if len(text) <= 5 else text
    return lower if lower in ("true", "false") else _WHOLE_FLOAT.sub(r"\1\2", text) if ".0" in text else text


def _plain(rules: Rules) -> Callable[[str], str] | None:
    """What turns text of a column into the plain form of its type, where that is another one."""
    if rules.type in ("number", "integer"):
        return plain_number(number_form(rules))
    if rules.type == "timestamp" and (form := date_form(rules)) is not None:
        return partial(iso_time, form=form)
    return None


class _Single(float):
    """A number that came as a float32 or smaller."""


def _largest(number: float) -> int:
    return LARGEST_SINGLE if isinstance(number, _Single) else LARGEST_EXACT


def _scalar(raw: Any) -> Any:
    """A value of Python's own; None for null, NaN and what pandas has for them."""
    if raw is None or type(raw) is float:
        return raw if raw == raw else None
    if type(raw).__name__ in _MISSING_TYPES:
        return None
    if hasattr(raw, "to_pydatetime"):
        return raw.to_pydatetime(warn=False)  # of pandas, which may have nanoseconds
    if hasattr(raw, "item"):
        single = type(raw).__name__ in ("float32", "float16")
        raw = _Single(str(raw.astype("float32"))) if single else raw.item()
    if isinstance(raw, float | Decimal) and raw != raw:
        return None
    return raw


def _number(raw: Any) -> float | Refusal:
    if type(raw) is float and abs(raw) <= LARGEST_NUMBER:
        return raw
    if isinstance(raw, str) and not _NUMBER.fullmatch(raw):
        return Refusal.TYPE
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        return Refusal.TYPE
    try:
        number = float(raw)
    except OverflowError:
        return Refusal.TYPE
    return number if abs(number) <= LARGEST_NUMBER else Refusal.TYPE


def _integer(raw: Any) -> int | Refusal:
    if isinstance(raw, str) and _DIGITS.fullmatch(raw):
        raw = _digits(raw)
    if isinstance(raw, Decimal) and raw.is_finite():
        raw = int(raw) if raw == raw.to_integral_value() else math.nan
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw if -LARGEST_WHOLE - 1 <= raw <= LARGEST_WHOLE else Refusal.EXACT
    number = _number(raw)
    if isinstance(number, Refusal) or number % 1:
        return Refusal.TYPE
    return int(number) if abs(number) <= _largest(raw) else Refusal.EXACT


def _digits(text: str) -> int:
    """The number that digits spell, or one too large to be exact; Python would not read thousands of them."""
    bare = text.lstrip("+-").lstrip("0")
    return (-1 if text[0] == "-" else 1) * int(bare or "0") if len(bare) < 20 else LARGEST_WHOLE + 1


def _boolean(raw: Any) -> bool | Refusal:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and (word := raw.lower()) in _FLAGS:
        return _FLAGS[word]
    number = _number(raw)
    return bool(number) if number in (0.0, 1.0) else Refusal.TYPE


def _category(raw: Any) -> str | Refusal:
    if isinstance(raw, str):
        if not raw.isascii() and any("\ud800" <= c <= "\udfff" for c in raw):
            return Refusal.TYPE
        return folded(raw)
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int):
        return str(raw) if abs(raw) < 10**38 else Refusal.EXACT
    if isinstance(raw, Decimal) and raw.is_finite():
        return str(int(raw)) if raw == raw.to_integral_value() else repr(float(raw))
    if isinstance(raw, float) and math.isfinite(raw):
        if raw % 1:
            return repr(raw)
        return str(int(raw)) if abs(raw) <= _largest(raw) else Refusal.EXACT
    if isinstance(raw, datetime) and raw.tzinfo is not None:
        raw = _time(raw)
    return raw.isoformat() if isinstance(raw, date) else Refusal.TYPE


def _time(raw: Any) -> datetime | Refusal:
    if isinstance(raw, str):
        if not _TIME.fullmatch(raw):
            return Refusal.TYPE
        for written, iso in ZONES:
            raw = raw.replace(written, iso)
        try:
            raw = datetime.fromisoformat(raw)
        except ValueError:
            return Refusal.TYPE
    if isinstance(raw, date) and not isinstance(raw, datetime):
        raw = datetime(raw.year, raw.month, raw.day)
    if not isinstance(raw, datetime):
        return Refusal.TYPE
    try:
        return raw.replace(tzinfo=UTC) if raw.tzinfo is None else raw.astimezone(UTC)
    except OverflowError:
        return Refusal.TYPE


_READERS = {"number": _number, "integer": _integer, "boolean": _boolean, "category": _category, "timestamp": _time}
