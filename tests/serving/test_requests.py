"""What a client of the real microservice sees."""

import json
import random
import threading
import time
from urllib.request import urlopen

import pytest

ROW = {"size": 0.5, "count": 3, "open": True, "colour": "red", "noise": None}


def rows_message(rows, **meta):
    return {"jsonData": {"rows": rows}, "meta": meta}


def without(name):
    return {key: value for key, value in ROW.items() if key != name}


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        pytest.param(rows_message([{**ROW, "size2": 1}]), ["row 0", "'size2' is not known"], id="unknown-column"),
        pytest.param(rows_message([ROW, without("size")]), ["row 1", "'size' is missing"], id="missing-column"),
        pytest.param(rows_message([{**ROW, "size": "large"}]), ["'size'", "finite number"], id="text-for-number"),
        pytest.param(rows_message([{**ROW, "size": True}]), ["'size'", "finite number"], id="boolean-for-number"),
        pytest.param(rows_message([{**ROW, "size": [1]}]), ["'size'", "finite number"], id="list-for-number"),
        pytest.param(rows_message([{**ROW, "count": float("nan")}]), ["'count'", "must have a value"], id="nan"),
        pytest.param(rows_message([{**ROW, "count": " "}]), ["'count'", "must have a value"], id="blank"),
        pytest.param(rows_message([{**ROW, "count": 2.0**53}]), ["'count'", "Send it as text"], id="inexact"),
        pytest.param(rows_message([{**ROW, "size": float("-inf")}]), ["'size'", "finite number"], id="infinity"),
        pytest.param(rows_message([{**ROW, "size": 10**400}]), ["'size'", "finite number"], id="beyond-float"),
        pytest.param(rows_message([{**ROW, "count": 1.5}]), ["'count'", "whole number"], id="fraction-for-integer"),
        pytest.param(rows_message([{**ROW, "count": None}]), ["'count'", "must have a value"], id="null"),
        pytest.param(rows_message([{**ROW, "count": 101}]), ["'count'", "out of its range 0..100"], id="range"),
        pytest.param(rows_message([{**ROW, "open": "maybe"}]), ["'open'", "true or false"], id="text-for-boolean"),
        pytest.param(rows_message([{**ROW, "colour": "pink"}]), ["'colour'", "unknown category"], id="category"),
        pytest.param(
            rows_message([{**ROW, "colour": 1.5}]), ["'colour'", "unknown category"], id="number-for-category"
        ),
        pytest.param(rows_message([{**ROW, "colour": [1]}]), ["'colour'", "has to be text"], id="list-for-category"),
        pytest.param(rows_message([{**ROW, "at": "yesterday"}]), ["'at'", "ISO time"], id="time"),
        pytest.param(rows_message([{**ROW, "id": {"a": 1}}]), ["row 0", "'id'", "has to be text"], id="nested-id"),
        pytest.param(rows_message([{**ROW, "id": "\ud800"}]), ["'id'", "has to be text"], id="broken-unicode-in-id"),
        pytest.param(rows_message([{**ROW, "colour": "\ud800"}]), ["'colour'", "has to be text"], id="broken-unicode"),
        pytest.param(rows_message([ROW] * 10_001), ["more than 10,000 rows"], id="too-many-rows"),
        pytest.param(rows_message([]), ["no rows"], id="no-rows"),
        pytest.param(rows_message(ROW), ["jsonData.rows has to be a list"], id="rows-no-list"),
        pytest.param(rows_message([[1, 2]]), ["row 0 has to be a JSON object"], id="row-no-object"),
        pytest.param(rows_message([ROW], puid="a b"), ["meta.puid"], id="bad-request-id"),
        pytest.param(rows_message([ROW], puid="x" * 129), ["meta.puid"], id="long-request-id"),
        pytest.param({"data": {"ndarray": [[1]]}}, ["data has to have names"], id="no-names"),
        pytest.param({"data": {"names": ["size"], "ndarray": [[1, 2]]}}, ["row 0", "list of 1 value"], id="ragged"),
        pytest.param({"data": {"names": ["a", "a"], "ndarray": [[1, 2]]}}, ["'a' appears twice"], id="twice"),
        pytest.param({"strData": "hello"}, ["the request has no rows"], id="another-payload"),
        pytest.param({}, ["the request has no rows"], id="empty-object"),
        pytest.param([1, 2], ["has to be a JSON object"], id="list"),
        pytest.param(None, [], id="null-body"),
    ],
)
def test_a_bad_request_is_told_what_to_change(server, message, parts):
    status, answer = server.post(message)
    assert status == 400
    for part in parts:
        assert part in answer["status"]["info"]


