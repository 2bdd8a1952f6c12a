"""Submitting, against a server that answers like the KFP API and against hosts where nobody does."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_json, read_project
from ciclo.pipelines.backends.kfp import submit

IMAGE = "registry.example.com/ciclo-python:1.0.0"


class Api(ThreadingHTTPServer):
    """The three calls that a submission makes; `status` and `message` make the last one fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.runs: list[dict[str, Any]] = []
        self.status = 200
        self.message = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        if self.path.startswith("/apis/v2beta1/healthz"):
            self.answer({"multi_user": False})
        elif self.path.startswith("/apis/v2beta1/experiments"):
            self.answer({"experiments": []})
        else:
            self.answer({"error": "not found"}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/apis/v2beta1/experiments"):
            self.answer({"experiment_id": "e-1", "display_name": body["display_name"]})
        elif self.server.status != 200:
            self.answer({"error": self.server.message}, self.server.status)
        else:
            self.server.runs.append(body)
            self.answer({"run_id": "r-1", "display_name": body["display_name"]})

    def answer(self, body: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def project() -> Project:
    return read_project(Path(__file__).parents[1] / "golden" / "project.yaml")


def test_a_submission_creates_one_run_with_the_project_and_its_candidates(api: Api, project: Project) -> None:
    created = submit(project, IMAGE, api.url, trigger="drift", window_end="2026-01-01T00:00:00")
    assert created.run_id == "r-1"
    assert created.url == f"{api.url}/#/runs/details/r-1"
    (run,) = api.runs
    parameters = run["runtime_config"]["parameters"]
    assert project_from_json(parameters["project"]) == project
    assert parameters["candidates"] == list(project.candidates)
    assert (parameters["trigger"], parameters["window_end"]) == ("drift", "2026-01-01T00:00:00")
    assert IMAGE in json.dumps(run["pipeline_spec"])


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [(403, "denied", "right to create"), (500, "no such bucket", "Look among the runs")],
)
def test_a_refusal_is_told_with_what_to_do(api: Api, project: Project, status: int, message: str, said: str) -> None:
    api.status, api.message = status, message
    with pytest.raises(SubmissionError) as refused:
        submit(project, IMAGE, api.url)
    assert str(status) in str(refused.value)
    assert said in str(refused.value)


def test_a_host_where_nobody_listens_is_a_named_error(project: Project) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SubmissionError, match="nobody answers"):
        submit(project, IMAGE, f"http://127.0.0.1:{port}")


def test_a_host_that_never_answers_does_not_hang(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ciclo.components.monitoring.kfp_api.REACH_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(SubmissionError, match="nobody answers"):
        submit(project, IMAGE, f"http://127.0.0.1:{mute.getsockname()[1]}")


def test_a_server_that_is_not_the_api_is_told(api: Api, project: Project) -> None:
    with pytest.raises(SubmissionError, match="does not answer like the KFP API"):
        submit(project, IMAGE, f"{api.url}/dashboard")


@pytest.mark.parametrize("host", ["", "localhost:8080", "ftp://x"])
def test_an_address_without_a_scheme_is_a_named_error(project: Project, host: str) -> None:
    with pytest.raises(SubmissionError, match="http"):
        submit(project, IMAGE, host)
