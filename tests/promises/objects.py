"""What every object store promises, under races and kills; a test class for one of them says where it is."""

import filecmp
import json
import multiprocessing
import random
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ciclo.components.core.errors import DataError, NotFoundError, StorageError
from ciclo.components.core.settings import Settings
from ciclo.components.storage.objects import CHUNK, ObjectStore
from ciclo.components.storage.store import open_store

FORK = multiprocessing.get_context("fork")
WRITERS = 8
Address = tuple[str, Settings]


class ObjectStorePromises:
    """Needs a fixture ``address``, of an empty store."""

    ROUNDS = 200

    @pytest.fixture
    def store(self, address: Address) -> ObjectStore:
        return open_store(*address)

    def test_what_was_put_is_read_back_and_replaced(self, store: ObjectStore) -> None:
        store.put("a/b.json", b"one")
        first = store.get("a/b.json")
        store.put("a/b.json", b"two")
        second = store.get("a/b.json")
        assert (first.data, second.data) == (b"one", b"two")
        assert first.etag != second.etag
        assert store.exists("a/b.json")

    def test_an_absent_object_is_named(self, store: ObjectStore, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="a/b"):
            store.get("a/b")
        with pytest.raises(NotFoundError, match="a/b"):
            store.get_file("a/b", tmp_path / "copy")
        assert not store.exists("a/b")
        assert not (tmp_path / "copy").exists()
        store.delete("a/b")

    def test_put_if_absent_writes_once(self, store: ObjectStore) -> None:
        assert store.put_if_absent("claim", b"mine")
        assert not store.put_if_absent("claim", b"yours")
        assert not store.put_if_absent("claim", b"mine")  # the same bytes are not the same writer
        assert store.get("claim").data == b"mine"

    def test_swap_replaces_only_what_was_read(self, store: ObjectStore) -> None:
        assert not store.swap("pointer", b"x", "0" * 32)
        store.put("pointer", b"1")
        seen = store.get("pointer")
        assert store.swap("pointer", b"2", seen.etag)
        assert not store.swap("pointer", b"3", seen.etag)
        assert store.get("pointer").data == b"2"

    def test_list_gives_sorted_keys_below_a_prefix_and_nothing_else(self, store: ObjectStore) -> None:
        for key in ("p/b", "p/a/x", "p/a.x", "p-2/a", "q"):
            store.put(key, b"")
        store.put("p/gone", b"")
        store.delete("p/gone")
        assert list(store.list("p/")) == ["p/a.x", "p/a/x", "p/b"]
        assert list(store.list("p")) == ["p-2/a", "p/a.x", "p/a/x", "p/b"]
        assert list(store.list("p/a/")) == ["p/a/x"]
        assert list(store.list("none/")) == []
        assert list(store.list("")) == ["p-2/a", "p/a.x", "p/a/x", "p/b", "q"]

    @pytest.mark.parametrize(
        "key",
        ["../x", "a/../../x", "/etc/passwd", "a//b", "", "a/", ".lock", "a/.hidden", "a\\b", "a\nb", "a\0b", "x" * 300],
    )
    def test_a_key_cannot_leave_the_store(self, store: ObjectStore, key: str, tmp_path: Path) -> None:
        actions: list[Callable[[], object]] = [
            lambda: store.put(key, b"x"),
            lambda: store.get(key),
            lambda: store.put_if_absent(key, b"x"),
            lambda: store.delete(key),
            lambda: store.list(f"{key}/x"),
            lambda: store.get_file(key, tmp_path / "copy"),
        ]
        for action in actions:
            with pytest.raises(StorageError, match="plain names"):
                action()
        assert list(store.list("")) == []

    def test_large_files_stream(self, store: ObjectStore, tmp_path: Path) -> None:
        source, copy = tmp_path / "source", tmp_path / "copy"
        block = random.Random(0).randbytes(1 << 20)
        with source.open("wb") as file:
            for number in range(100):
                file.write(number.to_bytes(4) + block)
        tracemalloc.start()
        store.put_file("big", source)
        store.get_file("big", copy)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 50 << 20
        assert filecmp.cmp(source, copy, shallow=False)
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_who_reads_a_file_may_stop_it(self, store: ObjectStore, tmp_path: Path) -> None:
        came: list[int] = []

        def allow(size: int) -> None:
            came.append(size)
            if size > 2 * CHUNK:
                raise DataError("enough")

        store.put("big", b"x" * (5 * CHUNK))
        with pytest.raises(DataError, match="enough"):
            store.get_file("big", tmp_path / "copy", allow)
        assert came == sorted(came)
        assert came[-1] <= 4 * CHUNK
        assert list(tmp_path.iterdir()) == []
        store.get_file("big", tmp_path / "copy", came.append)
        assert came[-1] == (tmp_path / "copy").stat().st_size == 5 * CHUNK

    def test_a_missing_local_file_is_not_called_a_missing_object(self, store: ObjectStore, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="No such file") as caught:
            store.put_file("a", tmp_path / "none")
        assert not isinstance(caught.value, NotFoundError)

    def test_of_many_threads_exactly_one_wins(self, store: ObjectStore) -> None:
        store.put("counter", b'{"value": 0}')
        with ThreadPoolExecutor(WRITERS) as pool:
            results = list(pool.map(lambda writer: _race(store, writer, self.ROUNDS), range(WRITERS)))
        _check_race(results, self.ROUNDS, store)

    @pytest.mark.slow
    def test_of_many_processes_exactly_one_wins(self, address: Address, tmp_path: Path) -> None:
        store = open_store(*address)
        store.put("counter", b'{"value": 0}')
        files = [tmp_path / f"{writer}.json" for writer in range(WRITERS)]
        processes = [
            FORK.Process(target=_race_process, args=(address, n, self.ROUNDS, file)) for n, file in enumerate(files)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
        _check_race([json.loads(file.read_text()) for file in files], self.ROUNDS, store)

    @pytest.mark.slow
    def test_a_killed_writer_leaves_nothing_half(self, address: Address, tmp_path: Path) -> None:
        store, rng, written = open_store(*address), random.Random(1), 0
        for kill in range(8):
            log = tmp_path / f"w{kill}"
            log.touch()
            process = FORK.Process(target=_write_forever, args=(address, log))
            process.start()
            while not log.read_text() and process.is_alive():
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.05))
            process.kill()
            process.join()
            acknowledged = [int(line) for line in log.read_text().split()]
            written += len(acknowledged)
            for number in acknowledged:
                assert store.exists(f"claim/{log.name}-{number}")
        assert written >= 8
        keys = list(store.list("round/"))
        assert len(keys) >= written
        for key in keys:
            assert store.get(key).data == key.rpartition("-")[2].encode() * 50_000
        assert store.put_if_absent("after", b"works")


