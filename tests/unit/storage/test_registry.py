"""Versions, pointers and their history, under races, lost answers and kills."""

import atexit
import json
import multiprocessing
import random
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.core.errors import ConflictError, IntegrityError, NotFoundError, StorageError
from components.core.settings import Settings
from components.storage import aliases
from components.storage.objects import DirectoryStore, ObjectStore, Stored, open_store
from components.storage.registry import Alias, Move, Registry, open_registry
from components.storage.signing import Signer, Trust, make_keys
from tests.versions import files

FORK = multiprocessing.get_context("fork")
KEYS = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, KEYS)
PRIVATE, PUBLIC = make_keys(KEYS / "publisher")
SIGNER = Signer.read(PRIVATE)
TRUST = Trust.of(SIGNER.key.public_key())


@pytest.fixture(params=["folder", "s3"])
def settings(request: pytest.FixtureRequest, local: Settings) -> Settings:
    if request.param == "folder":
        return local
    shared: Settings = request.getfixturevalue("s3_settings")
    return shared.model_copy(update={"private_key": PRIVATE, "public_keys": (PUBLIC,)})


@pytest.fixture
def local(quick_path: Path) -> Settings:
    return Settings(home=quick_path / "home", private_key=PRIVATE, public_keys=(PUBLIC,))


def _publish(settings: Settings, project: str = "unit") -> int:
    return open_registry(project, settings).publish(files(), signer=SIGNER, parent=None)


def _move(registry: Registry, name: str, version: int, *, expected: Alias | None, by: str, why: str) -> Alias:
    return registry.move(name, version, Move(by, why), expected=expected, signer=SIGNER)


def test_a_version_is_published_pointed_at_and_fetched(settings: Settings, tmp_path: Path) -> None:
    registry = open_registry("unit", settings)
    assert registry.versions() == []
    assert registry.alias("champion") is None
    assert registry.alias("previous") is None
    assert [_publish(settings) for _ in range(3)] == registry.versions() == [1, 2, 3]
    first = _move(registry, "champion", 1, expected=None, by="run 1", why="first")
    assert registry.alias("champion") == first
    bundle = registry.fetch(first.version, tmp_path / "bundle")
    assert bundle.digest == first.digest
    assert bundle.model().predict(bundle.contract.parse(bundle.golden["rows"])).shape == (2,)
    assert open_registry("other", settings).versions() == []


def test_previous_follows_the_champion_in_one_step(local: Settings) -> None:
    registry = open_registry("unit", local)
    for _ in range(3):
        _publish(local)
    champion = None
    for version, previous in ((1, None), (2, 1), (3, 2), (3, 2), (2, 3)):
        champion = _move(registry, "champion", version, expected=champion, by="me", why="test")
        found = registry.alias("previous")
        assert (found.version if found else None) == previous
    _move(registry, "candidate", 3, expected=None, by="me", why="try")
    assert registry.alias("candidate") != registry.alias("champion")
    with pytest.raises(StorageError, match="follows"):
        _move(registry, "previous", 1, expected=None, by="me", why="no")


