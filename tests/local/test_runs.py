"""The real pipeline, run by the real command, in each of its ends."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ciclo.components.core.project_file import read_project
from ciclo.components.core.settings import Settings
from ciclo.components.runs.notes import notes_of
from ciclo.pipelines.backends.local import Event, RunResult, run_pipeline
from ciclo.pipelines.backends.watch import LocalSubmitter
from tests.depth import some, thorough
from tests.local.command import THREE, Ran, ciclo, command, environment, forked, write_project
from tests.tables import table

STAGES = [
    "ingestion", "cleaning", "validation", "feasibility", "training", "training", "training", "evaluation", "refit",
    "publishing", "deployment", "notification",
]  # fmt: skip
NUMBERS = {"a": {"type": "number"}, "b": {"type": "number"}, "y": {"type": "boolean"}}


def numbers(rows: int = 400, *, leak: bool = False) -> str:
    """Two columns of noise and a target that has nothing to do with them, or is one of them."""
    rng = np.random.default_rng(0)
    y = rng.random(rows) < 0.5
    b = y * 5.0 if leak else rng.normal(size=rows)
    lines = (f"{a:.4f},{v:.4f},{str(t).lower()}" for a, v, t in zip(rng.normal(size=rows), b, y, strict=True))
    return "a,b,y\n" + "\n".join(lines) + "\n"


def test_a_good_model_is_promoted_and_everything_is_told(first_run: Ran) -> None:
    assert first_run.code == 0, first_run.err + first_run.out
    summary = first_run.summary
    assert (summary["outcome"], summary["version"]) == ("promoted", 1)
    assert [s["stage"] for s in summary["stages"]] == STAGES
    assert all(s["status"] == "done" and s["summary"] for s in summary["stages"])
    assert len(first_run.published) == 1
    notes = notes_of(Path(summary["folder"]).name, "table", Settings(home=first_run.home))
    assert [(note.stage, note.ending) for note in notes] == [("publishing", "promoted"), ("deployment", "served")]
    said = (Path(summary["folder"]) / "run.log").read_text()
    assert "made a new champion" in said
    assert f"Run: {Path(summary['folder']).name}" in said
    (index,) = Path(summary["folder"]).glob("artifacts/*/notification/report")
    html = index.read_text()  # what the dashboard shows of the run: it can lead to nothing, and holds it all
    assert len(html.encode()) < 1_000_000
    assert "<a " not in html
    for text in ("The training run made a new champion", "cleaning: source rows", "What evaluation decided: promote"):
        assert text in html
    assert all(s["summary"] in unescape(html) for s in summary["stages"] if s["stage"] != "notification")
    for place in (*summary["reports"].values(), summary["quarantine"], Path(summary["folder"]) / "run.log"):
        assert Path(place).stat().st_size > 0
        assert str(place) in first_run.out
    for word in ("promoted", "version 1", summary["endpoint"], summary["reason"]):
        assert word in first_run.out


def test_what_was_promoted_answers(first_run: Ran) -> None:
    row = table(1).drop(columns="y").iloc[0]
    values = {
        name: None if value != value else getattr(value, "item", lambda v=value: v)() for name, value in row.items()
    }
    request = urllib.request.Request(
        first_run.summary["endpoint"].removesuffix("/api/v1.0/predictions") + "/api/v1.0/predictions",
        data=json.dumps({"jsonData": {"rows": [values]}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        said = json.load(answer)["jsonData"]
    assert said["version"] == 1
    assert isinstance(said["predictions"][0]["prediction"], bool)


def test_the_same_data_again_keeps_the_champion(second_run: Ran, first_run: Ran) -> None:
    assert second_run.code == 0, second_run.err
    assert (second_run.summary["outcome"], second_run.summary["stage"]) == ("kept", "evaluation")
    assert second_run.summary["version"] is None
    assert second_run.published == first_run.published
    assert "kept" in second_run.out


def test_the_report_of_a_run_says_how_it_ended_and_leads_to_all_others(second_run: Ran, first_run: Ran) -> None:
    """Every link leads to a file; the second run is shown beside the first."""
    for ran, wanted in ((first_run, "A new champion"), (second_run, "No new champion")):
        summaries = sorted(ran.home.glob("runs/*/summary.json"))
        summary = json.loads(summaries[ran is second_run].read_text())
        folder, html = Path(summary["folder"]), Path(summary["reports"]["run"]).read_text()
        assert wanted in html
        assert escape(summary["reason"]) in html
        links = re.findall(r'href="([^"]+)"', html)
        assert {"cleaning.html", "validation.html", "evaluation.html", "run.log"} <= set(links)
        assert all((folder / link).resolve().stat().st_size for link in links)
        assert summary["facts"]["cleaning: rows"] == 2_000
        for stage in {s["stage"] for s in summary["stages"]}:
            assert stage in html
    assert f"../{Path(json.loads(summaries[0].read_text())['folder']).name}/run.html" in links
    assert html.count('<td class="n">2,000</td>') >= 2


@pytest.mark.parametrize(
    ("rows", "gate", "not_run", "why"),
    [
        (numbers(leak=True), "validation", "feasibility", "leakage"),
        (numbers().replace("true", "false"), "validation", "feasibility", "only one value"),
        (numbers(60_000), "feasibility", "training", "evaluation.least_useful_gain"),
    ],
    ids=["unusable data", "a constant target", "nothing to learn"],
)
def test_a_gate_stops_the_run_as_a_normal_end(rows: str, gate: str, not_run: str, why: str, tmp_path: Path) -> None:
    project = write_project(
        tmp_path, rows, NUMBERS, cleaning={"split": {"equal_rows": "apart"}}
    )  # a draw of noise in which it is sure
    ran = ciclo(tmp_path / "home", "run", project)
    assert ran.code == 0, ran.err
    assert (ran.summary["outcome"], ran.summary["stage"]) == ("stopped", gate)
    assert why in ran.summary["reason"]
    (note,) = notes_of(Path(ran.summary["folder"]).name, "unit", Settings(home=tmp_path / "home"))
    assert (note.ending, why in note.reason) == ("stopped", True)
    assert ran.summary["reason"] in ran.out
    assert not_run not in {s["stage"] for s in ran.summary["stages"]}
    assert ran.published == []


def watched(file: Path, home: Path) -> tuple[str, str | None]:
    """Submit as the watch of a laptop does, and find it again."""
    submitter = LocalSubmitter(read_project(file), Settings(home=home, deployer="none"))
    end = datetime(2026, 6, 1, tzinfo=UTC)
    run_id = submitter.submit("unit-retrain-1", None, end, "input drift", "input drift: a; report r. It drifted.")
    return run_id, submitter.find("unit-retrain-1")


def test_a_run_that_the_watch_started_keeps_why(tmp_path: Path) -> None:
    project, home = write_project(tmp_path, numbers(leak=True), NUMBERS), tmp_path / "home"
    run_id, found = forked(watched, project, home)
    assert found == run_id
    summary = json.loads((home / "runs" / run_id / "summary.json").read_text())
    assert (summary["trigger"], summary["description"]) == ("input drift", "input drift: a; report r. It drifted.")


def kill_cleaning(event: Event) -> None:
    if (event.stage, event.status) == ("cleaning", "started"):
        os.kill(event.pid, signal.SIGKILL)


def killed(file: Path, home: Path) -> RunResult:
    return run_pipeline(read_project(file), on_event=kill_cleaning, settings=Settings(home=home, deployer="none"))


def test_a_stage_that_dies_is_a_crash_that_names_the_log(tmp_path: Path) -> None:
    result = forked(killed, write_project(tmp_path, numbers(20_000), NUMBERS), tmp_path / "home")
    assert (result.outcome, result.stage, result.exit_code) == ("crashed", "cleaning", 3)
    assert "without output" in result.reason
    assert result.log.stat().st_size > 0


def test_tasks_share_their_imports_and_nothing_else(first_run: Ran) -> None:
    newest = first_run.summary
    log = Path(newest["folder"], "run.log").read_text()
    started = [json.loads(line) for line in log.splitlines() if '"started"' in line]
    assert len({line["pid"] for line in started}) == len(started) == len(newest["stages"]) >= len(STAGES) - 1
    assert log.count("Looking for component") == len(started)  # by kfp's own executor


def processes_of(home: Path) -> list[str]:
    """Command lines of the processes that were started for a home folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                inherited = (entry / "environ").read_bytes().decode(errors="replace")
                if f"CICLO_HOME={home}" in inherited:
                    found.append((entry / "cmdline").read_bytes().decode(errors="replace")[:200])
            except OSError:
                continue
    return found


