"""Submit the training pipeline of a project to a KFP backend."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ciclo.components.core.project import Project
from ciclo.components.core.settings import settings
from ciclo.components.monitoring.kfp_api import KfpApi, arguments
from ciclo.pipelines.compile import compile_pipeline


@dataclass(frozen=True)
class Submitted:
    """A run that was created.

    Attributes:
        run_id: Its id.
        url: Its page in the dashboard.
    """

    run_id: str
    url: str


def submit(
    project: Project,
    image: str,
    host: str,
    *,
    namespace: str = "",
    experiment: str = "",
    trigger: str = "manual",
    window_start: str = "",
    window_end: str = "",
) -> Submitted:
    """Compile the pipeline and create a run of it.

    Args:
        project: The project.
        image: Image of the components.
        host: Address of the KFP API, ``http://...``.
        namespace: Profile namespace; empty on a single-user installation.
        experiment: Name of the experiment; the name of the project by default.
        trigger: Why it is run.
        window_start: Start of the rows to read, ISO time; empty for all.
        window_end: End of the rows to read, exclusive.

    Raises:
        SubmissionError: If the backend cannot be reached or refuses.
    """
    api = KfpApi(host, settings().kfp_token_file, setting="--host")
    api.reach()
    name = f"{project.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    parameters = arguments(project, window_start=window_start, window_end=window_end, trigger=trigger)
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        compile_pipeline(project, image, package)
        run_id = api.create_run(name, package, parameters, api.experiment(experiment or project.name, namespace))
    return Submitted(run_id, f"{api.host}/#/runs/details/{run_id}")
