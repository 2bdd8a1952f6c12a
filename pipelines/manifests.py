"""The Kubernetes objects of one project, as files of a folder that kustomize and GitOps can own.

What all projects of a namespace share is in ``manifests/``: the settings, the accounts and the network policies. A
project adds its file and its compiled pipeline, the CronJob that watches it, and a Job that makes it known to KFP.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from ciclo.components.core.errors import ProjectError, SubmissionError
from ciclo.components.core.images import CONTAINER_SECURITY, LABEL, POD_SECURITY
from ciclo.components.core.project import Project
from ciclo.components.core.wording import counted
from ciclo.components.deployment.seldon import service_url
from ciclo.pipelines.compile import check_image

# What the watch reads of the ConfigMap and the Secret of the namespace. Some of it has to be there: without a store or
# a database, a pod would look into its own empty folder and find that all is well.
NEEDED_SETTINGS, NEEDED_SECRETS = ("CICLO_STORE", "CICLO_KFP_HOST"), ("CICLO_PREDICTIONS",)
SETTINGS = (
    "CICLO_S3_ENDPOINT", "CICLO_S3_SECURE", "CICLO_S3_REGION", "CICLO_S3_CA_FILE", "CICLO_PUBLIC_KEYS",
    "CICLO_UNSIGNED", "CICLO_DEPLOYER", "CICLO_NAMESPACE", "CICLO_DEADLINE_SECONDS", "CICLO_PUSHGATEWAY",
)  # fmt: skip
SECRETS = ("CICLO_S3_ACCESS_KEY", "CICLO_S3_SECRET_KEY", "CICLO_ALERTS")
FILES = "/etc/ciclo/project"
NO_USE_TO_TRY_AGAIN = {"operator": "In", "values": [2]}  # see the entry of monitoring
TOKEN, AUDIENCE = "/var/run/secrets/kubeflow/pipelines", "pipelines.kubeflow.org"
MOST_BYTES = 1_000_000  # of 1 MiB that a ConfigMap may have
_GATEWAY = re.compile(rf"{LABEL.pattern}/{LABEL.pattern}")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Installation:
    """What a project is added to.

    Attributes:
        namespace: Namespace in which its runs run.
        image: Image of the components.
        multi_user: Whether KFP asks who calls it: pods get a token for it then.
        gateway: Gateway of Istio, ``namespace/name``, through which the model is asked from outside; empty for none.
        overlay: Kustomization to install together with the project, a folder or an address; empty for none.

    Raises:
        SubmissionError: If one of them cannot be right.
    """

    namespace: str
    image: str
    multi_user: bool = False
    gateway: str = ""
    overlay: str = ""

    def __post_init__(self) -> None:
        check_image(self.image)
        if not LABEL.fullmatch(self.namespace):
            raise SubmissionError(
                "the namespace is not a name of Kubernetes",
                seen=repr(self.namespace),
                hint="Give small letters, digits and hyphens, 63 at most.",
            )
        if self.gateway and not _GATEWAY.fullmatch(self.gateway):
            raise SubmissionError(
                "the gateway is not NAMESPACE/NAME",
                seen=self.gateway,
                hint="Give one such as kubeflow/kubeflow-gateway.",
            )


def project_files(project: Project, text: bytes, package: bytes, installation: Installation) -> dict[str, bytes]:
    """The files of a project's folder, by name; the same input gives the same bytes.

    Args:
        project: The project.
        text: Its file.
        package: Its compiled pipeline.
        installation: What it is added to.

    Raises:
        ProjectError: If both files are too large for a ConfigMap.
    """
    if len(text) + len(package) > MOST_BYTES:
        raise ProjectError(
            "the project and its compiled pipeline are too large for a ConfigMap",
            seen=f"{counted(len(text) + len(package), 'byte')} of {MOST_BYTES:,}",
            hint="Shorten the lists of categories: a column without them learns its categories from the rows.",
        )
    objects = {
        "watch.yaml": cron_job(project, installation),
        "register.yaml": registration_job(project, package, installation),
    }
    if installation.gateway:
        objects["virtual-service.yaml"] = virtual_service(project, installation)
    files = {name: _as_yaml(manifest) for name, manifest in objects.items()}
    files |= {"project.yaml": text, "pipeline.yaml": package}
    files["kustomization.yaml"] = _kustomization(project, installation, list(objects))
    return files


def cron_job(project: Project, installation: Installation) -> Manifest:
    """The watch: one tick at a time, on the project's schedule, without a token of the cluster."""
    container: Manifest = {
        "name": "watch",
        "image": installation.image,
        "command": ["python", "-P", "-m", "ciclo.components.monitoring", f"{FILES}/project.yaml"],
        "env": [
            *(_key("configMapKeyRef", name, optional=False) for name in NEEDED_SETTINGS),
            *(_key("configMapKeyRef", name) for name in SETTINGS),
            *(_key("secretKeyRef", name, optional=False) for name in NEEDED_SECRETS),
            *(_key("secretKeyRef", name) for name in (*SECRETS, *project.monitoring.alerts)),
            {"name": "CICLO_PIPELINE_PACKAGE", "value": f"{FILES}/pipeline.yaml"},
        ],
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
    }
    pod = _pod(project, "watch", container, installation)
    pod["spec"]["volumes"].append({"name": "trust", "configMap": {"name": "ciclo-trust", "optional": True}})
    container["volumeMounts"].append({"name": "trust", "mountPath": "/etc/ciclo/trust", "readOnly": True})
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": _metadata(project, f"{project.name}-watch", "watch", installation),
        "spec": {
            "schedule": project.monitoring.schedule,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 1800,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 1,
                    "activeDeadlineSeconds": 1800,
                    "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": NO_USE_TO_TRY_AGAIN}]},
                    "template": pod,
                }
            },
        },
    }


