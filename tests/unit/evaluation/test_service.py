"""What the users need of the service, against what the model takes and the cluster gives."""

import itertools

import pytest
from kubernetes.utils.quantity import parse_quantity
from sklearn.linear_model import LogisticRegression

from ciclo.components.answering.engine import Engine
from ciclo.components.core.contract import Contract
from ciclo.components.core.sections import Deployment, Infrastructure, Resources
from ciclo.components.evaluation.service import ROWS, Service, latencies, service_checks
from ciclo.components.tables.datasets import Dataset
from tests.unit.evaluation.test_fairness import fitted, project, rows

NEEDS = Infrastructure(latency_ms=10, memory_mb=1024, requests_per_second=200)


@pytest.mark.parametrize(
    ("taken", "deployment", "missed"),
    [
        ([5.0] * 20, Deployment(), set()),
        ([5.0] * 18 + [30.0] * 2, Deployment(), {"latency_ms"}),
        ([5.0] * 20 + [500.0], Deployment(), set()),
        ([6.0] * 20, Deployment(), {"requests_per_second"}),
        ([6.0] * 20, Deployment(replicas=2), set()),
        ([5.0] * 20, Deployment(resources=Resources(memory="1025Mi")), {"memory_mb"}),
        ([5.0] * 20, Deployment(resources=Resources(memory="1G")), set()),
    ],
    ids=["met", "slow at times", "slow once", "too many requests", "two replicas", "too much memory", "less memory"],
)
def test_what_is_not_met_is_a_warning(taken, deployment, missed):
    checks = service_checks(Service(None, 0.5, tuple(taken)), NEEDS, deployment)
    assert {c.name for c in checks if not c.passed} == missed
    assert {c.name for c in checks} == {*Infrastructure.model_fields, "load_seconds"}
    assert all(c.level == "warning" for c in checks)


@pytest.mark.slow
def test_rows_are_timed_one_by_one_and_the_first_does_not_count():
    asked, frame = project(), rows(rows=30)
    test = Dataset(Contract.of(asked, ("false", "true")), frame)
    engine = Engine(fitted(asked, LogisticRegression(), frame), test.contract)
    ticks = itertools.chain([0.0, 9.0], itertools.cycle([0.0, 0.002]))
    assert latencies(engine, test, lambda: next(ticks)) == pytest.approx([2.0] * ROWS)


@pytest.mark.parametrize("quantity", ["1Gi", "512Mi", "1G", "500M", "2000k", "1048576", "1.5Gi", "4Ki"])
def test_quantities_are_those_of_kubernetes(quantity):
    deployment = Deployment(resources=Resources(memory=quantity))
    memory = next(
        c for c in service_checks(Service(None, 0.5, (5.0,) * 20), NEEDS, deployment) if c.name == "memory_mb"
    )
    assert memory.value == pytest.approx(float(parse_quantity(quantity)) / 2**20)
