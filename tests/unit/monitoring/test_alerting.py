"""Alerts reach a real mail server and a real webhook, and outlive receivers that are down and ticks that die."""

import base64
import json
import threading
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ciclo.components.core.alerts import Message, send_message
from ciclo.components.core.settings import Settings
from ciclo.components.monitoring.records import History
from ciclo.components.monitoring.telling import alerting
from ciclo.components.monitoring.telling.alerting import HOLD, AlertLog, tell
from ciclo.components.storage.directory import DirectoryStore
from tests.unit.monitoring.receivers import free_port, mail_server, webhook
from tests.unit.monitoring.samples import HOSTILE, NOW, decision, project, view

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BROKEN = {"action": "alert", "cause": "broken data: column_00", "kinds": ("data",), "columns": ("column_00",)}
SECRET = "hunter2hunter2"


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "store")


def mail_address(port):
    return f"mailto://127.0.0.1:{port}?from=ciclo@example.com&to=ops@example.com&mode=insecure"


def hook_address(port):
    return f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}"


def tick(store, addresses, time=NOW, seen=None, past=(), report_key="", **fields):
    taken = decision(time=time, **{**BROKEN, **fields})
    settings = Settings(store="s3://bucket/ciclo", alerts=", ".join(addresses))
    tell(
        project(), taken, History(decisions=tuple(past)), store=store, settings=settings, view=seen,
        report_key=report_key,
    )  # fmt: skip
    return taken


@pytest.mark.slow
def test_a_mail_is_readable_as_text_and_as_html_and_shows_the_picture(store):
    with mail_server() as inbox:
        tick(store, [mail_address(inbox.port)], seen=view(), since=NOW - 2 * DAY, report_key="projects/loans/r.html")
    (mail,) = inbox.received
    assert mail["Subject"] == "loans: critical: alert, broken data: column_00"
    text = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    for body in (text, html):
        for part in (
            "critical", "41 % missing, 1 % in training", "2026-05-30 06:00 UTC, that is for 2 days",
            "A source or a join upstream loses values", "Mend the source", "s3://bucket/ciclo/projects/loans/r.html",
        ):  # fmt: skip
            assert part in body
    assert "<" not in text
    (image,) = (part for part in mail.walk() if part.get_content_type() == "image/png")
    assert image.get_content().startswith(b"\x89PNG")
    assert image["Content-ID"].strip("<>") in html
    assert AlertLog(store, "loans").read()[0].waiting == ()


@pytest.mark.slow
def test_a_webhook_gets_text_with_fields_and_the_picture(store):
    with webhook() as inbox:
        tick(store, [hook_address(inbox.port)], seen=view())
    (received,) = inbox.received
    fields = dict(line.split(": ", 1) for line in received["message"].splitlines() if ": " in line and line[0] != " ")
    assert {"Severity", "What", "Since", "Likely cause", "Next step", "History"} <= fields.keys() | {"Likely cause"}
    assert fields["Severity"] == "critical"
    assert received["type"] == "failure"
    assert base64.b64decode(received["attachments"][0]["base64"]).startswith(b"\x89PNG")


@pytest.mark.slow
def test_hostile_names_break_no_mail(store):
    with mail_server() as inbox:
        tick(store, [mail_address(inbox.port)], seen=view(10, HOSTILE), reason="x" * 10_000 + "\r\nBcc: e@x.com",
             cause=f"broken data: {HOSTILE[0]}\r\nBcc: evil@example.com", columns=HOSTILE)  # fmt: skip
    (mail,) = inbox.received
    assert mail["Bcc"] is None
    html = mail.get_body(("html",)).get_content()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert len(html) < 20_000


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["down", "refuses", "silent"])
@pytest.mark.parametrize(("server", "address"), [(mail_server, mail_address), (webhook, hook_address)])
def test_a_receiver_that_fails_stops_no_tick_and_gets_the_alert_with_the_next(
    store, monkeypatch, capfd, server, address, fault
):
    monkeypatch.setattr(
        alerting, "send_message", lambda *given, **more: send_message(*given, **more, patience=5.0)
    )  # fmt: skip
    port = free_port()
    with webhook() as other, capture_logs() as lines:
        routes = [hook_address(other.port), address(port)]
        if fault == "down":
            first = tick(store, routes)
        else:
            with server(port) as inbox:
                inbox.fault = fault
                first = tick(store, routes)
            assert inbox.received == []
        assert lines[-1]["log_level"] == "error"
        assert lines[-1]["failed"] == ["CICLO_ALERTS number 2"]
        assert AlertLog(store, "loans").read()[0].waiting == ("CICLO_ALERTS number 2",)
        with server(port) as inbox:
            tick(store, routes, NOW + HOUR, past=[first])
            assert len(inbox.received) == 1
        tick(store, routes, NOW + 2 * HOUR, past=[first])
        assert len(other.received) == 1
    assert SECRET not in json.dumps(lines, default=str)
    assert SECRET not in "".join(capfd.readouterr())


