"""The KFP API: the one client, used by the command and from inside a pod.

``kfp.Client`` cannot be imported where a component runs, so this speaks ``kfp_server_api``. The backend knows no
idempotency key and may answer 500 although the run exists, so a run is known by its name: it is looked up before and
after it is created, and where two were created at the same time the older one stays.
"""

import json
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import urllib3
import yaml

from ciclo.components.core.errors import SettingsError, SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_to_json
from ciclo.components.core.settings import Settings

TIMEOUT = (5.0, 60.0)
REACH_SECONDS = 5.0
LOOKS = 4
PAUSE_SECONDS = 5.0
MOST_RIVALS = 20
MOST_DESCRIPTION = 190  # KFP keeps descriptions of runs in a column of 191 or 255 characters, by release
_T = TypeVar("_T")
_SIGN_IN = "Sign in: the request carried no token, cookie or header that the backend accepts."
_ADVICE = {
    **dict.fromkeys((301, 302, 303, 307, 308, 401), _SIGN_IN),
    403: "Ask for the right to create runs and experiments in this namespace, or give another one.",
}


def arguments(
    project: Project,
    *,
    window_start: str = "",
    window_end: str = "",
    trigger: str = "manual",
    restore: int = 0,
    deploy_only: bool = False,
) -> dict[str, Any]:
    """The parameters of a run.

    Args:
        project: The project.
        window_start: Start of the rows to read, ISO time; empty for all.
        window_end: End of the rows to read, exclusive.
        trigger: Why it is run.
        restore: The version whose tested model is to serve again; 0 to train.
        deploy_only: Whether to deploy the champion as it is, without any training.
    """
    rare = {"restore": restore, "deploy_only": deploy_only}  # which a pipeline that was compiled earlier may not know
    return {
        "project": project_to_json(project),
        "candidates": list(project.candidates),
        "window_start": window_start,
        "window_end": window_end,
        "trigger": trigger,
        **{name: value for name, value in rare.items() if value},
    }


@dataclass(frozen=True)
class Created:
    """A run that exists now.

    Attributes:
        run_id: Its id.
        is_new: Whether it was created by this call.
    """

    run_id: str
    is_new: bool


@dataclass(frozen=True)
class RunState:
    """How a run stands.

    Attributes:
        state: As the API calls it.
        was_cancelled: Whether it was ever told to stop; KFP calls such a run failed in the end.
        tasks: States of its tasks by their names.
    """

    state: str
    was_cancelled: bool
    tasks: dict[str, str]


