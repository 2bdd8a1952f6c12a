"""Where the files of a source are, brought to this machine."""

import glob
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ciclo.components.core.errors import DataError, NotFoundError
from ciclo.components.core.settings import settings
from ciclo.components.storage.store import open_store

_CHUNK = 1 << 20


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
        path: Where it is on this machine.
        name: What messages call it.
    """

    path: Path
    name: str


def locate(source: str, scratch: Path) -> list[SourceFile]:
    """Find the files of a source; objects are downloaded.

    Args:
        source: A path, a ``file://`` or an ``s3://`` address; the last name may hold ``*``, ``?`` and ``[]``.
        scratch: Folder for downloads.

    Returns:
        The files in the order of their names, at least one.

    Raises:
        DataError: If there is none.
    """
    parts = urlsplit(source)
    if parts.scheme == "s3":
        return _download(source, parts.netloc, unquote(parts.path).lstrip("/"), scratch)
    if "://" in source and parts.scheme != "file":
        raise DataError("the source has an address of an unknown kind", seen=source, hint="Give a path or s3://.")
    path = Path(unquote(parts.path) if parts.scheme == "file" else source)
    if path.is_dir():
        raise DataError(f"the source is a folder: {path}", hint=f"Name its files, such as {path}/*.parquet.")
    if path.is_file():
        return [SourceFile(path, str(path))]
    found = sorted(Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file())
    if not found:
        raise DataError(f"there is no file at {path}", hint="Check data.source.")
    return [SourceFile(match, str(match)) for match in found]


def _download(source: str, bucket: str, key: str, scratch: Path) -> list[SourceFile]:
    store = open_store(f"s3://{bucket}", settings())
    keys = [key]
    if glob.has_magic(key):
        start = next(place for place, letter in enumerate(key) if letter in "*?[")
        keys = [found for found in store.list(key[:start]) if fnmatchcase(found, key)]
    files = []
    for number, found in enumerate(keys):
        path = scratch / f"object-{number}"
        try:
            store.get_file(found, path)
        except NotFoundError as error:
            raise DataError(f"there is no object at {source}", hint="Check data.source.") from error
        files.append(SourceFile(path, f"s3://{bucket}/{found}"))
    if not files:
        raise DataError(f"there is no object at {source}", hint="Check data.source.")
    return files


def size_and_digest(files: Iterable[SourceFile]) -> tuple[int, str]:
    """Bytes of all files, and the sha256 of their contents one after the other."""
    size, digest = 0, hashlib.sha256()
    for file in files:
        with file.path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                digest.update(chunk)
    return size, digest.hexdigest()
