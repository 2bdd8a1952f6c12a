"""Rotation: what an old key has signed is signed again by a new one, so that the old one need not be trusted for ever.

Each statement is verified and then signed as it is: what it says of versions and moves does not change. Both public
keys are trusted meanwhile, so readers notice nothing, and a call that was cut off is made again.
"""

from collections.abc import Iterator

from ciclo.components.core.errors import IntegrityError, SettingsError
from ciclo.components.releases.registry import Registry
from ciclo.components.storage.bundle import SIGNATURE
from ciclo.components.storage.signing import Signer, Trust, key_id, signed_by


def sign_again(registry: Registry, trust: Trust, signer: Signer) -> int:
    """Sign every version, pointer and move of a project with one key.

    Args:
        registry: The versions and moves.
        trust: The old public keys and the new one.
        signer: The new key.

    Returns:
        How many signatures were replaced.

    Raises:
        SettingsError: If the new key is not trusted.
        IntegrityError: If something is not signed by a trusted key; it is named and stays as it is.
    """
    new = key_id(signer.key.public_key())
    if new not in trust.keys:
        raise SettingsError(
            "the new public key is not trusted yet", hint="Add it to CICLO_PUBLIC_KEYS wherever versions are read."
        )
    return sum(_sign_again(registry, key, trust, signer, new) for key in _signed(registry))


def _signed(registry: Registry) -> Iterator[str]:
    """The keys of everything that carries a signature."""
    for number in registry.numbers("published"):
        key = f"{registry.root}/versions/{number}/{SIGNATURE}"
        if registry.store.exists(key):  # nothing is left of one that was pruned
            yield key
    for folder in ("history", "aliases"):
        yield from registry.store.list(f"{registry.root}/{folder}/")


def _sign_again(registry: Registry, key: str, trust: Trust, signer: Signer, new: str) -> bool:
    while True:
        stored = registry.store.get(key)
        try:
            statement = trust.verify(stored.data)
        except IntegrityError as error:
            raise IntegrityError(f"'{key}' cannot be signed again: {error.problem}", seen=error.seen) from error
        if signed_by(stored.data) == new:
            return False
        if registry.store.swap(key, signer.sign(statement), stored.etag):
            return True
