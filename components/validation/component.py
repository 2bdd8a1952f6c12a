"""The KFP wrapper of validation."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def validation(
    project: str,
    dataset: dsl.Input[dsl.Dataset],
    profile: dsl.Output[dsl.Artifact],
    verdict: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
) -> str:
    """Check cleaned data and the assumptions of the models.

    Args:
        project: The project as JSON.
        dataset: Cleaned rows.

    Returns:
        profile: Reference profile of the rows a model is fitted on.
        verdict: The checks and what follows from them.
        report: Checks, relations to the target, collinearity.
        Output: pass or unusable.
    """
    from ciclo.components.runs.stage import stage

    with stage("validation", project) as log:
        from pathlib import Path

        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.report import Report
        from ciclo.components.core.settings import settings
        from ciclo.components.releases.accepted import last_accepted
        from ciclo.components.tables.datasets import file_digest
        from ciclo.components.tables.stored import Stored
        from ciclo.components.validation.checks import unusable, validate
        from ciclo.components.validation.report import validation_report

        parsed = project_from_json(project)
        if reason := str(dataset.metadata.get("unusable", "")):
            (refused := unusable(reason, file_digest(dataset.path))).write(verdict.path)
            Path(profile.path).touch()
            Report(f"Validation of {parsed.name}", reason).write(report.path)
            log.done(f"{refused.decision}: {reason}")
            return refused.decision
        accepted = last_accepted(parsed.name, settings())
        findings = validate(parsed, Stored(dataset.path), file_digest(dataset.path), accepted)
        Path(profile.path).write_text(findings.profile.model_dump_json())
        findings.verdict.write(verdict.path)
        validation_report(parsed.name, findings).write(report.path)
        log.done(f"{findings.verdict.decision}: {findings.verdict.reason}")
    return findings.verdict.decision
