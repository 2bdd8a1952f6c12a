"""What the values of a column look like, and what that makes of it: the guesses of a first project file."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from ciclo.components.core.cleaning_policy import Cleaning
from ciclo.components.core.dates import COMPACT, SHORT_YEARS, mixed_zones
from ciclo.components.core.rules import ColumnType, Plain, written
from ciclo.components.core.values import LARGEST_WHOLE, reader
from ciclo.components.core.wording import counted, figure, listed
from ciclo.components.core.written import same_label
from ciclo.components.drafting.conventions import is_date_name

LEVELS = 200
_TOLERANCE = 0.01
_NEARLY = 0.8  # share of numbers above which the rest is taken for words among them
_BUDGET = Cleaning().quarantine_budget
FEW = 20
_LONG_TEXT = 40
_ID_NAME = re.compile(r"(^|[^a-z])(id|uuid|guid|key)$|^unnamed: 0$", re.IGNORECASE)
_CAMEL_ID = re.compile(r"[a-z](Id|ID|Key|Uuid)$")
_SHORT_YEARS = ("31/12/26", "12/31/26", "26/12/31", "31-Dec-26")
_BY_VALUES = ("31/12/26", "12/31/26", "26/12/31", COMPACT)
_CODES = "dates by their values alone: if they are codes, make it a category"
_NEGATIVE = {"(1)": "those in brackets are below zero", "1-": "a minus sign at the end is read"}
# A letter is a boolean beside one of these; a number always is.
_BESIDE = {"y": {"n", "no", "yes"}, "n": {"y", "yes", "no"}, "t": {"f", "false", "true"}, "f": {"t", "true", "false"}}


@dataclass(frozen=True)
class Facts:
    """One column, counted over all rows.

    Attributes:
        name: Its name.
        rows: Rows of the source.
        present: Rows that have a value.
        distinct: Different values.
        numbers: Values that read as finite numbers.
        whole: Values that are whole numbers, and not written with a point.
        rounded: Whole numbers that are written with a point, or stored as floats.
        huge: Whole numbers that 64 bits do not hold.
        infinite: Values that are infinite, or larger than any number that is read.
        booleans: Values that read as true or false.
        times: Values that read as ISO times.
        padded: Values such as 007, whose zeros a number would lose.
        power: A number such as 12E3, which may be a code as well.
        length: Mean length as text.
        longest: One of the longest values.
        minimum: Smallest number.
        maximum: Largest number.
        first: First time, ISO date.
        last: Last time.
        levels: Rows by value, for at most ``LEVELS`` values.
        words: Rows by word that is likely to stand for a missing value, and is taken for one.
        impossible: Values written like an ISO date that no calendar has.
        strays: Rows by value that is no number in a column of numbers, or no time in one of times, the most frequent
            first.
        zoned: Times that say their zone.
        rules: How its numbers or times are written, where that is not plain.
        question: What the values leave open about that.
        note: What else is to be said of it.
    """

    name: str
    rows: int
    present: int
    distinct: int
    numbers: int = 0
    whole: int = 0
    rounded: int = 0
    huge: int = 0
    infinite: int = 0
    booleans: int = 0
    times: int = 0
    impossible: int = 0
    padded: int = 0
    power: str = ""
    length: float = 0.0
    longest: str = ""
    minimum: float | None = None
    maximum: float | None = None
    first: str = ""
    last: str = ""
    levels: dict[str, int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    strays: dict[str, int] = field(default_factory=dict)
    zoned: int = 0
    rules: Plain | None = None
    question: str = ""
    note: str = ""

    def mostly(self, count: int) -> bool:
        """Whether all but a stray value in a hundred are counted."""
        return self.present > 0 and count >= (1 - _TOLERANCE) * self.present

    @property
    def is_flag(self) -> bool:
        """Whether all its values read as true or false, of which there are both, and none could mean something else."""
        return self.booleans == self.present > 0 and not self.padded and all(self.flags) and _is_one_flag(self.levels)

    @property
    def flags(self) -> tuple[list[str], list[str]]:
        """The values that read as true, and those that read as false."""
        read = {level: reader("boolean").typed(level) for level in self.levels}
        return [level for level, flag in read.items() if flag is True], [v for v, flag in read.items() if flag is False]

    @property
    def spellings(self) -> int:
        """How many different values there are if case and spaces are not minded."""
        return len({same_label(level) for level in self.levels})

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, and not codes made of digits."""
        return self.mostly(self.numbers + self.infinite) and self.padded == 0

    @property
    def is_time(self) -> bool:
        """Whether its values are times, some of which may be on days that do not exist."""
        is_iso = self.times > 0 and self.mostly(self.times + self.impossible)
        return is_iso or (self.rules is not None and self.rules.type == "timestamp")

    @property
    def is_whole(self) -> bool:
        """Whether its numbers are whole. A program that knows no missing whole number makes floats of them."""
        rounded = self.rounded if self.present < self.rows else 0
        return self.mostly(self.whole + rounded)

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.present == self.rows == self.distinct

    @property
    def missing(self) -> str:
        """The share of missing values, for a comment."""
        return f", {1 - self.present / self.rows:.1%} missing" if self.present < self.rows else ""

    @property
    def range(self) -> str:
        """Smallest to largest, for a comment."""
        if self.minimum is None or self.maximum is None:
            return ""
        return f"{figure(self.minimum)} to {figure(self.maximum)}"


