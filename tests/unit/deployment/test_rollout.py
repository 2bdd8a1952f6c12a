import copy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest
from kubernetes import client

from ciclo.components.core.errors import DeploymentError
from ciclo.components.core.settings import Settings
from ciclo.components.deployment import rollout as rolling
from ciclo.components.deployment.rollout import Cluster, pending, rollout
from ciclo.components.deployment.seldon import DIGEST, seldon_deployment
from tests.tables import project

SETTINGS = Settings(namespace="models", serving_image="image", _env_file=None)
OBJECT = "/apis/machinelearning.seldon.io/v1/namespaces/models/seldondeployments/unit"
DEPLOYMENT = "/apis/apps/v1/namespaces/models/deployments/unit-main-0-model"


def deployment(digest, replicas=1, /, **status):
    ready = {"observedGeneration": 2, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas}
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": replicas, "template": {"metadata": {"annotations": {DIGEST: digest}}}},
        "status": {**ready, **status},
    }


STUCK = {"type": "Progressing", "status": "False", "message": "has timed out progressing"}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(None, "no Deployment yet", id="not-made"),
        pytest.param(deployment("old"), "not taken up", id="stale-template"),
        pytest.param(deployment("new", observedGeneration=1), "not seen", id="stale-status"),
        pytest.param(deployment("new", 2, updatedReplicas=1), "1 of them new", id="half-updated"),
        pytest.param(deployment("new", 2, replicas=3), "3 pods", id="old-pods-left"),
        pytest.param(deployment("new", 2, availableReplicas=0), "0 available", id="not-ready"),
        pytest.param(deployment("new", 1, unavailableReplicas=1), "of 1 wanted", id="one-unavailable"),
        pytest.param(deployment("new", 1, conditions=[STUCK]), "given up: has timed out", id="stuck"),
        pytest.param(deployment("old", 1, conditions=[STUCK]), "not taken up", id="stuck-before"),
        pytest.param({**deployment("new"), "status": {}}, "not seen", id="no-status"),
        pytest.param(deployment("new", 2), None, id="done"),
    ],
)
def test_what_a_rollout_waits_for(found, expected):
    problem = pending(found, "new")
    assert problem is expected is None or expected in problem


class ApiServer(ThreadingHTTPServer):
    """The few paths of a Kubernetes API that a rollout uses, with an operator that follows at once."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = {}
        self.requests = []
        self.ready = True

    def operator(self, applied):
        digest = applied["spec"]["predictors"][0]["annotations"][DIGEST]
        status = {} if self.ready else {"availableReplicas": 0, "conditions": [STUCK]}
        self.objects[DEPLOYMENT] = deployment(digest, **status)


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        found = self.server.objects.get(urlparse(self.path).path)
        self.answer(200 if found else 404, found or {"message": "not found"})

    def do_DELETE(self):
        self.server.objects.pop(urlparse(self.path).path, None)
        self.answer(200, {})

    def do_PATCH(self):
        path, body = urlparse(self.path), json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((parse_qs(path.query), self.headers["Content-Type"], body))
        if "misspelt" in body["spec"]:
            self.answer(500, {"message": ".spec.misspelt: field not declared in schema"})
            return
        self.server.objects[path.path] = {**body, "metadata": {**body["metadata"], "uid": "1", "managedFields": []}}
        self.server.operator(body)
        self.answer(200, body)

    def log_message(self, *_):
        pass


@pytest.fixture
def api():
    server = ApiServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cluster(api, monkeypatch):
    monkeypatch.setattr(rolling, "POLL_SECONDS", 0.01)
    configuration = client.Configuration(host=f"http://127.0.0.1:{api.server_port}")
    with client.ApiClient(configuration) as connection:
        yield Cluster(connection)


def wanted(version):
    return seldon_deployment(project(), version, SETTINGS)


def test_it_applies_on_the_server_s_side_with_strict_fields(api, cluster):
    with rollout(wanted(1), cluster):
        pass
    ((query, content_type, body),) = api.requests
    assert content_type == "application/apply-patch+yaml"
    assert query == {"fieldManager": ["ciclo"], "force": ["true"], "fieldValidation": ["Strict"]}
    assert body == wanted(1)
    assert api.objects[OBJECT]["spec"] == wanted(1)["spec"]


def test_a_version_that_does_not_come_up_gives_way_to_the_one_before(api, cluster):
    with rollout(wanted(1), cluster):
        pass
    api.ready = False
    with pytest.raises(DeploymentError, match="timed out progressing"), rollout(wanted(2), cluster):
        pytest.fail("it is not up")
    assert api.objects[OBJECT]["spec"] == wanted(1)["spec"]
    assert set(api.requests[-1][2]) == {"apiVersion", "kind", "metadata", "spec"}
    assert "managedFields" not in api.requests[-1][2]["metadata"]


def test_a_version_that_fails_its_live_check_gives_way(api, cluster):
    with rollout(wanted(1), cluster):
        pass
    with pytest.raises(DeploymentError, match="answers differently"), rollout(wanted(2), cluster):
        raise DeploymentError("answers differently")
    assert api.objects[OBJECT]["spec"] == wanted(1)["spec"]


def test_a_first_version_that_fails_is_taken_away(api, cluster):
    api.ready = False
    with pytest.raises(DeploymentError), rollout(wanted(1), cluster):
        pytest.fail("it is not up")
    assert OBJECT not in api.objects


def test_waiting_has_an_end(api, cluster):
    api.operator = lambda applied: None
    with pytest.raises(DeploymentError, match="no Deployment yet"), rollout(wanted(1), cluster, seconds=0.05):
        pytest.fail("it is not up")


def test_a_refusal_of_the_api_server_is_told(api, cluster):
    bad = copy.deepcopy(wanted(1))
    bad["spec"]["misspelt"] = 1
    with pytest.raises(DeploymentError, match=r"500 .*not declared in schema"), rollout(bad, cluster):
        pytest.fail("it was refused")
    assert len(api.requests) == 1


def test_an_api_server_that_is_not_there_is_told():
    configuration = client.Configuration(host="http://127.0.0.1:1")
    configuration.retries = False
    with client.ApiClient(configuration) as connection, pytest.raises(DeploymentError, match="cannot be reached"):
        Cluster(connection).get(OBJECT)
