"""Every kustomization that is checked, rendered once for all tests here."""

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.manifests.rendering import MANIFESTS, Manifest, build, build_from

GOLDEN = Path(__file__).parents[1] / "golden" / "manifests.yaml"
PROJECT = Path(__file__).parents[1] / "golden" / "project.yaml"
IMAGE = "registry.example.com/ciclo-python:1.0.0"
DIGEST = f"registry.example.com/ciclo-python@sha256:{'a1' * 32}"
PROFILE = "kubeflow-user-example-com"
EXTRAS = ("persistent", "prometheus", "alert-rules", "istio")


@dataclass(frozen=True)
class Rendering:
    """What a kustomization comes to.

    Attributes:
        name: Its name in the golden file.
        namespace: The one everything has to be in; None for none.
        objects: What it renders.
        by_digest: Whether images have to be named by digest.
        whole: Whether it is all of an installation, so that its edges and rights mean something.
    """

    name: str
    namespace: str | None
    objects: list[Manifest]
    by_digest: bool = False
    whole: bool = True


def project_folder(folder: Path, *options: str, image: str = IMAGE) -> Path:
    """A project's folder, written by the command."""
    from typer.testing import CliRunner

    from ciclo.pipelines.command.app import app

    command = ["manifests", str(PROJECT), "-o", str(folder), "--image", image, *options]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder


@cache
def renderings() -> dict[str, Rendering]:
    """All of them, by name."""
    overlays = MANIFESTS / "overlays"
    components = MANIFESTS / "components"
    multi = ("--namespace", PROFILE, "--multi-user", "--gateway", "kubeflow/kubeflow-gateway")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        extras = [components / extra for extra in EXTRAS]
        everything = build_from([overlays / "dev"], extras, "ciclo", folder / "everything")
        alone = build(project_folder(folder / "alone"))
        on_dev = build(project_folder(folder / "on-dev", "--overlay", str(overlays / "dev")))
        options = (*multi, "--overlay", str(overlays / "kubeflow"))
        in_profile = build(project_folder(folder / "in-profile", *options))
        in_prod = build(project_folder(folder / "in-prod", "--overlay", str(overlays / "prod"), image=DIGEST))
    every = [
        Rendering("base", None, build(MANIFESTS / "base"), whole=False),
        Rendering("dev", "ciclo", build(overlays / "dev")),
        Rendering("standalone", "kubeflow", build(overlays / "standalone")),
        Rendering("kubeflow", PROFILE, build(overlays / "kubeflow")),
        Rendering("prod", "ciclo", build(overlays / "prod"), by_digest=True),
        Rendering("dev with everything", "ciclo", everything),
        Rendering("project", "ciclo", alone, whole=False),
        Rendering("project on dev", "ciclo", on_dev),
        Rendering("project in a profile", PROFILE, in_profile),
        Rendering("project in prod", "ciclo", in_prod, by_digest=True),
    ]
    return {rendering.name: rendering for rendering in every}


@pytest.fixture(scope="session")
def golden() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = yaml.safe_load(GOLDEN.read_text())
    return found
