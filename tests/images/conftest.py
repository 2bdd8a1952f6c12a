"""The images under test and the engine that runs them; a missing one is a failure, not a skip."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ["CICLO_IMAGE"] = os.environ.get("CICLO_TEST_IMAGE", "")  # read when the graph is imported


def image_named(variable: str, engine: Any) -> str:
    name = os.environ.get(variable, "")
    assert name, f"set {variable}, or use make test-images"
    assert engine.images.list(name), f"there is no image {name} in the engine; make images builds it"
    return name


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    import docker

    client = docker.from_env()
    client.ping()
    yield client
    client.close()


@pytest.fixture(scope="session")
def image(engine: Any) -> str:
    return image_named("CICLO_TEST_IMAGE", engine)


@pytest.fixture(scope="session")
def serving_image(engine: Any) -> str:
    return image_named("CICLO_TEST_SERVING_IMAGE", engine)
