"""Rolling out on Kubernetes: apply, wait for what was applied, and put back what was there if it fails."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ciclo.components.core.errors import DeploymentError
from ciclo.components.deployment.seldon import DIGEST, deployment_name

OBJECTS = "/apis/machinelearning.seldon.io/v1/namespaces/{namespace}/seldondeployments/{name}"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
MANAGER = "ciclo"
ROLLOUT_SECONDS = 600
POLL_SECONDS = 1.0
REQUEST_SECONDS = (5, 30)

Object = dict[str, Any]


class Cluster:
    """The few calls to the Kubernetes API that a rollout needs, each bounded in time.

    Args:
        client: A ``kubernetes.client.ApiClient``; by default that of the pod, or of the kubeconfig.
    """

    def __init__(self, client: Any = None) -> None:
        self._client = client or _client()

    def get(self, path: str, **names: str) -> Object | None:
        """Read an object, or None if there is none.

        Raises:
            DeploymentError: If the API server does not answer or refuses.
        """
        return self._call("GET", path, names)

    def apply(self, path: str, body: Object, **names: str) -> None:
        """Apply an object on the server's side, with strict fields, as the owner of all it names.

        Raises:
            DeploymentError: If the API server does not answer or refuses.
        """
        query = [("fieldManager", MANAGER), ("force", "true"), ("fieldValidation", "Strict")]
        self._call("PATCH", path, names, query, body)

    def delete(self, path: str, **names: str) -> None:
        """Delete an object, if it is there."""
        self._call("DELETE", path, names)

    def _call(
        self,
        method: str,
        path: str,
        names: dict[str, str],
        query: list[tuple[str, str]] | None = None,
        body: Any = None,
    ) -> Object | None:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/apply-patch+yaml"
        try:
            found: Object = self._client.call_api(
                path,
                method,
                names,
                query or [],
                headers,
                body=body,
                response_type="object",
                auth_settings=["BearerToken"],
                _return_http_data_only=True,
                _request_timeout=REQUEST_SECONDS,
            )
        except ApiException as error:
            if error.status == 404 and method != "PATCH":
                return None
            raise DeploymentError(
                f"Kubernetes refused to {method.lower()} {path.format(**names)}",
                seen=f"{error.status} {' '.join(str(error.body or error.reason).split())[:500]}",
                hint=_HINTS.get(error.status, ""),
            ) from error
        except HTTPError as error:
            raise DeploymentError("the Kubernetes API server cannot be reached", seen=str(error)[:300]) from error
        return found


_HINTS = {
    403: "Give the service account of the run the role of the deployer.",
    404: "Install Seldon Core and its custom resource.",
    500: "Seldon Core may be of another release: a field it does not know is answered with this status.",
}


@contextmanager
def rollout(wanted: Object, cluster: Cluster, seconds: float = ROLLOUT_SECONDS) -> Iterator[None]:
    """Apply a SeldonDeployment and wait for it; if that or the body fails, put back what was there.

    Args:
        wanted: The object.
        cluster: Where.
        seconds: Longest wait.

    Raises:
        DeploymentError: If it is refused or does not become available.
    """
    names = {"namespace": wanted["metadata"]["namespace"], "name": wanted["metadata"]["name"]}
    before = cluster.get(OBJECTS, **names)
    try:
        cluster.apply(OBJECTS, wanted, **names)
        _wait(wanted, cluster, seconds)
        yield
    except BaseException:
        if before is None:
            cluster.delete(OBJECTS, **names)
        else:
            metadata = {key: before["metadata"].get(key) for key in ("name", "namespace", "labels")}
            known = {key: before[key] for key in ("apiVersion", "kind", "spec")}
            cluster.apply(OBJECTS, {**known, "metadata": metadata}, **names)
        raise


def _wait(wanted: Object, cluster: Cluster, seconds: float) -> None:
    names = {"namespace": wanted["metadata"]["namespace"], "name": deployment_name(wanted["metadata"]["name"])}
    digest = wanted["spec"]["predictors"][0]["annotations"][DIGEST]
    deadline = time.monotonic() + seconds
    while True:
        problem = pending(cluster.get(DEPLOYMENTS, **names), digest)
        if problem is None:
            return
        if problem.startswith("given up") or time.monotonic() > deadline:
            raise DeploymentError(
                f"the rollout of {wanted['metadata']['name']} did not complete",
                seen=problem,
                hint=f"Look at the pods and events of deployment {names['name']}.",
            )
        time.sleep(POLL_SECONDS)


def pending(deployment: Object | None, digest: str) -> str | None:
    """What a rollout still waits for.

    Args:
        deployment: The Deployment that the operator makes, or None if there is none yet.
        digest: Digest that its pods have to carry.

    Returns:
        A sentence, which starts with "given up" where waiting is of no use; None when all replicas are available.
    """
    if deployment is None:
        return "the operator has made no Deployment yet"
    spec, status = deployment["spec"], deployment.get("status", {})
    if spec["template"]["metadata"].get("annotations", {}).get(DIGEST) != digest:
        return "the operator has not taken up the new version yet"
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return "Kubernetes has not seen the new Deployment yet"
    for condition in status.get("conditions", ()):
        if condition["type"] == "Progressing" and condition["status"] == "False":
            return f"given up: {condition.get('message') or condition.get('reason')}"
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    if counts != [spec["replicas"]] * 3 or status.get("unavailableReplicas"):
        return "{} pods, {} of them new, {} available, of {} wanted".format(*counts, spec["replicas"])
    return None


def _client() -> Any:
    from kubernetes import client, config

    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except config.ConfigException as error:
            raise DeploymentError(
                "there is no Kubernetes to deploy to", seen=error, hint="Set KUBECONFIG, or CICLO_DEPLOYER=process."
            ) from error
    return client.ApiClient()
