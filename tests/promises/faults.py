"""What an S3 store promises over a network that loses, cuts, delays and garbles."""

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ciclo.components.core.errors import StorageError
from ciclo.components.core.settings import Settings
from ciclo.components.storage import s3
from ciclo.components.storage.s3 import S3Store, s3_client
from ciclo.components.storage.store import open_store


class Proxy(ThreadingHTTPServer):
    """Passes requests on to the emulator, each with the fault that ``fault`` says.

    ``lose`` drops the request, ``drop`` the answer to a request that was carried out; ``hang`` never answers; ``drip``
    answers byte by byte; ``cut`` sends half the body; ``503``, ``507`` and ``html`` answer for the server.
    """

    daemon_threads = True

    def __init__(self, upstream: str, fault: Callable[[str], str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.fault, self.seen = upstream, fault, list[str]()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is no error here."""


FULL = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its minimum free drive threshold.</Message>
</Error>"""


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
        if fault == "drip":
            self._drip()
            return
        if fault == "507":
            self._answer(507, [("content-type", "application/xml")], FULL)
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

    def _drip(self) -> None:
        with suppress(OSError):
            for _ in range(800):
                self.wfile.write(b"H")
                self.wfile.flush()
                time.sleep(0.05)

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


class FaultyNetworkPromises:
    """Needs a fixture ``s3_settings``, of an empty bucket."""

    @pytest.fixture(autouse=True)
    def _no_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3, "PAUSE", 0.01)

    @pytest.mark.parametrize("fault", ["drop", "lose", "503", "html"])
    def test_a_write_whose_answer_is_lost_is_known_as_our_own(self, s3_settings: Settings, fault: str) -> None:
        with _behind(s3_settings, _first(fault)) as (store, proxy):
            assert store.put_if_absent("claim", b"{}")
            assert proxy.seen[:2] == [f"PUT {fault}", "PUT pass"]
        with _behind(s3_settings, _first("pass", fault)) as (store, _):
            assert store.swap("claim", b"{1}", store.get("claim").etag)
            assert not store.put_if_absent("claim", b"{}")
            assert store.get("claim").data == b"{1}"

    def test_a_refusal_is_not_ours_though_the_bytes_are(self, s3_settings: Settings) -> None:
        open_store(s3_settings.store, s3_settings).put("claim", b"same")
        with _behind(s3_settings, _first("lose")) as (store, _):
            assert not store.put_if_absent("claim", b"same")

    def test_a_write_that_was_done_before_the_server_died_is_known(self, s3_settings: Settings) -> None:
        with _behind(s3_settings, _first("drop", "lose", "503")) as (store, _):
            assert store.put_if_absent("claim", b"{}")

    @pytest.mark.parametrize("fault", ["cut", "drop", "lose", "503"])
    def test_reads_and_lists_are_repeated_until_whole(self, s3_settings: Settings, fault: str, tmp_path: Path) -> None:
        data = bytes(range(256)) * 20_000
        open_store(s3_settings.store, s3_settings).put("a/b", data)
        with _behind(s3_settings, _first(fault, "pass", fault, "pass", fault)) as (store, _):
            assert store.get("a/b").data == data
            store.get_file("a/b", tmp_path / "copy")
            assert (tmp_path / "copy").read_bytes() == data
            assert list(store.list("a/")) == ["a/b"]

    @pytest.mark.parametrize("fault", ["hang", "lose", "drop", "503", "cut"])
    def test_a_dead_server_is_given_up_with_a_named_error(
        self, s3_settings: Settings, fault: str, tmp_path: Path
    ) -> None:
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

    def test_a_server_that_is_never_silent_is_given_up_too(
        self, s3_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(s3, "LIMIT", 0.5)
        monkeypatch.setattr(s3, "FILE_LIMIT", 0.5)
        source = tmp_path / "source"
        source.write_bytes(b"x")
        with _behind(s3_settings, lambda _: "drip") as (store, _):
            for action in (
                lambda: store.get("a"),
                lambda: store.get_file("a", tmp_path / "copy"),
                lambda: store.put_file("a", source),
                lambda: store.put_if_absent("a", b"x"),
                lambda: store.swap("a", b"x", "0"),
                lambda: store.list(""),
            ):
                started = time.monotonic()
                with pytest.raises(StorageError, match="too slow with"):
                    action()
                assert time.monotonic() - started < 20  # it would go on for 40
        assert not (tmp_path / "copy").exists()

    def test_a_full_server_is_named(self, s3_settings: Settings) -> None:
        with _behind(s3_settings, lambda method: "507" if method == "PUT" else "pass") as (store, _):
            for write in (lambda: store.put("a", b"x"), lambda: store.put_if_absent("a", b"x")):
                with pytest.raises(StorageError, match=r"XMinioStorageFull.*Free space"):
                    write()
            assert not store.exists("a")

    def test_no_update_is_lost_in_a_storm_of_faults(self, s3_settings: Settings) -> None:
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
    def test_what_is_wrong_with_the_service_is_said(
        self, s3_settings: Settings, change: dict[str, str], message: str
    ) -> None:
        settings = s3_settings.model_copy(update=change)
        store = open_store(settings.store, settings)
        for action in (
            lambda: store.put("a", b""),
            lambda: store.put_if_absent("a", b""),
            lambda: list(store.list("")),
        ):
            with pytest.raises(StorageError, match=message):
                action()
