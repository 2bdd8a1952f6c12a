"""Rollouts on a real Kubernetes, in real pods of the real images, under a steady load: no request is lost.

The tests follow one another on one deployment, as they do in life; each leaves it serving.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.conftest import PER_SECOND, Load, wait_for
from tests.cluster.world import DATABASE, READER, READER_KEY, World

CANARY = {"strategy": "canary", "canary_steps": [50], "canary_minutes": 0.3}
GIVES_UP = 150  # seconds: two minutes, and the pod of the deployer itself


@contextmanager
def nothing_lost(load: Load) -> Iterator[dict[str, int]]:
    """No request fails in the block or after it; filled with how many each version answered in it."""
    before, answered = load.next(1), dict[str, int]()
    started = time.monotonic()
    yield answered
    seconds, after = time.monotonic() - started, load.next()
    assert after["failed"] == before["failed"], after["last"]
    sent = after["sent"] - before["sent"]
    assert sent >= 0.8 * seconds * PER_SECOND, "the load was not steady"
    answered |= {v: n - before["versions"].get(v, 0) for v, n in after["versions"].items()}
    print(f"{sent} requests in {seconds:.0f} s, 0 lost, answered by version: {answered}")


def only(load: Load, version: int) -> bool:
    before, after = load.now(), load.next(2)
    grown = {v for v, n in after["versions"].items() if n > before["versions"].get(v, 0)}
    return grown == {str(version)}


def test_a_rolling_update(world: World, load: Load) -> None:
    assert (world.slots(), world.serving()["serving"]) == ({"blue": 1}, 1)
    with nothing_lost(load) as answered:
        code, text = world.wait(world.deploy(2, replicas=2))
        assert code == 0, text
        assert "version 2 answers at http://unit-serving." in text
    assert answered["1"] > 10
    assert answered["2"] > 10
    assert (world.slots(), world.pointed(), world.serving()["serving"]) == ({"green": 2}, "green", 2)
    assert only(load, 2)


def test_a_canary_that_is_promoted(world: World, load: Load) -> None:
    with nothing_lost(load) as answered:
        pod = world.deploy(5, **CANARY)
        wait_for(60, lambda: not world.pointed(), "the canary")
        assert world.serving()["serving"] == 2, "a canary does not serve yet"
        first, second = load.next(2)["versions"], load.next(6)["versions"]
        code, text = world.wait(pod)
        assert code == 0, text
    share = (second["5"] - first.get("5", 0)) / (sum(second.values()) - sum(first.values()))
    assert 0.2 < share < 0.8, f"{share:.0%} of the requests in a step of 50 % with 1 pod of 2 or 3"
    assert set(answered) >= {"2", "5"}
    assert (world.slots(), world.serving()["serving"]) == ({"blue": 5}, 5)


def test_a_canary_that_is_taken_back(world: World, load: Load) -> None:
    with nothing_lost(load):
        code, text = world.wait(world.deploy(3, **CANARY))
        assert code == 1, text
        assert "the canary is taken back: it agrees with the version that serves on" in text
    assert (world.slots(), world.pointed()) == ({"blue": 5}, "blue")
    served = world.serving()
    assert (served["champion"], served["serving"]) == (3, 5)
    assert only(load, 5)


@pytest.mark.parametrize(
    ("version", "options", "words"),
    [
        pytest.param(
            4,
            {},
            ["exit code 3", "it said: the model does not answer here as it did"],
            id="a version that is never ready",
        ),
        pytest.param(
            1,
            {"env": {"CICLO_SERVING_IMAGE": "registry.invalid/none:1"}},
            ["ErrImagePull", "registry.invalid/none:1", "CICLO_SERVING_IMAGE"],
            id="an image that cannot be pulled",
        ),
        pytest.param(
            1, {"resources": {"cpu": "640", "memory": "512Mi"}}, ["Unschedulable", "Insufficient cpu"], id="no room"
        ),
    ],
)
def test_what_does_not_come_up_is_given_up_with_its_reason(
    world: World, load: Load, version: int, options: dict[str, Any], words: list[str]
) -> None:
    with nothing_lost(load) as answered:
        started = time.monotonic()
        code, text = world.wait(world.deploy(version, **options), GIVES_UP)
        print(f"given up after {time.monotonic() - started:.0f} s: {text[-600:]}")
        assert code == 1, text
        assert "Traceback" not in text
        for word in words:
            assert word in text.replace("ImagePullBackOff", "ErrImagePull")
    assert set(answered) >= {"5"}
    assert (world.slots(), world.pointed(), world.serving()["serving"]) == ({"blue": 5}, "blue", 5)


def test_what_the_namespace_refuses_is_given_up_with_its_reason(world: World, load: Load) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}}
    pod = world.deploy(1)
    try:
        wait_for(60, lambda: world.core.read_namespaced_pod(pod, world.namespace).status.phase == "Running", "the pod")
        world.apply({**quota, "spec": {"hard": {"count/pods": "1"}}})
        with nothing_lost(load):
            code, text = world.wait(pod, GIVES_UP)
            assert code == 1, text
            for word in ("FailedCreate", "exceeded quota", "does not admit the pod"):
                assert word in text
    finally:
        world.core.delete_namespaced_resource_quota("full", world.namespace)
    assert (world.slots(), world.pointed()) == ({"blue": 5}, "blue")


def test_a_cancelled_deployment_puts_back_what_was_there(world: World, load: Load) -> None:
    with nothing_lost(load):
        code, text = world.wait(world.deploy(2, "canary", "15", **CANARY))
        assert code != 0, text
        assert (world.slots(), world.pointed(), world.serving()["serving"]) == ({"blue": 5}, "blue", 5)
    assert only(load, 5)


def test_the_next_deployment_mends_what_a_killed_one_left(world: World, load: Load) -> None:
    with nothing_lost(load) as answered:
        code, text = world.wait(world.deploy(2, "canary", "9", **CANARY))
        assert code == 137, text
        assert (world.slots(), world.pointed()) == ({"blue": 5, "green": 2}, ""), "nobody could put it back"
        load.next(3)
        code, text = world.wait(world.deploy(1))
        assert code == 0, text
    assert set(answered) >= {"1", "2", "5"}
    assert (world.slots(), world.pointed(), world.serving()["serving"]) == ({"green": 1}, "green", 1)
    assert only(load, 1)


def test_changed_settings_and_keys_roll_the_pods_and_nothing_else_does(world: World, load: Load) -> None:
    with nothing_lost(load):
        for change, slot in (
            (lambda: None, "green"),
            (lambda: world.configure(CICLO_REQUEST_DEPTH="20"), "blue"),
            (lambda: world.configure(CICLO_REQUEST_DEPTH="20", CICLO_KFP_HOST="http://nobody"), "blue"),
            (lambda: _other_keys(world), "green"),
        ):
            change()
            code, text = world.wait(world.deploy(1))
            assert code == 0, text
            assert (world.slots(), world.pointed()) == ({slot: 1}, slot)


def _other_keys(world: World) -> None:
    keys = {"CICLO_S3_ACCESS_KEY": READER, "CICLO_S3_SECRET_KEY": READER_KEY}
    world.secret("ciclo-serving", **keys, CICLO_PREDICTIONS=f"{DATABASE}?application_name=models")


def test_of_two_deployments_at_once_one_waits(world: World, load: Load) -> None:
    with nothing_lost(load):
        pods = [world.deploy(2), world.deploy(2)]
        for pod in pods:
            code, text = world.wait(pod)
            assert code == 0, text
    assert (list(world.slots().values()), world.serving()["serving"]) == ([2], 2)


def test_every_answer_is_stored(world: World, load: Load) -> None:
    """Also those of pods that are gone: what was answered was written before they ended."""
    answered = sum(load.now()["versions"].values())
    wait_for(30, lambda: world.serving()["stored"] >= answered, "what was answered")