def _race(store: ObjectStore, writer: int, rounds: int) -> dict[str, list[int]]:
    """Claim every round, and count up one shared number once a round."""
    won = [number for number in range(rounds) if store.put_if_absent(f"claims/{number}", b"same bytes")]
    counted = []
    for _ in range(rounds):
        while True:
            seen = store.get("counter")
            value = json.loads(seen.data)["value"] + 1
            if store.swap("counter", json.dumps({"value": value, "by": writer}).encode(), seen.etag):
                counted.append(value)
                break
    return {"won": won, "counted": counted}


def _check_race(results: list[dict[str, list[int]]], rounds: int, store: ObjectStore) -> None:
    assert sorted(n for r in results for n in r["won"]) == list(range(rounds))
    assert sorted(n for r in results for n in r["counted"]) == list(range(1, WRITERS * rounds + 1))
    assert json.loads(store.get("counter").data)["value"] == WRITERS * rounds


def _race_process(address: Address, writer: int, rounds: int, path: Path) -> None:
    path.write_text(json.dumps(_race(open_store(*address), writer, rounds)))


def _write_forever(address: Address, path: Path) -> None:
    store = open_store(*address)
    with path.open("a") as log:
        for number in range(100_000):
            store.put(f"round/{path.name}-{number}", str(number).encode() * 50_000)
            assert store.put_if_absent(f"claim/{path.name}-{number}", b"x")
            log.write(f"{number}\n")
            log.flush()
