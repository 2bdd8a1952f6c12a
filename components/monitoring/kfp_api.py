"""The KFP API: the one client, used by the command and from inside a pod.

``kfp.Client`` cannot be imported where a component runs, so this speaks ``kfp_server_api``. Reading is repeated by
whoever asks; a run is created once, since the backend knows no idempotency key.
"""

import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import urllib3
import yaml

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_to_json

TIMEOUT = (5.0, 60.0)
REACH_SECONDS = 5.0
_T = TypeVar("_T")
_ADVICE = {
    401: "Sign in: the request carried no token that the backend accepts.",
    403: "Ask for the right to create runs and experiments in this namespace, or give another one.",
}


def arguments(
    project: Project, *, window_start: str = "", window_end: str = "", trigger: str = "manual"
) -> dict[str, Any]:
    """The parameters of a run.

    Args:
        project: The project.
        window_start: Start of the rows to read, ISO time; empty for all.
        window_end: End of the rows to read, exclusive.
        trigger: Why it is run.
    """
    return {
        "project": project_to_json(project),
        "candidates": list(project.candidates),
        "window_start": window_start,
        "window_end": window_end,
        "trigger": trigger,
    }


class KfpApi:
    """A KFP backend.

    Args:
        host: Address of its API.
        token: File with the token of a service account; it need not exist.
        setting: What gives the address, for messages.

    Raises:
        SubmissionError: If the address is not one.
    """

    def __init__(self, host: str, token: Path, *, setting: str = "CICLO_KFP_HOST") -> None:
        if not host.startswith(("http://", "https://")):
            raise SubmissionError(f"{setting} has to begin with http:// or https://", seen=host or "nothing")
        self.host = host.rstrip("/")
        self._token = token
        self._setting = setting

    def reach(self) -> None:
        """Find out quickly whether the API answers.

        Raises:
            SubmissionError: If nobody does, or somebody else.
        """
        try:
            both = (REACH_SECONDS, REACH_SECONDS)  # the client takes no single number but a whole one
            self._call("HealthzServiceApi", lambda api: api.healthz_service_get_healthz(_request_timeout=both))
        except RefusedError as error:
            raise SubmissionError(
                f"{self.host} does not answer like the KFP API",
                seen=f"HTTP {error.status} from {self.host}/apis/v2beta1/healthz",
                hint=_ADVICE.get(error.status, f"Check {self._setting}."),
            ) from error

    def experiment(self, name: str, namespace: str) -> str:
        """The id of the experiment with a name, which is made if there is none.

        Args:
            name: Name of the experiment.
            namespace: Profile namespace; empty on a single-user installation.
        """
        import kfp_server_api as kfp

        options = {"namespace": namespace} if namespace else {}

        def found(api: Any) -> Any:
            listed = api.experiment_service_list_experiments(
                filter=_named(name), page_size=1, _request_timeout=TIMEOUT, **options
            )
            if listed.experiments:
                return listed.experiments[0]
            wanted = kfp.V2beta1Experiment(display_name=name, namespace=namespace or None)
            return api.experiment_service_create_experiment(experiment=wanted, _request_timeout=TIMEOUT)

        return str(self._call("ExperimentServiceApi", found).experiment_id)

    def run_named(self, name: str, experiment_id: str = "") -> str | None:
        """The id of the first run with a name, or None if there is none."""
        options: dict[str, Any] = {"experiment_id": experiment_id} if experiment_id else {}
        options |= {"filter": _named(name), "sort_by": "created_at asc", "page_size": 1}
        runs = self._call(
            "RunServiceApi", lambda api: api.run_service_list_runs(**options, _request_timeout=TIMEOUT)
        ).runs
        return str(runs[0].run_id) if runs else None

    def create_run(self, name: str, package: Path, parameters: dict[str, Any], experiment_id: str = "") -> str:
        """Create a run of a compiled pipeline and give its id; a failure does not say whether it exists."""
        import kfp_server_api as kfp

        documents = list(yaml.safe_load_all(package.read_text(encoding="utf-8")))
        whole = {"pipeline_spec": documents[0], "platform_spec": documents[-1]}
        body = kfp.V2beta1Run(
            display_name=name,
            experiment_id=experiment_id or None,
            pipeline_spec=whole if len(documents) > 1 else documents[0],
            runtime_config=kfp.V2beta1RuntimeConfig(parameters=parameters),
        )
        created = self._call(
            "RunServiceApi", lambda api: api.run_service_create_run(run=body, _request_timeout=TIMEOUT)
        )
        return str(created.run_id)

    def state(self, run_id: str) -> str:
        """The state of a run, as the API calls it."""
        run = self._call("RunServiceApi", lambda api: api.run_service_get_run(run_id, _request_timeout=TIMEOUT))
        return str(run.state)

    def _call(self, service: str, action: Callable[[Any], _T]) -> _T:
        import kfp_server_api as kfp

        configuration = kfp.Configuration(host=self.host)
        configuration.retries = urllib3.Retry(connect=2, read=0, status=0, redirect=0, other=0, backoff_factor=0.2)
        if self._token.is_file():
            configuration.api_key = {"authorization": self._token.read_text().strip()}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            client = kfp.ApiClient(configuration)
        try:
            return action(getattr(kfp, service)(client))
        except kfp.ApiException as error:
            raise RefusedError(self.host, error.status or 0, _explained(error)) from error
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise SubmissionError(
                f"nobody answers at {self.host}",
                seen=type(error).__name__,
                hint=f"Check {self._setting}. In a cluster: kubectl -n kubeflow port-forward svc/ml-pipeline 8888.",
            ) from error
        finally:
            client.close()


class RefusedError(SubmissionError):
    """The API answered, and said no."""

    def __init__(self, host: str, status: int, answer: str) -> None:
        look = "Look among the runs before you try again: the run may exist all the same." if status >= 500 else ""
        self.status = status
        super().__init__(f"the KFP API at {host} refused", seen=answer, hint=_ADVICE.get(status, look))


def _named(name: str) -> str:
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _explained(error: Any) -> str:
    with suppress(TypeError, ValueError, AttributeError):
        return f"{error.status}: {json.loads(error.body).get('error') or error.reason}"
    return f"{error.status}: {error.reason}"
