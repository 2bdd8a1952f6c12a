"""A text file as plain UTF-8: unpacked, out of UTF-16, and found to be text at all."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import pyarrow as pa

from ciclo.components.core.errors import DataError

_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_CHUNK = 1 << 20


def plain_text(path: Path, name: str, scratch: Path) -> Path:
    """The same text as a plain file in UTF-8: the file itself if it is one, else a copy.

    Args:
        path: The file: plain, gzip or zstd; UTF-8, or UTF-16 with its byte order mark.
        name: What messages call it.
        scratch: Folder for the copy.

    Raises:
        DataError: If the file is empty, damaged, or not text.
    """
    with path.open("rb") as file:
        start = file.read(len(_ZSTD))
    if start == _ZIP:
        raise DataError(f"{name} is a workbook or a zip archive", hint="Save its sheet as CSV, or unpack it.")
    packed = "gzip" if start.startswith(_GZIP) else "zstd" if start == _ZSTD else ""
    try:
        with _unpacked(path, packed) as stream:
            first = stream.read(_CHUNK)
            wide = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            if not packed and not wide:
                _check(_chunks(stream, first), name)
                return path
            copy = scratch / f"{len(list(scratch.iterdir()))}.plain"
            with copy.open("wb") as target:
                text = _narrowed(_chunks(stream, first), name) if wide else _chunks(stream, first)
                _check(text, name, target)
            return copy
    except (gzip.BadGzipFile, EOFError, zlib.error, pa.ArrowException, OSError) as error:
        if not packed:
            raise
        raise DataError(f"{name} is a damaged {packed} file", seen=str(error)) from error


def _unpacked(path: Path, packed: str) -> IO[bytes]:
    if packed == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return cast("IO[bytes]", pa.input_stream(path, compression="zstd") if packed else path.open("rb"))


def _chunks(stream: Any, first: bytes) -> Iterator[bytes]:
    while first:
        yield first
        first = stream.read(_CHUNK)


def _narrowed(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """UTF-16 as UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise DataError(
            f"{name} begins like UTF-16 text and is not", seen=str(error), hint="Save it as UTF-8."
        ) from error


def _check(chunks: Iterator[bytes], name: str, target: IO[bytes] | None = None) -> None:
    """Refuse what is empty or no text; the rest goes to the target."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, size = 1, 0
    try:
        for chunk in chunks:
            if b"\0" in chunk:
                line += chunk[: chunk.index(b"\0")].count(b"\n")
                raise DataError(
                    f"{name} has a NUL byte on line {line}, so it is not text",
                    hint="Give a CSV file in UTF-8 (or UTF-16 with a byte order mark), or a Parquet file.",
                )
            decoder.decode(chunk)
            line += chunk.count(b"\n")
            size += len(chunk)
            if target is not None:
                target.write(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        _refuse_encoding(name, error, line)
    if size == 0:
        raise DataError(f"{name} is empty", hint="Give a file with a header and rows.")


def _refuse_encoding(name: str, error: UnicodeDecodeError, line: int) -> NoReturn:
    line += error.object[: error.start].count(b"\n")
    raise DataError(
        f"{name} is not UTF-8 text",
        seen=f"byte 0x{error.object[error.start]:02x} on line {line}",
        hint="Save it as UTF-8, or give a Parquet file.",
    ) from error
