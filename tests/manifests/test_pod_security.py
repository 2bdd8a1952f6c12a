"""Pod Security *restricted*, rule by rule, in both directions."""

import copy
from typing import Any

import pytest

from tests.manifests.pod_security import violations

GOOD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {"name": "c", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
    ],
}


def changed(pod: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    spec = copy.deepcopy(GOOD)
    spec.update(pod or {})
    security = container.pop("security", {})
    spec["containers"][0].update(container)
    spec["containers"][0]["securityContext"].update(security)
    return spec


def of_pod(**fields: Any) -> dict[str, Any]:
    return changed({"securityContext": {**GOOD["securityContext"], **fields}})


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (changed(), []),
        (of_pod(runAsNonRoot=False), ["runAsNonRoot (c)"]),
        (changed(security={"runAsNonRoot": False}), ["runAsNonRoot (c)"]),
        (of_pod(runAsUser=0), ["runAsUser (c)"]),
        (of_pod(runAsUser="65532"), ["runAsUser (c)"]),
        (of_pod(seccompProfile={"type": "Unconfined"}), ["seccompProfile (c)"]),
        (of_pod(seccompProfile={"type": "Localhost"}), []),
        (of_pod(sysctls=[{"name": "kernel.msgmax"}]), ["sysctl kernel.msgmax"]),
        (of_pod(sysctls=[{"name": "net.ipv4.tcp_syncookies"}]), []),
        (of_pod(seLinuxOptions={"user": "x"}), ["seLinux (c)"]),
        (of_pod(windowsOptions={"hostProcess": True}), ["windows host process (c)"]),
        (of_pod(appArmorProfile={"type": "Unconfined"}), ["appArmor (c)"]),
        (changed(security={"allowPrivilegeEscalation": True}), ["allowPrivilegeEscalation (c)"]),
        (changed(security={"privileged": True}), ["privileged (c)"]),
        (changed(security={"procMount": "Unmasked"}), ["procMount (c)"]),
        (changed(security={"capabilities": {}}), ["capabilities not dropped (c)"]),
        (changed(security={"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}), []),
        (changed(security={"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}), ["capabilities added (c)"]),
        (changed(ports=[{"containerPort": 1, "hostPort": 1}]), ["hostPort (c)"]),
        (changed(livenessProbe={"httpGet": {"host": "10.0.0.1"}}), ["probe host (c)"]),
        (changed({"hostNetwork": True}), ["hostNetwork"]),
        (changed({"hostPID": True, "hostIPC": True}), ["hostPID", "hostIPC"]),
        (changed({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}), ["volume type hostPath"]),
        (changed({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "projected": {}}]}), []),
        (
            changed({"initContainers": [{"name": "i"}]}),
            ["allowPrivilegeEscalation (i)", "capabilities not dropped (i)"],
        ),
    ],
)
def test_a_pod_is_refused_for_what_the_standard_refuses(spec: dict[str, Any], found: list[str]) -> None:
    assert violations(spec) == found
