"""Submit retraining runs to a KFP backend, from inside a pod."""

from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import yaml

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.monitoring.submitting.kfp_api import KfpApi, arguments

State = Literal["running", "succeeded", "failed", "unknown"]

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

    def submit(
        self,
        name: str,
        window_start: datetime | None,
        window_end: datetime,
        trigger: str,
        description: str,
        *,
        restore: int = 0,
    ) -> str:
        """Start a run and give its id.

        Args:
            name: Name of the run, which stands for it.
            window_start: Start of the rows to read; None for all there are.
            window_end: Their end.
            trigger: Why, in a few words.
            description: Why, with the evidence, for whoever looks at the run.
            restore: The version whose tested model is to serve again in place of the refitted one; 0 to train.

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
        namespace: Profile namespace of a multi-user installation; empty on a single-user one.
    """

    def __init__(self, api: KfpApi, package: Path, project: Project, namespace: str = "") -> None:
        self._api = api
        self._package = package
        self._project = project
        self._namespace = namespace

    @classmethod
    def of(cls, settings: Settings, project: Project) -> "KfpSubmitter | None":
        """The submitter that the settings describe, or None if they name no host.

        Raises:
            SubmissionError: If there is a host and no pipeline package.
        """
        if not settings.kfp_host:
            return None
        api, package = KfpApi(settings.kfp_host, settings), settings.pipeline_package
        if package is None or not package.is_file():
            raise SubmissionError(
                "there is no compiled pipeline",
                seen=f"CICLO_PIPELINE_PACKAGE={package or ''}",
                hint="'ciclo compile' writes one.",
            )
        return cls(api, package, project, settings.kfp_namespace)

    def find(self, name: str) -> str | None:
        """See ``Submitter``."""
        return self._api.run_named(name, self._experiment_id)

    @cached_property
    def _experiment_id(self) -> str:
        """The experiment of the project, where the runs of people are, too."""
        return self._api.experiment(self._project.name, self._namespace)

    def submit(
        self,
        name: str,
        window_start: datetime | None,
        window_end: datetime,
        trigger: str,
        description: str,
        *,
        restore: int = 0,
    ) -> str:
        """See ``Submitter``."""
        if restore and not self._knows("restore"):
            raise SubmissionError(
                "the compiled pipeline cannot go back to a tested model",
                seen=str(self._package),
                hint="Compile and install it again, or go back by hand: `ciclo models restore`.",
            )
        start, end = window_start.isoformat() if window_start else "", window_end.isoformat()
        parameters = arguments(self._project, window_start=start, window_end=end, trigger=trigger, restore=restore)
        return self._create(name, parameters, description)

    def _create(self, name: str, parameters: dict[str, Any], description: str) -> str:
        return self._api.create_once(name, self._package, parameters, self._experiment_id, description).run_id

    def _knows(self, parameter: str) -> bool:
        """Whether the compiled pipeline has a parameter; one that was compiled by an earlier release may not."""
        with self._package.open(encoding="utf-8") as text:
            root = next(yaml.safe_load_all(text)).get("root", {})
        return parameter in root.get("inputDefinitions", {}).get("parameters", {})

    def state(self, run_id: str) -> State:
        """See ``Submitter``."""
        try:
            return _STATES.get(self._api.state(run_id).state, "unknown")
        except SubmissionError:
            return "unknown"

    def is_down(self) -> bool:
        """See ``Submitter``."""
        return False

    def serve(self, name: str, window_end: datetime) -> tuple[str, bool]:
        """See ``Submitter``; a pipeline of an earlier release trains before it deploys the champion."""
        found = self.find(name)
        if found is None:
            trigger, deploy_only = "the champion does not serve", self._knows("deploy_only")
            end = window_end.isoformat()
            parameters = arguments(self._project, window_end=end, trigger=trigger, deploy_only=deploy_only)
            self._create(name, parameters, trigger)
            return f"the run '{name}' was submitted to deploy it", False
        state = self.state(found)
        if state == "running":
            return f"the run '{name}' is about to deploy it", False
        return f"the run '{name}' was to deploy it and ended {state}", True