class KfpApi:
    """A KFP backend.

    Args:
        host: Address of its API; by default that of the settings.
        settings: How one signs in: a token in a file, a cookie, a header.
        setting: What gives the address, for messages.

    Raises:
        SubmissionError: If the address is not one.
    """

    def __init__(self, host: str, settings: Settings, *, setting: str = "CICLO_KFP_HOST") -> None:
        if not host.startswith(("http://", "https://")):
            raise SubmissionError(f"{setting} has to begin with http:// or https://", seen=host or "nothing")
        self.host = host.rstrip("/")
        self._settings = settings
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

        if existing := self.experiment_named(name, namespace):
            return existing
        wanted = kfp.V2beta1Experiment(display_name=name, namespace=namespace or None)

        def make() -> str:
            created = self._call(
                "ExperimentServiceApi",
                lambda api: api.experiment_service_create_experiment(experiment=wanted, _request_timeout=TIMEOUT),
            )
            return self._id(created.experiment_id)

        return made_or_found(make, lambda: self.experiment_named(name, namespace))

    def experiment_named(self, name: str, namespace: str) -> str | None:
        """The id of the experiment with a name, or None if there is none."""
        options = {"namespace": namespace} if namespace else {}
        listed = self._call(
            "ExperimentServiceApi",
            lambda api: api.experiment_service_list_experiments(
                filter=called(name), page_size=1, _request_timeout=TIMEOUT, **options
            ),
        )
        return self._id(listed.experiments[0].experiment_id) if listed.experiments else None

    def run_named(self, name: str, experiment_id: str = "") -> str | None:
        """The id of the first run with a name, or None if there is none."""
        return next(iter(self._runs_named(name, experiment_id)), None)

    def _runs_named(self, name: str, experiment_id: str) -> list[str]:
        """The ids of the runs with a name, the oldest first."""
        options: dict[str, Any] = {"experiment_id": experiment_id} if experiment_id else {}
        options |= {"filter": called(name), "sort_by": "created_at asc", "page_size": MOST_RIVALS}
        found = self._call("RunServiceApi", lambda api: api.run_service_list_runs(**options, _request_timeout=TIMEOUT))
        return [self._id(run.run_id) for run in found.runs or ()]

    def create_once(
        self, name: str, package: Path, parameters: dict[str, Any], experiment_id: str, description: str = ""
    ) -> Created:
        """See to it that there is one run of a name.

        Args:
            name: Name of the run, which stands for it.
            package: Compiled pipeline.
            parameters: Arguments of the run.
            experiment_id: Experiment it is looked for and created in.
            description: What the dashboard shows beside its name, cut to what the backend can keep.

        Raises:
            SubmissionError: If it surely or possibly does not exist.
        """
        if existing := self.run_named(name, experiment_id):
            return Created(existing, False)
        ours = ""
        try:
            ours = self._create(name, package, parameters, experiment_id, shortened(description))
            found = self._runs_named(name, experiment_id) or [ours]
        except SubmissionError as error:
            refused = isinstance(error, RefusedError) and error.status < 500
            found = [ours] if ours else [] if refused else self._look_again(name, experiment_id)
            if not found:
                raise
        for rival in found[1:]:  # somebody else created one in between, and does the same
            with suppress(SubmissionError):
                self.terminate(rival)
        return Created(found[0], found[0] == (ours or found[0]))

    def _look_again(self, name: str, experiment_id: str) -> list[str]:
        """Look for a run whose creation is in doubt; it may appear late."""
        for _ in range(LOOKS):
            time.sleep(PAUSE_SECONDS)
            if found := self._runs_named(name, experiment_id):
                return found
        return []

    def _create(
        self, name: str, package: Path, parameters: dict[str, Any], experiment_id: str, description: str
    ) -> str:
        import kfp_server_api as kfp

        documents = list(yaml.safe_load_all(package.read_text(encoding="utf-8")))
        whole = {"pipeline_spec": documents[0], "platform_spec": documents[-1]}
        body = kfp.V2beta1Run(
            display_name=name,
            description=description or None,
            experiment_id=experiment_id or None,
            pipeline_spec=whole if len(documents) > 1 else documents[0],
            runtime_config=kfp.V2beta1RuntimeConfig(parameters=parameters),
        )
        created = self._call(
            "RunServiceApi", lambda api: api.run_service_create_run(run=body, _request_timeout=TIMEOUT)
        )
        return self._id(created.run_id)

    def terminate(self, run_id: str) -> None:
        """Tell a run to stop."""
        self._call("RunServiceApi", lambda api: api.run_service_terminate_run(run_id, _request_timeout=TIMEOUT))

    def state(self, run_id: str) -> RunState:
        """How a run stands."""
        run = self._call("RunServiceApi", lambda api: api.run_service_get_run(run_id, _request_timeout=TIMEOUT))
        seen = {str(run.state), *(str(status.state) for status in run.state_history or ())}
        details = (run.run_details.task_details if run.run_details else None) or ()
        tasks = {str(task.display_name): str(task.state) for task in details if task.state is not None}
        return RunState(str(run.state), bool(seen & {"CANCELING", "CANCELED"}), tasks)

    def has_dashboard(self) -> bool:
        """Whether the dashboard is at this address too; a bare API server has no pages."""
        with suppress(urllib3.exceptions.HTTPError):
            answer = urllib3.request("GET", self.host, headers=self._headers(), timeout=REACH_SECONDS, retries=False)
            return answer.status == 200 and "text/html" in answer.headers.get("Content-Type", "")
        return False

    def _headers(self) -> dict[str, str]:
        """What signs a request in: at most a token, a cookie and a header."""
        headers, current = {}, self._settings
        if current.kfp_token_file.is_file():
            headers["Authorization"] = f"Bearer {current.kfp_token_file.read_text(errors='replace').strip()}"
        if cookie := current.kfp_cookie.get_secret_value():
            headers["Cookie"] = cookie
        if header := current.kfp_header.get_secret_value():
            name, colon, value = header.partition(":")
            if not (colon and name.strip() and value.strip()):
                raise SettingsError("CICLO_KFP_HEADER is not a header", hint="Write 'name: value'.")
            headers[name.strip()] = value.strip()
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                raise SettingsError(f"what is sent as {name} has more than one line, or characters no header may have")
        return headers

    def _id(self, found: str | None) -> str:
        """An id that the backend gave."""
        if not found:
            raise SubmissionError(f"{self.host} does not answer like the KFP API", seen="an answer without an id")
        return str(found)

    def _call(self, service: str, action: Callable[[Any], _T]) -> _T:
        import kfp_server_api as kfp

        configuration = kfp.Configuration(host=self.host)
        configuration.retries = urllib3.Retry(connect=2, read=0, status=0, redirect=False, other=0, backoff_factor=0.2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            client = kfp.ApiClient(configuration)
        for name, value in self._headers().items():
            client.set_default_header(name, value)
        try:
            found = action(getattr(kfp, service)(client))
            kind = client.last_response.getheader("Content-Type") or "no type"
            if "json" not in kind:
                raise SubmissionError(
                    f"{self.host} does not answer like the KFP API",
                    seen=kind,
                    hint=f"A dashboard or a page to sign in may be there: sign in, or check {self._setting}.",
                )
            return found
        except kfp.ApiException as error:
            raise RefusedError(self.host, error.status or 0, _explained(error)) from error
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise SubmissionError(
                f"nobody answers at {self.host}",
                seen=f"{type(error).__name__}: {getattr(error, 'reason', '')}"[:200],
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


def made_or_found(make: Callable[[], str], look: Callable[[], str | None]) -> str:
    """The id of something that is made; a refusal because somebody else just made it is none.

    Args:
        make: Makes it and gives its id.
        look: Its id, or None if there is none.

    Raises:
        SubmissionError: What ``make`` raised, if it is not there.
    """
    try:
        return make()
    except RefusedError:
        with suppress(SubmissionError):
            if found := look():
                return found
        raise


def shortened(description: str) -> str:
    """A description in one line that the backend can keep: not too long, no character of four bytes."""
    line = " ".join("".join(c if ord(c) < 0x10000 else "?" for c in description).split())
    return line if len(line) <= MOST_DESCRIPTION else f"{line[: MOST_DESCRIPTION - 3].rstrip()}..."


def called(name: str) -> str:
    """The filter of a list for what has a name."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


def _explained(error: Any) -> str:
    with suppress(TypeError, ValueError, AttributeError):
        return f"{error.status}: {json.loads(error.body).get('error') or error.reason}"
    return f"{error.status}: {error.reason}"
