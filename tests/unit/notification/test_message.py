import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ciclo.components.core.verdict import Verdict
from ciclo.components.notification.message import STOPS, end_of_branch, end_of_run, ending_of
from ciclo.components.runs.notes import Ending, Note

START = datetime(2026, 1, 1, tzinfo=UTC)


def notes(*said: tuple[str, Ending, str]) -> list[Note]:
    return [
        Note(stage=stage, ending=ending, reason=reason, time=START + timedelta(minutes=number))
        for number, (stage, ending, reason) in enumerate(said)
    ]


PROMOTED = ("publishing", "promoted", "version 4 is the champion")
SERVED = ("deployment", "served", "version 4 answers")
KEPT = ("stop keep", "kept", "no better by 0.01")
ESCALATED = ("stop keep", "escalated", "neither beats the simple answers")
UNUSABLE = ("stop unusable", "stopped", "the target has one value")
BROKEN = ("deployment", "failed", "ErrImagePull")
CUT = ("deployment", "cancelled", "told to stop")


@pytest.mark.parametrize(
    ("state", "said", "severity", "title", "body"),
    [
        ("COMPLETE", [PROMOTED, SERVED], "info", "made a new champion", "version 4 answers"),
        ("SUCCEEDED", [PROMOTED, SERVED], "info", "made a new champion", "version 4 is the champion"),
        ("COMPLETE", [("publishing", "waiting", "ciclo models approve")], "info", "waits for a person", "approve"),
        ("COMPLETE", [KEPT, SERVED], "info", "no new model was good enough", "no better by 0.01"),
        ("COMPLETE", [ESCALATED, SERVED], "warning", "the design is in question", "simple answers"),
        ("COMPLETE", [UNUSABLE], "info", "stopped", "the target has one value"),
        ("COMPLETE", [SERVED], "info", "the champion was deployed", "version 4 answers"),
        ("COMPLETE", [], "warning", "complete", "not written down"),
        ("FAILED", [PROMOTED, BROKEN], "error", "failed in deployment", "does not serve yet"),
        ("COMPLETE", [KEPT, BROKEN], "error", "failed in deployment", "ErrImagePull"),
        ("RUNNING", [PROMOTED, CUT], "error", "was cancelled in deployment", "told to stop"),
        ("FAILED", [], "error", "failed", "look at the run"),
        ("FAILED", [PROMOTED], "error", "failed", "version 4 is the champion"),
        ("RUNNING", [KEPT], "warning", "unknown", "RUNNING: look at the run"),
        ("CANCELED", [], "warning", "unknown", "CANCELED"),
        ("complete", [SERVED], "warning", "unknown", "complete"),
        ("", [], "warning", "unknown", "empty"),
    ],
)
def test_the_message_names_outcome_reason_and_run(
    state: str, said: list[tuple[str, Ending, str]], severity: str, title: str, body: str
) -> None:
    news = end_of_run("loans", state, "drift", "5f2c-run", notes(*said))
    assert (news.severity, title in news.title, "loans" in news.title) == (severity, True, True), news
    assert body in news.body
    assert "Trigger: drift" in news.body
    assert "Run: 5f2c-run" in news.body


def test_nothing_is_said_of_a_champion_that_was_kept_when_deployment_fails() -> None:
    assert "does not serve yet" not in end_of_run("loans", "FAILED", "drift", "x", notes(KEPT, BROKEN)).body


@pytest.mark.slow
def test_people_are_told_also_where_the_notes_cannot_be_read(tmp_path: Path) -> None:
    """The wrapper itself, with a store that is away."""
    script = """
from types import SimpleNamespace
from ciclo.components.notification.component import notification
state = SimpleNamespace(state="FAILED", pipeline_job_resource_name="x", error_message="")
columns = {"x": {"type": "number"}, "y": {"type": "boolean"}}
import json
project = json.dumps({"name": "loans", "data": {"source": "x.csv", "target": "y", "columns": columns}})
report = SimpleNamespace(path="report.html")
notification.python_func(project=project, trigger="drift", status=state, report=report)
"""
    away = {"CICLO_STORE": "s3://x", "CICLO_S3_ENDPOINT": "127.0.0.1:1", "CICLO_S3_SECURE": "false", "CICLO_RUN": "r"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, **away, "CICLO_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (alert,) = [line for line in map(json.loads, done.stdout.splitlines()) if line["event"] == "alert"]
    assert "the training run failed" in alert["title"]
    assert "cannot be read" in alert["body"]
    html = (tmp_path / "report.html").read_text()
    assert "The training run failed" in html
    assert "did not answer" in html or "cannot be" in html


@pytest.mark.parametrize(
    ("word", "facts", "ending"),
    [
        ("keep", {"escalate": "design"}, "escalated"),
        ("keep", {"unbeaten": 1}, "kept"),
        ("no_ml", {}, "stopped"),
        ("unusable", {"escalate": "design"}, "stopped"),
    ],
)
def test_how_a_gate_ends_a_run(word: str, facts: dict[str, str | float | int], ending: Ending) -> None:
    assert ending_of(word, Verdict(gate="g", decision=word, reason="r", subject="s", facts=facts)) == ending


@pytest.mark.parametrize("word", [*STOPS, "something_else"])
def test_every_stop_has_a_sentence(word: str) -> None:
    assert end_of_branch(word)
    assert (word in end_of_branch(word)) == (word not in STOPS)
