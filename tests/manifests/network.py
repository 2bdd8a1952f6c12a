"""What network policies let through, between our pods and everybody else a cluster has."""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any

from tests.manifests.rendering import Manifest, pod_templates

PORTS = (("UDP", 53), *(("TCP", p) for p in (22, 53, 80, 443, 5432, 6000, 6443, 8080, 8333, 8887, 8888, 9000, 15012)))


@dataclass(frozen=True)
class Peer:
    """A pod, or an address outside.

    Attributes:
        name: For people.
        namespace: Its namespace; None for an address.
        labels: Of the pod.
        address: Its address.
    """

    name: str
    namespace: str | None
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    address: str = "10.244.0.9"


OUTSIDERS = (
    Peer("DNS", "kube-system", {"k8s-app": "kube-dns"}),
    Peer("another pod of kube-system", "kube-system", {"k8s-app": "other"}),
    Peer("KFP", "kubeflow", {"app": "ml-pipeline"}),
    Peer("the ingress gateway", "istio-system", {"istio": "ingressgateway"}),
    Peer("istiod", "istio-system", {"app": "istiod"}),
    Peer("Prometheus", "monitoring", {"app.kubernetes.io/name": "prometheus"}),
    Peer("a stranger", "elsewhere", {"app.kubernetes.io/part-of": "ciclo"}),
    Peer("an address of the cluster", None, address="10.96.0.1"),
    Peer("the internet", None, address="203.0.113.7"),
)
# What the operator of Seldon adds to the pods of a model.
OF_THE_OPERATOR = {"seldon.io/model": "true", "app.kubernetes.io/managed-by": "seldon-core"}


def our_pods(objects: list[Manifest], namespace: str, also: dict[str, dict[str, str]]) -> list[Peer]:
    """The pods of the rendered objects, those that others make of ours, and a neighbour."""
    pods = {
        re.sub(r"^.* (?:ciclo|loans)-|(?<=register)-\w+$", "", name): template["metadata"]["labels"]
        for name, template in pod_templates(objects)
    }
    return [Peer(name, namespace, labels) for name, labels in {**also, **pods, "a neighbour": {"app": "x"}}.items()]


def edges(objects: list[Manifest], pods: list[Peer]) -> list[str]:
    """Every connection that is allowed from or to one of our pods, as ``from -> to ports``."""
    policies = [o for o in objects if o["kind"] == "NetworkPolicy"]
    found = []
    ours = [pod for pod in pods if pod.labels.get("app.kubernetes.io/part-of") == "ciclo"]
    for source in (*pods, *OUTSIDERS):
        for target in (*pods, *OUTSIDERS):
            if source is target or not (source in ours or target in ours):
                continue
            ports = [
                f"{port}/{protocol}" if protocol != "TCP" else str(port)
                for protocol, port in PORTS
                if _lets(policies, "egress", source, target, protocol, port, pods[0].namespace)
                and _lets(policies, "ingress", target, source, protocol, port, pods[0].namespace)
            ]
            if ports:
                shown = "any port" if len(ports) == len(PORTS) else " ".join(ports)
                found.append(f"{source.name} -> {target.name} {shown}")
    return sorted(found)


def _lets(
    policies: list[Manifest], way: str, pod: Peer, other: Peer, protocol: str, port: int, namespace: str | None
) -> bool:
    """Whether the policies that select a pod allow one way; a pod that none selects allows everything."""
    if pod.namespace != namespace:
        return True
    chosen = [
        policy["spec"]
        for policy in policies
        if way.capitalize() in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], pod.labels)
    ]
    if not chosen:
        return True
    peers = {"egress": "to", "ingress": "from"}[way]
    return any(
        (not rule.get("ports") or any(_is(entry, protocol, port) for entry in rule["ports"]))
        and (not rule.get(peers) or any(_matches(peer, other, namespace) for peer in rule[peers]))
        for spec in chosen
        for rule in spec.get(way) or []
    )


def _is(entry: dict[str, Any], protocol: str, port: int) -> bool:
    last = entry.get("endPort", entry.get("port"))
    inside = "port" not in entry or entry["port"] <= port <= last
    return bool(entry.get("protocol", "TCP") == protocol and inside)


def _matches(peer: dict[str, Any], other: Peer, namespace: str | None) -> bool:
    if "ipBlock" in peer:
        address = ipaddress.ip_address(other.address)
        blocked = any(address in ipaddress.ip_network(part) for part in peer["ipBlock"].get("except", []))
        return address in ipaddress.ip_network(peer["ipBlock"]["cidr"]) and not blocked
    if other.namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace}):
            return False
    elif other.namespace != namespace:
        return False
    return selects(peer.get("podSelector", {}), other.labels)


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector matches."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for wanted in selector.get("matchExpressions", []):
        value, values = labels.get(wanted["key"]), wanted.get("values", [])
        kept = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[wanted["operator"]]
        if not kept:
            return False
    return True
