"""What the values of a column look like, and what that makes of it: the guesses of a first project file."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ciclo.components.core.errors import DataError
from ciclo.components.core.metrics import Task
from ciclo.components.core.values import ColumnType, Plain
from ciclo.components.core.wording import listed
from ciclo.components.tables.datasets import collect
from ciclo.components.tables.reading import read

LEVELS = 200
MISSING_WORDS = ("na", "n/a", "nan", "null", "none", "?")  # in any case; they mean nothing until the file lists them
_AS: tuple[ColumnType, ...] = ("category", "number", "boolean", "timestamp")
_TOLERANCE = 0.01
_FEW = 20
_LONG_TEXT = 40
_CLASS_ROWS = 10
_CLASSES = 50
_ID_NAME = re.compile(r"(^|[^a-z])(id|uuid|guid|key)$|^unnamed: 0$", re.IGNORECASE)
_CAMEL_ID = re.compile(r"[a-z](Id|ID|Key|Uuid)$")
_POSITIVE = ("yes", "y", "true", "t", "positive", "pos", "1", "bad", "churn", "fraud", "default", "m", "malignant")


@dataclass(frozen=True)
class Facts:
    """One column, counted over all rows.

    Attributes:
        name: Its name.
        rows: Rows of the source.
        present: Rows that have a value.
        distinct: Different values.
        numbers: Values that read as finite numbers.
        whole: Values written as whole numbers.
        booleans: Values that read as true or false.
        times: Values that read as ISO times.
        padded: Values such as 007, whose zeros a number would lose.
        length: Mean length as text.
        minimum: Smallest number.
        maximum: Largest number.
        first: First time, ISO date.
        last: Last time.
        levels: Rows by value, for at most ``LEVELS`` values.
        words: Rows by word that is likely to stand for a missing value, and is taken for one.
    """

    name: str
    rows: int
    present: int
    distinct: int
    numbers: int = 0
    whole: int = 0
    booleans: int = 0
    times: int = 0
    padded: int = 0
    length: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    first: str = ""
    last: str = ""
    levels: dict[str, int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)

    def mostly(self, count: int) -> bool:
        """Whether all but a stray value in a hundred are counted."""
        return self.present > 0 and count >= (1 - _TOLERANCE) * self.present

    @property
    def is_flag(self) -> bool:
        """Whether it has two values that read as false and true."""
        return self.booleans == self.present and 0 < self.distinct <= 3 and len(self.levels) == 2

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, and not codes made of digits."""
        return self.mostly(self.numbers) and self.padded == 0

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
        return f"{self.minimum:.6g} to {self.maximum:.6g}" if self.minimum is not None else ""


def measure(table: Any, names: Collection[str], scratch: Path) -> dict[str, Facts]:
    """Count the columns of a raw table.

    Args:
        table: The raw table.
        names: Columns to look at.
        scratch: Folder for the values as they were read, so that each is read once.
    """
    places = dict(enumerate(names))
    words = _missing_words(table, names)
    values = {
        f"{kind}{n}": read(table[name], Plain(kind, missing=tuple(words[name]))).typed
        for n, name in places.items()
        for kind in _AS
    }
    path = scratch / "as-types.parquet"
    table.select(**values).to_parquet(path)
    readings = table.get_backend().read_parquet(path)
    decimal = {name for name in names if table[name].type().is_floating() or table[name].type().is_decimal()}
    return {
        name: replace(_measure(name, readings, n, decimal=name in decimal), words=words[name])
        for n, name in places.items()
    }


def _missing_words(table: Any, names: Collection[str]) -> dict[str, dict[str, int]]:
    """The words of each column that are likely to stand for a missing value, as they are written, with their rows."""
    texts = {name: table[name].strip() for name in names if table[name].type().is_string()}
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    if not texts:
        return found
    likely = {name: text.lower().isin(MISSING_WORDS) for name, text in texts.items()}
    counted = collect(table.aggregate(**{f"c{n}": likely[name].sum() for n, name in enumerate(texts)})).to_pylist()[0]
    for n, (name, text) in enumerate(texts.items()):
        if counted[f"c{n}"]:
            words = table.filter(likely[name]).group_by(word=text).aggregate(rows=lambda t: t.count()).order_by("word")
            found[name] = {row["word"]: row["rows"] for row in collect(words).to_pylist()}
    return found


