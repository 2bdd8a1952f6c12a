import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from ciclo.components.core.errors import DeploymentError, StorageError, UnreadableError, VerdictError
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Check, Verdict
from ciclo.components.deployment import deployer, live_check, process
from ciclo.components.deployment.endpoint import Endpoint
from ciclo.components.deployment.pace import FEW, Pace
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.releases.retention import prune
from ciclo.components.storage.signing import signer_from
from tests.tables import project
from tests.versions import files

FAILED = Check(name="gain", passed=False)
MISSED = Check(name="size", passed=False, level="warning")


@pytest.fixture
def releases(tmp_path):
    """Versions of a small model in a registry, and who may move their names."""
    settings = Settings(home=tmp_path / "home", deployer="none", _env_file=None)
    registry, signer = open_registry("unit", settings), signer_from(settings)

    def publish_version(**change):
        subject = hashlib.sha256(files()["model.skops"]).hexdigest()
        whole = {"gate": "evaluation", "decision": "promote", "reason": "better", "subject": subject, **change}
        verdict = Verdict.model_validate(whole).model_dump_json().encode()
        return registry.publish({**files(), "verdict.json": verdict}, signer=signer, parent=None)

    def point(name, version, override=""):
        move = Move("test", "test", "promote", override)
        registry.move(name, version, move, expected=registry.alias(name), signer=signer)

    return SimpleNamespace(settings=settings, registry=registry, publish=publish_version, point=point)


@pytest.mark.parametrize("override", ["", "a person knows better"], ids=["no override", "override"])
@pytest.mark.parametrize(
    ("change", "passes"),
    [
        pytest.param({}, True, id="promote"),
        pytest.param({"checks": (MISSED,)}, True, id="with-a-warning"),
        pytest.param({"decision": "keep"}, False, id="negative"),
        pytest.param({"decision": "candidate"}, False, id="left-to-a-person"),
        pytest.param({"decision": "pass"}, False, id="the-word-of-another-gate"),
        pytest.param({"gate": "validation", "decision": "pass"}, False, id="another-gate"),
        pytest.param({"gate": "validation"}, False, id="another-gate-with-our-word"),
        pytest.param({"subject": "0" * 64}, False, id="another-model"),
        pytest.param({"subject": ""}, False, id="no-model"),
        pytest.param({"checks": (FAILED,)}, False, id="a-failed-check"),
    ],
)
def test_only_a_passing_verdict_or_a_signed_reason_deploys(releases, change, passes, override):
    releases.point("champion", releases.publish(**change), override)
    if passes or override:
        assert deployer.deploy(project(), 1, releases.settings) == Endpoint("", 1)
    else:
        with pytest.raises(VerdictError, match="not fit to be served"):
            deployer.deploy(project(), 1, releases.settings)


def test_only_the_champion_is_deployed(releases):
    for _ in range(2):
        releases.publish()
    with pytest.raises(VerdictError, match=r"version 1 of unit is not the champion.*none"):
        deployer.deploy(project(), 1, releases.settings)
    assert deployer.serve(project(), releases.settings) is None
    for version in (1, 2, 1):  # the last is a rollback
        releases.point("champion", version)
    with pytest.raises(VerdictError, match=r"version 2 of unit is not the champion.*version 1.*promote unit 2"):
        deployer.deploy(project(), 2, releases.settings)
    assert deployer.deploy(project(), 1, releases.settings) == Endpoint("", 1)


def test_what_nobody_serves_is_not_named_as_serving(releases):
    releases.point("champion", releases.publish())
    deployer.deploy(project(), 1, releases.settings)
    assert releases.registry.alias("serving") is None


def test_a_champion_that_was_swapped_for_other_bytes_is_not_deployed(releases, monkeypatch):
    releases.point("champion", releases.publish())
    swapped = dataclasses.replace(releases.registry.alias("champion"), digest="0" * 64)
    monkeypatch.setattr(deployer.Registry, "alias", lambda *_: swapped)
    with pytest.raises(UnreadableError, match="not the one that was made the champion"):
        deployer.deploy(project(), 1, releases.settings)


def test_a_champion_that_cannot_be_read_stops_a_deployment_and_no_run(releases):
    releases.point("champion", releases.publish())
    (path,) = releases.settings.home.glob("store/projects/unit/versions/1/profile.json")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UnreadableError, match=r"version 1 of unit cannot be read.*profile.json"):
        deployer.deploy(project(), 1, releases.settings)
    assert deployer.serve(project(), releases.settings) == Endpoint("", 1)


