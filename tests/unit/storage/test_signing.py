"""Envelopes, keys and whom a process trusts."""

import base64
import json
import multiprocessing
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from structlog.testing import capture_logs

from components.core.errors import IntegrityError, SettingsError
from components.core.settings import Settings
from components.storage.signing import Signer, Trust, key_id, make_keys, read_public_key, signer_from, trust_from

# Signed once by the first release; every later one has to verify it.
OLD_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEw59P0TAdPUWCx62LLeAUGeiYyjpP
uT4QdwJy7ibtuHPz+H810NnBPp28KxGDfT9iqtr4cFUhr5tbGMAHiD9vaA==
-----END PUBLIC KEY-----
"""
OLD_ENVELOPE = """{
  "payloadType": "application/vnd.in-toto+json",
  "payload": "eyJtYWRlIjogIm9uY2UifQ==",
  "signatures": [
    {
      "keyid": "cc604c7ade38062ca9f2027cdea56bc029aa7bc4621517d40214023520b95ced",
      "sig": "MEUCIQDJofqwSr3dGK0dKq1EJh/3jM0pRbscOrf9ynrGDqFmbQIgK89Gf71hSeZ3OKGkWigKvatDWNh/+u5pewbwUltmXOk="
    }
  ]
}"""


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.read(make_keys(tmp_path / "keys")[0])


def _edited(envelope: bytes, **changes: object) -> bytes:
    return json.dumps({**json.loads(envelope), **changes}).encode()


def test_a_trusted_signature_gives_the_payload_back(signer: Signer) -> None:
    assert Trust.of(signer.key.public_key()).verify(signer.sign(b"payload")) == b"payload"


def test_an_envelope_of_an_earlier_release_still_verifies(tmp_path: Path) -> None:
    (tmp_path / "old.pem").write_text(OLD_KEY)
    assert Trust.of(read_public_key(tmp_path / "old.pem")).verify(OLD_ENVELOPE.encode()) == b'{"made": "once"}'


def test_during_a_rotation_both_keys_count_and_afterwards_one(signer: Signer, tmp_path: Path) -> None:
    fresh = Signer.read(make_keys(tmp_path / "new")[0])
    old, new = signer.sign(b"old"), fresh.sign(b"new")
    both = Trust.of(signer.key.public_key(), fresh.key.public_key())
    assert (both.verify(old), both.verify(new)) == (b"old", b"new")
    after = Trust.of(fresh.key.public_key())
    assert after.verify(new) == b"new"
    with pytest.raises(IntegrityError, match=key_id(signer.key.public_key())[:12]):
        after.verify(old)


@pytest.mark.parametrize(
    "forge",
    [
        lambda e, s: _edited(e, payload=base64.b64encode(b"other").decode()),
        lambda e, s: _edited(e, payloadType="text/plain"),
        lambda e, s: _edited(e, signatures=[]),
        lambda e, s: _edited(e, signatures="none"),
        lambda e, s: _edited(e, signatures=[{**json.loads(e)["signatures"][0], "sig": ""}]),
        lambda e, s: _edited(e, signatures=[{**json.loads(e)["signatures"][0], "keyid": ["a"]}]),
        lambda e, s: _edited(e, signatures=[{**json.loads(e)["signatures"][0], "keyid": "a"}]),
        lambda e, s: Signer(ec.generate_private_key(ec.SECP256R1())).sign(b"payload"),
        lambda e, s: _edited(
            Signer(ec.generate_private_key(ec.SECP256R1())).sign(b"payload"),
            signatures=[
                {"keyid": key_id(s.key.public_key()), "sig": json.loads(e)["signatures"][0]["sig"][:-4] + "AAA="}
            ],
        ),
        lambda e, s: b"",
        lambda e, s: b"[]",
        lambda e, s: b"\x80\x04\x95",
        lambda e, s: b"[" * 100_000,
        lambda e, s: e[:-10],
    ],
    ids=[
        "payload",
        "type",
        "no signatures",
        "signatures not a list",
        "empty signature",
        "key id not text",
        "unknown key id",
        "other key",
        "other key under our id",
        "empty",
        "list",
        "pickle",
        "deep",
        "cut",
    ],
)
def test_anything_else_is_refused(signer: Signer, forge) -> None:
    envelope = signer.sign(b"payload")
    with pytest.raises(IntegrityError):
        Trust.of(signer.key.public_key()).verify(forge(envelope, signer))


def test_no_flipped_bit_of_an_envelope_changes_what_is_believed(signer: Signer) -> None:
    envelope, trust = signer.sign(b'{"a": 1}'), Trust.of(signer.key.public_key())
    refused = 0
    for position in range(len(envelope) * 8):
        flipped = bytearray(envelope)
        flipped[position // 8] ^= 1 << position % 8
        try:
            assert trust.verify(bytes(flipped)) == b'{"a": 1}'  # white space outside what is signed
        except IntegrityError:
            refused += 1
    assert refused > len(envelope) * 6


def _make(folder: Path) -> None:
    make_keys(folder)


def test_processes_that_make_keys_at_once_agree_on_one_pair(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_make, args=(tmp_path / "keys",)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    private, public = make_keys(tmp_path / "keys")
    assert Trust.of(read_public_key(public)).verify(Signer.read(private).sign(b"x")) == b"x"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["private.pem", "public.pem"]


def test_a_local_store_has_its_own_key_and_trusts_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    signer = signer_from(settings)
    assert signer is not None
    assert trust_from(settings).verify(signer.sign(b"x")) == b"x"
    assert signer_from(settings) == signer or key_id(signer.key.public_key()) in trust_from(settings).keys


def test_a_shared_store_wants_keys_made_on_purpose(tmp_path: Path) -> None:
    shared = Settings(home=tmp_path, store="s3://bucket")
    with pytest.raises(SettingsError, match="CICLO_PRIVATE_KEY"):
        signer_from(shared)
    with pytest.raises(SettingsError, match="CICLO_PUBLIC_KEYS"):
        trust_from(shared)
    assert not (tmp_path / "keys").exists()
    private, public = make_keys(tmp_path / "made")
    signer = signer_from(shared.model_copy(update={"private_key": private}))
    assert signer is not None
    for keys in ({"public_keys": (public,)}, {"private_key": private}):
        assert trust_from(shared.model_copy(update=keys)).verify(signer.sign(b"x")) == b"x"


def test_public_keys_that_are_named_replace_the_own_one(tmp_path: Path) -> None:
    private, _ = make_keys(tmp_path / "a")
    _, other = make_keys(tmp_path / "b")
    settings = Settings(home=tmp_path, private_key=private, public_keys=(other,))
    assert list(trust_from(settings).keys) == [key_id(read_public_key(other))]


def test_a_folder_of_public_keys_can_be_named(tmp_path: Path) -> None:
    signers = [Signer.read(make_keys(tmp_path / name)[0]) for name in ("old", "new")]
    (tmp_path / "trust").mkdir()
    for name in ("old", "new"):
        (tmp_path / name / "public.pem").rename(tmp_path / "trust" / f"{name}.pem")
    settings = Settings(home=tmp_path, store="s3://bucket", public_keys=(tmp_path / "trust",))
    assert set(trust_from(settings).keys) == {key_id(signer.key.public_key()) for signer in signers}


def test_without_signatures_it_says_so_loudly(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, unsigned=True)
    with capture_logs() as logs:
        assert signer_from(settings) is None
        assert trust_from(settings).unsigned
    assert [line["log_level"] for line in logs] == ["warning", "warning"]
    assert all("SIGNATURES ARE OFF" in line["event"] for line in logs)


def _pem(key: object) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"not a key",
        _pem(rsa.generate_private_key(65537, 2048)),
        _pem(ec.generate_private_key(ec.SECP384R1())),
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"pw")
        ),
    ],
    ids=["missing", "empty", "text", "rsa", "other curve", "encrypted"],
)
def test_a_file_that_is_no_key_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"key\.pem"):
        Signer.read(path)
    with pytest.raises(SettingsError, match=r"key\.pem"):
        read_public_key(path)
