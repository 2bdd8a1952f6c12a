"""What a model file looks like from the outside: a zip of one schema and NumPy arrays, each as long as it says.

Nothing in it is parsed here but the directory of the zip and the headers of the arrays.
"""

import io
import math
import re
import zipfile
from typing import IO

import numpy as np
from numpy.lib import format as npy

from ciclo.components.core.errors import IntegrityError
from ciclo.components.core.wording import counted

SCHEMA = "schema.json"
UNPACKED_LIMIT = 2 << 30
RATIO_LIMIT = 200
NPY_MAGIC = b"\x93NUMPY"
_ENTRY = re.compile(r"schema\.json|\d+\.npy")
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def check_archive(data: bytes) -> int:
    """Check the shape of a model file without loading what is in it.

    Returns:
        Bytes it unpacks to.

    Raises:
        IntegrityError: If it is not a zip of one schema and NumPy arrays of numbers or text, or unpacks to more than
            is sane.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            strange = [n for n in names if not _ENTRY.fullmatch(n)]
            if strange or SCHEMA not in names or len(set(names)) != len(names):
                raise IntegrityError("the model file is not a skops archive", seen=", ".join(strange or names)[:200])
            size = sum(entry.file_size for entry in entries)
            if size > min(UNPACKED_LIMIT, RATIO_LIMIT * len(data)):
                raise IntegrityError(
                    "the model file unpacks to too much", seen=f"{counted(size, 'byte')} from {len(data):,}"
                )
            for entry in entries:
                with archive.open(entry) as file:
                    if entry.filename != SCHEMA and array_length(file) != entry.file_size:
                        raise IntegrityError("the model file holds something other than arrays", seen=entry.filename)
            return size
    except IntegrityError:
        raise
    except Exception as error:  # zipfile and NumPy refuse in many ways
        raise IntegrityError("the model file is not a skops archive", seen=str(error)[:200]) from error


def array_length(file: IO[bytes]) -> int | None:
    """How long the file of an array is by its own header, which alone is read.

    Args:
        file: At its beginning.

    Returns:
        Bytes, header included; None if it is no array, or one of objects, which NumPy would have pickled.

    Raises:
        ValueError: If the header cannot be read.
    """
    if file.read(len(NPY_MAGIC)) != NPY_MAGIC:
        return None
    major, minor = file.read(2)
    shape, _, dtype = _HEADERS[major, minor](file)
    if np.dtype(dtype).hasobject:
        return None
    return file.tell() + math.prod(shape) * int(np.dtype(dtype).itemsize)
