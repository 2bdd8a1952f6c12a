"""What the registry promises on every object store, under races and kills."""

import json
import multiprocessing
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ciclo.components.core.errors import ConflictError, IntegrityError, NotFoundError
from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import Alias, Move
from ciclo.components.releases.registry import Registry, open_registry
from ciclo.components.storage.objects import ObjectStore, Stored
from ciclo.components.storage.store import open_store
from tests.keys import SIGNER, TRUST
from tests.versions import files

FORK = multiprocessing.get_context("fork")


def publish(settings: Settings, project: str = "unit") -> int:
    return open_registry(project, settings).publish(files(), signer=SIGNER, parent=None)


def move(registry: Registry, name: str, version: int, *, expected: Alias | None, by: str, why: str) -> Alias:
    return registry.move(name, version, Move(by, why), expected=expected, signer=SIGNER)


def _publish_forever(settings: Settings) -> None:
    registry = open_registry("unit", settings)
    for _ in range(1000):
        version = registry.publish(files(), signer=SIGNER, parent=None)
        move(registry, "champion", version, expected=registry.alias("champion"), by="loop", why="test")


def _made_of(run: str, source: str, dataset: str) -> dict[str, bytes]:
    lineage = {"run": run, "data": {"digest": source, "dataset_digest": dataset}}
    return {**files(), "lineage.json": json.dumps(lineage).encode()}


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


class RegistryPromises:
    """Needs a fixture ``settings`` with ``PRIVATE`` and ``PUBLIC``, of an empty store."""

    KILLS = 50
    LISTED = 10_000

    def test_a_version_is_published_pointed_at_and_fetched(self, settings: Settings, tmp_path: Path) -> None:
        registry = open_registry("unit", settings)
        assert registry.versions() == []
        assert registry.alias("champion") is None
        assert registry.alias("previous") is None
        assert [publish(settings) for _ in range(3)] == registry.versions() == [1, 2, 3]
        first = move(registry, "champion", 1, expected=None, by="run 1", why="first")
        assert registry.alias("champion") == first
        bundle = registry.fetch(first.version, tmp_path / "bundle")
        assert bundle.digest == first.digest
        assert bundle.model().predict(bundle.contract.parse(bundle.golden["rows"])).shape == (2,)
        assert open_registry("other", settings).versions() == []

    def test_every_move_is_in_the_history_with_who_and_why(self, settings: Settings) -> None:
        registry = open_registry("unit", settings)
        versions = [publish(settings), publish(settings)]
        one = move(registry, "champion", versions[0], expected=None, by="run 1", why="first")
        two = move(registry, "candidate", versions[1], expected=None, by="run 2", why="second")
        three = move(registry, "champion", versions[1], expected=one, by="ann", why="better")
        history = registry.history()
        assert [(m["alias"], m["version"], m["by"], m["why"], m["sequence"]) for m in history] == [
            ("champion", 1, "run 1", "first", 1),
            ("candidate", 2, "run 2", "second", 1),
            ("champion", 2, "ann", "better", 2),
        ]
        assert [m["nonce"] for m in history] == [one.nonce, two.nonce, three.nonce]
        assert sorted(m["moved_at"] for m in history) == [m["moved_at"] for m in history]

    @pytest.mark.slow
    def test_of_many_movers_exactly_one_wins_each_round(self, settings: Settings) -> None:
        registry = open_registry("unit", settings)
        publish(settings)
        expected: Alias | None = None

        def attempt(mover: int) -> Alias | None:
            try:
                return move(registry, "champion", 1, expected=expected, by=f"mover {mover}", why="race")
            except ConflictError:
                return None

        with ThreadPoolExecutor(8) as pool:
            for sequence in range(1, 6):
                winners = [alias for alias in pool.map(attempt, range(8)) if alias is not None]
                assert len(winners) == 1
                expected = winners[0]
                assert expected.sequence == sequence
        assert [m["sequence"] for m in registry.history()] == [1, 2, 3, 4, 5]

    def test_publishers_at_once_never_share_a_number(self, settings: Settings) -> None:
        registry = open_registry("unit", settings)
        with ThreadPoolExecutor(8) as pool:
            futures = [pool.submit(registry.publish, files(), signer=SIGNER, parent=None) for _ in range(16)]
            numbers = [future.result() for future in futures]
        assert sorted(numbers) == registry.versions() == list(range(1, 17))

    @pytest.mark.slow
    def test_a_killed_publisher_never_leaves_half_a_version(self, settings: Settings, tmp_path: Path) -> None:
        registry, rng = open_registry("unit", settings), random.Random(3)
        publish(settings)
        champion = move(registry, "champion", 1, expected=None, by="test", why="start")
        started = time.monotonic()
        publish(settings)
        patience = 2 * (time.monotonic() - started)
        checked = set[int]()
        for kill in range(self.KILLS):
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
        assert publish(settings) == claimed + 1

    def test_readers_take_no_move_for_a_replay(self, settings: Settings) -> None:
        registry, stop, seen = open_registry("unit", settings), threading.Event(), list[int]()
        publish(settings)
        champion = move(registry, "champion", 1, expected=None, by="a", why="")

        def read() -> None:
            while not stop.is_set():
                found = registry.alias("champion")
                assert found is not None
                seen.append(found.sequence)

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(read) for _ in range(3)]
            try:
                for _ in range(30):
                    champion = move(registry, "champion", 1, expected=champion, by="a", why="")
            finally:
                stop.set()
            for reader in readers:
                reader.result()
        assert len(set(seen)) > 3

    def test_versions_are_found_by_their_run_and_their_data(self, settings: Settings) -> None:
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

    def test_a_record_tells_of_a_version_without_its_model(self, settings: Settings) -> None:
        registry = open_registry("unit", settings)
        for parent in (None, 1):
            registry.publish(files(), signer=SIGNER, parent=parent)
        registry.store.delete("projects/unit/versions/2/model.skops")
        record = registry.record(2)
        assert (record.version, record.parent, record.verdict.decision) == (2, 1, "promote")
        assert record.lineage == {"run": "run-1"}
        assert record.signed_by in TRUST.keys
        assert record.files.keys() == files().keys()
        assert registry.read(record, "card.html") == files()["card.html"]
        registry.store.put("projects/unit/versions/2/card.html", b"<html>other</html>")
        with pytest.raises(IntegrityError, match=r"'card\.html' of version 2"):
            registry.read(record, "card.html")
        with pytest.raises(NotFoundError):
            registry.read(record, "model.skops")
        registry.store.put("projects/unit/versions/2/lineage.json", b'{"run": "other"}')
        with pytest.raises(IntegrityError, match=r"lineage\.json"):
            registry.record(2)

    def test_listing_versions_asks_the_store_twice(self, settings: Settings) -> None:
        counted = _Counted(open_store(settings.store_uri, settings))
        for number in range(1, self.LISTED + 1):
            counted.store.put(f"projects/unit/published/{number}", b"")
        registry = Registry(counted, "unit", TRUST)  # type: ignore[arg-type]
        versions = registry.versions()
        assert versions == list(range(1, len(versions) + 1))
        assert counted.calls == ["list", "list"]
        assert registry.find("run", "of nothing") == []
        assert counted.calls == ["list", "list", "list"]  # however many versions there are
