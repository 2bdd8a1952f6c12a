"""A folder store where something happens in the middle of somebody's work."""

from collections.abc import Callable
from pathlib import Path

from ciclo.components.storage.directory import DirectoryStore


class Meanwhile(DirectoryStore):
    """A folder where something happens before one of the writes."""

    left = 0
    action: Callable[[], object] = staticmethod(lambda: None)

    def put(self, key: str, data: bytes) -> None:
        self._count()
        super().put(key, data)

    def put_file(self, key: str, path: Path) -> None:
        self._count()
        super().put_file(key, path)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._count()
        return super().put_if_absent(key, data)

    def swap(self, key: str, data: bytes, etag: str) -> bool:
        self._count()
        return super().swap(key, data, etag)

    def delete(self, key: str) -> None:
        self._count()
        super().delete(key)

    def _count(self) -> None:
        self.left -= 1
        if self.left == -1:
            self.action()


def die() -> None:
    raise SystemExit("killed")
