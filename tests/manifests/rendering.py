"""Kustomizations as the objects that a cluster would be given."""

import copy
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"

Manifest = dict[str, Any]


def build(folder: Path) -> list[Manifest]:
    """Render a kustomization with what this machine has: kubectl, or kustomize itself."""
    if kubectl := shutil.which("kubectl"):
        command = [kubectl, "kustomize", str(folder)]
    elif kustomize := shutil.which("kustomize"):
        command = [kustomize, "build", str(folder)]
    else:
        pytest.fail("neither kubectl nor kustomize is on the PATH: nothing can be rendered")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    objects = [document for document in yaml.safe_load_all(done.stdout) if document]
    assert objects, f"{folder} renders nothing"
    return objects


def build_from(resources: list[Path], components: list[Path], namespace: str, folder: Path) -> list[Manifest]:
    """Render resources with components, as somebody's own kustomization would combine them."""
    folder.mkdir(parents=True)
    body = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": [os.path.relpath(path, folder.resolve()) for path in resources],
        "components": [os.path.relpath(path, folder.resolve()) for path in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(body))
    return build(folder)


def name_of(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def find(objects: list[Manifest], kind: str, name: str) -> Manifest:
    found = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name} among {sorted(map(name_of, objects))}"
    return found[0]


def pod_templates(objects: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every pod template with the name of its object."""
    for manifest in objects:
        spec = manifest.get("spec", {})
        if manifest["kind"] == "CronJob":
            yield name_of(manifest), spec["jobTemplate"]["spec"]["template"]
        elif manifest["kind"] == "SeldonDeployment":
            for predictor in spec["predictors"]:
                for component in predictor["componentSpecs"]:
                    labels = {**predictor.get("labels", {}), **component.get("metadata", {}).get("labels", {})}
                    yield name_of(manifest), {"metadata": {"labels": labels}, "spec": component["spec"]}
        elif "template" in spec:
            yield name_of(manifest), spec["template"]


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def copied(objects: list[Manifest]) -> list[Manifest]:
    return copy.deepcopy(objects)
