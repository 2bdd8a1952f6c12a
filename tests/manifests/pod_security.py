"""Pod Security *restricted*, as the standard of Kubernetes 1.34 lists it."""

from typing import Any

from tests.manifests.rendering import containers

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip


def violations(spec: dict[str, Any]) -> list[str]:
    """What admission would refuse a pod for; and a missing numeric user, which the kubelet needs."""
    pod = spec.get("securityContext", {})
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    for volume in spec.get("volumes", []):
        found += [f"volume type {kind}" for kind in volume.keys() - {"name"} if kind not in VOLUMES]
    found += [f"sysctl {s['name']}" for s in pod.get("sysctls", []) if s["name"] not in SYSCTLS]
    for container in containers(spec):
        found += [f"{problem} ({container['name']})" for problem in _of_container(container, pod)]
    return found


def _of_container(container: dict[str, Any], pod: dict[str, Any]) -> list[str]:
    own = container.get("securityContext", {})
    both = {**pod, **own}
    profile = both.get("seccompProfile", {}).get("type")
    capabilities = own.get("capabilities", {})
    handlers = [probe for name, probe in container.items() if name.endswith("Probe")]
    rules = {
        "privileged": own.get("privileged", False) is False,
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "capabilities not dropped": capabilities.get("drop") == ["ALL"],
        "capabilities added": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "runAsNonRoot": both.get("runAsNonRoot") is True,
        "runAsUser": isinstance(both.get("runAsUser"), int) and both["runAsUser"] > 0,
        "seccompProfile": profile in ("RuntimeDefault", "Localhost"),
        "procMount": own.get("procMount", "Default") == "Default",
        "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
        "seLinux": not both.get("seLinuxOptions", {}).keys() & {"user", "role"},
        "appArmor": both.get("appArmorProfile", {}).get("type", "RuntimeDefault") != "Unconfined",
        "windows host process": not both.get("windowsOptions", {}).get("hostProcess"),
        "probe host": not any(probe.get("httpGet", {}).get("host") for probe in handlers),
    }
    return [name for name, kept in rules.items() if not kept]
