"""After a rotation everything is trusted by the new key alone, and nothing says anything else than before."""

import subprocess
import sys
from pathlib import Path

import pytest

from ciclo.components.core.errors import IntegrityError, SettingsError
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import Registry
from ciclo.components.releases.retention import prune
from ciclo.components.releases.rotation import sign_again
from ciclo.components.storage.signing import Signer, Trust, make_keys, signed_by
from tests.keys import SIGNER, STRANGER, TRUST
from tests.meanwhile import Meanwhile, die
from tests.promises.registry import move
from tests.versions import files


@pytest.fixture
def new(tmp_path: Path) -> Signer:
    return Signer.read(make_keys(tmp_path / "new")[0])


@pytest.fixture
def old(tmp_path: Path) -> Registry:
    """Versions 1 to 4, signed by the old key: of 1 only the story is left, of 2 nothing; the champion moved twice."""
    registry = Registry(Meanwhile(tmp_path / "store"), "unit", TRUST)
    for parent in (None, None, 1, 3):
        registry.publish(files(), signer=SIGNER, parent=parent)
    first = move(registry, "champion", 3, expected=None, by="a", why="first")
    move(registry, "champion", 4, expected=first, by="b", why="second")
    prune(registry, keep=1, by="me")
    return registry


def _trusting(registry: Registry, *signers: Signer) -> tuple[Registry, Trust]:
    trust = Trust.of(*(signer.key.public_key() for signer in signers))
    return Registry(registry.store, registry.project, trust), trust


@pytest.mark.slow
def test_the_old_key_is_not_needed_any_more(old: Registry, new: Signer, tmp_path: Path) -> None:
    both, trust = _trusting(old, SIGNER, new)
    history, record = both.history(), both.record(1)
    assert sign_again(both, trust, new) == 3 + 2 + 1  # versions, moves, pointer
    assert sign_again(both, trust, new) == 0
    after, _ = _trusting(old, new)
    assert after.history() == history
    assert after.record(1).lineage == record.lineage
    for version in (3, 4):
        after.fetch(version, tmp_path / f"unit-{version}").check()
    found = after.alias("champion")
    assert found is not None
    assert after.move("champion", 3, Move("c", "third"), expected=found, signer=new).sequence == 3
    with pytest.raises(IntegrityError, match="CICLO_PUBLIC_KEYS"):
        old.fetch(4, tmp_path / "old")
    command = [str(Path(sys.executable).with_name("model_signing")), "verify", "key", str(tmp_path / "unit-4")]
    options = ["--signature", str(tmp_path / "unit-4/model.sig"), "--public_key", str(tmp_path / "new/public.pem")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120)
    assert "Verification succeeded" in done.stdout, done.stdout + done.stderr


def test_one_that_is_cut_off_anywhere_is_finished_by_the_next(old: Registry, new: Signer, tmp_path: Path) -> None:
    both, trust = _trusting(old, SIGNER, new)
    for at in range(6):
        old.store.left, old.store.action = 1, die  # type: ignore[attr-defined]
        with pytest.raises(SystemExit):
            sign_again(both, trust, new)
        both.fetch(4, tmp_path / str(at)).check()
        assert len(both.history()) == 2
        if at == 4:
            break
    assert sign_again(both, trust, new) == 1
    assert _trusting(old, new)[0].alias("champion") is not None


def test_what_nobody_trusted_is_named_and_not_signed(old: Registry, new: Signer) -> None:
    both, trust = _trusting(old, SIGNER, new)
    key = "projects/unit/versions/4/model.sig"
    forged = STRANGER.sign(TRUST.verify(old.store.get(key).data))
    old.store.put(key, forged)
    with pytest.raises(IntegrityError, match=r"versions/4/model\.sig"):
        sign_again(both, trust, new)
    assert old.store.get(key).data == forged


def test_a_key_that_nobody_trusts_signs_nothing(old: Registry, new: Signer) -> None:
    before = old.store.get("projects/unit/versions/4/model.sig")
    with pytest.raises(SettingsError, match="CICLO_PUBLIC_KEYS"):
        sign_again(old, TRUST, new)
    assert old.store.get("projects/unit/versions/4/model.sig") == before


def test_a_name_that_moves_meanwhile_keeps_its_move(old: Registry, new: Signer) -> None:
    both, trust = _trusting(old, SIGNER, new)
    swap = old.store.swap

    def overtaken(key: str, data: bytes, etag: str) -> bool:
        if "aliases" in key:
            old.store.swap = swap  # type: ignore[method-assign]
            move(old, "champion", 3, expected=old.alias("champion"), by="c", why="third")
        return swap(key, data, etag)

    old.store.swap = overtaken  # type: ignore[method-assign]
    sign_again(both, trust, new)
    now = both.alias("champion")
    assert now is not None
    assert (now.version, now.by) == (3, "c")
    assert signed_by(old.store.get("projects/unit/aliases/champion.json").data) in trust.keys
    sign_again(both, trust, new)
    assert len(_trusting(old, new)[0].history()) == 3
