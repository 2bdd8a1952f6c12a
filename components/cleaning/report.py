"""The cleaning report: what became of every row, in numbers and pictures, and rows that were set aside as examples."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ciclo.components.cleaning.accounts import CleaningReport
from ciclo.components.cleaning.beside import show_last_run
from ciclo.components.core.charts import Line, Point, key, line_chart
from ciclo.components.core.dates import mixed_zones
from ciclo.components.core.errors import CicloError
from ciclo.components.core.histograms import share_bars
from ciclo.components.core.own_columns import LINE, MALFORMED, REASONS, STAYED, is_own
from ciclo.components.core.report import Report
from ciclo.components.core.wording import clean, counted, listed, number, shown
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.datasets import BATCH

REASONS_SHOWN = 20
EXAMPLES = 3  # rows of each reason
LISTED = 300
DRAWN = 24
PERIODS = 60  # points of a line over time
TONES = {"train": "past", "validation": "second", "test": "accent"}
_NAMED = re.compile(r"^\w+: column '(.*)' (?:is|must)\b", re.S)


def cleaning_report(
    name: str,
    accounts: CleaningReport,
    quarantine: str | Path,
    refusal: CicloError | None = None,
    accepted: Accepted | None = None,
) -> Report:
    """Show what became of the rows.

    Args:
        name: Name of the project.
        accounts: The numbers, as far as cleaning came.
        quarantine: Parquet file of the rows that were set aside.
        refusal: Why cleaning went no further, if it did not.
        accepted: The last accepted version, beside which the rows are shown; None if there is none yet.
    """
    report = Report(f"Cleaning of {name}")
    if refusal is not None:
        report.banner("The data cannot be used", str(refusal), "bad")
    else:
        word, tone = ("Clean, with rows set aside", "warn") if accounts.counted else ("The rows are clean", "good")
        report.banner(word, accounts.summary, tone)
    rows = [["in", accounts.rows], ["kept", accounts.kept], ["quarantined", accounts.quarantined]]
    report.section("Rows").table(["", "rows"], [*rows, *accounts.splits.items()])
    for column, (zoned, others) in accounts.zones.items():
        report.text(f"'{column}': {mixed_zones(zoned, others)}.", "warn")
    if accounts.over_time:
        _over_time(report, accounts.over_time)
    _quarantine(report, accounts, quarantine)
    if accounts.treatments:
        _treatments(report, accounts)
    if accounts.classes:
        _classes(report, accounts)
    if accounts.splits:
        _missing(report, accounts)
        show_last_run(report, accounts, accepted)
    return report


def _over_time(report: Report, days: Mapping[date, Mapping[str, int]]) -> None:
    first, last = min(days), max(days)
    step = -(-((last - first).days + 1) // PERIODS)
    counts: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for day, sides in days.items():
        for side, rows in sides.items():
            counts[(day - first).days // step][side] += rows
    lines = []
    for side, tone in TONES.items():
        points = [
            Point(datetime.combine(first, datetime.min.time(), UTC) + timedelta(days=at * step), counts[at][side])
            for at in range((last - first).days // step + 1)
        ]
        held = [i for i, point in enumerate(points) if point.value]
        if held:
            lines.append(Line(side, tuple(points[held[0] : held[-1] + 1]), tone))
    report.section("Split over time")
    report.text(f"Rows kept in each {'day' if step == 1 else counted(step, 'day')}, from {first} to {last}.")
    report.chart(key((line.tone, line.name) for line in lines)).chart(line_chart("Split over time", lines))


def _quarantine(report: Report, accounts: CleaningReport, path: str | Path) -> None:
    report.section("Quarantine")
    if not accounts.reasons:
        report.text("No row broke a rule.", "good")
        return
    report.text(
        "A row may have several reasons; a row that merely has no label, or that a later one replaces, does not "
        "count as broken."
    )
    worst = dict(list(accounts.reasons.items())[:REASONS_SHOWN])
    found = examples(path, list(worst))
    report.table(
        ["reason", "rows", "of all rows", "for example"],
        [[r, n, f"{number(100 * n / accounts.rows)} %", "; ".join(found[r])] for r, n in worst.items()],
    )
    if len(accounts.reasons) > len(worst):
        rest = counted(len(accounts.reasons) - len(worst), "more reason is", "more reasons are")
        report.text(f"{rest} in the quarantine file.")


def examples(path: str | Path, reasons: list[str]) -> dict[str, list[str]]:
    """The first rows of each reason: their line in the source, and what stands there.

    Args:
        path: Parquet file of the quarantine.
        reasons: The reasons that are asked for.

    Returns:
        At most three texts for each.
    """
    found: dict[str, list[str]] = {reason: [] for reason in reasons}
    for row in _rows(path):
        for reason in row[REASONS]:
            if reason in found and len(found[reason]) < EXAMPLES:
                stayed = "" if row[STAYED] is None else f" (record {row[STAYED]:,} stayed)"
                found[reason].append(f"record {row[LINE]:,}: {_seen(row, reason)}{stayed}")
        if all(len(texts) == EXAMPLES for texts in found.values()):
            break
    return found


def _rows(path: str | Path) -> Iterator[dict[str, Any]]:
    for batch in pq.ParquetFile(path).iter_batches(BATCH):
        for start in range(0, batch.num_rows, 1_000):
            yield from batch.slice(start, 1_000).to_pylist()


def _seen(row: Mapping[str, Any], reason: str) -> str:
    if row.get(MALFORMED) is not None:
        return clean(row[MALFORMED], 120)
    named = _NAMED.match(reason)
    if named and named[1] in row:
        return shown(row[named[1]])
    values = (f"{name} {shown(value, 20)}" for name, value in row.items() if not is_own(name) and value is not None)
    return clean(listed(values, 6), 160)


def _treatments(report: Report, accounts: CleaningReport) -> None:
    report.section("What is done to values")
    report.text(
        "What is learnt (a median, a fence, a neighbour) is learnt in the model, from the rows it is fitted on; "
        "the model card tells what it learnt."
    )
    report.table(
        ["column", "policy", "values", "share", "effect"],
        [[t.column, t.policy, t.values, f"{number(100 * t.share)} %", t.effect] for t in accounts.treatments],
    )


def _classes(report: Report, accounts: CleaningReport) -> None:
    report.section("Class balance")
    order = sorted(accounts.classes, key=lambda label: -accounts.classes[label])
    drawn = {label: accounts.classes[label] / max(accounts.kept, 1) for label in order[:DRAWN]}
    report.charts([("Share of the rows kept", share_bars("Class balance", drawn))])
    report.table(
        ["class", "rows", *accounts.splits],
        [
            [label, accounts.classes[label], *(accounts.sides[label].get(side, 0) for side in accounts.splits)]
            for label in order[:LISTED]
        ],
    )


def _missing(report: Report, accounts: CleaningReport) -> None:
    report.section("Missing values")
    known = {name: share for name, share in accounts.missing.items() if share > 0}
    if not known:
        report.text("No feature has a missing value.", "good")
        return
    drawn = dict(list(known.items())[:DRAWN])
    whole = len(accounts.missing) - len(known)
    report.text(f"Features with missing values: {len(known):,}. Without: {whole:,}.")
    report.charts([("Share of the rows kept", share_bars("Missing values", drawn, "past"))])
    if len(known) > DRAWN:
        rest = list(known.items())[DRAWN : DRAWN + LISTED]
        report.table(["feature", "missing"], [[name, f"{number(100 * share)} %"] for name, share in rest])
