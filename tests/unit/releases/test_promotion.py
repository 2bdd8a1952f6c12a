"""Which version may become the champion: the rules in both directions, and what is kept of every move."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ciclo.components.core.errors import ConflictError, IntegrityError, NotFoundError, SettingsError, VerdictError
from ciclo.components.core.verdict import Check, Verdict
from ciclo.components.releases import promotion
from ciclo.components.releases.history import waiting
from ciclo.components.releases.names import Alias, Move
from ciclo.components.releases.promotion import approve, deciding_command, nominate, promote, rollback
from ciclo.components.releases.registry import Registry
from ciclo.components.releases.retention import prune
from ciclo.components.storage.directory import DirectoryStore
from ciclo.components.storage.signing import Signer, Trust, make_keys
from tests.versions import files

FAILED = Check(name="size", passed=False)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer.read(make_keys(tmp_path_factory.mktemp("keys"))[0])


@pytest.fixture
def registry(quick_path: Path, signer: Signer) -> Registry:
    return Registry(DirectoryStore(quick_path), "unit", Trust.of(signer.key.public_key()))


def _publish(registry: Registry, signer: Signer, parent: int | None = None, **verdict: object) -> int:
    subject = hashlib.sha256(files()["model.skops"]).hexdigest()
    whole = {"gate": "evaluation", "decision": "promote", "reason": "better", "subject": subject, **verdict}
    judged = {**files(), "verdict.json": Verdict.model_validate(whole).model_dump_json().encode()}
    return registry.publish(judged, signer=signer, parent=parent)


def _champion(registry: Registry, signer: Signer, version: int) -> Alias:
    """The champion as an earlier run left it."""
    return registry.move("champion", version, Move("run", "test"), expected=registry.alias("champion"), signer=signer)


def _rolled_back(registry: Registry, signer: Signer) -> None:
    _champion(registry, signer, 1)
    _champion(registry, signer, 2)
    rollback(registry, by="ann", why="complaints", signer=signer)


# What a version 2 is like, which the champion, and what is said against promoting it; nothing if it may be.
RULES: dict[str, tuple[dict[str, object], int | None, str]] = {
    "better than the champion of today": ({"parent": 1}, 1, ""),
    "the first of all": ({}, None, ""),
    "compared with a champion that is gone": ({"parent": 1}, None, "compared with version 1, and the champion is no"),
    "compared with nothing while there is a champion": ({}, 1, "compared with no champion, and the champion is vers"),
    "compared with another": ({"parent": 1}, 3, "compared with version 1, and the champion is version 3"),
    "kept out by evaluation": ({"parent": 1, "decision": "keep"}, 1, "'keep'"),
    "judged by another gate": ({"parent": 1, "gate": "validation", "decision": "pass"}, 1, "one of validation"),
    "judged as another model": ({"parent": 1, "subject": "0" * 64}, 1, "about something else"),
    "judged as nothing": ({"parent": 1, "subject": ""}, 1, "about something else"),
    "passed with a failed check": ({"parent": 1, "checks": (FAILED,)}, 1, "'promote'"),
    "an unknown word": ({"parent": 1, "decision": "Promote"}, 1, "'Promote'"),
}


@pytest.mark.slow
@pytest.mark.parametrize("override", ["", " ", "we know better"], ids=["no override", "blank override", "override"])
@pytest.mark.parametrize(("version", "champion", "objection"), RULES.values(), ids=RULES)
def test_the_rules_of_promotion(
    registry: Registry, signer: Signer, version: dict[str, object], champion: int | None, objection: str, override: str
) -> None:
    _publish(registry, signer)
    _publish(registry, signer, **version)  # type: ignore[arg-type]
    _publish(registry, signer, parent=1)
    before = _champion(registry, signer, champion) if champion else None
    if objection and not override.strip():
        with pytest.raises(VerdictError, match=r"not fit to be the champion.*--override") as caught:
            promote(registry, 2, by="me", override=override, signer=signer)
        assert objection in str(caught.value)
        assert registry.alias("champion") == before
        return
    moved = promote(registry, 2, by="me", override=override, signer=signer)
    assert registry.alias("champion") == moved
    told = registry.history()[-1]
    assert told == {"alias": "champion", **asdict(moved)}
    assert (told["version"], told["by"], told["action"]) == (2, "me", "promote")
    assert told["override"] == ("we know better" if objection else "")
    assert objection in told["why"]


APPROVALS: dict[str, tuple[dict[str, object], int | None, str]] = {
    "passing, against the champion of today": ({"parent": 1}, 1, ""),
    "compared with another": ({"parent": 1}, 3, "compared with version 1, and the champion is version 3"),
    "left to a person by evaluation": ({"parent": 1, "decision": "candidate"}, 1, "'candidate'"),
}


@pytest.mark.parametrize(("version", "champion", "objection"), APPROVALS.values(), ids=APPROVALS)
def test_the_rules_of_approval(
    registry: Registry, signer: Signer, version: dict[str, object], champion: int | None, objection: str
) -> None:
    _publish(registry, signer)
    _publish(registry, signer, **version)  # type: ignore[arg-type]
    _publish(registry, signer, parent=1)
    _champion(registry, signer, champion or 1)
    before = registry.history()
    if objection:
        with pytest.raises(VerdictError, match="not fit to be the champion") as caught:
            approve(registry, 2, by="ann", signer=signer)
        assert objection in str(caught.value)
        assert registry.history() == before
        return
    assert approve(registry, 2, by="ann", signer=signer).version == 2
    told = registry.history()[len(before) :]
    assert [(m["alias"], m["version"], m["by"], m["action"]) for m in told] == [
        ("approved", 2, "ann", "approve"),
        ("champion", 2, "ann", "promote"),
    ]
    with pytest.raises(VerdictError, match="champion already"):
        approve(registry, 2, by="ann", signer=signer)


@pytest.mark.parametrize(
    ("decision", "approval", "command"),
    [
        ("promote", True, "approve unit 1 --by WHO"),
        ("promote", False, 'promote unit 1 --override "reason"'),
        ("candidate", True, 'promote unit 1 --override "reason"'),
    ],
)
def test_the_command_that_decides_on_a_version(
    registry: Registry, signer: Signer, decision: str, approval: bool, command: str
) -> None:
    record = registry.record(_publish(registry, signer, decision=decision))
    assert deciding_command(replace(record, lineage={"approval": approval})) == command


def test_an_approval_has_a_name(registry: Registry, signer: Signer) -> None:
    _publish(registry, signer)
    with pytest.raises(SettingsError, match="--by WHO"):
        approve(registry, 1, by="  ", signer=signer)
    assert registry.history() == []


def test_a_signed_reason_counts_when_somebody_goes_back_to_that_version(registry: Registry, signer: Signer) -> None:
    _publish(registry, signer)
    _publish(registry, signer, parent=1, decision="candidate")
    _publish(registry, signer, parent=2)
    promote(registry, 1, by="me", signer=signer)
    promote(registry, 2, by="me", override="looked at it", signer=signer)
    promote(registry, 3, by="me", signer=signer)
    assert rollback(registry, by="ann", why="complaints", signer=signer).version == 2
    assert rollback(registry, by="ann", why="worse", signer=signer).version == 1
    with pytest.raises(VerdictError, match=r"--to 2 --override"):
        rollback(registry, by="ann", why="worse still", signer=signer)
    with pytest.raises(VerdictError, match=r"ciclo models rollback unit --to 2 --override"):
        rollback(registry, to=2, by="ann", why="", signer=signer)


def test_an_approval_that_died_before_the_promotion_is_taken_up_again(
    registry: Registry, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(registry, signer)
    with monkeypatch.context() as patch:
        patch.setattr(promotion, "promote", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            approve(registry, 1, by="ann", signer=signer)
    assert registry.alias("champion") is None
    approve(registry, 1, by="ann", signer=signer)
    assert [m["alias"] for m in registry.history()] == ["approved", "champion"]


def test_what_is_the_champion_already_is_not_promoted_again(registry: Registry, signer: Signer) -> None:
    _publish(registry, signer)
    promote(registry, 1, by="me", signer=signer)
    with pytest.raises(VerdictError, match="champion already"):
        promote(registry, 1, by="me", override="again", signer=signer)
    with pytest.raises(VerdictError, match="champion already"):
        rollback(registry, to=1, by="me", why="", signer=signer)
    assert len(registry.history()) == 1


def test_what_was_rolled_back_stays_out_until_somebody_overrides(registry: Registry, signer: Signer) -> None:
    for parent in (None, 1):
        _publish(registry, signer, parent)
    _rolled_back(registry, signer)
    assert registry.history()[-1]["action"] == "rollback"
    assert registry.history()[-1]["why"] == "complaints"
    for again in (
        lambda **options: promote(registry, 2, by="me", signer=signer, **options),
        lambda **options: rollback(registry, to=2, by="me", why="", signer=signer, **options),
    ):
        with pytest.raises(VerdictError, match=r"ann rolled it back on .*: complaints"):
            again()
    promote(registry, 2, by="me", override="the complaints were about something else", signer=signer)
    promote(registry, 1, by="me", override="once more", signer=signer)
    promote(registry, 2, by="me", signer=signer)  # when it left last, nobody rolled it back


def test_a_rollback_goes_to_the_last_champion_that_was_not_rolled_back(registry: Registry, signer: Signer) -> None:
    for parent in (None, 1, 2):
        version = _publish(registry, signer, parent)
        promote(registry, version, by="me", signer=signer)
    gone_to = [rollback(registry, by="me", why="worse", signer=signer).version for _ in range(2)]
    assert gone_to == [2, 1]
    with pytest.raises(VerdictError, match="no champion to go back to"):
        rollback(registry, by="me", why="worse", signer=signer)


@pytest.mark.parametrize(
    ("prepare", "to", "error", "words"),
    [
        (lambda r, s: None, None, VerdictError, "no champion"),
        (lambda r, s: _champion(r, s, 1), None, VerdictError, "no champion to go back to"),
        (lambda r, s: _champion(r, s, 1), 2, VerdictError, "never been the champion.*promote"),
        (lambda r, s: _champion(r, s, 1), 9, VerdictError, "never been the champion"),
    ],
    ids=["no champion", "the first champion", "never the champion", "no such version"],
)
def test_there_has_to_be_something_to_go_back_to(
    registry: Registry, signer: Signer, prepare: Callable[[Registry, Signer], object], to: int | None,
    error: type[Exception], words: str,
) -> None:  # fmt: skip
    for parent in (None, 1):
        _publish(registry, signer, parent)
    prepare(registry, signer)
    before = registry.history()
    with pytest.raises(error, match=words):
        rollback(registry, to=to, by="me", why="worse", override="please", signer=signer)
    assert registry.history() == before


def test_a_champion_whose_model_was_pruned_cannot_come_back(registry: Registry, signer: Signer) -> None:
    for parent in (None, 1, 2):
        promote(registry, _publish(registry, signer, parent), by="me", signer=signer)
    prune(registry, keep=1, by="me")
    with pytest.raises(NotFoundError, match="version 1 of unit was pruned"):
        rollback(registry, to=1, by="me", why="worse", override="please", signer=signer)
    assert rollback(registry, by="me", why="worse", signer=signer).version == 2


def test_a_champion_that_moved_meanwhile_is_a_conflict(
    registry: Registry, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for parent in (None, 1):
        _publish(registry, signer, parent)
    _champion(registry, signer, 1)
    read = registry.record

    def slow(version: int) -> object:
        monkeypatch.undo()
        _champion(registry, signer, 1)
        return read(version)

    monkeypatch.setattr(registry, "record", slow)
    with pytest.raises(ConflictError, match="by run"):
        promote(registry, 2, by="me", signer=signer)


@pytest.mark.slow
def test_the_candidate_never_goes_back(registry: Registry, signer: Signer) -> None:
    for _ in range(3):
        _publish(registry, signer)
    for version, candidate in ((2, 2), (1, 2), (2, 2), (3, 3)):
        nominate(registry, version, by="me", why="", signer=signer)
        found = registry.alias("candidate")
        assert found is not None
        assert found.version == candidate
    assert [move["version"] for move in registry.history()] == [2, 3]


def test_a_forged_rollback_in_the_history_is_refused_not_obeyed(registry: Registry, signer: Signer) -> None:
    _publish(registry, signer)
    registry.store.put("projects/unit/history/champion/00000001.json", json.dumps({"predicate": {}}).encode())
    with pytest.raises(IntegrityError, match="is gone, and its history is not"):
        promote(registry, 1, by="me", signer=signer)
    assert registry.repair() == {}
    assert registry.set_aside() == ["projects/unit/history/champion/00000001.json"]
    assert promote(registry, 1, by="me", signer=signer).version == 1


def test_a_champion_that_was_rolled_back_does_not_wait_for_anybody(registry: Registry, signer: Signer) -> None:
    for parent in (None, 1):
        _publish(registry, signer, parent)
    registry.move("candidate", 2, Move("run", "test"), expected=None, signer=signer)
    assert waiting(registry.history()) == 2
    _rolled_back(registry, signer)
    assert waiting(registry.history()) is None


@pytest.mark.parametrize("lost", ["broken", "pruned"])
def test_a_rollback_goes_past_what_cannot_be_had(registry: Registry, signer: Signer, lost: str) -> None:
    for version in (1, 2, 3):
        _publish(registry, signer)
        _champion(registry, signer, version)

    def lose(version: int) -> None:
        if lost == "broken":
            registry.store.delete(f"projects/unit/versions/{version}/lineage.json")
        else:
            registry.store.put(f"projects/unit/pruned/{version}", b"{}")

    lose(2)
    assert rollback(registry, by="me", why="worse", signer=signer).version == 1
    promote(registry, 3, by="me", override="after all", signer=signer)
    lose(1)
    with pytest.raises(VerdictError, match=r"no earlier champion of unit can be read.*version 1"):
        rollback(registry, by="me", why="worse", signer=signer)
