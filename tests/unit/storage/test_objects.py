"""One contract for every object store: a folder and a bucket, under races, faults and kills."""

import http.client
import json
import multiprocessing
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from components.core.errors import NotFoundError, SettingsError, StorageError
from components.core.settings import Settings
from components.storage import s3
from components.storage.objects import DirectoryStore, ObjectStore, open_store
from components.storage.s3 import S3Store, s3_client

WRITERS = 8
ROUNDS = 8
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "PAUSE", 0.01)


@pytest.fixture(params=["folder", "s3"])
def address(request: pytest.FixtureRequest, quick_path: Path) -> tuple[str, Settings]:
    if request.param == "s3":
        settings = request.getfixturevalue("s3_settings")
        return settings.store, settings
    return f"file://{quick_path / 'store'}", Settings()


@pytest.fixture
def store(address: tuple[str, Settings]) -> ObjectStore:
    return open_store(*address)


def test_what_was_put_is_read_back_and_replaced(store: ObjectStore) -> None:
    store.put("a/b.json", b"one")
    first = store.get("a/b.json")
    store.put("a/b.json", b"two")
    second = store.get("a/b.json")
    assert (first.data, second.data) == (b"one", b"two")
    assert first.etag != second.etag
    assert store.exists("a/b.json")


def test_an_absent_object_is_named(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="a/b"):
        store.get("a/b")
    with pytest.raises(NotFoundError, match="a/b"):
        store.get_file("a/b", tmp_path / "copy")
    assert not store.exists("a/b")
    assert not (tmp_path / "copy").exists()
    store.delete("a/b")


def test_put_if_absent_writes_once(store: ObjectStore) -> None:
    assert store.put_if_absent("claim", b"mine")
    assert not store.put_if_absent("claim", b"yours")
    assert not store.put_if_absent("claim", b"mine")  # the same bytes are not the same writer
    assert store.get("claim").data == b"mine"


def test_swap_replaces_only_what_was_read(store: ObjectStore) -> None:
    assert not store.swap("pointer", b"x", "0" * 32)
    store.put("pointer", b"1")
    seen = store.get("pointer")
    assert store.swap("pointer", b"2", seen.etag)
    assert not store.swap("pointer", b"3", seen.etag)
    assert store.get("pointer").data == b"2"


def test_list_gives_sorted_keys_below_a_prefix_and_nothing_else(store: ObjectStore) -> None:
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
def test_a_key_cannot_leave_the_store(store: ObjectStore, key: str, tmp_path: Path) -> None:
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


