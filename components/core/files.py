"""Files that a reader sees whole or not at all."""

import uuid
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a copy that appears whole or not at all; it is not synced, as it can be fetched again."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with part.open("wb") as file:
            file.writelines(chunks)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
