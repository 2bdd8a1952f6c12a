"""What `ciclo manifests` writes for one project: the same for the same, whole, and refused where it cannot be right."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ciclo.components.core.project_file import project_from_mapping, read_project_as_written
from ciclo.components.core.settings import Settings
from ciclo.pipelines.manifests import MOST_BYTES, Installation, cron_job, project_files
from tests.manifests.conftest import IMAGE, PROJECT, project_folder
from tests.manifests.rendering import MANIFESTS, build, find

COMMAND = [sys.executable, "-P", "-m", "ciclo.pipelines.command.app", "manifests"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def ciclo(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def test_the_same_input_gives_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "loans.yaml"
    copy.parent.mkdir()
    copy.write_bytes(PROJECT.read_bytes())
    done = ciclo("loans.yaml", "-o", "out", "--image", IMAGE, cwd=copy.parent)
    assert done.returncode == 0, done.stderr
    first = contents(project_folder(tmp_path / "first"))
    assert first == contents(copy.parent / "out")
    assert set(first) == {"kustomization.yaml", "watch.yaml", "register.yaml", "project.yaml", "pipeline.yaml"}
    assert first["project.yaml"] == PROJECT.read_bytes()
    assert first["pipeline.yaml"] == (PROJECT.parent / "pipeline.yaml").read_bytes()
    again = contents(project_folder(tmp_path / "first"))
    assert again == first


def test_a_changed_pipeline_is_another_registration_and_the_same_watch(tmp_path: Path) -> None:
    one, other = (build(project_folder(tmp_path / tag, image=f"r.example.com/c:{tag}")) for tag in ("1", "2"))
    names = [{o["metadata"]["name"] for o in objects if o["kind"] == "Job"} for objects in (one, other)]
    assert names[0] != names[1]
    assert find(one, "CronJob", "loans-watch")["metadata"] == find(other, "CronJob", "loans-watch")["metadata"]


def test_what_kustomize_makes_of_it_is_the_project_and_its_package(tmp_path: Path) -> None:
    data = find(build(project_folder(tmp_path / "out")), "ConfigMap", "loans-project")["data"]
    assert data["project.yaml"] == PROJECT.read_text()
    assert data["pipeline.yaml"] == (PROJECT.parent / "pipeline.yaml").read_text()


def test_the_watch_looks_when_the_project_says_and_gets_the_alerts_it_names() -> None:
    raw = yaml.safe_load(PROJECT.read_text())
    raw["monitoring"] = {"schedule": "0  6 * * mon-fri", "alerts": ["OPS_ALERTS"]}
    project = project_from_mapping(raw, origin="p")
    job = cron_job(project, Installation("ciclo", IMAGE))
    assert job["spec"]["schedule"] == "0 6 * * mon-fri"
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    names = [entry["name"] for entry in container["env"]]
    assert len(names) == len(set(names))
    assert set(names) - {"OPS_ALERTS"} <= {f"CICLO_{name.upper()}" for name in Settings.model_fields}
    assert "OPS_ALERTS" in names


def test_the_command_of_the_watch_is_one_that_runs(tmp_path: Path) -> None:
    """As a process with the arguments of the pod, on a registry without a champion."""
    (container,) = cron_job(read_project_as_written(PROJECT), Installation("ciclo", IMAGE))["spec"]["jobTemplate"][
        "spec"
    ]["template"]["spec"]["containers"]
    program, *arguments = container["command"]
    assert (program, arguments[-1]) == ("python", "/etc/ciclo/project/project.yaml")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CICLO_")}
    done = subprocess.run(
        [sys.executable, *arguments[:-1], str(PROJECT)],
        env={**environment, "CICLO_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert '"action"' in done.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--image", "ciclo-python"), "the image needs a tag that never moves"),
        (("--image", IMAGE, "--namespace", "Team A"), "the namespace is not a name of Kubernetes"),
        (("--image", IMAGE, "--gateway", "kubeflow-gateway"), "the gateway is not NAMESPACE/NAME"),
        (("--image", IMAGE, "--overlay", "nowhere"), "the overlay is not a kustomization"),
        (("--image", IMAGE, "--overlay", str(MANIFESTS / "overlays/standalone")), "not of the namespace ciclo"),
        (("--image", IMAGE, "-o", "/proc/none"), "cannot be written"),
    ],
)
def test_what_cannot_be_right_is_refused_in_a_sentence(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    done = ciclo(PROJECT, "-o", tmp_path / "out", *options, cwd=tmp_path)
    assert (done.returncode, says in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_source_that_a_cluster_cannot_read_is_warned_of(tmp_path: Path) -> None:
    done = ciclo(PROJECT.parents[2] / "examples/wine/project.yaml", "-o", "out", "--image", IMAGE, cwd=tmp_path)
    assert (done.returncode, "data.source is a local path (data.csv)" in done.stderr) == (0, True), done.stderr
    assert ciclo(PROJECT, "-o", "out", "--image", IMAGE, cwd=tmp_path).stderr == ""


def test_an_invalid_schedule_is_refused_by_its_field(tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    file.write_text(f'{PROJECT.read_text()}monitoring: {{schedule: "0 6 * * 7"}}\n')
    done = ciclo(file, "-o", tmp_path / "out", "--image", IMAGE, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "monitoring.schedule" in done.stderr
    assert "weekday '7' has to be from 0 to 6" in done.stderr


def test_a_project_too_large_for_a_config_map_is_refused() -> None:
    from ciclo.components.core.errors import ProjectError

    project = read_project_as_written(PROJECT)
    assert project_files(project, b"x", b"y" * (MOST_BYTES - 1), Installation("ciclo", IMAGE))
    with pytest.raises(ProjectError, match="too large for a ConfigMap"):
        project_files(project, b"x", b"y" * MOST_BYTES, Installation("ciclo", IMAGE))


def test_an_overlay_is_named_from_the_folder_and_an_address_as_it_is(tmp_path: Path) -> None:
    folder = project_folder(tmp_path / "a" / "b", "--overlay", str(MANIFESTS / "overlays" / "dev"))
    named = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"][0]
    assert (folder.resolve() / named).resolve() == MANIFESTS / "overlays" / "dev"
    address = "https://git.example.com/team/ciclo//manifests/overlays/prod?ref=v1.0.0"
    folder = project_folder(tmp_path / "c", "--overlay", address)
    assert yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"][0] == address