@thorough
@pytest.mark.parametrize("number", some([signal.SIGINT, signal.SIGTERM], 2), ids=lambda number: number.name)
def test_an_interrupted_run_leaves_no_process_behind(number: signal.Signals, tmp_path: Path) -> None:
    home = tmp_path / "home"
    project = write_project(tmp_path, numbers(), NUMBERS)
    running = subprocess.Popen(
        command("run", project),
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a shell's background jobs ignore Ctrl-C
    )
    deadline = time.monotonic() + 60
    while not any('"started"' in log.read_text() for log in home.glob("runs/*/run.log")):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert processes_of(home) == []


def test_the_page_of_a_task_says_what_it_did(first_run: Ran) -> None:
    lines = [line for line in first_run.out.splitlines() if " s  " in line]
    assert len(lines) == len(STAGES)
    assert lines[0].split()[1] == "ingestion"
    assert "rows" in lines[0]
    assert set(THREE) <= {line.split("(")[1].split(")")[0] for line in lines if "training (" in line}


def test_status_shows_the_champion_and_where_it_is_served(first_run: Ran) -> None:
    project = first_run.home.parent / "project.yaml"
    shown = ciclo(first_run.home, "status", project)
    assert shown.code == 0, shown.err
    lines = {line.split()[0]: line for line in shown.out.splitlines()}
    assert "version 1" in lines["champion"]
    assert "version 1" in lines["serving"]
    assert "answers the live check" in lines["serving"]
    assert "waiting" not in lines
    assert first_run.summary["endpoint"] in shown.out
    assert "nothing yet: the watch has not run" in shown.out
    variables = {"CICLO_DEPLOYER": "seldon", "CICLO_PREDICTIONS": "postgresql://x/y", "KUBECONFIG": "/nowhere"}
    elsewhere = ciclo(first_run.home, "status", project, **variables)
    assert elsewhere.code == 0, elsewhere.err
    assert "not known from here: there is no Kubernetes" in elsewhere.out
    assert "next tick" in elsewhere.out


