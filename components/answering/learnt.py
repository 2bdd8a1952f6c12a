"""What a fitted pipeline has learnt of missing values and outliers, in words: imputed values and limits by column."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ciclo.components.answering.engine import parts
from ciclo.components.core.among_numbers import AmongNumbers
from ciclo.components.core.fences import Fences
from ciclo.components.core.wording import counted, number


def learnt(model: Any) -> dict[str, list[str]]:
    """What is put in the place of missing values, and where limits lie.

    Args:
        model: A fitted pipeline of ``training/preprocessing.py``, whatever is wrapped around it.

    Returns:
        For each column of which there is something to tell, clauses; empty for any other model. What is imputed by
        default is told of the columns that had missing values.
    """
    steps = next((dict(part.steps) for part in parts(model) if "preprocess" in dict(getattr(part, "steps", ()))), {})
    found: dict[str, list[str]] = {}
    for name, fitted, columns in getattr(steps.get("preprocess"), "transformers_", ()):
        names = [str(column) for column in columns]
        if not names or name.startswith("cycle"):  # not fitted; of columns that are among the numbers too
            continue
        for step in (part for _, part in fitted.steps) if hasattr(fitted, "steps") else (fitted,):
            for column, text in _clauses(step, names, by_default=name in ("numbers", "categories")):
                if text not in found.setdefault(column, []):  # what looks at all numbers clips them all
                    found[column].append(text)
    return found


def _clauses(step: Any, names: Sequence[str], *, by_default: bool) -> Iterator[tuple[str, str]]:
    from sklearn.impute import SimpleImputer

    match step:
        case Fences():
            yield from _limits(step, names)
        case AmongNumbers():
            near = f"imputed by the {step.neighbours} nearest of {counted(step.rows_, 'row')}"
            others = f"imputed by a regression on the other numbers, of {counted(step.rows_, 'row')}"
            yield from ((names[position], near if step.imputer is None else others) for position in step.asked)
        case SimpleImputer():
            asked = range(len(names)) if not by_default else getattr(step.indicator_, "features_", ())
            yield from ((names[at], f"imputed {_word(step.statistics_[at])}") for at in asked)


def _limits(step: Fences, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    done = "clipped to" if step.action == "clip" else "flagged beyond"
    for name, k, low, high in zip(names, step.fences, step.low_, step.high_, strict=True):
        if np.isfinite([low, high]).any():
            yield name, f"{done} {number(low)} to {number(high)}"
        elif k is not None:
            yield name, "no limits, since its quartiles are equal"


def _word(value: Any) -> str:
    return number(float(value)) if isinstance(value, int | float | np.number) else repr(str(value))
