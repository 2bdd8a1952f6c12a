"""The KFP wrappers of training: a candidate on its way, and the model that passed, fitted anew on all rows."""

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


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def refit(
    project: str,
    dataset: dsl.Input[dsl.Dataset],
    tested: dsl.Input[dsl.Model],
    verdict: dsl.Input[dsl.Artifact],
    golden: dsl.Input[dsl.Artifact],
    refitted: dsl.Output[dsl.Model],
    answers: dsl.Output[dsl.Artifact],
) -> None:
    """Fit the model that passed its gate anew on all labelled rows, where the split is by time.

    Args:
        project: The project as JSON.
        dataset: Cleaned rows, all of them.
        tested: The model that passed.
        verdict: The verdict that lets it through.
        golden: Sample requests with what it answers.

    Returns:
        refitted: The model that is served, as a skops file, empty if that is the tested one. Metadata: why, refit_of,
            digest, rows, end, disagreement, limit, slices (as JSON).
        answers: The sample requests with the answers that a server has to give.
    """
    from ciclo.components.runs.stage import stage

    with stage("refit", project) as log:
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.training.refit import Files, refit

        files = Files(dataset.path, tested.path, verdict.path, golden.path, refitted.path, answers.path)
        found = refit(project_from_json(project), tested.metadata, files)
        refitted.metadata.update(found.metadata())
        log.done(found.summary)
