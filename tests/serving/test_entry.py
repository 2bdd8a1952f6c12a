"""The one entry of the model server, started as the container starts it."""

import os
import signal
import socket
import subprocess
import time
from urllib.request import urlopen

import pytest

from ciclo.components.deployment import process
from ciclo.components.deployment.seldon import COMMAND
from tests.serving.conftest import post, publish
from tests.serving.test_requests import ROW, rows_message


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("entry"), estimator="logistic_regression")


def start(published, **variables):
    python = str(process.serving_python(published.settings))
    environment = {**os.environ, **process.environment("unit", 1, published.settings), **variables}
    command = [python, *COMMAND[1:]]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def test_it_takes_the_ports_of_the_operator_and_ends_when_it_is_told(published):
    http, metrics = free_port(), free_port()
    ports = {"PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(http), "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(metrics)}
    with start(published, **ports) as server:
        try:
            url, deadline = f"http://127.0.0.1:{http}", time.monotonic() + 120
            while not process._health(url):
                assert time.monotonic() < deadline
                assert server.poll() is None
                time.sleep(0.1)
            assert post(url, rows_message([ROW], puid="before-the-end"))[0] == 200
            with urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10) as answer:
                assert answer.status == 200
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)
        finally:
            server.kill()
    assert server.returncode in (0, -signal.SIGTERM)
    assert list((published.settings.home / "spool" / "unit").iterdir()) == []


def test_a_limit_that_is_none_is_told_in_one_line(published):
    with start(published, CICLO_REQUEST_BYTES="much") as server:
        _, said = server.communicate(timeout=60)
    assert server.returncode == 1
    assert said.startswith("error: the environment is not valid: CICLO_REQUEST_BYTES:")
    assert "Traceback" not in said
