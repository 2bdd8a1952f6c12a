"""Submit the training pipeline of a project to a KFP backend."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any

import urllib3

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.pipelines.compile import arguments, compile_pipeline

_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
_REACH_SECONDS = 5.0


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
    address = host.rstrip("/")
    _reach(address)
    window = {"window_start": window_start, "window_end": window_end, "trigger": trigger}
    name = f"{project.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    with tempfile.TemporaryDirectory() as folder, _named_errors(address):
        package = Path(folder) / "pipeline.yaml"
        compile_pipeline(project, image, package)
        created = _client(address, namespace).create_run_from_pipeline_package(
            str(package),
            arguments={**arguments(project), **window},
            run_name=name,
            experiment_name=experiment or project.name,
            namespace=namespace or None,
        )
    return Submitted(created.run_id, f"{address}/#/runs/details/{created.run_id}")


def _reach(address: str) -> None:
    """Find out quickly whether anybody answers; the client itself would try for half a minute."""
    if not address.startswith(("http://", "https://")):
        raise SubmissionError("the host has to begin with http:// or https://", seen=address)
    headers = {"Authorization": f"Bearer {_TOKEN.read_text()}"} if _TOKEN.exists() else {}
    try:
        with urllib3.PoolManager(timeout=_REACH_SECONDS, retries=False) as http:
            answer = http.request("GET", f"{address}/apis/v2beta1/healthz", headers=headers)
    except urllib3.exceptions.HTTPError as error:
        raise _unreachable(address, error) from error
    if answer.status != 200:
        raise SubmissionError(
            f"{address} does not answer like the KFP API",
            seen=f"HTTP {answer.status} from {address}/apis/v2beta1/healthz",
            hint=_ADVICE.get(answer.status, "Check --host."),
        )


def _client(address: str, namespace: str) -> Any:
    import kfp
    from kfp.client import ServiceAccountTokenVolumeCredentials

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return kfp.Client(
            host=address,
            namespace=namespace or "kubeflow",
            credentials=ServiceAccountTokenVolumeCredentials() if _TOKEN.exists() else None,
        )


@contextmanager
def _named_errors(address: str) -> Iterator[None]:
    from kfp_server_api.exceptions import ApiException

    try:
        with redirect_stdout(StringIO()):  # the client prints links of its own
            yield
    except ApiException as error:
        raise SubmissionError(
            f"the KFP API at {address} refused the run", seen=_explained(error), hint=_ADVICE.get(error.status, "")
        ) from error
    except (urllib3.exceptions.HTTPError, TimeoutError) as error:
        raise _unreachable(address, error) from error


_ADVICE = {
    401: "Sign in: the request carried no token that the backend accepts.",
    403: "Ask for the right to create runs and experiments in this namespace, or give --namespace.",
    500: "Look among the runs before you try again: the run may exist all the same.",
}


def _explained(error: Any) -> str:
    with suppress(TypeError, JSONDecodeError, AttributeError):
        return f"{error.status}: {loads(error.body).get('error') or error.reason}"
    return f"{error.status}: {error.reason}"


def _unreachable(address: str, error: Exception) -> SubmissionError:
    return SubmissionError(
        f"nobody answers at {address}",
        seen=type(error).__name__,
        hint="Check --host; for a cluster: kubectl -n kubeflow port-forward svc/ml-pipeline-ui 8080:80.",
    )
