import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ciclo.components.core.errors import StorageError
from ciclo.components.serving import recorder as recording
from ciclo.components.serving.recorder import Recorder
from ciclo.components.storage.predictions import Label, PredictionRow, PredictionStore

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return PredictionStore(f"sqlite:///{tmp_path}/predictions.sqlite")


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


def rows(request_id, count=1):
    return [PredictionRow("p", request_id, n, 1, NOON, {"x": 1.0, "c": None}, "true", 0.5) for n in range(count)]


def stored(store):
    found = store.window("p", NOON, NOON.replace(hour=13))
    return sorted(zip(found["request_id"], found["row"], strict=True))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_taken_is_sent_and_the_spool_is_empty(store, spool):
    recorder = Recorder(spool, store)
    recorder.record(rows("a", 3))
    recorder.label([Label("p", "a", 1, "false", NOON)])
    assert recorder.waiting == sum(p.stat().st_size for p in spool.iterdir()) > 0
    recorder.flush()
    assert stored(store) == [("a", 0), ("a", 1), ("a", 2)]
    assert store.window("p", NOON, NOON.replace(hour=13))["label"].tolist()[1] == "false"
    assert (names(spool), recorder.waiting) == ([], 0)


def test_the_probability_of_every_class_goes_along_where_there_is_one(store, spool):
    given = {"low": 0.25, "mid": 0.75}
    recorder = Recorder(spool, store)
    recorder.record([*rows("a"), *(replace(r, request_id="b", probabilities=given) for r in rows("b"))])
    (segment,) = spool.iterdir()
    first, second = json.loads(segment.read_text())["predictions"]
    assert "probabilities" not in first  # what a server of the release before can read as well
    assert second["probabilities"] == given
    recorder.flush()
    found = store.window("p", NOON, NOON.replace(hour=13)).set_index("request_id")["probabilities"]
    assert found.to_dict() == {"a": None, "b": given}


@pytest.mark.slow
def test_the_background_thread_sends_by_itself(store, spool):
    recorder = Recorder(spool, store)
    recorder.start()
    recorder.record(rows("a"))
    while names(spool):
        pass
    assert stored(store) == [("a", 0)]
    recorder.flush()


def test_a_database_that_is_down_loses_nothing(tmp_path, spool):
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    store = PredictionStore(f"sqlite:///{folder}/predictions.sqlite")
    recorder = Recorder(spool, store)
    recorder.start()
    for n in range(20):
        recorder.record(rows(f"r{n:02}"))
        with pytest.raises(StorageError):
            recorder.ship()
    assert recorder.waiting > 0
    folder.unlink()
    recorder.flush()
    assert stored(store) == [(f"r{n:02}", 0) for n in range(20)]


def test_a_full_spool_refuses_and_keeps_what_it_has(store, spool):
    recorder = Recorder(spool, store, limit=1_000)
    recorder.record(rows("a", 3))
    with pytest.raises(StorageError, match="full"):
        recorder.record(rows("b", 6))
    assert 0 < recorder.waiting <= 1_000
    recorder.flush()
    assert stored(store) == [("a", 0), ("a", 1), ("a", 2)]
    recorder.record(rows("later"))


def test_a_disk_that_refuses_refuses_the_prediction(store, spool):
    recorder = Recorder(spool, store)
    recorder.record(rows("a"))
    recorder.ship()
    spool.rmdir()
    with pytest.raises(StorageError, match="cannot be written"):
        recorder.record(rows("b"))
    spool.mkdir()
    recorder.record(rows("c"))
    recorder.flush()
    assert stored(store) == [("a", 0), ("c", 0)]


@pytest.mark.parametrize(
    ("tail", "left"),
    [
        pytest.param(b'{"predictions":[{"project":"p","requ', [], id="torn"),
        pytest.param(b"\xff\x00", [], id="torn-bytes"),
        pytest.param(b"", [], id="whole"),
        pytest.param(b"not json\n", ["0-1-x.damaged"], id="damaged"),
        pytest.param(b'{"predictions":[{"project":"p"}]}\n', ["0-1-x.damaged"], id="incomplete"),
    ],
)
def test_the_leftovers_of_a_dead_process_are_sent(store, spool, tail, left):
    dead = Recorder(spool, store)
    dead.record(rows("a", 2))
    (segment,) = spool.iterdir()
    written = segment.read_bytes()
    dead.ship()
    (spool / "0-1-x.jsonl").write_bytes(written + tail)
    Recorder(spool, store).flush()
    assert stored(store) == [("a", 0), ("a", 1)]
    assert names(spool) == left


