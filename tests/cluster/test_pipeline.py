"""The training pipeline on a real cluster: its tasks as the pods that KFP makes of them, and a whole run in one pod.

KFP itself is not here: its local runner runs the graph inside a pod of the real image, with settings, keys and rights
of a run, so that everything a task does to the cluster, the stores and the model servers is real.
"""

import json
from typing import Any

import pytest
import yaml

from ciclo.components.core.project_file import project_to_yaml
from ciclo.pipelines.compile import compile_pipeline
from tests.cluster.operator import Operator
from tests.cluster.world import World, pod_spec
from tests.tables import project, table

TELL = """
import json, os
from ciclo.components.core.settings import settings
s = settings()
print(json.dumps({"store": s.store, "run": s.run, "database": bool(s.predictions.get_secret_value()), "key": bool(
    s.private_key and s.private_key.is_file()), "trust": bool(os.listdir("/etc/ciclo/trust"))}))
"""
RUN_SECONDS = 420


@pytest.fixture(scope="module")
def compiled(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    package = tmp_path_factory.mktemp("compiled") / "pipeline.yaml"
    compile_pipeline(project(), world.images["pipeline"], package)
    spec, platform = yaml.safe_load_all(package.read_text())
    return spec["deploymentSpec"]["executors"], platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def pod_of(executor: Any, platform: Any, run: str) -> dict[str, Any]:
    """The pod of a task as far as it is ours: what KFP takes from the compiled package, and our command."""
    env: list[dict[str, Any]] = [
        {"name": one["name"], "value": one["value"]} for one in executor["container"].get("env", ())
    ]
    for kind, source, map_key, key_name in (
        ("configMapKeyRef", "configMapAsEnv", "keyToEnv", "configMapKey"),
        ("secretKeyRef", "secretAsEnv", "keyToEnv", "secretKey"),
    ):
        for one in platform.get(source, ()):
            name = one.get("configMapName") or one.get("secretName")
            for pair in one[map_key]:
                reference = {"name": name, "key": pair[key_name], "optional": one["optional"]}
                env.append({"name": pair["envVar"], "valueFrom": {kind: reference}})
    env += [
        {"name": one["name"], "valueFrom": {"fieldRef": {"fieldPath": one["fieldPath"]}}}
        for one in platform["fieldPathAsEnv"]
    ]
    volumes, mounts = [{"name": "tmp", "emptyDir": {}}], [{"name": "tmp", "mountPath": "/tmp"}]
    for one in platform.get("configMapAsVolume", ()):
        volumes.append({"name": one["configMapName"], "configMap": {"name": one["configMapName"], "optional": True}})
        mounts.append({"name": one["configMapName"], "mountPath": one["mountPath"]})
    for one in platform.get("secretAsVolume", ()):
        volumes.append({"name": one["secretName"], "secret": {"secretName": one["secretName"], "optional": True}})
        mounts.append({"name": one["secretName"], "mountPath": one["mountPath"]})
    container = {
        "name": "main",
        "image": executor["container"]["image"],
        "command": ["python", "-P", "-c", TELL],
        "env": env,
        "volumeMounts": mounts,
    }
    labels = {**platform["podMetadata"]["labels"], "pipeline/runid": run}
    return {"metadata": {"labels": labels}, "spec": pod_spec(container, volumes=volumes)}


def test_every_task_is_admitted_and_is_told_what_it_needs(world: World, compiled: tuple[Any, Any]) -> None:
    executors, platforms = compiled
    assert len(executors) > 10
    names = {}
    for label in executors:
        name = f"task-{label.removeprefix('exec-')}"
        made = pod_of(executors[label], platforms[label], "run-7")
        world.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, **made["metadata"]},
                "spec": made["spec"],
            }
        )
        names[label] = name
    for label, name in names.items():
        code, text = world.wait(name)
        assert code == 0, text
        told = json.loads(text.splitlines()[-1])
        assert (told["store"], told["run"], told["trust"]) == ("s3://models", "run-7", True), label
        stage = label.removeprefix("exec-").rstrip("-0123456789")
        assert told["key"] == (stage in ("ingestion", "publishing", "restoring", "deployment")), label
        assert told["database"] == (stage in ("ingestion", "deployment")), label
        world.core.delete_namespaced_pod(name, world.namespace)


def test_a_whole_run_ends_in_a_model_that_answers(world: World, operator: Operator) -> None:
    rows = table(1200, signal=3.0).to_csv(index=False)
    small = {"resources": {"cpu": "100m", "memory": "512Mi"}}
    parsed = project(
        training={"trials": 1, "candidates": {"linear": {"estimator": "logistic_regression"}}},
        deployment=small,
    )
    data = parsed.data.model_copy(update={"source": "s3://models/data/table.csv"})
    parsed = parsed.model_copy(update={"name": "loop", "data": data})
    world.config_map("loop", {"project.yaml": project_to_yaml(parsed), "table.csv": rows})
    commands = {
        "upload": ["ciclo", "upload", "/project/table.csv", "s3://models/data/table.csv"],
        "doctor": ["ciclo", "doctor", "/project/project.yaml", "--host", ""],
        "run": ["ciclo", "run", "/project/project.yaml"],
        "status": ["ciclo", "status", "/project/project.yaml"],
    }
    said = {}
    for what, command in commands.items():
        spec = world.task(command, {"/project": "loop"}, {"CICLO_HOME": "/tmp/ciclo", "COLUMNS": "200"})
        spec |= {"serviceAccountName": "deployer", "automountServiceAccountToken": True}
        world.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"loop-{what}"}, "spec": spec})
        code, said[what] = world.wait(f"loop-{what}", RUN_SECONDS)
        # The doctor finds one thing to mend in a deployer's pod: nobody told it where KFP is.
        assert code == (1 if what == "doctor" else 0), said[what]
    assert [line.split()[0] for line in said["doctor"].splitlines() if " wrong " in line] == ["KFP"]
    assert "promoted: version 1 is the champion" in said["run"]
    assert "version 1 answers at http://loop-serving." in said["run"]
    assert "blue: v1, 1 of 1 pods ready, serves" in said["status"]
