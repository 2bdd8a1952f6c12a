"""`ciclo doctor` on a laptop, and against a KFP backend."""

import socket
from pathlib import Path

import pytest

from tests.kfp_backend import kfp_backend
from tests.local.command import ciclo, write_project

COLUMNS = {"x": {"type": "number"}, "y": {"type": "boolean"}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path, "x,y\n1,true\n", COLUMNS)


def test_a_laptop_is_found_ready(project: Path, tmp_path: Path) -> None:
    with kfp_backend() as backend:
        asked = ciclo(tmp_path / "home", "doctor", project, "--host", backend.url, CICLO_DEPLOYER="process")
        assert backend.experiments == [], "asking changes nothing"
    assert asked.code == 0, asked.out + asked.err
    lines = [" ".join(line.split()) for line in asked.out.splitlines()]
    assert [line.split(" ok ")[0] for line in lines] == [
        "project", "deployer", "object store", "signing keys", "serving Python", "model server",
        "KFP", "KFP sign-in", "clock",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "about", "advice"),
    [
        ({"CICLO_SERVING_PYTHON": "/nowhere/python"}, "serving Python", "/nowhere/python"),
        ({"CICLO_PRIVATE_KEY": "/nowhere/key.pem"}, "signing keys", "/nowhere/key.pem"),
        ({"CICLO_STORE": "ftp://x"}, "object store", "s3://"),
        ({"CICLO_DEPLOYER": "seldon", "KUBECONFIG": "/nowhere"}, "Kubernetes", "KUBECONFIG"),
        ({"CICLO_DEPLOYER": "seldon", "KUBECONFIG": "/nowhere"}, "prediction store", "CICLO_PREDICTIONS"),
        ({"CICLO_DEPLOYER": "seldon", "KUBECONFIG": "/nowhere"}, "KFP", "CICLO_KFP_HOST"),
        ({"CICLO_KFP_HOST": "nonsense"}, "KFP", "http://"),
    ],
)
def test_whatever_is_wrong_is_told_with_what_to_do(
    project: Path, tmp_path: Path, variables: dict[str, str], about: str, advice: str
) -> None:
    asked = ciclo(tmp_path / "home", "doctor", project, **{"CICLO_DEPLOYER": "process", **variables})
    assert asked.code == 1, asked.out + asked.err
    assert "Traceback" not in asked.err
    (line,) = [line for line in asked.out.splitlines() if line.startswith(f"{about:<17} wrong")]
    assert advice in line
    assert asked.out.splitlines()[-1].endswith("to mend")


def test_a_backend_that_is_down_or_asks_who_we_are_is_told(project: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert "nobody answers" in ciclo(tmp_path / "home", "doctor", project, "--host", nobody).out
    with kfp_backend() as backend:
        backend.guard = {"Authorization": "Bearer right"}
        asked = ciclo(tmp_path / "home", "doctor", project, "--host", backend.url)
    assert "Sign in" in asked.out