@thorough
def test_the_champion_is_deployed_again_by_hand(first_run: Ran) -> None:
    project = first_run.home.parent / "project.yaml"
    done = ciclo(first_run.home, "deploy", project, CICLO_DEPLOYER="process")
    assert done.code == 0, done.err
    assert "version 1 answers at http://127.0.0.1:" in done.out
    endpoint = done.out.split()[-1]
    assert endpoint != first_run.summary["endpoint"]
    assert endpoint in ciclo(first_run.home, "status", project).out
    nothing = ciclo(first_run.home.parent / "other", "deploy", project)
    assert (nothing.code, "has no champion" in nothing.err) == (1, True)


def test_a_real_run_can_be_traced_from_its_version_and_back(first_run: Ran) -> None:
    def models(*arguments: object) -> Any:
        done = ciclo(first_run.home, "models", *arguments, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    project = first_run.home.parent / "project.yaml"
    story = models("show", project)
    lineage = story["lineage"]
    assert set(lineage["data"]) >= {"source", "digest", "dataset_digest", "bytes", "source_rows", "rows", "quarantined"}
    assert lineage["data"]["source_rows"] == lineage["data"]["rows"] + lineage["data"]["quarantined"] == 2_000
    assert set(lineage["model"]) >= {"candidate", "parameters", "score"}
    assert lineage["commit"]
    assert set(lineage["libraries"]) >= {"scikit-learn", "skops", "numpy"}
    assert (story["parent"], story["verdict"]["decision"]) == (None, "promote")
    for option, value in (
        ("--run", lineage["run"]),
        ("--data", lineage["data"]["digest"]),
        ("--data", lineage["data"]["dataset_digest"]),
    ):
        assert [v["version"] for v in models("list", project, option, value)] == [1]
