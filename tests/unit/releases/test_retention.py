"""Retention: what is kept, what goes, and that nobody who is at work meanwhile loses anything."""

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ciclo.components.core.errors import CicloError, NotFoundError, SettingsError, StorageError
from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import Registry, open_registry
from ciclo.components.releases.retention import Pruned, prune
from ciclo.components.storage.directory import DirectoryStore
from ciclo.components.storage.signing import Signer, Trust, make_keys, signer_from
from tests.depth import rounds, some, thorough
from tests.meanwhile import Meanwhile, die
from tests.versions import files

STORY = ["lineage.json", "manifest.json", "model.sig", "verdict.json"]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer.read(make_keys(tmp_path_factory.mktemp("keys"))[0])


def _registry(root: Path, signer: Signer, store: type[DirectoryStore] = DirectoryStore) -> Registry:
    return Registry(store(root), "unit", Trust.of(signer.key.public_key()))


def _publish(registry: Registry, signer: Signer | None, parent: int | None = None, **more: object) -> int:
    number = len(registry.numbers("numbers")) + 1
    lineage = {"run": f"run-{number}", "data": {"digest": f"d{number}"}, **more}
    return registry.publish({**files(), "lineage.json": json.dumps(lineage).encode()}, signer=signer, parent=parent)


def _point(registry: Registry, signer: Signer | None, name: str, version: int) -> None:
    registry.move(name, version, Move("me", "test"), expected=registry.alias(name), signer=signer)


def _names(registry: Registry, version: int) -> list[str]:
    return [key.rpartition("/")[2] for key in registry.store.list(f"projects/unit/versions/{version}/")]


def _grown(registry: Registry, signer: Signer | None) -> None:
    """Eleven versions. 3 was compared with 1, 6 with 3 and is the champion, after 5; 2 is the candidate."""
    for parent in (None, None, 1, None, None, 3, None, None, None, None, 10):
        _publish(registry, signer, parent)
    for name, version in (("champion", 5), ("champion", 6), ("candidate", 2)):
        _point(registry, signer, name, version)


def _four(registry: Registry, signer: Signer) -> None:
    """Four versions; 4 is the champion and 2 the candidate, so 1 and 3 are what a prune deletes."""
    for _ in range(4):
        _publish(registry, signer)
    _point(registry, signer, "champion", 4)
    _point(registry, signer, "candidate", 2)


@pytest.fixture(params=some(["folder", "s3"], 2))
def settings(request: pytest.FixtureRequest, quick_path: Path) -> Settings:
    if request.param == "folder":
        return Settings(home=quick_path / "home")
    shared: Settings = request.getfixturevalue("s3_settings")
    private, public = make_keys(quick_path / "keys")
    return shared.model_copy(update={"private_key": private, "public_keys": (public,)})


@pytest.mark.slow
def test_names_their_ancestors_and_the_newest_are_kept(settings: Settings, tmp_path: Path) -> None:
    registry, signer = open_registry("unit", settings), signer_from(settings)
    _grown(registry, signer)
    expected = Pruned(kept=(2, 5, 6, 10, 11), reduced=(1, 3), deleted=(4, 7, 8, 9), unfinished=())
    before = list(registry.store.list(""))
    assert prune(registry, keep=2, by="me", dry_run=True) == expected
    assert list(registry.store.list("")) == before
    assert prune(registry, keep=2, by="me") == expected
    assert registry.versions() == [2, 5, 6, 10, 11]
    for version in registry.versions():
        registry.fetch(version, tmp_path / str(version)).check()
    assert {v: _names(registry, v) for v in (1, 3, 4, 7)} == {1: STORY, 3: STORY, 4: [], 7: []}
    assert registry.record(3).parent == 1
    assert (registry.find("run", "run-3"), registry.find("data", "d1")) == ([3], [1, 10, 11])
    assert registry.find("run", "run-4") == []
    for version in (3, 4):
        for action in (
            lambda v=version: registry.fetch(v, tmp_path / "gone"),
            lambda v=version: _point(registry, signer, "champion", v),
        ):
            with pytest.raises(NotFoundError, match=r"was pruned.*me"):
                action()
    assert [m["version"] for m in registry.history()] == [5, 6, 2]
    assert prune(registry, keep=2, by="me") == Pruned((2, 5, 6, 10, 11), (), (), ())
    assert _publish(registry, signer, 6) == 12


