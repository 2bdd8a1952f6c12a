"""Objects of an S3 store."""

import glob
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ciclo.components.core.errors import DataError, NotFoundError
from ciclo.components.sources.folders import columns_of, files_of
from ciclo.components.sources.places.place import Asked, Download, SourceFile


def fetch(source: str, scratch: Path, asked: Asked) -> Sequence[SourceFile]:
    """An object, the data files below a prefix that ends in ``/``, or what a pattern matches; see ``Place.fetch``."""
    from ciclo.components.storage.s3 import S3Store, s3_client

    bucket, _, key = source.partition("://")[2].partition("/")
    if not bucket:
        raise DataError("the source names no bucket", seen=source, hint="Give s3://bucket/key.")
    store = S3Store(s3_client(asked.settings), bucket, is_foreign=True)
    root = key[: key.rfind("/") + 1]
    if glob.has_magic(key) and not store.exists(key):
        start = next(place for place, letter in enumerate(key) if letter in "*?[")
        root = key[: key.rfind("/", 0, start) + 1]
        keys = [found for found in store.list(key[:start]) if fnmatchcase(found, key)]
    elif key.endswith("/") or not key:
        keys = [key + file for file in files_of(source, (found[len(key) :] for found in store.list(key)))]
    else:
        keys = [key]
    files, download = [], Download(source, asked.settings)
    for number, found in enumerate(sorted(keys)):
        path = scratch / f"object-{number}"
        try:
            store.get_file(found, path, download.allow)
        except NotFoundError as error:
            raise DataError(f"there is no object at {source}", hint="Check data.source.") from error
        download.size += path.stat().st_size
        files.append(SourceFile(path, f"s3://{bucket}/{found}", folders=columns_of(found[len(root) :])))
    if not files:
        raise DataError(f"there is no object at {source}", hint="Check data.source.")
    return files
