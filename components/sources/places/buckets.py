"""Objects of an S3 store."""

import glob
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ciclo.components.core.errors import DataError, NotFoundError
from ciclo.components.sources.places.files import DATA
from ciclo.components.sources.places.place import Asked, Download, SourceFile
from ciclo.components.storage.store import open_store


def fetch(source: str, scratch: Path, asked: Asked) -> Sequence[SourceFile]:
    """An object, the data files below a prefix that ends in ``/``, or what a pattern matches; see ``Place.fetch``."""
    parts = urlsplit(source)
    bucket, key = parts.netloc, unquote(parts.path).lstrip("/")
    store = open_store(f"s3://{bucket}", asked.settings)
    if glob.has_magic(key):
        start = next(place for place, letter in enumerate(key) if letter in "*?[")
        keys = [found for found in store.list(key[:start]) if fnmatchcase(found, key)]
    elif key.endswith("/") or not key:
        keys = [found for found in store.list(key) if "/" not in found[len(key) :] and DATA.search(found)]
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
        files.append(SourceFile(path, f"s3://{bucket}/{found}"))
    if not files:
        raise DataError(f"there is no object at {source}", hint="Check data.source.")
    return files
