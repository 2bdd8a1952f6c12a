"""The validation report."""

import math
from dataclasses import astuple, dataclass

import numpy as np

from ciclo.components.core.charts import key
from ciclo.components.core.column_profile import OWN
from ciclo.components.core.histograms import class_key, heatmap, share_bars
from ciclo.components.core.report import Report
from ciclo.components.core.wording import apart, counted, number
from ciclo.components.validation.associations import SURE
from ciclo.components.validation.beside import distributions, target_distribution, target_parts
from ciclo.components.validation.checks import Findings
from ciclo.components.validation.last_run_report import show_last_run

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class _Room:
    """How much is shown.

    Attributes:
        drawn: Columns beside the target.
        pictures: Bytes of those.
        cells: Columns of a heat map.
        listed: Rows of a table.
    """

    drawn: int = 60
    pictures: int = 450_000
    cells: int = 24
    listed: int = 200

    def shared(self, among: int) -> "_Room":
        return _Room(*(size // among for size in astuple(self)))


def validation_report(name: str, findings: Findings) -> Report:
    """Show what was decided, the checks, and what the columns look like; below a megabyte, or as little as can be."""
    for among in (1, 2, 4, 8):
        report = _report(name, findings, _Room().shared(among))
        if len(report.html().encode()) < MEGABYTE:
            break
    return report


def _report(name: str, findings: Findings, room: _Room) -> Report:
    verdict = findings.verdict
    report = Report(f"Validation of {name}")
    word = "The data may be used" if verdict.passed else "The data may not be used"
    tone = "bad" if verdict.failures else "warn" if verdict.warnings else "good"
    report.banner(word, verdict.reason, tone, [f"{c.name}: {c.message}" for c in verdict.warnings[:8]])
    order = sorted(verdict.checks, key=lambda c: (c.passed, c.level != "error"))
    report.section("Checks").table(
        ["check", "passed", "level", "value", "limit", "finding"],
        [[c.name, c.passed, c.level, c.value, c.limit, c.message] for c in order],
    )
    names = _strongest(findings)
    _target(report, findings)
    _beside(report, findings, names, room)
    show_last_run(report, findings.beside)
    _together(report, findings, names, room)
    _missing(report, findings, room)
    _features(report, findings, names, room)
    return report


def _strongest(findings: Findings) -> list[str]:
    """The features, the one that goes most with the target first."""

    def strength(name: str) -> float:
        return -float(np.nan_to_num(findings.associations[name].information))

    return sorted(findings.associations, key=strength)


def _target(report: Report, findings: Findings) -> None:
    contract, target = findings.sample.contract, findings.profile.target
    report.section(f"Target: {contract.target}")
    if contract.classes:
        classes = [apart(name, OWN) for name in contract.classes]
        counts = dict.fromkeys(classes, 0) | dict(zip(target.labels, target.counts, strict=True))
        known = {label: rows for label, rows in counts.items() if rows or label in classes}
        every = max(sum(known.values()), 1)
        order = sorted(known, key=lambda label: -known[label])[:24]
        notes = {label: f"{known[label]:,} ({number(100 * known[label] / every)} %)" for label in order}
        report.text(f"Classes of the {counted(every, 'row')} that models are fitted on.")
        bars = share_bars("Classes", {label: known[label] / every for label in order}, notes=notes)
        report.charts([("Share of each class", bars)])
        return
    report.table(
        ["", "mean", "standard deviation", "least", "greatest"],
        [[contract.target, target.mean, target.std, target.minimum, target.maximum]],
    )
    drawn = target_distribution(findings.sample).svg("")
    report.charts([(f"Of {counted(len(findings.sample), 'training row')}", drawn)])


def _beside(report: Report, findings: Findings, names: list[str], room: _Room) -> None:
    contract, sample = findings.sample.contract, findings.sample
    _, classes = target_parts(sample)
    report.section("Every column beside the target")
    several = len(classes) > 1
    meaning = (
        "share of each class" if several else f"share of '{classes[0]}'" if classes else f"mean of '{contract.target}'"
    )
    pictures = [(column.name, column.svg(meaning)) for column in distributions(sample, names[: room.drawn])]
    taken = np.cumsum([len(picture.encode()) for _, picture in pictures])
    drawn = pictures[: max(int(np.searchsorted(taken, room.pictures, side="right")), 1)]
    rest = f" The {len(drawn)} of {len(names)} that go most with it." if len(names) > len(drawn) else ""
    report.text(
        f"Of {counted(len(sample), 'training row')}: how many have which value, and what their target is.{rest}"
    )
    meanings = [("accent", "rows"), ("second", meaning), ("past", "of all rows, or of missing values")]
    report.chart(key(class_key(classes) if several else meanings))
    report.charts(drawn)


def _together(report: Report, findings: Findings, names: list[str], room: _Room) -> None:
    pairs = findings.pairs
    place = {name: i for i, name in enumerate(pairs.names)}
    shown = [name for name in names if name in place][: room.cells]
    if len(shown) < 2:
        return
    report.section("How columns go together")
    rest = f" The {len(shown)} that go most with the target." if len(shown) < len(names) else ""
    report.text(
        "Spearman's correlation of numbers, the correlation ratio of a number and categories, Cramér's V of "
        f"categories: the stronger, the fuller the colour.{rest}"
    )
    report.chart(key([("accent", "together"), ("bad", "against each other")]))
    index = [place[name] for name in shown]
    report.chart(heatmap("How columns go together", shown, pairs.strength[np.ix_(index, index)].tolist()))


def _missing(report: Report, findings: Findings, room: _Room) -> None:
    shares = {name: column.missing for name, column in findings.profile.columns.items() if column.missing > 0}
    report.section("Missing values")
    if not shares:
        report.text("No feature has a missing value.", "good")
        return
    worst = sorted(shares, key=lambda name: -shares[name])[: room.cells]
    report.text(f"Features with missing values: {len(shares):,} of {len(findings.profile.columns):,}.")
    bars = share_bars("Share of missing values", {name: shares[name] for name in worst}, "past")
    report.charts([("Share of missing values", bars)])
    absent = findings.sample.X[worst].isna()
    varied = [name for name in worst if 0 < absent[name].mean() < 1]
    if len(varied) > 1:
        report.text("Which are missing in the same rows (correlation of being missing):")
        together = np.corrcoef(absent[varied].to_numpy(dtype="float64"), rowvar=False)
        report.chart(heatmap("Missing in the same rows", varied, together.tolist()))


def _features(report: Report, findings: Findings, names: list[str], room: _Room) -> None:
    report.section("Features, strongest relation to the target first")
    report.text(
        f"A p-value is that of the relation, corrected for {counted(len(names), 'feature')}; below {SURE:g} it is no "
        "chance. Information is what the feature says of the target in bits, whatever the shape of the relation."
    )
    rows = []
    for name in names[: room.listed]:
        column, relation = findings.profile.columns[name], findings.associations[name]
        score = findings.relations.get(name, math.nan)
        rows.append(
            [
                name,
                None if math.isnan(score) else score,
                relation.measure,
                None if math.isnan(relation.strength) else relation.strength,
                relation.information,
                None if math.isnan(relation.p_value) else relation.p_value,
                column.missing,
                column.mean,
                column.std,
                findings.inflation.get(name),
                findings.drift.columns[name].effect,
            ]
        )
    report.table(
        [
            "feature",
            "score alone",
            "measure",
            "strength",
            "information",
            "p-value",
            "missing",
            "mean",
            "std",
            "VIF",
            "distance train to test",
        ],
        rows,
    )
    if len(names) > room.listed:
        report.text(f"{counted(len(names) - room.listed, 'more feature is', 'more features are')} not listed.")
