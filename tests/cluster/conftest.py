"""A namespace of a real cluster with everything a deployment needs, and a load on what is deployed there.

``KUBECONFIG`` names the cluster, ``CICLO_TEST_IMAGE``, ``CICLO_TEST_SERVING_IMAGE``, ``CICLO_TEST_MINIO_IMAGE`` and
``CICLO_TEST_POSTGRESQL_IMAGE`` images that its nodes have. What is missing is a failure, not a skip.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from ciclo.components.storage.signing import make_keys
from tests.cluster.operator import Operator
from tests.cluster.world import FOLDER, World

PER_SECOND, MOST_SECONDS = 10, 1_500
VERSIONS = ("good", "good", "other", "broken", "good")


def named(variable: str) -> str:
    value = os.environ.get(variable, "")
    assert value, f"set {variable}, or use .ci/with-cluster make test-cluster"
    return value


@pytest.fixture(scope="session")
def connection() -> Iterator[client.ApiClient]:
    named("KUBECONFIG")
    configuration = client.Configuration()
    config.load_kube_config(client_configuration=configuration)
    with client.ApiClient(configuration) as found:
        yield found


@pytest.fixture(scope="session")
def world(connection: client.ApiClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    images = {
        "pipeline": named("CICLO_TEST_IMAGE"),
        "serving": named("CICLO_TEST_SERVING_IMAGE"),
        "minio": named("CICLO_TEST_MINIO_IMAGE"),
        "postgresql": named("CICLO_TEST_POSTGRESQL_IMAGE"),
    }
    made = World(connection, f"ciclo-test-{uuid.uuid4().hex[:8]}", images)
    made.apply(yaml.safe_load((FOLDER / "seldondeployments.yaml").read_text()))
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    made.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace, "labels": labels}})
    try:
        wait_for(30, lambda: made.get("v1", "ServiceAccount", "default"), "the default service account")
        private, public = make_keys(tmp_path_factory.mktemp("keys"))
        made.furnish(Path(private).read_text(), Path(public).read_text())
        text = made.run("publish", *VERSIONS)
        assert f"published good as {len(VERSIONS)}" in text
        yield made
    finally:
        if not os.environ.get("CICLO_TEST_KEEP"):
            made.core.delete_namespace(made.namespace)


@pytest.fixture(scope="session")
def operator(world: World) -> Iterator[Operator]:
    playing = Operator(world.connection, world.namespace)
    playing.start()
    yield playing
    playing.stop()
    assert not playing.faults


def wait_for(seconds: float, look: Any, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except client.ApiException:
            pass
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come within {seconds} s")


@dataclass
class Load:
    """A steady load on the address that clients use.

    Attributes:
        world: Where.
        pod: The pod it comes from.
    """

    world: World
    pod: str

    def now(self) -> dict[str, Any]:
        """What has become of all requests so far."""
        lines = [line for line in self.world.log(self.pod).splitlines() if line.startswith("{")]
        found: dict[str, Any] = json.loads(lines[-1]) if lines else {"sent": 0, "failed": 0, "versions": {}}
        return found

    def next(self, seconds: float = 3) -> dict[str, Any]:
        """The same, of a later moment."""
        time.sleep(seconds)
        return self.now()


@pytest.fixture(scope="session")
def load(world: World, operator: Operator) -> Load:
    """The first version in service, and clients that ask for its answers."""
    code, text = world.wait(world.deploy(1))
    assert code == 0, text
    pod = world.start("load", f"http://unit-serving.{world.namespace}:9000", str(PER_SECOND), str(MOST_SECONDS))
    found = Load(world, pod)
    wait_for(60, lambda: found.now()["versions"].get("1", 0) > 10, "the load")
    return found
