"""Compile the training pipeline of a project into the file that a KFP backend runs.

The graph reads its image when it is imported, so a fresh interpreter compiles it (this module, given a file).
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.images import PLACEHOLDER, REFERENCE
from ciclo.components.core.project import Project
from ciclo.components.monitoring.submitting.kfp_api import arguments

_EXAMPLE = "Give one such as 'registry.example.com/ciclo-python:1.4.0': steps are cached by the name of their image."


def check_image(image: str) -> str:
    """Let an image reference through that means the same image tomorrow.

    Args:
        image: Reference with a tag or a digest.

    Raises:
        SubmissionError: If it is malformed, has no tag, or has one that moves.
    """
    match = REFERENCE.fullmatch(image)
    if match is None:
        raise SubmissionError("the image is not an image reference", seen=repr(image), hint=_EXAMPLE)
    if (
        image == PLACEHOLDER
        or not (match["digest"] or match["tag"])
        or (match["tag"] == "latest" and not match["digest"])
    ):
        raise SubmissionError("the image needs a tag that never moves, or a digest", seen=image, hint=_EXAMPLE)
    return image


def cluster_warnings(project: Project) -> list[str]:
    """What would keep the project from running on a cluster."""
    source = project.data.source
    if "://" in source and not source.startswith("file://"):
        return []
    return [f"data.source is a local path ({source}), which a cluster cannot read; use s3://bucket/key."]


def compile_pipeline(project: Project, image: str, output: Path) -> None:
    """Write the compiled pipeline of a project; the same input gives the same bytes.

    Args:
        project: The project; it becomes the default of the parameter ``project``.
        image: Image of the components.
        output: YAML file to write.

    Raises:
        SubmissionError: If the image will not do or the file cannot be written.
    """
    check_image(image)
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "pipeline.yaml"
        subprocess.run(  # noqa: S603  (our own module)
            [sys.executable, "-P", "-m", "ciclo.pipelines.compile", str(compiled)],
            input=json.dumps(arguments(project)).encode(),
            env={
                **os.environ,
                "CICLO_IMAGE": image,
                "CICLO_ALERT_KEYS": json.dumps(project.monitoring.alerts),
                "PYTHONSAFEPATH": "1",
            },
            check=True,
        )
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_bytes(compiled.read_bytes())
        except OSError as error:
            raise SubmissionError(f"{output} cannot be written", seen=error.strerror) from error


def _compile(output: str) -> None:
    from kfp import compiler

    from ciclo.pipelines.training.pipeline import training_pipeline

    compiler.Compiler().compile(training_pipeline, output, pipeline_parameters=json.load(sys.stdin))


if __name__ == "__main__":
    _compile(sys.argv[1])
