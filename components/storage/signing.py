"""Signatures: who vouches for a bundle, and which voices count.

A signature is a DSSE envelope, the format of in-toto and sigstore: a payload, and ECDSA P-256 signatures over the
payload's *pre-authentication encoding*, which binds its type. The payload is an in-toto statement; ``bundle`` writes
it. Trust is a set of public keys: while a key is being replaced, both the old and the new one are in the set.

Where the store is a local folder and no key is given, a key pair is made once below ``CICLO_HOME`` and trusted: whoever
can write that folder could change the key as well. A shared store needs keys that were made on purpose.
"""

import base64
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.core.errors import IntegrityError, SettingsError
from components.core.settings import Settings

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_SCHEME = ec.ECDSA(hashes.SHA256())
_MAKE = "Make a pair with `ciclo keys init FOLDER`"


@dataclass(frozen=True)
class Signer:
    """Who vouches.

    Attributes:
        key: An EC P-256 private key.
    """

    key: ec.EllipticCurvePrivateKey = field(repr=False)

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
        return cls(key)

    def sign(self, payload: bytes) -> bytes:
        """Wrap a payload in a signed envelope, as JSON."""
        signature = self.key.sign(_pre_authentication(payload), _SCHEME)
        envelope = {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": key_id(self.key.public_key()), "sig": base64.b64encode(signature).decode()}],
        }
        return json.dumps(envelope, indent=2).encode()


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

    def verify(self, envelope: bytes) -> bytes:
        """The payload of an envelope that a trusted key signed.

        Raises:
            IntegrityError: If no trusted key did.
        """
        try:
            document = json.loads(envelope)
            payload = base64.b64decode(document["payload"], validate=True)
            signatures = [(s["keyid"], base64.b64decode(s["sig"], validate=True)) for s in document["signatures"]]
            kind = document["payloadType"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise IntegrityError("the signature is not a DSSE envelope") from error
        if kind == PAYLOAD_TYPE and any(self._vouches(name, payload, signature) for name, signature in signatures):
            return payload
        raise IntegrityError(
            "the bundle is not signed by a trusted key",
            seen=f"keys {', '.join(str(name)[:12] for name, _ in signatures) or 'none'}",
            hint="Add the public key of the publisher to CICLO_PUBLIC_KEYS if you trust it.",
        )

    def _vouches(self, name: object, payload: bytes, signature: bytes) -> bool:
        key = self.keys.get(name) if isinstance(name, str) else None
        if key is None:
            return False
        try:
            key.verify(signature, _pre_authentication(payload), _SCHEME)
        except InvalidSignature:
            return False
        return True


def _pre_authentication(payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """The sha256 of a public key, hex."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


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
        SettingsError: If the folder cannot be written.
    """
    private, public = folder / "private.pem", folder / "public.pem"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not private.exists():
            fresh = ec.generate_private_key(ec.SECP256R1())
            _place(private, _private_pem(fresh), os.link)
        pem = _public_pem(Signer.read(private).key.public_key())
        if not public.exists() or public.read_bytes() != pem:
            _place(public, pem, os.replace)
    except OSError as error:
        raise SettingsError("a signing key cannot be made", seen=str(error), hint="Set CICLO_PRIVATE_KEY.") from error
    return private, public


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _place(path: Path, data: bytes, move: Callable[[Path, Path], None]) -> None:
    """Put a file in its place whole; of many links to one place the first wins."""
    draft = path.with_name(f".{uuid.uuid4().hex}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            move(draft, path)
    finally:
        draft.unlink(missing_ok=True)


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
        keys.append(read_public_key(_local_keys(settings)[1]))
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
