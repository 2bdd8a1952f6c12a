"""Pickles are found however they are packed, and nothing honest is taken for one."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from ciclo.components.core.errors import IntegrityError
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.pickles import no_pickle
from tests.depth import thorough
from tests.forged_models import npy_bytes

PROTOCOLS = range(6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("false",)


def _zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", data)
    return buffer.getvalue()


WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "bare": bytes,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zip": _zipped,
    "zip after a page": lambda data: b"<html></html>" + _zipped(data),
    "gzip in zip": lambda data: _zipped(gzip.compress(data)),
    "five times": lambda data: gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(data))))),
}


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_is_found_in_every_protocol_and_wrapper(protocol: int, wrapper: str) -> None:
    for value in (Bomb(), {"weights": [1.5, None, "x"]}, LogisticRegression(), np.arange(30_000.0)):
        with pytest.raises(IntegrityError, match=r"'model\.bin.*' (is|holds)"):
            no_pickle("model.bin", WRAPPERS[wrapper](pickle.dumps(value, protocol)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_would_run_something_is_found_though_it_has_no_end(protocol: int) -> None:
    whole = pickle.dumps(Bomb(), protocol)
    for data in (whole[:-1] + b"\xff", b"N0" + whole, b"N" + whole, whole + b"{}", whole + _zipped(b"{}")):
        with pytest.raises(IntegrityError, match="is a pickle"):
            no_pickle("card.html", data)


@pytest.mark.parametrize("compress", [0, 3, "gzip", "zlib", "bz2", "xz", "lzma"])
def test_what_joblib_writes_is_found(compress: Any, tmp_path: Path) -> None:
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "model", compress=compress)
    with pytest.raises(IntegrityError, match="is a pickle"):
        no_pickle("model", (tmp_path / "model").read_bytes())


@pytest.mark.parametrize(
    "data",
    [
        npy_bytes(np.array([None]), allow_pickle=True),
        _zipped(npy_bytes(np.array([{}], dtype=object), allow_pickle=True)),
        npy_bytes(np.zeros(1, dtype=[("a", "<i4"), ("b", object)]), allow_pickle=True),
        b"\x93NUMPY\x01\x00",
        b"\x04\x22\x4d\x18" + bytes(50),
        b"\x28\xb5\x2f\xfd" + bytes(50),
        b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 9,  # a block of a kind that does not exist
    ],
    ids=["objects", "objects in zip", "objects in a field", "header cut", "lz4", "zstandard", "broken gzip"],
)
def test_arrays_of_objects_and_what_cannot_be_looked_into_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        no_pickle("1.npy", data)


@thorough
@given(VALUES, st.sampled_from([None, 2]))
def test_no_json_is_taken_for_a_pickle(value: Any, indent: int | None) -> None:
    no_pickle("any.json", json.dumps(value, indent=indent).encode())
    no_pickle("any.json", json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(VALUES, st.sampled_from(PROTOCOLS))
def test_every_pickled_value_is_found(value: Any, protocol: int) -> None:
    with pytest.raises(IntegrityError):
        no_pickle("any.json", pickle.dumps(value, protocol))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!doctype html><html></html>",
        b"\n\n# Card\n",
        b"columns,rows\n1,2\n",
        b"This is a card of a model.\n",
        b"I am the walrus\n",
        b"x^2 + 1\n",
        b"(see below)\n",
        b"}\n",
        bytes(1000),
        b"\xff\xd8\xff\xe0" + bytes(100),
        gzip.compress(b"{}"),
        zlib.compress(bytes(100 << 20)),
        _zipped(b"{}"),
    ],
    ids=[
        "empty", "page", "markdown", "table", "sentence", "walrus", "formula", "bracket", "brace", "zeros", "picture",
        "gzip", "zlib", "zip",
    ],
)  # fmt: skip
def test_what_is_honest_passes(data: bytes) -> None:
    no_pickle("card.html", data)


def test_a_model_file_passes(tmp_path: Path) -> None:
    dump_model(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "model.skops")
    no_pickle("model.skops", (tmp_path / "model.skops").read_bytes())
