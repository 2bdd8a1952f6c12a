"""Alerts leave through a real apprise route, and never take the run down with them."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from structlog.testing import capture_logs

from ciclo.components.core.alerts import send_alert
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.settings import Settings


def project(*alerts):
    return project_from_mapping(
        {
            "name": "loans",
            "data": {"source": "x", "target": "y", "columns": {"x": {"type": "number"}, "y": {"type": "number"}}},
            "monitoring": {"alerts": list(alerts)},
        },
        origin="test",
    )


@pytest.fixture
def inbox():
    """A webhook: its address, what it received, and the status it answers with."""
    received, status = [], [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}/secret", received, status
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_alert_goes_to_every_address(inbox, monkeypatch):
    address, received, _ = inbox
    monkeypatch.setenv("OPS_ALERTS", address)
    assert send_alert("loans: page", "the feed is empty", Settings(alerts=f" {address}, "), project("OPS_ALERTS"))
    assert [(m["title"], m["message"]) for m in received] == [("loans: page", "the feed is empty")] * 2


def test_without_an_address_an_alert_is_a_line_in_the_log():
    with capture_logs() as lines:
        assert not send_alert("loans: page", "the feed is empty", Settings(alerts=""), project())
    assert lines[0]["body"] == "the feed is empty"
    assert lines[0]["sent"] is False


def test_a_route_that_fails_is_logged_without_its_secret_and_does_not_stop_the_others(inbox):
    address, received, status = inbox
    status[0] = 500
    with capture_logs() as lines:
        assert not send_alert("t", "b", Settings(alerts=f"nonsense://secret,{address}"), project("NOT_SET_ALERTS"))
    assert lines[-1]["log_level"] == "error"
    assert lines[-1]["failed"] == ["CICLO_ALERTS number 1", "CICLO_ALERTS number 2", "NOT_SET_ALERTS"]
    assert "secret" not in json.dumps(lines)
    assert len(received) == 1
