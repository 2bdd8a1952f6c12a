"""Envelopes, keys and whom a process trusts."""

import base64
import json
import multiprocessing
import random
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from structlog.testing import capture_logs

from ciclo.components.core.errors import IntegrityError, SettingsError
from ciclo.components.core.settings import Settings
from ciclo.components.storage.bundle import SIGNATURE, open_bundle, seal
from ciclo.components.storage.signing import (
    Signer,
    Trust,
    key_id,
    make_keys,
    read_public_key,
    signed_by,
    signer_from,
    trust_from,
)
from tests.depth import thorough
from tests.versions import files

# Signed once; every later release has to verify it.
OLD_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAED+ldlJgKUoyZvEfEg0QJfr53yad/
K/u1JM/j0r+otfGZundjyomfydb4zLTEyJya4gB0RccE4B4lgKfQ3IV8kw==
-----END PUBLIC KEY-----
"""
OLD_SIGNATURE = """{
  "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
  "verificationMaterial": {
    "publicKey": {
      "hint": "a09627ddcd3208f976bbf9ca207edb8e5a62b055577a669ff683a7040dd51baa"
    },
    "tlogEntries": []
  },
  "dsseEnvelope": {
    "payload": "eyJtYWRlIjogIm9uY2UifQ==",
    "payloadType": "application/vnd.in-toto+json",
    "signatures": [
      {
        "sig": "MEUCIQD6zcyTZzQUU7JWUAgHnajwTyTCS7dNbuGbFqILoSTh9wIgb2+UYlURDPNEvS5F+CQGWrIMS6uJvGU8bBE9LoQTsY0=",
        "keyid": ""
      }
    ]
  }
}"""
STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "predicate": {"a": 1}}


def _signer(folder: Path) -> Signer:
    return Signer.read(make_keys(folder)[0])


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return _signer(tmp_path / "keys")


def _trust(*signers: Signer) -> Trust:
    return Trust.of(*(signer.key.public_key() for signer in signers))


def _edited(document: bytes, change: Callable[[Any], object]) -> bytes:
    parsed = json.loads(document)
    change(parsed)
    return json.dumps(parsed).encode()


def test_a_trusted_signature_gives_the_statement_back(signer: Signer) -> None:
    assert _trust(signer).verify(signer.sign(STATEMENT)) == STATEMENT
    assert signed_by(signer.sign(STATEMENT)) == key_id(signer.key.public_key())


def test_a_signature_of_an_earlier_release_still_verifies(tmp_path: Path) -> None:
    (tmp_path / "old.pem").write_text(OLD_KEY)
    assert Trust.of(read_public_key(tmp_path / "old.pem")).verify(OLD_SIGNATURE.encode()) == {"made": "once"}


def test_during_a_rotation_both_keys_count_and_afterwards_one(signer: Signer, tmp_path: Path) -> None:
    fresh = _signer(tmp_path / "new")
    old, new = signer.sign({"made": "before"}), fresh.sign({"made": "after"})
    both = _trust(signer, fresh)
    assert (both.verify(old), both.verify(new)) == ({"made": "before"}, {"made": "after"})
    after = _trust(fresh)
    assert after.verify(new) == {"made": "after"}
    with pytest.raises(IntegrityError, match=key_id(signer.key.public_key())[:12]):
        after.verify(old)


def _other() -> Signer:
    with tempfile.TemporaryDirectory() as folder:
        return _signer(Path(folder))


def _renamed(document: bytes, signer: Signer) -> bytes:
    return _edited(
        document, lambda d: d["verificationMaterial"]["publicKey"].update(hint=key_id(signer.key.public_key()))
    )


def _envelope(**changes: object) -> Callable[[bytes, Signer], bytes]:
    return lambda d, _: _edited(d, lambda p: p["dsseEnvelope"].update(changes))


def _only(**changes: object) -> Callable[[bytes, Signer], bytes]:
    return lambda d, _: _edited(d, lambda p: p["dsseEnvelope"]["signatures"][0].update(changes))


FORGERIES: dict[str, Callable[[bytes, Signer], bytes]] = {
    "another payload": _envelope(payload=base64.b64encode(b"{}").decode()),
    "another spelling of the payload": lambda d, _: _edited(
        d, lambda p: p["dsseEnvelope"].update(payload=p["dsseEnvelope"]["payload"] + "\n")
    ),
    "payload not text": _envelope(payload=1),
    "another type": _envelope(payloadType="text/plain"),
    "no signature": _envelope(signatures=[]),
    "signatures not a list": _envelope(signatures="none"),
    "two signatures": lambda d, _: _edited(
        d, lambda p: p["dsseEnvelope"].update(signatures=p["dsseEnvelope"]["signatures"] * 2)
    ),
    "empty signature": _only(sig=""),
    "signature not text": _only(sig=["a"]),
    "a key id of its own": _only(keyid="a"),
    "an unknown key": lambda d, _: _edited(d, lambda p: p["verificationMaterial"]["publicKey"].update(hint="a")),
    "a key that is not text": lambda d, _: _edited(
        d, lambda p: p["verificationMaterial"]["publicKey"].update(hint=["a"])
    ),
    "no key": lambda d, _: _edited(d, lambda p: p["verificationMaterial"].pop("publicKey")),
    "another format": lambda d, _: _edited(d, lambda p: p.update(mediaType="application/json")),
    "something more": lambda d, _: _edited(d, lambda p: p.update(more=1)),
    "an envelope without its bundle": lambda d, _: json.dumps(json.loads(d)["dsseEnvelope"]).encode(),
    "another signer": lambda d, _: _other().sign(STATEMENT),
    "another signer under our name": lambda d, s: _renamed(_other().sign(STATEMENT), s),
    "empty": lambda d, _: b"",
    "a list": lambda d, _: b"[]",
    "a pickle": lambda d, _: b"\x80\x04\x95",
    "deep": lambda d, _: b"[" * 100_000,
    "cut": lambda d, _: d[:-10],
}


@pytest.mark.parametrize("forge", [pytest.param(forge, id=name) for name, forge in FORGERIES.items()])
def test_anything_else_is_refused(signer: Signer, forge: Callable[[bytes, Signer], bytes]) -> None:
    with pytest.raises(IntegrityError):
        _trust(signer).verify(forge(signer.sign(STATEMENT), signer))


def test_no_flipped_bit_of_a_signature_is_accepted(signer: Signer) -> None:
    document, trust = signer.sign(STATEMENT), _trust(signer)
    for position in range(len(document) * 8):
        flipped = bytearray(document)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(IntegrityError):
            trust.verify(bytes(flipped))


def test_what_is_not_signed_is_read_only_where_signatures_are_off(signer: Signer) -> None:
    off, bare = Trust({}, unsigned=True), json.dumps(STATEMENT).encode()
    assert off.read(bare) == off.read(_other().sign(STATEMENT)) == STATEMENT
    assert _trust(signer).read(signer.sign(STATEMENT)) == STATEMENT
    for document in (bare, _other().sign(STATEMENT)):
        with pytest.raises(IntegrityError):
            _trust(signer).read(document)


# The other implementation: model-signing, with its own command line.


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "unit-7"
    folder.mkdir()
    for name, data in files().items():
        (folder / name).write_bytes(data)
    return folder


def _command_line(folder: Path, key: Path) -> bool:
    command = [str(Path(sys.executable).with_name("model_signing")), "verify", "key", str(folder)]
    options = ["--signature", str(folder / SIGNATURE), "--public_key", str(key), "--no-ignore-git-paths"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120)
    return done.returncode == 0 and "Verification succeeded" in done.stdout


@pytest.mark.slow
def test_the_command_line_of_model_signing_verifies_our_versions(signer: Signer, model: Path, tmp_path: Path) -> None:
    seal(model, project="unit", version=7, parent=None, signer=signer)
    assert _command_line(model, tmp_path / "keys" / "public.pem")
    assert not _command_line(model, make_keys(tmp_path / "other")[1])
    (model / "card.html").write_bytes(b"<html>other</html>")
    assert not _command_line(model, tmp_path / "keys" / "public.pem")


@thorough
def test_what_model_signing_refuses_is_refused_here_too(signer: Signer, model: Path, tmp_path: Path) -> None:
    """Both verifiers on the same tampered folders; ours may refuse more, never less."""
    from model_signing import hashing, verifying

    def theirs() -> bool:
        whole = hashing.Config().set_ignored_paths(paths=[model / SIGNATURE], ignore_git_paths=False)
        key = tmp_path / "keys" / "public.pem"
        config = verifying.Config().use_elliptic_key_verifier(public_key=key).set_hashing_config(whole)
        try:
            config.verify(model, model / SIGNATURE)
        except Exception:  # it refuses in many ways
            return False
        return True

    def ours() -> bool:
        try:
            open_bundle(model, project="unit", version=7, trust=_trust(signer))
        except IntegrityError:
            return False
        return True

    seal(model, project="unit", version=7, parent=None, signer=signer)
    assert theirs()
    assert ours()
    honest, rng, refused = {path.name: path.read_bytes() for path in model.iterdir()}, random.Random(5), 0
    for number in range(300):
        name = sorted(honest)[number % len(honest)]
        data = bytearray(honest[name])
        match number // len(honest) % 4:
            case 0 | 1:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 2:
                data = data[: rng.randrange(len(data))]
            case _:
                data += b"\0"
        (model / name).write_bytes(bytes(data))
        if not theirs():
            refused += 1
            assert not ours(), name
        (model / name).write_bytes(honest[name])
    assert refused > 250
    assert ours()


def test_a_lost_private_key_costs_no_trust(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    signed, keys = signer_from(settings).sign(STATEMENT), tmp_path / "keys"
    lost, public = (keys / "private.pem").read_bytes(), (keys / "public.pem").read_bytes()
    (keys / "private.pem").unlink()
    assert trust_from(settings).verify(signed) == STATEMENT
    with pytest.raises(SettingsError, match="is gone, so nothing can be signed"):
        signer_from(settings)
    make_keys(tmp_path / "other")[0].rename(keys / "private.pem")
    with pytest.raises(SettingsError, match="is not of the private key beside it"):
        signer_from(settings)
    assert (keys / "public.pem").read_bytes() == public
    (keys / "private.pem").write_bytes(lost)
    assert signer_from(settings).sign(STATEMENT)
    (keys / "private.pem").unlink()
    (keys / "public.pem").rename(tmp_path / "old.pem")
    after = settings.model_copy(update={"public_keys": (tmp_path / "old.pem",)})
    assert trust_from(after).verify(signed) == STATEMENT
    assert trust_from(after).verify(signer_from(after).sign(STATEMENT)) == STATEMENT


def _make(folder: Path) -> None:
    make_keys(folder)


@pytest.mark.slow
def test_processes_that_make_keys_at_once_agree_on_one_pair(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_make, args=(tmp_path / "keys",)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    private, public = make_keys(tmp_path / "keys")
    assert Trust.of(read_public_key(public)).verify(Signer.read(private).sign(STATEMENT)) == STATEMENT
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["private.pem", "public.pem"]


def test_a_local_store_has_its_own_key_and_trusts_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    signer = signer_from(settings)
    assert signer is not None
    assert trust_from(settings).verify(signer.sign(STATEMENT)) == STATEMENT
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
        assert trust_from(shared.model_copy(update=keys)).verify(signer.sign(STATEMENT)) == STATEMENT


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
