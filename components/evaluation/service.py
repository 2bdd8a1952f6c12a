"""Would the model serve as the project needs? How long it takes for a row, and what it is given on the cluster.

These are warnings in the model card: a laptop that trains is not the machine that serves.
"""

import time
from collections.abc import Callable

import numpy as np

from ciclo.components.answering.engine import Engine
from ciclo.components.core.sections import Deployment, Infrastructure
from ciclo.components.core.verdict import Check, at_least, at_most
from ciclo.components.tables.datasets import Dataset

ROWS = 50
UNIT = 1 << 20


def latencies(engine: Engine, test: Dataset, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """How long the model takes for single rows, one after the other, in milliseconds; the first is not counted."""
    rows = [test.X.iloc[[n % len(test)]] for n in range(ROWS + 1)]
    taken = []
    for row in rows:
        began = clock()
        engine.predict(row)
        taken.append((clock() - began) * 1e3)
    return taken[1:]


def service_checks(taken: list[float], needs: Infrastructure, deployment: Deployment) -> tuple[Check, ...]:
    """Compare what was measured and what is asked of the cluster with what the users need.

    Args:
        taken: Milliseconds for single rows.
        needs: What the users need.
        deployment: What every replica is given, and how many there are.
    """
    from kubernetes.utils.quantity import parse_quantity

    slow, usual = float(np.quantile(taken, 0.95)), float(np.median(taken))
    rate = deployment.replicas * 1e3 / max(usual, 1e-6)
    memory = float(parse_quantity(deployment.resources.memory)) / UNIT
    return (
        at_most(
            "latency_ms",
            slow,
            needs.latency_ms,
            "milliseconds for one row in 95 % of the cases, measured where the model was trained",
            level="warning",
        ),
        at_least(
            "requests_per_second",
            rate,
            needs.requests_per_second,
            "rows that all replicas together could answer in a second, each one row at a time",
            level="warning",
        ),
        at_most(
            "memory_mb",
            memory,
            needs.memory_mb,
            f"memory that deployment.resources gives a replica ({deployment.resources.memory})",
            level="warning",
        ),
    )