@pytest.mark.parametrize("raw", [b"", b"{", b'{"jsonData":', b"\xff\xfe", b"rows"], ids=repr)
def test_garbage_is_the_fault_of_the_client(server, raw):
    assert server.post(None, raw=raw)[0] == 400


def test_the_order_of_columns_and_the_form_do_not_matter(server):
    rows = server.published.requests(20)
    expected = server.predict(rows)
    shuffled = [dict(random.Random(0).sample(list(row.items()), len(row))) for row in rows]
    assert server.predict(shuffled) == expected
    names = list(reversed(rows[0]))
    matrix = {"names": names, "ndarray": [[row[name] for name in names] for row in rows]}
    status, answer = server.post({"data": matrix})
    assert (status, answer["jsonData"]["predictions"]) == (200, expected)


def test_the_answer_carries_id_and_version(server):
    _, answer = server.post(rows_message([ROW], puid="order-1"))
    assert answer["meta"] == {"puid": "order-1"}
    assert (answer["jsonData"]["request_id"], answer["jsonData"]["version"]) == ("order-1", 1)
    given = [server.post(rows_message([ROW]))[1] for _ in range(2)]
    assert given[0]["meta"]["puid"] == given[0]["jsonData"]["request_id"] != given[1]["jsonData"]["request_id"]


def test_the_largest_request_is_answered_and_recorded(server):
    rows = server.published.requests(10_000)
    answers = server.predict(rows, puid="large")
    found = server.recorded(lambda f: (f["request_id"] == "large").sum() == 10_000)
    found = found[found["request_id"] == "large"].sort_values("row")
    assert found["probability"].tolist() == [a["probability"] for a in answers]


def test_a_prediction_is_recorded_with_what_the_model_saw(server):
    row = {**ROW, "size": None, "open": False, "id": "k-7", "at": "2024-05-01T10:00:00+02:00"}
    (answer,) = server.predict([row], puid="kept")
    (found,) = (
        server.recorded(lambda f: "kept" in set(f["request_id"])).query("request_id == 'kept'").to_dict("records")
    )
    assert found["prediction"] == str(answer["prediction"]).lower()
    assert found["probability"] == answer["probability"]
    assert found["time"].isoformat() == "2024-05-01T08:00:00+00:00"
    assert tuple(found[f"feature.{name}"] for name in ("count", "open", "colour", "id")) == (3.0, 0.0, "red", "k-7")
    assert found["feature.size"] != found["feature.size"]
    assert "feature.at" not in found


def test_a_live_check_is_answered_but_not_recorded(server):
    check = rows_message([ROW], puid="check", tags={"purpose": "check"})
    assert server.post(check)[0] == 200
    server.predict([ROW], puid="after-the-check")
    found = server.recorded(lambda f: "after-the-check" in set(f["request_id"]))
    assert "check" not in set(found["request_id"])


def feedback(labels, puid=""):
    return {"response": {"meta": {"puid": puid}}, "truth": {"jsonData": {"labels": labels}}}


