"""A double of Seldon Core's operator 1.17.1, for clusters that have its custom resource and not its program.

It plays what was seen of the real one, for predictors of one container without the orchestrator (no-engine):

- names: Deployment ``<name>-<predictor>-0-<container>``, Services ``<name>-<predictor>`` and
  ``<name>-<predictor>-<container>``, both with 9000 (http) and 9500 (grpc);
- pods: labels ``seldon-deployment-id``, ``seldon-app``, ``seldon.io/model``, ``app``, ``fluentd``,
  ``app.kubernetes.io/managed-by`` and the predictor's own; the predictor's annotations; the ports; the variables
  ``PREDICTIVE_UNIT_*`` after the user's; ``seldon-podinfo``; never more than a quarter too many pods nor one too few;
- status: it lies. It stays Available for a while after a change, flickers, and never has an observed generation;
- what is taken out of an object goes only when all that is left in it is available, so that a predictor which does not
  come up keeps the others there;
- what its webhook refuses about weights ends as Failed, and a change of a child is undone.

Whether a rollout works with the real operator is not shown by this; only that it does with what is known of it.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from kubernetes import client
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ApiException

Object = dict[str, Any]
EVERY_SECONDS = 0.2
OWNED = "machinelearning.seldon.io/double"
FLICKER = (("Available", 0.1), ("Creating", 0.05), ("Available", 0.05))


class Operator(threading.Thread):
    """Looks at one namespace until it is told to stop.

    Attributes:
        faults: What went wrong in it, for the test to see.
    """

    def __init__(self, connection: client.ApiClient, namespace: str) -> None:
        super().__init__(name="operator", daemon=True)
        dynamic = DynamicClient(connection)
        self._objects = dynamic.resources.get(api_version="machinelearning.seldon.io/v1", kind="SeldonDeployment")
        self._deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
        self._services = dynamic.resources.get(api_version="v1", kind="Service")
        self._namespace = namespace
        self._ended = threading.Event()
        self._seen: dict[str, int] = {}
        self.faults: list[str] = []

    def stop(self) -> None:
        """End, and wait for it."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Look, and look again."""
        while not self._ended.wait(EVERY_SECONDS):
            try:
                found = self._objects.get(namespace=self._namespace).to_dict()["items"]
                for made in found:
                    self._reconcile(made)
                self._clear({made["metadata"]["name"] for made in found})
            except ApiException as error:
                if error.status not in (404, 409):  # the object has gone or been modified, as the real one logs too
                    self.faults.append(str(error))
            except Exception as error:  # the API server may be restarting
                self.faults.append(f"{type(error).__name__}: {error}")
                time.sleep(1)

    def _reconcile(self, made: Object) -> None:
        name, predictors = made["metadata"]["name"], made["spec"]["predictors"]
        self._lie(made)
        if len(predictors) > 1 and sum(one.get("traffic", 0) for one in predictors) != 100:
            self._state(made, "Failed", "traffic of predictors must sum to 100")
            return
        wanted, there = set(), []
        for predictor in predictors:
            for service in services(name, predictor):
                wanted.add(service["metadata"]["name"])
                self._apply(self._services, service)
            deployment = deployment_of(name, predictor)["metadata"]["name"]
            wanted.add(deployment)
            self._apply(self._deployments, deployment_of(name, predictor))
            there.append(self._deployments.get(name=deployment, namespace=self._namespace).to_dict())
        if all(available(one) for one in there):
            self._remove(lambda child: child["labels"][OWNED] == name and child["name"] not in wanted)
            self._state(made, "Available")
        elif any(dead(one) for one in there):
            self._state(made, "Failed", "Deployment is no longer progressing and not available.")
        else:
            self._state(made, "Creating")

    def _lie(self, made: Object) -> None:
        """After a change, say for a moment what was true before it."""
        name, generation = made["metadata"]["name"], made["metadata"]["generation"]
        if self._seen.setdefault(name, generation) != generation:
            self._seen[name] = generation
            for state, seconds in FLICKER:
                self._state(made, state)
                time.sleep(seconds)

    def _clear(self, names: set[str]) -> None:
        """Play the garbage collector for objects that are gone."""
        self._remove(lambda child: child["labels"][OWNED] not in names)
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}

    def _remove(self, which: Callable[[Object], bool]) -> None:
        for resource in (self._services, self._deployments):
            for child in resource.get(namespace=self._namespace, label_selector=OWNED).to_dict()["items"]:
                if which(child["metadata"]):
                    resource.delete(name=child["metadata"]["name"], namespace=self._namespace)

    def _apply(self, resource: Any, body: Object) -> None:
        resource.server_side_apply(
            body=body, namespace=self._namespace, field_manager="seldon-double", force_conflicts=True
        )

    def _state(self, made: Object, state: str, description: str = "") -> None:
        status = {"state": state, "description": description}
        before = made.get("status") or {}
        if (before.get("state"), before.get("description", "")) == (state, description):
            return
        made["status"] = status
        self._objects.status.patch(
            body={"status": status},
            name=made["metadata"]["name"],
            namespace=self._namespace,
            content_type="application/merge-patch+json",
        )