def _measure(name: str, readings: Any, place: int, *, decimal: bool) -> Facts:
    text, number, flag, time = (readings[f"{kind}{place}"] for kind in _AS)
    counts = readings.aggregate(
        rows=readings.count(),
        present=text.count(),
        distinct=text.nunique(),
        numbers=number.count(),
        whole=(text.re_search(r"^[+-]?[0-9]+$") & (not decimal)).sum(),
        booleans=flag.count(),
        times=time.count(),
        padded=text.re_search(r"^[+-]?0[0-9]").sum(),
        length=text.length().mean(),
        minimum=number.min(),
        maximum=number.max(),
        first=time.min(),
        last=time.max(),
    )
    row = {key: value for key, value in collect(counts).to_pylist()[0].items() if value is not None}
    days = {key: row.pop(key).date().isoformat() for key in ("first", "last") if key in row}
    levels: dict[str, int] = {}
    if row["distinct"] <= LEVELS:
        known = readings.filter(text.notnull()).group_by(value=text)
        counted = collect(known.aggregate(rows=lambda t: t.count()).order_by("value"))
        levels = {level["value"]: level["rows"] for level in counted.to_pylist()}
    return Facts(name=name, **row, **days, levels=levels)


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
    """

    type: ColumnType
    saw: str
    ignored: str = ""
    is_id: bool = False
    categories: tuple[str, ...] = ()
    missing: dict[str, int] = field(default_factory=dict)

    @property
    def why_missing(self) -> str:
        """Why the words are listed, for the comment."""
        if not self.missing:
            return ""
        seen = (f"{_quoted(word)} in {rows:,} row{'s' if rows > 1 else ''}" for word, rows in self.missing.items())
        return f"; taken for missing: {listed(seen, 5)}"


def guess_column(facts: Facts) -> Guess:
    """Take a column that is not the target for something; the first that fits wins."""
    return replace(_guess(facts), missing=facts.words)


def _guess(facts: Facts) -> Guess:
    if facts.present == 0:
        return Guess("category", "every value is missing", "no values")
    if facts.distinct == 1:
        return Guess("category", f"always {_quoted(next(iter(facts.levels)))}{facts.missing}", "a constant")
    if facts.is_flag:
        return Guess("boolean", f"{_shares(facts)}{facts.missing}")
    if facts.mostly(facts.times):
        return Guess("timestamp", f"{facts.first} to {facts.last}{facts.missing}", "a time is no feature by itself")
    return _guess_number(facts) if facts.is_number else _guess_text(facts)


def _guess_number(facts: Facts) -> Guess:
    whole = facts.mostly(facts.whole)
    saw = f"{facts.range}{facts.missing}{_strays(facts, facts.whole if whole else facts.numbers)}"
    named = is_id_name(facts.name)
    counter = facts.maximum is not None and facts.maximum - (facts.minimum or 0) + 1 == facts.rows > _FEW
    if whole and facts.is_unique and (named or counter):
        return Guess("integer", f"{saw}, a whole number of its own in every row", is_id=True)
    if whole and named and facts.distinct > LEVELS:
        return Guess("integer", saw, f"an identifier with {facts.distinct:,} different values")
    return Guess("integer" if whole else "number", saw)


def _guess_text(facts: Facts) -> Guess:
    saw = f"{facts.distinct:,} different values{facts.missing}"
    if facts.is_unique and facts.distinct > _FEW and (is_id_name(facts.name) or facts.length <= _LONG_TEXT / 2):
        return Guess("category", f"{saw}, one in every row", is_id=True)
    if facts.length > _LONG_TEXT and facts.distinct > _FEW:
        return Guess("category", f"{saw}, {facts.length:.0f} characters on average", "free text")
    if facts.distinct > LEVELS:
        return Guess("category", saw, f"more than {LEVELS} different values")
    if facts.distinct > _FEW and facts.distinct > facts.present / 2:
        return Guess("category", saw, "nearly every row has a value of its own")
    if is_id_name(facts.name) and facts.distinct > _FEW:
        return Guess("category", saw, "an identifier")
    return Guess("category", f"{_shares(facts)}{facts.missing}" if facts.distinct <= 5 else saw)


def is_id_name(name: str) -> bool:
    """Whether a name says that the column names something: ``id``, ``order_id``, ``PassengerId``."""
    return bool(_ID_NAME.search(name) or _CAMEL_ID.search(name))


@dataclass(frozen=True)
class TargetGuess:
    """What the target is taken for.

    Attributes:
        column: Its type, and what was seen.
        task: The task that makes.
        positive: The class that is looked for, where it has to be said.
    """

    column: Guess
    task: Task
    positive: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class labels; empty for regression."""
        return ("false", "true") if self.column.type == "boolean" else self.column.categories


