"""Files that a reader sees whole or not at all."""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

Mover = Callable[[Path, Path], None]


@contextmanager
def drafted(draft: Path, chunks: Iterable[bytes], *, synced: bool, mode: int = 0o666) -> Iterator[Path]:
    """A new file for the time of a block, to be moved or linked to its place.

    Args:
        draft: Where it is written; on the file system of its place.
        chunks: What is in it.
        synced: Whether it has to outlive a power cut once it is in its place.
        mode: Its rights, less those the process does not give.
    """
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.writelines(chunks)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def write_whole(
    path: Path, chunks: Iterable[bytes], *, synced: bool = False, mode: int = 0o666, move: Mover = os.replace
) -> None:
    """Write a file that appears whole or not at all.

    Args:
        path: Its place.
        chunks: What is in it.
        synced: Whether it has to outlive a power cut; what can be fetched again need not.
        mode: Its rights, less those the process does not give.
        move: ``os.replace``, or ``os.link`` where a file that is there stays.

    Raises:
        FileExistsError: If it is linked and something is there.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with drafted(draft, chunks, synced=synced, mode=mode) as whole:
        move(whole, path)
