"""Run the training pipeline on this machine: the graph that is compiled, executed by ``kfp.local``.

The run is a process of its own (this module, given a folder) that writes everything it says to a log file. The caller
follows that file for the lines in which stages announce themselves, so no pipe can fill up or stay open.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ciclo.components.core.errors import SettingsError, VerdictError
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_json
from ciclo.components.core.settings import Settings
from ciclo.components.core.settings import settings as current_settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.monitoring.submitting.kfp_api import arguments
from ciclo.pipelines.backends.process_group import end
from ciclo.pipelines.backends.run_report import SUMMARY, facts_of, last_run, run_report, verdicts_of

Status = Literal["started", "done", "failed", "crashed"]
Outcome = Literal["promoted", "waiting", "kept", "stopped", "restored", "overtaken", "failed", "crashed"]

_POLL_SECONDS = 0.1
_CHILD = {"PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}
_GATES = {"unusable": "validation", "no_ml": "feasibility", "keep": "evaluation"}
_REPORTS = {"cleaning": "report", "validation": "report", "evaluation": "card"}


@dataclass(frozen=True)
class Event:
    """What a stage reports of itself.

    Attributes:
        stage: Folder name of the stage.
        label: What tells two tasks of one stage apart, such as the candidate.
        status: What happened.
        summary: One sentence, once it ended.
        detail: Further short lines.
        seconds: How long it took.
        pid: The process it runs in; 0 once it ended.
    """

    stage: str
    label: str
    status: Status
    summary: str = ""
    detail: tuple[str, ...] = ()
    seconds: float = 0.0
    pid: int = 0

    @property
    def title(self) -> str:
        """Stage and label, as people see them."""
        return f"{self.stage} ({self.label})" if self.label else self.stage


@dataclass(frozen=True)
class RunResult:
    """How a run ended, also written to ``summary.json`` in its folder.

    Attributes:
        outcome: ``promoted`` and served; ``waiting``: published for a person to decide on; ``kept`` the champion;
            ``stopped`` by an earlier gate; ``restored``, the tested model serves again; ``overtaken``, another champion
            was there already; ``failed`` with a named error; ``crashed`` without one.
        stage: Where it was decided.
        reason: Why, as a sentence.
        version: The published version.
        endpoint: Where it is served.
        stages: The stages that ended, in that order.
        folder: Everything the run wrote.
        reports: HTML reports by stage.
        quarantine: Parquet file of the rows that were set aside.
        registry: Address of the store.
        trigger: Why it was run, in a few words.
        description: Why, with the evidence.
        facts: Rows, and what the gates measured, by name.
    """

    outcome: Outcome
    stage: str
    reason: str
    version: int | None
    endpoint: str
    stages: tuple[Event, ...]
    folder: Path
    reports: dict[str, Path]
    quarantine: Path | None
    registry: str
    trigger: str = ""
    description: str = ""
    facts: dict[str, float | int | str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Everything the run printed."""
        return self.folder / "run.log"

    @property
    def exit_code(self) -> int:
        """0 for a run that ended normally, whatever was decided; 1 for a named error; 3 for a crash."""
        return {"failed": 1, "crashed": 3}.get(self.outcome, 0)


def run_pipeline(
    project: Project,
    *,
    name: str = "",
    window_start: str = "",
    window_end: str = "",
    trigger: str = "manual",
    description: str = "",
    restore: int = 0,
    on_event: Callable[[Event], None] | None = None,
    settings: Settings | None = None,
) -> RunResult:
    """Run the pipeline once and wait for it.

    Args:
        project: The project, its ``data.source`` absolute.
        name: Name of the run, part of the name of its folder; that of the project by default.
        window_start: Start of the rows to read, ISO time; empty for all.
        window_end: End of the rows to read, exclusive.
        trigger: Why it is run, in a few words.
        description: Why, with the evidence.
        restore: The version whose tested model is to serve again; 0 to train.
        on_event: Called with every event as it happens.
        settings: Settings of the run; those of this process by default.

    Returns:
        How it ended; a failed run is a result, not an exception.

    Raises:
        SettingsError: If the home folder cannot be written.
    """
    used = settings or current_settings()
    folder = _new_folder(used.home / "runs", name or project.name)
    parameters = arguments(project, window_start=window_start, window_end=window_end, trigger=trigger, restore=restore)
    (folder / "arguments.json").write_text(json.dumps(parameters))
    events: list[Event] = []
    with (folder / "run.log").open("wb") as log:
        child = subprocess.Popen(  # noqa: S603  (our own module)
            [sys.executable, "-P", "-m", "ciclo.pipelines.backends.local", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **used.environment(), "CICLO_RUN": folder.name, **_CHILD},
            start_new_session=True,
        )
    try:
        for event in _follow(folder / "run.log", child):
            events.append(event)
            if on_event:
                on_event(event)
    finally:
        end(child)
    result = _result(folder, events, child.returncode, used.store_uri)
    result = _reported(project.name, replace(result, trigger=trigger, description=description))
    (folder / SUMMARY).write_text(json.dumps(asdict(result), indent=2, default=str))
    return result