def test_no_secret_of_an_address_that_cannot_be_read_is_shown(store, capfd):
    with capture_logs() as lines:
        tick(store, [f"nonsense://{SECRET}", f"mailto://:{SECRET}", SECRET])
    (alert,) = AlertLog(store, "loans").read()
    assert len(alert.waiting) == 3
    assert SECRET not in json.dumps(lines, default=str) + alert.model_dump_json() + "".join(capfd.readouterr())


def test_what_nobody_takes_is_given_up_when_the_reminder_is_due(store):
    past = []
    with capture_logs() as lines:
        for day in range(8):
            past.append(tick(store, [hook_address(1)], NOW + day * DAY, past=past))
    first, reminder = AlertLog(store, "loans").read()
    assert (first.waiting, first.lost, first.attempts) == ((), ("CICLO_ALERTS number 1",), 7)
    assert (reminder.news.occasion, reminder.attempts) == ("reminder", 1)
    assert [line["failed"] for line in lines if line["event"] == "alert given up"] == [["CICLO_ALERTS number 1"]]


class Killed(BaseException):
    """The process dies."""


@pytest.mark.parametrize("step", ["before it is written", "before it is sent", "after it was sent"])
def test_a_tick_that_dies_repeats_an_alert_at_most_and_never_swallows_it(store, monkeypatch, step):
    def die(*_, **__):
        raise Killed

    def send_and_die(*given, **more):
        send_message(*given, **more)
        raise Killed

    where, what = {
        "before it is written": ("AlertLog.add", die),
        "before it is sent": ("send_message", die),
        "after it was sent": ("send_message", send_and_die),
    }[step]
    with webhook() as inbox:
        routes = [hook_address(inbox.port)]
        with monkeypatch.context() as patch:
            patch.setattr(f"ciclo.components.monitoring.telling.alerting.{where}", what)
            with pytest.raises(Killed):
                tick(store, routes)
        tick(store, routes, NOW + HOLD)
        tick(store, routes, NOW + 2 * HOLD)
        assert len(inbox.received) == (2 if step == "after it was sent" else 1)
    (alert,) = AlertLog(store, "loans").read()
    assert alert.waiting == ()


def test_of_many_ticks_at_once_one_tells(store):
    with webhook() as inbox:
        barrier = threading.Barrier(8)

        def run():
            barrier.wait()
            tick(store, [hook_address(inbox.port)])

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(inbox.received) == 1
    assert len(AlertLog(store, "loans").read()) == 1


def test_an_alert_that_waits_is_not_forgotten_over_a_newer_one(store):
    port = free_port()
    past = [tick(store, [hook_address(port)])]
    for hours, columns in ((1, ("column_00", "b")), (2, ("column_00", "b", "c"))):
        past.append(tick(store, [hook_address(port)], NOW + hours * HOUR, past=past, columns=columns))
    alerts = AlertLog(store, "loans").read()
    assert [a.behind for a in alerts] == [(), (1,), (1, 2)]
    assert [a.attempts for a in alerts] == [3, 0, 0]  # a receiver that is down is asked once in a tick
    with webhook(port) as inbox:
        tick(store, [hook_address(port)], NOW + 3 * HOUR, past=past)
    assert len(inbox.received) == 3
    assert not any(a.waiting for a in AlertLog(store, "loans").read())


def test_resolved_is_told_with_how_long_it_lasted(store):
    with webhook() as inbox:
        first = tick(store, [hook_address(inbox.port)], since=NOW - DAY)
        tick(store, [hook_address(inbox.port)], NOW + 3 * DAY, past=[first], action="ok", alarm=False, kinds=())
    assert [m["title"] for m in inbox.received] == [
        "loans: critical: alert, broken data: column_00", "loans: resolved after 4 days",
    ]  # fmt: skip
    assert inbox.received[-1]["type"] == "success"


def test_a_message_of_a_few_lines_needs_no_html(store):
    with mail_server() as inbox:
        settings = Settings(alerts=mail_address(inbox.port))
        assert send_message(Message("a run ended", "it\n  was <refused>"), settings, project()) == ()
    assert "<refused>" in inbox.received[0].get_body(("plain",)).get_content()
