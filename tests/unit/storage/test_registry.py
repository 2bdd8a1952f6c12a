"""Versions, pointers and their history, under races, lost answers and kills."""

import multiprocessing
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.core.errors import ConflictError, IntegrityError, NotFoundError, StorageError
from components.core.settings import Settings
from components.storage.objects import DirectoryStore, ObjectStore, Stored, open_store
from components.storage.registry import Alias, Registry, open_registry
from components.storage.signing import Signer, make_keys, signer_from
from tests.versions import files

FORK = multiprocessing.get_context("fork")


@pytest.fixture(params=["folder", "s3"])
def settings(request: pytest.FixtureRequest, quick_path: Path) -> Settings:
    if request.param == "folder":
        return Settings(home=quick_path / "home")
    shared: Settings = request.getfixturevalue("s3_settings")
    private, public = make_keys(quick_path / "keys")
    return shared.model_copy(update={"private_key": private, "public_keys": (public,)})


@pytest.fixture
def local(quick_path: Path) -> Settings:
    return Settings(home=quick_path / "home")


def _publish(settings: Settings, project: str = "unit") -> int:
    return open_registry(project, settings).publish(files(), signer=signer_from(settings), parent=None)


def test_a_version_is_published_pointed_at_and_fetched(settings: Settings, tmp_path: Path) -> None:
    registry = open_registry("unit", settings)
    assert registry.versions() == []
    assert registry.alias("champion") is None
    assert registry.alias("previous") is None
    assert [_publish(settings) for _ in range(3)] == registry.versions() == [1, 2, 3]
    first = registry.move("champion", 1, expected=None, by="run 1", why="first")
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
        champion = registry.move("champion", version, expected=champion, by="me", why="test")
        found = registry.alias("previous")
        assert (found.version if found else None) == previous
    registry.move("candidate", 3, expected=None, by="me", why="try")
    assert registry.alias("candidate") != registry.alias("champion")
    with pytest.raises(StorageError, match="follows"):
        registry.move("previous", 1, expected=None, by="me", why="no")


