"""The README's section "To a cluster", typed line by line into one shell, in a copy of the repository.

Everything is real but for these:

- ``make env``, ``make images`` and ``kind load`` only check what they are given: who started this has done it
  (``.ci/with-cluster``). The copy has the environment of the working copy.
- The images of MinIO and PostgreSQL are those of the cluster tier, by a line in the copied overlay; our own images are
  those that ``CICLO_TEST_*`` name, if they are called differently.
- ``components/persistent`` is taken out of it where the cluster has no class of storage.
- KFP is a double behind the Service ``ml-pipeline``, whose run ends well without running anything. So after
  ``ciclo submit`` the pipeline runs in one pod, by KFP's local runner, with the account, role, settings and keys that
  the overlay gives to tasks.
- Seldon Core's operator is a double, see ``operator.py``.
- curl is told to print the status as well, by its own configuration file.
"""

import base64
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.cluster.conftest import named, wait_for
from tests.cluster.operator import Operator
from tests.cluster.world import FOLDER, SHARED, World, pod_spec
from tests.readme import ROOT, commands

NAMESPACE = "kubeflow"
MARK = "-- ended with"
RUN_SECONDS = 420
LONGEST_NAME = 24  # of a user in a Secret: ciclo-pipeline, as it is stored
BUILT = {"ciclo-python:dev": "CICLO_TEST_IMAGE", "ciclo-serving-python:dev": "CICLO_TEST_SERVING_IMAGE"}
PULLED = {"minio/minio": "CICLO_TEST_MINIO_IMAGE", "postgres": "CICLO_TEST_POSTGRESQL_IMAGE"}
# What stands for what was done before: ``make -n`` knows whether there is such a target.
STAND_INS = {
    "make": 'exec "$(PATH=${PATH#*/stand-ins:} command -v make)" -n "$@" >/dev/null',
    "kind": '[ "$*" = "load docker-image $CICLO_TEST_IMAGE $CICLO_TEST_SERVING_IMAGE" ]',
}


