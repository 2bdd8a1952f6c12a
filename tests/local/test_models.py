"""The real `ciclo models` command, on versions made for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from ciclo.components.core.report import Document, Section, Table
from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.signing import signer_from
from tests.depth import thorough
from tests.kubeflow import Contents, serving
from tests.local.command import Ran, ciclo
from tests.versions import files


def _publish(home: Path, run: str, parent: int | None, score: float, **data: Any) -> int:
    settings = Settings(home=home)
    lineage = {
        "published_at": "2026-01-01T12:00:00+00:00",
        "run": run,
        "trigger": "drift",
        "data": {"digest": f"d-{run}", "rows": 1_000, **data},
        "model": {"candidate": "ridge", "parameters": {"alpha": score}},
    }
    scores = Table(header=("metric", "ridge"), rows=(("accuracy", score),))
    card = Document(title="Model card", sections=(Section(title="Test scores", parts=(scores,)),))
    verdict = json.loads(files()["verdict.json"]) | {"facts": {"metric": "accuracy", "test_score": score}}
    contents = {
        **files(),
        "lineage.json": json.dumps(lineage).encode(),
        "card.html": card.report().html().encode(),
        "card.json": card.model_dump_json().encode(),
        "verdict.json": json.dumps(verdict).encode(),
    }
    return open_registry("unit", settings).publish(contents, signer=signer_from(settings), parent=parent)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Version 1 is the champion; 2 was compared with it, 3 with 2."""
    home = tmp_path / "home"
    for run, parent, score in (("run-a", None, 0.7), ("run-b", 1, 0.8), ("run-c", 2, 0.9)):
        _publish(home, run, parent, score)
    registry, signer = open_registry("unit", Settings(home=home)), signer_from(Settings(home=home))
    registry.move("champion", 1, Move("run run-a", "first"), expected=None, signer=signer)
    return home


def _models(home: Path, *arguments: object, **variables: str) -> Ran:
    return ciclo(home, "models", *arguments, **variables)


def _json(home: Path, *arguments: object, **variables: str) -> Any:
    done = _models(home, *arguments, "--json", **variables)
    assert done.code == 0, done.err
    return json.loads(done.out)


def _refused(home: Path, *arguments: object) -> str:
    done = _models(home, *arguments)
    assert done.code in (1, 2), done.out + done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    return done.err


def test_versions_are_listed_newest_first_with_their_names(home: Path) -> None:
    lines = [line.split() for line in _models(home, "list", "unit").out.splitlines()]
    assert [line[0] for line in lines] == ["version", "3", "2", "1"]
    assert "champion" in lines[3]
    assert "0.9" in lines[1]
    assert [v["version"] for v in _json(home, "list", "unit")] == [3, 2, 1]
    assert "1 of 3" in _models(home, "list", "unit", "--last", 1).out
    assert "no such version" in _models(home, "list", "nobody").out


def test_versions_are_found_by_their_run_and_their_data(home: Path) -> None:
    assert [v["version"] for v in _json(home, "list", "unit", "--run", "run-b")] == [2]
    assert [v["version"] for v in _json(home, "list", "unit", "--data", "d-run")] == [3, 2, 1]
    assert _json(home, "list", "unit", "--run", "run-b", "--data", "d-run-c") == []


def test_one_that_cannot_be_trusted_is_listed_as_such(home: Path) -> None:
    path = home / "store/projects/unit/versions/2/lineage.json"
    path.write_bytes(path.read_bytes().replace(b"drift", b"manual"))
    done = _models(home, "list", "unit")
    assert done.code == 1
    assert "'lineage.json' is not the one that was published" in " ".join(done.out.split())
    assert "0.9" in done.out
    assert "lineage.json" in _refused(home, "show", "unit", 2)


def test_one_is_shown_by_number_or_name(home: Path) -> None:
    shown = _models(home, "show", "unit").out
    for word in ("unit, version 1 (champion)", "d-run-a", "1,000", "parameters.alpha", "0.7", "run run-a", "first"):
        assert word in shown
    story = _json(home, "show", "unit", "champion")
    assert story == _json(home, "show", "unit", 1)
    assert (story["names"], story["lineage"]["run"], story["parent"]) == (["champion"], "run-a", None)
    assert [move["why"] for move in story["moves"]] == ["first"]
    assert "no version 9" in _refused(home, "show", "unit", 9)
    assert "names: champion" in _refused(home, "show", "unit", "../../etc")


