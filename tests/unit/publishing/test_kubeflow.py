import asyncio
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from model_registry import ModelRegistry

from ciclo.components.core.errors import ConflictError, SettingsError, StorageError
from ciclo.components.core.verdict import Verdict
from ciclo.components.publishing.kubeflow import Exported, export, properties
from ciclo.components.storage.bundle import Record
from tests.depth import some, thorough
from tests.kubeflow import Contents, serving

URI = "s3://models/ciclo/projects/{}/versions/3/model.skops"


@pytest.fixture
def record() -> Record:
    return Record(
        project=f"flights-{uuid.uuid4().hex[:8]}",
        version=3,
        digest="a" * 64,
        parent=2,
        libraries={"scikit-learn": "1.9.1", "skops": "0.16.0"},
        files={"model.skops": "b" * 64},
        signed_by="c" * 16,
        lineage={
            "run": "run-7",
            "trigger": "drift",
            "parent": 2,
            "data": {"digest": "d" * 64, "rows": 336_776, "bytes": 31_000_000_000, "start": "2013-01-01", "end": None},
            "model": {"candidate": "boosting", "parameters": {"learning_rate": 0.1, "depths": [3, 5]}, "score": 0.87},
            "seed": 2**60,
            "commit": "",
            "images": {"pipeline": "ciclo@sha256:1"},
        },
        verdict=Verdict(
            gate="evaluation", decision="promote", reason="better by 0.02", subject="b" * 64, facts={"auc": 0.87}
        ),
    )


@pytest.fixture
def contents() -> Contents:
    return Contents()


@pytest.fixture
def address(contents: Contents) -> Iterator[str]:
    with serving(contents) as url:
        yield url


@pytest.fixture
def any_registry(contents: Contents) -> Iterator[str]:
    """A real Model Registry where there is one."""
    if real := os.environ.get("CICLO_TEST_MODEL_REGISTRY"):
        yield real
        return
    with serving(contents) as url:
        yield url


@pytest.mark.slow
def test_the_ordinary_client_finds_an_exported_version_with_all_that_made_it(any_registry, record):
    uri = URI.format(record.project)
    exported = export(record, uri, any_registry, author="ada", storage_key="s3-models")
    client = _ordinary(any_registry)
    model, version, artifact = (
        client.get_registered_model(record.project),
        client.get_model_version(record.project, "3"),
        client.get_model_artifact(record.project, "3"),
    )
    assert (model.id, version.id, artifact.id) == (exported.model, exported.version, exported.artifact)
    assert (model.owner, version.author, version.description) == ("ada", "ada", "better by 0.02")
    assert (artifact.uri, artifact.model_format_name, artifact.model_format_version) == (uri, "skops", "0.16.0")
    assert artifact.storage_key == "s3-models"
    assert artifact.storage_path == f"ciclo/projects/{record.project}/versions/3/model.skops"
    assert artifact.model_source_id == "run-7"
    assert version.custom_properties == {
        "digest": "a" * 64,
        "model_digest": "b" * 64,
        "signed_by": "c" * 16,
        "parent": 2,
        "verdict": "promote",
        "reason": "better by 0.02",
        "facts_auc": 0.87,
        "run": "run-7",
        "trigger": "drift",
        "data_digest": "d" * 64,
        "data_rows": 336_776,
        "data_bytes": 31e9,
        "data_start": "2013-01-01",
        "model_candidate": "boosting",
        "model_parameters_learning_rate": 0.1,
        "model_parameters_depths": "[3, 5]",
        "model_score": 0.87,
        "seed": str(2**60),
        "images_pipeline": "ciclo@sha256:1",
        "libraries_scikit_learn": "1.9.1",
        "libraries_skops": "0.16.0",
    }