def test_every_move_is_in_the_history_with_who_and_why(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    versions = [_publish(settings), _publish(settings)]
    one = registry.move("champion", versions[0], expected=None, by="run 1", why="first")
    two = registry.move("candidate", versions[1], expected=None, by="run 2", why="second")
    three = registry.move("champion", versions[1], expected=one, by="ann", why="better")
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
    first = registry.move("champion", 1, expected=None, by="a", why="")
    second = registry.move("champion", 2, expected=first, by="b", why="")
    back = registry.move("champion", 1, expected=second, by="c", why="rollback")
    assert (back.version, back.digest) == (first.version, first.digest)
    for stale in (None, first, second):  # first points at the same version as back: not the same move
        with pytest.raises(ConflictError, match="by c"):
            registry.move("champion", 2, expected=stale, by="d", why="")
    with pytest.raises(NotFoundError, match="no version 7"):
        registry.move("champion", 7, expected=back, by="d", why="")
    assert registry.alias("champion") == back


def test_a_clock_that_is_set_back_does_not_reorder_the_history(local: Settings) -> None:
    registry = open_registry("unit", local)
    _publish(local)
    one = registry.move("champion", 1, expected=None, by="a", why="")
    store = open_store(local.store_uri, local)
    for key in ("aliases/champion.json", "history/champion/00000001.json"):
        data = store.get(f"projects/unit/{key}").data
        store.put(f"projects/unit/{key}", data.replace(one.moved_at.encode(), b"2999-01-01T00:00:00.000000+00:00"))
    registry.move("champion", 1, expected=registry.alias("champion"), by="b", why="")
    assert [m["by"] for m in registry.history()] == ["a", "b"]


def test_of_many_movers_exactly_one_wins_each_round(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    _publish(settings)
    expected: Alias | None = None

    def attempt(mover: int) -> Alias | None:
        try:
            return registry.move("champion", 1, expected=expected, by=f"mover {mover}", why="race")
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
    signer = signer_from(settings)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(registry.publish, files(), signer=signer, parent=None) for _ in range(16)]
        numbers = [future.result() for future in futures]
    assert sorted(numbers) == registry.versions() == list(range(1, 17))


def _publish_forever(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    for _ in range(1000):
        version = registry.publish(files(), signer=signer_from(settings), parent=None)
        registry.move("champion", version, expected=registry.alias("champion"), by="loop", why="test")


@pytest.mark.parametrize(("settings", "kills"), [("folder", 50), ("s3", 8)], indirect=["settings"])
def test_a_killed_publisher_never_leaves_half_a_version(settings: Settings, kills: int, tmp_path: Path) -> None:
    registry, rng = open_registry("unit", settings), random.Random(3)
    _publish(settings)
    champion = registry.move("champion", 1, expected=None, by="test", why="start")
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
    signer = signer_from(local)
    trust = open_registry("unit", local)._trust
    for at in range(20):
        root = quick_path / f"store-{at}"
        sound = Registry(DirectoryStore(root), "unit", trust)
        sound.publish(files(), signer=signer, parent=None)
        first = sound.move("champion", 1, expected=None, by="a", why="first")
        dying = Registry(_Interrupted(root, at), "unit", trust)
        try:
            version = dying.publish(files(), signer=signer, parent=1)
            dying.move("champion", version, expected=first, by="b", why="second")
            died = False
        except SystemExit:
            died = True
        for version in sound.versions():
            sound.fetch(version, tmp_path / f"copy-{at}-{version}")
        champion = sound.alias("champion")
        assert champion is not None
        assert [m["nonce"] for m in sound.history()] == [first.nonce, champion.nonce][: champion.sequence]
        again = sound.publish(files(), signer=signer, parent=1)
        sound.move("champion", again, expected=champion, by="c", why="after")
        assert len(sound.history()) == champion.sequence + 1
    assert not died
    assert champion.sequence == 2


class _Overtaken(DirectoryStore):
    """A folder whose answers to a swap are lost, while somebody else moves on."""

    def swap(self, key: str, data: bytes, etag: str) -> bool:
        super().swap(key, data, etag)
        other = Registry(DirectoryStore(self._root), "unit", self.trust)  # type: ignore[attr-defined]
        other.move("champion", 1, expected=other.alias("champion"), by="other", why="faster")
        return False


def test_a_move_that_was_done_and_overtaken_is_not_called_a_conflict(local: Settings) -> None:
    registry = open_registry("unit", local)
    for _ in range(2):
        _publish(local)
    first = registry.move("champion", 1, expected=None, by="a", why="")
    slow = _Overtaken(Path(local.store_uri.removeprefix("file://")))
    slow.trust = registry._trust  # type: ignore[attr-defined]
    mine = Registry(slow, "unit", registry._trust).move("champion", 2, expected=first, by="me", why="mine")
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
        registry.publish(change(files()), signer=signer_from(local), parent=None)
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
    version = registry.publish(paths, signer=signer_from(local), parent=None)
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
        lambda: registry.move("champion", 1, expected=None, by="a", why=""),
        lambda: registry.history(),
    ):
        with pytest.raises(IntegrityError, match=r"champion\.json"):
            action()
    assert store.get("projects/unit/aliases/champion.json").data == document


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


def test_listing_versions_asks_the_store_once(settings: Settings) -> None:
    counted = _Counted(open_store(settings.store_uri, settings))
    for number in range(1, 1201 if settings.store_uri.startswith("file:") else 30):
        counted.store.put(f"projects/unit/published/{number}", b"")
    registry = Registry(counted, "unit", open_registry("unit", settings)._trust)  # type: ignore[arg-type]
    assert registry.versions()[-1] == len(registry.versions())
    assert counted.calls == ["list", "list"]
