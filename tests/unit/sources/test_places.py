"""Files, buckets and web servers as places of data; databases and the real MinIO are in the services tier."""

import base64
import http.server
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ciclo.components.core.errors import DataError
from ciclo.components.core.settings import Settings
from ciclo.components.sources.places import web
from ciclo.components.sources.places.place import SourceFile
from ciclo.components.storage.s3 import S3Store, s3_client
from tests.unit.sources.places import TABLE, FolderPromises, Promises, read


class Folder:
    """Files of this machine."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings

    def put(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    def missing(self) -> str:
        return str(self.folder / "nothing.csv")


class Bucket:
    """Objects of an S3 store."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.bucket = settings, settings.store.removeprefix("s3://").partition("/")[0]

    def put(self, name: str, data: bytes) -> str:
        S3Store(s3_client(self.settings), self.bucket, is_foreign=True).put(f"data/{name}", data)
        return f"s3://{self.bucket}/data/{name}"

    def missing(self) -> str:
        return f"s3://{self.bucket}/data/nothing.csv"


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives what the test put there."""

    def do_GET(self) -> None:
        shelf: Web = self.server.shelf  # type: ignore[attr-defined]
        shelf.asked.append(dict(self.headers))
        body, path = shelf.files.get(self.path), self.path
        if path in shelf.redirects:
            self.send_response(302)
            self.send_header("Location", shelf.redirects[path])
            self.end_headers()
            return
        self.send_response(200 if body is not None else 404)
        body = body or b""
        self.send_header("Content-Length", str(len(body) + shelf.short))
        self.end_headers()
        for start in range(0, len(body), 100):
            self.wfile.write(body[start : start + 100])
            time.sleep(shelf.pause)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Web:
    """A web server of this machine."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.short, self.pause = 0, 0.0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.shelf = self  # type: ignore[attr-defined]
        self.root = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, name: str, data: bytes) -> str:
        self.files[f"/{name}"] = data
        return f"{self.root}/{name}"

    def missing(self) -> str:
        return f"{self.root}/nothing.csv"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def server(settings: Settings) -> Iterator[Web]:
    shelf = Web(settings)
    yield shelf
    shelf.server.shutdown()
    shelf.server.server_close()


class TestFiles(FolderPromises):
    @pytest.fixture
    def shelf(self, tmp_path: Path, settings: Settings) -> Folder:
        folder = tmp_path / "data"
        folder.mkdir()
        return Folder(folder, settings)

    def test_a_folder_is_its_data_files(self, shelf: Folder, tmp_path: Path) -> None:
        shelf.put("b.csv", TABLE.encode())
        shelf.put("a.csv", TABLE.encode())
        shelf.put("notes.md", b"not a table")
        found = read(shelf, str(shelf.folder), tmp_path / "a")
        assert found.source.rows == 40
        assert [file.path.name for file in found.source.files] == ["a.csv", "b.csv"]

    def test_links_are_followed_but_not_round_and_a_line_break_is_a_value(self, shelf: Folder, tmp_path: Path) -> None:
        shelf.put("real/1.csv", TABLE.encode())
        shelf.put("table/year=1/m=a\nb/1.csv", TABLE.encode())
        for link in ("m=0", "m=2"):
            (shelf.folder / "table/year=1" / link).symlink_to(shelf.folder / "real")
        (shelf.folder / "table/year=1/m=1").symlink_to(shelf.folder / "table")
        found = read(shelf, str(shelf.folder / "table"), tmp_path / "a")
        assert sorted({(row["year"], row["m"]) for row in found.rows}) == [("1", "0"), ("1", "2"), ("1", "a\nb")]
        assert found.source.rows == 60

    @pytest.mark.parametrize("change", ["longer", "same length", "gone", "replaced"])
    def test_a_file_that_is_written_to_meanwhile_is_no_source(self, shelf: Folder, change: str) -> None:
        path = Path(shelf.put("table.csv", TABLE.encode()))
        found = SourceFile.in_place(path)
        found.require_unchanged()
        if change == "gone":
            path.unlink()
        elif change == "replaced":
            (path.parent / "new").write_bytes(TABLE.encode())
            os.replace(path.parent / "new", path)
        else:
            path.write_bytes(TABLE.encode() + b"x" * (change == "longer"))
        with pytest.raises(DataError, match="changed while it was being read"):
            found.require_unchanged()


