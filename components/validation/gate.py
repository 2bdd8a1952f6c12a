"""Validation from a dataset to files: compare with the last accepted version, check, and write what follows."""

from dataclasses import dataclass
from pathlib import Path

from ciclo.components.core.project import Project
from ciclo.components.core.report import Report
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.releases.accepted import last_accepted
from ciclo.components.tables.datasets import file_digest
from ciclo.components.tables.stored import Stored
from ciclo.components.validation.checks import unusable, validate
from ciclo.components.validation.report import validation_report


@dataclass(frozen=True)
class Outputs:
    """Where the results are written."""

    profile: str
    verdict: str
    report: str


def check(project: Project, settings: Settings, dataset: str, refusal: str, outputs: Outputs) -> Verdict:
    """Check a cleaned dataset.

    Args:
        project: The project.
        settings: Where the registry is.
        dataset: What cleaning wrote.
        refusal: Why cleaning found that no model can be trained on it; empty if one can.
        outputs: Where the results go; there is no profile of a dataset that was refused.
    """
    digest = file_digest(dataset)
    if refusal:
        verdict = unusable(refusal, digest)
        Path(outputs.profile).touch()
        Report(f"Validation of {project.name}", refusal).write(outputs.report)
    else:
        findings = validate(project, Stored(dataset), digest, last_accepted(project.name, settings))
        verdict = findings.verdict
        Path(outputs.profile).write_text(findings.profile.model_dump_json())
        validation_report(project.name, findings).write(outputs.report)
    verdict.write(outputs.verdict)
    return verdict
