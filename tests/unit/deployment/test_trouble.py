from typing import Any

import pytest

from ciclo.components.deployment.seldon import DIGEST
from ciclo.components.deployment.trouble import trouble


def made(**status: Any) -> dict[str, Any]:
    return {"spec": {"template": {"metadata": {"annotations": {DIGEST: "new"}}}}, "status": status}


def pod(digest: str = "new", **status: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {DIGEST: digest}}, "status": status}


def waits(reason: str, message: str = "why", /, digest: str = "new", **container: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(digest, containerStatuses=[{"image": "image:1", "ready": False, "state": state, **container}])


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


HOMELESS = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu"}
PLACED = {"type": "PodScheduled", "status": "True"}
REFUSED = {
    "type": "ReplicaFailure",
    "status": "True",
    "reason": "FailedCreate",
    "message": 'pods "x" is forbidden: violates PodSecurity "restricted:latest"',
}
RUNS = {"state": {"running": {}}, "restartCount": 1, "lastState": ended(1, message="no key  is\ntrusted")}


@pytest.mark.parametrize(
    ("deployment", "pods", "kind", "words"),
    [
        pytest.param(made(), [], None, (), id="no-pods-yet"),
        pytest.param(made(), [pod()], None, (), id="no-status-yet"),
        pytest.param(made(), [waits("ContainerCreating")], None, (), id="just-starting"),
        pytest.param(made(), [pod(conditions=[PLACED])], None, (), id="placed"),
        pytest.param(made(), [waits("ErrImagePull")], "image", ("ErrImagePull: why", "SERVING_IMAGE"), id="pull"),
        pytest.param(made(), [waits("ImagePullBackOff")], "image", ("ImagePullBackOff: why",), id="back-off"),
        pytest.param(made(), [waits("InvalidImageName")], "image", ("InvalidImageName",), id="bad-name"),
        pytest.param(made(), [waits("CreateContainerConfigError", "secret")], "keys", ("secret",), id="keys"),
        pytest.param(made(), [waits("ErrImagePull", digest="old")], None, (), id="an-old-pod"),
        pytest.param(
            made(),
            [waits("CrashLoopBackOff", lastState=ended(1, message="no key is trusted"), restartCount=3)],
            "crash",
            ("CrashLoopBackOff: exit code 1, 3 times; it said: no key is trusted",),
            id="crash-loop",
        ),
        pytest.param(made(), [waits("", **RUNS)], "crash", ("exit code 1, 1 time;", "no key is trusted"), id="again"),
        pytest.param(made(), [waits("", **{**RUNS, "ready": True})], None, (), id="recovered"),
        pytest.param(
            made(),
            [waits("CrashLoopBackOff", lastState=ended(137, "OOMKilled"), restartCount=2)],
            "crash",
            ("exit code 137", "OOMKilled", "Raise deployment.resources.memory"),
            id="memory",
        ),
        pytest.param(
            made(), [pod(conditions=[HOMELESS])], "room", ("Unschedulable: Insufficient cpu", "Make room"), id="room"
        ),
        pytest.param(made(conditions=[REFUSED]), [], "refused", ("FailedCreate", "PodSecurity", "admit"), id="refused"),
        pytest.param(made(conditions=[{**REFUSED, "status": "False"}]), [], None, (), id="was-refused"),
        pytest.param(
            made(), [pod(conditions=[HOMELESS]), waits("ErrImagePull")], "image", ("ErrImagePull",), id="worst-first"
        ),
    ],
)
def test_what_keeps_pods_from_running(
    deployment: dict[str, Any], pods: list[dict[str, Any]], kind: str | None, words: tuple[str, ...]
) -> None:
    found = trouble(deployment, pods)
    assert (found and found.kind) == kind
    if found is not None:
        assert found.patience <= 100, "it gives up within two minutes"
        for word in words:
            assert word in f"{found.seen} {found.hint}"