def test_every_move_is_in_the_history_with_who_and_why(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    versions = [_publish(settings), _publish(settings)]
    one = _move(registry, "champion", versions[0], expected=None, by="run 1", why="first")
    two = _move(registry, "candidate", versions[1], expected=None, by="run 2", why="second")
    three = _move(registry, "champion", versions[1], expected=one, by="ann", why="better")
    history = registry.history()
    assert [(m["alias"], m["version"], m["by"], m["why"], m["sequence"]) for m in history] == [
        ("champion", 1, "run 1", "first", 1),
        ("candidate", 2, "run 2", "second", 1),
        ("champion", 2, "ann", "better", 2),
    ]
    assert [m["nonce"] for m in history] == [one.nonce, two.nonce, three.nonce]
    assert sorted(m["moved_at"] for m in history) == [m["moved_at"] for m in history]


def test_a_move_from_what_is_no_longer_so_is_refused(local: Settings) -> None:
    registry = open_registry("unit", local)
    for _ in range(2):
        _publish(local)
    first = _move(registry, "champion", 1, expected=None, by="a", why="")
    second = _move(registry, "champion", 2, expected=first, by="b", why="")
    back = _move(registry, "champion", 1, expected=second, by="c", why="rollback")
    assert (back.version, back.digest) == (first.version, first.digest)
    for stale in (None, first, second):  # first points at the same version as back: not the same move
        with pytest.raises(ConflictError, match="by c"):
            _move(registry, "champion", 2, expected=stale, by="d", why="")
    with pytest.raises(NotFoundError, match="no version 7"):
        _move(registry, "champion", 7, expected=back, by="d", why="")
    assert registry.alias("champion") == back


def test_a_clock_that_is_set_back_does_not_reorder_the_history(
    local: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = open_registry("unit", local)
    _publish(local)
    for number, by in enumerate("abc"):
        clock = SimpleNamespace(now=lambda _, day=9 - number: datetime(2030, 1, day, tzinfo=UTC))
        monkeypatch.setattr(aliases, "datetime", clock)
        _move(registry, "champion", 1, expected=registry.alias("champion"), by=by, why="")
    assert [m["by"] for m in registry.history()] == ["a", "b", "c"]
    assert {m["moved_at"][:10] for m in registry.history()} == {"2030-01-09"}


def test_of_many_movers_exactly_one_wins_each_round(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    _publish(settings)
    expected: Alias | None = None

    def attempt(mover: int) -> Alias | None:
        try:
            return _move(registry, "champion", 1, expected=expected, by=f"mover {mover}", why="race")
        except ConflictError:
            return None

    with ThreadPoolExecutor(8) as pool:
        for sequence in range(1, 6):
            winners = [alias for alias in pool.map(attempt, range(8)) if alias is not None]
            assert len(winners) == 1
            expected = winners[0]
            assert expected.sequence == sequence
    assert [m["sequence"] for m in registry.history()] == [1, 2, 3, 4, 5]


def test_publishers_at_once_never_share_a_number(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(registry.publish, files(), signer=SIGNER, parent=None) for _ in range(16)]
        numbers = [future.result() for future in futures]
    assert sorted(numbers) == registry.versions() == list(range(1, 17))


def _publish_forever(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    for _ in range(1000):
        version = registry.publish(files(), signer=SIGNER, parent=None)
        _move(registry, "champion", version, expected=registry.alias("champion"), by="loop", why="test")


@pytest.mark.parametrize(("settings", "kills"), [("folder", 50), ("s3", 8)], indirect=["settings"])
def test_a_killed_publisher_never_leaves_half_a_version(settings: Settings, kills: int, tmp_path: Path) -> None:
    registry, rng = open_registry("unit", settings), random.Random(3)
    _publish(settings)
    champion = _move(registry, "champion", 1, expected=None, by="test", why="start")
    started = time.monotonic()
    _publish(settings)
    patience = 2 * (time.monotonic() - started)
    checked = set[int]()
    for kill in range(kills):
        process = FORK.Process(target=_publish_forever, args=(settings,))
        process.start()
        time.sleep(rng.uniform(0, patience))
        process.kill()
        process.join()
        now = registry.alias("champion")
        assert now is not None
        assert now.sequence >= champion.sequence
        champion = now
        for version in set(registry.versions()) - checked:
            assert registry.fetch(version, tmp_path / f"{kill}-{version}").version == version
            checked.add(version)
        assert champion.version in checked
    assert len(checked) > 1
    history = [m for m in registry.history() if m["alias"] == "champion"]
    assert [m["sequence"] for m in history] == list(range(1, champion.sequence + 1))
    claimed = len(list(open_store(settings.store_uri, settings).list("projects/unit/numbers/")))
    assert claimed > len(checked)  # some died in the middle
    assert _publish(settings) == claimed + 1


class _Interrupted(DirectoryStore):
    """A folder whose owner dies at one of its writes."""

    def __init__(self, root: Path, at: int) -> None:
        super().__init__(root)
        self.left = at

    def _reveal(self, draft, key, move) -> bool:  # type: ignore[no-untyped-def]
        self.left -= 1
        if self.left < 0:
            raise SystemExit("killed")
        return super()._reveal(draft, key, move)


def test_a_crash_at_any_write_leaves_a_sound_registry(local: Settings, quick_path: Path, tmp_path: Path) -> None:
    for at in range(20):
        root = quick_path / f"store-{at}"
        sound = Registry(DirectoryStore(root), "unit", TRUST)
        sound.publish(files(), signer=SIGNER, parent=None)
        first = _move(sound, "champion", 1, expected=None, by="a", why="first")
        dying = Registry(_Interrupted(root, at), "unit", TRUST)
        try:
            version = dying.publish(files(), signer=SIGNER, parent=1)
            _move(dying, "champion", version, expected=first, by="b", why="second")
            died = False
        except SystemExit:
            died = True
        for version in sound.versions():
            sound.fetch(version, tmp_path / f"copy-{at}-{version}")
        champion = sound.alias("champion")
        assert champion is not None
        assert [m["nonce"] for m in sound.history()] == [first.nonce, champion.nonce][: champion.sequence]
        again = sound.publish(files(), signer=SIGNER, parent=1)
        _move(sound, "champion", again, expected=champion, by="c", why="after")
        assert len(sound.history()) == champion.sequence + 1
    assert not died
    assert champion.sequence == 2


class _Overtaken(DirectoryStore):
    """A folder whose answers to a swap are lost, while somebody else moves on."""

    def swap(self, key: str, data: bytes, etag: str) -> bool:
        super().swap(key, data, etag)
        other = Registry(DirectoryStore(self._root), "unit", TRUST)
        _move(other, "champion", 1, expected=other.alias("champion"), by="other", why="faster")
        return False


def test_a_move_that_was_done_and_overtaken_is_not_called_a_conflict(local: Settings) -> None:
    registry = open_registry("unit", local)
    for _ in range(2):
        _publish(local)
    first = _move(registry, "champion", 1, expected=None, by="a", why="")
    slow = _Overtaken(Path(local.store_uri.removeprefix("file://")))
    mine = _move(Registry(slow, "unit", TRUST), "champion", 2, expected=first, by="me", why="mine")
    assert mine.by == "me"
    assert [m["by"] for m in registry.history()] == ["a", "me", "other"]


@pytest.mark.parametrize(
    "change",
    [
        lambda f: {k: v for k, v in f.items() if k != "golden.json"},
        lambda f: {**f, "model.pkl": b"\x80\x04."},
        lambda f: {**f, "manifest.json": b"{}"},
        lambda f: {**f, "../evil.json": b"{}"},
        lambda f: {**f, "model.skops": b"\x80\x04."},
        lambda f: {**f, "profile.json": b"{}"},
        lambda f: {**f, "project.json": b"{}"},
        lambda f: {**f, "golden.json": b"[]"},
    ],
    ids=["missing", "foreign", "own manifest", "path", "pickled model", "no profile", "no project", "no golden"],
)
def test_what_could_not_be_fetched_is_not_published(local: Settings, change) -> None:
    registry = open_registry("unit", local)
    with pytest.raises(IntegrityError):
        registry.publish(change(files()), signer=SIGNER, parent=None)
    assert registry.versions() == []
    assert _publish(local) in (1, 2)


def test_a_signature_nobody_here_trusts_is_not_published(local: Settings, tmp_path: Path) -> None:
    stranger = Signer.read(make_keys(tmp_path / "stranger")[0])
    registry = open_registry("unit", local)
    with pytest.raises(IntegrityError, match="trusted key"):
        registry.publish(files(), signer=stranger, parent=None)
    assert registry.versions() == []


def test_files_are_given_as_paths_or_bytes(local: Settings, tmp_path: Path) -> None:
    for name, data in files().items():
        (tmp_path / name).write_bytes(data)
    registry = open_registry("unit", local)
    paths = {name: tmp_path / name for name in files()}
    version = registry.publish(paths, signer=SIGNER, parent=None)
    assert registry.fetch(version, tmp_path / "a").files == registry.fetch(_publish(local), tmp_path / "b").files


def test_a_folder_that_was_fetched_into_is_fetched_into_again(local: Settings, tmp_path: Path) -> None:
    registry = open_registry("unit", local)
    versions = [_publish(local), _publish(local)]
    assert [registry.fetch(v, tmp_path / "copy").version for v in (*versions, versions[0])] == [1, 2, 1]


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"current": {"version": "x"}, "previous": null}', b"\x80\x04"]
)
def test_a_broken_pointer_is_named_and_not_moved(local: Settings, document: bytes) -> None:
    registry = open_registry("unit", local)
    _publish(local)
    store = open_store(local.store_uri, local)
    store.put("projects/unit/aliases/champion.json", document)
    for action in (
        lambda: registry.alias("champion"),
        lambda: _move(registry, "champion", 1, expected=None, by="a", why=""),
        lambda: registry.history(),
    ):
        with pytest.raises(IntegrityError, match=r"champion\.json"):
            action()
    assert store.get("projects/unit/aliases/champion.json").data == document


def _pointer_key(name: str = "champion", project: str = "unit") -> str:
    return f"projects/{project}/aliases/{name}.json"


@pytest.fixture
def moved(local: Settings) -> Registry:
    """Two versions; the champion went from 1 to 2, the candidate is 2."""
    registry = open_registry("unit", local)
    for _ in range(2):
        _publish(local)
    first = _move(registry, "champion", 1, expected=None, by="a", why="")
    _move(registry, "champion", 2, expected=first, by="b", why="")
    _move(registry, "candidate", 2, expected=None, by="b", why="")
    return registry


def _forged(registry: Registry, **changes: object) -> bytes:
    """The champion's document with other contents, and no signature or somebody else's."""
    statement = TRUST.verify(registry.store.get(_pointer_key()).data)
    statement["predicate"] |= changes
    return json.dumps(statement).encode()


STRANGER = Signer.read(make_keys(KEYS / "stranger")[0])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(lambda r: r.store.get("projects/unit/history/champion/00000001.json").data, "older", id="replay"),
        pytest.param(lambda r: r.store.get(_pointer_key("candidate")).data, "candidate of unit", id="another name"),
        pytest.param(lambda r: _elsewhere(r), "champion of other", id="another project"),
        pytest.param(lambda r: _forged(r), "trusted", id="signature taken off"),
        pytest.param(lambda r: STRANGER.sign(json.loads(_forged(r))), "trusted", id="signed by a stranger"),
        pytest.param(lambda r: SIGNER.sign({"predicateType": "urn:x"}), "trusted", id="signed, but no pointer"),
        pytest.param(lambda r: SIGNER.sign(json.loads(_forged(r, more=1))), "trusted", id="signed, of a newer release"),
        pytest.param(lambda r: r.store.get("projects/unit/versions/1/model.sig").data, "trusted", id="of a version"),
    ],
)
def test_who_may_write_the_bucket_cannot_move_a_name(moved: Registry, document, words: str) -> None:
    moved.store.put(_pointer_key(), document(moved))
    for action in (
        lambda: moved.alias("champion"),
        lambda: moved.alias("previous"),
        lambda: _move(moved, "champion", 1, expected=None, by="x", why=""),
    ):
        with pytest.raises(IntegrityError, match=words):
            action()


