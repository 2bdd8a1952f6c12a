"""A Model Registry server for tests, in memory.

It answers the requests of an export as the real server does: bodies are read with the models of its published
interface and refused if they say more, names are unique in their parent, and what is missing is a 404.
"""

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/api/model_registry/v1"
# What may happen to a request: it is cut before or after it was carried out, or answered with a status.
Fault = str | int | None


class RefusedError(Exception):
    pass


class Contents:
    """What the registry holds, and what it is to do wrong."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.models: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.requests = 0
        self.fault: Callable[[int], Fault] = lambda number: None
        self.lock = threading.Lock()

    def everything(self) -> str:
        return json.dumps([self.models, self.versions, self.artifacts], sort_keys=True)

    def answer(self, method: str, url: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix(API)
        if method == "GET":
            return 200, self._look(path, query)
        return self._write(method, path, body)

    def _look(self, path: str, query: dict[str, str]) -> Any:
        match path:
            case "/registered_model":
                return self._find(self.models, name=query["name"])
            case "/registered_models":
                models = list(self.models.values())
                return {"items": models, "size": len(models), "pageSize": 100, "nextPageToken": ""}
            case "/model_version":
                return self._find(self.versions, name=query["name"], registeredModelId=query["parentResourceId"])
            case "/model_artifact":
                artifact = self._find(self.artifacts, name=query["name"], parent=query["parentResourceId"])
                return _without_parent(artifact)
        raise RefusedError(404, f"GET {path}")

    def _write(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        match method, path:
            case "POST", "/registered_models":
                model = _read("RegisteredModelCreate", body)
                return 201, self._add(self.models, model, "RegisteredModel", ("name",))
            case "POST", "/model_versions":
                version = _read("ModelVersionCreate", body)
                if version["registeredModelId"] not in self.models:
                    raise RefusedError(404, "no such registered model")
                return 201, self._add(self.versions, version, "ModelVersion", ("name", "registeredModelId"))
        if found := re.fullmatch(r"/model_versions/(\d+)/artifacts", path):
            if found[1] not in self.versions:
                raise RefusedError(404, "no such model version")
            artifact = {**_read("ModelArtifact", body), "parent": found[1]}
            return 201, _without_parent(self._add(self.artifacts, artifact, None, ("name", "parent")))
        if method == "PATCH" and (found := re.fullmatch(r"/model_artifacts/(\d+)", path)):
            self.artifacts[found[1]] |= _read("ModelArtifactUpdate", body)
            return 200, _without_parent(self.artifacts[found[1]])
        raise RefusedError(404, f"{method} {path}")

    def _find(self, rows: dict[str, dict[str, Any]], **wanted: str) -> dict[str, Any]:
        for row in rows.values():
            if wanted.items() <= row.items():
                return row
        raise RefusedError(404, f"nothing found for {wanted}")

    def _add(self, rows: dict[str, dict[str, Any]], row: dict[str, Any], kind: str | None, key: tuple[str, ...]) -> Any:
        if any(all(other[name] == row[name] for name in key) for other in rows.values()):
            raise RefusedError(409, f"{row['name']} already exists")
        row |= {"id": str(len(rows) + 1), "createTimeSinceEpoch": "1", "lastUpdateTimeSinceEpoch": "1"}
        rows[row["id"]] = row if kind is None else _read(kind, row)
        return rows[row["id"]]


def _read(kind: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """A body as the interface knows it; the real server refuses what it does not know too."""
    import mr_openapi  # a second of processor time

    model = getattr(mr_openapi, kind)
    known = {field.alias or name for name, field in model.model_fields.items()}
    if body is None or not body.keys() <= known:
        raise RefusedError(400, f"unknown fields {set(body or ()) - known}")
    try:
        return dict(model.from_dict(body).to_dict())
    except ValueError as error:
        raise RefusedError(400, str(error)) from error


def _without_parent(artifact: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in artifact.items() if name != "parent"}


class Handler(BaseHTTPRequestHandler):
    def __init__(self, contents: Contents, *args: Any) -> None:
        self.contents = contents
        super().__init__(*args)

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_PATCH(self) -> None:
        self.do_POST()

    def _serve(self, body: dict[str, Any] | None) -> None:
        contents = self.contents
        with contents.lock:
            contents.requests += 1
            fault = contents.fault(contents.requests)
            if fault == "before":
                return
            try:
                if isinstance(fault, int):
                    raise RefusedError(fault, "as told")
                if contents.token and self.headers["Authorization"] != f"Bearer {contents.token}":
                    raise RefusedError(401, "who are you?")
                status, answer = contents.answer(self.command, self.path, body)
            except RefusedError as refused:
                status, answer = refused.args[0], {"code": "", "message": refused.args[1]}
        if fault != "after":
            self._send(status, json.dumps(answer).encode())

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(contents: Contents, certificate: Path | None = None) -> Iterator[str]:
    """The address of a server with these contents; with TLS if there is a PEM file of key and certificate."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, contents))
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
