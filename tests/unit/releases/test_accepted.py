"""What the last accepted version was trained on is read from a real registry, or it is said why not."""

import pytest

from ciclo.components.core.settings import Settings
from ciclo.components.releases.accepted import last_accepted
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.bundle import Bundle
from tests.keys import PUBLIC, SIGNER
from tests.versions import CONTRACT, files


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", public_keys=(PUBLIC,))


def publish(settings, **changes):
    return open_registry("unit", settings).publish({**files(), **changes}, signer=SIGNER, parent=None)


def crown(settings, version):
    open_registry("unit", settings).move("champion", version, Move("a", "b"), expected=None, signer=SIGNER)


def test_it_is_the_champion_or_else_the_last_that_was_published(settings):
    assert last_accepted("unit", settings) is None
    assert not settings.home.exists(), "no key is made, and nothing is written, to look"
    assert [publish(settings) for _ in range(3)] == [1, 2, 3]
    last = last_accepted("unit", settings)
    assert (last.version, last.champion, last.problem) == (3, False, "")
    crown(settings, 2)
    found = last_accepted("unit", settings)
    assert (found.version, found.champion, found.name) == (2, True, "version 2, the champion")
    assert found.contract == CONTRACT
    assert found.profile.rows == 200


def test_what_cannot_be_read_is_said(settings):
    crown(settings, publish(settings))
    stranger = Settings(home=settings.home)
    assert "not signed by a trusted key" in last_accepted("unit", stranger).problem
    profile = settings.home / "store/projects/unit/versions/1/profile.json"
    profile.chmod(0o644)
    profile.write_bytes(profile.read_bytes().replace(b"200", b"900", 1))
    found = last_accepted("unit", settings)
    assert (found.version, found.profile) == (1, None)
    assert "'profile.json' of version 1 is not the one that was published" in found.problem


@pytest.mark.parametrize("name", ["contract.json", "profile.json"])
def test_a_document_of_another_release_is_no_crash(settings, name, monkeypatch):
    monkeypatch.setattr(Bundle, "check", lambda self: self.lineage)  # of the release that published it
    crown(settings, publish(settings, **{name: b'{"of": "another release"}'}))
    found = last_accepted("unit", settings)
    assert (found.version, found.problem) == (1, "its contract or profile is of a release that this one cannot read")


def test_a_store_that_fails_is_no_crash(settings):
    broken = Settings(home=settings.home, store="s3://bucket", public_keys=(PUBLIC,))
    assert last_accepted("unit", broken).problem
