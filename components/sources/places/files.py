"""Files and folders of this machine."""

import glob
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ciclo.components.core.errors import DataError
from ciclo.components.sources.places.place import Asked, SourceFile

DATA = re.compile(r"\.(csv|tsv|txt|jsonl|ndjson|json|parquet|pq)(\.(gz|zst))?$", re.IGNORECASE)


def fetch(source: str, scratch: Path, asked: Asked) -> Sequence[SourceFile]:
    """A file, the data files of a folder, or the files that a pattern matches; see ``Place.fetch``."""
    del scratch, asked
    path = Path(unquote(urlsplit(source).path) if source.startswith("file:") else source)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.is_file() and DATA.search(file.name))
        if not found:
            raise DataError(f"there is no data file in the folder {path}", hint="Name its files by a pattern.")
    elif path.is_file():
        found = [path]
    else:
        found = sorted(Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file())
    if not found:
        raise DataError(f"there is no file at {path}", hint="Check data.source.")
    return [SourceFile.in_place(file) for file in found]
