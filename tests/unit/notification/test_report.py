"""The report of a run in the dashboard: all of it is what real stages wrote down, and nothing is needed beside it."""

import json
import os
import re
import subprocess
import sys

import pytest

from ciclo.components.core.plots import Curve, Plot
from ciclo.components.core.report import Document, Section, Text
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Check, Verdict
from ciclo.components.notification.report import end_report
from ciclo.components.notification.written import read_written
from ciclo.components.runs.accounts import Account, accounts_of, leave_account
from ciclo.components.runs.notes import Note, leave_note

STAGES = """
import sys
from ciclo.components.core.report import Document, Section, Text
from ciclo.components.core.verdict import Check, Verdict
from ciclo.components.runs.stage import stage
project, card = sys.argv[1:]
with stage("cleaning", project) as log:
    log.figures = {"source_rows": 1200, "rows": 1150, "quarantined": 50}
    log.done("1,150 of 1,200 rows kept")
for candidate in ("ridge", "forest"):
    with stage("training", project, candidate) as log:
        log.done(f"{candidate} scored")
checks = (Check(name="gain", passed=False, value=0.001, limit=0.01, message="no gain over the champion"),)
checks += (Check(name="slices", passed=False, level="warning", message="colour <red> is poor"),)
given = Verdict(gate="evaluation", decision="keep", reason="no better by 0.01", subject="s", checks=checks)
sections = (Section(title="Costs", parts=(Text(text="of the card"),)),)
open(card, "w").write(Document(title="card", sections=sections).model_dump_json())
with stage("evaluation", project) as log:
    log.decided(given, card)
with stage("stop", project, "keep") as log:
    log.ends("kept", "no candidate was good enough: no better by 0.01")
with stage("deployment", project) as log:
    log.done("version 3 answers")
    log.ends("served")
"""


def settings(folder, run="run-1"):
    return Settings(home=folder, run=run)


def shown(folder, state="COMPLETE"):
    written = read_written(settings(folder), "loans")
    return end_report("loans", written.message(state, "drift"), written, "drift").html()


@pytest.mark.slow
def test_the_report_holds_what_every_stage_did_and_the_decision_that_ended_the_run(tmp_path):
    done = subprocess.run(
        [sys.executable, "-P", "-c", STAGES, json.dumps({"name": "loans"}), str(tmp_path / "card.json")],
        env={**os.environ, "CICLO_HOME": str(tmp_path), "CICLO_RUN": "run-1"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    html = shown(tmp_path)
    banner = html.partition('<div class="banner warn"')[2].partition("</div>")[0]
    assert "No new model was good enough in the training run" in banner
    assert "no candidate was good enough: no better by 0.01" in banner
    assert "slices: colour &lt;red&gt; is poor" in banner
    stages = re.findall(r"<tr><td[^>]*><bdi>([a-z]+(?: \([a-z]+\))?)</bdi></td><td class=\"good\">yes", html)
    assert stages == ["cleaning", "training (ridge)", "training (forest)", "evaluation", "stop (keep)", "deployment"]
    for text in ("cleaning: source rows", ">1,200<", "What evaluation decided: keep", "of the card", "started: drift"):
        assert text in html, text
    assert not re.search(r"<a |<script|src=|https?:", html), "an artifact leads nowhere"


def test_a_stage_that_failed_is_the_end_that_is_shown(tmp_path):
    current = settings(tmp_path)
    leave_account(Account(stage="cleaning", status="done", summary="fine"), "loans", current)
    leave_account(Account(stage="training", label="ridge", status="failed", summary="out of rows"), "loans", current)
    leave_note(Note(stage="training ridge", ending="failed", reason="out of rows"), "loans", current)
    html = shown(tmp_path, "FAILED")
    banner = html.partition('<div class="banner bad"')[2].partition("</div>")[0]
    assert "The training run failed in training ridge" in banner
    assert "out of rows" in banner
    assert re.search(r"training \(ridge\)</bdi></td><td class=\"bad\">no", html)


@pytest.mark.parametrize("broken", [b"{}", b"not json"])
def test_accounts_that_cannot_be_read_leave_the_end_of_the_run(broken, tmp_path):
    current = settings(tmp_path)
    leave_note(Note(stage="stop unusable", ending="stopped", reason="the target has one value"), "loans", current)
    place = tmp_path / "store/projects/loans/accounts/run-1"
    place.mkdir(parents=True)
    (place / "cleaning.json").write_bytes(broken)
    html = shown(tmp_path)
    assert "the target has one value" in html
    assert "what the stages of run run-1 wrote down cannot be read" in html


def test_a_run_without_a_word_and_one_of_another_are_told_apart(tmp_path):
    leave_account(Account(stage="cleaning", status="done"), "loans", settings(tmp_path, "other"))
    assert accounts_of("run-1", "loans", settings(tmp_path)) == []
    assert "What came of it was not written down." in shown(tmp_path)
    assert not leave_account(Account(stage="cleaning", status="done"), "loans", settings(tmp_path, ""))


@pytest.mark.slow
def test_it_stays_below_a_megabyte_whatever_the_card_holds(tmp_path):
    line = Curve(name="a curve", points=tuple((i / 200, i / 200) for i in range(200)))
    plots = tuple(Plot(title=f"plot {i}", x="x", y="y", curves=(line,) * 4) for i in range(120))
    card = Document(title="card", sections=(Section(title="Curves", parts=(Text(text="of the card"), *plots)),))
    assert len(card.report().html()) > 1_000_000
    checks = tuple(Check(name="c", passed=True, message="m") for _ in range(31))
    verdict = Verdict(gate="evaluation", decision="promote", reason="r", subject="s", checks=checks)
    account = Account(stage="evaluation", status="done", document=card, verdict=verdict)
    leave_account(account, "loans", settings(tmp_path))
    html = shown(tmp_path)
    assert len(html.encode()) < 1_000_000
    for text in ("of the card", "Plots are left out here", "1 more check is not listed"):
        assert text in html
