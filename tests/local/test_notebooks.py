"""The notebooks, run as they are: one on an example, one against a backend that answers like the KFP API."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest

from ciclo.components.core.settings import Settings
from ciclo.components.releases.registry import open_registry
from ciclo.components.runs.notes import Note, leave_note
from ciclo.components.storage.signing import signer_from
from tests.depth import thorough
from tests.kfp_backend import KfpBackend, kfp_backend
from tests.local.command import environment, write_project
from tests.versions import files

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
COLUMNS = {"x": {"type": "number"}, "y": {"type": "boolean"}}
EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, **variables: str) -> None:
    """Execute a notebook from its first cell to its last."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-p", "nbmake.pytest_plugin", "--nbmake", f"{name}.ipynb"),
        ],
        cwd=NOTEBOOKS,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("name", ["explore", "submit"])
def test_a_notebook_is_kept_without_what_it_printed(name: str) -> None:
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@thorough
def test_the_notebook_that_explores_runs_on_an_example(tmp_path: Path) -> None:
    run("explore", **environment(tmp_path, PROJECT=str(EXAMPLES / "wine" / "project.yaml")))


@thorough
def test_the_notebook_that_submits_waits_and_reads_what_came_of_it(tmp_path: Path) -> None:
    project, home = write_project(tmp_path, "x,y\n1,true\n", COLUMNS), tmp_path / "home"
    settings = Settings(home=home)
    lineage = json.dumps({"run": "id-0", "model": {"candidate": "ridge"}}).encode()
    contents = {**files(), "lineage.json": lineage}
    open_registry("unit", settings).publish(contents, signer=signer_from(settings), parent=None)
    variables = environment(
        home,
        PROJECT=str(project),
        CICLO_IMAGE="registry.example.com/ciclo-python:1.0.0",
        KEY="from-the-notebook",
    )
    with kfp_backend() as backend:
        ended = threading.Thread(target=_succeed, args=(backend, home))
        ended.start()
        run("submit", **variables, CICLO_KFP_HOST=backend.url)
        ended.join()
        assert [body["display_name"] for body in backend.runs] == ["unit from-the-notebook"]


def _succeed(backend: KfpBackend, home: Path) -> None:
    while not backend.runs:
        time.sleep(0.05)
    leave_note(Note(stage="publishing", ending="promoted", reason="better"), "unit", Settings(home=home, run="id-0"))
    with backend.lock:
        backend.runs[0]["state"] = "SUCCEEDED"
