"""Raw rows into typed rows with an identity and a side of the split; the rest into quarantine, with their reasons."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis
import pyarrow.parquet as pq

from ciclo.components.cleaning.accounts import Cell, CleaningReport
from ciclo.components.cleaning.classes import class_labels
from ciclo.components.cleaning.identity import group_id, repeats, row_id
from ciclo.components.cleaning.report import cleaning_report
from ciclo.components.cleaning.rules import DUPLICATE_ID, DUPLICATE_ROW, broken_rules, read_columns, reasons_of
from ciclo.components.cleaning.splitting import by_hash, by_time, time_cuts
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import CicloError, DataError, QuarantineError, UnusableError
from ciclo.components.core.own_columns import LINE, MALFORMED, OCCURRENCE, REASONS, ROW_ID, SPLIT
from ciclo.components.core.project import Project
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.datasets import collect, connect, write_rows
from ciclo.components.tables.reading import Value


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
        quarantine_path: Parquet file to write: raw columns, ``LINE``, ``MALFORMED``, ``REASONS``.
        report_path: HTML file to write, also where the rows cannot be used; none is written by default.
        accepted: The last accepted version, beside which the report shows the rows; None if there is none yet.

    Returns:
        What was kept and why the rest was not.

    Raises:
        QuarantineError: If more rows are quarantined than the budget allows; the quarantine is written all the same.
        UnusableError: If what is left cannot train a model: too few rows, a constant target, an empty split.
        DataError: If no row has a target, or it has another number of classes than the task.
        ProjectError: If the project asks for classes the target does not have.
    """
    with TemporaryDirectory() as scratch:
        checked = check_rows(project, raw_path, Path(scratch))
        reasons = _quarantine(checked, quarantine_path)
        report = CleaningReport.of(pq.read_metadata(raw_path).num_rows, reasons, project)
        try:
            _refuse(report, project)
            kept = checked.stored(_keep(checked, project), "kept.parquet")
            cells = _cells(kept, project)
            contract = Contract.of(project, class_labels(project, _observed(kept, cells, project)))
            report = replace(
                report.with_kept(cells, _missing(kept, contract), contract), over_time=_over_time(kept, project)
            )
            report.check_splits()
        except CicloError as refusal:
            if report_path is not None:
                cleaning_report(project.name, report, quarantine_path, refusal, accepted).write(report_path)
            raise
        written = write_rows(kept.order_by(LINE), dataset_path, contract)
    report.balance(written)
    if report_path is not None:
        cleaning_report(project.name, report, quarantine_path, accepted=accepted).write(report_path)
    return report


@dataclass(frozen=True)
class Checked:
    """Rows that were read, named and held against the rules.

    Attributes:
        stored: Writes an expression out under a name, and gives what was written.
        raw: The raw table.
        rows: ``LINE``, the typed columns, ``ROW_ID``, ``REASONS``.
        repeated: ``LINE`` and ``OCCURRENCE`` of the good rows that are not the first of their identity.
        duplicate: Reason of a repeated row, or None if it may stay.
    """

    stored: Callable[[Any, str], Any]
    raw: Any
    rows: Any
    repeated: Any
    duplicate: str | None


def check_rows(project: Project, raw_path: str | Path, scratch: Path) -> Checked:
    """Read, name and check every row.

    Each step is written out, since an engine would otherwise work out a value anew for every rule that looks at it.
    """
    connection = connect()

    def stored(expression: Any, name: str) -> Any:
        expression.to_parquet(scratch / name)
        return connection.read_parquet(scratch / name)

    raw = connection.read_parquet(raw_path)
    values = read_columns(raw, project)
    read = stored(
        raw.select(
            LINE,
            malformed=raw[MALFORMED].notnull(),
            **{f"v{n}": value.typed for n, value in enumerate(values.values())},
            **{f"m{n}": value.missing for n, value in enumerate(values.values())},
            **{f"e{n}": value.inexact for n, value in enumerate(values.values()) if value.inexact is not None},
        ),
        "read.parquet",
    )
    values = {
        name: Value(read[f"v{n}"], read[f"m{n}"], None if value.inexact is None else read[f"e{n}"])
        for n, (name, value) in enumerate(values.items())
    }
    reasons = reasons_of(broken_rules(values, read["malformed"], project))
    typed = [value.typed.name(name) for name, value in values.items()]
    rows = stored(
        read.select(LINE, *typed, row_id(values, project).name(ROW_ID), reasons.name(REASONS)),
        "checked.parquet",
    )
    repeated = stored(repeats(rows.filter(rows[REASONS].length() == 0)), "repeated.parquet")
    reason = DUPLICATE_ID if project.data.id_columns else DUPLICATE_ROW
    return Checked(stored, raw, rows, repeated, reason if project.cleaning.duplicates == "quarantine" else None)


def _quarantine(checked: Checked, path: str | Path) -> dict[tuple[str, ...], int]:
    """Write the rows that are not kept, as they came, and give their reasons with how many rows have just these."""
    reasons = checked.rows.select(LINE, REASONS).left_join(checked.repeated, LINE)
    repeated = reasons[OCCURRENCE].notnull() & (checked.duplicate is not None)
    all_reasons = repeated.ifelse(ibis.array([checked.duplicate or ""]), reasons[REASONS])
    refused = reasons.select(LINE, all_reasons.name(REASONS))
    refused = refused.filter(refused[REASONS].length() > 0)
    checked.raw.inner_join(refused, LINE).order_by(LINE).to_parquet(path, compression="zstd")
    counted = collect(refused.group_by(REASONS).aggregate(rows=refused.count()))
    return {tuple(row[REASONS]): row["rows"] for row in counted.to_pylist()}


def _keep(checked: Checked, project: Project) -> Any:
    """The good rows, each on its side of the split."""
    good = checked.rows.filter(checked.rows[REASONS].length() == 0).drop(REASONS)
    if checked.duplicate is not None:
        good = good.anti_join(checked.repeated, LINE)
    else:
        numbered = good.left_join(checked.repeated, LINE).drop(f"{LINE}_right")
        again = numbered[ROW_ID] + "-" + numbered[OCCURRENCE].cast("string")
        good = numbered.mutate(again.fill_null(numbered[ROW_ID]).name(ROW_ID)).drop(OCCURRENCE)
    split = project.cleaning.split
    if project.split_method == "hash":
        group = split.group
        who = good[ROW_ID] if group is None else group_id(good[group], group, good[ROW_ID])
        side = by_hash(who, split)
    else:
        time = good[project.data.time_column]
        times = collect(good.select(time=time))["time"].to_numpy().astype("datetime64[us]").astype("int64")
        side = by_time(time, time_cuts(times, split))
    return good.mutate(side.name(SPLIT))


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


def _missing(kept: Any, contract: Contract) -> dict[str, int]:
    """Missing values by feature."""
    counts = collect(kept.aggregate(**{f"n{n}": kept[name].isnull().sum() for n, name in enumerate(contract.names)}))
    return dict(zip(contract.names, (int(column[0].as_py() or 0) for column in counts.columns), strict=True))


def _refuse(report: CleaningReport, project: Project) -> None:
    """Raise if too much was quarantined or too little is left."""
    cleaning, kept = project.cleaning, report.rows - report.quarantined
    if report.rows == report.unlabelled:
        raise DataError(f"the target '{project.data.target}' is missing in every row")
    if report.counted > cleaning.quarantine_budget * report.rows:
        raise QuarantineError(
            f"{report.counted:,} of {report.rows:,} rows break the rules, more than the quarantine budget of "
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
