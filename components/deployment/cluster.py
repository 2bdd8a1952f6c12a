"""The few calls to the Kubernetes API that a rollout needs, each bounded in time."""

from typing import Any

from ciclo.components.core.errors import DeploymentError

SELDON = "/apis/machinelearning.seldon.io/v1/namespaces/{namespace}/seldondeployments/{name}"
DEPLOYMENT = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
SERVICE = "/api/v1/namespaces/{namespace}/services/{name}"
CONFIG_MAP = "/api/v1/namespaces/{namespace}/configmaps/{name}"
SECRET = "/api/v1/namespaces/{namespace}/secrets/{name}"  # noqa: S105
PODS = "/api/v1/namespaces/{namespace}/pods"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
LEASE = f"{LEASES}/{{name}}"

MANAGER = "ciclo"
REQUEST_SECONDS = (5, 30)
JSON = "application/json"
APPLY = "application/apply-patch+yaml"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

Object = dict[str, Any]


class RefusedByClusterError(DeploymentError):
    """The API server said no.

    Args:
        problem: What was refused.
        status: Its HTTP status.
        seen: What it said.
        hint: What to do.
    """

    def __init__(self, problem: str, status: int, *, seen: object, hint: str) -> None:
        self.status = status
        super().__init__(problem, seen=seen, hint=hint)


class Cluster:
    """A Kubernetes API server.

    Args:
        client: A ``kubernetes.client.ApiClient``; by default that of the pod, or of the kubeconfig.
    """

    def __init__(self, client: Any = None) -> None:
        self._client = client or _client()

    def get(self, path: str, *, metadata: bool = False, **names: str) -> Object | None:
        """Read an object, or None if there is none.

        Args:
            path: Where, with names in braces.
            metadata: Whether to ask for its metadata alone, so that its content never gets here.
            names: What stands in the braces.

        Raises:
            DeploymentError: If the API server does not answer or refuses.
        """
        try:
            return self._call("GET", path, names, accept=METADATA if metadata else JSON)
        except RefusedByClusterError as error:
            if error.status == 404:
                return None
            raise

    def pods(self, namespace: str, selector: dict[str, str]) -> list[Object]:
        """The pods with these labels."""
        query = [("labelSelector", ",".join(f"{name}={value}" for name, value in selector.items()))]
        found: list[Object] = self._call("GET", PODS, {"namespace": namespace}, query=query).get("items") or []
        return found

    def apply(self, path: str, body: Object, **names: str) -> None:
        """Apply an object on the server's side, with strict fields, as the owner of all it names.

        Raises:
            DeploymentError: If the API server does not answer or refuses.
        """
        query = [("fieldManager", MANAGER), ("force", "true"), ("fieldValidation", "Strict")]
        self._call("PATCH", path, names, query=query, body=body, content=APPLY)

    def create(self, path: str, body: Object, **names: str) -> Object:
        """Create an object that is not there yet."""
        return self._call("POST", path, names, body=body)

    def replace(self, path: str, body: Object, **names: str) -> Object:
        """Replace an object, if it is still the one that was read."""
        return self._call("PUT", path, names, body=body)

    def delete(self, path: str, **names: str) -> None:
        """Delete an object, if it is there."""
        try:
            self._call("DELETE", path, names)
        except RefusedByClusterError as error:
            if error.status != 404:
                raise

    def _call(
        self,
        method: str,
        path: str,
        names: dict[str, str],
        *,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> Object:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content
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
            raise RefusedByClusterError(
                f"Kubernetes refused to {method.lower()} {path.format(**names)}",
                error.status,
                seen=f"{error.status} {' '.join(str(error.body or error.reason).split())[:500]}",
                hint=_HINTS.get(error.status, ""),
            ) from error
        except HTTPError as error:
            raise DeploymentError("the Kubernetes API server cannot be reached", seen=str(error)[:300]) from error
        return found


_HINTS = {
    403: "Give the service account of the run the role of the deployer.",
    404: "Install Seldon Core and its custom resource, and create the namespace.",
    500: "Seldon Core may be of another release: a field it does not know is answered with this status.",
}


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
