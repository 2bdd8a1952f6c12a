"""Would the model serve as the project needs? How long it takes here, and what it is given on the cluster.

These are warnings in the model card: a machine that trains is not the machine that serves, and the wrapper of Seldon
Core and the network are not in it. Deployment asks through both, and holds the real server to the limit.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ciclo.components.answering.compiled import Parity, engine_of
from ciclo.components.answering.engine import Engine
from ciclo.components.core.sections import Deployment, Infrastructure
from ciclo.components.core.verdict import Check, at_least, at_most
from ciclo.components.storage.models import parse_model
from ciclo.components.tables.datasets import Dataset

ROWS = 50
UNIT = 1 << 20
Clock = Callable[[], float]


@dataclass(frozen=True)
class Service:
    """A model as a server would have it.

    Attributes:
        engine: Read again from its file, and compiled where it is compiled.
        load_seconds: What that took.
        milliseconds: For requests of one row, one after the other: read by the contract, answered, written as JSON.
    """

    engine: Engine
    load_seconds: float
    milliseconds: tuple[float, ...]

    @classmethod
    def of(cls, model: Path, test: Dataset, found: Parity, clock: Clock = time.perf_counter) -> "Service":
        """Load a model that was loaded before, and ask it.

        Args:
            model: Its file.
            test: The test rows; some of them are the requests.
            found: In which form it answers.
            clock: Gives seconds.
        """
        began = clock()
        engine = engine_of(parse_model(model.read_bytes()), test.contract, found)
        loaded = clock() - began
        return cls(engine, loaded, tuple(latencies(engine, test, clock)))


def latencies(engine: Engine, test: Dataset, clock: Clock = time.perf_counter) -> list[float]:
    """How long requests of one row take, one after the other, in milliseconds; the first is not counted."""
    contract = engine.contract
    requests = contract.rows(test.rows.iloc[[n % len(test) for n in range(ROWS + 1)]])
    taken = []
    for row in requests:
        began = clock()
        json.dumps(engine.predict(contract.parse([row])))
        taken.append((clock() - began) * 1e3)
    return taken[1:]


def service_checks(service: Service, needs: Infrastructure, deployment: Deployment) -> tuple[Check, ...]:
    """Compare what was measured and what is asked of the cluster with what the users need.

    Args:
        service: What was measured.
        needs: What the users need.
        deployment: What every replica is given, and how many there are.
    """
    from kubernetes.utils.quantity import parse_quantity

    slow, usual = float(np.quantile(service.milliseconds, 0.95)), float(np.median(service.milliseconds))
    rate = deployment.replicas * 1e3 / max(usual, 1e-6)
    memory = float(parse_quantity(deployment.resources.memory)) / UNIT
    return (
        at_most(
            "latency_ms",
            slow,
            needs.latency_ms,
            "milliseconds for a request of one row in 95 % of the cases, measured where the model was trained",
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
        Check(
            name="load_seconds",
            passed=True,
            level="warning",
            value=service.load_seconds,
            message="seconds to read the model from its file and to compile it",
        ),
    )
