"""Submit retraining runs to a KFP backend, from inside a pod.

The backend knows no idempotency key and may answer 500 although the run exists: a run is looked up by its name before
and after every try, and only a request that surely never arrived is repeated.
"""

import time
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.monitoring.kfp_api import KfpApi, arguments

State = Literal["running", "succeeded", "failed", "unknown"]

LOOKS = 4
_STATES: dict[str, State] = {
    "PENDING": "running",
    "RUNNING": "running",
    "CANCELING": "running",
    "PAUSED": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELED": "failed",
    "SKIPPED": "failed",
}


class Submitter(Protocol):
    """Whatever can run the training pipeline."""

    def find(self, name: str) -> str | None:
        """The id of the run with a name, or None if there is none."""

    def submit(self, name: str, window_end: datetime, trigger: str) -> str:
        """Start a run and give its id.

        Raises:
            SubmissionError: If it surely or possibly did not start.
        """

    def state(self, run_id: str) -> State:
        """How a run stands."""

    def is_down(self) -> bool:
        """Whether nothing answers for sure; known only where the server is a process of this machine."""

    def serve(self, name: str, window_end: datetime) -> tuple[str, bool]:
        """See to it that the champion serves, at once or by a run of that name.

        Returns:
            What was done, as a clause, and whether it came to nothing.

        Raises:
            CicloError: If it cannot be done.
        """


class KfpSubmitter:
    """Runs on a KFP backend.

    Args:
        api: The backend.
        package: Compiled pipeline.
        project: The project to train.
        experiment_id: Experiment of the runs; needed on a multi-user installation, where it gives the namespace.
        pause: Seconds between two looks for a run whose creation is in doubt.
    """

    def __init__(
        self, api: KfpApi, package: Path, project: Project, experiment_id: str = "", pause: float = 5.0
    ) -> None:
        self._api = api
        self._package = package
        self._project = project
        self._experiment_id = experiment_id
        self._pause = pause

    @classmethod
    def of(cls, settings: Settings, project: Project) -> "KfpSubmitter | None":
        """The submitter that the settings describe, or None if they name no host.

        Raises:
            SubmissionError: If there is a host and no pipeline package.
        """
        if not settings.kfp_host:
            return None
        api, package = KfpApi(settings.kfp_host, settings.kfp_token_file), settings.pipeline_package
        if package is None or not package.is_file():
            raise SubmissionError(
                "there is no compiled pipeline",
                seen=f"CICLO_PIPELINE_PACKAGE={package or ''}",
                hint="'ciclo compile' writes one.",
            )
        return cls(api, package, project, settings.kfp_experiment_id)

    def find(self, name: str) -> str | None:
        """See ``Submitter``."""
        return self._api.run_named(name, self._experiment_id)

    def submit(self, name: str, window_end: datetime, trigger: str) -> str:
        """See ``Submitter``."""
        if existing := self.find(name):
            return existing
        parameters = arguments(self._project, window_end=window_end.isoformat(), trigger=trigger)
        try:
            return self._api.create_run(name, self._package, parameters, self._experiment_id)
        except SubmissionError:
            if found := self._look_again(name):
                return found
            raise

    def state(self, run_id: str) -> State:
        """See ``Submitter``."""
        try:
            return _STATES.get(self._api.state(run_id), "unknown")
        except SubmissionError:
            return "unknown"

    def is_down(self) -> bool:
        """See ``Submitter``."""
        return False

    def serve(self, name: str, window_end: datetime) -> tuple[str, bool]:
        """See ``Submitter``; every run deploys the champion at its end, whatever it came to."""
        found = self.find(name)
        if found is None:
            self.submit(name, window_end, "the champion does not serve")
            return f"the run '{name}' was submitted to deploy it", False
        state = self.state(found)
        if state == "running":
            return f"the run '{name}' is about to deploy it", False
        return f"the run '{name}' was to deploy it and ended {state}", True

    def _look_again(self, name: str) -> str | None:
        """Look for a run whose creation is in doubt; it may appear late."""
        for _ in range(LOOKS):
            time.sleep(self._pause)
            if found := self.find(name):
                return found
        return None