class Shell:
    """A shell with a line at a time.

    Args:
        program: Which.
        folder: Where it starts.
        env: Its variables.
    """

    def __init__(self, program: str, folder: Path, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [program], cwd=folder, env=env, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)

    def type(self, line: str, seconds: float = 600) -> tuple[int, str]:
        """Type a line and wait for its end: its code and what came meanwhile."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\nprintf '\\n{MARK} %s\\n' $?\n")
        self._process.stdin.flush()
        seen: list[str] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                seen.append(self._lines.get(timeout=1))
            except queue.Empty:
                assert self._process.poll() is None, "".join(seen)
                continue
            if seen[-1].startswith(MARK):
                return int(seen[-1].split()[-1]), "".join(seen[:-1])
        raise AssertionError(f"{line} has not ended after {seconds} s: {''.join(seen)}")

    def forwards(self) -> list[int]:
        """The forwards of ports that it has started and that run still."""
        listed = subprocess.run(["ps", "-eo", "pid=,sess=,args="], capture_output=True, text=True, check=True).stdout
        rows = [line.split(maxsplit=2) for line in listed.splitlines()]
        return [int(row[0]) for row in rows if row[1] == str(self._process.pid) and "port-forward" in row[2]]

    def leave(self) -> None:
        """Leave it as a reader does."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def end(self) -> None:
        """End it and whatever it has started, which is in its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self.leave()
        self._reader.join(30)


def kubectl(*arguments: str) -> str:
    return subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=True).stdout


def inventory() -> set[str]:
    """Everything that is in the namespace, but for events."""
    kinds = kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    listed = ",".join(kind for kind in kinds if not kind.startswith("events"))
    return set(kubectl("-n", NAMESPACE, "get", listed, "-o", "name", "--ignore-not-found").split())


@pytest.fixture
def kubeflow(connection: client.ApiClient) -> Iterator[World]:
    """A namespace as a standalone KFP leaves it, with the double in place of its API."""
    images = {"pipeline": named("CICLO_TEST_IMAGE"), "serving": named("CICLO_TEST_SERVING_IMAGE")}
    made = World(connection, NAMESPACE, images)
    found = [one.metadata.name for one in made.core.list_namespace().items]
    assert NAMESPACE not in found, "the test makes and deletes this namespace: it may not be there before"
    made.apply(yaml.safe_load((FOLDER / "seldondeployments.yaml").read_text()))
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    made.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    try:
        wait_for(30, lambda: made.get("v1", "ServiceAccount", "default"), "the default service account")
        made.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "pipeline-runner"}})
        made.config_map("scripts", {path.name: path.read_text() for path in (*SHARED, *(FOLDER / "pods").glob("*.py"))})
        made.apply(double(images["pipeline"]))
        made.service("ml-pipeline", 8888)
        wait_for(120, lambda: made.core.read_namespaced_pod("ml-pipeline", NAMESPACE).status.phase == "Running", "it")
        yield made
    finally:
        if not os.environ.get("CICLO_TEST_KEEP"):
            made.core.delete_namespace(NAMESPACE)
            wait_for(120, lambda: NAMESPACE not in [one.metadata.name for one in made.core.list_namespace().items], "")


def double(image: str) -> dict[str, Any]:
    items = [
        {"key": "ending_runs.py", "path": "ending_runs.py"},
        {"key": "kfp_backend.py", "path": "tests/kfp_backend.py"},
    ]
    container = {
        "name": "main",
        "image": image,
        "command": ["python", "-u", "/scripts/ending_runs.py"],
        "env": [{"name": "PYTHONPATH", "value": "/scripts"}],
        "volumeMounts": [{"name": "scripts", "mountPath": "/scripts"}],
    }
    spec = pod_spec(container, [{"name": "scripts", "configMap": {"name": "scripts", "items": items}}])
    metadata = {"name": "ml-pipeline", "labels": {"app": "ml-pipeline"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository's files, with the images and the storage of this cluster."""
    folder = tmp_path / "ciclo"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    file = folder / "manifests/overlays/standalone/kustomization.yaml"
    overlay = yaml.safe_load(file.read_text())
    assert overlay["images"] == [{"name": "ciclo-python", "newTag": "dev"}]
    overlay["images"] = []
    for name, variable in {"ciclo-python": "CICLO_TEST_IMAGE", **PULLED}.items():
        image, _, tag = named(variable).rpartition(":")
        overlay["images"].append({"name": name, "newName": image, "newTag": tag})
    if not kubectl("get", "storageclasses", "-o", "name"):
        overlay["components"].remove("../../components/persistent")
    file.write_text(yaml.safe_dump(overlay))
    settings = file.with_name("settings.env")
    settings.write_text(with_our_images(settings.read_text()))
    return folder


