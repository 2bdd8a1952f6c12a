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
    """Check cleaned data, also beside what the champion was trained on, and the assumptions of the models.

    Args:
        project: The project as JSON.
        dataset: Cleaned rows.

    Returns:
        profile: Reference profile of the rows a model is fitted on.
        verdict: The checks and what follows from them.
        report: Checks, relations to the target, collinearity, and the columns beside those of the champion.
        Output: pass or unusable.
    """
    from ciclo.components.runs.stage import stage

    with stage("validation", project) as log:
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.validation.gate import Outputs, check

        found = check(
            project_from_json(project),
            settings(),
            dataset.path,
            str(dataset.metadata.get("unusable", "")),
            Outputs(profile.path, verdict.path, report.path),
        )
        log.decided(found)
    return found.decision
