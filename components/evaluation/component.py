"""The KFP wrapper of evaluation."""

from typing import List  # noqa: UP035  (kfp reads this annotation)

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def evaluation(
    project: str,
    dataset: dsl.Input[dsl.Dataset],
    baselines: dsl.Input[dsl.Dataset],
    profile: dsl.Input[dsl.Artifact],
    models: dsl.Input[List[dsl.Model]],  # noqa: UP006
    best: dsl.Output[dsl.Model],
    verdict: dsl.Output[dsl.Artifact],
    reference: dsl.Output[dsl.Artifact],
    golden: dsl.Output[dsl.Artifact],
    card: dsl.Output[dsl.HTML],
    card_data: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    curves: dsl.Output[dsl.ClassificationMetrics],
) -> str:
    """Compare candidates, champion and simple answers on the same test rows, and decide.

    Args:
        project: The project as JSON.
        dataset: Cleaned rows; the test rows are read.
        baselines: What the simple answers say of the test rows.
        profile: Reference profile from validation.
        models: Every candidate, failed ones too.

    Returns:
        best: The candidate with the best validation score.
        verdict: The decision and what it rests on; its subject is the best model.
        reference: The profile, with importances and the distribution of predictions.
        golden: Sample requests with the answers a server has to give.
        card: The model card.
        card_data: The same as data.
        metrics: Test scores.
        curves: ROC curve and confusion matrix on the test rows; empty for regression.
        Output: promote, candidate (a person decides) or keep.
    """
    from ciclo.components.runs.stage import stage

    with stage("evaluation", project) as log:
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.evaluation.curves import log_pictures
        from ciclo.components.evaluation.gate import Outputs, evaluate

        result, comparison = evaluate(
            project_from_json(project),
            settings(),
            dataset=dataset.path,
            baselines=baselines.path,
            profile=profile.path,
            models={str(m.metadata["candidate"]): (m.path, m.metadata) for m in models},
            outputs=Outputs(best.path, verdict.path, reference.path, golden.path, card.path, card_data.path),
        )
        best.metadata.update(comparison.winner.facts)
        for name, score in comparison.scores.items():
            metrics.log_metric(name, score.point)
        log_pictures(curves, comparison.answered)
        log.decided(result, card_data.path)
    return result.decision
