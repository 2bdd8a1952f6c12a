"""A double of the KFP API over a real socket, as far as runs, experiments and pipelines go, with its bad habits.

Bodies are held to the models of ``kfp_server_api``. As the real one does, it lists the oldest run first, may answer 500
although a run exists, and calls a run that was told to stop failed in the end.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api

PREFIX = "/apis/v2beta1/"


class KfpBackend(ThreadingHTTPServer):
    """The double; its fields say how it behaves and what it has seen.

    Attributes:
        create: What becomes of a request for a run: ``ok``, ``500 but created``, or a status that is answered.
        hidden_looks: How many looks do not show a run that exists.
        rival: Whether somebody else creates a run of the same name just before each of ours.
        pages: Whether there is a dashboard at the same address.
        guard: What a request has to carry, by the name of the header.
        down: How many requests are cut off before they are answered.
        page: Status and location of a page that everything is answered with, as a dashboard or a sign-in does.
        registers: What becomes of a new pipeline or version: ``ok``, ``rival`` (somebody was quicker), or a status.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.create, self.hidden_looks, self.rival, self.pages, self.down = "ok", 0, False, True, 0
        self.guard: dict[str, str] = {}
        self.page: tuple[int, str] | None = None
        self.registers = "ok"
        self.runs: list[dict[str, Any]] = []
        self.experiments: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.terminated: list[str] = []
        self.pipelines: list[dict[str, Any]] = []
        self.versions: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, body: dict[str, Any]) -> dict[str, Any]:
        """A run of a body."""
        run = {**body, "run_id": f"id-{len(self.runs)}", "state": "RUNNING"}
        self.runs.append(run)
        return run

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Answer a request that changes something."""
        if path.endswith(":terminate"):
            run_id = path.removesuffix(":terminate").rsplit("/", 1)[1]
            self.terminated.append(run_id)
            next(run for run in self.runs if run["run_id"] == run_id)["state"] = "CANCELING"
            return 200, {}
        if path == f"{PREFIX}experiments":
            _conform(body, kfp_server_api.V2beta1Experiment)
            if any(
                (e["display_name"], e.get("namespace")) == (body["display_name"], body.get("namespace"))
                for e in self.experiments
            ):
                return 409, {"error": "it is there"}
            self.experiments.append({**body, "experiment_id": f"e-{len(self.experiments)}"})
            return 200, self.experiments[-1]
        if path.startswith(f"{PREFIX}pipelines"):
            return self._register(path, body)
        assert path == f"{PREFIX}runs", path
        _conform(body, kfp_server_api.V2beta1Run)
        assert body["experiment_id"] in {e["experiment_id"] for e in self.experiments}
        self.requests.append(body)
        if self.rival:
            self.add(body)
        if self.create == "ok":
            return 200, self.add(body)
        if self.create == "500 but created":
            self.add(body)
            return 500, {"error": "timeout"}
        return int(self.create), {"error": f"says {self.create}"}

    def _register(self, url: str, body: Any) -> tuple[int, Any]:
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        if path == f"{PREFIX}pipelines":
            _conform(body, kfp_server_api.V2beta1Pipeline)
            kind, unique = self.pipelines, ("display_name", "namespace")
            new = {**body, "pipeline_id": f"p-{len(kind)}"}
        else:
            assert path == f"{PREFIX}pipelines/upload_version", path
            kind, unique = self.versions, ("display_name", "pipeline_id")
            owner, name = query["pipelineid"][0], query["display_name"][0]
            assert owner in {pipeline["pipeline_id"] for pipeline in self.pipelines}
            new = {"pipeline_id": owner, "display_name": name, "pipeline_version_id": f"v-{len(kind)}", "file": body}
        if self.registers.isdigit():
            return int(self.registers), {"error": f"says {self.registers}"}
        taken = any(all(one.get(key) == new.get(key) for key in unique) for one in kind)
        if not taken:
            kind.append(new)
        if taken or self.registers == "rival":
            return 409, {"error": "there is one of that name"}
        return 200, {name: value for name, value in new.items() if name != "file"}

    def get(self, url: str) -> tuple[int, Any]:
        """Answer a request that asks."""
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        if path == f"{PREFIX}healthz":
            return 200, {"multi_user": False}
        wanted = None
        if "filter" in query:
            (predicate,) = json.loads(query["filter"][0])["predicates"]
            assert (predicate["operation"], predicate["key"]) == ("EQUALS", "display_name")
            wanted = predicate["stringValue"]
        if path == f"{PREFIX}experiments":
            of = query.get("namespace", [None])[0]
            found = [e for e in self.experiments if e["display_name"] == wanted and e.get("namespace") == of]
            return 200, {"experiments": found[:1]}
        if path == f"{PREFIX}pipelines":
            of = query.get("namespace", [None])[0]
            found = [p for p in self.pipelines if p["display_name"] == wanted and p.get("namespace") == of]
            return 200, {"pipelines": found[:1]}
        if path.startswith(f"{PREFIX}pipelines/") and path.endswith("/versions"):
            owner = path.split("/")[-2]
            found = [v for v in self.versions if v["display_name"] == wanted and v["pipeline_id"] == owner]
            return 200, {"pipeline_versions": [{k: v for k, v in one.items() if k != "file"} for one in found[:1]]}
        if path == f"{PREFIX}runs":
            assert query["sort_by"] == ["created_at asc"]
            place = query["experiment_id"][0]
            found = [r for r in self.runs if r["display_name"] == wanted and r["experiment_id"] == place]
            if found and self.hidden_looks:
                self.hidden_looks -= 1
                found = []
            return 200, {"runs": found[: int(query["page_size"][0])]}
        found = [r for r in self.runs if path == f"{PREFIX}runs/{r['run_id']}"]
        return (200, found[0]) if found else (404, {"error": "not found"})


def _conform(body: dict[str, Any], model: Any) -> None:
    unknown = set(body) - set(model.attribute_map.values())
    assert not unknown, f"{model.__name__} has no {unknown}"


class _Handler(BaseHTTPRequestHandler):
    server: KfpBackend

    def do_GET(self) -> None:
        if self.server.page:
            self._page()
        elif self.path in ("/", "") and self.server.pages:
            self._send(200, b"<html></html>", "text/html")
        elif self._may():
            with self.server.lock:
                self._answer(*self.server.get(self.path))

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.server.page:
            self._page()
        elif self._may():
            with self.server.lock:
                is_file = self.headers["Content-Type"].startswith("multipart/")
                self._answer(*self.server.post(self.path, data if is_file else json.loads(data or b"{}")))

    def _may(self) -> bool:
        if self.server.down:
            self.server.down -= 1
            self.close_connection = True
            return False
        if any(self.headers.get(name) != value for name, value in self.server.guard.items()):
            self._answer(401, {"error": "who are you"})
            return False
        return True

    def _page(self) -> None:
        assert self.server.page is not None
        status, location = self.server.page
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", "13")
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(b"<html></html>")

    def _answer(self, status: int, document: Any) -> None:
        self._send(status, json.dumps(document).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""


@contextmanager
def kfp_backend() -> Iterator[KfpBackend]:
    """A backend that runs until the block ends."""
    backend = KfpBackend()
    thread = threading.Thread(target=backend.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield backend
    finally:
        backend.shutdown()
        thread.join()
        backend.server_close()
