"""Files and folders of this machine."""

import glob
import os
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ciclo.components.core.errors import DataError
from ciclo.components.sources.folders import columns_of, files_of, names_a_column
from ciclo.components.sources.places.place import Asked, SourceFile


def fetch(source: str, scratch: Path, asked: Asked) -> Sequence[SourceFile]:
    """A file, the data files of a folder, or the files that a pattern matches; see ``Place.fetch``."""
    del scratch, asked
    path = Path(unquote(urlsplit(source).path) if source.startswith("file:") else source)
    if path.is_dir():
        root, found = path, [path / file for file in files_of(str(path), _below(path))]
    elif path.is_file():
        root, found = path.parent, [path]
    else:
        root = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
        found = sorted(Path(match) for match in glob.glob(str(path), recursive=True) if Path(match).is_file())
    if not found:
        raise DataError(f"there is no file at {path}", hint="Check data.source.")
    return [SourceFile.in_place(file, columns_of(file.relative_to(root).as_posix())) for file in found]


def _below(folder: Path) -> Iterator[str]:
    """The files of a folder, and those of all folders below it if one of them names a column; no link leads round."""
    above: dict[str, frozenset[str]] = {}  # of each folder the real ones that it lies in
    for place, folders, names in os.walk(folder, followlinks=True):
        outer, real = above.get(os.path.dirname(place), frozenset()), os.path.realpath(place)
        above[place] = outer | {real}
        if real in outer or (place == str(folder) and not any(map(names_a_column, folders))):
            folders.clear()
        if real not in outer:
            yield from ((Path(place) / name).relative_to(folder).as_posix() for name in names)
