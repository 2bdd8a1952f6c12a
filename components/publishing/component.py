"""The KFP wrapper of publishing."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def publishing(
    project: str,
    model: dsl.Input[dsl.Model],
    profile: dsl.Input[dsl.Artifact],
    verdict: dsl.Input[dsl.Artifact],
    golden: dsl.Input[dsl.Artifact],
    card: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Dataset],
    run_id: str,
    trigger: str,
) -> str:
    """Write an immutable, signed version; a passing verdict makes it the champion, else a person is told.

    Args:
        project: The project as JSON.
        model: The model that passed.
        profile: Its reference profile.
        verdict: The verdict that lets it through.
        golden: Sample requests with expected answers.
        card: The model card as data.
        dataset: The rows it was fitted and tested on.
        run_id: Id of this run.
        trigger: Why this run was started.

    Returns:
        Output: The version number.
    """
    from ciclo.components.core.logs import stage

    with stage("publishing") as log:
        from ciclo.components.core.alerts import send_alert
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.publishing.publish import Parts, Run, publish

        parts = Parts(model.path, profile.path, verdict.path, golden.path, card.path, dataset.path)
        run = Run(run_id, trigger, data=dataset.metadata, model=model.metadata)
        parsed = project_from_json(project)
        published = publish(parsed, settings(), parts, run)
        if published.waits_for:
            send_alert(f"{parsed.name}: version {published.version} waits", published.waits_for, settings(), parsed)
        log.done(published.summary)
    return str(published.version)
