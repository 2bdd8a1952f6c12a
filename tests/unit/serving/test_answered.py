"""A request is answered once: which retries are known, where, and what it costs when the database is down."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ciclo.components.core.errors import ReusedIdError
from ciclo.components.serving import answered as answering
from ciclo.components.serving.answered import AnsweredRequests, Reply, digest_of
from ciclo.components.storage.predictions import PredictionRow, PredictionStore

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
FEATURES = [{"x": 1.5, "c": "u"}]
DIGEST = digest_of([FEATURES, [None]])
REPLY = Reply("a", "k1", 3, [{"prediction": True, "probability": 0.7}])


@pytest.fixture
def store(tmp_path):
    return PredictionStore(f"sqlite:///{tmp_path}/predictions.sqlite")


def opened(tmp_path, store):
    return AnsweredRequests(tmp_path / "answered" / "p.sqlite", "p", store)


def test_a_retry_is_known_to_every_process_of_the_pod(tmp_path, store):
    first, other = opened(tmp_path, store), opened(tmp_path, store)
    assert first.claim("a", DIGEST, FEATURES, "k1") == "k1"
    first.answered(REPLY, DIGEST)
    assert first.claim("a", DIGEST, FEATURES, "k2") == other.claim("a", DIGEST, FEATURES, "k2") == REPLY
    with pytest.raises(ReusedIdError, match="'a' was given to a request with other content"):
        other.claim("a", digest_of([[{"x": 1.6, "c": "u"}], [None]]), [{"x": 1.6, "c": "u"}], "k2")


def test_a_retry_is_known_from_the_database(tmp_path, store):
    store.record([PredictionRow("p", "a", 0, 3, NOON, FEATURES[0], "true", 0.7, "k1", DIGEST)])
    requests = opened(tmp_path, store)
    found = requests.claim("a", DIGEST, FEATURES, "k2")
    assert found == Reply("a", "k1", 3, [{"prediction": "true", "probability": 0.7}])
    with pytest.raises(ReusedIdError):
        opened(tmp_path / "another pod", store).claim("a", "other", FEATURES, "k2")


@pytest.mark.parametrize(("asked", "retry"), [(FEATURES, True), ([{"x": 2.0, "c": "u"}], False)])
def test_a_request_that_was_stored_before_there_were_digests_is_compared(tmp_path, store, asked, retry):
    store.record([PredictionRow("p", "a", 0, 3, NOON, FEATURES[0], "true", 0.7)])
    requests = opened(tmp_path, store)
    if retry:
        assert requests.claim("a", digest_of([asked, [None]]), asked, "k2").version == 3
    else:
        with pytest.raises(ReusedIdError):
            requests.claim("a", digest_of([asked, [None]]), asked, "k2")


@pytest.mark.slow
def test_an_id_without_an_answer_can_be_asked_again(tmp_path, store):
    requests = opened(tmp_path, store)
    assert requests.claim("a", DIGEST, FEATURES, "k1") == "k1"
    assert requests.claim("a", DIGEST, FEATURES, "k1") == "k1"  # the worker died, or is still at it
    requests.release("a")
    assert requests.claim("a", "other", FEATURES, "k1") == "k1"


def test_a_retry_that_overtakes_its_first_try_gets_the_same_answer(tmp_path, store):
    first, other = opened(tmp_path, store), opened(tmp_path, store)
    assert first.claim("a", DIGEST, FEATURES, "k1") == "k1"
    answering_soon = threading.Timer(0.1, first.answered, [REPLY, DIGEST])
    answering_soon.start()
    assert other.claim("a", DIGEST, FEATURES, "k2") == REPLY
    answering_soon.join()


def test_a_retry_that_is_done_waiting_answers_under_the_id_of_its_first_try(tmp_path, store, monkeypatch):
    monkeypatch.setattr(answering, "LOCK_SECONDS", 0.05)
    first, other = opened(tmp_path, store), opened(tmp_path, store)
    assert first.claim("a", DIGEST, FEATURES, "k1") == "k1"
    assert other.claim("a", DIGEST, FEATURES, "k2") == other.claim("a", DIGEST, FEATURES, "k3") == "k1"
    other.answered(REPLY, DIGEST)
    first.answered(REPLY, DIGEST)
    assert first.claim("a", DIGEST, FEATURES, "k4") == REPLY


def test_an_answer_is_kept_though_the_first_try_has_given_the_id_back(tmp_path, store):
    requests = opened(tmp_path, store)
    requests.claim("a", DIGEST, FEATURES, "k1")
    requests.release("a")
    requests.answered(REPLY, DIGEST)
    assert requests.claim("a", DIGEST, FEATURES, "k2") == REPLY
    requests.answered(Reply("a", "k9", 3, []), "other")
    assert requests.claim("a", DIGEST, FEATURES, "k2") == REPLY


def test_an_id_of_ours_is_claimed_and_not_looked_for_in_the_database(tmp_path):
    slow = Slow()
    requests = opened(tmp_path, slow)
    assert requests.claim("k1", DIGEST, FEATURES, "k1") == "k1"
    assert slow.asked == 0
    with pytest.raises(ReusedIdError):
        requests.claim("k1", "other", FEATURES, "k2")
    requests.answered(replace(REPLY, request_id="k1"), DIGEST)
    assert requests.claim("k1", DIGEST, FEATURES, "k2").prediction_id == "k1"


@pytest.mark.slow
def test_a_file_of_a_release_before_this_one_is_used_on(tmp_path, store):
    (tmp_path / "answered").mkdir()
    with closing(sqlite3.connect(tmp_path / "answered" / "p.sqlite", isolation_level=None)) as file:
        file.execute(
            "CREATE TABLE answered (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, digest TEXT NOT NULL,"
            " reply TEXT, size INTEGER NOT NULL DEFAULT 0)"
        )
        file.execute("INSERT INTO answered (id, digest, reply) VALUES ('a', ?, ?)", (DIGEST, json.dumps(vars(REPLY))))
        file.execute("INSERT INTO answered (id, digest) VALUES ('b', ?)", (DIGEST,))
    pods = [opened(tmp_path, store) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda pod: pod.claim("a", DIGEST, FEATURES, "k2"), pods)) == [REPLY] * 4
    assert pods[0].claim("b", DIGEST, FEATURES, "k3") == "k3"


def test_of_two_contents_at_once_one_is_answered(tmp_path, store):
    pods = [opened(tmp_path, store) for _ in range(8)]
    ready, taken = threading.Barrier(8), []

    def ask(number):
        ready.wait()
        try:
            pods[number].claim("a", f"digest {number}", FEATURES, "k2")
            taken.append(number)
        except ReusedIdError:
            pass

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1


class Slow:
    """A database at the other end of a bad line, which no real one can be made to be."""

    asked = 0

    def answered(self, project, request_id):
        self.asked += 1
        time.sleep(1)


@pytest.mark.slow
def test_a_database_that_does_not_answer_is_left_alone_for_a_while(tmp_path):
    slow = Slow()
    requests = opened(tmp_path, slow)
    for n in range(50):
        assert requests.claim(str(n), DIGEST, FEATURES, "k1") == "k1"
    assert slow.asked == 1


def test_a_database_that_is_down_costs_recognition_and_no_answer(tmp_path):
    (tmp_path / "folder").write_text("in the way")
    down = PredictionStore(f"sqlite:///{tmp_path}/folder/predictions.sqlite")
    requests = opened(tmp_path, down)
    assert requests.claim("a", DIGEST, FEATURES, "k1") == "k1"
    requests.answered(REPLY, DIGEST)
    assert requests.claim("a", DIGEST, FEATURES, "k2") == REPLY


def test_a_file_that_cannot_be_used_costs_recognition_and_no_answer(tmp_path, store):
    (tmp_path / "answered").write_text("in the way")
    requests = opened(tmp_path, store)
    assert requests.claim("a", DIGEST, FEATURES, "k1") == "k1"
    requests.answered(REPLY, DIGEST)
    assert requests.claim("a", DIGEST, FEATURES, "k1") == "k1"


def test_the_file_is_bounded_and_forgets_the_oldest(tmp_path, store, monkeypatch):
    monkeypatch.setattr(answering, "MOST_IDS", 50)
    monkeypatch.setattr(answering, "MOST_BYTES", 20_000)
    monkeypatch.setattr(answering, "_PRUNE_EVERY", 10)
    requests = opened(tmp_path, store)
    for n in range(300):
        requests.claim(str(n), DIGEST, FEATURES, "k2")
        requests.answered(Reply(str(n), f"k{n}", 3, [{"prediction": "x" * 1_000, "probability": 0.5}]), DIGEST)
    (kept, size, newest) = requests._run("SELECT count(*), sum(size), max(place) FROM answered", ())[0]
    assert kept <= 50
    assert size <= 20_000 + 10 * 1_100
    assert newest == 300


@pytest.mark.slow
def test_an_id_outlives_the_worker_that_claimed_it(tmp_path, store):
    script = """
import os, sys
from pathlib import Path
from ciclo.components.serving.answered import AnsweredRequests, Reply
from ciclo.components.storage.predictions import PredictionStore
requests = AnsweredRequests(Path(sys.argv[1]), "p", PredictionStore("sqlite://"))
requests.claim("a", sys.argv[2], [], "k1")
requests.answered(Reply("a", "k1", 3, []), sys.argv[2])
os._exit(9)
"""
    path = tmp_path / "answered" / "p.sqlite"
    done = subprocess.run([sys.executable, "-c", script, str(path), DIGEST], check=False)
    assert done.returncode == 9
    assert opened(tmp_path, store).claim("a", DIGEST, FEATURES, "k2").prediction_id == "k1"
