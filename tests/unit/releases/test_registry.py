"""Versions, pointers and their history, under races, lost answers and kills."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from ciclo.components.core.errors import ConflictError, IntegrityError, NotFoundError, StorageError
from ciclo.components.core.settings import Settings
from ciclo.components.releases import names as aliases
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import Registry, open_registry
from ciclo.components.storage.directory import DirectoryStore
from ciclo.components.storage.signing import Signer, Trust, make_keys
from ciclo.components.storage.store import open_store
from tests.depth import rounds
from tests.keys import PRIVATE, PUBLIC, SIGNER, STRANGER, TRUST
from tests.promises.registry import RegistryPromises, move, publish
from tests.versions import files


class TestInAFolder(RegistryPromises):
    @pytest.fixture
    def settings(self, local: Settings) -> Settings:
        return local


@pytest.mark.slow
class TestInAnEmulatedBucket(RegistryPromises):
    KILLS = rounds(2, 8)
    LISTED = 30

    @pytest.fixture
    def settings(self, s3_settings: Settings) -> Settings:
        return s3_settings.model_copy(update={"private_key": PRIVATE, "public_keys": (PUBLIC,)})


@pytest.fixture
def local(quick_path: Path) -> Settings:
    return Settings(home=quick_path / "home", private_key=PRIVATE, public_keys=(PUBLIC,))


def test_previous_follows_the_champion_in_one_step(local: Settings) -> None:
    registry = open_registry("unit", local)
    for _ in range(3):
        publish(local)
    champion = None
    for version, previous in ((1, None), (2, 1), (3, 2), (3, 2), (2, 3)):
        champion = move(registry, "champion", version, expected=champion, by="me", why="test")
        found = registry.alias("previous")
        assert (found.version if found else None) == previous
    move(registry, "candidate", 3, expected=None, by="me", why="try")
    assert registry.alias("candidate") != registry.alias("champion")
    with pytest.raises(StorageError, match="follows"):
        move(registry, "previous", 1, expected=None, by="me", why="no")


def test_a_move_from_what_is_no_longer_so_is_refused(local: Settings) -> None:
    registry = open_registry("unit", local)
    for _ in range(2):
        publish(local)
    first = move(registry, "champion", 1, expected=None, by="a", why="")
    second = move(registry, "champion", 2, expected=first, by="b", why="")
    back = move(registry, "champion", 1, expected=second, by="c", why="rollback")
    assert (back.version, back.digest) == (first.version, first.digest)
    for stale in (None, first, second):  # first points at the same version as back: not the same move
        with pytest.raises(ConflictError, match="by c"):
            move(registry, "champion", 2, expected=stale, by="d", why="")
    with pytest.raises(NotFoundError, match="no version 7"):
        move(registry, "champion", 7, expected=back, by="d", why="")
    assert registry.alias("champion") == back


def test_a_clock_that_is_set_back_does_not_reorder_the_history(
    local: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = open_registry("unit", local)
    publish(local)
    for number, by in enumerate("abc"):
        clock = SimpleNamespace(now=lambda _, day=9 - number: datetime(2030, 1, day, tzinfo=UTC))
        monkeypatch.setattr(aliases, "datetime", clock)
        move(registry, "champion", 1, expected=registry.alias("champion"), by=by, why="")
    assert [m["by"] for m in registry.history()] == ["a", "b", "c"]
    assert {m["moved_at"][:10] for m in registry.history()} == {"2030-01-09"}


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


@pytest.mark.slow
def test_a_crash_at_any_write_leaves_a_sound_registry(local: Settings, quick_path: Path, tmp_path: Path) -> None:
    for at in range(20):
        root = quick_path / f"store-{at}"
        sound = Registry(DirectoryStore(root), "unit", TRUST)
        sound.publish(files(), signer=SIGNER, parent=None)
        first = move(sound, "champion", 1, expected=None, by="a", why="first")
        dying = Registry(_Interrupted(root, at), "unit", TRUST)
        try:
            version = dying.publish(files(), signer=SIGNER, parent=1)
            move(dying, "champion", version, expected=first, by="b", why="second")
            died = False
        except SystemExit:
            died = True
        for version in sound.versions():
            sound.fetch(version, tmp_path / f"copy-{at}-{version}")
        champion = sound.alias("champion")
        assert champion is not None
        assert [m["nonce"] for m in sound.history()] == [first.nonce, champion.nonce][: champion.sequence]
        again = sound.publish(files(), signer=SIGNER, parent=1)
        move(sound, "champion", again, expected=champion, by="c", why="after")
        assert len(sound.history()) == champion.sequence + 1
    assert not died
    assert champion.sequence == 2


class _Overtaken(DirectoryStore):
    """A folder whose answers to a swap are lost, while somebody else moves on."""

    def swap(self, key: str, data: bytes, etag: str) -> bool:
        super().swap(key, data, etag)
        other = Registry(DirectoryStore(self._root), "unit", TRUST)
        move(other, "champion", 1, expected=other.alias("champion"), by="other", why="faster")
        return False


def test_a_move_that_was_done_and_overtaken_is_not_called_a_conflict(local: Settings) -> None:
    registry = open_registry("unit", local)
    for _ in range(2):
        publish(local)
    first = move(registry, "champion", 1, expected=None, by="a", why="")
    slow = _Overtaken(Path(local.store_uri.removeprefix("file://")))
    mine = move(Registry(slow, "unit", TRUST), "champion", 2, expected=first, by="me", why="mine")
    assert mine.by == "me"
    assert [m["by"] for m in registry.history()] == ["a", "me", "other"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda f: {k: v for k, v in f.items() if k != "golden.json"},
        lambda f: {**f, "model.pkl": b"\x80\x04."},
        lambda f: {**f, "manifest.json": b"{}"},
        lambda f: {**f, "../evil.json": b"{}"},
        lambda f: {**f, "model.skops": b"\x80\x04."},
        lambda f: {**f, "profile.json": b"{}"},
        lambda f: {**f, "project.yaml": b"{}"},
        lambda f: {**f, "project.yaml": b"[" * 100_000},
        lambda f: {**f, "project.yaml": b"\xff\xfe"},
        lambda f: {**f, "golden.json": b"[]"},
    ],
    ids=[
        "missing",
        "foreign",
        "own manifest",
        "path",
        "pickled model",
        "no profile",
        "no project",
        "deep project",
        "project is not text",
        "no golden",
    ],
)
def test_what_could_not_be_fetched_is_not_published(local: Settings, change) -> None:
    registry = open_registry("unit", local)
    with pytest.raises(IntegrityError):
        registry.publish(change(files()), signer=SIGNER, parent=None)
    assert registry.versions() == []
    assert publish(local) in (1, 2)


def test_a_signature_nobody_here_trusts_is_not_published(local: Settings) -> None:
    registry = open_registry("unit", local)
    with pytest.raises(IntegrityError, match="trusted key"):
        registry.publish(files(), signer=STRANGER, parent=None)
    assert registry.versions() == []


def test_files_are_given_as_paths_or_bytes(local: Settings, tmp_path: Path) -> None:
    for name, data in files().items():
        (tmp_path / name).write_bytes(data)
    registry = open_registry("unit", local)
    paths = {name: tmp_path / name for name in files()}
    version = registry.publish(paths, signer=SIGNER, parent=None)
    assert registry.fetch(version, tmp_path / "a").files == registry.fetch(publish(local), tmp_path / "b").files


def test_a_folder_that_was_fetched_into_is_fetched_into_again(local: Settings, tmp_path: Path) -> None:
    registry = open_registry("unit", local)
    versions = [publish(local), publish(local)]
    assert [registry.fetch(v, tmp_path / "copy").version for v in (*versions, versions[0])] == [1, 2, 1]


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"current": {"version": "x"}, "previous": null}', b"\x80\x04"]
)
def test_a_broken_pointer_is_named_and_not_moved(local: Settings, document: bytes) -> None:
    registry = open_registry("unit", local)
    publish(local)
    store = open_store(local.store_uri, local)
    store.put("projects/unit/aliases/champion.json", document)
    for action in (
        lambda: registry.alias("champion"),
        lambda: move(registry, "champion", 1, expected=None, by="a", why=""),
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
        publish(local)
    first = move(registry, "champion", 1, expected=None, by="a", why="")
    move(registry, "champion", 2, expected=first, by="b", why="")
    move(registry, "candidate", 2, expected=None, by="b", why="")
    return registry


def _forged(registry: Registry, **changes: object) -> bytes:
    """The champion's document with other contents, and no signature or somebody else's."""
    statement = TRUST.verify(registry.store.get(_pointer_key()).data)
    statement["predicate"] |= changes
    return json.dumps(statement).encode()


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
        lambda: move(moved, "champion", 1, expected=None, by="x", why=""),
    ):
        with pytest.raises(IntegrityError, match=words):
            action()


def _elsewhere(registry: Registry) -> bytes:
    other = Registry(registry.store, "other", TRUST)
    other.publish(files(), signer=SIGNER, parent=None)
    move(other, "champion", 1, expected=None, by="a", why="")
    return other.store.get(_pointer_key(project="other")).data


def test_a_pointer_that_is_gone_is_no_name_that_was_never_moved(moved: Registry) -> None:
    moved.store.delete(_pointer_key())
    for read in (lambda: moved.alias("champion"), moved.aliases, lambda: moved.alias("previous")):
        with pytest.raises(IntegrityError, match="is gone, and its history is not"):
            read()
    assert {name: alias.version for name, alias in moved.repair().items()} == {"champion": 2}
    assert moved.alias("champion").version == 2
    assert moved.alias("previous").version == 1
    assert moved.alias("serving") is None


def test_a_damaged_move_is_set_aside_and_the_others_are_read(moved: Registry) -> None:
    key = "projects/unit/history/champion/00000001.json"
    moved.store.put(key, b"{}")
    with pytest.raises(IntegrityError, match="models repair unit"):
        moved.history()
    assert (moved.repair(), moved.set_aside()) == ({}, [key])
    assert [(move["alias"], move["version"]) for move in moved.history()] == [("champion", 2), ("candidate", 2)]
    assert moved.store.get("projects/unit/damaged/champion/00000001.json").data == b"{}"
    assert moved.set_aside() == []


def test_a_move_nobody_would_trust_is_not_made(moved: Registry) -> None:
    before = moved.store.get(_pointer_key())
    for signer in (None, STRANGER):
        with pytest.raises(IntegrityError):
            moved.move("champion", 1, Move("x", ""), expected=moved.alias("champion"), signer=signer)
    assert moved.store.get(_pointer_key()) == before
    assert len(moved.history()) == 3


def test_while_a_key_is_replaced_names_of_both_are_read(moved: Registry, tmp_path: Path) -> None:
    fresh = Signer.read(make_keys(tmp_path / "fresh")[0])
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


def test_litter_in_the_store_is_no_version(local: Settings) -> None:
    store = open_store(local.store_uri, local)
    for key in ("published/readme.txt", "published/latest", "versions/9/model.skops", "numbers/x"):
        store.put(f"projects/unit/{key}", b"")
    registry = open_registry("unit", local)
    assert registry.versions() == []
    with pytest.raises(NotFoundError, match="no version 9"):
        registry.fetch(9, Path("never"))
    assert publish(local) == 1