def _elsewhere(registry: Registry) -> bytes:
    other = Registry(registry.store, "other", TRUST)
    other.publish(files(), signer=SIGNER, parent=None)
    _move(other, "champion", 1, expected=None, by="a", why="")
    return other.store.get(_pointer_key(project="other")).data


def test_a_move_nobody_would_trust_is_not_made(moved: Registry) -> None:
    before = moved.store.get(_pointer_key())
    for signer in (None, STRANGER):
        with pytest.raises(IntegrityError):
            moved.move("champion", 1, Move("x", ""), expected=moved.alias("champion"), signer=signer)
    assert moved.store.get(_pointer_key()) == before
    assert len(moved.history()) == 3


def test_while_a_key_is_replaced_names_of_both_are_read(moved: Registry) -> None:
    fresh = Signer.read(make_keys(KEYS / "fresh")[0])
    both = Registry(moved.store, "unit", Trust.of(SIGNER.key.public_key(), fresh.key.public_key()))
    third = both.publish(files(), signer=fresh, parent=2)
    both.move("champion", third, Move("c", ""), expected=both.alias("champion"), signer=fresh)
    assert [m["version"] for m in both.history() if m["alias"] == "champion"] == [1, 2, 3]
    after = Registry(moved.store, "unit", Trust.of(fresh.key.public_key()))
    now = after.alias("champion")
    assert now is not None
    assert now.version == third
    with pytest.raises(IntegrityError, match="CICLO_PUBLIC_KEYS"):
        moved.alias("champion")


