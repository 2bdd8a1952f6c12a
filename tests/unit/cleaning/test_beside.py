"""The cleaning report beside the last accepted version: the figures are those of both."""

import dataclasses

from ciclo.components.cleaning.accounts import CleaningReport
from ciclo.components.cleaning.beside import show_last_run
from ciclo.components.core.report import Report
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.datasets import Dataset
from ciclo.components.validation.checks import reference_profile
from tests.tables import dataset, project


def shown(accounts, accepted):
    report = Report("both")
    show_last_run(report, accounts, accepted)
    return report.html()


def test_rows_classes_and_missing_values_stand_beside_those_of_the_version(tmp_path):
    past = Dataset.open(dataset(tmp_path / "past", rows=1_000), "train", "validation")
    version = Accepted(4, False, past.contract, reference_profile(past))
    accounts = dataclasses.replace(
        CleaningReport.of(500, {}, project()),
        splits={"train": 350, "validation": 50, "test": 100},
        classes={"false": 400, "true": 100},
        missing={"size": 0.9, "noise": 0.0, "new": 0.5},
    )
    html = shown(accounts, version)
    assert "Beside version 4, the last that was published" in html
    assert '<td class="n">800</td><td class="n">400</td>' in html
    balance, missing = (html.partition(f"<title>{t} then and now")[2] for t in ("Class balance", "Missing values"))
    then = past.labels().value_counts(normalize=True)["true"]
    assert f"false 80 %, then {100 * (1 - then):.1f}" in balance
    assert f"true 20 %, then {100 * then:.1f}" in balance
    assert missing.partition("</desc>")[0].count("then") == 1, "only size stands in both and lacks values"
    assert "size 90 %, then 1" in missing or "size 90 %, then 9" in missing


def test_without_a_version_nothing_is_shown():
    accounts = CleaningReport.of(500, {}, project())
    assert "Beside" not in shown(accounts, None)
    assert "Beside" not in shown(accounts, Accepted(4, problem="it is of another release"))
