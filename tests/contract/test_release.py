"""The files of a release: every component loads on its own, runs the image of the release, and fits the others."""

from pathlib import Path

import pytest
import yaml
from kfp import compiler, components, dsl

from ciclo.components.core.errors import SubmissionError
from ciclo.pipelines.release import PIPELINE, write_release
from ciclo.pipelines.release import components as ours
from tests.depth import thorough

IMAGE = f"registry.example.com/ciclo-python@sha256:{'a' * 64}"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    files = write_release(tmp_path_factory.mktemp("release") / "new", IMAGE)
    return {path.stem: path for path in files}


@pytest.mark.slow
def test_every_component_and_the_pipeline_are_there_and_load(released: dict[str, Path]) -> None:
    names = {name for name, _ in ours()}
    assert len(names) == 12
    assert set(released) == {*names, PIPELINE}
    for name in names:
        loaded = components.load_component_from_file(str(released[name]))
        assert loaded.name == name
        assert loaded.description
        assert loaded.component_spec.implementation.container.image == IMAGE


def test_the_pipeline_asks_for_a_project_and_runs_that_image_alone(released: dict[str, Path]) -> None:
    spec, platform = yaml.safe_load_all(released[PIPELINE].read_text())
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert not parameters["project"].get("isOptional")
    images = {e["container"]["image"] for e in spec["deploymentSpec"]["executors"].values()}
    assert images == {IMAGE}
    assert platform["platforms"]["kubernetes"]


def test_loaded_components_make_a_graph_of_somebody_else(released: dict[str, Path], tmp_path: Path) -> None:
    read, tidy = (components.load_component_from_file(str(released[name])) for name in ("ingestion", "cleaning"))

    @dsl.pipeline(name="theirs")
    def theirs(project: str) -> None:
        raw = read(project=project)
        tidy(project=project, raw=raw.outputs["raw"])

    compiler.Compiler().compile(theirs, str(tmp_path / "theirs.yaml"))
    assert (tmp_path / "theirs.yaml").read_text().count(IMAGE) >= 2


@thorough
def test_the_same_release_has_the_same_bytes(released: dict[str, Path], tmp_path: Path) -> None:
    again = write_release(tmp_path, IMAGE)
    assert [path.read_bytes() for path in again] == [released[path.stem].read_bytes() for path in again]


@pytest.mark.parametrize("image", ["ciclo-python", "ciclo-python:latest", "UPPER:1"])
def test_an_image_that_can_move_is_refused(image: str, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="image"):
        write_release(tmp_path, image)
