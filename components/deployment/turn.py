"""One deployment of a project at a time: a Lease that the one in charge holds and keeps alive.

A deployment that was killed stops renewing, and the next one takes over when it has seen the Lease unchanged for its
whole length, by its own clock: clocks of two machines are never compared.
"""

import os
import platform
import threading
import time
import uuid
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import structlog

from ciclo.components.core.errors import CicloError, DeploymentError
from ciclo.components.deployment.cluster import LEASE, LEASES, Cluster, Object, RefusedByClusterError

LEASE_SECONDS = 30
RENEW_SECONDS = 8.0
WAIT_SECONDS = 75.0  # for a Lease that was left behind, and some more
LOOK_SECONDS = 1.0


class Turn:
    """The right to change what a project serves, while the block lasts.

    Args:
        cluster: Where.
        namespace: Namespace of the model.
        project: Name of the project.
        wait: Seconds to wait for another deployment.
    """

    def __init__(self, cluster: Cluster, namespace: str, project: str, wait: float | None = None) -> None:
        self._cluster = cluster
        self._project = project
        self._namespace, self._name = namespace, f"ciclo-{project}-deployment"
        self._wait = WAIT_SECONDS if wait is None else wait
        self._holder = f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._ended = threading.Event()
        self._renewed = 0.0
        self._taken = False
        self._renewer = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Wait for the turn.

        Raises:
            DeploymentError: If another deployment does not end in time.
        """
        deadline, seen, since = time.monotonic() + self._wait, None, time.monotonic()
        while True:
            found = self._cluster.get(LEASE, namespace=self._namespace, name=self._name)
            state = found and found["metadata"]["resourceVersion"]
            if state != seen:
                seen, since = state, time.monotonic()
            spec = found["spec"] if found else {}
            free = not spec.get("holderIdentity") or time.monotonic() - since > spec.get("leaseDurationSeconds", 0)
            if free and self._take(found):
                self._renewer.start()
                return self
            if time.monotonic() > deadline:
                raise DeploymentError(
                    f"another deployment of {self._project} is running",
                    seen=f"{spec.get('holderIdentity')}, since {spec.get('acquireTime')}",
                    hint="Wait for it and try again.",
                )
            time.sleep(LOOK_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the turn to whoever waits."""
        self._ended.set()
        self._renewer.join()
        try:
            found = self._cluster.get(LEASE, namespace=self._namespace, name=self._name)
            if found and found["spec"].get("holderIdentity") == self._holder:
                self._replace(self._body(found, holder=""))
        except CicloError as problem:  # it runs out by itself
            structlog.get_logger().warning("the lease of the deployment is not given back", reason=str(problem))

    def check(self) -> None:
        """Refuse to go on when another deployment may have taken over.

        Raises:
            DeploymentError: If the Lease could not be renewed in time.
        """
        if self._taken or time.monotonic() - self._renewed > LEASE_SECONDS:
            raise DeploymentError(
                f"another deployment of {self._project} has taken over", hint="Look at what it serves, and try again."
            )

    def _keep(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                found = self._cluster.get(LEASE, namespace=self._namespace, name=self._name)
                if found is None or found["spec"].get("holderIdentity") != self._holder:
                    self._taken = True
                    return
                self._take(found)
            except CicloError as problem:  # it is tried again until the Lease runs out
                structlog.get_logger().warning("the lease of the deployment is not renewed", reason=str(problem))

    def _take(self, found: Object | None) -> bool:
        started = time.monotonic()
        body = self._body(found, holder=self._holder)
        try:
            if found is None:
                self._cluster.create(LEASES, body, namespace=self._namespace)
            else:
                self._replace(body)
        except RefusedByClusterError as error:
            if error.status == 409:
                return False
            raise
        self._renewed = started
        return True

    def _replace(self, body: Object) -> None:
        self._cluster.replace(LEASE, body, namespace=self._namespace, name=self._name)

    def _body(self, found: Object | None, holder: str) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = found["spec"] if found else {}
        same = before.get("holderIdentity") == holder
        labels = {"app.kubernetes.io/name": self._project, "app.kubernetes.io/part-of": "ciclo"}
        metadata: Object = {"namespace": self._namespace, "name": self._name, "labels": labels}
        if found is not None:
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": LEASE_SECONDS,
                "acquireTime": before.get("acquireTime", now) if same else now,
                "renewTime": now,
            },
        }
