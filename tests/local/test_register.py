"""Making a project known to KFP, against a backend that answers like it; again, at once with somebody else, refused."""

from pathlib import Path

import pytest

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import read_project_as_written
from ciclo.components.core.settings import Settings
from ciclo.pipelines.backends.registration import Registered, Registrar, register
from tests.kfp_backend import KfpBackend
from tests.local.command import ciclo

FILE = Path(__file__).parents[1] / "golden" / "project.yaml"
PACKAGE = FILE.parent / "pipeline.yaml"


@pytest.fixture(scope="module")
def project() -> Project:
    return read_project_as_written(FILE)


def known(backend: KfpBackend, project: Project, package: Path = PACKAGE, namespace: str = "") -> Registered:
    return register(Registrar(backend.url, Settings()), project, package, namespace=namespace)


def test_the_pipeline_and_its_experiment_are_made_once(backend: KfpBackend, project: Project) -> None:
    first, again = known(backend, project), known(backend, project)
    assert (first.pipeline_id, first.version_id, first.experiment_id, first.fresh) == ("p-0", "v-0", "e-0", True)
    assert (again.version_id, again.experiment_id, again.fresh) == ("v-0", "e-0", False)
    assert (len(backend.pipelines), len(backend.versions), len(backend.experiments)) == (1, 1, 1)
    assert backend.pipelines[0]["display_name"] == backend.experiments[0]["display_name"] == "loans"
    assert PACKAGE.read_bytes() in backend.versions[0]["file"]


def test_a_changed_pipeline_is_a_version_of_the_same(backend: KfpBackend, project: Project, tmp_path: Path) -> None:
    first = known(backend, project)
    changed = tmp_path / "pipeline.yaml"
    changed.write_bytes(PACKAGE.read_bytes() + b"# changed\n")
    second = known(backend, project, changed)
    assert (second.pipeline_id, second.fresh) == (first.pipeline_id, True)
    assert second.version != first.version
    assert len(backend.versions) == 2


def test_two_profiles_have_a_pipeline_each(backend: KfpBackend, project: Project) -> None:
    ids = {known(backend, project, namespace=namespace).pipeline_id for namespace in ("team-a", "team-b", "team-a")}
    assert ids == {"p-0", "p-1"}
    assert [pipeline["namespace"] for pipeline in backend.pipelines] == ["team-a", "team-b"]


def test_who_was_quicker_is_no_failure(backend: KfpBackend, project: Project) -> None:
    backend.registers = "rival"
    found = known(backend, project)
    assert (found.pipeline_id, found.version_id) == ("p-0", "v-0")
    assert (len(backend.pipelines), len(backend.versions)) == (1, 1)


@pytest.mark.parametrize(("status", "says"), [("403", "right to create"), ("500", "says 500"), ("409", "says 409")])
def test_a_refusal_is_an_error_that_says_why(backend: KfpBackend, project: Project, status: str, says: str) -> None:
    backend.registers = status
    with pytest.raises(SubmissionError, match=says):
        known(backend, project)
    assert not backend.versions


def test_a_package_that_is_not_there_is_found_before_anybody_is_asked(backend: KfpBackend, project: Project) -> None:
    with pytest.raises(SubmissionError, match="'ciclo compile' writes one"):
        known(backend, project, Path("/nowhere/pipeline.yaml"))
    assert not backend.pipelines


def test_the_command_says_what_is_there_and_needs_a_host(backend: KfpBackend, tmp_path: Path) -> None:
    arguments = ("register", FILE, "--package", PACKAGE)
    refused = ciclo(tmp_path, *arguments)
    assert (refused.code, "CICLO_KFP_HOST or --host has to begin with http" in refused.err) == (1, True), refused.err
    done = ciclo(tmp_path, *arguments, CICLO_KFP_HOST=backend.url, CICLO_KFP_NAMESPACE="team-a")
    assert done.code == 0, done.err
    assert "pipeline p-0 (loans)" in done.out
    assert "uploaded" in done.out
    assert backend.experiments[0]["namespace"] == "team-a"
