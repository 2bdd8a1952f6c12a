"""How a stage ends, in a process of its own: what it says, its exit status, and what it leaves for others."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ciclo.components.core.settings import Settings
from ciclo.components.runs.notes import Note, leave_note, notes_of

PROJECT = json.dumps({"name": "loans"})
STAGE = """
import sys, time
from ciclo.components.core.errors import DeploymentError, StorageError
from ciclo.components.runs.stage import stage
with stage("deployment", sys.argv[1], "ridge") as log:
    try:
        {body}
    finally:
        print("put back", flush=True)
"""
ENDS = {
    "done": ('log.done("fine")', 0, None, "fine"),
    "says how the run ends": ('log.done("x"); log.ends("kept", "no better")', 0, "kept", "x"),
    "a named error": ('raise DeploymentError("no image", hint="Set it.")', 1, "failed", "no image. Set it."),
    "a store that is gone": ('raise StorageError("no bucket")', 1, None, "no bucket."),
    "a bug": ("1 / 0", 1, "failed", "ZeroDivisionError: division by zero"),
    "an exit of its own": ("sys.exit(5)", 5, None, None),
}


def start(body: str, home: Path, run: str = "run-1", project: str = PROJECT) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-c", STAGE.format(body=body), project],
        env={**os.environ, "CICLO_HOME": str(home), "CICLO_RUN": run},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("body", "code", "ending", "summary"), ENDS.values(), ids=list(ENDS))
def test_every_end_has_a_status_a_line_and_a_note(
    tmp_path: Path, body: str, code: int, ending: str | None, summary: str | None
) -> None:
    child = start(body, tmp_path)
    out, err = child.communicate(timeout=60)
    assert child.returncode == code, err
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert (lines[0]["event"], lines[0]["status"], lines[0]["label"]) == ("stage", "started", "ridge")
    assert (lines[-1]["summary"] if len(lines) > 1 else None) == summary
    assert ("Traceback" in err) == (body == "1 / 0")
    notes = notes_of("run-1", "loans", Settings(home=tmp_path))
    assert [note.ending for note in notes] == ([ending] if ending else [])
    assert all(note.stage == "deployment ridge" for note in notes)


@pytest.mark.slow
def test_a_stage_that_is_told_to_stop_puts_back_what_it_changed_and_says_so(tmp_path: Path) -> None:
    child = start("print('changed', flush=True); time.sleep(60)", tmp_path)
    assert child.stdout is not None
    while "changed" not in child.stdout.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 143
    assert "put back" in out
    (note,) = notes_of("run-1", "loans", Settings(home=tmp_path))
    assert note.ending == "cancelled"


@pytest.mark.slow
def test_a_second_signal_does_not_stop_the_putting_back(tmp_path: Path) -> None:
    body = "print('changed', flush=True); time.sleep(60)\n    except SystemExit:\n        time.sleep(1); print('done')"
    child = start(body, tmp_path)
    assert child.stdout is not None
    while "changed" not in child.stdout.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=60)
    assert out.index("done") < out.index("put back")


@pytest.mark.slow
@pytest.mark.parametrize(("run", "project"), [("", PROJECT), ("run-1", "not json"), ("run-1", "[]")])
def test_without_a_run_or_a_project_the_error_is_all_that_is_said(tmp_path: Path, run: str, project: str) -> None:
    child = start('raise DeploymentError("no image")', tmp_path, run, project)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, "no image" in out, "Traceback" in err) == (1, True, False)
    assert notes_of("run-1", "loans", Settings(home=tmp_path)) == []


@pytest.mark.slow
def test_a_note_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    note = Note(stage="evaluation", ending="kept", reason="no better")
    assert leave_note(note, "loans", Settings(home=tmp_path, run="r"))
    assert not leave_note(note, "loans", Settings(store="s3://x", s3_endpoint="127.0.0.1:1", s3_secure=False, run="r"))