def test_without_signatures_names_are_plain_documents(local: Settings) -> None:
    off = local.model_copy(update={"unsigned": True})
    registry = open_registry("unit", off)
    version = registry.publish(files(), signer=None, parent=None)
    first = registry.move("champion", version, Move("a", ""), expected=None, signer=None)
    registry.move("champion", version, Move("b", ""), expected=first, signer=None)
    assert [m["by"] for m in registry.history()] == ["a", "b"]
    assert json.loads(registry.store.get(_pointer_key()).data)["predicate"]["current"]["by"] == "b"
    with pytest.raises(IntegrityError, match=r"champion\.json"):
        open_registry("unit", local).alias("champion")


def test_readers_take_no_move_for_a_replay(settings: Settings) -> None:
    registry, stop, seen = open_registry("unit", settings), threading.Event(), list[int]()
    _publish(settings)
    champion = _move(registry, "champion", 1, expected=None, by="a", why="")

    def read() -> None:
        while not stop.is_set():
            found = registry.alias("champion")
            assert found is not None
            seen.append(found.sequence)

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for _ in range(30):
                champion = _move(registry, "champion", 1, expected=champion, by="a", why="")
        finally:
            stop.set()
        for reader in readers:
            reader.result()
    assert len(set(seen)) > 3


def _made_of(run: str, source: str, dataset: str) -> dict[str, bytes]:
    lineage = {"run": run, "data": {"digest": source, "dataset_digest": dataset}}
    return {**files(), "lineage.json": json.dumps(lineage).encode()}


