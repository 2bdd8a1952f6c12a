"""The compiled pipeline of one small project, compiled once for all tests here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ciclo.components.core.project import Project
from ciclo.components.core.project_file import read_project
from ciclo.pipelines.compile import compile_pipeline

GOLDEN = Path(__file__).parents[1] / "golden"
IMAGE = "registry.example.com/ciclo-python:1.0.0"


@dataclass(frozen=True)
class Compiled:
    path: Path
    spec: dict[str, Any]
    platform: dict[str, Any]

    @property
    def executors(self) -> dict[str, Any]:
        return {name: e["container"] for name, e in self.spec["deploymentSpec"]["executors"].items()}

    @property
    def platform_executors(self) -> dict[str, Any]:
        return self.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    @property
    def dags(self) -> dict[str, dict[str, Any]]:
        """The tasks of every group by its name."""
        groups = {"root": self.spec["root"], **self.spec["components"]}
        return {name: group["dag"]["tasks"] for name, group in groups.items() if "dag" in group}

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """The tasks that run a container, by title."""
        leaves = {n for n, c in self.spec["components"].items() if "executorLabel" in c}
        every = (task for tasks in self.dags.values() for task in tasks.values())
        return {task["taskInfo"]["name"]: task for task in every if task["componentRef"]["name"] in leaves}


@pytest.fixture(scope="session")
def project() -> Project:
    return read_project(GOLDEN / "project.yaml")


@pytest.fixture(scope="session")
def compiled(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    path = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    compile_pipeline(project, IMAGE, path)
    spec, platform = yaml.safe_load_all(path.read_text())
    return Compiled(path, spec, platform)
