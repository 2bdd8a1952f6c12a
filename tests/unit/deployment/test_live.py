"""A server that comes up and answers otherwise than the model did is not put in service, whatever deploys it."""

import json
import os
import select
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from ciclo.components.core.errors import DeploymentError
from ciclo.components.core.settings import Settings
from ciclo.components.deployment import deployer, live_check
from tests.serving.conftest import Published, crown, publish
from tests.tables import project
from tests.unit.deployment.api import OBJECT, SERVICE, ApiServer

# A healthy server of another make: it says which version it has and answers what it was told to.
IMPOSTOR = """#!{python}
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def answer(self, document):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({{"jsonData": document}}).encode())

    def do_GET(self):
        self.answer({{"project": os.environ["CICLO_PROJECT"], "version": int(os.environ["CICLO_VERSION"])}})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with open({answers!r}) as answers:
            self.answer({{"version": int(os.environ["CICLO_VERSION"]), "predictions": json.load(answers)}})

HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Published:
    found = publish(tmp_path_factory.mktemp("registry"), estimator="logistic_regression")
    crown(found)
    return found


def golden(published: Published) -> list[dict]:
    contract = published.contract
    return published.engine.predict(contract.parse(stored(published)["rows"]))


def stored(published: Published) -> dict:
    path = published.settings.home / "store/projects/unit/versions/1/golden.json"
    return json.loads(path.read_text())


def other(answers: list[dict]) -> list[dict]:
    """One probability a little off."""
    return [{**answers[0], "probability": answers[0]["probability"] + 1e-3}, *answers[1:]]


@pytest.mark.slow
def test_a_local_server_that_answers_otherwise_is_stopped_and_the_old_one_serves(published, tmp_path, monkeypatch):
    monkeypatch.setattr(deployer, "DRAIN_SECONDS", 0)
    answers, python = tmp_path / "answers.json", tmp_path / "python"
    python.write_text(IMPOSTOR.format(python=sys.executable, answers=str(answers)))
    python.chmod(0o755)
    settings = published.settings.model_copy(update={"serving_python": python, "deployer": "process"})
    try:
        answers.write_text(json.dumps(golden(published)))
        first = deployer.deploy(project(), 1, settings)
        assert 0 < first.milliseconds < 5_000
        assert deployer.endpoint("unit", settings) == first
        answers.write_text(json.dumps(other(golden(published))))
        with pytest.raises(DeploymentError, match="does not answer as the model did"):
            deployer.deploy(project(), 1, settings)
        assert deployer.endpoint("unit", settings) == first
        running = [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(python).encode() in _read(p)]
        assert len(running) == 1 or not Path("/proc/self").exists()
    finally:
        deployer.stop("unit", settings)


@pytest.mark.slow
def test_a_local_server_holds_no_file_of_the_process_that_started_it(published, tmp_path):
    # What starts tasks warm ends when the last holder of a pipe is gone, and a server would hold it for days.
    answers, python = tmp_path / "answers.json", tmp_path / "python"
    python.write_text(IMPOSTOR.format(python=sys.executable, answers=str(answers)))
    python.chmod(0o755)
    answers.write_text(json.dumps(golden(published)))
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    settings = published.settings.model_copy(update={"serving_python": python, "deployer": "process"})
    try:
        deployer.deploy(project(), 1, settings)
        os.close(theirs)
        assert select.select([ours], [], [], 0)[0], "the server holds the other end"
    finally:
        deployer.stop("unit", settings)
        os.close(ours)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


class Cluster(ApiServer):
    """The API server and, as a proxy in front of the cluster's names, the pods behind the service."""

    def __init__(self, answers: list[dict]) -> None:
        super().__init__()
        self.asked: list[tuple[str, list[str]]] = []

        class Pods(BaseHTTPRequestHandler):
            def do_POST(handler):  # noqa: N805
                self.asked.append((handler.path.removeprefix("http://").split(".")[0], self.pointed))
                handler.rfile.read(int(handler.headers["Content-Length"]))
                handler.send_response(200)
                handler.end_headers()
                handler.wfile.write(json.dumps({"jsonData": {"version": 1, "predictions": answers}}).encode())

            def log_message(self, *_) -> None:
                pass

        self.pods = ThreadingHTTPServer(("127.0.0.1", 0), Pods)


@pytest.fixture
def cluster_that_answers(tmp_path, monkeypatch):
    started = []

    def start(answers: list[dict]) -> Cluster:
        cluster = Cluster(answers)
        server = {"server": f"http://127.0.0.1:{cluster.server_port}"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": server}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{cluster.pods.server_port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr("urllib.request._opener", None)  # it remembers the proxies of the first request
        for server in (cluster, cluster.pods):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(cluster)
        return cluster

    yield start
    for cluster in started:
        for server in (cluster.pods, cluster):
            server.shutdown()
            server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("honest", [True, False], ids=["as the model did", "otherwise"])
def test_a_seldon_deployment_stays_only_if_it_answers_as_the_model_did(published, cluster_that_answers, honest):
    answers = golden(published)
    cluster = cluster_that_answers(answers if honest else other(answers))
    settings = published.settings.model_copy(
        update={"deployer": "seldon", "namespace": "models", "serving_image": "image:1"}
    )
    if honest:
        deployed = deployer.deploy(project(), 1, settings)
        assert deployed.version == 1
        assert {OBJECT, SERVICE} <= set(cluster.objects)
    else:
        with pytest.raises(DeploymentError, match="does not answer as the model did"):
            deployer.deploy(project(), 1, settings)
        assert not {OBJECT, SERVICE} & set(cluster.objects)
    asked = list(dict.fromkeys((host, *slots) for host, slots in cluster.asked))
    assert asked == [("unit-blue",), ("unit-serving", "blue")][: 2 if honest else 1], "checked before any client asks"


def test_a_seldon_deployment_that_nobody_can_reach_is_taken_back(published, cluster_that_answers, monkeypatch):
    cluster = cluster_that_answers([])
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(live_check, "SETTLE_SECONDS", 0.1)
    settings = Settings(
        **{**published.settings.model_dump(), "deployer": "seldon", "namespace": "models", "serving_image": "image:1"}
    )
    with pytest.raises(DeploymentError, match=r"does not lead to version 1 .*refused"):
        deployer.deploy(project(), 1, settings)
    assert not {OBJECT, SERVICE} & set(cluster.objects)
