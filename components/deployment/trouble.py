"""Why pods do not come up, in the words of the cluster, and how long it is worth waiting for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ciclo.components.core.wording import counted
from ciclo.components.deployment.cluster import Object
from ciclo.components.deployment.seldon import DIGEST

LONGEST = 400  # characters of what a pod said last
IMAGE_HINT = "Look at CICLO_SERVING_IMAGE, and whether the nodes may pull that image."
KEYS_HINT = "Look at the config map and the secrets that the pod names."


@dataclass(frozen=True)
class Trouble:
    """What keeps a pod from running.

    Attributes:
        kind: What tells it from other trouble, however its wording changes.
        seen: What the cluster says.
        patience: Seconds after which waiting for it is of no use.
        hint: What to do about it.
    """

    kind: str
    seen: str
    patience: float
    hint: str


# Reasons of a container that waits: kind, patience, hint. A registry may be away for a moment, a name stays wrong.
WAITING = {
    "ErrImagePull": ("image", 45, IMAGE_HINT),
    "ImagePullBackOff": ("image", 45, IMAGE_HINT),
    "RegistryUnavailable": ("image", 45, IMAGE_HINT),
    "ErrImageNeverPull": ("image", 0, IMAGE_HINT),
    "InvalidImageName": ("image", 0, IMAGE_HINT),
    "CreateContainerConfigError": ("keys", 45, KEYS_HINT),
    "CreateContainerError": ("container", 45, ""),
    "RunContainerError": ("container", 45, ""),
}
CRASH_SECONDS, ROOM_SECONDS, REFUSED_SECONDS = 45, 100, 30


def trouble(deployment: Object, pods: list[Object]) -> Trouble | None:
    """What keeps the pods of a Deployment from running, the worst first; None if there is nothing to be seen.

    Args:
        deployment: The Deployment.
        pods: Its pods; those with another digest are passed over.
    """
    digest = deployment["spec"]["template"]["metadata"].get("annotations", {}).get(DIGEST)
    ours = [pod for pod in pods if pod["metadata"].get("annotations", {}).get(DIGEST) == digest]
    found = [*_refused(deployment), *(one for pod in ours for one in pod_trouble(pod))]
    return min(found, key=lambda one: one.patience, default=None)


def pod_trouble(pod: Object) -> list[Trouble]:
    """What keeps one pod from running."""
    return [*_waiting(pod), *_crashed(pod), *_homeless(pod)]


def _refused(deployment: Object) -> Iterator[Trouble]:
    for condition in deployment.get("status", {}).get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            seen = f"{condition.get('reason')}: {condition.get('message', '')}"
            hint = "The namespace does not admit the pod: look at its Pod Security level, its quota and its policies."
            yield Trouble("refused", seen, REFUSED_SECONDS, hint)


def _waiting(pod: Object) -> Iterator[Trouble]:
    for container in pod.get("status", {}).get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason") in WAITING:
            kind, patience, hint = WAITING[waiting["reason"]]
            yield Trouble(kind, f"{waiting['reason']}: {waiting.get('message', container['image'])}", patience, hint)


def _crashed(pod: Object) -> Iterator[Trouble]:
    for container in pod.get("status", {}).get("containerStatuses", ()):
        ended = container.get("lastState", {}).get("terminated") or container.get("state", {}).get("terminated")
        if not ended or container.get("ready"):
            continue
        waiting = container.get("state", {}).get("waiting", {}).get("reason")
        times = container.get("restartCount", 0) + bool(container.get("state", {}).get("terminated"))
        seen = f"{waiting or ended.get('reason')}: exit code {ended['exitCode']}, {counted(times, 'time')}"
        if ended.get("reason") == "OOMKilled":
            yield Trouble("crash", f"{seen}, OOMKilled", CRASH_SECONDS, "Raise deployment.resources.memory.")
        else:
            last = " ".join(ended.get("message", "").split())[-LONGEST:]
            hint = "Mend what the model server says, or look at the log of its pod."
            yield Trouble("crash", f"{seen}{f'; it said: {last}' if last else ''}", CRASH_SECONDS, hint)


def _homeless(pod: Object) -> Iterator[Trouble]:
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            seen = f"{condition.get('reason')}: {condition.get('message', '')}"
            hint = "Make room on the nodes, or lower deployment.resources or deployment.replicas."
            yield Trouble("room", seen, ROOM_SECONDS, hint)
