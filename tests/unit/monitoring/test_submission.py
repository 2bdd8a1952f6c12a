"""Submission against a server that misbehaves like the real KFP API, over a real socket."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.settings import Settings
from ciclo.components.monitoring.kfp_api import KfpApi
from ciclo.components.monitoring.submission import KfpSubmitter
from tests.unit.monitoring.conftest import project

END = datetime(2026, 6, 1, tzinfo=UTC)
PACKAGE = """\
pipelineInfo: {name: ciclo-training}
schemaVersion: 2.1.0
---
platforms: {kubernetes: {}}
"""


class Api:
    """The part of the KFP API that is used; ``create`` says what happens to a request for a run."""

    def __init__(self):
        self.create = "ok"
        self.runs = []
        self.requests = []
        self.hidden_looks = 0

    def post(self, body):
        self.requests.append(body)
        if self.create in ("ok", "500 but created"):
            self.runs.append(
                {"run_id": f"id-{len(self.runs)}", "display_name": body["display_name"], "state": "RUNNING"}
            )
        if self.create == "ok":
            return 200, self.runs[-1]
        return (400, {"error": "bad"}) if self.create == "400" else (500, {"error": "timeout"})

    def get(self, url):
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        if path.endswith("/runs"):
            (predicate,) = json.loads(query["filter"][0])["predicates"]
            assert (predicate["operation"], predicate["key"]) == ("EQUALS", "display_name")
            found = [r for r in self.runs if r["display_name"] == predicate["stringValue"]]
            if found and self.hidden_looks:
                self.hidden_looks -= 1
                found = []
            return 200, {"runs": found[:1]}
        found = [r for r in self.runs if path.endswith(r["run_id"])]
        return (200, found[0]) if found else (404, {"error": "not found"})


@contextmanager
def served(api):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(*api.get(self.path))

        def do_POST(self):
            self.answer(*api.post(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def answer(self, status, document):
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def api():
    return Api()


@pytest.fixture
def submitter(api, tmp_path):
    package = tmp_path / "pipeline.yaml"
    package.write_text(PACKAGE)
    with served(api) as host:
        yield KfpSubmitter(KfpApi(host, tmp_path / "token"), package, project(), pause=0)


def test_a_run_is_submitted_with_all_it_needs(api, submitter):
    assert submitter.find("loans-retrain-1") is None
    assert submitter.submit("loans-retrain-1", END, "input drift") == "id-0"
    assert submitter.find("loans-retrain-1") == "id-0"
    (body,) = api.requests
    parameters = body["runtime_config"]["parameters"]
    assert body["display_name"] == "loans-retrain-1"
    assert set(body["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}
    assert json.loads(parameters["project"])["name"] == "loans"
    assert parameters["window_end"] == "2026-06-01T00:00:00+00:00"
    assert parameters["candidates"] == ["logistic_regression", "random_forest", "gradient_boosting"]
    assert parameters["trigger"] == "input drift"


def test_a_run_that_exists_is_not_submitted_again(api, submitter):
    first = submitter.submit("loans-retrain-1", END, "drift")
    assert submitter.submit("loans-retrain-1", END, "drift") == first
    assert len(api.requests) == 1


@pytest.mark.parametrize("hidden", [0, 2], ids=["at once", "appears late"])
def test_an_error_500_although_the_run_exists_is_a_success(api, submitter, hidden):
    api.create, api.hidden_looks = "500 but created", hidden
    assert submitter.submit("loans-retrain-1", END, "drift") == "id-0"
    assert len(api.requests) == 1


@pytest.mark.parametrize("fault", ["500", "400"])
def test_a_refusal_is_named_and_never_repeated_blindly(api, submitter, fault):
    api.create = fault
    with pytest.raises(SubmissionError, match=fault):
        submitter.submit("loans-retrain-1", END, "drift")
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("told", "state"),
    [("RUNNING", "running"), ("SUCCEEDED", "succeeded"), ("FAILED", "failed"), ("CANCELED", "failed")],
)
def test_the_state_of_a_run_is_read(api, submitter, told, state):
    run_id = submitter.submit("loans-retrain-1", END, "drift")
    api.runs[0]["state"] = told
    assert submitter.state(run_id) == state


def test_the_state_of_a_run_nobody_knows_is_unknown(submitter):
    assert submitter.state("gone") == "unknown"


def test_a_host_that_does_not_answer_is_named(tmp_path):
    with served(Api()) as host:
        pass
    with pytest.raises(SubmissionError, match="nobody answers"):
        KfpSubmitter(KfpApi(host, tmp_path / "token"), tmp_path, project()).find("x")


def test_the_environment_decides(monkeypatch, tmp_path):
    package = tmp_path / "pipeline.yaml"
    package.write_text(PACKAGE)
    monkeypatch.delenv("CICLO_KFP_HOST", raising=False)
    assert KfpSubmitter.of(Settings(), project()) is None
    monkeypatch.setenv("CICLO_KFP_HOST", "ml-pipeline:8888")
    with pytest.raises(SubmissionError, match="http://"):
        KfpSubmitter.of(Settings(), project())
    monkeypatch.setenv("CICLO_KFP_HOST", "http://ml-pipeline:8888")
    with pytest.raises(SubmissionError, match="no compiled pipeline"):
        KfpSubmitter.of(Settings(), project())
    monkeypatch.setenv("CICLO_PIPELINE_PACKAGE", str(package))
    assert KfpSubmitter.of(Settings(), project()) is not None
