"""The watch as a CronJob on a real Kubernetes: it finds drift that costs performance and asks for exactly one run.

Kubeflow Pipelines is played by a double that holds what it is sent to the models of its own client.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ciclo.components.core.project_file import project_to_yaml
from tests.cluster.conftest import Load, wait_for
from tests.cluster.world import World
from tests.tables import project

PACKAGE = Path(__file__).parents[1] / "golden" / "pipeline.yaml"
QUIET, DRIFTED = 1_000, 20_000  # rows, beside some of the load
MONITORING = {"window_days": 14, "persistence": {"alarms": 1, "windows": 1}, "drifted_importance": 0.1}


@pytest.fixture(scope="module")
def watch(world: World, load: Load) -> str:
    """The CronJob, not let loose yet, and the double of Kubeflow Pipelines."""
    kubeflow = world.start("kubeflow")
    world.service("kubeflow", 8888)
    wait_for(60, lambda: world.core.read_namespaced_pod(kubeflow, world.namespace).status.phase == "Running", "it")
    world.config_map("watched", {"project.yaml": project_to_yaml(project(monitoring=MONITORING))})
    world.config_map("package", {"pipeline.yaml": PACKAGE.read_text()})
    env = {"CICLO_KFP_HOST": "http://kubeflow:8888", "CICLO_PIPELINE_PACKAGE": "/package/pipeline.yaml"}
    command = ["python", "-P", "-m", "ciclo.components.monitoring", "/project/project.yaml"]
    spec = world.task(command, {"/project": "watched", "/package": "package"}, env)
    job = {"backoffLimit": 0, "template": {"metadata": {"labels": {"app": "watch"}}, "spec": spec}}
    cron = {"schedule": "* * * * *", "concurrencyPolicy": "Forbid", "suspend": True, "jobTemplate": {"spec": job}}
    world.apply({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "watch"}, "spec": cron})
    return kubeflow


def tick(world: World) -> tuple[int, dict[str, Any]]:
    """Run a job of the CronJob by hand, as ``kubectl create job --from`` does."""
    api = client.BatchV1Api(world.connection)
    template = api.read_namespaced_cron_job("watch", world.namespace).spec.job_template
    name = f"watch-{time.time_ns()}"
    api.create_namespaced_job(world.namespace, {"metadata": {"name": name}, "spec": template.spec})
    (pod,) = wait_for(30, lambda: pods(world, f"job-name={name}"), "the pod of the job")
    code, text = world.wait(pod)
    return code, json.loads(text.splitlines()[-1])


def pods(world: World, selector: str) -> list[str]:
    found = world.core.list_namespaced_pod(world.namespace, label_selector=selector).items
    return [one.metadata.name for one in found]


def runs(world: World, kubeflow: str) -> list[Any]:
    return [json.loads(line) for line in world.log(kubeflow).splitlines() if line.startswith("{")]


def away(world: World, name: str, port: int) -> None:
    """Take a store away from whoever asks for it; its data stays."""
    world.service(name, port, app="nobody")


def send(world: World, rows: int, shift: float) -> None:
    """Have rows answered, and wait until they are stored."""
    before = world.serving()["stored"]
    world.run("drift", f"http://unit-serving.{world.namespace}:9000", str(rows), str(shift))
    wait_for(30, lambda: world.serving()["stored"] >= before + rows, "what was answered")
    if shift:
        wait_for(60, lambda: world.serving()["labelled"] >= rows, "what was reported")


def test_on_quiet_data_nothing_is_asked_for(world: World, watch: str) -> None:
    send(world, QUIET, shift=0)
    code, decision = tick(world)
    assert (code, decision["action"], decision["alarm"]) == (0, "ok", False), decision
    assert decision["evidence"]["rows"] >= QUIET
    assert runs(world, watch) == []


@pytest.mark.parametrize(("name", "port"), [("postgresql", 5432), ("minio", 9000)])
def test_a_store_that_is_down_fails_the_watch_with_a_name_and_no_client(
    world: World, load: Load, watch: str, name: str, port: int
) -> None:
    before = load.now()
    away(world, name, port)
    try:
        code, last = tick(world)
        assert code == 1
        assert last["error"] == "StorageError", last
        assert "Connection refused" in last["summary"], last
    finally:
        world.service(name, port)
    after = load.next()
    assert after["failed"] == before["failed"], after["last"]
    assert runs(world, watch) == []


def test_drift_is_found_and_asks_for_exactly_one_run_whatever_is_down(world: World, load: Load, watch: str) -> None:
    send(world, DRIFTED, shift=3)
    away(world, "kubeflow", 8888)
    code, decision = tick(world)
    assert (code, decision["error"]) == (1, "SubmissionError"), decision
    assert runs(world, watch) == []
    world.service("kubeflow", 8888)
    api = client.BatchV1Api(world.connection)
    api.patch_namespaced_cron_job("watch", world.namespace, {"spec": {"suspend": False}})
    try:
        first = len(pods(world, "app=watch"))
        wait_for(170, lambda: len(pods(world, "app=watch")) >= first + 2, "two ticks of the CronJob")
        for pod in pods(world, "app=watch"):
            world.wait(pod)
    finally:
        api.delete_namespaced_cron_job("watch", world.namespace)
    (run,) = runs(world, watch)
    assert "performance" in run["trigger"], run
