"""Going back to the tested model: once, whoever dies on the way and however many do it."""

import hashlib
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ciclo.components.core.errors import NotFoundError, VerdictError
from ciclo.components.core.settings import Settings
from ciclo.components.publishing.restoring import go_back, restore
from ciclo.components.releases import registry as registries
from ciclo.components.releases.history import waiting
from ciclo.components.releases.names import Move
from ciclo.components.releases.promotion import approve, nominate, promote, rollback
from ciclo.components.releases.registry import Registry
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.store import open_store
from ciclo.components.training.preprocessing import preprocessor
from tests.keys import SIGNER, TRUST
from tests.tables import table
from tests.versions import CONTRACT, files

WHY = "the refit is worse than what was tested"
WRITES = ("put", "put_if_absent", "swap")  # a death among the files of a version is one right after its number


class Killed(BaseException):
    """The process dies here."""


class Dying:
    """A store whose user dies right after a number of writes."""

    def __init__(self, store, writes):
        self._store, self.left = store, writes

    def __getattr__(self, name):
        found = getattr(self._store, name)
        if name not in WRITES:
            return found

        def write(*arguments):
            done = found(*arguments)
            self.left -= 1
            if self.left == 0:
                raise Killed
            return done

        return write


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The files of a version that serves a refitted model."""
    tested, folder = files(), tmp_path_factory.mktemp("both")
    rows = table(300)
    model = Pipeline([("preprocess", preprocessor(CONTRACT, "linear")), ("model", LogisticRegression(C=0.1))])
    dump_model(model.fit(CONTRACT.frame(rows), CONTRACT.encode(rows["y"])), folder / "refitted.skops")
    golden = json.loads(tested["golden.json"])
    golden |= {"tested": {"predictions": ["of the tested one"], "parity": {}}}
    lineage = {"run": "run-1", "trigger": "manual", "data": {"digest": "d" * 64}, "approval": True}
    lineage |= {"refit": {"refit_of": hashlib.sha256(tested["model.skops"]).hexdigest(), "rows": 300, "end": "2026"}}
    return tested | {
        "refitted.skops": (folder / "refitted.skops").read_bytes(),
        "golden.json": json.dumps(golden).encode(),
        "lineage.json": json.dumps(lineage).encode(),
    }


@pytest.fixture
def opened(both, tmp_path, monkeypatch):
    """Opens a store of a number, where version 1 serves a refitted model and is the champion."""
    monkeypatch.setattr(registries, "MARKER_SECONDS", 0.05)

    def build(number=0):
        settings = Settings(home=tmp_path / f"home-{number}")
        registry = Registry(open_store(settings.store_uri, settings), "unit", TRUST)
        registry.publish(both, signer=SIGNER, parent=None)
        for name in ("candidate", "champion"):
            registry.move(name, 1, Move("run 1", "better"), expected=None, signer=SIGNER)
        return registry

    return build


def back(registry, version=1, run="run-2"):
    return go_back(registry, version, run=run, trigger=WHY, signer=SIGNER)


def test_a_reason_that_somebody_signed_holds_for_the_tested_model_too(opened, both, tmp_path):
    """A version that was left to a person, and made the champion by one."""
    settings = Settings(home=tmp_path / "left")
    registry = Registry(open_store(settings.store_uri, settings), "unit", TRUST)
    verdict = json.loads(both["verdict.json"]) | {"decision": "candidate"}
    registry.publish(both | {"verdict.json": json.dumps(verdict).encode()}, signer=SIGNER, parent=None)
    registry.move("candidate", 1, Move("run 1", "left to a person"), expected=None, signer=SIGNER)
    with pytest.raises(VerdictError, match="'candidate'"):
        promote(registry, 1, by="ann", why="", signer=SIGNER)
    promote(registry, 1, by="ann", why="", override="the best there is", signer=SIGNER)
    assert back(registry).version == registry.alias("champion").version == 2


def rollbacks(registry):
    return [m for m in registry.history() if m["alias"] == "champion" and m["action"] == "rollback"]


def test_the_tested_model_is_a_version_with_its_lineage_and_the_champion(opened, tmp_path):
    registry = opened()
    found = back(registry)
    assert (found.version, found.ending) == (2, "restored")
    bundle = registry.fetch(2, tmp_path / "back")
    assert (bundle.served, bundle.files["model.skops"]) == ("model.skops", bundle.verdict.subject)
    assert bundle.golden["predictions"] == ["of the tested one"]
    kept = ("run", "trigger", "restored_from", "data", "approval")
    assert [bundle.lineage[name] for name in kept] == ["run-2", WHY, 1, {"digest": "d" * 64}, False]
    assert bundle.lineage["refit"] == {"why": f"run run-2 went back to it from version 1: {WHY}"}
    assert (registry.find("run", "run-2"), registry.record(2).parent) == ([2], 1)
    (move,) = rollbacks(registry)
    assert (move["version"], move["by"], move["why"]) == (2, "run run-2", WHY)


def test_what_waits_for_a_person_goes_on_to_wait(opened, both):
    registry = opened()
    registry.publish(both, signer=SIGNER, parent=1)
    nominate(registry, 2, by="run 2", why="left to a person", signer=SIGNER)
    assert back(registry).version == registry.alias("champion").version == 3
    assert (waiting(registry.history()), registry.alias("candidate").version) == (2, 2)


def test_by_hand_it_is_no_run_s(opened):
    registry = opened()
    restore(registry, by="ann", why=WHY, signer=SIGNER)
    lineage = registry.record(2).lineage
    assert (lineage["run"], lineage["trigger"]) == ("", f"ann: {WHY}")
    assert registry.find("run", "run-1") == [1], "the run that was trained made one version"


@pytest.mark.slow
def test_whoever_dies_at_whatever_write_is_followed_by_one_who_finishes_it(opened):
    for writes in itertools.count(1):
        registry = opened(writes)
        dying = Dying(registry.store, writes)
        try:
            back(Registry(dying, "unit", TRUST))
        except Killed:
            before = [registry.numbers(folder) for folder in ("published", "numbers")]
            assert back(registry, run="run-3").ending == "restored"
        versions = registry.versions()
        assert (len(versions), registry.alias("champion").version) == (2, versions[-1]), f"killed after {writes} writes"
        assert len(rollbacks(registry)) == 1
        if dying.left == 0 and len(before[0]) == 2:
            assert registry.numbers("numbers") == before[1], "what is published is not made again"
        if dying.left > 0:
            break
    assert writes > 6, "number, sole name, run, data, marker, and the move of the champion are writes"


@pytest.mark.slow
@pytest.mark.parametrize("dead", [False, True], ids=["at once", "after one who died before the marker"])
def test_many_make_one_version(opened, monkeypatch, dead):
    registry, start = opened(), Barrier(4)
    monkeypatch.setattr(registries, "MARKER_SECONDS", 0.6)
    if dead:
        registry.store.put("projects/unit/sole/tested-of-1", b"2")
        registry.store.put("projects/unit/numbers/2", b"")

    def one(number):
        mine = Registry(registry.store, "unit", TRUST)
        start.wait()
        return back(mine, run=f"run-{number}").version

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(one, range(4)))
    (version,) = found
    assert registry.versions() == [1, version]
    assert (registry.alias("champion").version, len(rollbacks(registry))) == (version, 1)


@pytest.mark.slow
def test_done_already_or_overtaken_nothing_is_changed(opened, both):
    registry = opened()
    assert back(registry).version == back(registry, run="run-3").version == 2
    assert back(registry, version=2).summary.startswith("version 2 serves its tested model")
    newer = registry.publish(both, signer=SIGNER, parent=2)
    approve(registry, newer, by="bob", signer=SIGNER)
    before = registry.history()
    found = back(registry)
    assert (found.version, found.ending, registry.history()) == (0, "overtaken", before)
    assert registry.versions() == [1, 2, newer]
    with pytest.raises(NotFoundError, match="no version 9"):
        back(registry, version=9)


def test_a_person_who_rolled_the_tested_model_back_is_not_overruled(opened):
    registry = opened()
    back(registry)
    rollback(registry, to=1, by="ann", why="it was better after all", override="seen it", signer=SIGNER)
    with pytest.raises(VerdictError, match="ann rolled it back"):
        back(registry, run="run-3")
    assert (registry.alias("champion").version, registry.versions()) == (1, [1, 2])