def with_our_images(text: str) -> str:
    """A line or a file with the images of this cluster."""
    for built, variable in BUILT.items():
        text = text.replace(built, named(variable))
    return text


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a reader has: a home, a kubeconfig, programs, and no settings of Ciclo."""
    for name in ("home", "stand-ins", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "home" / ".curlrc").write_text('write-out = "\\n%{http_code}\\n"\n')
    for name, script in STAND_INS.items():
        file = tmp_path / "stand-ins" / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CICLO_") or "_TEST_" in name}
    return kept | {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "PATH": f"{tmp_path / 'stand-ins'}:{os.environ['PATH']}",
        "COLUMNS": "200",
    }


def run_the_tasks(world: World, project: str) -> str:
    """What KFP would have run: the pipeline, with the labels, the account, the settings and the keys of a task."""
    world.config_map("played", {"project.yaml": project})
    spec = world.task(["ciclo", "run", "/project/project.yaml"], {"/project": "played"}, {"CICLO_HOME": "/tmp/ciclo"})
    spec |= {"serviceAccountName": "pipeline-runner", "automountServiceAccountToken": True}
    labels = {"app.kubernetes.io/part-of": "ciclo", "app.kubernetes.io/component": "run"}
    world.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "played", "labels": labels}, "spec": spec})
    code, text = world.wait("played", RUN_SECONDS)
    assert code == 0, text
    world.core.delete_namespaced_pod("played", world.namespace)
    world.core.delete_namespaced_config_map("played", world.namespace)
    return text


def secrets(world: World) -> list[str]:
    """Every value of the Secrets that the overlay has, as it is and as it is stored."""
    data = json.loads(kubectl("-n", world.namespace, "get", "secrets", "-o", "json"))["items"]
    encoded = [value for one in data for value in (one.get("data") or {}).values()]
    assert len(encoded) > 6
    plain = [base64.b64decode(value).decode() for value in encoded]
    return [value for value in (*encoded, *plain) if len(value) > LONGEST_NAME]


def test_the_section_can_be_followed_word_by_word(
    kubeflow: World, copy: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    before = inventory()
    operator = Operator(kubeflow.connection, NAMESPACE)
    operator.start()
    shell = Shell("bash", copy, environment)
    said: dict[str, str] = {}
    try:
        code, text = shell.type("source manifests/connect.sh kubeflow")
        assert (code, "the service ciclo-minio in kubeflow cannot be reached" in text) == (1, True), text
        for line in commands():
            code, text = shell.type(with_our_images(line))
            print(f"$ {line}\n{text}", flush=True)
            assert code == 0, f"{line}\n{text}"
            said[" ".join(line.split()[:2])] = text
            if line.startswith("source manifests/connect.sh"):
                a_broken_forward_comes_back(shell)
            elif line.startswith("ciclo doctor"):
                other_shells_connect(copy, environment)
            elif line.startswith("ciclo submit"):
                text = run_the_tasks(kubeflow, (copy / "wine.yaml").read_text())
                assert "version 1 answers at http://wine-serving." in text
                registered(kubeflow)
                shown = "".join(said.values())
                assert not [value for value in secrets(kubeflow) if value in shown], "a key is printed"
        assert " wrong " not in said["ciclo doctor"]
        assert "the run succeeded" in said["ciclo submit"]
        assert "version 1, since" in said["ciclo status"]
        assert re.search(r"slot +blue: v1, 1 of 1 pods ready, serves$", said["ciclo status"], re.MULTILINE)
        answer, status = [line for line in said["curl -s"].splitlines() if line.startswith(("{", "2"))]
        assert status == "200", said["curl -s"]
        (prediction,) = json.loads(answer)["jsonData"]["predictions"]
        assert prediction["prediction"] in ("barolo", "grignolino", "barbera")
        until = time.monotonic() + 90
        while (left := inventory() - before) and time.monotonic() < until:
            time.sleep(2)
        assert not left, sorted(left)
        shell.leave()
        wait_for(10, lambda: not list((tmp_path / "tmp").glob("*/private.pem")), "the end of the forwards")
    finally:
        shell.end()
        operator.stop()
    assert not operator.faults


def a_broken_forward_comes_back(shell: Shell) -> None:
    forwards = shell.forwards()
    assert len(forwards) == 3, forwards
    for pid in forwards:
        os.kill(pid, signal.SIGTERM)
    wait_for(20, lambda: len(set(shell.forwards()) - set(forwards)) == 3, "new forwards")
    time.sleep(3)


def other_shells_connect(copy: Path, environment: dict[str, str]) -> None:
    """What the section says of zsh, where there is one: it finds the same as bash, and leaves no forward behind."""
    for program in filter(shutil.which, ("zsh",)):
        shell = Shell(program, copy, environment)
        try:
            for line in ("source manifests/connect.sh kubeflow", ".venv/bin/ciclo doctor wine.yaml"):
                code, text = shell.type(line)
                assert code == 0, text
            assert len(shell.forwards()) == 3
            shell.leave()
            wait_for(10, lambda shell=shell: not shell.forwards(), "the end of the forwards")
        finally:
            shell.end()


def registered(world: World) -> None:
    """The Job that puts the pipeline in the dashboard has ended well."""
    selector = "app.kubernetes.io/name=wine,app.kubernetes.io/component=register"
    pod, *_ = [one.metadata.name for one in world.core.list_namespaced_pod(NAMESPACE, label_selector=selector).items]
    code, text = world.wait(pod)
    assert code == 0, text
    assert "uploaded" in text
