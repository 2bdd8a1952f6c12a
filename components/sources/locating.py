"""From the address of a source to the place that has it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ciclo.components.core.errors import DataError
from ciclo.components.sources.places import buckets, databases, files, web
from ciclo.components.sources.places.place import Asked, Place, SourceFile

PLACES: dict[str, Place] = {
    "": files,
    "file": files,
    "s3": buckets,
    "http": web,
    "https": web,
    "postgresql": databases,
    "postgres": databases,
}
_CHUNK = 1 << 20


def locate(source: str, scratch: Path, asked: Asked) -> Sequence[SourceFile]:
    """Bring the files of a source to this machine.

    Args:
        source: A path, folder or pattern, or an address of a kind in ``PLACES``.
        scratch: Folder for copies.
        asked: What is wanted.

    Returns:
        The files in the order of their names, at least one.

    Raises:
        DataError: If there is none.
    """
    scheme = urlsplit(source).scheme if "://" in source else ""
    if scheme not in PLACES:
        kinds = ", ".join(f"{kind}://" for kind in PLACES if kind)
        raise DataError("the source has an address of an unknown kind", seen=source, hint=f"Give a path, or {kinds}.")
    return PLACES[scheme].fetch(source, scratch, asked)


def size_and_digest(found: Iterable[SourceFile]) -> tuple[int, str]:
    """Bytes of all files, and the sha256 of their contents one after the other, each behind what its folders say."""
    size, digest = 0, hashlib.sha256()
    for file in found:
        if file.folders:
            digest.update(json.dumps(dict(file.folders)).encode())
        with file.path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                digest.update(chunk)
    return size, digest.hexdigest()
