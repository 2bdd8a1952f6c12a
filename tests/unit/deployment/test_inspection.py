"""What a cluster is asked before anything is deployed to it, and what it says of what stands there."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import yaml
from kubernetes import client

from ciclo.components.core.settings import Settings
from ciclo.components.deployment.cluster import Cluster
from ciclo.components.deployment.inspection import GROUP, RIGHTS, VERSION, questions, slots
from ciclo.components.deployment.seldon import LIVE, SECRETS
from ciclo.components.runs.preflight import ask
from tests.unit.deployment.api import OBJECT, PODS, SERVICE, ApiServer, Handler, deployment, path_of, served

SETTINGS = Settings(namespace="models", store="s3://bucket", s3_endpoint="minio:9000", deployer="seldon")
CONFIG_MAP = "/api/v1/namespaces/models/configmaps/ciclo"
THERE = {"CICLO_STORE": "s3://bucket", "CICLO_DEPLOYER": "seldon", "CICLO_NAMESPACE": "models"}
SECRET = "/api/v1/namespaces/models/secrets/ciclo-serving"
NAMESPACE = "/api/v1/namespaces/models"
OF_RUNS = [f"{NAMESPACE}/secrets/ciclo", f"{NAMESPACE}/secrets/ciclo-signing", f"{NAMESPACE}/configmaps/ciclo-trust"]


class Reviewer(Handler):
    """Also says who may do what, and gives every pod whatever is asked for."""

    def do_GET(self) -> None:
        if urlparse(self.path).path == PODS:
            self.answer(200, {"items": self.server.pods})
        else:
            super().do_GET()

    def do_POST(self) -> None:
        asked = self.body()["spec"]["resourceAttributes"]
        assert asked["namespace"] == "models"
        denied = (asked["verb"], asked["resource"]) in self.server.objects.get("denied", ())
        self.answer(201, {"status": {"allowed": not denied}})


@pytest.fixture
def api() -> Iterator[ApiServer]:
    server = ApiServer()
    server.RequestHandlerClass = Reviewer
    server.objects = {
        VERSION: {"gitVersion": "v1.34.4"},
        GROUP: {"versions": [{"version": "v1"}, {"version": "v1alpha3"}]},
        CONFIG_MAP: {"data": {**THERE, "CICLO_PUBLIC_KEYS": '["/etc/ciclo/trust"]'}},
        NAMESPACE: {"metadata": {}},
        **{path: {"metadata": {}} for path in OF_RUNS},
        SECRET: {"metadata": {}, "data": {name: base64.b64encode(b"x").decode() for name in SECRETS}},
    }
    with served(server):
        yield server


def cluster(api: ApiServer) -> Cluster:
    return Cluster(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{api.server_port}")))


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "unit-blue-0-model-x"}, "status": status}


WAITING = {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}, "image": "nowhere/image"}
HOMELESS = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0 of 1 nodes"}
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no operator": ({GROUP: None}, "Seldon Core", "Install Seldon Core"),
    "another release": ({GROUP: {"versions": [{"version": "v2"}]}}, "Seldon Core", "v2"),
    "no right": ({"denied": [("patch", "seldondeployments")]}, "rights", "no right to patch seldondeployments"),
    "no right to a name": ({"denied": [("get", "secrets")]}, "rights", "get secrets/ciclo-serving"),
    "no settings": ({CONFIG_MAP: None}, "settings of pods", "there is no ConfigMap ciclo in models"),
    "drift": ({CONFIG_MAP: {"data": {"CICLO_STORE": "s3://old"}}}, "settings of pods", "'s3://old' there"),
    "a setting here alone": (
        {CONFIG_MAP: {"data": {**THERE, "CICLO_UNSIGNED": "True"}}},
        "settings of pods",
        "UNSIGNED",
    ),
    "another namespace": ({CONFIG_MAP: {"data": {**THERE, "CICLO_NAMESPACE": "x"}}}, "settings of pods", "NAMESPACE"),
    "no namespace": ({NAMESPACE: None}, "namespace there", "there is no namespace models"),
    "no signing key": ({OF_RUNS[1]: None}, "objects of runs", "ciclo-signing not in models"),
    "no secret": ({SECRET: None}, "secret of pods", "there is no Secret ciclo-serving"),
    "half a secret": ({SECRET: {"data": {"CICLO_S3_ACCESS_KEY": "eA=="}}}, "secret of pods", "has no CICLO_S3_SECRET"),
    "an image that is not there": ({"pods": [pod(containerStatuses=[WAITING])]}, "pods", "ErrImagePull"),
    "no room": ({"pods": [pod(conditions=[HOMELESS])]}, "pods", "Unschedulable"),
}


@pytest.mark.parametrize(("change", "about", "said"), FAULTS.values(), ids=list(FAULTS))
def test_every_fault_is_found_by_the_question_about_it(
    api: ApiServer, change: dict[str, Any], about: str, said: str
) -> None:
    api.pods = change.pop("pods", [])
    api.objects |= change
    found = {name: ask(name, question) for name, question in questions(SETTINGS, cluster(api))}
    assert {name for name, finding in found.items() if finding.problem} == {about}
    assert said in found[about].problem


def test_a_cluster_that_is_ready_has_nothing_to_mend(api: ApiServer) -> None:
    found = [ask(name, question) for name, question in questions(SETTINGS, cluster(api))]
    assert [finding.problem for finding in found] == [""] * 8
    assert all(finding.seen for finding in found)
    assert sum(len(verbs) for _, _, verbs in RIGHTS) > 10


@pytest.mark.parametrize(
    ("pinned", "roles"), [(True, ("serves", "serves nobody yet")), (False, ("serves", "is a canary"))]
)
def test_the_slots_say_what_stands_in_them(api: ApiServer, pinned: bool, roles: tuple[str, str]) -> None:
    predictors = [
        {"name": slot, "replicas": 2, "labels": {"version": f"v{n}"}} for n, slot in enumerate(("blue", "green"), 1)
    ]
    api.objects |= {
        OBJECT: {"spec": {"predictors": predictors}},
        SERVICE: {
            "metadata": {"annotations": {LIVE: "blue"}},
            "spec": {"selector": {"seldon-app": "unit-blue"} if pinned else {}},
        },
        path_of("blue"): deployment("d", 2),
        path_of("green"): deployment("d", 2, availableReplicas=0),
    }
    blue, green = slots("unit", SETTINGS, cluster(api))
    assert blue == f"blue: v1, 2 of 2 pods ready, {roles[0]}"
    assert green == f"green: v2, 0 of 2 pods ready, {roles[1]}"


def test_nothing_stands_where_nothing_was_deployed(api: ApiServer) -> None:
    assert slots("unit", SETTINGS, cluster(api)) == []


def test_the_rights_that_are_asked_for_are_those_of_the_role_of_the_deployer() -> None:
    role = yaml.safe_load((Path(__file__).parents[3] / "manifests" / "base" / "role-deployer.yaml").read_text())
    given = {
        (group, f"{resource}/{name}".rstrip("/"), verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }
    assert given == {(group, resource, verb) for group, resource, verbs in RIGHTS for verb in verbs}
