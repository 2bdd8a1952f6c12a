"""The rules of the graph, read off the compiled file."""

import re
from typing import Any

import pytest

from ciclo.components.core.project_file import project_from_json
from ciclo.pipelines.tasks import STORE_KEYS

STOPS = ("unusable data", "no ML needed", "not better")
STAGES = {
    *(
        "Ingestion",
        "Cleaning",
        "Validation",
        "Feasibility",
        "Training",
        "Evaluation",
        "Refit",
        "Publishing",
        "Deployment",
        "Back to the tested model",
        "Deployment of the tested model",
        "Deployment of the champion",
    ),
    *(f"Deployment as it is: {why}" for why in STOPS),
    *(f"Stop: {why}" for why in STOPS),
    "Notification",
}
# Beside the keys of the store, which every task has to leave word of its end.
SECRETS = {
    "Ingestion": {"CICLO_PREDICTIONS", "CICLO_SOURCE_USER", "CICLO_SOURCE_PASSWORD"},
    **{title: {"CICLO_PREDICTIONS"} for title in STAGES if title.startswith("Deployment")},
    "Notification": {"CICLO_ALERTS"},
}
GOES_BACK = "int(inputs.parameter_values['pipelinechannel--restore']) != 0"
DEPLOYS_ONLY = "inputs.parameter_values['pipelinechannel--deploy_only'] == true"
SIGNING = ("Ingestion", "Publishing", "Deployment", "Back to the tested model")


def conditions(compiled: Any) -> dict[str, dict[str, str]]:
    """The conditional groups by the group that holds them: name and condition."""
    found = {
        dag: {
            name: t["triggerPolicy"]["condition"]
            for name, t in tasks.items()
            if "condition" in t.get("triggerPolicy", {})
        }
        for dag, tasks in compiled.dags.items()
    }
    found = {dag: tasks for dag, tasks in found.items() if tasks}
    assert len(found) == 4, "validation, feasibility and evaluation decide, and before them whether to go back"
    return found


def executor(compiled: Any, title: str) -> str:
    component = compiled.spec["components"][compiled.tasks[title]["componentRef"]["name"]]
    return component["executorLabel"]


@pytest.mark.slow
def test_every_stage_is_in_the_graph_under_its_title(compiled: Any) -> None:
    assert set(compiled.tasks) == STAGES
    assert len(compiled.executors) == len(compiled.tasks)


def test_every_condition_has_an_else_that_ends_in_a_task(compiled: Any) -> None:
    for tasks in conditions(compiled).values():
        *asked, otherwise = sorted(tasks.values(), key=len)
        others = ""
        for condition in asked:
            assert condition.startswith(others)
            others += f"!({condition.removeprefix(others)}) && "
        assert otherwise == others.removesuffix(" && ")
    for name in (name for tasks in conditions(compiled).values() for name in tasks):
        leaves = [t["componentRef"]["name"] for t in compiled.dags[f"comp-{name}"].values()]
        assert any("executorLabel" in compiled.spec["components"][leaf] for leaf in leaves), name


def test_decisions_are_plain_words_in_the_unnamed_output(compiled: Any) -> None:
    plain = re.compile(r"inputs\.parameter_values\['pipelinechannel--[a-z]+-Output'\] == '[a-z_]+'")
    asked = [min(tasks.values(), key=len) for tasks in conditions(compiled).values()]
    assert [condition for condition in asked if not plain.fullmatch(condition)] == [GOES_BACK]


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        (GOES_BACK, {"Back to the tested model": [], "Deployment of the tested model": ["restoring"]}),
        (f"!({GOES_BACK}) && {DEPLOYS_ONLY}", {"Deployment of the champion": []}),
    ],
)
def test_a_run_that_does_not_train_does_what_it_is_for_and_nothing_else(
    compiled: Any, condition: str, wanted: dict[str, list[str]]
) -> None:
    (group,) = [name for tasks in conditions(compiled).values() for name, found in tasks.items() if found == condition]
    tasks = compiled.dags[f"comp-{group}"].values()
    assert {task["taskInfo"]["name"]: task.get("dependentTasks", []) for task in tasks} == wanted


