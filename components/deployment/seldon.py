"""A model server on Kubernetes: the predictor of a version, the SeldonDeployment, and the Service that clients use.

Every field answers to something seen on a real cluster with Seldon Core 1.17.1: without the orchestrator a rolling
update loses no request and passes Pod Security *restricted*; the default probes find a server ready that has no model
yet; a port variable set by hand makes the operator drop the whole environment.

Versions take turns in two slots, ``blue`` and ``green``, each a predictor with a Service of the operator's that nobody
but the live check uses. Clients use a Service of ours, whose selector says which slot they get.
"""

import hashlib
import json
from typing import Any

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.images import CONTAINER_SECURITY, POD_SECURITY
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings

SLOTS = ("blue", "green")
CONTAINER, HTTP_PORT = "model", 9000
COMMAND = ("python", "-P", "-m", "ciclo.components.serving", "--host", "0.0.0.0")  # noqa: S104
WAIT = ("python", "-I", "-c", "import sys, time; time.sleep(float(sys.argv[1]))")
DIGEST, LIVE = "ciclo/digest", "ciclo/live"
PART_OF = {"app.kubernetes.io/part-of": "ciclo"}
HOME = "/var/lib/ciclo"
DRAIN_SECONDS, GRACE_SECONDS = 10, 60
BUSY_PERCENT = 70  # of the requested processors, above which an autoscaler adds pods
# Where a model server reads its settings, its keys (to read the store alone) and whom it trusts.
CONFIG, KEYS, TRUST = "ciclo", "ciclo-serving", "ciclo-trust"
# What it reads of the first two, and nothing else of them.
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

Object = dict[str, Any]


def predictor(project: Project, version: int, settings: Settings, slot: str, *, read: str = "") -> Object:
    """Describe how a version is served.

    Args:
        project: The project.
        version: A published version.
        settings: The serving image.
        slot: The slot it is put in.
        read: Digest of the settings and keys that the pods read as they start.

    Returns:
        A predictor with one model node. It is annotated with a digest of all that makes its pods what they are, which
        the operator copies to the Deployment, so that a rollout can be told from the one before; neither slot nor
        number of pods is part of that.

    Raises:
        SettingsError: If there is no serving image.
    """
    if not settings.serving_image:
        raise SettingsError("there is no image of the model server", hint="Set CICLO_SERVING_IMAGE.")
    made: Object = {
        "labels": {**_labels(project.name), "version": f"v{version}"},
        "graph": {"name": CONTAINER, "type": "MODEL"},
        "componentSpecs": [{"spec": _pod(project, version, settings.serving_image)}],
    }
    digest = hashlib.sha256(json.dumps([made, read], sort_keys=True).encode()).hexdigest()
    annotations = {"seldon.io/no-engine": "true", DIGEST: digest}
    if project.deployment.max_replicas is not None:
        made["componentSpecs"][0]["hpaSpec"] = {
            "minReplicas": project.deployment.replicas,
            "maxReplicas": project.deployment.max_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": BUSY_PERCENT}}],
        }
    return {"name": slot, "replicas": project.deployment.replicas, "annotations": annotations, **made}


def autoscaled(one: Object) -> bool:
    """Whether the number of pods of a predictor is an autoscaler's."""
    return "hpaSpec" in one["componentSpecs"][0]


def seldon_deployment(project: str, namespace: str, predictors: list[Object]) -> Object:
    """The object that the operator acts on.

    Args:
        project: Name of the project.
        namespace: Where.
        predictors: One or two; the first of two serves. The operator's webhook wants their weights to be 100 together,
            although without a mesh they do nothing.
    """
    plain = [{key: value for key, value in one.items() if key != "traffic"} for one in predictors]
    weighted = plain if len(plain) == 1 else [{**one, "traffic": 0 if n else 100} for n, one in enumerate(plain)]
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": project, "namespace": namespace, "labels": _labels(project)},
        "spec": {"protocol": "seldon", "transport": "rest", "predictors": weighted},
    }


def service(project: str, namespace: str, live: str, *, both: bool = False) -> Object:
    """The Service that clients use.

    Args:
        project: Name of the project.
        namespace: Where.
        live: The slot that serves; it is written down also while both get requests.
        both: Whether the pods of both slots get requests, each pod as many as any other.
    """
    selector = {"seldon-deployment-id": project, "seldon.io/model": "true"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(project),
            "namespace": namespace,
            "labels": _labels(project),
            "annotations": {LIVE: live},
        },
        "spec": {
            "selector": selector if both else {**selector, **slot_label(project, live)},
            "ports": [{"name": "http", "port": HTTP_PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def slot_label(project: str, slot: str) -> dict[str, str]:
    """The label by which the operator's own Service finds the pods of a slot."""
    return {"seldon-app": f"{project}-{slot}"}


def deployment_name(project: str, slot: str) -> str:
    """The Deployment that the operator makes; 54 characters for the longest name of a project, of 63 allowed."""
    return f"{project}-{slot}-0-{CONTAINER}"


def service_name(project: str) -> str:
    """The Service that clients use."""
    return f"{project}-serving"


def service_url(project: str, namespace: str) -> str:
    """The address that clients use, inside the cluster."""
    return f"http://{service_name(project)}.{namespace}.svc.cluster.local:{HTTP_PORT}"


def slot_url(project: str, slot: str, namespace: str) -> str:
    """The address of a slot alone; without the orchestrator the port is that of the model itself."""
    return f"http://{project}-{slot}.{namespace}.svc.cluster.local:{HTTP_PORT}"


def _labels(project: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": project, **PART_OF}


def _pod(project: Project, version: int, image: str) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": POD_SECURITY,
        "containers": [_container(project, version, image)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "spool", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "trust", "configMap": {"name": TRUST, "optional": True}},
        ],
    }


def _container(project: Project, version: int, image: str) -> dict[str, Any]:
    resources = {"cpu": project.deployment.resources.cpu, "memory": project.deployment.resources.memory}
    return {
        "name": CONTAINER,
        "image": image,
        "command": list(COMMAND),
        "env": [
            *(_key("configMapKeyRef", CONFIG, name) for name in SETTINGS),
            *(_key("secretKeyRef", KEYS, name) for name in SECRETS),
            *({"name": name, "value": value} for name, value in _environment(project.name, version).items()),
        ],
        "resources": {"requests": resources, "limits": {"memory": resources["memory"]}},
        "securityContext": CONTAINER_SECURITY,
        "startupProbe": _probe("/health/status", period=2, failures=150),
        "readinessProbe": _probe("/health/status", period=5, failures=3),
        "livenessProbe": _probe("/health/ping", period=10, failures=6),
        # What it says last is shown where it does not start.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        # The address leaves the Service while the server still answers. The image needs no shell for it.
        "lifecycle": {"preStop": {"exec": {"command": [*WAIT, str(DRAIN_SECONDS)]}}},
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            {"name": "spool", "mountPath": HOME},
            {"name": "trust", "mountPath": "/etc/ciclo/trust", "readOnly": True},
        ],
    }


def _key(kind: str, source: str, name: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {kind: {"name": source, "key": name, "optional": True}}}


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