def registration_job(project: Project, package: bytes, installation: Installation) -> Manifest:
    """The Job that makes the pipeline and the experiment known to KFP; a changed pipeline is another Job."""
    container: Manifest = {
        "name": "register",
        "image": installation.image,
        "command": ["ciclo", "register", f"{FILES}/project.yaml", "--package", f"{FILES}/pipeline.yaml"],
        "env": [_key("configMapKeyRef", "CICLO_KFP_HOST", optional=False)],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    }
    pod = _pod(project, "register", container, installation)
    mark = hashlib.sha256(package + json.dumps(pod, sort_keys=True).encode()).hexdigest()[:10]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(project, f"{project.name}-register-{mark}", "register", installation),
        "spec": {
            "backoffLimit": 6,
            "activeDeadlineSeconds": 1800,
            "ttlSecondsAfterFinished": 86_400,
            "template": pod,
        },
    }


def virtual_service(project: Project, installation: Installation) -> Manifest:
    """The way from a gateway to the model: ``/ciclo/<namespace>/<project>/``."""
    address = urlsplit(service_url(project.name, installation.namespace))
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": _metadata(project, project.name, "requests", installation),
        "spec": {
            "hosts": ["*"],
            "gateways": [installation.gateway],
            "http": [
                {
                    "match": [{"uri": {"prefix": f"/ciclo/{installation.namespace}/{project.name}/"}}],
                    "rewrite": {"uri": "/"},
                    "route": [{"destination": {"host": address.hostname, "port": {"number": address.port}}}],
                }
            ],
        },
    }


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a project's folder.

    Raises:
        SubmissionError: If one cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise SubmissionError(f"{folder} cannot be written", seen=error.strerror) from error


def overlay_for(overlay: str, namespace: str, folder: Path) -> str:
    """An overlay as the kustomization of a folder names it.

    Args:
        overlay: A folder, or an address such as ``https://host/owner/repository//manifests/overlays/prod?ref=v1``.
        namespace: Namespace of the project, which has to be that of the overlay.
        folder: Folder of the kustomization.

    Raises:
        SubmissionError: If it is no kustomization, or one of another namespace.
    """
    if "://" in overlay or "?ref=" in overlay or overlay.startswith("git@"):
        return overlay
    file = Path(overlay) / "kustomization.yaml"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SubmissionError(
            "the overlay is not a kustomization", seen=str(file), hint="Give a folder such as manifests/overlays/prod."
        ) from error
    own = content.get("namespace") if isinstance(content, dict) else None
    if own != namespace:
        raise SubmissionError(
            f"the overlay is not of the namespace {namespace}",
            seen=f"namespace: {own} in {file}",
            hint="Give the same as --namespace, or change the overlay.",
        )
    return Path(os.path.relpath(Path(overlay).resolve(), folder.resolve())).as_posix()


def _metadata(project: Project, name: str, part: str, installation: Installation) -> Manifest:
    return {"name": name, "namespace": installation.namespace, "labels": _labels(project, part)}


def _labels(project: Project, part: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": project.name,
        "app.kubernetes.io/part-of": "ciclo",
        "app.kubernetes.io/component": part,
    }


def _pod(project: Project, part: str, container: Manifest, installation: Installation) -> Manifest:
    """A pod that does one thing and ends; it passes Pod Security *restricted*."""
    volumes: list[Manifest] = [
        {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
        {"name": "project", "configMap": {"name": f"{project.name}-project"}},
    ]
    mounts: list[Manifest] = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        {"name": "project", "mountPath": FILES, "readOnly": True},
    ]
    if installation.multi_user:
        token = {"path": "token", "audience": AUDIENCE, "expirationSeconds": 7200}
        volumes.append({"name": "kfp-token", "projected": {"sources": [{"serviceAccountToken": token}]}})
        mounts.append({"name": "kfp-token", "mountPath": TOKEN, "readOnly": True})
        container["env"] += [
            {"name": "CICLO_KFP_TOKEN_FILE", "value": f"{TOKEN}/token"},
            {"name": "CICLO_KFP_NAMESPACE", "value": installation.namespace},
        ]
    container |= {"securityContext": CONTAINER_SECURITY, "volumeMounts": mounts}
    return {
        # A sidecar would not let the pod end, and may do more than these pods.
        "metadata": {"labels": {**_labels(project, part), "sidecar.istio.io/inject": "false"}},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": f"ciclo-{part}",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": POD_SECURITY,
            "containers": [container],
            "volumes": volumes,
        },
    }


def _key(kind: str, name: str, *, optional: bool = True) -> Manifest:
    return {"name": name, "valueFrom": {kind: {"name": "ciclo", "key": name, "optional": optional}}}


def _kustomization(project: Project, installation: Installation, objects: list[str]) -> bytes:
    body = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [*([installation.overlay] if installation.overlay else []), *objects],
        "configMapGenerator": [
            {
                "name": f"{project.name}-project",
                "namespace": installation.namespace,
                "files": ["project.yaml", "pipeline.yaml"],
                "options": {"disableNameSuffixHash": True, "labels": _labels(project, "project")},
            }
        ],
    }
    kind = "kubeflow" if installation.multi_user else "dev, standalone or prod"
    needs = (
        f"# Needs in the namespace {installation.namespace} what one of manifests/overlays installs: {kind}.\n"
        if not installation.overlay
        else f"# Installs {installation.overlay} as well.\n"
    )
    return f"# The project {project.name}, as `ciclo manifests` writes it.\n{needs}".encode() + _as_yaml(body)


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice."""

    def ignore_aliases(self, data: object) -> bool:
        """See ``SafeDumper``."""
        return True


def _as_yaml(body: Manifest) -> bytes:
    return yaml.dump(body, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True).encode()
