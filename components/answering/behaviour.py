"""How a model behaves, whatever its score (Ribeiro et al., Beyond Accuracy: Behavioral Testing with CheckList, 2020).

What every model has to do is asked of each: answer when an optional value is missing or a category is new, whatever the
order of the columns, and one row as it answers many. What the people of a project know is asked where they state it:
columns that must not matter, and columns with which the answer may only rise or fall.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ciclo.components.answering.engine import Engine
from ciclo.components.core.metrics import Array
from ciclo.components.core.project import Project
from ciclo.components.core.verdict import Check
from ciclo.components.core.wording import counted, shown

ROWS = 300
ALIKE = 1e-9
STEPS = 5
UNSEEN = "a value nobody has seen"
BREACHES = 0.01  # share of steps that may break a statement: a tree of thousands of leaves has a few odd ones


def behaviour(project: Project, engine: Engine, X: pd.DataFrame) -> tuple[Check, ...]:  # noqa: N803
    """Ask a model what has nothing to do with its score.

    Args:
        project: May state which columns must not matter, or in which direction they may.
        engine: What will answer.
        X: Features as ``contract.frame`` gives them; some of the rows are asked.
    """
    X = (X if len(X) <= ROWS else X.sample(ROWS, random_state=project.training.seed)).reset_index(drop=True)  # noqa: N806
    checks = [
        _passes("missing_values", lambda: _missing(engine, X), "it answers where an optional value is missing"),
        _passes("unseen_categories", lambda: _unseen(engine, X), "it answers where a category is new"),
        _passes("column_order", lambda: _order(engine, X), "the order of the columns does not matter"),
        _passes("one_row_as_many", lambda: _single(engine, X), "it answers one row as it answers many"),
    ]
    policy = project.evaluation
    checks += [_unmoved(engine, X, column) for column in policy.unchanged_by]
    checks += [_moves(engine, X, column, 1) for column in policy.rises_with]
    checks += [_moves(engine, X, column, -1) for column in policy.falls_with]
    return tuple(checks)


def _passes(name: str, ask: Callable[[], str], found: str) -> Check:
    try:
        problem = ask()
    except Exception as error:  # whatever a model raises there, it would raise in the server
        problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return Check(name=name, passed=not problem, message=problem or found)


def _missing(engine: Engine, X: pd.DataFrame) -> str:  # noqa: N803
    for column in engine.contract.columns:
        if column.nullable:
            engine.predict(X.assign(**{column.name: pd.Series([np.nan] * len(X), dtype=X[column.name].dtype)}))
    return ""


def _unseen(engine: Engine, X: pd.DataFrame) -> str:  # noqa: N803
    for column in engine.contract.columns:
        if column.type == "category":
            engine.predict(X.assign(**{column.name: pd.Series([UNSEEN] * len(X), dtype=object)}))
    return ""


def _order(engine: Engine, X: pd.DataFrame) -> str:  # noqa: N803
    turned = [{name: row[name] for name in reversed(row)} for row in engine.contract.rows(X.head(20))]
    return _differ(engine.predict(X.head(20)), engine.predict(engine.contract.parse(turned)), "in another order")


def _single(engine: Engine, X: pd.DataFrame) -> str:  # noqa: N803
    some = X.head(20)
    each = [engine.predict(some.iloc[[n]])[0] for n in range(len(some))]
    return _differ(engine.predict(some), each, "by itself")


def _differ(many: list[dict[str, Any]], others: list[dict[str, Any]], how: str) -> str:
    for row, (one, other) in enumerate(zip(many, others, strict=True)):
        for name in one:
            ours, theirs = one[name], other[name]
            numbers = isinstance(ours, float) and isinstance(theirs, float)
            same = math.isclose(ours, theirs, rel_tol=ALIKE, abs_tol=ALIKE) if numbers else ours == theirs
            if not same and not isinstance(ours, dict):
                return f"row {row} gets {name} {shown(theirs)} {how}, and {shown(ours)} among many"
    return ""


def _strength(engine: Engine, X: pd.DataFrame) -> Array:  # noqa: N803
    """What a statement is about: the value, or the probability of the positive (or of the likeliest) class."""
    answers = engine.predict(X)
    if engine.contract.task == "regression":
        return np.array([a["prediction"] for a in answers])
    return np.array([a["probability"] for a in answers])


def _unmoved(engine: Engine, X: pd.DataFrame, column: str) -> Check:  # noqa: N803
    """Invariance: other values of the column, taken from other rows, give the same answers."""
    name = f"unchanged_by_{column}"
    if column not in X:
        return Check(name=name, passed=True, message=f"'{column}' is no feature, so the model cannot see it")
    before, labels = _strength(engine, X), [a["prediction"] for a in engine.predict(X)]
    moved = X.assign(**{column: _others(X[column])})
    after, theirs = _strength(engine, moved), [a["prediction"] for a in engine.predict(moved)]
    different = np.abs(after - before) > ALIKE * np.maximum(1, np.abs(before))
    flipped = sum(a != b for a, b in zip(labels, theirs, strict=True))
    share = float(different.mean())
    message = f"'{column}' does not change an answer"
    if share:
        several = counted(len(X), "row")
        labelled = "" if engine.contract.task == "regression" else f", and the label of {flipped} of {several}"
        message = f"'{column}' changes the answer of {share:.0%} of the rows{labelled}; it must not matter"
    return Check(name=name, passed=share == 0, value=share, limit=0.0, message=message)


def _others(values: pd.Series) -> Array:
    """For each row the value of another row, a different one for as many rows as can have one.

    The values are sorted and turned by the length of the longest run of equal ones.
    """
    order = np.argsort(pd.factorize(values, use_na_sentinel=False)[0], kind="stable")
    longest = int(values.value_counts(dropna=False).max())
    moved = values.to_numpy(copy=True)
    moved[order] = np.roll(moved[order], longest)
    return np.asarray(moved)


def _moves(engine: Engine, X: pd.DataFrame, column: str, sign: int) -> Check:  # noqa: N803
    """Direction: as the column rises through its values and all else stays, the answer moves one way only."""
    word = "rises" if sign > 0 else "falls"
    name = f"{word}_with_{column}"
    values = X[column].astype("float64").dropna() if column in X else pd.Series(dtype="float64")
    steps = np.unique(values) if len(values) else np.empty(0)
    if steps.size > STEPS:
        inner = np.unique(np.quantile(values, np.linspace(0.05, 0.95, STEPS)))
        steps = inner if inner.size > 1 else steps[[0, -1]]
    if steps.size < 2:
        return Check(name=name, passed=True, message=f"'{column}' has no values to move between")
    answers = np.array([_strength(engine, X.assign(**{column: float(step)})) for step in steps])
    wrong = (sign * np.diff(answers, axis=0)) < -ALIKE * np.maximum(1, np.abs(answers[1:]))
    share = float(wrong.mean())
    other = "falls" if sign > 0 else "rises"
    message = f"the answer {other} in {share:.1%} of the steps in which '{column}' rises; it may only {word[:-1]}"
    if share <= BREACHES:
        message = f"the answer {word} with '{column}'" + (f" but for {share:.1%} of the steps" if share else "")
    return Check(name=name, passed=share <= BREACHES, value=share, limit=BREACHES, message=message)
