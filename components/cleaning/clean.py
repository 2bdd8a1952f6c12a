"""Raw rows into typed rows with an identity and a side of the split; the rest into quarantine, with their reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pyarrow.parquet as pq

from ciclo.components.cleaning.accounts import Cell, CleaningReport
from ciclo.components.cleaning.classes import class_labels
from ciclo.components.cleaning.duplicates import duplicate_reason, key_columns, needs_key, precedence
from ciclo.components.cleaning.identity import group_id, pattern_id, repeats, row_id
from ciclo.components.cleaning.report import cleaning_report
from ciclo.components.cleaning.rules import broken_rules, read_columns, reasons_of
from ciclo.components.cleaning.splitting import by_hash, by_time, time_cuts
from ciclo.components.cleaning.treatments import dropped, gaps, treatments
from ciclo.components.core.cleaning_policy import beyond_reach
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import CicloError, DataError, QuarantineError, UnusableError
from ciclo.components.core.own_columns import (
    KEY,
    LINE,
    MALFORMED,
    OCCURRENCE,
    PATTERN,
    PREFIX,
    REASONS,
    ROW_ID,
    SPLIT,
    STAYED,
)
from ciclo.components.core.project import Project
from ciclo.components.core.splits import copies_fall_apart, hashed_features
from ciclo.components.core.wording import counted
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.datasets import collect, connect, stored, write_rows, write_stream
from ciclo.components.tables.patterns import SAMPLED, Patterns
from ciclo.components.tables.reading import Value, says_zone


def clean(
    project: Project,
    raw_path: str | Path,
    dataset_path: str | Path,
    quarantine_path: str | Path,
    report_path: str | Path | None = None,
    accepted: Accepted | None = None,
) -> CleaningReport:
    """Keep the rows that obey the project, and account for every other one.

    Args:
        project: The rules.
        raw_path: What ingestion wrote.
        dataset_path: Parquet file to write: typed columns, ``LINE``, ``ROW_ID``, ``SPLIT``, the contract inside.
        quarantine_path: Parquet file to write: raw columns, ``LINE``, ``MALFORMED``, ``REASONS``, and of a row
            that is the same as another the line that ``STAYED``.
        report_path: HTML file to write, also where the rows cannot be used; none is written by default.
        accepted: The last accepted version, beside which the report shows the rows; None if there is none yet.

    Returns:
        What was kept and why the rest was not.

    Raises:
        QuarantineError: If more rows are quarantined than the budget allows; the quarantine is written all the same.
        UnusableError: If what is left cannot train a model: too few rows, a constant target, an empty split.
        DataError: If no row has a target, or it has another number of classes than the task; if equal rows are to stay
            together and are too many; if missing values cannot be imputed as the project has it on so many rows.
        ProjectError: If the project asks for classes the target does not have.
    """
    checked = check_rows(project, raw_path)
    reasons = _quarantine(checked, quarantine_path)
    report = CleaningReport.of(pq.read_metadata(raw_path).num_rows, reasons, project, checked.zones)
    try:
        _refuse(report, project)
        kept = stored(_keep(checked, project), "kept")
        report, contract = _described(report, kept, project)
        report.check_splits()
    except CicloError as refusal:
        if report_path is not None:
            cleaning_report(project.name, report, quarantine_path, refusal, accepted).write(report_path)
        raise
    written = write_rows(kept.order_by(LINE), dataset_path, contract, report.treatments)
    report.balance(written)
    if report_path is not None:
        cleaning_report(project.name, report, quarantine_path, accepted=accepted).write(report_path)
    return report


def _described(report: CleaningReport, kept: Any, project: Project) -> tuple[CleaningReport, Contract]:
    """What the kept rows look like, and the contract of those that train on them."""
    cells, missing = _cells(kept, project), gaps(kept, project)
    rows, train = sum(cell.rows for cell in cells), sum(cell.rows for cell in cells if cell.side == "train")
    left_out = dropped(project, missing, train)
    contract = Contract.of(project, class_labels(project, _observed(kept, cells, project)), left_out)
    report = replace(
        report.with_kept(cells, {name: total for name, (total, _) in missing.items()}, contract),
        over_time=_over_time(kept, project),
        treatments=tuple(treatments(project, kept, rows, report.rows, missing, left_out, report.reasons)),
        dropped=left_out,
    )
    numbers = [column.name for column in contract.columns if column.type != "category"]
    fitted_on = report.splits["train"] + report.splits["validation"]
    if problem := beyond_reach(project.cleaning, numbers, fitted_on):
        raise DataError(problem, hint="Impute the median, or take fewer rows.")
    return report, contract


@dataclass(frozen=True)
class Checked:
    """Rows that were read, named and held against the rules.

    Attributes:
        raw: The raw table.
        rows: ``LINE``, the typed columns, ``ROW_ID``, ``REASONS``, and ``KEY`` where duplicates go by it.
        repeated: ``LINE``, ``OCCURRENCE`` and ``STAYED`` of the good rows that are the same as one with precedence.
        duplicate: Reason of a repeated row; empty if it may stay.
        zones: How many times say their zone and how many do not, by column that holds both.
    """

    raw: Any
    rows: Any
    repeated: Any
    duplicate: str
    zones: dict[str, tuple[int, int]]


def check_rows(project: Project, raw_path: str | Path) -> Checked:
    """Read, name and check every row.

    What several steps look at is a table of the engine, which goes to files where it does not fit into memory; within a
    step ``connect`` has values worked out once.
    """
    raw = connect().read_parquet(raw_path)
    values = read_columns(raw, project)
    times = {
        name: n
        for n, (name, column) in enumerate(project.data.columns.items())
        if column.type == "timestamp" and raw[name].type().is_string()
    }
    read = raw.select(
        LINE,
        malformed=raw[MALFORMED].notnull(),
        **{f"v{n}": value.typed for n, value in enumerate(values.values())},
        **{f"m{n}": value.missing for n, value in enumerate(values.values())},
        **{f"e{n}": value.inexact for n, value in enumerate(values.values()) if value.inexact is not None},
        **{f"{PREFIX}z{n}": says_zone(raw[name]) for name, n in times.items()},
    )
    values = {
        name: Value(read[f"v{n}"], read[f"m{n}"], None if value.inexact is None else read[f"e{n}"])
        for n, (name, value) in enumerate(values.items())
    }
    reasons = reasons_of(broken_rules(values, read["malformed"], project))
    typed = [value.typed.name(name) for name, value in values.items()]
    named = [row_id(values, project.data.id_columns).name(ROW_ID)]
    if needs_key(project):
        named.append(row_id(values, key_columns(project)).name(KEY))
    zoned = [f"{PREFIX}z{n}" for n in times.values()]
    rows = stored(read.select(LINE, *typed, *named, reasons.name(REASONS), *zoned), "checked")
    zones = _zones(rows, times)
    rows = rows.drop(*zoned)
    good = rows.filter(rows[REASONS].length() == 0)
    key = KEY if needs_key(project) else ROW_ID
    repeated = stored(repeats(good, key, precedence(good, project)), "repeated")
    return Checked(raw, rows, repeated, duplicate_reason(project), zones)


def _zones(rows: Any, places: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """How many times say their zone and how many do not, by column that holds both."""
    if not places:
        return {}
    counts = {
        f"{kind}{n}": (rows[name].notnull() & (rows[f"{PREFIX}z{n}"] if kind == "z" else ~rows[f"{PREFIX}z{n}"])).sum()
        for name, n in places.items()
        for kind in ("z", "n")
    }
    (row,) = collect(rows.aggregate(**counts)).to_pylist()
    found = {name: (int(row[f"z{n}"] or 0), int(row[f"n{n}"] or 0)) for name, n in places.items()}
    return {name: both for name, both in found.items() if all(both)}


def _quarantine(checked: Checked, path: str | Path) -> dict[tuple[str, ...], int]:
    """Write the rows that are not kept, as they came, and give their reasons with how many rows have just these."""
    reasons = checked.rows.select(LINE, REASONS).left_join(checked.repeated, LINE)
    repeated = reasons[OCCURRENCE].notnull() & bool(checked.duplicate)
    all_reasons = repeated.ifelse(ibis.array([checked.duplicate]), reasons[REASONS])
    stayed = repeated.ifelse(reasons[STAYED], ibis.null("int64"))
    refused = reasons.select(LINE, all_reasons.name(REASONS), stayed.name(STAYED))
    refused = refused.filter(refused[REASONS].length() > 0)
    write_stream(checked.raw.inner_join(refused, LINE).order_by(LINE), path)
    found = collect(refused.group_by(REASONS).aggregate(rows=refused.count()))
    return {tuple(row[REASONS]): row["rows"] for row in found.to_pylist()}


def _keep(checked: Checked, project: Project) -> Any:
    """The good rows, each on its side of the split."""
    good = checked.rows.filter(checked.rows[REASONS].length() == 0).drop(REASONS)
    if checked.duplicate:
        good = good.anti_join(checked.repeated, LINE)
    if needs_key(project):
        good = stored(good.drop(KEY), "different")
    if not checked.duplicate:
        good = _numbered(good, checked.repeated)
    elif needs_key(project) and project.data.id_columns:
        good = _numbered(good, repeats(good, ROW_ID, [good[LINE]]))
    if project.split_method == "hash":
        good, name = _named(checked, good, project)
        side = by_hash(name, project.cleaning.split)
    else:
        time = good[project.data.time_column]
        times = collect(good.select(time=time))["time"].to_numpy().astype("datetime64[us]").astype("int64")
        side = by_time(time, time_cuts(times, project.cleaning.split))
    return good.mutate(side.name(SPLIT)).drop(*{PATTERN} & set(good.columns))


def _numbered(rows: Any, repeated: Any) -> Any:
    """Rows of one identity that may all stay, told apart by how many of it came before."""
    numbered = rows.left_join(repeated.select(LINE, OCCURRENCE), LINE).drop(f"{LINE}_right")
    again = numbered[ROW_ID] + "-" + numbered[OCCURRENCE].cast("string")
    return numbered.mutate(again.fill_null(numbered[ROW_ID]).name(ROW_ID)).drop(OCCURRENCE)


def _named(checked: Checked, good: Any, project: Project) -> tuple[Any, Any]:
    """Good rows, and what a split by hash goes by: the group, the features where other rows are equal, the identity."""
    split, own = project.cleaning.split, good[ROW_ID]
    if split.equal_rows == "together":
        named = pattern_id(good, hashed_features(project)).name(PATTERN)
        keyed = stored(good.select(LINE, named), "patterns")
        if split.group is None:
            _check_patterns(keyed)
        sizes = keyed.group_by(PATTERN).aggregate(rows=keyed.count())
        several = stored(sizes.filter(sizes["rows"] > 1).select(PATTERN), "several")
        good = good.left_join(keyed.semi_join(several, PATTERN), LINE).drop(f"{LINE}_right")
        own = good[PATTERN].fill_null(good[ROW_ID])
    elif copies_fall_apart(project):
        own = own.contains("-").ifelse(own.hexdigest("md5"), own)
    return good, own if split.group is None else group_id(good[split.group], split.group, own)


def _check_patterns(keyed: Any) -> None:
    """Refuse sides that keep equal rows together where that makes them useless.

    Args:
        keyed: ``LINE`` and ``PATTERN`` of every row.
    """
    rows = int(collect(keyed.aggregate(rows=keyed.count()))["rows"][0].as_py())
    step = max(rows // SAMPLED, 1)
    if not _patterns(keyed.filter(keyed[LINE] % step == 0)).few:
        return
    found = _patterns(keyed)
    if found.few:
        raise DataError(
            "rows that are equal in all features are kept on one side of the split, and too many are equal",
            seen=found.text,
            hint="Set cleaning.split.equal_rows to apart, or give features that tell rows apart.",
        )


def _patterns(keyed: Any) -> Patterns:
    sizes = collect(keyed.group_by(PATTERN).aggregate(size=keyed.count()))["size"]
    return Patterns.of(sizes.to_numpy())


def _cells(kept: Any, project: Project) -> list[Cell]:
    """How many rows there are of each label on each side of the split; of each side, where the target is a number."""
    label = kept[project.data.target] if project.task != "regression" else kept[project.data.target].isnull()
    counted = kept.group_by(target=label, side=kept[SPLIT]).aggregate(rows=kept.count())
    return [Cell(**row) for row in collect(counted.order_by("side", "target")).to_pylist()]


def _observed(kept: Any, cells: list[Cell], project: Project) -> list[Any]:
    """The different labels; of a number its least and its greatest value, which tell whether it varies."""
    if project.task != "regression":
        return list(dict.fromkeys(cell.target for cell in cells))
    target = kept[project.data.target]
    (ends,) = collect(kept.aggregate(low=target.min(), high=target.max())).to_pylist()
    return list(dict.fromkeys((ends["low"], ends["high"])))


def _over_time(kept: Any, project: Project) -> dict[date, dict[str, int]]:
    """Kept rows by day and side of the split."""
    if project.data.time_column is None:
        return {}
    counted = kept.group_by(day=kept[project.data.time_column].date(), side=kept[SPLIT]).aggregate(rows=kept.count())
    days: dict[date, dict[str, int]] = {}
    for row in collect(counted.order_by("day", "side")).to_pylist():
        days.setdefault(row["day"], {})[row["side"]] = row["rows"]
    return days


def _refuse(report: CleaningReport, project: Project) -> None:
    """Raise if too much was quarantined or too little is left."""
    cleaning, kept = project.cleaning, report.rows - report.quarantined
    if report.rows == report.unlabelled:
        raise DataError(f"the target '{project.data.target}' is missing in every row")
    if report.counted > cleaning.quarantine_budget * report.rows:
        raise QuarantineError(
            f"{report.counted:,} of {counted(report.rows, 'row')} break the rules, more than the quarantine budget of "
            f"{cleaning.quarantine_budget:.1%}",
            seen=report.worst,
            hint="Fix the source or the rules; raise cleaning.quarantine_budget only for rows that are of no use.",
        )
    if kept < cleaning.minimum_rows:
        raise UnusableError(
            "too few rows are left to train on",
            seen=f"{kept:,}, and {report.worst}" if report.reasons else f"{kept:,}",
            hint=f"cleaning.minimum_rows is {cleaning.minimum_rows:,}.",
        )
