"""The built images: the training pipeline in one, its model served by the other."""

import json
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ciclo.components.core.images import PIPELINE_IMAGE
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.monitoring.submitting.kfp_api import arguments
from ciclo.components.releases.registry import open_registry
from tests.tables import project as unit_project
from tests.tables import table

NAMES = ("image", "serving_image")


@pytest.fixture(params=NAMES)
def built(request: pytest.FixtureRequest, engine: Any) -> Any:
    """Each of the two images."""
    return engine.images.get(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the user of the image may write, with a table in it."""
    folder = tmp_path_factory.mktemp("home")
    folder.chmod(0o777)
    table(2_000, signal=3.0).to_csv(folder / "table.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def project(home: Path) -> Project:
    sections = {"training": {"trials": 1}}
    plain = unit_project(**sections)
    return plain.model_copy(update={"data": plain.data.model_copy(update={"source": str(home / "table.csv")})})


@pytest.fixture(scope="module")
def trained(image: str, home: Path, project: Project) -> Path:
    """The training pipeline, each task in a container of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp import local

        from ciclo.pipelines.training.pipeline import training_pipeline

        variables = {"CICLO_HOME": str(home / "ciclo"), "CICLO_DEPLOYER": "none"}
        local.init(local.DockerRunner(environment=variables), pipeline_root=str(home))
        assert image == PIPELINE_IMAGE
        training_pipeline(**arguments(project))
    return home / "ciclo"


def test_the_user_is_a_number_that_is_not_root(built: Any) -> None:
    assert built.attrs["Config"]["User"] == "65532:65532"


def test_no_entrypoint_stands_between_kfp_and_its_command(built: Any) -> None:
    assert not built.attrs["Config"].get("Entrypoint")


def test_the_image_says_what_it_is(built: Any) -> None:
    labels = built.attrs["Config"]["Labels"]
    for name in ("title", "description", "licenses", "version", "revision"):
        assert labels[f"org.opencontainers.image.{name}"]


def test_what_was_needed_to_build_is_not_in_the_image(built: Any) -> None:
    history = " ".join(layer["CreatedBy"] for layer in built.history())
    assert "COPY" in history
    for word in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "requirements"):
        assert word not in history + str(built.attrs["Config"]["Env"])


def test_the_launcher_of_kfp_finds_what_it_calls(built: Any, engine: Any) -> None:
    command = ["sh", "-c", 'file=$(mktemp) && echo "$file" && id -u && python3 -c "import ciclo.components"']
    said = engine.containers.run(built.id, command, remove=True).decode().split()
    assert said[0].startswith("/tmp/")
    assert said[1] == "65532"


def test_the_command_answers(image: str, engine: Any) -> None:
    assert b"submit" in engine.containers.run(image, ["ciclo", "--help"], remove=True)


def test_the_pipeline_publishes_from_its_image(trained: Path) -> None:
    champion = open_registry("unit", Settings(home=trained)).alias("champion")
    assert champion is not None
    assert champion.version == 1


@pytest.fixture(scope="module")
def endpoint(serving_image: str, trained: Path, engine: Any) -> Iterator[str]:
    """A container of the serving image on what the other one published."""
    container = engine.containers.run(
        serving_image,
        detach=True,
        environment={"CICLO_PROJECT": "unit", "CICLO_VERSION": "1", "CICLO_HOME": str(trained)},
        volumes={str(trained): {"bind": str(trained), "mode": "rw"}},
        read_only=True,
        tmpfs={"/tmp": "mode=1777"},
        ports={"9000/tcp": ("127.0.0.1", None)},
    )
    try:
        container.reload()
        port = container.ports["9000/tcp"][0]["HostPort"]
        yield f"http://127.0.0.1:{port}"
        assert container.stop(timeout=20) is None
    finally:
        container.remove(force=True)


def test_the_model_is_served_from_its_image(endpoint: str) -> None:
    row = {"size": 1.5, "count": 3, "open": True, "colour": "red", "noise": None}
    request = urllib.request.Request(
        f"{endpoint}/api/v1.0/predictions",
        data=json.dumps({"jsonData": {"rows": [row]}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    answer = patiently(request)["jsonData"]
    assert answer["version"] == 1
    assert isinstance(answer["predictions"][0]["prediction"], bool)


def patiently(request: urllib.request.Request, seconds: float = 60) -> dict[str, Any]:
    """Ask until the server is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
