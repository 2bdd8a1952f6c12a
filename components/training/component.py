"""The KFP wrapper of training."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def training(
    project: str,
    candidate: str,
    dataset: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    search: dsl.Output[dsl.Artifact],
) -> None:
    """Search the parameters of one candidate and fit it.

    Args:
        project: The project as JSON.
        candidate: Name of the candidate in the project.
        dataset: Cleaned rows; the test rows are not read.

    Returns:
        model: The fitted model as a skops file, empty if the candidate failed. Metadata: candidate, estimator, failed,
            failure, score, rows, parameters, plan, trials, cut, calibration, threshold, threshold_by.
        search: Every trial, and what was learnt of the labels, as JSON.
    """
    from ciclo.components.runs.stage import stage

    with stage("training", project, candidate) as log:
        import dataclasses
        import json
        from pathlib import Path

        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.training.champion import champion_parameters
        from ciclo.components.training.search import fit

        parsed = project_from_json(project)
        start = champion_parameters(parsed, candidate, settings())
        fitted = fit(parsed, candidate, dataset.path, model.path, start)
        Path(search.path).write_text(json.dumps(dataclasses.asdict(fitted), indent=2))
        model.metadata.update(fitted.metadata())
        log.done(fitted.summary)