def _new_folder(runs: Path, name: str) -> Path:
    stem = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{name}"
    number = 1
    while True:
        folder = (runs / (stem if number == 1 else f"{stem}-{number}")).resolve()
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise SettingsError(f"{runs} cannot be written", seen=error.strerror, hint="Set CICLO_HOME.") from error
        else:
            return folder


def _follow(log: Path, child: "subprocess.Popen[bytes]") -> Iterator[Event]:
    """Yield the events in a growing log until the process that writes it has ended."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        line = ""
        while True:
            ended = child.poll() is not None  # asked before reading, so that the last lines are read too
            while part := lines.readline():
                line += part
                if line.endswith("\n"):
                    if event := _event(line):
                        yield event
                    line = ""
            if ended:
                return
            time.sleep(_POLL_SECONDS)


def _event(line: str) -> Event | None:
    """Read one line of the log; kfp indents what its tasks print."""
    text = line.strip()
    if not text.startswith("{"):
        return None
    try:
        announced = json.loads(text)
        if announced.get("event") != "stage":
            return None
        event = Event(announced["stage"], announced["label"], announced["status"])
    except (ValueError, KeyError, AttributeError):
        return None
    return replace(
        event,
        summary=announced.get("summary", ""),
        detail=tuple(announced.get("detail", ())),
        seconds=announced.get("seconds", 0.0),
        pid=announced.get("pid", 0),
    )


def _result(folder: Path, events: list[Event], returncode: int, registry: str) -> RunResult:
    outcome, stage, reason = _outcome(events, returncode, folder)
    version = _output(folder, "publishing") or _output(folder, "restoring")
    quarantine = _artifact(folder, "cleaning", "quarantine")
    return RunResult(
        outcome=outcome,
        stage=stage,
        reason=reason,
        version=int(version) if version else None,
        endpoint=_output(folder, "deployment*"),
        stages=tuple(e for e in events if e.status != "started"),
        folder=folder,
        reports=_reports(folder),
        quarantine=quarantine,
        registry=registry,
    )


def _outcome(events: list[Event], returncode: int, folder: Path) -> tuple[Outcome, str, str]:
    for status in ("crashed", "failed"):
        for event in events:
            if event.status == status:
                return status, event.title, event.summary
    if returncode != 0 or not events:
        ended = {e.title for e in events if e.status != "started"}
        silent = [e.title for e in events if e.title not in ended]
        reason = "exited without output; it may have run out of memory" if silent else f"exit code {returncode}"
        return "crashed", silent[0] if silent else "the runner", reason
    for event in events:
        if event.stage == "stop" and event.status == "done":
            gate = _GATES.get(event.label, "a gate")
            return ("kept" if event.label == "keep" else "stopped"), gate, _reason(folder, gate) or event.summary
    done = {e.stage: e for e in events if e.status == "done"}
    if {"restoring", "deployment"} <= set(done):
        result: Outcome = "restored" if _output(folder, "restoring") != "0" else "overtaken"
        return result, "restoring", done["restoring"].summary
    if not {"publishing", "deployment"} <= set(done):
        return "crashed", "the runner", "the run ended without a decision"
    if _waits(folder):
        return "waiting", "publishing", done["publishing"].summary
    return "promoted", "deployment", _reason(folder, "evaluation") or done["deployment"].summary


def _waits(folder: Path) -> bool:
    """Whether what was published is left to a person."""
    project = project_from_json(json.loads((folder / "arguments.json").read_text())["project"])
    verdict = _artifact(folder, "evaluation", "verdict")
    return project.deployment.approval or verdict is None or not Verdict.read(verdict).passed


def _reason(folder: Path, gate: str) -> str:
    path = _artifact(folder, gate, "verdict")
    with suppress(VerdictError):
        return Verdict.read(path).reason if path else ""
    return ""


def _artifact(folder: Path, task: str, name: str) -> Path | None:
    return next(folder.glob(f"artifacts/*/{task}/{name}"), None)


def _output(folder: Path, task: str) -> str:
    path = _artifact(folder, task, "executor_output.json")
    return str(json.loads(path.read_text())["parameterValues"]["Output"]) if path else ""


def _reports(folder: Path) -> dict[str, Path]:
    """Give the reports names that a browser opens."""
    reports = {}
    for stage, name in _REPORTS.items():
        report = _artifact(folder, stage, name)
        if report and report.stat().st_size:
            reports[stage] = folder / f"{stage}.html"
            reports[stage].write_bytes(report.read_bytes())
    return reports


def _reported(project: str, result: RunResult) -> RunResult:
    """Write the report of the run, which leads to all others."""
    verdicts = verdicts_of(result.folder)
    result = replace(result, facts=facts_of(result.folder, verdicts))
    place = result.folder / "run.html"
    run_report(project, result, verdicts, last_run(result.folder, project)).write(place)
    return replace(result, reports={"run": place, **result.reports})


def _main(folder: Path) -> None:
    from ciclo.pipelines.backends.warm import start_warm

    start_warm()
    from kfp import local

    from ciclo.pipelines.training.pipeline import training_pipeline

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "artifacts"))
    training_pipeline(**json.loads((folder / "arguments.json").read_text()))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
