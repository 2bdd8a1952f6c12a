"""The few paths of a Kubernetes API that a rollout uses, with an operator that follows at once, over real HTTP."""

import copy
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

from ciclo.components.deployment.seldon import DIGEST

OBJECT = "/apis/machinelearning.seldon.io/v1/namespaces/models/seldondeployments/unit"
SERVICE = "/api/v1/namespaces/models/services/unit-serving"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/models/leases/ciclo-unit-deployment"
PODS = "/api/v1/namespaces/models/pods"
STUCK = {"type": "Progressing", "status": "False", "message": "has timed out progressing"}


def deployment(digest: str, replicas: int = 1, /, **status: Any) -> dict[str, Any]:
    ready = {"observedGeneration": 2, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas}
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": replicas, "template": {"metadata": {"annotations": {DIGEST: digest}}}},
        "status": {**ready, **status},
    }


def path_of(slot: str) -> str:
    """The Deployment of a slot."""
    return f"/apis/apps/v1/namespaces/models/deployments/unit-{slot}-0-model"


class ApiServer(ThreadingHTTPServer):
    """The API server.

    Attributes:
        objects: What it holds, by path.
        requests: Every change that was asked for: method, path, query, content type, body.
        status: What is special about the Deployments from now on.
        pods: What a list of pods gives.
        refuses: Statuses by (method, path).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, Any] = {}
        self.requests: list[tuple[str, str, dict[str, list[str]], str | None, Any]] = []
        self.status: dict[str, Any] = {}
        self.pods: list[Any] = []
        self.refuses: dict[tuple[str, str], int] = {}
        self.written = 0

    def operator(self) -> None:
        """Make the Deployments that the object asks for; what is there already stays as it is."""
        wanted = {
            one["name"]: one for one in self.objects.get(OBJECT, {"spec": {"predictors": []}})["spec"]["predictors"]
        }
        for slot in ("blue", "green"):
            path = path_of(slot)
            if slot not in wanted:
                self.objects.pop(path, None)
                continue
            digest, replicas = wanted[slot]["annotations"][DIGEST], wanted[slot]["replicas"]
            made = self.objects.get(path, {"spec": {}})["spec"]
            if made.get("replicas") != replicas or made["template"]["metadata"]["annotations"][DIGEST] != digest:
                self.objects[path] = deployment(digest, replicas, **self.status)

    @property
    def slots(self) -> dict[str, int]:
        """The slots of the object, with the version that each is to serve."""
        predictors = self.objects[OBJECT]["spec"]["predictors"] if OBJECT in self.objects else []
        return {one["name"]: int(one["labels"]["version"].removeprefix("v")) for one in predictors}

    @property
    def pointed(self) -> list[str]:
        """The slots whose pods clients get answers of."""
        if SERVICE not in self.objects:
            return []
        selector = self.objects[SERVICE]["spec"]["selector"]
        return [selector["seldon-app"].removeprefix("unit-")] if "seldon-app" in selector else list(self.slots)


class Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refused(self, path: str) -> bool:
        status = self.server.refuses.get((self.command, path))
        if status:
            self.answer(status, {"message": f"no {self.command} here"})
        return status is not None

    def body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def keep(self, path: str, body: Any) -> Any:
        self.server.written += 1
        metadata = {**body["metadata"], "uid": "1", "resourceVersion": str(self.server.written), "managedFields": []}
        self.server.objects[path] = copy.deepcopy({**body, "metadata": metadata})
        return self.server.objects[path]

    def do_GET(self) -> None:
        path = urlparse(self.path).path
        if self.refused(path):
            return
        if path == PODS:
            (selector,) = parse_qs(urlparse(self.path).query)["labelSelector"]
            served = selector.removeprefix("seldon-app=unit-") in self.server.slots
            self.answer(200, {"items": self.server.pods if served else []})
            return
        found = self.server.objects.get(path)
        if found and "PartialObjectMetadata" in self.headers["Accept"]:
            found = {"metadata": found["metadata"]}
        self.answer(200 if found else 404, found or {"message": "not found"})

    def do_DELETE(self) -> None:
        path = urlparse(self.path).path
        if self.refused(path):
            return
        self.server.requests.append(("DELETE", path, {}, None, None))
        self.server.objects.pop(path, None)
        self.server.operator()
        self.answer(200, {})

    def do_POST(self) -> None:
        path, body = urlparse(self.path).path, self.body()
        path = f"{path}/{body['metadata']['name']}"
        if path in self.server.objects:
            self.answer(409, {"message": "it is there"})
        else:
            self.answer(201, self.keep(path, body))

    def do_PUT(self) -> None:
        path, body = urlparse(self.path).path, self.body()
        found = self.server.objects.get(path)
        if found is None or found["metadata"]["resourceVersion"] != body["metadata"].get("resourceVersion"):
            self.answer(409, {"message": "it has changed"})
        else:
            self.answer(200, self.keep(path, body))

    def do_PATCH(self) -> None:
        path, body = urlparse(self.path), self.body()
        self.server.requests.append(
            ("PATCH", path.path, parse_qs(path.query), self.headers["Content-Type"], copy.deepcopy(body))
        )
        if self.refused(path.path):
            return
        if re.search(r'"misspelt"', json.dumps(body)):
            self.answer(500, {"message": ".spec.misspelt: field not declared in schema"})
            return
        predictors = body["spec"].get("predictors", [])
        if len(predictors) > 1 and sum(one.get("traffic", 0) for one in predictors) != 100:
            self.answer(403, {"message": "admission webhook denied the request: traffic must sum to 100"})
            return
        kept = self.keep(path.path, body)
        self.server.operator()
        self.answer(200, kept)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(server: ApiServer) -> Iterator[ApiServer]:
    """Let it answer until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