def available(deployment: Object) -> bool:
    """Whether a Deployment is ready as the operator sees it."""
    status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
    return (
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("updatedReplicas") == wanted == status.get("availableReplicas")
        and status.get("replicas") == wanted
    )


def dead(deployment: Object) -> bool:
    """Whether it neither is available nor makes progress."""
    conditions = {c["type"]: c["status"] for c in (deployment.get("status") or {}).get("conditions") or ()}
    return conditions.get("Available") == "False" == conditions.get("Progressing")


def services(name: str, predictor: Object) -> list[Object]:
    """The two Services of a predictor."""
    label = f"{name}-{predictor['name']}"
    container = predictor["graph"]["name"]
    ports = [{"name": "http", "port": 9000, "targetPort": 9000}, {"name": "grpc", "port": 9500, "targetPort": 9500}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"{label}{suffix}", "labels": {OWNED: name, "seldon-deployment-id": name}},
            "spec": {"selector": selector, "ports": [{**port, "protocol": "TCP"} for port in ports]},
        }
        for suffix, selector in (
            ("", {"seldon-app": label}),
            (f"-{container}", {f"seldon-app-svc-{container}": f"{label}-{container}"}),
        )
    ]


def deployment_of(name: str, predictor: Object) -> Object:
    """The Deployment of a predictor."""
    assert predictor["annotations"]["seldon.io/no-engine"] == "true", "the double has no orchestrator"
    (spec,) = [dict(component["spec"]) for component in predictor["componentSpecs"]]
    (container,) = [dict(one) for one in spec["containers"]]
    label, deployment = f"{name}-{predictor['name']}", f"{name}-{predictor['name']}-0-{container['name']}"
    selector = {
        "app": deployment,
        "fluentd": "true",
        "seldon-app": label,
        f"seldon-app-svc-{container['name']}": f"{label}-{container['name']}",
        "seldon-deployment-id": name,
        "seldon.io/model": "true",
        "app.kubernetes.io/managed-by": "seldon-core",
    }
    ports = {"metrics": 6000, "http": 9000, "grpc": 9500}
    container["ports"] = [{"name": k, "containerPort": v, "protocol": "TCP"} for k, v in ports.items()]
    container["env"] = [
        *container.get("env", ()),
        {"name": "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "value": "9000"},
        {"name": "PREDICTIVE_UNIT_GRPC_SERVICE_PORT", "value": "9500"},
        {"name": "PREDICTIVE_UNIT_METRICS_SERVICE_PORT", "value": "6000"},
        {"name": "PREDICTIVE_UNIT_ID", "value": predictor["graph"]["name"]},
        {"name": "PREDICTOR_ID", "value": predictor["name"]},
        {"name": "SELDON_DEPLOYMENT_ID", "value": name},
    ]
    container["volumeMounts"] = [
        *container.get("volumeMounts", ()),
        {"name": "seldon-podinfo", "mountPath": "/etc/podinfo"},
    ]
    annotations = {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations", "apiVersion": "v1"}}
    spec["containers"] = [container]
    spec["volumes"] = [*spec.get("volumes", ()), {"name": "seldon-podinfo", "downwardAPI": {"items": [annotations]}}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": deployment, "labels": {**predictor.get("labels", {}), **selector, OWNED: name}},
        "spec": {
            "replicas": predictor.get("replicas", 1),
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {
                    "labels": {**predictor.get("labels", {}), **selector},
                    "annotations": predictor["annotations"],
                },
                "spec": spec,
            },
        },
    }
