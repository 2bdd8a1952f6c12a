"""Objects as files below a folder."""

import fcntl
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from ciclo.components.core.errors import NotFoundError, StorageError
from ciclo.components.core.files import drafted, write_whole
from ciclo.components.storage.objects import CHUNK, Stored, allowed, checked, checked_prefix


class DirectoryStore:
    """Objects as files below a folder.

    Args:
        root: The folder; it is made if it does not exist.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._drafts = root / ".drafts"

    def get(self, key: str) -> Stored:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._open(key) as file:
            data = file.read()
        return Stored(data, hashlib.sha256(data).hexdigest())

    def put(self, key: str, data: bytes) -> None:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._draft([data]) as draft, self._lock():
            self._reveal(draft, key, os.replace)

    def put_file(self, key: str, path: Path) -> None:
        """See ``ObjectStore``."""
        with _folder_errors(key), path.open("rb") as file, self._draft(_chunks(file)) as draft, self._lock():
            self._reveal(draft, key, os.replace)

    def get_file(self, key: str, path: Path, allow: Callable[[int], None] | None = None) -> None:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._open(key) as file:
            write_whole(path, allowed(_chunks(file), allow))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._draft([data]) as draft, self._lock():
            return self._reveal(draft, key, os.link)

    def swap(self, key: str, data: bytes, etag: str) -> bool:
        """See ``ObjectStore``."""
        with _folder_errors(key), self._draft([data]) as draft, self._lock():
            if not self.exists(key) or self.get(key).etag != etag:
                return False
            return self._reveal(draft, key, os.replace)

    def list(self, prefix: str) -> Iterator[str]:
        """See ``ObjectStore``."""
        top = self._root / checked_prefix(prefix).rpartition("/")[0]
        with _folder_errors(prefix):
            files = [Path(at, name) for at, _, names in os.walk(top) for name in names]
        keys = (file.relative_to(self._root).as_posix() for file in files)
        return iter(sorted(key for key in keys if key.startswith(prefix) and not key.startswith(".")))

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        path = self._path(key)
        if self.exists(key):
            with _folder_errors(key), self._lock():
                path.unlink(missing_ok=True)

    def exists(self, key: str) -> bool:
        """See ``ObjectStore``."""
        with _folder_errors(key):
            return self._path(key).is_file()

    def _path(self, key: str) -> Path:
        return self._root / checked(key)

    def _open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFoundError(f"there is no object '{key}'") from error

    def _draft(self, chunks: Iterable[bytes]) -> AbstractContextManager[Path]:
        """A synced file on the same file system, out of sight, gone at the end."""
        self._drafts.mkdir(parents=True, exist_ok=True)
        return drafted(self._drafts / uuid.uuid4().hex, chunks, synced=True)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the store for the moment of a change; each call opens the file anew, so that threads exclude too."""
        with (self._root / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _reveal(self, draft: Path, key: str, move: Callable[[Path, Path], None]) -> bool:
        """Move a draft to its key; False if it is linked and there is an object."""
        path = self._path(key)
        made = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            move(draft, path)
        except FileExistsError:
            return False
        for folder in (path.parent, *(folder.parent for folder in made)):
            _sync(folder)
        return True


@contextmanager
def _folder_errors(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the object store could not handle '{key}'", seen=str(error), hint="Check the space and the rights."
        ) from error


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
