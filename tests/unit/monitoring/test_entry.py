"""The CronJob's entry as a process, and the page it leaves behind."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from ciclo.components.core.settings import settings
from ciclo.components.monitoring.__main__ import main
from tests.depth import some
from tests.kfp_backend import kfp_backend
from tests.unit.monitoring.conftest import NOW

PROJECT = """\
name: loans
data:
  source: loans.csv
  target: paid
  columns:
    amount: {type: number}
    age: {type: number}
    city: {type: category}
    paid: {type: boolean}
monitoring: {persistence: {alarms: 1, windows: 1}}
"""


def environment(folder, **variables):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CICLO_")}
    return {**clean, "CICLO_HOME": str(folder), **variables}


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-P", "-m", "ciclo.components.monitoring", *arguments],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project_file(tmp_path):
    path = tmp_path / "project.yaml"
    path.write_text(PROJECT)
    return str(path)


@pytest.mark.slow
def test_a_tick_prints_its_decision_and_ends_well_whatever_it_decided(eager, project_file):
    eager.serve(NOW, shift=1)
    done = run(eager.settings.home, project_file, "--now", NOW.isoformat())
    assert (done.returncode, done.stderr) == (0, "")
    decision = json.loads(done.stdout.splitlines()[-1])
    assert decision["action"] == "recommend"
    (filed,) = eager.history().decisions
    assert filed.model_dump(mode="json") == decision
    (report,) = eager.store.list("projects/loans/monitoring/reports/")
    page = eager.store.get(report).data.decode()
    assert all(text in page for text in ("<svg", "amount", "recommend", "importance"))


@pytest.fixture
def here(monkeypatch, eager):
    """This process with the environment of the world; logs and settings are as before afterwards."""
    monkeypatch.setenv("CICLO_HOME", str(eager.settings.home))
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        ("CICLO_STORE", "ftp://nowhere", 2, "object store"),
        ("CICLO_PREDICTIONS", "sqlite:////proc/nowhere/x.sqlite", 1, "prediction store"),
        ("CICLO_KFP_HOST", "http://127.0.0.1:1", 1, "no compiled pipeline"),
        ("CICLO_DEADLINE_SECONDS", "soon", 2, "CICLO_DEADLINE_SECONDS"),
    ],
)
def test_a_tick_that_cannot_be_run_fails_with_a_named_error(
    here, capsys, tmp_path, project_file, name, value, code, said
):
    here.setenv("CICLO_TERMINATION_LOG", str(tmp_path / "message"))
    here.setenv(name, value)
    assert main([project_file]) == code
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["event"], line["code"]) == ("monitoring failed", code)
    assert said in line["summary"]
    if name != "CICLO_DEADLINE_SECONDS":  # then it is not known where the message goes
        assert (tmp_path / "message").read_text() == f"no decision (exit code {code}): {line['summary']}"


def test_a_missing_project_file_is_a_named_error(here, capsys):
    assert main(["nowhere.yaml"]) == 2
    assert "there is no project file" in capsys.readouterr().out


def test_the_termination_message_says_what_was_decided_and_stops_nothing(here, capsys, eager, tmp_path, project_file):
    eager.serve(NOW, shift=1)
    here.setenv("CICLO_TERMINATION_LOG", str(tmp_path / "message"))
    assert main([project_file, "--now", NOW.isoformat()]) == 0
    decision = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (tmp_path / "message").read_text() == f"recommend: {decision['reason']}"
    here.setenv("CICLO_TERMINATION_LOG", "/proc/nowhere/message")
    settings.cache_clear()
    assert main([project_file, "--now", NOW.isoformat()]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == decision
    assert eager.history().decisions[-1].model_dump(mode="json") == decision


@pytest.fixture
def stuck():
    """A server that takes connections and never answers, and how many it has taken."""
    taken = threading.Semaphore(0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def accept():
            with suppress(OSError):
                while True:
                    kept.append(server.accept())
                    taken.release()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], taken
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection, _ in kept:
            connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("how", some(["deadline", "stopped"], 2))
def test_a_tick_that_is_stuck_ends_and_the_next_one_goes_on(eager, tmp_path, project_file, stuck, how):
    port, taken = stuck
    eager.serve(NOW, shift=1)
    (package := tmp_path / "pipeline.yaml").write_text("pipelineInfo: {name: x}")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ciclo.components.monitoring", project_file, "--now", NOW.isoformat()],
        env=environment(
            eager.settings.home,
            CICLO_KFP_HOST=f"http://127.0.0.1:{port}",
            CICLO_PIPELINE_PACKAGE=str(package),
            CICLO_DEADLINE_SECONDS="10" if how == "deadline" else "600",
            CICLO_TERMINATION_LOG=str(tmp_path / "message"),
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert taken.acquire(timeout=120)  # the run has been claimed, and its submission hangs
    if how == "stopped":
        process.terminate()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == (4 if how == "deadline" else 143), said
    assert "The next one goes on from there" in (tmp_path / "message").read_text()
    history = eager.history()
    assert [d.action for d in history.decisions] == ["retrain"]
    assert [c.run_id for c in history.claims] == [None]
    eager.tick(NOW + timedelta(hours=1))
    assert eager.backend.count == 1


class Gateway(http.server.BaseHTTPRequestHandler):
    """A Pushgateway, as far as taking goes."""

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.command, self.path, body.decode()))
        self.send_response(self.server.status)
        self.end_headers()

    def do_POST(self):
        self.do_PUT()

    def log_message(self, *_):
        """Keep the output of the tests clean."""


@pytest.fixture
def gateway():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        server.taken, server.status = [], 202
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def samples(text):
    return {
        (sample.name, sample.labels.get("action", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_pushed_and_written(here, capsys, eager, tmp_path, project_file, gateway):
    eager.serve(NOW, shift=1)
    here.setenv("CICLO_PUSHGATEWAY", f"http://127.0.0.1:{gateway.server_port}")
    here.setenv("CICLO_METRICS_FILE", str(tmp_path / "watch.prom"))
    assert main([project_file, "--now", NOW.isoformat()]) == 0
    ((method, path, text),) = gateway.taken
    assert (method, path) == ("PUT", "/metrics/job/ciclo-watch/project/loans")
    found = samples(text)
    assert found == samples((tmp_path / "watch.prom").read_text())
    assert found["ciclo_watch_decision", "recommend"] == 1
    assert sum(value for (name, _), value in found.items() if name == "ciclo_watch_decision") == 1
    assert found["ciclo_watch_rows", ""] == 400
    assert found["ciclo_watch_drifted_importance", ""] == pytest.approx(0.7)
    assert found["ciclo_watch_failed", ""] == 0
    assert found["ciclo_watch_last_success_timestamp_seconds", ""] > NOW.timestamp()
    here.setenv("CICLO_PREDICTIONS", "sqlite:////proc/nowhere/x.sqlite")
    settings.cache_clear()
    assert main([project_file]) == 1
    method, _, text = gateway.taken[-1]
    assert (method, samples(text)["ciclo_watch_failed", ""]) == ("POST", 1)  # added: the last success stays
    assert not any("last_success" in name for name, _ in samples(text))


@pytest.mark.parametrize("fault", ["refuses", "is gone", "is no address"])
def test_a_gateway_that_does_not_take_metrics_stops_nothing(here, capsys, project_file, gateway, fault):
    gateway.status = 500
    address = {"refuses": f"127.0.0.1:{gateway.server_port}", "is gone": "127.0.0.1:1", "is no address": "ftp://x y"}
    here.setenv("CICLO_PUSHGATEWAY", address[fault])
    here.setenv("CICLO_METRICS_FILE", "/proc/nowhere/watch.prom")
    assert main([project_file, "--now", NOW.isoformat()]) == 0
    said = capsys.readouterr().out
    assert "metrics were not pushed" in said
    assert "metrics were not written" in said


def test_a_dry_run_prints_and_files_nothing(here, capsys, eager, project_file):
    eager.serve(NOW, shift=1)
    assert main([project_file, "--now", "2026-06-01T06:00", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["action"] == "recommend"
    assert eager.history().decisions == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "value", "header", "carried"),
    [
        ("CICLO_KFP_TOKEN_FILE", "token", "Authorization", "Bearer abc"),
        ("CICLO_KFP_COOKIE", "authservice_session=s", "Cookie", "authservice_session=s"),
        ("CICLO_KFP_HEADER", "kubeflow-userid: ann", "kubeflow-userid", "ann"),
    ],
)
def test_a_tick_submits_one_run_that_says_why(
    here, capsys, eager, tmp_path, project_file, variable, value, header, carried
):
    eager.serve(NOW, shift=1)
    (tmp_path / "token").write_text("abc\n")
    (package := tmp_path / "pipeline.yaml").write_text("pipelineInfo: {name: x}")
    here.setenv(variable, str(tmp_path / value) if value == "token" else value)
    here.setenv("CICLO_PIPELINE_PACKAGE", str(package))
    with kfp_backend() as backend:
        backend.guard = {header: carried}
        here.setenv("CICLO_KFP_HOST", backend.url)
        for _ in range(2):
            assert main([project_file, "--now", NOW.isoformat()]) == 0
            decision = json.loads(capsys.readouterr().out.splitlines()[-1])
            assert decision["action"] == "retrain"
    (body,) = backend.requests
    assert body["description"].startswith(f"{decision['cause']}: amount; window 2026-05-25 06:00 to 2026-06-01 06:00")
    assert body["runtime_config"]["parameters"]["trigger"] == decision["cause"]