@dataclass(frozen=True)
class Guess:
    """What a column is taken for.

    Attributes:
        type: Its type.
        saw: What was seen, for the comment.
        ignored: Why a model should not see it; empty if it may.
        is_id: Whether it names rows.
        categories: Its values, where they are to be fixed.
        missing: The words taken for a missing value, with their rows.
        written: The fields of the column that say how its text is written.
    """

    type: ColumnType
    saw: str
    ignored: str = ""
    is_id: bool = False
    categories: tuple[str, ...] = ()
    missing: dict[str, int] = field(default_factory=dict)
    written: dict[str, str | bool] = field(default_factory=dict)

    def noted(self, *notes: str) -> "Guess":
        """The same, with more to say in the comment."""
        return replace(self, saw="; ".join([self.saw, *notes]))

    @property
    def why_missing(self) -> str:
        """Why the words are listed, for the comment."""
        if not self.missing:
            return ""
        seen = (f"{quoted(word)} in {counted(rows, 'row')}" for word, rows in self.missing.items())
        return f"; taken for missing: {listed(seen, 5)}"


def guess_column(facts: Facts) -> Guess:
    """Take a column that is not the target for something; the first that fits wins."""
    return as_written(_guess(facts), facts)


def as_written(guess: Guess, facts: Facts) -> Guess:
    """A guess with the words for missing values, and with how the text is written, where the values say so."""
    guess = replace(guess, missing=facts.words)
    if facts.question:
        return replace(guess, ignored=facts.question, is_id=False)
    rules = facts.rules
    kinds = ("number", "integer") if rules is not None and rules.type == "number" else ("timestamp",)
    if rules is None or guess.type not in kinds:
        return guess
    marks = written(rules)
    if not marks:
        return guess
    if rules.day_first is not None:
        notes = ["the day comes first" if rules.day_first else "the month comes first"]
    else:
        notes = [f"written like {quoted(facts.longest)}"]
    notes += [SHORT_YEARS] if rules.dates in _SHORT_YEARS else []
    notes += [_CODES] if rules.dates in _BY_VALUES and not is_date_name(facts.name) else []
    notes += [_NEGATIVE[rules.negative]] if rules.negative in _NEGATIVE else []
    return replace(guess.noted(*notes, *([facts.note] if facts.note else [])), written=marks)


def _guess(facts: Facts) -> Guess:
    if facts.present == 0:
        return Guess("category", "every value is missing", "no values")
    if facts.distinct == 1:
        return Guess("category", f"always {quoted(next(iter(facts.levels)))}{facts.missing}", "a constant")
    if facts.is_flag:
        return Guess("boolean", f"{shares(facts)}{facts.missing}{meanings(facts)}")
    if facts.is_time:
        span = f"{facts.first} to {facts.last}" if facts.first else f"dates such as {quoted(facts.longest)}"
        zones = f"; {mixed_zones(facts.zoned, facts.present - facts.zoned)}" if 0 < facts.zoned < facts.present else ""
        return Guess("timestamp", f"{span}{facts.missing}{zones}", "a time is no feature by itself")
    return _guess_number(facts) if facts.is_number else _guess_text(facts)


def _guess_number(facts: Facts) -> Guess:
    whole = facts.is_whole
    saw = f"{facts.range}{facts.missing}{strays_of(facts, facts.whole + facts.rounded if whole else facts.numbers)}"
    if facts.power:
        saw = f"{saw}; {quoted(facts.power)} is read as a power of ten: if it is a code, make it a category"
    named = is_id_name(facts.name)
    counter = facts.maximum is not None and facts.maximum - (facts.minimum or 0) + 1 == facts.rows > FEW
    if whole and facts.huge:  # no type but text holds them all apart
        ids = facts.is_unique or named
        saw = f"{saw}, more than an integer can be ({LARGEST_WHOLE:,})"
        return Guess("category" if ids else "number", saw, is_id=ids and facts.is_unique)
    if whole and facts.is_unique and (named or counter):
        return Guess("integer", f"{saw}, a whole number of its own in every row", is_id=True)
    if whole and named and facts.distinct > LEVELS:
        return Guess("integer", saw, f"an identifier with {counted(facts.distinct, 'different value')}")
    return Guess("integer" if whole else "number", saw)


