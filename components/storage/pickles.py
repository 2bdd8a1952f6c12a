"""Finds pickles, so that no file of a bundle is one: bare, compressed, or inside a zip.

A pickle runs code as it is read, so what matters is not whether a file is a whole one, but whether reading it would
get as far as a call. Only the beginning of what is packed is unpacked. This catches what pickle, joblib, torch and
NumPy write; a file made to be a pickle in no eyes but one reader's is kept out by the format that its name promises.
"""

import bz2
import io
import lzma
import pickletools
import zipfile
import zlib
from collections.abc import Iterator

from ciclo.components.core.errors import IntegrityError
from ciclo.components.storage.archive import NPY_MAGIC, array_length

PEEK = 64 << 10
LAYERS = 3
LONG = 10_000
_PROTOCOL = b"\x80"
_ENDS = frozenset(("REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD", "STOP"))
_OPCODES = frozenset(opcode.code.encode("latin-1") for opcode in pickletools.opcodes)
_OPAQUE = {b"\x04\x22\x4d\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstandard", b"ZF0x": "joblib"}
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")


def no_pickle(name: str, data: bytes) -> None:
    """Refuse a file that is a pickle, or holds one.

    Args:
        name: What to call it.
        data: Its bytes.

    Raises:
        IntegrityError: If it is or holds one, or is packed in a way that cannot be looked into.
    """
    _check(name, data, LAYERS)


def _check(name: str, data: bytes, layers: int) -> None:
    if data.startswith(_PROTOCOL) or _runs(data):
        raise IntegrityError(f"'{name}' is a pickle", seen=repr(data[:16]))
    if data.startswith(NPY_MAGIC) and not _plain_array(data):
        raise IntegrityError(f"'{name}' holds an array of pickled objects", seen=repr(data[:80]))
    for inner, beginning in _inside(name, data):
        if layers == 0:
            raise IntegrityError(f"'{name}' is packed too many times over", seen=inner)
        _check(inner, beginning, layers - 1)


def _runs(data: bytes) -> bool:
    """Whether a reader of pickles would get to a call, to a result, or very far."""
    if data[:1] not in _OPCODES:
        return False
    stack: list[pickletools.StackObject] = []
    try:
        for count, (opcode, _, _) in enumerate(pickletools.genops(io.BytesIO(data))):
            _step(opcode, stack)
            if opcode.name in _ENDS or count > LONG:
                return True
    except (ValueError, IndexError):  # no opcode, an argument that is none, nothing to take off the stack
        return False
    return False


def _step(opcode: pickletools.OpcodeInfo, stack: list[pickletools.StackObject]) -> None:
    """Do to the stack what an opcode does.

    Raises:
        IndexError: If it cannot be done.
    """
    before, mark = opcode.stack_before, pickletools.markobject
    if opcode.name in ("PERSID", "BINPERSID"):
        raise IndexError("nothing is asked for by name here")
    take = len(before)
    if mark in before:
        while stack.pop() is not mark:
            pass
        take = before.index(mark)
    for _ in range(take):
        stack.pop()
    stack.extend(opcode.stack_after)


def _plain_array(data: bytes) -> bool:
    try:
        return array_length(io.BytesIO(data)) is not None
    except Exception:  # whatever NumPy says of a header it cannot read
        return False


def _inside(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The beginnings of what is packed in a file, by name."""
    for magic, how in _OPAQUE.items():
        if data.startswith(magic):
            raise IntegrityError(f"'{name}' is packed in a way that cannot be looked into", seen=how)
    beginning = _unpacked(name, data)
    if beginning is not None:
        yield f"{name}, unpacked", beginning
    if zipfile.is_zipfile(io.BytesIO(data)):
        yield from _entries(name, data)


def _unpacked(name: str, data: bytes) -> bytes | None:
    try:
        if data.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(data, PEEK)
        if data.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
            return lzma.LZMADecompressor(memlimit=64 << 20).decompress(data, PEEK)
        if data.startswith((b"\x1f\x8b", b"x")):
            return zlib.decompressobj(wbits=32 + zlib.MAX_WBITS).decompress(data, PEEK)
    except (OSError, ValueError, EOFError, lzma.LZMAError, zlib.error) as error:
        if data.startswith(_PACKED):  # which no text begins like
            raise IntegrityError(f"'{name}' is packed and cannot be unpacked", seen=str(error)) from error
    return None


def _entries(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    yield f"{name}: {entry.filename}", file.read(PEEK)
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise IntegrityError(f"'{name}' is packed and cannot be unpacked", seen=str(error)) from error