def guess_target(facts: Facts) -> TargetGuess:
    """Take the target for a class or a value.

    Raises:
        DataError: If it cannot be predicted: missing, constant, a time, or text of its own in every row.
    """
    wanted = _guess_target(facts)
    return replace(wanted, column=replace(wanted.column, missing=facts.words))


def _guess_target(facts: Facts) -> TargetGuess:
    name, saw = facts.name, f"{_shares(facts)}{facts.missing}"
    if facts.present == 0:
        raise DataError(f"the target '{name}' is missing in every row")
    if facts.distinct == 1:
        raise DataError(f"the target '{name}' has only one value", seen=next(iter(facts.levels)))
    if facts.is_flag and (facts.is_number or {level.lower() for level in facts.levels} <= {"true", "false"}):
        return TargetGuess(Guess("boolean", saw), "binary")
    if len(facts.levels) == 2 and not (facts.is_number and not facts.mostly(facts.whole)):
        positive = _positive(facts.levels)
        return TargetGuess(Guess("category", saw, categories=tuple(facts.levels)), "binary", positive)
    if facts.is_number:
        return _guess_number_target(facts)
    if facts.mostly(facts.times):
        raise DataError(
            f"the target '{name}' is a time", hint="Predict a number or a class, such as the days until it."
        )
    if facts.distinct > _CLASSES:
        raise DataError(
            f"the target '{name}' has {facts.distinct:,} different texts, too many for classes",
            seen=", ".join(list(facts.levels)[:3]) or None,
            hint=f"Group them into at most {_CLASSES}, or name another target.",
        )
    return TargetGuess(Guess("category", saw, categories=tuple(facts.levels)), "multiclass")


def _guess_number_target(facts: Facts) -> TargetGuess:
    whole = facts.whole == facts.present
    if whole and facts.distinct <= _FEW:
        rarest = min(facts.levels.values())
        if rarest >= _CLASS_ROWS:
            levels = tuple(sorted(facts.levels, key=int))
            return TargetGuess(
                Guess("category", f"{facts.distinct} whole numbers, taken for classes", categories=levels), "multiclass"
            )
    saw = f"{facts.range}, {facts.distinct:,} different values{facts.missing}{_strays(facts, facts.numbers)}"
    return TargetGuess(Guess("number", saw), "regression")


def _positive(levels: dict[str, int]) -> str:
    """The class that is looked for: by its name, else the rarer one."""
    named = [level for level in levels if level.lower() in _POSITIVE]
    return named[0] if len(named) == 1 else min(levels, key=lambda level: (levels[level], level))


def _shares(facts: Facts) -> str:
    shown = [f"{_quoted(level)} {rows / facts.present:.0%}" for level, rows in list(facts.levels.items())[:5]]
    return ", ".join(shown) + (f" and {facts.distinct - 5} more" if facts.distinct > 5 else "")


def _strays(facts: Facts, count: int) -> str:
    return (
        f", {facts.present - count:,} values are not numbers; those rows are quarantined"
        if count < facts.present
        else ""
    )


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:27] + "...")