def test_versions_are_found_by_their_run_and_their_data(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    for run, source, dataset in (("r-1", "aa11", "dd01"), ("r/2 ä", "aa11", "dd02"), ("r_2 ä", "aa22", "dd03")):
        registry.publish(_made_of(run, source, dataset), signer=SIGNER, parent=None)
    registry.store.put("projects/unit/by-run/vr-1/3", b"")  # somebody says that of version 3, its lineage does not
    registry.store.put("projects/unit/by-run/vr-1/9", b"")
    assert registry.find("run", "r-1") == [1]
    assert registry.find("run", "r/2 ä") == [2]  # 2 and 3 have one key
    assert registry.find("data", "aa11") == [1, 2]
    assert registry.find("data", "aa") == [1, 2, 3]
    assert registry.find("data", "dd03") == [3]
    assert registry.find("data", "../x") == registry.find("run", "none") == []


def test_a_record_tells_of_a_version_without_its_model(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    for parent in (None, 1):
        registry.publish(files(), signer=SIGNER, parent=parent)
    registry.store.delete("projects/unit/versions/2/model.skops")
    record = registry.record(2)
    assert (record.version, record.parent, record.verdict.decision) == (2, 1, "promote")
    assert record.lineage == {"run": "run-1"}
    assert record.signed_by in TRUST.keys
    assert record.files.keys() == files().keys()
    registry.store.put("projects/unit/versions/2/lineage.json", b'{"run": "other"}')
    with pytest.raises(IntegrityError, match=r"lineage\.json"):
        registry.record(2)


def test_litter_in_the_store_is_no_version(local: Settings) -> None:
    store = open_store(local.store_uri, local)
    for key in ("published/readme.txt", "published/latest", "versions/9/model.skops", "numbers/x"):
        store.put(f"projects/unit/{key}", b"")
    registry = open_registry("unit", local)
    assert registry.versions() == []
    with pytest.raises(NotFoundError, match="no version 9"):
        registry.fetch(9, Path("never"))
    assert _publish(local) == 1


class _Counted:
    """A store that counts what is asked of it."""

    def __init__(self, store: ObjectStore) -> None:
        self.store, self.calls = store, list[str]()

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        self.calls.append(name)
        return getattr(self.store, name)

    def get(self, key: str) -> Stored:
        self.calls.append("get")
        return self.store.get(key)


def test_listing_versions_asks_the_store_twice(settings: Settings) -> None:
    counted = _Counted(open_store(settings.store_uri, settings))
    for number in range(1, 10_001 if settings.store_uri.startswith("file:") else 30):
        counted.store.put(f"projects/unit/published/{number}", b"")
    registry = Registry(counted, "unit", TRUST)  # type: ignore[arg-type]
    versions = registry.versions()
    assert versions == list(range(1, len(versions) + 1))
    assert counted.calls == ["list", "list"]
