"""A model server on Kubernetes: the SeldonDeployment of a version.

Every field answers to something seen on a real cluster with Seldon Core 1.17.1: without the orchestrator a rolling
update loses no request and passes Pod Security *restricted*; the default probes find a server ready that has no model
yet; a port variable set by hand makes the operator drop the whole environment.
"""

import hashlib
import json
from typing import Any

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.images import USER
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings

PREDICTOR, CONTAINER, HTTP_PORT = "main", "model", 9000
COMMAND = ("python", "-P", "-m", "ciclo.components.serving", "--host", "0.0.0.0")  # noqa: S104
DIGEST = "ciclo/digest"
HOME = "/var/lib/ciclo"
DRAIN_SECONDS, GRACE_SECONDS = 10, 60
# What a model server reads of the config map and of the secret named ciclo, and nothing else of them.
SETTINGS = (
    "CICLO_STORE",
    "CICLO_DEPLOYER",
    "CICLO_S3_ENDPOINT",
    "CICLO_S3_SECURE",
    "CICLO_S3_REGION",
    "CICLO_S3_CA_FILE",
    "CICLO_PUBLIC_KEYS",
    "CICLO_UNSIGNED",
    "CICLO_REQUEST_BYTES",
    "CICLO_REQUEST_DEPTH",
)
SECRETS = ("CICLO_S3_ACCESS_KEY", "CICLO_S3_SECRET_KEY", "CICLO_PREDICTIONS")


def seldon_deployment(project: Project, version: int, settings: Settings) -> dict[str, Any]:
    """Describe how a version is served.

    Args:
        project: The project.
        version: A published version.
        settings: Namespace and serving image.

    Returns:
        A SeldonDeployment with one model node. The predictor is annotated with a digest of itself, which the operator
        copies to the Deployment, so that a rollout can be told from the one before.

    Raises:
        SettingsError: If there is no serving image, or the project asks for a strategy this cannot do.
    """
    if not settings.serving_image:
        raise SettingsError("there is no image of the model server", hint="Set CICLO_SERVING_IMAGE.")
    if project.deployment.strategy != "rolling":
        raise SettingsError(
            "this deployer rolls out in one step", seen=project.deployment.strategy, hint="Set strategy: rolling."
        )
    labels = {"app.kubernetes.io/name": project.name, "app.kubernetes.io/part-of": "ciclo"}
    predictor = {
        "name": PREDICTOR,
        "replicas": project.deployment.replicas,
        "labels": {**labels, "version": f"v{version}"},
        "graph": {"name": CONTAINER, "type": "MODEL"},
        "componentSpecs": [{"spec": _pod(project, version, settings.serving_image)}],
    }
    digest = hashlib.sha256(json.dumps(predictor, sort_keys=True).encode()).hexdigest()
    predictor["annotations"] = {"seldon.io/no-engine": "true", DIGEST: digest}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": project.name, "namespace": settings.serving_namespace, "labels": labels},
        "spec": {"protocol": "seldon", "transport": "rest", "predictors": [predictor]},
    }


def deployment_name(project: str) -> str:
    """The Deployment that the operator makes; 53 characters for the longest name of a project, of 63 allowed."""
    return f"{project}-{PREDICTOR}-0-{CONTAINER}"


def service_url(project: str, namespace: str) -> str:
    """The address inside the cluster; without the orchestrator the port is that of the model itself."""
    return f"http://{project}-{PREDICTOR}.{namespace}.svc.cluster.local:{HTTP_PORT}"


def _pod(project: Project, version: int, image: str) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(project, version, image)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "spool", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "trust", "configMap": {"name": "ciclo-trust", "optional": True}},
        ],
    }


def _container(project: Project, version: int, image: str) -> dict[str, Any]:
    resources = {"cpu": project.deployment.resources.cpu, "memory": project.deployment.resources.memory}
    return {
        "name": CONTAINER,
        "image": image,
        "command": list(COMMAND),
        "env": [
            *(_key("configMapKeyRef", name) for name in SETTINGS),
            *(_key("secretKeyRef", name) for name in SECRETS),
            *({"name": name, "value": value} for name, value in _environment(project.name, version).items()),
        ],
        "resources": {"requests": resources, "limits": {"memory": resources["memory"]}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "startupProbe": _probe("/health/status", period=2, failures=150),
        "readinessProbe": _probe("/health/status", period=5, failures=3),
        "livenessProbe": _probe("/health/ping", period=10, failures=6),
        # The address leaves the Service while the server still answers.
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sleep", str(DRAIN_SECONDS)]}}},
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            {"name": "spool", "mountPath": HOME},
            {"name": "trust", "mountPath": "/etc/ciclo/trust", "readOnly": True},
        ],
    }


def _key(kind: str, name: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {kind: {"name": "ciclo", "key": name, "optional": True}}}


def _environment(project: str, version: int) -> dict[str, str]:
    return {
        "CICLO_PROJECT": project,
        "CICLO_VERSION": str(version),
        "CICLO_HOME": HOME,
    }


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
