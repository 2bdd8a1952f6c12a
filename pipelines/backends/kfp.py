"""Submit the training pipeline of a project to a KFP backend, and wait for its end."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.settings import settings
from ciclo.components.monitoring.submitting.kfp_api import KfpApi, arguments
from ciclo.pipelines.compile import compile_pipeline

RunEnd = Literal["succeeded", "failed", "cancelled"]
POLL_SECONDS = 5.0
UNANSWERED = 24  # polls in a row, after which nobody is thought to be there


@dataclass(frozen=True)
class Submitted:
    """A run that exists.

    Attributes:
        run_id: Its id.
        is_new: Whether it was created now, and not found under its key.
        url: Its page in the dashboard; empty if there is no dashboard at that address.
        api: Where it runs.
    """

    run_id: str
    is_new: bool
    url: str
    api: KfpApi


def submit(
    project: Project,
    image: str,
    host: str,
    *,
    namespace: str = "",
    experiment: str = "",
    key: str = "",
    trigger: str = "manual",
    window_start: str = "",
    window_end: str = "",
) -> Submitted:
    """Compile the pipeline and create a run of it, unless there is one of that key.

    Args:
        project: The project.
        image: Image of the components.
        host: Address of the KFP API, ``http://...``.
        namespace: Profile namespace; empty on a single-user installation.
        experiment: Name of the experiment; the name of the project by default.
        key: What stands for this run: of one key there is one run in the experiment. By default each is new.
        trigger: Why it is run.
        window_start: Start of the rows to read, ISO time; empty for all.
        window_end: End of the rows to read, exclusive.

    Raises:
        SubmissionError: If the backend cannot be reached or refuses.
    """
    for option, text in (("--window-start", window_start), ("--window-end", window_end)):
        try:
            datetime.fromisoformat(text or "2000-01-01")
        except ValueError:
            raise SubmissionError(f"{option} is not an ISO time", seen=text, hint="Write 2026-01-31.") from None
    api = KfpApi(host, settings(), setting="--host")
    api.reach()
    name = f"{project.name} {key or f'{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}'}"
    parameters = arguments(project, window_start=window_start, window_end=window_end, trigger=trigger)
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        compile_pipeline(project, image, package)
        created = api.create_once(name, package, parameters, api.experiment(experiment or project.name, namespace))
    url = f"{api.host}/#/runs/details/{created.run_id}" if api.has_dashboard() else ""
    return Submitted(created.run_id, created.is_new, url, api)


def wait(run: Submitted, tell: Callable[[str, str], None]) -> RunEnd:
    """Wait for the end of a run; a backend that does not answer for a while is asked again.

    Args:
        run: The run.
        tell: Called with the name of a task and its state, whenever that changes.

    Raises:
        SubmissionError: If nobody answers any more; the run goes on all the same.
    """
    shown: dict[str, str] = {}
    unanswered = 0
    while True:
        try:
            now, unanswered = run.api.state(run.run_id), 0
        except SubmissionError:
            unanswered += 1
            if unanswered >= UNANSWERED:
                raise
            time.sleep(POLL_SECONDS)
            continue
        for task, state in now.tasks.items():
            if shown.get(task) != state:
                tell(task, state.lower())
        shown = now.tasks
        if now.state == "SUCCEEDED":
            return "succeeded"
        if now.state in ("FAILED", "CANCELED", "SKIPPED"):
            return "cancelled" if now.was_cancelled else "failed"
        time.sleep(POLL_SECONDS)
