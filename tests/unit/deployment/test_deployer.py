import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ciclo.components.core.errors import DeploymentError, VerdictError
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Check
from ciclo.components.deployment import deployer, live_check, process
from ciclo.components.deployment.endpoint import Endpoint
from tests.serving.conftest import publish
from tests.tables import project


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("registry"), estimator="logistic_regression")


FAILED = Check(name="gain", passed=False)
MISSED = Check(name="size", passed=False, level="warning")


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        pytest.param({}, True, id="promote"),
        pytest.param({"checks": (MISSED,)}, True, id="with-a-warning"),
        pytest.param(None, False, id="missing"),
        pytest.param({"decision": "keep"}, False, id="negative"),
        pytest.param({"decision": "pass"}, False, id="the-word-of-another-gate"),
        pytest.param({"gate": "validation", "decision": "pass"}, False, id="another-gate"),
        pytest.param({"gate": "validation"}, False, id="another-gate-with-our-word"),
        pytest.param({"subject": "0" * 64}, False, id="another-model"),
        pytest.param({"subject": ""}, False, id="no-model"),
        pytest.param({"checks": (FAILED,)}, False, id="a-failed-check"),
    ],
)
def test_only_a_passing_verdict_on_this_model_deploys(published, change, passes):
    settings = published.settings.model_copy(update={"deployer": "none"})
    verdict = None if change is None else published.verdict.model_copy(update=change)
    if passes:
        assert deployer.deploy(project(), 1, verdict, settings) == Endpoint("", 1)
    else:
        with pytest.raises(VerdictError):
            deployer.deploy(project(), 1, verdict, settings)


def test_without_a_serving_environment_it_says_what_to_do(published, tmp_path):
    settings = published.settings.model_copy(update={"serving_python": tmp_path / "python"})
    with pytest.raises(DeploymentError, match="make env"):
        deployer.deploy(project(), 1, published.verdict, settings)
    assert deployer.endpoint("unit", settings) is None


def test_two_deployments_do_not_run_at_once(published):
    with deployer._alone("unit", published.settings), pytest.raises(DeploymentError, match="another deployment"):
        deployer.deploy(project(), 1, published.verdict, published.settings)


def test_an_endpoint_survives_its_file(tmp_path):
    endpoint = Endpoint("http://127.0.0.1:1", 3, 42, "1234", "http://127.0.0.1:2/metrics")
    endpoint.write(tmp_path / "endpoints" / "unit.json")
    assert Endpoint.read(tmp_path / "endpoints" / "unit.json") == endpoint
    assert os.listdir(tmp_path / "endpoints") == ["unit.json"]


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"nothing": 1}'], ids=repr)
def test_an_endpoint_file_that_says_nothing_is_no_endpoint(tmp_path, content):
    if content is not None:
        (tmp_path / "unit.json").write_text(content)
    assert Endpoint.read(tmp_path / "unit.json") is None


@pytest.fixture
def sleeper():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True) as running:
        yield running
        running.kill()


def test_a_process_is_known_by_its_start_and_not_by_its_number(sleeper, tmp_path):
    real = Endpoint("http://x", 1, sleeper.pid, process.start_time(sleeper.pid))
    other = Endpoint("http://x", 1, sleeper.pid, "1")
    assert process.alive(real)
    assert not process.alive(other)
    process.stop(other)
    assert sleeper.poll() is None
    settings = Settings(home=tmp_path, _env_file=None)
    other.write(tmp_path / "endpoints" / "unit.json")
    assert deployer.endpoint("unit", settings) is None
    real.write(tmp_path / "endpoints" / "unit.json")
    assert deployer.endpoint("unit", settings) == real
    deployer.stop("unit", settings)
    assert sleeper.wait() in (-signal.SIGTERM, 0)  # 0: it was waited for already
    assert deployer.endpoint("unit", settings) is None
    deployer.stop("unit", settings)


def test_a_process_that_does_not_listen_is_killed(monkeypatch):
    monkeypatch.setattr(process, "STOP_SECONDS", 0.1)
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script], start_new_session=True, stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout.readline() == b"deaf\n"
        endpoint = Endpoint("http://x", 1, deaf.pid, process.start_time(deaf.pid))
        process.stop(endpoint)
        deaf.wait()
        assert not process.alive(endpoint)


def test_a_server_is_given_the_settings_of_this_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        home="here", s3_secret_key="hidden", s3_secure=False, public_keys=("a.pem",), alerts="slack://x", _env_file=None
    )
    given = process.environment("unit", 4, settings)
    assert "CICLO_ALERTS" not in given
    monkeypatch.chdir("/")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    served = Settings(_env_file=None)
    assert served.home == tmp_path / "here"
    assert served.store_uri == f"file://{tmp_path}/here/store"
    assert served.predictions_uri == f"sqlite:///{tmp_path}/here/predictions.sqlite"
    assert served.public_keys == (tmp_path / "a.pem",)
    assert served.s3_secret_key.get_secret_value() == "hidden"
    assert (served.s3_secure, served.project, served.version) == (False, "unit", 4)


GOLDEN = {"rows": [{"x": 1}], "predictions": [{"prediction": True, "probability": 0.5}]}


def content(probability=0.5, version=1, **more):
    answers = [{"prediction": True, "probability": probability}]
    return {"jsonData": {"version": version, "predictions": answers, **more}}


@pytest.fixture
def answers_with():
    servers = []

    def start(status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert sent["meta"]["tags"] == {"purpose": "check"}
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        pytest.param(200, content(), None, id="the-same"),
        pytest.param(200, content(0.6), "does not answer as the model did", id="another-probability"),
        pytest.param(200, content(version=2), "version 2, not 1", id="another-version"),
        pytest.param(400, {"status": {}}, "status 400", id="refused"),
        pytest.param(500, {"status": {}}, "status 500", id="failed"),
        pytest.param(200, {}, "does not answer like a model server", id="another-server"),
        pytest.param(200, [], "does not answer like a model server", id="a-list"),
    ],
)
def test_the_live_check(answers_with, status, body, problem):
    url = answers_with(status, body)
    if problem is None:
        live_check.check(url, 1, GOLDEN)
    else:
        with pytest.raises(DeploymentError, match=problem):
            live_check.check(url, 1, GOLDEN)


def test_a_live_check_of_nothing_ends(monkeypatch):
    monkeypatch.setattr(live_check, "CONNECT_SECONDS", 0.1)
    with pytest.raises(DeploymentError, match="cannot be reached"):
        live_check.check("http://127.0.0.1:1", 1, GOLDEN)