@pytest.mark.slow
def test_exporting_twice_changes_nothing_and_a_second_version_joins_the_first(any_registry, contents, record):
    uri = URI.format(record.project)
    first = export(record, uri, any_registry, author="ada")
    before = contents.everything()
    assert export(record, uri, any_registry, author="grace") == first
    assert contents.everything() == before
    second = export(replace(record, version=4, digest="e" * 64), uri, any_registry, author="ada")
    assert second.model == first.model
    assert second.version != first.version
    assert second.artifact != first.artifact


@thorough
def test_many_exports_at_once_end_in_one_version(any_registry, contents, record):
    start = threading.Barrier(8)

    def one(_: int) -> Exported:
        start.wait()
        return export(record, URI.format(record.project), any_registry, author="ada")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(one, range(8)))) == 1
    if "CICLO_TEST_MODEL_REGISTRY" not in os.environ:
        assert [len(rows) for rows in (contents.models, contents.versions, contents.artifacts)] == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("fault", some(["before", "after", 503]))
def test_an_export_that_is_cut_anywhere_for_good_is_completed_by_the_next(record, fault):
    whole = Contents()
    with serving(whole) as address:
        export(record, URI, address, author="ada")
    for cut in range(1, whole.requests + 1):
        contents = Contents()
        contents.fault = lambda number, cut=cut: fault if number >= cut else None
        with serving(contents) as address:
            with pytest.raises(StorageError, match=address):
                export(record, URI, address, author="ada")
            contents.fault = lambda number: None
            export(record, URI, address, author="ada")
        assert contents.everything() == whole.everything()


@thorough
def test_one_lost_answer_is_not_an_error(record):
    whole = Contents()
    with serving(whole) as address:
        export(record, URI, address, author="ada")
    for lost in range(1, whole.requests + 1):
        contents = Contents()
        contents.fault = lambda number, lost=lost: "after" if number == lost else None
        with serving(contents) as address:
            export(record, URI, address, author="ada")
        assert contents.everything() == whole.everything()


@pytest.mark.slow
def test_another_version_of_the_same_name_is_refused_and_left_alone(any_registry, contents, record):
    export(record, URI, any_registry, author="ada")
    before = contents.everything()
    with pytest.raises(ConflictError, match="aaaaaaaaaaaa, not ffffffffffff"):
        export(replace(record, digest="f" * 64), URI, any_registry, author="ada")
    assert contents.everything() == before
    _ordinary(any_registry).register_model(
        f"{record.project}-2", "s3://x/y", model_format_name="onnx", model_format_version="1", version="3"
    )
    with pytest.raises(ConflictError, match="Ciclo did not export"):
        export(replace(record, project=f"{record.project}-2"), URI, any_registry, author="ada")


@pytest.mark.slow
def test_the_artifact_follows_the_model_file_to_another_store(any_registry, record):
    first = export(record, "file:///store/model.skops", any_registry, author="ada")
    assert export(record, "s3://models/model.skops", any_registry, author="ada", storage_key="s3-models") == first
    artifact = _ordinary(any_registry).get_model_artifact(record.project, "3")
    assert (artifact.uri, artifact.storage_key) == ("s3://models/model.skops", "s3-models")
    assert (artifact.storage_path, artifact.model_format_version) == ("model.skops", "0.16.0")


@pytest.mark.slow
def test_only_the_right_token_is_let_in(record):
    contents = Contents(token="secret")
    with serving(contents) as address:
        for wrong in ("", "guess"):
            with pytest.raises(StorageError, match=r"refused \(seen: 401 who are you\?\)"):
                export(record, URI, address, author="ada", token=wrong)
        assert not contents.models
        export(record, URI, address, author="ada", token="secret\n")


def test_a_registry_is_believed_only_with_a_certificate_of_a_trusted_authority(tmp_path, record):
    pem = _certificate(tmp_path / "server.pem")
    with serving(Contents(token="secret"), pem) as address:
        with pytest.raises(StorageError, match=r"cannot be reached.*certificate"):
            export(record, URI, address, author="ada", token="secret")
        export(record, URI, address, author="ada", token="secret", ca=pem)
        with pytest.raises(SettingsError, match="no file"):
            export(record, URI, address, author="ada", ca=tmp_path / "missing.pem")


