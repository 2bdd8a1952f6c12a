"""The KFP wrappers of publishing: of a new version, and of the tested model in place of a refitted one."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def publishing(
    project: str,
    model: dsl.Input[dsl.Model],
    refitted: dsl.Input[dsl.Model],
    profile: dsl.Input[dsl.Artifact],
    verdict: dsl.Input[dsl.Artifact],
    golden: dsl.Input[dsl.Artifact],
    card: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Dataset],
    trigger: str,
) -> str:
    """Write an immutable, signed version; a passing verdict makes it the champion, else a person is told.

    Args:
        project: The project as JSON.
        model: The model that passed.
        refitted: The same fitted anew on all labelled rows, which is served; empty if there is none.
        profile: Its reference profile.
        verdict: The verdict that lets it through.
        golden: Sample requests with the answers that a server has to give.
        card: The model card as data.
        dataset: The rows it was fitted and tested on.
        trigger: Why this run was started.

    Returns:
        Output: The version number.
    """
    from ciclo.components.runs.stage import stage

    with stage("publishing", project) as log:
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.publishing.publish import Parts, Run, publish

        parts = Parts(model.path, profile.path, verdict.path, golden.path, card.path, dataset.path, refitted.path)
        made = {"data": dataset.metadata, "model": model.metadata, "refit": refitted.metadata}
        run = Run(settings().run, trigger, **made)
        parsed = project_from_json(project)
        published = publish(parsed, settings(), parts, run)
        log.done(published.summary)
        log.ends("waiting" if published.waits_for else "promoted")
    return str(published.version)


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def restoring(project: str, version: int, trigger: str) -> str:
    """Make the tested model of the champion the champion, in place of the refitted one that turned out to be worse.

    Args:
        project: The project as JSON.
        version: The version that holds both.
        trigger: Why this run was started.

    Returns:
        Output: The version number of the tested model; 0 if another champion was there already.
    """
    from ciclo.components.runs.stage import stage

    with stage("restoring", project) as log:
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.publishing.restoring import go_back
        from ciclo.components.releases.registry import open_registry
        from ciclo.components.storage.signing import signer_from

        current = settings()
        registry, signer = open_registry(project_from_json(project).name, current), signer_from(current)
        restored = go_back(registry, version, run=current.run, trigger=trigger, signer=signer)
        log.done(restored.summary)
        log.ends(restored.ending)
    return str(restored.version)
