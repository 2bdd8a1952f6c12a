"""Compiling refuses what would run another image tomorrow, and writes the same bytes twice."""

from pathlib import Path
from typing import Any

import pytest

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.images import PLACEHOLDER
from ciclo.pipelines.compile import check_image, cluster_warnings, compile_pipeline

DIGEST = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    "image",
    ["", "ciclo", "ciclo:latest", "registry:5000/ciclo", PLACEHOLDER, "Ciclo:1", "ciclo:", "a b:1", "ciclo@sha256:12"],
)
def test_images_that_may_change_are_refused(image: str) -> None:
    with pytest.raises(SubmissionError, match="image"):
        check_image(image)


@pytest.mark.parametrize(
    "image", ["ciclo:1", "registry:5000/team/ciclo-python:1.4.0-abc", f"ciclo{DIGEST}", f"r:5000/ciclo:latest{DIGEST}"]
)
def test_images_that_stay_are_taken(image: str) -> None:
    assert check_image(image) == image


@pytest.mark.slow
def test_the_same_project_gives_the_same_bytes(compiled: Any, project: Any, tmp_path: Path) -> None:
    compile_pipeline(project, "registry.example.com/ciclo-python:1.0.0", tmp_path / "again" / "pipeline.yaml")
    assert (tmp_path / "again" / "pipeline.yaml").read_bytes() == compiled.path.read_bytes()


@pytest.mark.slow
def test_the_image_is_right_although_the_graph_was_imported_before(project: Any, tmp_path: Path) -> None:
    import ciclo.pipelines.training.pipeline  # noqa: F401

    compile_pipeline(project, "ciclo-python:2", tmp_path / "pipeline.yaml")
    text = (tmp_path / "pipeline.yaml").read_text()
    assert "image: ciclo-python:2\n" in text
    assert PLACEHOLDER not in text


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_a_named_error(project: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SubmissionError, match="cannot be written"):
        compile_pipeline(project, "ciclo-python:2", tmp_path / "file" / "pipeline.yaml")


@pytest.mark.parametrize(
    ("source", "warned"),
    [("/data/x.csv", True), ("file:///data/x.csv", True), ("s3://bucket/x.parquet", False)],
    ids=["path", "file address", "s3"],
)
def test_a_source_that_a_cluster_cannot_read_is_warned_of(project: Any, source: str, warned: bool) -> None:
    data = project.data.model_copy(update={"source": source})
    assert bool(cluster_warnings(project.model_copy(update={"data": data}))) == warned
