"""The KFP wrapper of deployment."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def deployment(project: str, endpoint: dsl.Output[dsl.Artifact]) -> str:
    """Serve the champion: bring it up, check it live, and switch to it, unless it is what answers already.

    Args:
        project: The project as JSON.

    Returns:
        endpoint: Where it is served, as JSON; empty if there is no champion.
        Output: The address, empty if nothing serves.
    """
    from ciclo.components.runs.stage import stage

    with stage("deployment", project) as log:
        from pathlib import Path

        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.deployment.deployer import serve
        from ciclo.components.deployment.endpoint import Endpoint

        served = serve(project_from_json(project), settings()) or Endpoint("", 0)
        served.write(Path(endpoint.path))
        endpoint.metadata.update(served.facts)
        log.done(served.summary + served.pace)
        if served.url:
            log.ends("served")
        elif served.version and settings().deployer != "none":
            log.ends("failed")
    return served.url
