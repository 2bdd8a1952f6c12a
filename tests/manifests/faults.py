"""Faults that somebody may make in the tree one day. Each says which check has to notice it, and in which rendering.

A fault changes rendered objects, as an edit of a file would.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.manifests.rendering import Manifest, containers, find, pod_templates

Change = Callable[[list[Manifest]], None]


@dataclass(frozen=True)
class Fault:
    """One of them.

    Attributes:
        name: What somebody did.
        found_by: The check that has to notice.
        change: Does it.
        rendering: To which rendering.
    """

    name: str
    found_by: str
    change: Change
    rendering: str = "project on dev"


def of(kind: str, name: str, path: str, value: Any = None) -> Change:
    """Set a field by its path; take it away where the value is None."""

    def change(objects: list[Manifest]) -> None:
        place: Any = find(objects, kind, name)
        *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        for part in parents:
            place = place[part]
        if value is None:
            assert last in place if isinstance(place, dict) else last < len(place), f"{path} is not there"
            del place[last]
        else:
            assert (place[last] if isinstance(place, list) else place.get(last)) != value, f"{path} is so already"
            place[last] = value

    return change


def drop(kind: str, name: str) -> Change:
    def change(objects: list[Manifest]) -> None:
        objects.remove(find(objects, kind, name))

    return change


def add(manifest: Manifest) -> Change:
    return lambda objects: objects.append(manifest)


def pod(owner: str, then: Callable[[Manifest, Manifest], None]) -> Change:
    """Change the pod of an object: its spec and its first container."""

    def change(objects: list[Manifest]) -> None:
        found = [template for name, template in pod_templates(objects) if name.startswith(owner)]
        assert len(found) == 1, owner
        then(found[0], containers(found[0]["spec"])[0])

    return change


def rule(name: str, index: int, **fields: Any) -> Change:
    def change(objects: list[Manifest]) -> None:
        find(objects, "Role", name)["rules"][index] |= fields

    return change


def board(old: str, new: str) -> Change:
    def change(objects: list[Manifest]) -> None:
        data = find(objects, "ConfigMap", "ciclo-dashboard")["data"]
        assert old in data["ciclo.json"]
        data["ciclo.json"] = data["ciclo.json"].replace(old, new)
        json.loads(data["ciclo.json"])

    return change


def alert(old: str, new: str) -> Change:
    def change(objects: list[Manifest]) -> None:
        rules = find(objects, "PrometheusRule", "ciclo")["spec"]["groups"][0]["rules"]
        assert any(old in one["expr"] for one in rules)
        for one in rules:
            one["expr"] = one["expr"].replace(old, new)

    return change


def env(name: str, **value: Any) -> Callable[[Manifest, Manifest], None]:
    return lambda template, container: container.setdefault("env", []).append({"name": name, **value})


def without_env(name: str) -> Callable[[Manifest, Manifest], None]:
    def then(template: Manifest, container: Manifest) -> None:
        assert any(entry["name"] == name for entry in container["env"])
        container["env"] = [entry for entry in container["env"] if entry["name"] != name]

    return then


def security(**fields: Any) -> Callable[[Manifest, Manifest], None]:
    return lambda template, container: container["securityContext"].update(fields)


def spec(**fields: Any) -> Callable[[Manifest, Manifest], None]:
    return lambda template, container: template["spec"].update(fields)


def _pod_without(key: str) -> Callable[[Manifest, Manifest], None]:
    return lambda template, container: template["spec"]["securityContext"].pop(key)


def _no_tmp(template: Manifest, container: Manifest) -> None:
    container["volumeMounts"] = [m for m in container["volumeMounts"] if m["mountPath"] != "/tmp"]


def _host_path(template: Manifest, container: Manifest) -> None:
    template["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    container["volumeMounts"].append({"name": "host", "mountPath": "/host"})


def _secret_volume(template: Manifest, container: Manifest) -> None:
    template["spec"]["volumes"].append({"name": "key", "secret": {"secretName": "ciclo-signing"}})
    container["volumeMounts"].append({"name": "key", "mountPath": "/etc/ciclo/signing"})


WATCH, MINIO, POSTGRESQL = "CronJob loans-watch", "StatefulSet ciclo-minio", "StatefulSet ciclo-postgresql"
USERS, KEYS, REGISTER = "Job ciclo-minio-users", "Job ciclo-dev-keys", "Job loans-register"
ALL = "dev with everything"
IN_PROFILE = "project in a profile"
MODEL_LABELS = {"app.kubernetes.io/part-of": "ciclo", "seldon.io/model": "true"}
CLUSTER_ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "ciclo-all"},
    "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
}

FAULTS = [
    # Schemas
    Fault("a misspelt field of a CronJob", "schema", of("CronJob", "loans-watch", "spec/concurencyPolicy", "Forbid")),
    Fault("a misspelt field deep in a pod", "schema", pod(MINIO, security(readOnlyRootFileSystem=True))),
    Fault("a number that is text", "schema", of("StatefulSet", "ciclo-minio", "spec/replicas", "one")),
    Fault("a Job without a template", "schema", of("Job", "ciclo-dev-keys", "spec/template")),
    Fault("an API version that is gone", "schema", of("CronJob", "loans-watch", "apiVersion", "batch/v1beta1")),
    Fault("a name that is there twice", "schema", add({"apiVersion": "v1", "kind": "ServiceAccount",
          "automountServiceAccountToken": False, "metadata": {"name": "ciclo-watch", "namespace": "ciclo"}})),
    Fault("an alert with an unknown field", "schema",
          of("PrometheusRule", "ciclo", "spec/groups/0/rules/0/expression", "1"), ALL),
    Fault("a monitor with a misspelt field", "schema",
          of("PodMonitor", "ciclo-models", "spec/podMetricsEndpoints/0/pathname", "/"), ALL),
    Fault("a policy of Istio with a misspelt field", "schema",
          of("AuthorizationPolicy", "ciclo-models", "spec/rules/0/to/0/operation/path", ["/"]), ALL),
    Fault("a route with a misspelt field", "schema",
          of("VirtualService", "loans", "spec/http/0/routes", []), IN_PROFILE),
    # Pod Security
    Fault("a container that may gain rights", "pod security", pod(WATCH, security(allowPrivilegeEscalation=True))),
    Fault("a privileged container", "pod security", pod(POSTGRESQL, security(privileged=True))),
    Fault("capabilities that are kept", "pod security", pod(MINIO, security(capabilities={}))),
    Fault("a capability that is added", "pod security",
          pod(MINIO, security(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}))),
    Fault("a pod that may be root", "pod security", pod(USERS, _pod_without("runAsNonRoot"))),
    Fault("a user without a number", "pod security", pod(KEYS, _pod_without("runAsUser"))),
    Fault("a container that is root", "pod security", pod(REGISTER, security(runAsUser=0))),
    Fault("no seccomp profile", "pod security", pod(WATCH, _pod_without("seccompProfile"))),
    Fault("a folder of the node", "pod security", pod(MINIO, _host_path)),
    Fault("the network of the node", "pod security", pod(POSTGRESQL, spec(hostNetwork=True))),
    Fault("an init container without rules", "pod security",
          pod(WATCH, spec(initContainers=[{"name": "wait", "image": "busybox:1"}]))),
    # What a careful person asks
    Fault("a watch with a token", "hygiene", pod(WATCH, spec(automountServiceAccountToken=True))),
    Fault("a pod that does not decline its token", "hygiene",
          pod(MINIO, lambda template, container: template["spec"].pop("automountServiceAccountToken"))),
    Fault("an account that hands out its token", "hygiene",
          of("ServiceAccount", "ciclo-watch", "automountServiceAccountToken", True)),
    Fault("a root that can be written", "hygiene", pod(WATCH, security(readOnlyRootFilesystem=False))),
    Fault("a read-only root without /tmp", "hygiene", pod(WATCH, _no_tmp)),
    Fault("no limit of memory", "hygiene", pod(WATCH, lambda template, c: c["resources"].pop("limits"))),
    Fault("no requests", "hygiene", pod(MINIO, lambda template, c: c["resources"].pop("requests"))),
    Fault("two ticks at once", "hygiene", of("CronJob", "loans-watch", "spec/concurrencyPolicy", "Allow")),
    Fault("no deadline for a start", "hygiene", of("CronJob", "loans-watch", "spec/startingDeadlineSeconds")),
    Fault("no limit of the history", "hygiene", of("CronJob", "loans-watch", "spec/failedJobsHistoryLimit")),
    Fault("a suspended watch", "hygiene", of("CronJob", "loans-watch", "spec/suspend", True)),
    Fault("a tick without an end", "hygiene",
          of("CronJob", "loans-watch", "spec/jobTemplate/spec/activeDeadlineSeconds")),
    Fault("a Job that stays for ever", "hygiene", of("Job", "ciclo-dev-keys", "spec/ttlSecondsAfterFinished")),
    Fault("a pod that gets a sidecar", "hygiene",
          pod(WATCH, lambda template, c: template["metadata"]["labels"].pop("sidecar.istio.io/inject"))),
    Fault("a pod that no policy knows", "hygiene",
          pod(USERS, lambda template, c: template["metadata"]["labels"].pop("app.kubernetes.io/part-of"))),
    # Images
    Fault("an image without a tag", "images", pod(MINIO, lambda template, c: c.update(image="minio/minio"))),
    Fault("an image whose tag moves", "images", pod(POSTGRESQL, lambda template, c: c.update(image="postgres:latest"))),
    Fault("a tag in production", "images",
          pod(WATCH, lambda template, c: c.update(image="registry.example.com/ciclo-python:1.0.0")), "project in prod"),
    Fault("a serving image by tag in production", "images",
          of("ConfigMap", "ciclo", "data/CICLO_SERVING_IMAGE", "registry.example.com/serving:1"), "prod"),
    # Secrets
    Fault("a Secret with a value", "secrecy", of("Secret", "ciclo", "stringData", {"CICLO_ALERTS": "slack://x"})),
    Fault("a Secret with an encoded value", "secrecy", of("Secret", "ciclo-minio", "data", {"a": "eA=="})),
    Fault("a key in a ConfigMap", "secrecy", of("ConfigMap", "ciclo", "data/CICLO_S3_SECRET_KEY", "hunter2")),
    Fault("an address with a password in a ConfigMap", "secrecy",
          of("ConfigMap", "ciclo", "data/CICLO_S3_REGION", "postgresql://u:hunter2@db/x")),
    Fault("a private key in a ConfigMap", "secrecy",
          of("ConfigMap", "ciclo-trust", "data", {"public.pem": "-----BEGIN EC PRIVATE KEY-----"})),
    Fault("a password that is written out", "secrecy", pod(POSTGRESQL, env("PGPASSWORD", value="hunter2"))),
    Fault("a key that is read from a ConfigMap", "secrecy",
          pod(WATCH, env("CICLO_ALERTS", valueFrom={"configMapKeyRef": {"name": "ciclo", "key": "CICLO_STORE"}}))),
    # Namespaces
    Fault("an object in another namespace", "namespace", of("Service", "ciclo-minio", "metadata/namespace", "default")),
    Fault("an object of base with a namespace", "namespace",
          of("Role", "ciclo-deployer", "metadata/namespace", "kubeflow"), "base"),
    Fault("a binding without a namespace", "namespace", of("RoleBinding", "ciclo-deployer", "subjects/0/namespace")),
    Fault("a binding of a stranger", "namespace",
          of("RoleBinding", "ciclo-deployer", "subjects/0/namespace", "elsewhere")),
    Fault("a role over the whole cluster", "namespace", add(CLUSTER_ROLE)),
    # Settings
    Fault("a setting that nobody reads", "settings", of("ConfigMap", "ciclo", "data/CICLO_STROE", "s3://x")),
    Fault("a setting that is gone", "settings", of("ConfigMap", "ciclo", "data/CICLO_PUBLIC_KEYS"), "base"),
    Fault("a setting that is not valid", "settings", of("ConfigMap", "ciclo", "data/CICLO_DEPLOYER", "selden")),
    Fault("the deployer of a laptop", "settings", of("ConfigMap", "ciclo", "data/CICLO_DEPLOYER", "process")),
    Fault("the namespace of somebody else", "settings", of("ConfigMap", "ciclo", "data/CICLO_NAMESPACE", "default")),
    Fault("an endpoint with a scheme", "settings",
          of("ConfigMap", "ciclo", "data/CICLO_S3_ENDPOINT", "http://ciclo-minio:9000")),
    Fault("a store in a folder", "settings", of("ConfigMap", "ciclo", "data/CICLO_STORE", "file:///tmp")),
    Fault("a key that is not where it is mounted", "settings",
          of("ConfigMap", "ciclo", "data/CICLO_PRIVATE_KEY", "/keys/private.pem")),
    # References
    Fault("an account that does not exist", "references", pod(KEYS, spec(serviceAccountName="ciclo-keys"))),
    Fault("a key that no Secret has", "references",
          pod(MINIO, env("X", valueFrom={"secretKeyRef": {"name": "ciclo-minio", "key": "ROOT_USER"}}))),
    Fault("a variable that nobody reads", "references", pod(WATCH, env("CICLO_KFP_NAMSPACE", value="x"))),
    Fault("a ConfigMap that does not exist", "references", drop("ConfigMap", "ciclo-minio-users")),
    Fault("a project that was not generated", "references", drop("ConfigMap", "loans-project")),
    Fault("a Service that selects nothing", "references",
          of("Service", "ciclo-minio", "spec/selector", {"app": "minio"})),
    Fault("a port that no container has", "references",
          of("Service", "ciclo-minio", "spec/ports/0/targetPort", "http")),
    Fault("a volume that nobody mounts", "references",
          pod(WATCH, lambda template, c: c["volumeMounts"].pop())),
    Fault("a role that does not exist", "references", drop("Role", "ciclo-deployer")),
    Fault("a budget for nobody", "references",
          of("PodDisruptionBudget", "ciclo-models", "spec/selector/matchLabels", {"app": "model"}), "prod"),
    Fault("a policy that selects nobody", "references",
          of("NetworkPolicy", "ciclo-run", "spec/podSelector/matchLabels", {"app": "run"})),
    # Rights
    Fault("a deployer that reads every Secret", "rights", rule("ciclo-deployer", -1, resourceNames=["ciclo-signing"])),
    Fault("a deployer that may do anything to pods", "rights", rule("ciclo-deployer", 2, verbs=["*"])),
    Fault("a deployer that cannot take back", "rights", rule("ciclo-deployer", 0, verbs=["get", "patch", "create"])),
    Fault("keys that may be listed", "rights", rule("ciclo-dev-keys", 0, verbs=["get", "list", "patch"])),
    Fault("a watch that may deploy", "rights", of("RoleBinding", "ciclo-deployer", "subjects/0/name", "ciclo-watch")),
    Fault("a watch that may delete runs", "rights", rule("ciclo-submitter", 0, verbs=["create", "delete"]), IN_PROFILE),
    # The network
    Fault("no default", "network", drop("NetworkPolicy", "ciclo-default-deny")),
    Fault("no names", "network", drop("NetworkPolicy", "ciclo-dns")),
    Fault("model servers that anybody asks", "network",
          of("NetworkPolicy", "ciclo-model-requests", "spec/ingress/0/from", [{"namespaceSelector": {}}])),
    Fault("model servers that nobody asks", "network", drop("NetworkPolicy", "ciclo-model-requests")),
    Fault("every port of a model server", "network",
          of("NetworkPolicy", "ciclo-model-requests", "spec/ingress/0/ports")),
    Fault("a watch that reaches the cluster", "network",
          of("NetworkPolicy", "ciclo-watch-alerts", "spec/egress/0/to/0/ipBlock/except", ["192.168.0.0/16"])),
    Fault("a policy for one way only", "network",
          of("NetworkPolicy", "ciclo-default-deny", "spec/policyTypes", ["Egress"])),
    Fault("a database for everybody", "network",
          of("NetworkPolicy", "ciclo-postgresql", "spec/ingress/0/from", [{"podSelector": {}}])),
    Fault("a store that model servers cannot reach", "network", drop("NetworkPolicy", "ciclo-model-store")),
    Fault("a registration that reaches the store", "network",
          pod(REGISTER, lambda t, c: t["metadata"]["labels"].update({"app.kubernetes.io/component": "run"}))),
    Fault("metrics for every namespace", "network",
          of("NetworkPolicy", "ciclo-metrics", "spec/ingress/0/from/0/namespaceSelector", {}), ALL),
    # Who reads which keys
    Fault("a watch that signs", "keys", pod(WATCH, _secret_volume)),
    Fault("a watch with the keys of model servers", "keys",
          pod(WATCH, env("Y", valueFrom={"secretKeyRef": {"name": "ciclo-serving", "key": "CICLO_PREDICTIONS"}}))),
    Fault("a watch without a database", "keys", pod(WATCH, without_env("CICLO_PREDICTIONS"))),
    Fault("a registration with all keys", "keys",
          pod(REGISTER, lambda template, c: c.update(envFrom=[{"secretRef": {"name": "ciclo"}}]))),
    # Metrics
    Fault("an alert on what nothing shows", "metrics", alert("ciclo_failed_total", "ciclo_failures_total"), ALL),
    Fault("an alert on a label that no series has", "metrics", alert("by (namespace, project)", "by (model)"), ALL),
    Fault("an alert that does not parse", "metrics", alert("> 0.01 * (", "> 0.01 * (("), ALL),
    Fault("a panel that does not parse", "metrics", board("[$__rate_interval]))", "[$__rate_interval])"), ALL),
    Fault("a panel on what nothing shows", "metrics", board("ciclo_rows_total", "ciclo_rows"), ALL),
    Fault("a panel without the project", "metrics",
          of("PodMonitor", "ciclo-models", "spec/podMetricsEndpoints/0/relabelings"), ALL),
]  # fmt: skip