def test_two_are_shown_side_by_side(home: Path) -> None:
    lines = _models(home, "diff", "unit", "champion", 3).out.splitlines()
    (score,) = [line.split() for line in lines if "test_score" in line]
    assert score == ["test_score", "*", "0.7", "0.9"]
    assert not any("*" in line for line in lines if "rows" in line)
    found = _json(home, "diff", "unit", 1, 3)
    assert found["versions"] == [1, 3]
    assert found["sections"]["data"]["digest"] == ["d-run-a", "d-run-c"]
    assert found["sections"]["model and parameters"]["parameters.alpha"] == [0.7, 0.9]
    assert found["sections"]["metrics"]["test_score"] == [0.7, 0.9]
    assert found["sections"]["card: Test scores"]["accuracy"] == [0.7, 0.9]
    assert found["sections"]["made by"]["parent"] == [None, 2]


def test_a_champion_is_promoted_and_rolled_back_by_the_rules(home: Path) -> None:
    assert "compared with version 2, and the champion is version 1" in _refused(home, "promote", "unit", 3)
    assert "version 2 is the champion" in _models(home, "promote", "unit", 2, "--by", "ann").out
    moved = _json(home, "promote", "unit", 3, "--why", "the release")
    assert (moved["version"], moved["sequence"], moved["why"], moved["override"]) == (3, 3, "the release", "")
    assert _json(home, "rollback", "unit", "--why", "complaints")["version"] == 2
    assert "rolled it back" in _refused(home, "promote", "unit", 3)
    assert _json(home, "promote", "unit", 3, "--override", "it was the network")["override"] == "it was the network"
    told = " ".join(_models(home, "show", "unit", 3).out.split())
    assert "it was the network" in told
    assert "complaints" in told
    assert [v["names"] for v in _json(home, "list", "unit")] == [["champion"], ["previous"], []]
    assert _models(home, "rollback", "unit").code == 2  # a reason is asked for


@pytest.mark.parametrize("spoiled", [b"garbage", b"{}"])
def test_a_pointer_that_was_spoiled_is_put_back(home: Path, spoiled: bytes) -> None:
    _models(home, "promote", "unit", 2, "--by", "ann")
    (home / "store/projects/unit/aliases/champion.json").write_bytes(spoiled)
    assert "ciclo models repair unit" in _refused(home, "list", "unit")
    assert "champion points at version 2 again" in _models(home, "repair", "unit").out
    assert _json(home, "list", "unit")[1]["names"] == ["champion"]
    assert "nothing had to be" in _models(home, "repair", "unit").out


def test_old_versions_are_pruned(home: Path) -> None:
    would = _json(home, "prune", "unit", "--keep", 1, "--dry-run")
    assert would == {"kept": [1, 3], "reduced": [2], "deleted": [], "unfinished": [], "runs": []}
    assert len(_json(home, "list", "unit")) == 3
    assert "1 cut down to lineage and verdict: 2" in _models(home, "prune", "unit", "--keep", 1).out
    assert [v["version"] for v in _json(home, "list", "unit")] == [3, 1]
    assert _json(home, "list", "unit", "--run", "run-b")[0]["names"] == ["pruned"]
    assert _json(home, "diff", "unit", 1, 2)["sections"]["card: Test scores"]["accuracy"] == [0.7, None]
    assert "was pruned" in _refused(home, "promote", "unit", 2)
    assert "at least the newest" in _refused(home, "prune", "unit", "--keep", 0)


@thorough
def test_a_version_is_exported_to_a_model_registry(home: Path) -> None:
    contents = Contents(token="secret")
    with serving(contents) as address:
        arguments = ("export", "unit", 2, "--to", address)
        assert "401" in _refused(home, *arguments)
        exported = _json(home, *arguments, CICLO_MODEL_REGISTRY_TOKEN="secret")
    artifact = contents.artifacts[exported["artifact"]]
    assert artifact["uri"] == f"file://{home}/store/projects/unit/versions/2/model.skops"
    assert contents.versions[exported["version"]]["customProperties"]["run"]["string_value"] == "run-b"


def test_a_key_is_replaced(home: Path, tmp_path: Path) -> None:
    old = home / "keys" / "public.pem"
    assert ciclo(home, "keys", "init", tmp_path / "new").code == 0
    private, public = tmp_path / "new/private.pem", tmp_path / "new/public.pem"
    new = {"CICLO_PRIVATE_KEY": str(private), "CICLO_PUBLIC_KEYS": json.dumps([str(public)])}
    assert _models(home, "show", "unit", **new).code == 1
    both = {**new, "CICLO_PUBLIC_KEYS": json.dumps([str(old), str(public)])}
    done = ciclo(home, "keys", "renew", "unit", **both)
    assert "5 signatures replaced" in done.out, done.err  # three versions, a move and its pointer
    assert _json(home, "show", "unit", **new)["moves"][0]["why"] == "first"
    assert "signatures are off" in ciclo(home, "keys", "renew", "unit", CICLO_UNSIGNED="true").err
