"""The workflows: what they run is pinned and exists, and they may do no more than they need."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ciclo.components.core.project_file import read_project_as_written

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "examples" / "template"
FILES = sorted([*ROOT.glob(".github/workflows/*.yaml"), *TEMPLATE.glob(".github/workflows/*.yaml")])


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]


def test_there_are_workflows_of_ours_and_of_the_template() -> None:
    assert [path.stem for path in FILES] == ["ci", "release", "train"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_action_is_pinned_and_keeps_no_credentials(path: Path) -> None:
    used = [step for step in steps(path) if "uses" in step]
    assert used
    for step in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"]), step
        if "checkout" in step["uses"]:
            assert step["with"]["persist-credentials"] is False
    assert re.findall(r"uses: \S+@\S+$", path.read_text(), re.M) == [], "the version of a pin stands beside it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_may_write_but_the_job_that_publishes(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    writers = {name for name, job in workflow["jobs"].items() if "write" in job.get("permissions", {}).values()}
    assert writers == ({"publish"} if path.stem == "release" else set())
    assert all(job["timeout-minutes"] for job in workflow["jobs"].values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_expression_is_put_into_a_script(path: Path) -> None:
    """What comes from outside reaches a script through its environment alone."""
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_target_and_script_is_there(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    scripts = "\n".join(step.get("run", "") for step in steps(path))
    targets = {word for found in re.findall(r"\bmake ([a-z -]+)$", scripts, re.M) for word in found.split()}
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets), targets
    assert all((ROOT / script).is_file() for script in re.findall(r"\.ci/[\w-]+", scripts))


def test_the_project_of_the_template_is_one() -> None:
    project = read_project_as_written(TEMPLATE / "project.yaml")
    assert project.data.source.startswith("s3://")
