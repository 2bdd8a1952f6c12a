"""The validation report."""

import math

from ciclo.components.core.report import Report
from ciclo.components.validation.checks import Findings


def validation_report(name: str, findings: Findings) -> Report:
    """Show the checks, and what is known of every feature."""
    verdict = findings.verdict
    report = Report(f"Validation of {name}", verdict.reason)
    report.section("Checks").table(
        ["check", "level", "passed", "value", "limit", "finding"],
        [[c.name, c.level, c.passed, c.value, c.limit, c.message] for c in verdict.checks],
    )
    rows = []
    for feature, score in findings.relations.items():
        column = findings.profile.columns[feature]
        rows.append(
            [
                feature,
                "-" if math.isnan(score) else score,
                column.missing,
                column.mean,
                column.std,
                findings.inflation.get(feature),
                findings.distances[feature],
            ]
        )
    report.section("Features, strongest relation to the target first").table(
        ["feature", "score alone", "missing", "mean", "std", "VIF", "distance train to test"], rows
    )
    return report
