"""Nobody else's code runs: what lies in the user's folder is never imported in the place of ours or of a library."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.depth import thorough
from tests.local.command import ONE, Ran, environment
from tests.local.decoys import lay_out
from tests.tables import table

CICLO = Path(sys.executable).parent / "ciclo"
IMAGE = "registry.example.com/ciclo-python:1.0.0"


def ciclo(folder: Path, *arguments: object, **variables: str) -> Ran:
    """The installed command, started in a folder."""
    done = subprocess.run(
        [CICLO, *map(str, arguments)],
        cwd=folder,
        env=environment(folder / "home", **variables),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, folder / "home")


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


def test_the_decoys_leave_a_mark(tmp_path: Path, marks: Path) -> None:
    for code in ("import pipelines.compile", "import yaml"):
        assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 1
    assert {path.name for path in marks.iterdir()} >= {"pipelines", "yaml"}


@pytest.fixture
def project(tmp_path: Path, marks: Path) -> Path:
    table(2_000, signal=3.0).to_csv(tmp_path / "table.csv", index=False)
    made = ciclo(tmp_path, "init", "table.csv", "--target", "y")
    assert made.code == 0, made.err
    path = tmp_path / "project.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **ONE}))
    return path


def test_the_graph_that_is_compiled_is_ours(project: Path, marks: Path) -> None:
    compiled = ciclo(project.parent, "compile", "project.yaml", "--image", IMAGE, "-o", "pipeline.yaml")
    assert compiled.code == 0, compiled.err
    spec, _ = yaml.safe_load_all((project.parent / "pipeline.yaml").read_text())
    assert spec["pipelineInfo"]["name"] == "ciclo-training"
    assert [path.name for path in marks.iterdir()] == []


@thorough
def test_no_child_of_a_run_imports_what_lies_in_the_folder_of_the_user(project: Path, marks: Path) -> None:
    try:
        ran = ciclo(project.parent, "run", "project.yaml", CICLO_DEPLOYER="process")
        assert ran.code == 0, ran.err + ran.out
        assert (ran.summary["outcome"], ran.summary["version"]) == ("promoted", 1), ran.summary["reason"]
        assert ran.summary["endpoint"].startswith("http://")
    finally:
        ciclo(project.parent, "stop", "project.yaml", CICLO_DEPLOYER="process")
    assert ciclo(project.parent, "models", "list", "project.yaml").code == 0
    assert [path.name for path in marks.iterdir()] == []


def test_every_interpreter_we_start_leaves_the_folder_it_is_in_alone() -> None:
    root = Path(__file__).parents[2]
    started = 0
    for path in (p for folder in ("components", "pipelines") for p in (root / folder).rglob("*.py")):
        text = " ".join(path.read_text().split())
        started += text.count('"-m", "ciclo')
        assert text.count('"-m", "ciclo') == text.count('"-P", "-m", "ciclo'), path
    assert started >= 4
