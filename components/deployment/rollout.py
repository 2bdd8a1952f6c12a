"""Rolling out on Kubernetes: a version is checked on its own address before anybody else gets an answer of it.

A version is put in the free one of two slots, beside the one that serves, and waited for. The live check goes to the
address of that slot. Then the selector of the Service that clients use is pointed at it, in one step, and only when
that Service has answered with the new version, and its name was moved, is the old slot taken out. A canary widens the
selector to the pods of both slots before that, see ``canary``.

So at every moment something that was checked serves, and a deployment that is killed leaves the clients with that: the
annotation of the Service says which slot serves, and the next deployment mends the rest, such as a canary cut short.
What this costs: while a version is rolled out there are pods of two, and the nodes need the room; the namespace sees
one Service more; and since a slot has a Deployment of its own, whatever scales pods has to go by the SeldonDeployment
and not by the name of a Deployment.

Where the version, its settings and its keys are those that serve already, its slot is applied in place, which mends
what was left half done and changes the number of pods without a restart.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from ciclo.components.core.errors import CicloError, DeploymentError
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.deployment import live_check
from ciclo.components.deployment.canary import Trial
from ciclo.components.deployment.cluster import CONFIG_MAP, DEPLOYMENT, SECRET, SELDON, SERVICE, Cluster, Object
from ciclo.components.deployment.endpoint import Endpoint
from ciclo.components.deployment.pace import Pace, require_pace
from ciclo.components.deployment.seldon import (
    CONFIG,
    DIGEST,
    HTTP_PORT,
    KEYS,
    LIVE,
    PART_OF,
    SETTINGS,
    SLOTS,
    TRUST,
    autoscaled,
    deployment_name,
    predictor,
    seldon_deployment,
    service,
    service_name,
    service_url,
    slot_label,
    slot_url,
)
from ciclo.components.deployment.trouble import Trouble, trouble
from ciclo.components.deployment.turn import Turn

ROLLOUT_SECONDS = 600.0
OPERATOR_SECONDS = 90.0  # after which there is no operator that looks at the object
POLL_SECONDS = 1.0
DRAIN_SECONDS = 3.0  # whoever has just read the old addresses still gets an answer; the pods add theirs


@dataclass(frozen=True)
class Standing:
    """What is there before a rollout.

    Attributes:
        made: The SeldonDeployment, or None.
        service: The Service that clients use, or None.
        live: The predictor that serves, as it is; None if nothing does.
    """

    made: Object | None
    service: Object | None
    live: Object | None


@contextmanager
def rollout(
    project: Project,
    version: int,
    golden: dict[str, Any],
    settings: Settings,
    cluster: Cluster,
    undo: Callable[[], None] = lambda: None,
    *,
    is_new: bool = True,
) -> Iterator[Endpoint]:
    """Put a version in service; if that or the body fails, put back what was there.

    Args:
        project: The project.
        version: The version.
        golden: Its golden requests, for the live check.
        settings: Where.
        cluster: The API server.
        undo: Called when what was there is put back, to take back what the body did.
        is_new: Whether it may be kept out for being slow.

    Yields:
        Where clients ask, which answers with the new version.

    Raises:
        DeploymentError: If it is refused, does not become available, does not answer as it should or is too slow for
            its users, or if another deployment is at work.
    """
    with Turn(cluster, settings.serving_namespace, project.name) as turn:
        work = _Rollout(project, version, golden, settings, cluster, turn)
        before = work.standing()
        try:
            slot, pace = work.bring_up(before, is_new=is_new)
            yield Endpoint(service_url(project.name, settings.serving_namespace), version).at(pace)
        except BaseException as error:
            work.put_back(before, error)
            undo()
            raise
        work.retire(slot)


class _Rollout:
    def __init__(
        self,
        project: Project,
        version: int,
        golden: dict[str, Any],
        settings: Settings,
        cluster: Cluster,
        turn: Turn,
    ) -> None:
        self._project, self._version, self._golden, self._settings = project, version, golden, settings
        self._cluster, self._turn = cluster, turn
        self._name, self._namespace = project.name, settings.serving_namespace
        self._log = structlog.get_logger().bind(project=project.name, version=version)

    def standing(self) -> Standing:
        """What is there.

        Raises:
            DeploymentError: If the name of the Service is taken.
        """
        made = self._get(SELDON, self._name)
        found = self._get(SERVICE, service_name(self._name))
        if found is not None and not PART_OF.items() <= (found["metadata"].get("labels") or {}).items():
            raise DeploymentError(
                f"there is a service {service_name(self._name)} in {self._namespace} that is not Ciclo's",
                hint="Remove it, or deploy to another namespace.",
            )
        predictors = {one["name"]: one for one in (made["spec"]["predictors"] if made else ())}
        if found is not None:
            selected = str((found["spec"].get("selector") or {}).get("seldon-app", "")).removeprefix(f"{self._name}-")
            live = predictors.get((found["metadata"].get("annotations") or {}).get(LIVE, selected))
        else:
            live = next((one for one in predictors.values() if self._available(one)), None)
        return Standing(made, found, live)

    def bring_up(self, before: Standing, *, is_new: bool) -> tuple[str, Pace]:
        """Put the version in its slot, check it there, and point clients at it.

        Args:
            before: What is there.
            is_new: Whether it may be kept out for being slow.

        Returns:
            The slot, and how fast it answers.
        """
        live = before.live
        used = live["name"] if live else ""
        wanted = predictor(self._project, self._version, self._settings, SLOTS[0], read=self._read_by_pods())
        same = live is not None and live.get("annotations", {}).get(DIGEST) == wanted["annotations"][DIGEST]
        slot = used if same else next(name for name in SLOTS if name != used)
        wanted = {**wanted, "name": slot, "replicas": self._enough(wanted, live)}
        if live is not None and before.service is not None:
            self._point(used)  # a canary that was cut short is over
        if same or live is None:
            self._apply([wanted])
        else:
            trial = Trial.of(self._project, self._golden, self._settings)
            self._try_out(trial, live, wanted, is_new=is_new)
            self._apply([live, wanted])
        self._wait(wanted)
        pace = self._check(slot, live, is_new=is_new and not same)
        self._point(slot)
        live_check.settle(service_url(self._name, self._namespace), self._version, self._golden)
        return slot, pace

    def put_back(self, before: Standing, error: BaseException) -> None:
        """Point clients at what served and take the new version out; the error that led here stays the one raised."""
        try:
            self._turn.check()
            if before.service is None:
                self._cluster.delete(SERVICE, namespace=self._namespace, name=service_name(self._name))
            elif before.live is not None:
                self._point(before.live["name"])
            if before.live is not None:
                self._apply([before.live])
            elif before.made is None:
                self._cluster.delete(SELDON, namespace=self._namespace, name=self._name)
            else:
                self._apply(before.made["spec"]["predictors"])
        except CicloError as second:
            self._log.error("what was there is not put back", reason=str(second))
            if isinstance(error, CicloError):
                besides = f"Besides, what was there is not put back: {str(second).rstrip('.')}."
                error.hint = f"{error.hint} {besides}".strip()

    def retire(self, slot: str) -> None:
        """Take out whatever is in the other slot; the new version serves whether that works or not."""
        try:
            made = self._get(SELDON, self._name)
            predictors = made["spec"]["predictors"] if made else []
            if [one["name"] for one in predictors] != [slot]:
                time.sleep(DRAIN_SECONDS)
                self._apply([one for one in predictors if one["name"] == slot])
        except CicloError as problem:
            self._log.error("the version before is not taken out; the next deployment does it", reason=str(problem))

    def _try_out(self, trial: Trial, live: Object, wanted: Object, *, is_new: bool) -> None:
        bare = [{"spec": one["spec"]} for one in wanted["componentSpecs"]]  # an autoscaler would widen the step
        for step in trial.steps:
            canary = {**wanted, "replicas": step.pods, "componentSpecs": bare}
            self._apply([live, canary])
            self._wait(canary)
            self._check(wanted["name"], live, is_new=is_new)
            old, new = (self._address(one["name"]) for one in (live, wanted))
            self._point(live["name"], both=True)
            self._log.info("canary", percent=step.percent, pods=step.pods, of=step.pods + live["replicas"])
            trial.run(step, old, new, self._turn.check)

    def _check(self, slot: str, live: Object | None, *, is_new: bool) -> Pace:
        """Check the version on the address of its slot, when pods that were there before have left it."""
        address, limit = self._address(slot), self._project.design.infrastructure.latency_ms
        live_check.settle(address, self._version, self._golden)
        live_check.check(address, self._version, self._golden)
        serving = self._address(live["name"]) if live else ""
        return require_pace(address, self._golden, limit, serving, may_refuse=is_new)

    def _address(self, slot: str) -> str:
        """Where a slot answers, by number: its Service comes and goes, and name servers remember the one before."""
        found = self._get(SERVICE, f"{self._name}-{slot}")
        number = found["spec"].get("clusterIP") if found else None
        if number in (None, "", "None"):
            return slot_url(self._name, slot, self._namespace)
        return f"http://{f'[{number}]' if ':' in number else number}:{HTTP_PORT}"

    def _wait(self, wanted: Object) -> None:
        """Wait until the pods of a predictor are those that were applied, and available."""
        name, digest = deployment_name(self._name, wanted["name"]), wanted["annotations"][DIGEST]
        started = time.monotonic()
        since: dict[str, float] = {}
        while True:
            found = self._get(DEPLOYMENT, name)
            problem = pending(found, digest, None if autoscaled(wanted) else wanted["replicas"])
            if problem is None:
                return
            now = time.monotonic()
            seen = self._trouble(found, digest, wanted["name"], problem)
            since = {seen.kind: since.get(seen.kind, now)} if seen else {}
            hopeless = seen is not None and now - since[seen.kind] >= seen.patience
            if hopeless or problem.startswith("given up") or now - started > ROLLOUT_SECONDS:
                raise DeploymentError(
                    f"the rollout of version {self._version} of {self._name} did not complete",
                    seen=f"{problem}; {seen.seen}" if seen and seen.seen != problem else problem,
                    hint=seen.hint if seen and seen.hint else f"Look at the pods and events of deployment {name}.",
                )
            self._turn.check()
            time.sleep(POLL_SECONDS)

    def _trouble(self, found: Object | None, digest: str, slot: str, problem: str) -> Trouble | None:
        if found is None or found["spec"]["template"]["metadata"].get("annotations", {}).get(DIGEST) != digest:
            status = (self._get(SELDON, self._name) or {}).get("status") or {}
            failure = status.get("description") if status.get("state") == "Failed" else ""
            hint = f"See that Seldon Core's operator runs, and that it looks at the namespace {self._namespace}."
            return Trouble("operator", failure or problem, OPERATOR_SECONDS, hint)
        return trouble(found, self._cluster.pods(self._namespace, slot_label(self._name, slot)))

    def _available(self, one: Object) -> bool:
        found = self._get(DEPLOYMENT, deployment_name(self._name, one["name"]))
        return (
            pending(found, one.get("annotations", {}).get(DIGEST, ""), None if autoscaled(one) else one["replicas"])
            is None
        )

    def _enough(self, wanted: Object, live: Object | None) -> int:
        """How many pods to begin with: under an autoscaler those that the load of today has called for."""
        least: int = wanted["replicas"]
        if live is None or not autoscaled(wanted):
            return least
        found = self._get(DEPLOYMENT, deployment_name(self._name, live["name"]))
        most: int = wanted["componentSpecs"][0]["hpaSpec"]["maxReplicas"]
        return min(max(least, found["spec"]["replicas"] if found else least), most)

    def _read_by_pods(self) -> str:
        """Digest of what the pods read as they start, so that a change of it rolls them; no key gets here for it."""
        read: list[object] = []
        for name in (CONFIG, TRUST):
            data = (self._get(CONFIG_MAP, name) or {}).get("data") or {}
            read.append({key: value for key, value in data.items() if key in SETTINGS or name == TRUST})
        keys = self._cluster.get(SECRET, metadata=True, namespace=self._namespace, name=KEYS)
        read.append(keys and [keys["metadata"]["uid"], keys["metadata"]["resourceVersion"]])
        return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()

    def _get(self, path: str, name: str) -> Object | None:
        return self._cluster.get(path, namespace=self._namespace, name=name)

    def _apply(self, predictors: list[Object]) -> None:
        """Apply predictors, the one that serves first."""
        self._turn.check()
        body = seldon_deployment(self._name, self._namespace, predictors)
        self._cluster.apply(SELDON, body, namespace=self._namespace, name=self._name)

    def _point(self, slot: str, *, both: bool = False) -> None:
        self._turn.check()
        body = service(self._name, self._namespace, slot, both=both)
        self._cluster.apply(SERVICE, body, namespace=self._namespace, name=service_name(self._name))


def pending(deployment: Object | None, digest: str, replicas: int | None) -> str | None:
    """What a rollout still waits for.

    Args:
        deployment: The Deployment that the operator makes, or None if there is none yet.
        digest: Digest that its pods have to carry.
        replicas: How many there have to be; None where an autoscaler decides that.

    Returns:
        A sentence, which starts with "given up" where waiting is of no use; None when all replicas are available.
    """
    if deployment is None:
        return "the operator has made no Deployment yet"
    spec, status = deployment["spec"], deployment.get("status", {})
    if spec["template"]["metadata"].get("annotations", {}).get(DIGEST) != digest:
        return "the operator has not taken up the new version yet"
    replicas = spec["replicas"] if replicas is None else replicas
    if spec["replicas"] != replicas:
        return f"the operator has not taken up the number of pods yet: {spec['replicas']}, of {replicas} wanted"
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return "Kubernetes has not seen the new Deployment yet"
    for condition in status.get("conditions", ()):
        if condition["type"] == "Progressing" and condition["status"] == "False":
            return f"given up: {condition.get('message') or condition.get('reason')}"
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    if counts != [replicas] * 3 or status.get("unavailableReplicas"):
        return "{} pods, {} of them new, {} available, of {} wanted".format(*counts, replicas)
    return None
