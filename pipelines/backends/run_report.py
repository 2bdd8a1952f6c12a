"""The report of a run on this machine: how it ended, why, what each stage did, and links to all else it wrote."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ciclo.components.core.errors import VerdictError
from ciclo.components.core.report import Report
from ciclo.components.core.verdict import Verdict
from ciclo.components.runs.overview import show_stages, show_verdict

if TYPE_CHECKING:
    from ciclo.pipelines.backends.local import RunResult

GATES = ("validation", "feasibility", "evaluation")
SUMMARY = "summary.json"
_WORDS = {
    "promoted": ("A new champion", "good"),
    "waiting": ("A new version waits for a person", "warn"),
    "kept": ("No new champion", "warn"),
    "stopped": ("Stopped by {}", "warn"),
    "restored": ("The tested model serves again", "good"),
    "overtaken": ("There was another champion already", "warn"),
    "failed": ("Failed in {}", "bad"),
    "crashed": ("{} broke", "bad"),
}
TITLES = {
    "cleaning": "Cleaning: what became of every row",
    "validation": "Validation: the checks, and every column beside the target",
    "evaluation": "Evaluation: the model card",
}


def verdicts_of(folder: Path) -> dict[str, Verdict]:
    """What the gates of a run decided, in the order of the run."""
    found = {}
    for gate in GATES:
        for path in folder.glob(f"artifacts/*/{gate}/verdict"):
            with suppress(VerdictError):
                found[gate] = Verdict.read(path)
    return found


def facts_of(folder: Path, verdicts: Mapping[str, Verdict]) -> dict[str, float | int | str]:
    """What is worth comparing between two runs: rows, and what the gates measured."""
    facts: dict[str, float | int | str] = {}
    for path in folder.glob("artifacts/*/cleaning/executor_output.json"):
        with suppress(OSError, ValueError, KeyError, IndexError, TypeError):
            metadata = json.loads(path.read_text())["artifacts"]["dataset"]["artifacts"][0]["metadata"]
            names = ("source_rows", "rows", "quarantined", "train", "validation", "test")
            facts |= {f"cleaning: {name.replace('_', ' ')}": metadata[name] for name in names if name in metadata}
    for gate, verdict in verdicts.items():
        facts |= {
            f"{gate}: {name.replace('_', ' ')}": value
            for name, value in verdict.facts.items()
            if not isinstance(value, str) or len(value) < 60
        }
    return facts


def last_run(folder: Path, project: str) -> dict[str, Any] | None:
    """The summary of the run before this one of the same project, if one is beside it that can be read."""
    for path in _earlier(folder):
        with suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads(json.loads((path / "arguments.json").read_text())["project"])["name"] == project:
                summary = json.loads((path / SUMMARY).read_text())
                return summary if isinstance(summary, dict) else None
    return None


def _earlier(folder: Path) -> Iterator[Path]:
    yield from sorted((path for path in folder.parent.iterdir() if path.name < folder.name), reverse=True)


def run_report(
    project: str, result: "RunResult", verdicts: Mapping[str, Verdict], before: Mapping[str, Any] | None
) -> Report:
    """Show how a run ended, and lead to everything it wrote.

    Args:
        project: Name of the project.
        result: How it ended.
        verdicts: What its gates decided.
        before: The summary of the run before, if there was one.
    """
    report = Report(f"Run of {project}", f"{result.folder.name}, started: {result.trigger or 'unknown'}")
    word, tone = _WORDS[result.outcome]
    version = [f"Version {result.version} is published."] if result.version else []
    served = [f"It answers at {result.endpoint}"] if result.endpoint else []
    report.banner(word.format(result.stage), result.reason, tone, [*version, *served])
    links = [(TITLES.get(name, name), path.name) for name, path in result.reports.items()]
    if result.quarantine is not None:
        links.append(("Rows that were set aside (Parquet)", result.quarantine.relative_to(result.folder).as_posix()))
    report.section("Reports").links([*links, ("Everything the run printed", result.log.name)])
    rows = ((e.title, e.status == "done", e.seconds, "; ".join([e.summary, *e.detail])) for e in result.stages)
    show_stages(report, rows)
    for gate, verdict in verdicts.items():
        show_verdict(report, gate, verdict)
    _beside(report, result, before)
    return report


def _beside(report: Report, result: "RunResult", before: Mapping[str, Any] | None) -> None:
    report.section("Beside the last run")
    if before is None:
        report.text("This is the first run of the project on this machine.")
        return
    earlier = dict(before.get("facts") or {})
    seconds = sum(float(stage.get("seconds", 0)) for stage in before.get("stages", ()))
    rows: list[list[Any]] = [
        ["outcome", str(before.get("outcome", "")), result.outcome],
        ["seconds of all stages", seconds, sum(event.seconds for event in result.stages)],
    ]
    names = dict.fromkeys([*earlier, *result.facts])
    report.table(["", "last run", "this run"], rows + [[n, earlier.get(n), result.facts.get(n)] for n in names])
    place = Path(str(before.get("folder", "")))
    if place.name and (result.folder.parent / place.name / "run.html").exists():
        report.links([(f"The run before: {place.name}", f"../{place.name}/run.html")])
