"""A first project file for any table: every guess stands on its line with what was seen."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis

from ciclo.components.core.cleaning_policy import Cleaning
from ciclo.components.core.errors import DataError
from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.core.rules import Plain
from ciclo.components.core.wording import clean, counted, did_you_mean, listed
from ciclo.components.drafting.columns import Facts, Guess, guess_column, no_days
from ciclo.components.drafting.draft import Draft
from ciclo.components.drafting.measuring import measure
from ciclo.components.drafting.structure import with_sides, with_structure
from ciclo.components.drafting.suspects import sample_of, without_suspects
from ciclo.components.drafting.target import guess_target, likely_target
from ciclo.components.sources.dialect import CUT
from ciclo.components.sources.layout import Source, open_source
from ciclo.components.tables.datasets import collect
from ciclo.components.tables.reading import TIME, read

_TIMES = 10
_MOST_TIMES = 8
_NAME_LENGTH = 200
_OTHER_TIME = re.compile(r"birth|born|dob|expir|until|due|valid|deadline|update|modif", re.IGNORECASE)


def propose(
    path: str | Path,
    target: str,
    name: str | None = None,
    header: bool | None = None,
    delimiter: str | None = None,
) -> str:
    """Write a project file for a table.

    Args:
        path: A CSV, JSON lines or Parquet file, or any source a project may name; written into the file as it is given.
        target: The column to predict; where it is empty, the one that is most likely meant, and a comment says so.
        name: Name of the project; by default made from the name of the file.
        header: Whether the first record of a CSV file names the columns; None to find out.
        delimiter: What stands between two fields of a CSV file; None to find out.

    Returns:
        The text of a ``project.yaml`` that is valid as it stands.

    Raises:
        DataError: If the file is missing or broken, or the target cannot be predicted.
        ProjectError: If the name is not one.
    """
    with TemporaryDirectory() as scratch:
        source = open_source(str(path), Path(scratch), header=header, delimiter=delimiter)
        names = [column for column in source.table.columns if column not in (LINE, MALFORMED)]
        _check_names(names, target, str(path))
        malformed = _malformed(source)
        sound = source.table.filter(source.table[MALFORMED].isnull()) if malformed else source.table
        facts = measure(sound, names, source.delimiter)
        assumed = not target
        target = target or likely_target(facts)
        wanted = guess_target(facts[target])
        if assumed:
            wanted = replace(wanted, column=wanted.column.noted("taken for the target, since nobody named one"))
        guesses = {column: wanted.column if column == target else guess_column(facts[column]) for column in names}
        guesses |= {name: guesses[name].noted("from the names of the folders") for name in source.folders}
        for index, why in source.indexes.items():
            guesses[index] = replace(guesses[index], ignored=why, is_id=False)
        _check_usable(guesses, facts[target], str(path))
        time, later = _time_column(source, facts, guesses, target, wanted.task)
        guesses |= {name: guesses[name].noted(f"never before '{time}': is it known in time?") for name in later}
        guesses |= {
            name: guess.noted(note)
            for name, guess in guesses.items()
            if guess.type == "timestamp" and (note := no_days(facts[name], is_time_column=name == time))
        }
        draft = Draft(
            name=name or _slug(str(path)),
            source=str(path),
            target=target,
            wanted=wanted,
            columns=guesses,
            time_column=time,
            repeated=_repeated(source, facts),
            header=header,
            delimiter=delimiter,
            malformed=malformed,
        )
        rows = sample_of(source, draft)
        draft = without_suspects(with_structure(draft, source, facts, rows), rows)
        return with_sides(draft, rows).text(source)


def _check_names(names: list[str], target: str, path: str) -> None:
    if target and target not in names:
        raise DataError(
            f"{path} has no column '{target}'{did_you_mean(target, names)}",
            seen=listed(names),
            hint=CUT if len(names) == 1 else "",
        )
    long = [name for name in names if len(name) > _NAME_LENGTH]
    if long:
        raise DataError(f"{path} has a column name of more than {_NAME_LENGTH} characters", seen=long[0][:60] + "...")


def _check_usable(guesses: dict[str, Guess], target: Facts, path: str) -> None:
    minimum = Cleaning().minimum_rows
    if target.present < minimum:
        raise DataError(
            f"{path} has too few rows with a '{target.name}' to train on",
            seen=f"{target.present:,}, minimum {minimum}",
            hint="Give more rows.",
        )
    if all(guess.ignored or guess.is_id for name, guess in guesses.items() if name != target.name):
        reasons = [f"'{name}': {guess.ignored or 'an id'}" for name, guess in guesses.items() if name != target.name]
        raise DataError(f"{path} has no column to predict '{target.name}' from", seen="; ".join(reasons[:5]) or None)


def _time_column(
    source: Source, facts: Mapping[str, Facts], guesses: Mapping[str, Guess], target: str, task: str
) -> tuple[str | None, list[str]]:
    """The column that can be the time of a row and by which the rows can be split; and the times that come after it.

    Of several it is the one that is never later than another: what comes after is not known yet when a row happens.
    """
    found = [
        name
        for name, guess in guesses.items()
        if guess.type == "timestamp"
        and facts[name].present == facts[name].rows
        and facts[name].distinct >= _TIMES
        and not facts[name].question
        and not _OTHER_TIME.search(name)
    ]
    times = {name: source.time(name, facts[name].rules or Plain("timestamp")) for name in found}
    first = found[0] if len(found) == 1 else _first_of(source, times)
    if first is None:
        return None, []
    label = read(source.table[target], Plain("category", missing=tuple(guesses[target].missing))).typed
    if not _splits_by_time(source, times[first], label, task):
        return None, []
    return first, [name for name in found if name != first]


def _first_of(source: Source, times: Mapping[str, Any]) -> str | None:
    """The time that is never later than any other, and at least once earlier than each."""
    names = list(times)[:_MOST_TIMES]
    if len(names) < 2:
        return None
    rows = source.table.select(**{f"t{n}": times[name] for n, name in enumerate(names)})
    pairs = [(a, b) for a in range(len(names)) for b in range(len(names)) if a != b]
    asked = {f"late_{a}_{b}": (rows[f"t{a}"] > rows[f"t{b}"]).sum() for a, b in pairs}
    (late,) = collect(rows.aggregate(**asked)).to_pylist()
    for a, name in enumerate(names):
        others = [b for b in range(len(names)) if b != a]
        if all(not late[f"late_{a}_{b}"] and late[f"late_{b}_{a}"] for b in others):
            return name
    return None


def _splits_by_time(source: Source, time: Any, label: Any, task: str) -> bool:
    """Whether the first 60 % of the times hold every class, and later ones remain to choose and to judge by."""
    seconds = time.delta(ibis.literal("1970-01-01", type=TIME), unit="second")
    rows = source.table.select(time=seconds.cast("float64"), label=label)
    rows = rows.filter(rows["time"].notnull() & rows["label"].notnull())
    early, late = (rows["time"].quantile(share) for share in (0.6, 0.8))
    bounds = collect(rows.aggregate(first=rows["time"].min(), early=early, late=late, last=rows["time"].max()))
    bound = bounds.to_pylist()[0]
    if not bound["first"] < bound["early"] < bound["late"] < bound["last"]:
        return False
    if task == "regression":
        return True
    firsts = collect(rows.group_by("label").aggregate(first=rows["time"].min()))["first"].to_pylist()
    return bool(max(firsts) < bound["early"])


def _repeated(source: Source, facts: Mapping[str, Facts]) -> float:
    """Share of the rows that are the same as another one."""
    if any(column.distinct == source.rows for column in facts.values()):
        return 0.0
    different = source.table.select(*facts).distinct()
    rows: int = collect(different.aggregate(rows=different.count()))["rows"][0].as_py()
    return 1 - rows / source.rows


def _malformed(source: Source) -> str:
    """How many records do not fit the header, one of them, and what to do; empty if there are none."""
    records = source.table.filter(source.table[MALFORMED].notnull())
    text, line = records[MALFORMED], records[LINE]
    escaped = text.contains('\\"').ifelse(1, 0).sum()
    asked = records.aggregate(rows=records.count(), first=line.min(), text=text.argmin(line), escaped=escaped)
    (row,) = collect(asked).to_pylist()
    if not row["rows"]:
        return ""
    advice = (
        'In CSV a quote within quotes is written ""; Spark writes \\" unless it is given the option escape="\\"".'
        if row["escaped"]
        else "See that a delimiter, a quote or a line break within a value stands in quotes."
    )
    then = "will be quarantined"
    if row["rows"] > Cleaning().quarantine_budget * source.rows:
        then += ", which is more than cleaning.quarantine_budget bears"
    count = f"{row['rows']:,} of {counted(source.rows, 'record')} {'is' if row['rows'] == 1 else 'are'} malformed"
    return f"{count} and {then}, such as record {row['first']:,}: {clean(row['text'], 160)}. {advice}"


def _slug(path: str) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", Path(path).name.split(".")[0].lower()).strip("-")
    return (stem if stem[:1].isalpha() else f"p-{stem}")[:40].strip("-")
