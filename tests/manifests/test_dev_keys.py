"""The keys of a development installation: made once, whatever was there before, and never mixed."""

import base64
import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import ApiException

from ciclo.components.storage.signing import Signer, key_id
from tests.manifests.rendering import MANIFESTS

_SPEC = importlib.util.spec_from_file_location("dev_keys", MANIFESTS / "components/dev-keys/dev_keys.py")
assert _SPEC is not None
assert _SPEC.loader is not None
dev_keys = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(dev_keys)

Contents = dict[str, dict[str, str]]


def merged(filled: Contents, more: Contents) -> Contents:
    return {name: {**filled.get(name, {}), **more.get(name, {})} for name in dev_keys.NAMES}


def counted() -> Any:
    numbers = iter(range(1_000))
    return lambda: f"random-{next(numbers)}"


def pair(private: str) -> tuple[str, str]:
    private = private or "private"
    return private, f"public of {private}"


WHOLE = dev_keys.missing({}, counted(), pair)


def test_everything_is_made_where_nothing_is() -> None:
    assert set(WHOLE) == set(dev_keys.NAMES)
    passwords = [WHOLE["ciclo-postgresql"]["POSTGRES_PASSWORD"], WHOLE["ciclo-minio"]["MINIO_ROOT_PASSWORD"]]
    passwords += [WHOLE[name]["CICLO_S3_SECRET_KEY"] for name in ("ciclo", "ciclo-serving")]
    assert len(set(passwords)) == 4
    assert passwords[0] in WHOLE["ciclo"]["CICLO_PREDICTIONS"] == WHOLE["ciclo-serving"]["CICLO_PREDICTIONS"]


@given(st.sets(st.sampled_from([(name, key) for name, keys in WHOLE.items() for key in keys])))
def test_from_wherever_it_stopped_it_ends_whole_and_changes_no_password(kept: set[tuple[str, str]]) -> None:
    filled: Contents = {}
    for name, key in kept:
        filled.setdefault(name, {})[key] = WHOLE[name][key]
    after = merged(filled, dev_keys.missing(filled, counted(), pair))
    assert {name: set(keys) for name, keys in after.items()} == {name: set(keys) for name, keys in WHOLE.items()}
    assert dev_keys.missing(after, counted(), pair) == {}
    assert after["ciclo-postgresql"]["POSTGRES_PASSWORD"] in after["ciclo"]["CICLO_PREDICTIONS"]
    assert after["ciclo"]["CICLO_PREDICTIONS"] == after["ciclo-serving"]["CICLO_PREDICTIONS"]
    for name, key in kept - {("ciclo", "CICLO_PREDICTIONS"), ("ciclo-serving", "CICLO_PREDICTIONS")}:
        if name != dev_keys.TRUST:
            assert after[name][key] == WHOLE[name][key]


def test_a_public_key_that_was_lost_is_that_of_the_private_one(tmp_path: Path) -> None:
    private, public = dev_keys.pair_of_keys()
    assert dev_keys.pair_of_keys(private) == (private, public)
    (tmp_path / "private.pem").write_text(private)
    assert key_id(Signer.read(tmp_path / "private.pem").key.public_key())


class Objects:
    """Secrets and ConfigMaps with the versions of an API server, at the edge of its client."""

    def __init__(self) -> None:
        self.data: dict[str, dict[str, str]] = {name: {} for name in dev_keys.NAMES}
        self.versions = dict.fromkeys(dev_keys.NAMES, 1)
        self.rival = ""

    def read_namespaced_secret(self, name: str, namespace: str) -> Any:
        metadata = SimpleNamespace(resource_version=str(self.versions[name]))
        found = SimpleNamespace(data=dict(self.data[name]) or None, metadata=metadata)
        if name == self.rival:
            self.versions[name] += 1
            self.rival = ""
        return found

    read_namespaced_config_map = read_namespaced_secret

    def patch_namespaced_secret(self, name: str, namespace: str, body: Any) -> None:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in body["stringData"].items()}
        self._write(name, body, encoded)

    def patch_namespaced_config_map(self, name: str, namespace: str, body: Any) -> None:
        self._write(name, body, body["data"])

    def _write(self, name: str, body: Any, data: dict[str, str]) -> None:
        if body["metadata"]["resourceVersion"] != str(self.versions[name]):
            raise ApiException(status=409, reason="Conflict")
        self.data[name] |= data
        self.versions[name] += 1


def test_the_second_time_nothing_is_written() -> None:
    objects = Objects()
    assert dev_keys.fill(objects, "ciclo") == list(dev_keys.NAMES)
    written = dict(objects.versions)
    assert dev_keys.fill(objects, "ciclo") == []
    assert objects.versions == written


def test_two_at_once_do_not_mix_their_keys() -> None:
    objects = Objects()
    objects.rival = "ciclo-postgresql"
    with pytest.raises(ApiException):
        dev_keys.fill(objects, "ciclo")
    assert not objects.data["ciclo"]
    assert dev_keys.fill(objects, "ciclo") == list(dev_keys.NAMES)
