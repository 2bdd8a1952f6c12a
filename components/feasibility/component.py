"""The KFP wrapper of feasibility."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def feasibility(
    project: str,
    dataset: dsl.Input[dsl.Dataset],
    verdict: dsl.Output[dsl.Artifact],
    baselines: dsl.Output[dsl.Dataset],
) -> str:
    """Decide whether machine learning is appropriate at all.

    Args:
        project: The project as JSON.
        dataset: Cleaned rows.

    Returns:
        verdict: Whether a first model beats the simple answers, and by how much.
        baselines: What the simple answers say of the test rows.
        Output: ml, no_ml or cannot_tell; only no_ml ends the run.
    """
    from ciclo.components.runs.stage import stage

    with stage("feasibility", project) as log:
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.feasibility.assessment import assess
        from ciclo.components.feasibility.baselines import fixed_feature
        from ciclo.components.tables.datasets import Dataset, file_digest

        rows, parsed = Dataset.open(dataset.path), project_from_json(project)
        fixed = fixed_feature(parsed, settings())
        result = assess(parsed, rows, file_digest(dataset.path), baselines.path, fixed)
        result.write(verdict.path)
        log.decided(result)
        log.done(log.summary, *(check.message for check in result.warnings))
    return result.decision