def test_labels_find_their_predictions(server):
    server.predict([ROW] * 3, puid="labelled")
    first = [{"value": True}, {"value": "false"}, {"row": 2, "value": False, "time": "2024-06-02"}]
    assert server.post(feedback(first, "labelled"), "feedback")[0] == 200
    later = [{"request_id": "labelled", "row": 2, "value": True, "time": "2024-06-03"}]
    status, answer = server.post(feedback(later), "feedback")
    assert (status, answer["jsonData"]) == (200, {"labels": 1})
    found = server.recorded(lambda f: f[f["request_id"] == "labelled"]["label"].tolist() == ["true", "false", "true"])
    assert (found["request_id"] == "labelled").sum() == 3


@pytest.mark.parametrize(
    ("message", "part"),
    [
        pytest.param(feedback([], "a"), "no labels", id="none"),
        pytest.param({}, "no labels", id="empty"),
        pytest.param({"truth": {"data": {"ndarray": [[1]]}}}, "no labels", id="another-payload"),
        pytest.param(feedback([{"value": "maybe"}], "a"), "true or false", id="no-class"),
        pytest.param(feedback([{"value": True}]), "request_id", id="no-request"),
        pytest.param(feedback([{"value": True, "row": -1}], "a"), "row", id="negative-row"),
        pytest.param(feedback([{"value": True, "row": 0.5}], "a"), "row", id="half-a-row"),
        pytest.param(feedback([{"value": True, "time": "soon"}], "a"), "ISO time", id="time"),
        pytest.param(feedback([{"label": True}], "a"), "unknown field", id="misspelt"),
        pytest.param(feedback([True], "a"), "label 0 has to be a JSON object", id="no-object"),
        pytest.param(feedback([{"value": float("nan")}], "a"), "", id="nan"),
        pytest.param({"truths": {}}, "", id="unknown-part"),
    ],
)
def test_bad_feedback_is_told_what_to_change(server, message, part):
    status, answer = server.post(message, "feedback")
    assert status == 400
    assert part in answer["status"]["info"]


def test_health_names_what_is_served(server):
    with urlopen(f"{server.endpoint.url}/health/status", timeout=30) as answer:
        told = json.load(answer)["jsonData"]
    assert (told["project"], told["version"]) == ("unit", 1)
    assert 0 < told["load_seconds"] < 60
    assert 50 < told["memory_mb"] < 5_000


def test_metrics_carry_the_version(server):
    server.predict([ROW])
    server.post(rows_message([]))
    test_health_names_what_is_served(server)
    with urlopen(server.endpoint.metrics, timeout=30) as answer:
        shown = answer.read().decode()
    for name in ("requests_total", "rows_total", "refused_total", "spool_bytes", "latency_bucket"):
        assert any(line.startswith(f"ciclo_{name}{{") and 'version="1"' in line for line in shown.splitlines()), name


def test_without_its_spool_it_refuses_and_loses_nothing(server):
    spool = server.published.settings.home / "spool" / "unit"
    aside = spool.rename(spool.with_name("aside"))
    statuses = {}
    try:
        for n in range(200):
            statuses[f"aside-{n}"] = server.post(rows_message([ROW], puid=f"aside-{n}"))[0]
            if statuses[f"aside-{n}"] != 200:
                break
            time.sleep(0.05)
    finally:
        aside.rename(spool)
    assert set(statuses.values()) - {200} == {503}
    answered = {name for name, status in statuses.items() if status == 200} | {"back"}
    server.predict([ROW], puid="back")
    found = server.recorded(lambda f: answered <= set(f["request_id"]))
    refused = set(statuses) - answered
    assert not refused & set(found["request_id"])


def test_concurrent_clients_get_their_own_answers(server):
    rows = server.published.requests(40, seed=11)
    expected = server.predict(rows)
    got = {}

    def ask(start):
        for n in range(start, 40, 4):
            got[n] = server.predict([rows[n]])[0]

    clients = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert [got[n] for n in range(40)] == expected