@pytest.mark.slow
def test_the_story_goes_when_nothing_rests_on_it_any_more(tmp_path: Path, signer: Signer) -> None:
    registry = _registry(tmp_path, signer)
    _grown(registry, signer)
    prune(registry, keep=1, by="me")
    for version in (11, 10):
        if version in registry.versions():
            _point(registry, signer, "champion", version)
    _publish(registry, signer)
    _point(registry, signer, "champion", 12)
    _publish(registry, signer)
    _point(registry, signer, "champion", 13)
    prune(registry, keep=1, by="me")
    assert registry.versions() == [2, 12, 13]
    assert [version for version in range(1, 12) if _names(registry, version)] == [2]


def test_what_dead_publishers_left_goes_but_not_what_one_is_writing(tmp_path: Path, signer: Signer) -> None:
    registry = _registry(tmp_path, signer)
    _publish(registry, signer)
    for number in (2, 4):
        registry.store.put(f"projects/unit/numbers/{number}", b"")
        registry.store.put(f"projects/unit/versions/{number}/model.skops", b"x")
    assert _publish(registry, signer) == 5
    registry.store.put("projects/unit/numbers/6", b"")
    registry.store.put("projects/unit/versions/6/model.skops", b"x")
    assert prune(registry, keep=5, by="me") == Pruned((1, 5), (), (), (2, 4))
    assert (_names(registry, 2), _names(registry, 4), _names(registry, 6)) == ([], [], ["model.skops"])


def test_the_version_that_the_next_refresh_is_held_beside_is_kept(tmp_path: Path, signer: Signer) -> None:
    registry = _registry(tmp_path, signer)
    for parent in (None, 1, 2, 3):
        _publish(registry, signer, parent, refreshed_from=1 if parent else None)
    _point(registry, signer, "champion", 4)
    assert prune(registry, keep=1, by="me").kept == (1, 4)
    assert registry.read(registry.record(1), "model.skops")


def test_nothing_is_not_kept(tmp_path: Path, signer: Signer) -> None:
    with pytest.raises(SettingsError, match="at least the newest"):
        prune(_registry(tmp_path, signer), keep=0, by="me")
    assert prune(_registry(tmp_path, signer), keep=1, by="me") == Pruned((), (), (), ())


def _sound(registry: Registry, folder: Path) -> None:
    """Every listed version is whole, and every name points at one."""
    for version in registry.versions():
        registry.fetch(version, folder / str(version)).check()
    assert {alias.version for alias in registry.aliases().values()} <= set(registry.versions())


@pytest.mark.slow
def test_a_prune_thatdies_anywhere_is_finished_by_the_next(quick_path: Path, tmp_path: Path, signer: Signer) -> None:
    for at in range(0, 200, rounds(3, 1)):
        root = quick_path / str(at)
        registry, dying = _registry(root, signer), _registry(root, signer, Meanwhile)
        for parent in (None, 1, None, 2):
            _publish(registry, signer, parent)
        _point(registry, signer, "champion", 4)
        dying.store.left, dying.store.action = at, die  # type: ignore[attr-defined]
        try:
            prune(dying, keep=1, by="me")
            died = False
        except SystemExit:
            died = True
        _sound(registry, tmp_path / str(at))
        prune(registry, keep=1, by="me")
        assert {v: _names(registry, v) for v in (1, 2, 3)} == {1: STORY, 2: STORY, 3: []}
        assert registry.versions() == [4]
        assert registry.record(2).parent == 1
        if not died:
            break
    assert at > 10


@pytest.mark.slow
def test_a_prune_in_the_middle_of_a_publish_leaves_it_whole_or_refused(
    quick_path: Path, tmp_path: Path, signer: Signer
) -> None:
    """Somebody prunes at each of a slow publisher's writes, after a faster one has published a higher number."""
    refused = 0
    for at in range(40):
        root = quick_path / str(at)
        registry, slow = _registry(root, signer), _registry(root, signer, Meanwhile)
        _publish(registry, signer)

        def meanwhile(registry: Registry = registry) -> None:
            _publish(registry, signer)
            prune(registry, keep=5, by="me")

        slow.store.left, slow.store.action = at, meanwhile  # type: ignore[attr-defined]
        try:
            version = _publish(slow, signer)
            assert version in registry.versions()
        except CicloError:
            refused += 1
        _sound(registry, tmp_path / str(at))
        if slow.store.left >= 0:  # type: ignore[attr-defined]
            break
    assert refused > 5
    assert at > 10


