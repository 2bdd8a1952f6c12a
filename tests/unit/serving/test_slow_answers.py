"""A first try that takes longer than its retry waits: both are one request, and labels find it."""

import threading
from datetime import UTC, datetime

import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import ReusedIdError, StorageError
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.serving import answered as answering
from ciclo.components.serving.answered import AnsweredRequests
from ciclo.components.serving.messages import read_feedback, read_request
from ciclo.components.serving.meter import Meter
from ciclo.components.serving.model import Served, answer
from ciclo.components.serving.recorder import Recorder
from ciclo.components.storage.predictions import PredictionStore


class Engine:
    """A model that answers when it is told to; no real one is slow on demand."""

    def __init__(self):
        described = {"source": "x", "target": "y", "columns": {"x": {"type": "number"}, "y": {"type": "number"}}}
        self.contract = Contract.of(project_from_mapping({"name": "unit", "data": described}, origin="test"), ())
        self.asked, self.told = threading.Semaphore(0), threading.Event()

    def predict(self, frame):
        self.asked.release()
        assert self.told.wait(60)
        return [{"prediction": 1.5, "probability": None} for _ in frame.index]


@pytest.fixture
def served(tmp_path, monkeypatch):
    monkeypatch.setattr(answering, "LOCK_SECONDS", 0.05)
    store = PredictionStore(f"sqlite:///{tmp_path}/predictions.sqlite")
    known = AnsweredRequests(tmp_path / "answered.sqlite", "unit", store)
    return Served("unit", 1, Engine(), Recorder(tmp_path / "spool", store), Meter(1), known, 0.0)


def request(x=1.0, **meta):
    return read_request({"jsonData": {"rows": [{"x": x}]}, "meta": meta})


def stored(served):
    served.recorder.ship()
    return served.recorder._store.window("unit", datetime(2000, 1, 1), datetime(2200, 1, 1))


def test_both_get_one_prediction_id_and_a_label_to_it_is_joined(served):
    replies = []
    tries = [threading.Thread(target=lambda: replies.append(answer(served, request(puid="a")))) for _ in range(3)]
    for one in tries:
        one.start()
        assert served.engine.asked.acquire(timeout=60)
    served.engine.told.set()
    for one in tries:
        one.join()
    assert replies == [replies[0]] * 3
    truth = {"labels": [{"request_id": replies[2].prediction_id, "value": 2, "time": datetime.now(UTC).isoformat()}]}
    served.recorder.label(read_feedback({"truth": {"jsonData": truth}}, "unit", served.engine.contract))
    assert stored(served)[["request_id", "label"]].to_numpy().tolist() == [["a", 2.0]]


def test_a_request_without_an_id_is_claimed_by_the_one_it_is_given(served):
    served.engine.told.set()
    reply = answer(served, request())
    assert answer(served, request(puid=reply.request_id)) == reply
    with pytest.raises(ReusedIdError):
        answer(served, request(2.0, puid=reply.request_id))
    assert len(stored(served)) == 1


def test_a_retry_that_fails_does_not_give_back_the_id_of_its_first_try(served, monkeypatch):
    def full(rows):
        raise StorageError("the spool of predictions is full")

    served.engine.told.set()
    claim, claims = served.answered.claim, []
    monkeypatch.setattr(served.answered, "claim", lambda *taken: claims.append(taken) or claim(*taken))
    monkeypatch.setattr(served.recorder, "record", full)
    with pytest.raises(StorageError):
        answer(served, request(puid="a"))
    _, digest, features, _ = claims[0]
    assert claim("a", digest, features, "k2") == "k2"  # its own it has given back
    with pytest.raises(StorageError):
        answer(served, request(puid="a"))
    assert claim("a", digest, features, "k3") == "k2"
