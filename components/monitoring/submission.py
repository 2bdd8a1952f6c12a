"""Submit retraining runs to a KFP backend, from inside a pod.

``kfp.Client`` cannot be imported where a component runs, so this speaks ``kfp_server_api``. The backend knows no
idempotency key and may answer 500 although the run exists: a run is looked up by its name before and after every try,
and only a request that surely never arrived is repeated.
"""

import json
import os
import time
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import urllib3
import yaml

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_to_json

State = Literal["running", "succeeded", "failed", "unknown"]

LOOKS = 4
_TIMEOUT = (5.0, 60.0)
_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
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
        host: Address of the KFP API.
        package: Compiled pipeline.
        project: The project to train.
        experiment_id: Experiment of the runs; needed on a multi-user installation, where it gives the namespace.
        pause: Seconds between two looks for a run whose creation is in doubt.
    """

    def __init__(self, host: str, package: Path, project: Project, experiment_id: str = "", pause: float = 5.0) -> None:
        self._host = host.rstrip("/")
        self._package = package
        self._project = project
        self._experiment_id = experiment_id or None
        self._pause = pause

    @classmethod
    def from_environment(cls, project: Project) -> "KfpSubmitter | None":
        """The submitter the environment describes, or None if it names no host.

        Raises:
            SubmissionError: If there is a host and no pipeline package.
        """
        host, package = os.environ.get("CICLO_KFP_HOST", ""), os.environ.get("CICLO_PIPELINE_PACKAGE", "")
        if not host:
            return None
        if not host.startswith(("http://", "https://")):
            raise SubmissionError("CICLO_KFP_HOST has to begin with http:// or https://", seen=host)
        if not Path(package).is_file():
            raise SubmissionError(
                "there is no compiled pipeline",
                seen=f"CICLO_PIPELINE_PACKAGE={package}",
                hint="'ciclo compile' writes one.",
            )
        return cls(host, Path(package), project, os.environ.get("CICLO_KFP_EXPERIMENT_ID", ""))

    def find(self, name: str) -> str | None:
        """See ``Submitter``."""
        same_name = {"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]}
        options: dict[str, Any] = {"filter": json.dumps(same_name), "sort_by": "created_at asc", "page_size": 1}
        if self._experiment_id:
            options["experiment_id"] = self._experiment_id
        found = self._call(lambda api: api.run_service_list_runs(**options, _request_timeout=_TIMEOUT)).runs
        return str(found[0].run_id) if found else None

    def submit(self, name: str, window_end: datetime, trigger: str) -> str:
        """See ``Submitter``."""
        if existing := self.find(name):
            return existing
        import kfp_server_api as kfp

        body = kfp.V2beta1Run(
            display_name=name,
            experiment_id=self._experiment_id,
            pipeline_spec=self._specification(),
            runtime_config=kfp.V2beta1RuntimeConfig(parameters=self._parameters(window_end, trigger)),
        )
        try:
            created = self._call(lambda api: api.run_service_create_run(run=body, _request_timeout=_TIMEOUT))
        except SubmissionError:
            if found := self._look_again(name):
                return found
            raise
        return str(created.run_id)

    def state(self, run_id: str) -> State:
        """See ``Submitter``."""
        try:
            run = self._call(lambda api: api.run_service_get_run(run_id, _request_timeout=_TIMEOUT))
        except SubmissionError:
            return "unknown"
        return _STATES.get(str(run.state), "unknown")

    def serve(self, name: str, window_end: datetime) -> tuple[str, bool]:
        """See ``Submitter``; every run deploys the champion at its end, one that keeps it too."""
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

    def _specification(self) -> dict[str, Any]:
        documents = list(yaml.safe_load_all(self._package.read_text(encoding="utf-8")))
        if len(documents) == 1:
            return dict(documents[0])
        return {"pipeline_spec": documents[0], "platform_spec": documents[1]}

    def _parameters(self, window_end: datetime, trigger: str) -> dict[str, Any]:
        return {
            "project": json.dumps(json.loads(project_to_json(self._project)), separators=(",", ":")),
            "candidates": list(self._project.candidates),
            "window_start": "",
            "window_end": window_end.isoformat(),
            "trigger": trigger,
        }

    def _call(self, action: Callable[[Any], Any]) -> Any:
        import kfp_server_api as kfp

        configuration = kfp.Configuration(host=self._host)
        configuration.retries = urllib3.Retry(connect=3, read=0, status=0, redirect=0, other=0, backoff_factor=0.5)
        token = Path(os.environ.get("KF_PIPELINES_SA_TOKEN_PATH", _TOKEN))
        if token.is_file():
            configuration.api_key = {"authorization": token.read_text().strip()}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            client = kfp.ApiClient(configuration)
        try:
            return action(kfp.RunServiceApi(client))
        except kfp.ApiException as error:
            raise SubmissionError(
                f"the KFP API at {self._host} refused",
                seen=f"{error.status}: {error.reason}",
                hint="Look among the runs before you try again." if (error.status or 500) >= 500 else "",
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise SubmissionError(
                f"nobody answers at {self._host}", seen=type(error).__name__, hint="Check CICLO_KFP_HOST."
            ) from error
        finally:
            client.close()
