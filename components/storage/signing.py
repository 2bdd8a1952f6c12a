"""Signatures: who vouches for a version and for where a name points, and which voices count.

A signature is a sigstore bundle: a DSSE envelope around an in-toto statement, signed with ECDSA P-256, beside the
sha256 of the public key. A version is signed by the OpenSSF's ``model-signing``, so its command line verifies our
versions too. Verifying needs ``cryptography`` alone, because ``model-signing`` cannot live in the serving environment.
Trust is a set of public keys: while a key is being replaced, both the old and the new one are in the set.

Where the store is a local folder and no key is given, a key pair is made once below ``CICLO_HOME`` and trusted: whoever
can write that folder could change the key as well. A shared store needs keys that were made on purpose.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ciclo.components.core.errors import IntegrityError, SettingsError
from ciclo.components.core.files import write_whole
from ciclo.components.core.settings import Settings

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_SCHEME = ec.ECDSA(hashes.SHA256())
_MAKE = "Make a pair with `ciclo keys init FOLDER`"


@dataclass(frozen=True)
class Signer:
    """Who vouches.

    Attributes:
        path: PEM file of the key.
        key: An EC P-256 private key.
    """

    path: Path
    key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> "Signer":
        """Read a PEM file.

        Raises:
            SettingsError: If it is not an EC P-256 private key.
        """
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError("the private key cannot be read", seen=f"{path}: {error}", hint=f"{_MAKE}.") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise SettingsError("the private key has to be an EC P-256 key", seen=str(path), hint=f"{_MAKE}.")
        return cls(path, key)

    def sign_folder(self, folder: Path, name: str) -> None:
        """Sign every file of a folder with ``model-signing``.

        Args:
            folder: The folder; its name becomes the signature's subject.
            name: File in it that the signature is written to.
        """
        from model_signing import hashing, signing

        everything = hashing.Config().set_ignored_paths(paths=[folder / name], ignore_git_paths=False)
        config = signing.Config().use_elliptic_key_signer(private_key=self.path).set_hashing_config(everything)
        config.sign(folder, folder / name)

    def sign(self, statement: Mapping[str, Any]) -> bytes:
        """Sign one in-toto statement."""
        payload = json.dumps(statement).encode()
        signature = self.key.sign(_pre_authentication(payload), _SCHEME)
        return json.dumps(_bundle(key_id(self.key.public_key()), payload, signature)).encode()


@dataclass(frozen=True)
class Trust:
    """Whose voice counts.

    Attributes:
        keys: Public keys by id; a signature of any of them is enough.
        unsigned: Take what is not signed, too.
    """

    keys: Mapping[str, ec.EllipticCurvePublicKey]
    unsigned: bool = False

    @classmethod
    def of(cls, *keys: ec.EllipticCurvePublicKey) -> "Trust":
        """Trust these keys."""
        return cls({key_id(key): key for key in keys})

    def verify(self, signature: bytes) -> dict[str, Any]:
        """The statement that a trusted key signed.

        Args:
            signature: A sigstore bundle as ``Signer`` writes it, and in no other shape.

        Raises:
            IntegrityError: If it is anything else, or no trusted key signed it.
        """
        name, payload, raw = _parts(signature)
        key = self.keys.get(name)
        try:
            if key is None:
                raise InvalidSignature
            key.verify(raw, _pre_authentication(payload), _SCHEME)
        except InvalidSignature as error:
            raise IntegrityError(
                "this is not signed by a trusted key",
                seen=f"key {name[:12]}",
                hint="Add the public key of the publisher to CICLO_PUBLIC_KEYS if you trust it.",
            ) from error
        return json_object(payload)

    def read(self, document: bytes) -> dict[str, Any]:
        """The statement in a document that ``Signer.sign`` wrote, or, where signatures are off, in a bare one.

        Raises:
            IntegrityError: If it is anything else, or no trusted key signed it.
        """
        if not self.unsigned:
            return self.verify(document)
        found = json_object(document)
        return json_object(_parts(document)[1]) if "dsseEnvelope" in found else found


def signed_by(signature: bytes) -> str:
    """The id of the key that a signature names; whether that is true, ``Trust.verify`` tells.

    Raises:
        IntegrityError: If it is not a signature.
    """
    return _parts(signature)[0]


def _parts(document: bytes) -> tuple[str, bytes, bytes]:
    """Key id, payload and signature of a sigstore bundle that has nothing else in it and no other spelling."""
    found = json_object(document)
    try:
        name = found["verificationMaterial"]["publicKey"]["hint"]
        envelope = found["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise IntegrityError("the signature is not a sigstore bundle") from error
    if not isinstance(name, str) or found != _bundle(name, payload, signature):
        raise IntegrityError("the signature is not a sigstore bundle of a key")
    return name, payload, signature


def _bundle(name: str, payload: bytes, signature: bytes) -> dict[str, Any]:
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": name}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }


def json_object(data: bytes, what: str = "the signature") -> dict[str, Any]:
    """Read a JSON object.

    Args:
        data: Its text.
        what: What to call it.

    Raises:
        IntegrityError: If it is anything else.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{what} is not JSON") from error
    if not isinstance(document, dict):
        raise IntegrityError(f"{what} is not a JSON object")
    return document


