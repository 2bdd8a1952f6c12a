"""What a release ships beside its images: every component and the pipeline as files of their own, for one image.

    python -P -m ciclo.pipelines.release build/release --image registry.example.com/ciclo-python@sha256:...

A component file is loaded with ``kfp.components.load_component_from_file`` into any graph; the pipeline is uploaded in
the dashboard and asks for a project. The components read their image when they are imported, so the files are written
by an interpreter of their own (``CICLO_IMAGE``), which this module starts.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from ciclo.pipelines.compile import check_image

STAGES = (
    "ingestion", "cleaning", "validation", "feasibility", "training", "evaluation", "publishing", "deployment",
    "notification",
)  # fmt: skip
PIPELINE = "training-pipeline"


def write_release(folder: Path, image: str) -> list[Path]:
    """Write the files of a release; the same input gives the same bytes.

    Args:
        folder: Folder to write.
        image: Image of the components, by digest where it has one.

    Returns:
        The files, sorted.

    Raises:
        SubmissionError: If the image will not do.
    """
    check_image(image)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(  # noqa: S603  (our own module)
        [sys.executable, "-P", "-m", "ciclo.pipelines.release", str(folder)],
        env={**os.environ, "CICLO_IMAGE": image, "PYTHONSAFEPATH": "1"},
        check=True,
    )
    return sorted(folder.glob("*.yaml"))


def components() -> Iterator[tuple[str, Any]]:
    """Every component by its name, in the order of the cycle."""
    from kfp.dsl.base_component import BaseComponent

    for stage in STAGES:
        module = import_module(f"ciclo.components.{stage}.component")
        for name, found in vars(module).items():
            if isinstance(found, BaseComponent):
                yield name, found


def _compile(folder: Path) -> None:
    from kfp import compiler

    from ciclo.pipelines.training.pipeline import training_pipeline

    for name, component in components():
        compiler.Compiler().compile(component, str(folder / f"{name}.yaml"))
    compiler.Compiler().compile(training_pipeline, str(folder / f"{PIPELINE}.yaml"))


def main() -> None:
    """Write the files of a release."""
    parser = argparse.ArgumentParser(prog="python -P -m ciclo.pipelines.release", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--image", help="image of the components")
    options = parser.parse_args()
    if options.image is None:
        _compile(options.folder)
        return
    for path in write_release(options.folder, options.image):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
