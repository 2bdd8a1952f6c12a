"""Files and folders of this machine."""

import glob
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ciclo.components.core.errors import DataError
from ciclo.components.sources.folders import columns_of, files_of
from ciclo.components.sources.places.place import Asked, SourceFile


def fetch(source: str, scratch: Path, asked: Asked) -> Sequence[SourceFile]:
    """A file, the data files of a folder, or the files that a pattern matches; see ``Place.fetch``."""
    del scratch, asked
    path = Path(unquote(urlsplit(source).path) if source.startswith("file:") else source)
    if path.is_dir():
        root, below = path, (file for pattern in ("*", "*=*/**/*") for file in path.glob(pattern) if file.is_file())
        found = [path / file for file in files_of(str(path), (file.relative_to(path).as_posix() for file in below))]
    elif path.is_file():
        root, found = path.parent, [path]
    else:
        root = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
        found = sorted(Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file())
    if not found:
        raise DataError(f"there is no file at {path}", hint="Check data.source.")
    return [SourceFile.in_place(file, columns_of(file.relative_to(root).as_posix())) for file in found]