class TestBuckets(FolderPromises):
    @pytest.fixture
    def shelf(self, s3_settings: Settings) -> Bucket:
        assert s3_client(s3_settings) is not None
        return Bucket(s3_settings)

    def test_a_prefix_is_its_data_files(self, shelf: Bucket, tmp_path: Path) -> None:
        for name in ("b.csv", "a.csv", "_SUCCESS", "deeper/c.csv"):
            address = shelf.put(name, TABLE.encode())
        found = read(shelf, address.removesuffix("deeper/c.csv"), tmp_path / "a")
        assert [file.name.rpartition("/")[2] for file in found.source.files] == ["a.csv", "b.csv"]

    def test_the_limits_are_of_all_objects_and_hold_while_they_come(self, shelf: Bucket, tmp_path: Path) -> None:
        for name in ("a.csv", "b.csv"):
            address = shelf.put(name, TABLE.encode() * 9_000)
        size = len(TABLE) * 9_000
        assert size > 2 << 20
        for limit, fetched in ((1 << 20, []), (size + 1, ["object-0"])):
            shelf.settings = shelf.settings.model_copy(update={"source_bytes": limit})
            with pytest.raises(DataError, match="larger than a source may be"):
                read(shelf, address.removesuffix("b.csv"), tmp_path / str(limit))
            assert [path.name for path in (tmp_path / str(limit)).iterdir()] == fetched

    def test_a_bucket_that_takes_too_long_is_given_up(self, shelf: Bucket, tmp_path: Path) -> None:
        address = shelf.put("table.csv", TABLE.encode())
        shelf.settings = shelf.settings.model_copy(update={"source_seconds": 1e-6})
        with pytest.raises(DataError, match="took longer than"):
            read(shelf, address, tmp_path / "a")


class TestWeb(Promises):
    @pytest.fixture
    def shelf(self, server: Web) -> Web:
        return server


def test_what_breaks_off_is_no_table(server: Web, tmp_path: Path) -> None:
    address, server.short = server.put("table.csv", TABLE.encode()), 50
    with pytest.raises(DataError, match="cannot be read"):
        read(server, address, tmp_path / "a")


@pytest.mark.slow
def test_what_takes_too_long_is_given_up(server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_CHUNK", 100)
    address, server.pause = server.put("table.csv", TABLE.encode() * 20), 0.05
    server.settings = server.settings.model_copy(update={"source_seconds": 0.3})
    with pytest.raises(DataError, match=r"took longer than 0.3 s"):
        read(server, address, tmp_path / "a")


@pytest.mark.slow
def test_the_password_goes_to_the_server_it_is_meant_for(server: Web, tmp_path: Path) -> None:
    other = Web(server.settings)
    try:
        server.settings = server.settings.model_copy(
            update={"source_user": "ann", "source_password": Settings(source_password="x y").source_password}
        )
        address = server.put("table.csv", b"")
        server.redirects["/table.csv"] = other.put("table.csv", TABLE.encode())
        assert read(server, address, tmp_path / "a").source.rows == 20
        assert server.asked[0]["authorization"] == "Basic " + base64.b64encode(b"ann:x y").decode()
        assert "authorization" not in {name.lower() for name in other.asked[0]}
    finally:
        other.server.shutdown()
        other.server.server_close()


def test_a_public_server_cannot_send_us_to_a_private_address(
    server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first address counts as public here, the one it redirects to is what it is: of this machine."""
    resolved = web._resolved
    monkeypatch.setattr(web, "_resolved", lambda parts, name: (resolved(parts, name)[0], "secret" in parts.path))
    server.put("secret.csv", TABLE.encode())
    address = server.put("table.csv", b"")
    server.redirects["/table.csv"] = "/secret.csv"
    with pytest.raises(DataError, match="redirects to a private address"):
        read(server, address, tmp_path / "a")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("host", "private"),
    [("127.0.0.1", True), ("169.254.169.254", True), ("10.0.0.1", True), ("[::1]", True), ("8.8.8.8", False)],
)
def test_which_addresses_are_private(host: str, private: bool) -> None:
    assert web._resolved(web.urlsplit(f"http://{host}/x"), "x")[1] is private


@pytest.mark.parametrize("to", ["ftp://host/x", "file:///etc/passwd"])
def test_only_the_web_is_redirected_to(server: Web, tmp_path: Path, to: str) -> None:
    address = server.put("table.csv", b"")
    server.redirects["/table.csv"] = to
    with pytest.raises(DataError, match="another kind"):
        read(server, address, tmp_path / "a")


def test_a_circle_of_redirects_ends(server: Web, tmp_path: Path) -> None:
    address = server.put("table.csv", b"")
    server.redirects["/table.csv"] = "/table.csv"
    with pytest.raises(DataError, match="redirects more than"):
        read(server, address, tmp_path / "a")


def test_a_database_is_asked_something(settings: Settings, tmp_path: Path) -> None:
    class Shelf:
        pass

    shelf = Shelf()
    shelf.settings = settings  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="nothing is selected"):
        read(shelf, "postgresql://127.0.0.1:1/x", tmp_path / "a")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="cannot be answered"):
        read(shelf, "postgresql://127.0.0.1:1/x", tmp_path / "b", query="SELECT 1")  # type: ignore[arg-type]


def test_an_address_of_another_kind_is_refused(settings: Settings, tmp_path: Path) -> None:
    shelf = Folder(tmp_path, settings)
    with pytest.raises(DataError, match="unknown kind"):
        read(shelf, "gopher://x/y", tmp_path / "a")