def test_nothing_that_can_be_skipped_is_collected(compiled: Any) -> None:
    loops = [t for tasks in compiled.dags.values() for t in tasks.values() if "parameterIterator" in t]
    assert len(loops) == 1
    inside = compiled.dags[loops[0]["componentRef"]["name"]]
    assert [t["taskInfo"]["name"] for t in inside.values()] == ["Training"]
    assert loops[0]["parameterIterator"]["items"] == {"inputParameter": "pipelinechannel--candidates"}


def test_no_item_field_is_called_name(compiled: Any) -> None:
    assert "loop-item" in compiled.path.read_text()
    assert "loop-item-subvar" not in compiled.path.read_text()


def test_every_task_is_unprivileged_and_has_a_time_out(compiled: Any) -> None:
    assert set(compiled.platform_executors) == set(compiled.executors)
    for name, settings in compiled.platform_executors.items():
        context = settings["securityContext"]
        assert context == {"runAsUser": "65532", "runAsGroup": "65532", "runAsNonRoot": True}, name
        assert 0 < int(settings["activeDeadlineSeconds"]) <= 7200, name


def test_every_task_has_requests_and_limits(compiled: Any) -> None:
    wanted = {"resourceCpuRequest", "resourceCpuLimit", "resourceMemoryRequest", "resourceMemoryLimit"}
    for name, container in compiled.executors.items():
        assert wanted <= set(container["resources"]), name


def test_nothing_is_cached(compiled: Any) -> None:
    """Ingestion makes a new artifact each time, so no later task would ever be found again."""
    assert {title for title, t in compiled.tasks.items() if t["cachingOptions"].get("enableCache")} == set()


def test_every_task_knows_its_run(compiled: Any) -> None:
    for name, settings in compiled.platform_executors.items():
        known = {field["name"]: field["fieldPath"] for field in settings["fieldPathAsEnv"]}
        assert known == {"CICLO_RUN": "metadata.labels['pipeline/runid']"}, name


def test_secrets_reach_only_the_tasks_that_need_them(compiled: Any) -> None:
    given = {}
    for title in compiled.tasks:
        settings = compiled.platform_executors[executor(compiled, title)]
        keys = {k["envVar"] for s in settings.get("secretAsEnv", []) for k in s["keyToEnv"]}
        mounts = [m for kind, listed in settings.items() if kind.startswith(("secret", "configMap")) for m in listed]
        assert all(mount["optional"] for mount in mounts)
        assert keys >= {*STORE_KEYS}
        if more := keys - {*STORE_KEYS}:
            given[title] = more
        # The authority of the S3 service can be among what is trusted.
        assert "/etc/ciclo/trust" in {m["mountPath"] for m in settings["configMapAsVolume"]}
        signs = title.startswith(SIGNING)
        assert ("secretAsVolume" in settings) == signs, "the signing key is for those who sign, or check that they can"
    # A canary is asked again what clients asked.
    deploying = {title: {"CICLO_PREDICTIONS"} for title in compiled.tasks if title.startswith("Deployment")}
    assert given == SECRETS | deploying


def test_nothing_relies_on_what_the_backend_does_not_keep(compiled: Any) -> None:
    text = compiled.path.read_text()
    assert "retryPolicy" not in text
    assert "pipelineConfig" not in text
    policies = [t["triggerPolicy"] for tasks in compiled.dags.values() for t in tasks.values() if "triggerPolicy" in t]
    assert [p["strategy"] for p in policies if "strategy" in p] == ["ALL_UPSTREAM_TASKS_COMPLETED"], "the exit handler"


def test_parameters_are_described_and_their_defaults_are_one_line(compiled: Any) -> None:
    parameters = compiled.spec["root"]["inputDefinitions"]["parameters"]
    window = {"window_start", "window_end"}
    assert set(parameters) == {"project", "candidates", *window, "trigger", "restore", "deploy_only"}
    for name, parameter in parameters.items():
        assert parameter["description"], name
        assert "\n" not in str(parameter["defaultValue"]), name


def test_the_file_is_ascii_though_the_project_is_not(compiled: Any, project: Any) -> None:
    assert not project.design.objective.isascii()
    assert compiled.path.read_bytes().isascii()
    default = compiled.spec["root"]["inputDefinitions"]["parameters"]["project"]["defaultValue"]
    assert project_from_json(default) == project


def test_every_container_runs_the_image_that_was_given(compiled: Any) -> None:
    assert {c["image"] for c in compiled.executors.values()} == {"registry.example.com/ciclo-python:1.0.0"}