def _guess_text(facts: Facts) -> Guess:
    saw = f"{counted(facts.distinct, 'different value')}{facts.missing}"
    if facts.is_unique and facts.distinct > FEW and (is_id_name(facts.name) or facts.length <= _LONG_TEXT / 2):
        return Guess("category", f"{saw}, one in every row", is_id=True)
    if facts.length > _LONG_TEXT and facts.distinct > FEW:
        return Guess("category", f"{saw}, {counted(round(facts.length), 'character')} on average", "free text")
    if facts.distinct > LEVELS:
        return Guess("category", saw, _nearly(facts) or f"more than {LEVELS} different values")
    if facts.distinct > FEW and facts.distinct > facts.present / 2:
        return Guess("category", saw, _nearly(facts) or "nearly every row has a value of its own")
    if is_id_name(facts.name) and facts.distinct > FEW:
        return Guess("category", saw, "an identifier")
    return Guess("category", f"{shares(facts)}{facts.missing}" if facts.distinct <= 5 else saw)


def _nearly(facts: Facts) -> str:
    """What is said of a column most of whose values are numbers, or times, and some are words; empty of others."""
    kind, count = max(("numbers", facts.numbers + facts.infinite), ("times", facts.times), key=lambda one: one[1])
    if facts.padded or not _NEARLY * facts.present <= count < facts.present:
        return ""
    others = listed((f"{quoted(word)} in {counted(rows, 'row')}" for word, rows in facts.strays.items()), 3)
    return (
        f"{count / facts.present:.1%} of its values are {kind}, and others are not ({others}): set its type, and list "
        "in missing what says that there is no value"
    )


def is_id_name(name: str) -> bool:
    """Whether a name says that the column names something: ``id``, ``order_id``, ``PassengerId``."""
    return bool(_ID_NAME.search(name) or _CAMEL_ID.search(name))


def _is_one_flag(levels: Collection[str]) -> bool:
    """Whether no letter among them could stand for something else, as T beside N could: tumour and normal."""
    words = {same_label(level) for level in levels}
    return all(words & beside for letter, beside in _BESIDE.items() if letter in words)


def meanings(facts: Facts) -> str:
    """What is taken for true and what for false, where that is spelt in several ways."""
    if len(facts.levels) == 2:
        return ""
    yes, no = (listed(map(quoted, values), 5) for values in facts.flags)
    return f"; {yes} taken for true, and {no} for false"


def shares(facts: Facts) -> str:
    """The first values of a column, each with its share of the rows that have one."""
    shown = [f"{quoted(level)} {rows / facts.present:.0%}" for level, rows in list(facts.levels.items())[:5]]
    return ", ".join(shown) + (f" and {facts.distinct - 5} more" if facts.distinct > 5 else "")


def strays_of(facts: Facts, count: int) -> str:
    """What is said of the values that are no numbers; those of one row each say nothing by themselves."""
    reasons = []
    if facts.infinite:
        reasons.append(counted(facts.infinite, "value is", "values are") + " infinite or beyond 3.4e38")
    if (others := facts.present - count - facts.infinite) > 0:
        frequent = [f"{quoted(word)} in {counted(rows, 'row')}" for word, rows in facts.strays.items() if rows > 1]
        which = f" ({listed(frequent, 3)})" if frequent else ""
        reasons.append(f"{counted(others, 'value is no number', 'values are no numbers')}{which}")
    if not reasons:
        return ""
    advice = "; list the word in missing if it says that there is no value" if others > _BUDGET * facts.rows else ""
    return f", {' and '.join(reasons)}; those rows are quarantined{advice}"


def no_days(facts: Facts, *, is_time_column: bool) -> str:
    """What is said of the values in a column of times that are none; empty if there are none or it is asked about."""
    count = facts.present - facts.times
    if count == 0 or facts.question:
        return ""
    are = counted(count, "value is no day of the calendar", "values are no days of the calendar")
    missing = "it is read as missing" if count == 1 else "they are read as missing"
    then = "those rows are quarantined" if is_time_column else missing
    return f"{are}, such as {quoted(next(iter(facts.strays)))}: {then}"


def quoted(text: str) -> str:
    """A value in quotes, cut if it is long."""
    return repr(text if len(text) <= 30 else text[:27] + "...")