def test_what_the_database_refuses_for_ever_is_set_aside_and_the_rest_goes_on(store, spool):
    store.count("p")
    with store._engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE INSERT ON predictions WHEN NEW.request_id LIKE 'poison%'"
            " BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    counted = []
    recorder = Recorder(spool, store, refused=lambda: counted.append(1))
    for name in ("a", "poison-1", "b", "c", "poison-2", "d"):
        recorder.record(rows(name, 2))
    recorder.label([Label("p", "d", 1, "false", NOON)])
    recorder.ship()
    recorder.record(rows("e"))
    recorder.flush()
    assert {name for name, _ in stored(store)} == {"a", "b", "c", "d", "e"}
    assert store.window("p", NOON, NOON.replace(hour=13))["label"].notna().sum() == 1
    refused, reason = sorted(spool.iterdir(), key=lambda p: p.suffix, reverse=True)
    lines = [json.loads(line)["predictions"][0]["request_id"] for line in refused.read_text().splitlines()]
    assert (refused.suffix, lines) == (".refused", ["poison-1", "poison-2"])
    assert reason.read_text().count("refuses the rows (seen: not this one)") == 2
    assert (counted, recorder.waiting) == ([1], 0)


def test_another_content_of_an_id_that_two_servers_answered_is_set_aside(store, spool):
    recorder = Recorder(spool, store)
    for key, digest in (("k1", "d1"), ("k2", "d2"), ("k3", "d1")):
        recorder.record([replace(r, prediction_id=key, digest=digest) for r in rows("a", 2)])
    recorder.flush()
    assert (stored(store), store.answered("p", "a").prediction_id) == ([("a", 0), ("a", 1)], "k1")
    (reason,) = spool.glob("*.reason")
    assert "answered before with other content (seen: its key is k2, that of the first k1)" in reason.read_text()


def test_what_is_set_aside_is_bounded_and_does_not_fill_the_spool(store, spool, monkeypatch):
    monkeypatch.setattr(recording, "ASIDE_BYTES", 1_500)
    recorder = Recorder(spool, store, limit=2_000)
    for n in range(8):
        recorder.record([PredictionRow("p", f"r{n}", 0, 2**70, NOON, {"x": "y" * 100}, "true", None)])
        recorder.ship()
    recorder.record(rows("good"))
    recorder.flush()
    assert stored(store) == [("good", 0)]
    assert 0 < sum(path.stat().st_size for path in spool.iterdir()) <= 1_500
    assert any("r7" in path.read_text() for path in spool.glob("*.refused"))


@pytest.mark.slow
def test_a_segment_that_another_process_writes_is_left_alone(store, spool):
    script = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from ciclo.components.serving.recorder import Recorder
from ciclo.components.storage.predictions import PredictionRow, PredictionStore
recorder = Recorder(Path(sys.argv[1]), PredictionStore("sqlite://"))
noon = datetime(2024, 3, 1, 12, tzinfo=timezone.utc)
recorder.record([PredictionRow("p", "other", 0, 1, noon, {}, "true", 0.5)])
print("written", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(spool)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"written\n"
        recorder = Recorder(spool, store)
        recorder.record(rows("mine"))
        recorder.ship()
        assert stored(store) == [("mine", 0)]
        other.kill()
        other.wait()
        recorder.ship()
    assert stored(store) == [("mine", 0), ("other", 0)]
    assert names(spool) == []


@pytest.mark.slow
def test_many_writers_and_senders_store_everything_once(store, spool, monkeypatch):
    monkeypatch.setattr(recording, "SEGMENT_BYTES", 2_000)
    recorders = [Recorder(spool, store) for _ in range(3)]
    for recorder in recorders:
        recorder.start()

    def write(recorder, name):
        for n in range(100):
            recorder.record(rows(f"{name}-{n}", 2))

    writers = [threading.Thread(target=write, args=(r, f"{k}-{t}")) for k, r in enumerate(recorders) for t in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    for recorder in recorders:
        recorder.flush()
    assert len(stored(store)) == 3 * 2 * 100 * 2
    assert names(spool) == []


def test_text_that_a_client_made_up_survives(store, spool):
    strange = {"x": "\u0000\n\u2028\U0001f600", "y": "ü" * 10}
    recorder = Recorder(spool, store)
    recorder.record([PredictionRow("p", "a", 0, 1, NOON, strange, "true", None)])
    recorder.flush()
    (found,) = store.window("p", NOON, NOON.replace(hour=13)).to_dict("records")
    assert (found["feature.x"], found["feature.y"]) == (strange["x"], strange["y"])


def test_a_number_that_is_no_json_is_never_taken(store, spool):
    recorder = Recorder(spool, store)
    with pytest.raises(ValueError, match="JSON"):
        recorder.record([PredictionRow("p", "a", 0, 1, NOON, {}, float("nan"), None)])
    assert os.listdir(spool) == []
