"""The KFP wrapper of deployment."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def deployment(project: str, version: str, verdict: dsl.Input[dsl.Artifact], endpoint: dsl.Output[dsl.Artifact]) -> str:
    """Bring a version up, check it live, and switch to it.

    Args:
        project: The project as JSON.
        version: The version number.
        verdict: The verdict that lets it through.

    Returns:
        endpoint: Where it is served, as JSON.
        Output: The address, empty if nothing serves.
    """
    from ciclo.components.core.logs import stage

    with stage("deployment") as log:
        from pathlib import Path

        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.core.verdict import Verdict
        from ciclo.components.deployment.deployer import deploy

        served = deploy(project_from_json(project), int(version), Verdict.read(verdict.path), settings())
        served.write(Path(endpoint.path))
        endpoint.metadata.update({"url": served.url, "version": served.version})
        log.done(f"version {version} answers at {served.url}" if served.url else f"version {version} is not served")
    return served.url
