"""Make a project known to a KFP backend: its compiled pipeline, for the dashboard, and its experiment.

Everything is looked up by its name first, so that doing it again, or twice at once, makes nothing twice.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.monitoring.submitting.kfp_api import TIMEOUT, KfpApi, called, made_or_found


@dataclass(frozen=True)
class Registered:
    """What KFP knows of a project.

    Attributes:
        pipeline_id: The pipeline, named like the project.
        version_id: The version with these contents.
        version: Its name, the beginning of the digest of its contents.
        experiment_id: The experiment, named like the project.
        fresh: Whether the version was not there before.
    """

    pipeline_id: str
    version_id: str
    version: str
    experiment_id: str
    fresh: bool


class Registrar(KfpApi):
    """A KFP backend that is made to know pipelines."""

    def pipeline(self, name: str, namespace: str) -> str | None:
        """The id of the pipeline with a name, or None if there is none."""
        options = {"namespace": namespace} if namespace else {}
        listed = self._call(
            "PipelineServiceApi",
            lambda api: api.pipeline_service_list_pipelines(
                filter=called(name), page_size=1, _request_timeout=TIMEOUT, **options
            ),
        )
        return self._id(listed.pipelines[0].pipeline_id) if listed.pipelines else None

    def version(self, pipeline_id: str, name: str) -> str | None:
        """The id of the version of a pipeline with a name, or None if there is none."""
        listed = self._call(
            "PipelineServiceApi",
            lambda api: api.pipeline_service_list_pipeline_versions(
                pipeline_id, filter=called(name), page_size=1, _request_timeout=TIMEOUT
            ),
        )
        found = listed.pipeline_versions
        return self._id(found[0].pipeline_version_id) if found else None

    def create_pipeline(self, name: str, namespace: str) -> str:
        """Create a pipeline without versions and give its id."""
        import kfp_server_api as kfp

        wanted = kfp.V2beta1Pipeline(name=name, display_name=name, namespace=namespace or None)
        created = self._call(
            "PipelineServiceApi",
            lambda api: api.pipeline_service_create_pipeline(pipeline=wanted, _request_timeout=TIMEOUT),
        )
        return self._id(created.pipeline_id)

    def upload_version(self, pipeline_id: str, name: str, package: Path) -> str:
        """Upload a compiled pipeline as a version and give its id."""
        uploaded = self._call(
            "PipelineUploadServiceApi",
            lambda api: api.upload_pipeline_version(
                str(package), name=name, display_name=name, pipelineid=pipeline_id, _request_timeout=TIMEOUT
            ),
        )
        return self._id(uploaded.pipeline_version_id)


def register(api: Registrar, project: Project, package: Path, *, namespace: str = "") -> Registered:
    """Make a pipeline and its experiment known, unless they are.

    Args:
        api: The backend.
        project: The project; pipeline and experiment are named like it.
        package: Its compiled pipeline.
        namespace: Profile namespace; empty on a single-user installation.

    Raises:
        SubmissionError: If the package cannot be read, or the backend cannot be reached or refuses.
    """
    try:
        name = hashlib.sha256(package.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise SubmissionError(
            "there is no compiled pipeline", seen=f"{package}: {error.strerror}", hint="'ciclo compile' writes one."
        ) from error
    api.reach()
    pipeline_id = api.pipeline(project.name, namespace) or made_or_found(
        lambda: api.create_pipeline(project.name, namespace), lambda: api.pipeline(project.name, namespace)
    )
    version_id = api.version(pipeline_id, name)
    fresh = version_id is None
    if version_id is None:
        version_id = made_or_found(
            lambda: api.upload_version(pipeline_id, name, package), lambda: api.version(pipeline_id, name)
        )
    return Registered(pipeline_id, version_id, name, api.experiment(project.name, namespace), fresh)