@pytest.mark.slow
def test_a_registry_that_is_down_silent_or_something_else_is_named(record):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        with pytest.raises(StorageError, match=rf"127\.0\.0\.1:{port} cannot be reached"):
            export(record, URI, f"http://127.0.0.1:{port}", author="ada")
        deaf.listen()
        with pytest.raises(StorageError, match=rf"127\.0\.0\.1:{port} took longer than 0\.5 s"):
            export(record, URI, f"http://127.0.0.1:{port}", author="ada", limit=0.5)
    with serving(Contents()) as address, pytest.raises(StorageError, match=rf"{address}/elsewhere refused \(seen: 404"):
        export(record, URI, f"{address}/elsewhere", author="ada")


@pytest.mark.parametrize("body", ["<html>sign in</html>", "{}", "[]", "null", '"text"', '{"id": 5, "name": "x"}', "{"])
@pytest.mark.parametrize("kind", ["application/json", "text/html", "application/octet-stream"])
def test_whatever_else_answers_is_a_named_error(record, body, kind):
    answer = f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_say, args=(server, answer))
        thread.start()
        with pytest.raises(StorageError, match=f"127.0.0.1:{server.getsockname()[1]}"):
            export(record, URI, f"http://127.0.0.1:{server.getsockname()[1]}", author="ada")
        thread.join()


@pytest.mark.parametrize(
    "address",
    ["", "host:8080", "ftp://host", "http://", "http://ada:secret@host", "http://host:99999", "https://h/?a=b"],
)
def test_what_cannot_be_an_address_is_refused_and_passwords_are_not_repeated(record, address):
    with pytest.raises(SettingsError) as raised:
        export(record, URI, address, author="ada")
    assert "secret" not in str(raised.value)


def test_without_the_extra_the_error_names_it(monkeypatch, record):
    monkeypatch.setitem(sys.modules, "model_registry.core", None)
    monkeypatch.delattr("model_registry.core")
    with pytest.raises(SettingsError, match=r'pip install "ciclo\[model-registry\]"'):
        export(record, URI, "http://127.0.0.1:1", author="ada")


@pytest.mark.slow
def test_an_export_leaves_logging_and_asyncio_of_the_process_alone():
    program = """
import asyncio, logging, sys
from ciclo.components.publishing.kubeflow import _Kubeflow
assert not {"model_registry", "mr_openapi", "aiohttp"} & set(sys.modules), "imported before it is needed"
run = asyncio.run
_Kubeflow()
assert "model_registry" in sys.modules
assert logging.root.handlers == [], logging.root.handlers
assert asyncio.run is run
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_every_property_can_be_sent_whatever_a_lineage_holds(any_registry, record):
    odd = {
        "big": 10**9, "huge": 10**400, "nan": float("nan"), "inf": float("-inf"), "yes": True, "none": None,
        "empty": {}, "naïve name": "ü", "list": [1, {"a": None}],
        "digest": "not this one", "nested": {"a": {"b": {"c": -5}}},
    }  # fmt: skip
    record = replace(record, lineage=odd)
    export(record, URI, any_registry, author="ada")
    told = _ordinary(any_registry).get_model_version(record.project, "3").custom_properties
    assert told == properties(record)
    assert told["digest"] == record.digest
    assert told["nested_a_b_c"] == -5
    assert (told["nan"], told["inf"], told["big"], told["yes"]) == ("nan", "-inf", 1e9, True)
    assert all(name.replace("_", "").isascii() and name.isidentifier() for name in told)


def _ordinary(address: str) -> ModelRegistry:
    """The client as anybody uses it, but without its patch of asyncio."""

    def run(coroutine):
        return asyncio.run(coroutine)

    return ModelRegistry(address, author="reader", user_token="any", async_runner=run)


def _say(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


def _certificate(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that vouches for itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
