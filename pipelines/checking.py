"""The data stages alone, on one file and in this process: without a pipeline, or for what a new file would do."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ciclo.components.cleaning.accounts import CleaningReport
from ciclo.components.cleaning.clean import clean
from ciclo.components.core.errors import CicloError, SettingsError
from ciclo.components.core.project import Project
from ciclo.components.core.report import Report
from ciclo.components.core.verdict import Check
from ciclo.components.ingestion.ingest import ingest
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.datasets import file_digest
from ciclo.components.tables.stored import Stored
from ciclo.components.validation.checks import validate
from ciclo.components.validation.report import validation_report
from ciclo.pipelines.backends.run_report import TITLES

Tell = Callable[[str, str], None]
_TITLES = {
    **TITLES,
    "quarantine": "Rows that were set aside (Parquet)",
    "project": "The project file that was drafted",
}


@dataclass(frozen=True)
class Checked:
    """What the data stages make of a file.

    Attributes:
        stage: Where it was decided.
        reason: Why, as a sentence.
        passed: Whether a model could be trained on it.
        files: What was written, by what it is; ``report`` leads to the others.
        warnings: Checks that did not pass and stop nothing.
    """

    stage: str
    reason: str
    passed: bool
    files: dict[str, Path]
    warnings: tuple[Check, ...] = ()


def check_data(
    project: Project,
    folder: Path,
    drafted: str = "",
    say: Tell = lambda stage, text: None,
    accepted: Accepted | None = None,
) -> Checked:
    """Run ingestion, cleaning and validation, and write their reports.

    Args:
        project: The rules, its source absolute.
        folder: Where the reports go; what an earlier check left there is replaced.
        drafted: The project file, where it was drafted for this check.
        say: Is told of each stage that ended: its name, and a sentence.
        accepted: The last accepted version of the project, whose rows these are compared with, if there is one.

    Returns:
        What came of it; that the data cannot be used is a result, not an exception.

    Raises:
        SettingsError: If the folder cannot be written.
    """
    files = {name: folder / name for name in ("cleaning.html", "validation.html", "quarantine.parquet", "project.yaml")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (*files.values(), folder / "index.html"):
            path.unlink(missing_ok=True)
        if drafted:
            files["project.yaml"].write_text(drafted, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written", seen=error.strerror, hint="Give another --output."
        ) from error
    with tempfile.TemporaryDirectory() as scratch:
        found = _stages(project, Path(scratch), folder, say, accepted)
    written = {path.stem: path for path in files.values() if path.exists()}
    _index(project, found, written).write(folder / "index.html")
    return Checked(
        found.stage, found.reason, found.passed, {"report": folder / "index.html", **written}, found.warnings
    )


def columns_left_out(project: Project) -> dict[str, str]:
    """The columns that no model is to see, with the reason that the project gives."""
    own = {project.data.target, project.data.time_column}
    return {
        name: c.why for name, c in project.data.columns.items() if c.role == "ignored" and c.why and name not in own
    }


def _stages(project: Project, scratch: Path, folder: Path, say: Tell, accepted: Accepted | None) -> Checked:
    stage, raw, dataset = "ingestion", scratch / "raw.parquet", scratch / "dataset.parquet"
    quarantine = scratch / "quarantine.parquet"
    try:
        say(stage, ingest(project, raw).summary)
        stage = "cleaning"
        accounts: CleaningReport = clean(project, raw, dataset, quarantine, folder / "cleaning.html", accepted)
        say(stage, accounts.summary)
        stage = "validation"
        findings = validate(project, Stored(dataset), file_digest(dataset), accepted)
        validation_report(project.name, findings).write(folder / "validation.html")
    except CicloError as error:
        return Checked(stage, str(error), False, {})
    finally:
        if quarantine.exists():
            shutil.copy(quarantine, folder / "quarantine.parquet")
    verdict = findings.verdict
    say(stage, f"{verdict.decision}: {verdict.reason}")
    return Checked(stage, verdict.reason, verdict.passed, {}, tuple(verdict.warnings))


def _index(project: Project, found: Checked, written: dict[str, Path]) -> Report:
    report = Report(f"Check of {project.data.source}")
    word, tone = ("A model could be trained on it", "warn" if found.warnings else "good")
    if not found.passed:
        word, tone = f"It cannot be used: {found.stage}", "bad"
    report.banner(word, found.reason, tone, [f"{c.name}: {c.message}" for c in found.warnings[:8]])
    if left_out := columns_left_out(project):
        report.section("Columns that are no features").table(["column", "why"], left_out.items())
    report.section("Reports").links([(_TITLES[name], path.name) for name, path in written.items()])
    return report
