"""What an analyst sees in a table beside its types: whose rows they are, their order, twins, codes, constants."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ciclo.components.core.metrics import Array
from ciclo.components.core.rules import Plain
from ciclo.components.core.wording import counted, listed
from ciclo.components.drafting.columns import LEVELS, Facts, Guess
from ciclo.components.drafting.draft import Draft
from ciclo.components.sources.layout import Source
from ciclo.components.tables.entities import LEAST_VALUES, names_an_entity
from ciclo.components.tables.patterns import Patterns
from ciclo.components.tables.stacking import rows_by_value

_OFFERED = 50  # values from which rows are split by them: of fewer, one side might get none
_COUNTED = 50  # columns whose rows are counted by value
_NEARLY = 0.99
_GAPS = 0.5  # share of known values up to which missing ones are worth a word
_TWINS = 0.999
_TWIN_ROWS = 4_000
_SORTED_VALUES = 10
_FEW = 20
_CODE = re.compile(
    r"(^|[^a-z])(zip|zip_?code|post_?code|postal(_?code)?|plz|tract|census_?tract|fips|naics|sic|icd|area_?code|"
    r"country_?code|region_?code|district_?code|code)([^a-z]|$)",
    re.IGNORECASE,
)


def with_structure(draft: Draft, source: Source, facts: Mapping[str, Facts], rows: pd.DataFrame) -> Draft:
    """Note on each column what its values and those of its neighbours show; choose a group for the split.

    Args:
        draft: The draft.
        source: The source.
        facts: What was counted of each column.
        rows: Rows from the first to the last.
    """
    notes: dict[str, list[str]] = {name: [] for name in draft.columns}
    for name, guess in draft.columns.items():
        notes[name] += _by_itself(facts[name], guess, name == draft.target)
    for name, text in _twins(draft, rows).items():
        notes[name].append(text)
    for name, text in _order(draft, rows).items():
        notes[name].append(text)
    if draft.time_column is not None:
        notes[draft.time_column] += _parts(rows[draft.time_column])
    group, entities = _group(draft, source, facts)
    columns = dict(draft.columns)
    for name in entities:
        each = facts[name].present / facts[name].distinct
        notes[name].append(f"{counted(facts[name].distinct, 'value')} with {each:.1f} rows each, like people or things")
        if name == group:
            columns[name] = replace(columns[name], ignored=columns[name].ignored or "names whose row it is")
        elif draft.time_column is not None:
            notes[name].append("a split by time leaves them on both sides; cleaning.split.group keeps them on one")
        else:
            notes[name].append("cleaning.split.group would keep the rows of each on one side")
    return replace(draft, group=group, columns={n: guess.noted(*notes[n]) for n, guess in columns.items()})


def _by_itself(facts: Facts, guess: Guess, is_target: bool) -> list[str]:
    notes = []
    most = max(facts.levels.values(), default=0)
    if facts.distinct > 1 and most >= _NEARLY * facts.present:
        value = max(facts.levels, key=lambda level: facts.levels[level])
        notes.append(f"nearly constant: {value!r} in {most / facts.present:.1%} of its rows")
    if is_target or guess.is_id:
        return notes
    if not guess.ignored and facts.present <= _GAPS * facts.rows:
        share = 1 - facts.present / facts.rows
        notes.append(
            f"{share:.0%} missing: in cleaning.missing.columns, indicator: true tells models where, and drop_above: "
            f"{1 - _GAPS:g} leaves it out"
        )
    if guess.type == "integer" and _CODE.search(facts.name) and facts.distinct > 2:
        notes.append("numbers that name a place or a kind are no quantity: make it a category")
    elif guess.type == "integer" and not guess.ignored and facts.is_unique and facts.rows > _FEW:
        notes.append("a whole number of its own in every row: an identifier belongs into id_columns")
    return notes


def _twins(draft: Draft, rows: pd.DataFrame) -> dict[str, str]:
    """Columns that tell the same as an earlier one: numbers with the same order, texts with the same pattern."""
    some = rows.iloc[:: max(len(rows) // _TWIN_ROWS, 1)]
    names = list(draft.project.features)
    found = {}
    texts = [name for name in names if draft.columns[name].type == "category"]
    first: dict[bytes, str] = {}
    for name in texts:
        codes = pd.factorize(some[name])[0]
        if codes.max(initial=0) < 1:
            continue
        twin = first.setdefault(codes.tobytes(), name)
        if twin != name:
            found[name] = f"a twin of '{twin}': each value of one stands for a value of the other"
    numbers = [name for name in names if name not in texts]
    if len(numbers) < 2 or len(some) < _FEW:
        return found
    ranks = some[numbers].astype("float64").rank().to_numpy()
    standard = np.nan_to_num(ranks - np.nanmean(ranks, axis=0))
    length = np.sqrt((standard**2).sum(axis=0))
    standard = standard / np.where(length > 0, length, 1.0)
    alike = np.abs(np.triu(standard.T @ standard, 1))
    for at in np.flatnonzero(alike.max(axis=0) > _TWINS):
        other = int(alike[:, at].argmax())
        found[numbers[at]] = f"a twin of '{numbers[other]}' (rank correlation {min(alike[other, at], 1):.4f})"
    return found


def _order(draft: Draft, rows: pd.DataFrame) -> dict[str, str]:
    """The columns by which the file is sorted, times and ids aside."""
    found = {}
    for name, guess in draft.columns.items():
        if guess.is_id or guess.type == "timestamp":
            continue
        values = rows[name].dropna()
        least = 2 if name == draft.target else _SORTED_VALUES
        if len(values) < _FEW or values.nunique() < least:
            continue
        if values.is_monotonic_increasing or values.is_monotonic_decreasing:
            found[name] = "the file is sorted by it"
            if name == draft.target:
                found[name] += ", so whatever follows the order of the rows knows the answer"
    return found


def _parts(times: pd.Series) -> list[str]:
    """Which parts of a time vary, and so may be features."""
    parts = []
    if times.dt.hour.nunique() > 1:
        parts.append("hour (cycle: 24)")
    if times.dt.dayofweek.nunique() == 7 and times.max() - times.min() > pd.Timedelta(days=14):
        parts.append("weekday (cycle: 7)")
    if times.max() - times.min() > pd.Timedelta(days=2 * 365):
        parts.append("month (cycle: 12)")
    if not parts:
        return []
    return [f"its {listed(parts)} may be of use: write it as a column into the source, as a number from 0"]


def _group(draft: Draft, source: Source, facts: Mapping[str, Facts]) -> tuple[str | None, list[str]]:
    """The column by which rows are split, and all that name people or things."""
    candidates = [name for name in draft.columns if _may_be_an_entity(draft, facts[name])]
    candidates.sort(key=lambda name: not names_an_entity(name, np.full(LEAST_VALUES, 2)))
    sizes = _sizes(source, draft, facts, candidates[:_COUNTED])
    entities = [name for name in candidates[:_COUNTED] if names_an_entity(name, sizes[name])]
    offered = [name for name in entities if facts[name].distinct >= _OFFERED]
    if not offered or draft.time_column is not None:
        return None, entities
    return min(offered, key=lambda name: facts[name].distinct), entities


def _may_be_an_entity(draft: Draft, facts: Facts) -> bool:
    guess = draft.columns[facts.name]
    return (
        guess.type in ("integer", "category")
        and facts.name != draft.target
        and not guess.is_id
        and facts.distinct >= LEAST_VALUES
        and facts.present >= 2 * facts.distinct
    )


def _sizes(source: Source, draft: Draft, facts: Mapping[str, Facts], names: Sequence[str]) -> dict[str, Array]:
    """In how many rows each value of some columns stands."""
    known = {name: np.array(list(facts[name].levels.values())) for name in names if facts[name].distinct <= LEVELS}
    rules = {name: _rules(facts[name], draft.columns[name]) for name in names if name not in known}
    return known | rows_by_value(source.table, rules, source.rows)


def _rules(facts: Facts, guess: Guess) -> Plain:
    return replace(facts.rules or Plain(guess.type), type=guess.type, missing=tuple(facts.words))


def with_sides(draft: Draft, rows: pd.DataFrame) -> Draft:
    """Let equal rows fall apart where too many are equal, as cleaning would refuse to keep them together.

    Args:
        draft: The draft, its features decided.
        rows: From ``sample_of``.
    """
    if draft.group is not None or draft.time_column is not None:
        return draft
    found = Patterns.of(rows[list(draft.project.features)].value_counts(dropna=False).to_numpy())
    if not found.few:
        return draft
    return replace(draft, few=f"equal rows on one side would make its size a matter of luck: {found.text}")