def test_large_files_stream(store: ObjectStore, tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    block = random.Random(0).randbytes(1 << 20)
    with source.open("wb") as file:
        for number in range(40):
            file.write(number.to_bytes(4) + block)
    store.put_file("big", source)
    store.get_file("big", copy)
    assert copy.stat().st_size == source.stat().st_size
    assert copy.read_bytes() == source.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


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


def test_of_many_threads_exactly_one_wins(store: ObjectStore) -> None:
    store.put("counter", b'{"value": 0}')
    with ThreadPoolExecutor(WRITERS) as pool:
        results = list(pool.map(lambda writer: _race(store, writer, ROUNDS), range(WRITERS)))
    _check_race(results, ROUNDS, store)


def _race_process(address: tuple[str, Settings], writer: int, path: Path) -> None:
    path.write_text(json.dumps(_race(open_store(*address), writer, ROUNDS)))


def test_of_many_processes_exactly_one_wins(address: tuple[str, Settings], tmp_path: Path) -> None:
    store = open_store(*address)
    store.put("counter", b'{"value": 0}')
    files = [tmp_path / f"{writer}.json" for writer in range(WRITERS)]
    processes = [FORK.Process(target=_race_process, args=(address, n, file)) for n, file in enumerate(files)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    _check_race([json.loads(file.read_text()) for file in files], ROUNDS, store)


def _write_forever(address: tuple[str, Settings], path: Path) -> None:
    store = open_store(*address)
    with path.open("a") as log:
        for number in range(100_000):
            store.put(f"round/{path.name}-{number}", str(number).encode() * 50_000)
            assert store.put_if_absent(f"claim/{path.name}-{number}", b"x")
            log.write(f"{number}\n")
            log.flush()


def test_a_killed_writer_leaves_nothing_half(address: tuple[str, Settings], tmp_path: Path) -> None:
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


def test_a_full_disk_is_named_and_leaves_the_old_object(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
from components.core.errors import StorageError
from components.storage.objects import DirectoryStore
store = DirectoryStore(Path(sys.argv[1]))
store.put("a", b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write in (lambda: store.put("a", b"x" * 5000), lambda: store.put_if_absent("b", b"x" * 5000)):
    try:
        write()
    except StorageError as error:
        print(error)
print(store.get("a").data, list(store.list("")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.count("File too large") == 2
    assert done.stdout.endswith("b'old' ['a']\n")
    assert list((tmp_path / ".drafts").iterdir()) == []


def test_a_missing_local_file_is_not_called_a_missing_object(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file") as caught:
        store.put_file("a", tmp_path / "none")
    assert not isinstance(caught.value, NotFoundError)


# Faults between the client and the S3 service.


class Proxy(ThreadingHTTPServer):
    """Passes requests on to the emulator, each with the fault that ``fault`` says.

    ``lose`` drops the request, ``drop`` the answer to a request that was carried out; ``hang`` never answers; ``cut``
    sends half the body; ``503`` and ``html`` answer for the server.
    """

    daemon_threads = True

    def __init__(self, upstream: str, fault: Callable[[str], str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.fault, self.seen = upstream, fault, list[str]()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is no error here."""


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fault = self.server.fault(self.command)
        self.server.seen.append(f"{self.command} {fault}")
        self.close_connection = fault != "pass"
        if fault == "lose":
            return
        if fault == "hang":
            time.sleep(3)
            return
        if fault in ("503", "html"):
            self._answer(503 if fault == "503" else 502, [("content-type", "text/html")], b"<html>busy</html>")
            return
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        if fault != "drop":
            headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in ("connection", "transfer-encoding")]
            self._answer(answer.status, headers, data, cut=fault == "cut")

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, cut: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        promised = {name.lower(): value for name, value in headers}.get("content-length", "0")
        self.send_header("content-length", promised if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _relay  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def _behind(settings: Settings, fault: Callable[[str], str], timeout: float = 5.0) -> Iterator[tuple[S3Store, Proxy]]:
    proxy = Proxy(settings.s3_endpoint, fault)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        client = s3_client(settings.model_copy(update={"s3_endpoint": f"127.0.0.1:{proxy.server_port}"}), timeout)
        yield S3Store(client, *settings.store.removeprefix("s3://").split("/")), proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def _first(*faults: str) -> Callable[[str], str]:
    """The first requests go wrong, the others pass."""
    queue = list(faults)
    return lambda _: queue.pop(0) if queue else "pass"


@pytest.mark.parametrize("fault", ["drop", "lose", "503", "html"])
def test_a_write_whose_answer_is_lost_is_known_as_our_own(s3_settings: Settings, fault: str) -> None:
    with _behind(s3_settings, _first(fault)) as (store, proxy):
        assert store.put_if_absent("claim", b"{}")
        assert proxy.seen[:2] == [f"PUT {fault}", "PUT pass"]
    with _behind(s3_settings, _first("pass", fault)) as (store, _):
        assert store.swap("claim", b"{1}", store.get("claim").etag)
        assert not store.put_if_absent("claim", b"{}")
        assert store.get("claim").data == b"{1}"


def test_a_refusal_is_not_ours_though_the_bytes_are(s3_settings: Settings) -> None:
    open_store(s3_settings.store, s3_settings).put("claim", b"same")
    with _behind(s3_settings, _first("lose")) as (store, _):
        assert not store.put_if_absent("claim", b"same")


def test_a_write_that_was_done_before_the_server_died_is_known(s3_settings: Settings) -> None:
    with _behind(s3_settings, _first("drop", "lose", "503")) as (store, _):
        assert store.put_if_absent("claim", b"{}")


@pytest.mark.parametrize("fault", ["cut", "drop", "lose", "503"])
def test_reads_and_lists_are_repeated_until_whole(s3_settings: Settings, fault: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    open_store(s3_settings.store, s3_settings).put("a/b", data)
    with _behind(s3_settings, _first(fault, "pass", fault, "pass", fault)) as (store, _):
        assert store.get("a/b").data == data
        store.get_file("a/b", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == data
        assert list(store.list("a/")) == ["a/b"]


@pytest.mark.parametrize("fault", ["hang", "lose", "drop", "503", "cut"])
def test_a_dead_server_is_given_up_with_a_named_error(s3_settings: Settings, fault: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100)
    open_store(s3_settings.store, s3_settings).put("there", b"x" * 1000)
    with _behind(s3_settings, lambda _: fault, timeout=0.1) as (store, proxy):
        with pytest.raises(StorageError, match="CICLO_S3_ENDPOINT"):
            store.get("there")
        with pytest.raises(StorageError):
            store.get_file("there", tmp_path / "copy")
        if fault != "cut":
            for write in (
                lambda: store.put_if_absent("b", b"x"),
                lambda: store.put_file("b", source),
                lambda: store.swap("there", b"y", "0"),
            ):
                with pytest.raises(StorageError):
                    write()
        assert len(proxy.seen) <= 7 * s3.ATTEMPTS
    assert not (tmp_path / "copy").exists()


def test_no_update_is_lost_in_a_storm_of_faults(s3_settings: Settings) -> None:
    rng = random.Random(7)
    kinds = ["pass"] * 6 + ["drop", "lose", "503", "cut"]

    def add(store: S3Store, writer: int) -> list[str]:
        done = []
        for step in range(15):
            name = f"{writer}-{step}"
            with suppress(StorageError):
                seen = store.get("tally")
                if store.swap("tally", seen.data + f"{name}\n".encode(), seen.etag):
                    done.append(name)
        return done

    open_store(s3_settings.store, s3_settings).put("tally", b"\n")
    with _behind(s3_settings, lambda _: rng.choice(kinds)) as (store, proxy), ThreadPoolExecutor(4) as pool:
        done = [name for names in pool.map(lambda writer: add(store, writer), range(4)) for name in names]
        assert sum(line.endswith("drop") for line in proxy.seen) > 10
    lines = open_store(s3_settings.store, s3_settings).get("tally").data.decode().split()
    assert len(done) > 10
    assert set(done) <= set(lines)
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"store": "s3://no-such-bucket/x"}, "Create the bucket"),
        ({"s3_endpoint": "127.0.0.1:1"}, "CICLO_S3_ENDPOINT"),
    ],
    ids=["no bucket", "no server"],
)
def test_what_is_wrong_with_the_service_is_said(s3_settings: Settings, change: dict[str, str], message: str) -> None:
    settings = s3_settings.model_copy(update=change)
    store = open_store(settings.store, settings)
    for action in (lambda: store.put("a", b""), lambda: store.put_if_absent("a", b""), lambda: list(store.list(""))):
        with pytest.raises(StorageError, match=message):
            action()


@pytest.mark.parametrize("uri", ["", "ftp://x", "file://relative", "s3://", "/plain/path"])
def test_an_address_of_another_kind_is_refused(uri: str) -> None:
    with pytest.raises(SettingsError, match="s3://bucket"):
        open_store(uri, Settings(s3_endpoint="x:1"))


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/a b#c%20?", Settings())
    store.put("k", b"v")
    assert (tmp_path / "a b#c%20?" / "k").read_bytes() == b"v"


def test_an_s3_store_needs_an_endpoint() -> None:
    with pytest.raises(SettingsError, match="CICLO_S3_ENDPOINT"):
        open_store("s3://bucket", Settings())


def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="rights"):
        DirectoryStore(tmp_path / "file").put("a", b"")


def test_an_object_cannot_be_a_folder_too(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("a", b"")
    with pytest.raises(StorageError, match="a/b"):
        store.put_if_absent("a/b", b"")
    with pytest.raises(NotFoundError):
        store.get("a/b")
