"""What is predicted: the guess of the target of a first project file, and of what to predict where nobody says."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from ciclo.components.core.errors import DataError
from ciclo.components.core.metrics import Task
from ciclo.components.core.wording import counted, listed
from ciclo.components.core.written import same_label
from ciclo.components.drafting.columns import (
    FEW,
    Facts,
    Guess,
    as_written,
    guess_column,
    meanings,
    quoted,
    shares,
    strays_of,
)

_CLASS_ROWS = 10
_CLASSES = 50
_CLASS_WORDS = frozenset({"none", "nil", "unknown", "missing"})
_FREQUENT = 0.05  # share of the rows from which such a word is a class
_TARGET_NAMES = frozenset({"target", "label", "class", "y", "outcome", "response"})
_POSITIVE = ("yes", "y", "true", "t", "positive", "pos", "1", "bad", "churn", "fraud", "default", "m", "malignant")


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


def likely_target(columns: Mapping[str, Facts]) -> str:
    """The column that is most likely to be predicted: one that is called so, else the last that could be.

    Args:
        columns: All columns, in the order of the file.

    Raises:
        DataError: If none could be.
    """
    called = [name for name in columns if name.strip().casefold() in _TARGET_NAMES]
    for name in (*called, *reversed(list(columns))):
        guess = guess_column(columns[name])
        if guess.ignored or guess.is_id or guess.type == "timestamp":
            continue
        with suppress(DataError):
            guess_target(columns[name])
            return name
    raise DataError("there is no column that could be predicted", seen=listed(list(columns)), hint="Name the target.")


def guess_target(facts: Facts) -> TargetGuess:
    """Take the target for a class or a value.

    Raises:
        DataError: If it cannot be predicted: missing, constant, a time, or text of its own in every row.
    """
    asked = DataError(
        f"the target '{facts.name}' can be read in several ways: {facts.question}",
        seen=facts.longest,
        hint="Write its values in one way.",
    )
    facts = _with_named_classes(facts)
    try:
        wanted = _guess_target(facts)
    except DataError as error:
        raise (asked if facts.question else error) from None
    if facts.question and wanted.column.type == "number":
        raise asked
    return replace(wanted, column=as_written(wanted.column, replace(facts, question="")))


def _with_named_classes(facts: Facts) -> Facts:
    """The facts, where a frequent word that could also stand for no value is one of few classes: ``none``, ``mild``."""
    least = max(_CLASS_ROWS, _FREQUENT * facts.rows)
    named = {word: rows for word, rows in facts.words.items() if word.lower() in _CLASS_WORDS and rows >= least}
    if not named or not 0 < len(facts.levels) == facts.distinct <= FEW or facts.times:
        return facts
    return replace(
        facts,
        present=facts.present + sum(named.values()),
        distinct=facts.distinct + len(named),
        levels=dict(sorted({**facts.levels, **named}.items())),
        words={word: rows for word, rows in facts.words.items() if word not in named},
        strays={**named, **facts.strays} if facts.numbers else facts.strays,
    )


def _guess_target(facts: Facts) -> TargetGuess:
    name, saw = facts.name, f"{shares(facts)}{facts.missing}"
    if facts.present == 0:
        raise DataError(f"the target '{name}' is missing in every row")
    if facts.distinct == 1:
        taken = [f"{quoted(word)} in {counted(rows, 'row')}" for word, rows in facts.words.items()]
        raise DataError(
            f"the target '{name}' has only one value",
            seen=next(iter(facts.levels)) + (f"; taken for missing: {listed(taken, 5)}" if taken else ""),
        )
    is_spelt_out = (
        facts.is_number or {level.lower() for level in facts.levels} <= {"true", "false"} or facts.spellings > 2
    )
    if facts.is_flag and is_spelt_out:
        return TargetGuess(Guess("boolean", f"{saw}{meanings(facts)}"), "binary")
    labels = _one_spelling(facts.levels)
    if len(labels) == 1:
        raise DataError(f"the target '{name}' has only one value", seen=", ".join(facts.levels))
    if len(labels) == 2 and not (facts.is_number and not facts.mostly(facts.whole + facts.rounded)):
        return TargetGuess(_guess_labels(facts, labels, saw), "binary", _positive(labels))
    if facts.is_number or (facts.distinct > _CLASSES and facts.numbers >= facts.present / 2 and not facts.padded):
        return _guess_number_target(facts)
    if facts.mostly(facts.times):
        raise DataError(
            f"the target '{name}' is a time", hint="Predict a number or a class, such as the days until it."
        )
    if max(facts.distinct if not labels else 0, len(labels)) > _CLASSES:
        raise DataError(
            f"the target '{name}' has {facts.distinct:,} different texts, too many for classes",
            seen=", ".join(list(facts.levels)[:3]) or None,
            hint=f"Group them into at most {_CLASSES}, or name another target.",
        )
    return TargetGuess(_guess_labels(facts, labels, saw), "multiclass")


def _one_spelling(levels: dict[str, int]) -> dict[str, int]:
    """Labels that differ only in case or in spaces as one, as the most frequent of them is spelled."""
    spelled: dict[str, list[str]] = {}
    for level in levels:
        spelled.setdefault(same_label(level), []).append(level)
    return {
        max(same, key=lambda level: levels[level]): sum(levels[level] for level in same) for same in spelled.values()
    }


def _guess_labels(facts: Facts, labels: dict[str, int], saw: str) -> Guess:
    if len(labels) == len(facts.levels):
        return Guess("category", saw, categories=tuple(labels))
    others = listed((quoted(level) for level in facts.levels if level not in labels), 5)
    saw = f"{saw}; {others} differ from another label only in case or spaces, and are taken for it"
    return Guess("category", saw, categories=tuple(labels), written={"ignore_case": True})


def _guess_number_target(facts: Facts) -> TargetGuess:
    whole = facts.whole + facts.rounded == facts.numbers
    if whole and facts.distinct <= FEW and facts.rules is None:
        rarest = min(facts.levels.values())
        if rarest >= _CLASS_ROWS:
            levels = tuple(
                sorted(
                    facts.levels,
                    key=lambda level: (level in facts.strays, int(level) if level not in facts.strays else 0, level),
                )
            )
            kind = (
                counted(facts.distinct, "whole number")
                if not facts.strays
                else f"whole numbers and {listed(map(quoted, facts.strays))}"
            )
            return TargetGuess(Guess("category", f"{kind}, taken for classes", categories=levels), "multiclass")
    saw = f"{facts.range}, {counted(facts.distinct, 'different value')}{facts.missing}{strays_of(facts, facts.numbers)}"
    return TargetGuess(Guess("number", saw), "regression")


def _positive(levels: dict[str, int]) -> str:
    """The class that is looked for: by its name, else the rarer one."""
    named = [level for level in levels if level.lower() in _POSITIVE]
    return named[0] if len(named) == 1 else min(levels, key=lambda level: (levels[level], level))
