"""A request is answered once and stored once, whoever asks again, and whenever."""

import sqlite3
import threading
import time
from contextlib import closing
from urllib.request import urlopen

import pytest

from ciclo.components.deployment import process
from tests.depth import thorough
from tests.serving.conftest import publish, serve
from tests.serving.test_requests import ROW, rows_message


def stored(server, request_id, rows):
    """The rows of a request in the store, once as many are there and what comes later is too."""
    server.predict([ROW], puid=f"after-{request_id}")
    found = server.recorded(lambda f: f"after-{request_id}" in set(f["request_id"]))
    assert (found["request_id"] == request_id).sum() == rows
    return found[found["request_id"] == request_id]


def test_the_same_request_again_gets_the_same_answer_and_is_stored_once(server):
    rows = server.published.requests(3)
    first = server.post(rows_message(rows, puid="again"))
    shuffled = [dict(reversed(row.items())) for row in rows]
    assert server.post(rows_message(shuffled, puid="again")) == first
    spelled = [{**row, "count": f" {row['count']}.0", "open": str(row["open"]).upper()} for row in rows]
    assert server.post(rows_message(spelled, puid="again")) == first
    stored(server, "again", 3)
    assert server.post(rows_message(rows, puid="again")) == first


def test_the_same_id_with_other_content_is_refused(server):
    server.predict([ROW], puid="taken")
    for other in ([ROW, ROW], [{**ROW, "count": 4}], [{**ROW, "at": "2024-01-01"}], [{**ROW, "id": "k"}]):
        status, answer = server.post(rows_message(other, puid="taken"))
        assert status == 409
        assert "the id 'taken' was given to a request with other content" in answer["status"]["info"]
    stored(server, "taken", 1)


def test_an_id_that_we_gave_stands_for_its_request_at_once(server):
    message = {"jsonData": {"rows": [ROW]}}
    status, first = server.post(message)
    given = first["jsonData"]["request_id"]
    assert server.post(rows_message([ROW], puid=given)) == (status, first)
    assert server.post(rows_message([{**ROW, "count": 4}], puid=given))[0] == 409
    assert server.post(message)[1]["jsonData"]["request_id"] != given
    stored(server, given, 1)


def test_a_label_finds_its_row_by_our_id_too(server):
    _, answer = server.post(rows_message([ROW], puid="labelled-by-key"))
    label = {"request_id": answer["jsonData"]["prediction_id"], "row": 0, "value": "no"}
    assert server.post({"truth": {"jsonData": {"labels": [label]}}}, "feedback")[0] == 200
    server.recorded(lambda f: f[f["request_id"] == "labelled-by-key"]["label"].tolist() == ["false"])


def counted(server, name):
    """A counter, once the worker has handed it over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with (
            urlopen(f"{server.endpoint.url}/health/status", timeout=30),
            urlopen(server.endpoint.metrics, timeout=30) as answer,
        ):
            lines = answer.read().decode().splitlines()
        found = sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name}_total{{"))
        if found:
            return found
        time.sleep(0.2)
    return 0


def test_what_the_database_refuses_for_ever_is_counted_and_the_rest_is_stored(server):
    server.predict([ROW], puid="makes-the-tables")
    server.recorded(lambda f: len(f) > 0)
    with closing(sqlite3.connect(server.published.settings.predictions_uri.removeprefix("sqlite:///"))) as database:
        database.execute(
            "CREATE TRIGGER IF NOT EXISTS no BEFORE INSERT ON predictions WHEN NEW.request_id = 'poison'"
            " BEGIN SELECT RAISE(ABORT, 'never'); END"
        )
    for request_id in ("before-it", "poison", "behind-it"):
        server.predict([ROW], puid=request_id)
    found = server.recorded(lambda f: {"before-it", "behind-it"} <= set(f["request_id"]))
    assert "poison" not in set(found["request_id"])
    assert counted(server, "ciclo_segments_refused") == 1
    spool = server.published.settings.home / "spool" / "unit"
    assert "never" in next(spool.glob("*.reason")).read_text()


def test_retries_are_counted(server):
    for _ in range(2):
        server.predict([ROW], puid="counted")
    assert counted(server, "ciclo_retries") >= 1


@pytest.fixture
def published(tmp_path):
    return publish(tmp_path, estimator="logistic_regression")


@thorough
def test_workers_and_restarts_know_it_with_the_database_down(published, monkeypatch):
    monkeypatch.setenv("GUNICORN_WORKERS", "2")
    folder = published.settings.home / "database"
    folder.write_text("a file where the database's folder should be: it is down")
    down = {"predictions": f"sqlite:///{folder}/predictions.sqlite"}
    rows, answers = published.requests(2), []
    server = serve(published, **down)

    def ask():
        for _ in range(5):
            answers.append(server.post(rows_message(rows, puid="once")))

    try:
        clients = [threading.Thread(target=ask) for _ in range(6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert {status for status, _ in answers} == {200}
        assert len({str(answer["jsonData"]) for _, answer in answers}) == 1
        assert {server.post(rows_message(rows[:1], puid="once"))[0] for _ in range(6)} == {409}
    finally:
        process.stop(server.endpoint)
    server = serve(published, **down)
    try:
        assert (
            server.post(rows_message(rows, puid="once"))[1]["jsonData"]["predictions"]
            == (answers[0][1]["jsonData"]["predictions"])
        )
        folder.unlink()
        stored(server, "once", 2)
    finally:
        process.stop(server.endpoint)


@thorough
def test_another_pod_knows_it_from_the_database(tmp_path):
    published = publish(tmp_path, "multiclass", "logistic_regression")
    first = serve(published)
    rows = published.requests(2)
    try:
        _, answer = first.post(rows_message(rows, puid="moved"))
        each = [a["probabilities"] for a in answer["jsonData"]["predictions"]]
        assert stored(first, "moved", 2).sort_values("row")["probabilities"].tolist() == each
        assert [set(e) for e in each] == [set(published.contract.classes)] * 2
    finally:
        process.stop(first.endpoint)
    here = published.settings
    second = serve(
        published,
        home=here.home / "pod-2",
        predictions=here.predictions_uri,
        store=here.store_uri,
        public_keys=tuple((here.home / "keys").glob("*public*")),
    )
    try:
        assert second.post(rows_message(rows, puid="moved")) == (200, answer)
        assert second.post(rows_message(rows[:1], puid="moved"))[0] == 409
    finally:
        process.stop(second.endpoint)
