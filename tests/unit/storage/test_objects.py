"""The object stores that need no server: a folder, and a bucket in an emulator."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from urllib3.exceptions import ProtocolError

from ciclo.components.core.errors import NotFoundError, SettingsError, StorageError
from ciclo.components.core.settings import Settings
from ciclo.components.storage.directory import DirectoryStore
from ciclo.components.storage.s3 import _complete
from ciclo.components.storage.store import open_store
from tests.depth import rounds
from tests.promises.faults import FaultyNetworkPromises
from tests.promises.objects import Address, ObjectStorePromises


class TestFolder(ObjectStorePromises):
    @pytest.fixture
    def address(self, quick_path: Path) -> Address:
        return f"file://{quick_path / 'store'}", Settings()


@pytest.mark.slow
class TestEmulatedBucket(ObjectStorePromises, FaultyNetworkPromises):
    ROUNDS = rounds(8, 50)  # the emulator is slow; the real server gets them all

    @pytest.fixture
    def address(self, s3_settings: Settings) -> Address:
        return s3_settings.store, s3_settings


def test_a_full_disk_is_named_and_leaves_the_old_object(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
from ciclo.components.core.errors import StorageError
from ciclo.components.storage.directory import DirectoryStore
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


def test_a_body_that_was_cut_short_is_a_fault_of_the_network() -> None:
    response = SimpleNamespace(headers={"content-length": "1200"})
    _complete(response, 1200)
    with pytest.raises(ProtocolError, match="3 of 1,200 bytes came"):
        _complete(response, 3)