@thorough
def test_a_publish_in_the_middle_of_a_prune_leaves_it_whole_or_refused(
    quick_path: Path, tmp_path: Path, signer: Signer
) -> None:
    """A slow publisher writes its marker before each of a pruner's writes: it is listed, or it is told."""
    counting = _registry(quick_path / "count", signer, Meanwhile)
    counting.store.left = 1_000  # type: ignore[attr-defined]
    _publish(counting, signer)
    marker = 999 - counting.store.left  # type: ignore[attr-defined]
    refused = list[bool]()
    for at in range(40):
        root = quick_path / str(at)
        registry, pruner = _registry(root, signer), _registry(root, signer, Meanwhile)
        slow, stopped, go = _registry(root, signer, Meanwhile), threading.Event(), threading.Event()
        _publish(registry, signer)

        def wait(stopped: threading.Event = stopped, go: threading.Event = go) -> None:
            stopped.set()
            assert go.wait(60)

        slow.store.left, slow.store.action = marker, wait  # type: ignore[attr-defined]
        with ThreadPoolExecutor(1) as pool:
            publishing = pool.submit(_publish, slow, signer)
            assert stopped.wait(60)
            assert _publish(registry, signer) == 3

            def let_it_end(go: threading.Event = go, publishing: Future[int] = publishing) -> None:
                go.set()
                publishing.exception(60)

            pruner.store.left, pruner.store.action = at, let_it_end  # type: ignore[attr-defined]
            prune(pruner, keep=5, by="me")
            go.set()
            error = publishing.exception(60)
        assert error is None or (isinstance(error, StorageError) and "was pruned" in str(error))
        assert error is not None or 2 in registry.versions()
        refused.append(error is not None)
        _sound(registry, tmp_path / str(at))
        if pruner.store.left >= 0:  # type: ignore[attr-defined]
            break
    assert refused[0] is False  # before the pruner's mark
    assert set(refused[1:]) == {True}
    assert at > 10


@thorough
def test_a_name_that_moves_in_the_middle_of_a_prune_keeps_its_version(
    quick_path: Path, tmp_path: Path, signer: Signer
) -> None:
    """A name moves to the version being pruned, at each of the pruner's writes: it is kept, or the mover is told."""
    outcomes = set[int]()
    for at in range(0, 40, rounds(2, 1)):
        root = quick_path / str(at)
        registry, pruner = _registry(root, signer), _registry(root, signer, Meanwhile)
        _four(registry, signer)

        def meanwhile(registry: Registry = registry) -> None:
            with suppress(NotFoundError):
                _point(registry, signer, "candidate", 1)

        pruner.store.left, pruner.store.action = at, meanwhile  # type: ignore[attr-defined]
        prune(pruner, keep=1, by="me")
        if pruner.store.left >= 0:  # type: ignore[attr-defined]
            break
        _sound(registry, tmp_path / str(at))
        outcomes.add(registry.aliases()["candidate"].version)
    assert outcomes == {1, 2}
    assert at > 10


@pytest.mark.slow
def test_a_prune_in_the_middle_of_a_move_leaves_no_name_that_points_at_nothing(
    quick_path: Path, tmp_path: Path, signer: Signer
) -> None:
    """Somebody prunes at each of a mover's writes: the mover is told, and the name is back where it was."""
    told = 0
    for at in range(10):
        root = quick_path / str(at)
        registry, mover = _registry(root, signer), _registry(root, signer, Meanwhile)
        _four(registry, signer)
        mover.store.left = at  # type: ignore[attr-defined]
        mover.store.action = lambda registry=registry: prune(registry, keep=1, by="me")  # type: ignore[attr-defined]
        try:
            _point(mover, signer, "candidate", 1)
        except NotFoundError:
            told += 1
            assert registry.aliases()["candidate"].version == 2
        _sound(registry, tmp_path / str(at))
        if mover.store.left >= 0:  # type: ignore[attr-defined]
            break
    assert told == 2  # before the old document is filed, and before the pointer is swapped
    assert at > 2