class Started:
    """What the deployer has to do with a server, without one: which were started and which are alive."""

    def __init__(self, monkeypatch, check=lambda *_: None):
        self.alive = []
        monkeypatch.setattr(deployer.process, "start", self.start)
        monkeypatch.setattr(deployer.process, "stop", lambda endpoint: self.alive.remove(endpoint.version))
        monkeypatch.setattr(deployer.process, "alive", lambda endpoint: endpoint.version in self.alive)
        monkeypatch.setattr(deployer.live_check, "check", check)
        monkeypatch.setattr(deployer, "require_pace", lambda *_, **__: Pace(1.0, FEW, 0))
        monkeypatch.setattr(deployer, "DRAIN_SECONDS", 0)

    def start(self, project, version, settings, log):
        self.alive.append(version)
        return Endpoint("http://127.0.0.1:1", version, 1, "1")


def names(releases):
    found = [releases.registry.alias(name) for name in ("champion", "serving")]
    return [alias and alias.version for alias in found]


def refuse(url, version, golden):
    raise DeploymentError("it answers differently")


def test_a_failed_deployment_leaves_both_names_true_and_the_next_one_mends_it(releases, monkeypatch):
    settings = releases.settings.model_copy(update={"deployer": "process"})
    for _ in range(2):
        releases.publish()
    servers = Started(monkeypatch)
    releases.point("champion", 1)
    deployer.deploy(project(), 1, settings)
    releases.point("champion", 2)
    with monkeypatch.context() as patch:
        patch.setattr(deployer.live_check, "check", refuse)
        with pytest.raises(DeploymentError, match="differently"):
            deployer.deploy(project(), 2, settings)
    assert (names(releases), servers.alive) == ([2, 1], [1])
    assert deployer.endpoint("unit", settings).version == 1
    assert prune(releases.registry, keep=1, by="me").deleted == ()
    assert deployer.serve(project(), settings).version == 2
    assert (names(releases), servers.alive) == ([2, 2], [2])
    moves = len(releases.registry.history())
    assert deployer.serve(project(), settings).version == 2
    assert servers.alive == [2]
    assert len(releases.registry.history()) == moves, "what serves already is left alone"


def test_a_name_that_cannot_be_moved_takes_the_deployment_back(releases, monkeypatch):
    settings = releases.settings.model_copy(update={"deployer": "process"})
    servers = Started(monkeypatch)
    for version in (1, 2):
        releases.point("champion", releases.publish())
        if version == 1:
            deployer.deploy(project(), 1, settings)
    monkeypatch.setattr(deployer, "signer_from", lambda _: (_ for _ in ()).throw(StorageError("the store is full")))
    with pytest.raises(StorageError, match="full"):
        deployer.deploy(project(), 2, settings)
    assert (names(releases), servers.alive) == ([2, 1], [1])
    assert deployer.endpoint("unit", settings).version == 1


def test_a_deployment_that_died_before_it_named_what_serves_is_named_later(releases, monkeypatch):
    settings = releases.settings.model_copy(update={"deployer": "process"})
    servers = Started(monkeypatch)
    releases.point("champion", releases.publish())
    servers.alive.append(1)
    Endpoint("http://127.0.0.1:1", 1, 1, "1").write(deployer._file("unit", settings))
    assert names(releases) == [1, None]
    assert deployer.serve(project(), settings).version == 1
    assert (names(releases), servers.alive) == ([1, 1], [1])


def test_on_a_cluster_what_serves_is_named_within_the_rollout(releases, monkeypatch):
    told = []

    @contextmanager
    def rollout(project, version, golden, settings, cluster, undo, *, is_new):
        told.append(f"in service with {names(releases)}")
        try:
            yield Endpoint("http://unit", version)
        except BaseException:
            told.append("put back")
            undo()
            raise
        if killed:  # told to stop when the name had moved, and before the old version was let go
            told.append("told to stop")
            undo()
            raise SystemExit(143)

    killed = []
    settings = releases.settings.model_copy(update={"deployer": "seldon", "serving_image": "image:1"})
    for name, value in {"rollout": rollout, "Cluster": lambda: None}.items():
        monkeypatch.setattr(deployer, name, value)
    for _ in range(2):
        releases.publish()
    releases.point("champion", 1)
    assert deployer.serve(project(), settings) == Endpoint("http://unit", 1)
    releases.point("champion", 2)
    killed.append(True)
    with pytest.raises(SystemExit):
        deployer.serve(project(), settings)
    assert names(releases) == [2, 1], "what serves again is named again"
    killed.clear()
    told[1:] = []
    monkeypatch.setattr(deployer, "signer_from", lambda _: (_ for _ in ()).throw(StorageError("the store is full")))
    with pytest.raises(StorageError, match="full"):
        deployer.serve(project(), settings)
    assert told == ["in service with [1, None]", "in service with [2, 1]", "put back"]
    assert names(releases) == [2, 1]