def _pre_authentication(payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """The sha256 of a public key's PEM file, hex, as sigstore bundles name a key."""
    return hashlib.sha256(_public_pem(key)).hexdigest()


def read_public_key(path: Path) -> ec.EllipticCurvePublicKey:
    """Read a PEM file.

    Raises:
        SettingsError: If it is not an EC P-256 public key.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(
            "a public key cannot be read", seen=f"{path}: {error}", hint="See CICLO_PUBLIC_KEYS."
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SettingsError("a public key has to be an EC P-256 key", seen=str(path), hint=f"{_MAKE}.")
    return key


def make_keys(folder: Path) -> tuple[Path, Path]:
    """Make a key pair, unless the folder has one; processes that do so at once agree on one pair.

    Args:
        folder: Where ``private.pem`` (readable by the owner alone) and ``public.pem`` go.

    Returns:
        The private and the public file.

    Raises:
        SettingsError: If the folder cannot be written, or has but the public key, or one of another pair.
    """
    private, public = folder / "private.pem", folder / "public.pem"
    if public.exists() and not private.exists():
        raise SettingsError(
            f"the private key of {public} is gone, so nothing can be signed as before",
            hint="Put private.pem back. If it is lost, move public.pem elsewhere and name it in CICLO_PUBLIC_KEYS, so "
            "that what it verifies stays trusted; a new pair is made then.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not private.exists():
            fresh = ec.generate_private_key(ec.SECP256R1())
            with suppress(FileExistsError):  # of many at once the first wins
                write_whole(private, [_private_pem(fresh)], synced=True, mode=0o600, move=os.link)
        pem = _public_pem(Signer.read(private).key.public_key())
        if not public.exists():
            write_whole(public, [pem], synced=True, mode=0o600)
        is_pair = public.read_bytes() == pem
    except OSError as error:
        raise SettingsError("a signing key cannot be made", seen=str(error), hint="Set CICLO_PRIVATE_KEY.") from error
    if not is_pair:
        raise SettingsError(
            f"{public} is not of the private key beside it",
            hint="Move it elsewhere and name it in CICLO_PUBLIC_KEYS, so that what it verifies stays trusted.",
        )
    return private, public


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def signer_from(settings: Settings) -> Signer | None:
    """Who signs in this process, or None where signing is off.

    Raises:
        SettingsError: If the store is shared and there is no key.
    """
    if settings.unsigned:
        _warn("versions are published without a signature")
        return None
    return Signer.read(settings.private_key or _local_keys(settings)[0])


def trust_from(settings: Settings) -> Trust:
    """Whom this process trusts: the public keys of the settings (files, or folders of them), or else its own.

    Raises:
        SettingsError: If the store is shared and there is no key.
    """
    if settings.unsigned:
        _warn("versions are loaded whether signed or not")
        return Trust({}, unsigned=True)
    named = settings.public_keys
    paths = [file for path in named for file in (sorted(path.glob("*.pem")) if path.is_dir() else [path])]
    keys = [read_public_key(path) for path in paths]
    if settings.private_key is None and settings.store_uri.startswith("file:"):
        public = settings.home / "keys" / "public.pem"  # which verifies without the private one
        keys.append(read_public_key(public if public.exists() else _local_keys(settings)[1]))
    elif not keys and settings.private_key is not None:
        keys.append(Signer.read(settings.private_key).key.public_key())
    if not keys:
        raise SettingsError(
            "there is no public key to verify versions with",
            hint=f"{_MAKE} and set CICLO_PUBLIC_KEYS to the public one.",
        )
    return Trust.of(*keys)


def _local_keys(settings: Settings) -> tuple[Path, Path]:
    if not settings.store_uri.startswith("file:"):
        raise SettingsError(
            "a shared store needs a signing key", hint=f"{_MAKE} and set CICLO_PRIVATE_KEY to the private one."
        )
    return make_keys(settings.home / "keys")


def _warn(event: str) -> None:
    structlog.get_logger().warning(f"SIGNATURES ARE OFF: {event}", hint="Unset CICLO_UNSIGNED.")