def test_without_a_serving_environment_it_says_what_to_do(releases, tmp_path):
    settings = releases.settings.model_copy(update={"deployer": "process", "serving_python": tmp_path / "python"})
    releases.point("champion", releases.publish())
    with pytest.raises(DeploymentError, match="make env"):
        deployer.deploy(project(), 1, settings)
    assert deployer.endpoint("unit", settings) is None


def test_two_deployments_do_not_run_at_once(releases):
    settings = releases.settings.model_copy(update={"deployer": "process"})
    releases.point("champion", releases.publish())
    with deployer._alone("unit", settings), pytest.raises(DeploymentError, match="another deployment"):
        deployer.deploy(project(), 1, settings)


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


def test_what_a_killed_deployment_left_running_is_stopped(tmp_path, monkeypatch):
    settings, logs = Settings(home=tmp_path, _env_file=None), tmp_path / "serving" / "unit"
    running = [
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        for _ in range(2)
    ]
    try:
        current, orphan = (Endpoint("http://x", n, p.pid, process.start_time(p.pid)) for n, p in enumerate(running))
        for endpoint in (current, orphan, Endpoint("http://x", 9, 1, "1")):
            endpoint.write(logs / f"{endpoint.version}-1.json")
        process.sweep(logs, current)
        assert (process.alive(current), process.alive(orphan)) == (True, False)
        assert [file.name for file in logs.iterdir()] == ["0-1.json"]
        deployer.stop("unit", settings)
        assert not process.alive(current)
        assert list(logs.iterdir()) == []
    finally:
        for started in running:
            started.kill()
            started.wait()


def test_a_python_that_lies_in_the_folder_of_the_user_is_not_run(tmp_path, monkeypatch):
    foreign = tmp_path / ".venv-serving" / "bin" / "python"
    foreign.parent.mkdir(parents=True)
    foreign.touch()
    monkeypatch.chdir(tmp_path)
    assert process.serving_python(Settings(_env_file=None)) != foreign


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


@pytest.mark.slow
@pytest.mark.parametrize("status", [404, 502, 503, 504])
def test_what_is_not_our_server_yet_is_asked_again(answers_with, monkeypatch, status):
    tries = []
    first, ours = answers_with(status, {}), answers_with(200, content())

    def request(url, rows):
        tries.append(url)
        return plain(ours if len(tries) > 1 else first, rows)

    plain = live_check._request
    found = request(first, GOLDEN["rows"])
    monkeypatch.setattr(live_check, "CONNECT_SECONDS", 1)
    with pytest.raises(DeploymentError, match=f"status {status}"):
        live_check._post(found)
    tries.clear()
    monkeypatch.setattr(live_check, "SETTLE_SECONDS", 20)
    monkeypatch.setattr(live_check, "_request", request)
    live_check.settle(first, 1, GOLDEN)
    assert len(tries) == 1 + live_check.IN_A_ROW


@pytest.mark.slow
def test_an_address_settles_only_on_the_version_that_is_meant(answers_with, monkeypatch):
    monkeypatch.setattr(live_check, "SETTLE_SECONDS", 0.3)
    with pytest.raises(DeploymentError, match=r"does not lead to version 2 \(seen: version 1\)"):
        live_check.settle(answers_with(200, content()), 2, GOLDEN)
    with pytest.raises(DeploymentError, match="seen: status 500"):
        live_check.settle(answers_with(500, {}), 1, GOLDEN)


@pytest.mark.slow
def test_a_live_check_of_nothing_ends(monkeypatch):
    monkeypatch.setattr(live_check, "CONNECT_SECONDS", 0.1)
    with pytest.raises(DeploymentError, match="cannot be reached"):
        live_check.check("http://127.0.0.1:1", 1, GOLDEN)
