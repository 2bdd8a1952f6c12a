"""A new version goes live without a lost request; one that fails never does."""

import threading
import time
from http.client import HTTPException

import pytest

from ciclo.components.core.errors import DeploymentError, UnreadableError
from ciclo.components.deployment import deployer, process
from ciclo.components.deployment.endpoint import Endpoint
from ciclo.components.releases.registry import open_registry
from tests.depth import thorough
from tests.serving.conftest import crown, post, predictions, publish
from tests.tables import project


def read(home):
    """The endpoint as a client of the laptop finds it."""
    return Endpoint.read(home / "endpoints" / "unit.json")


class Traffic(threading.Thread):
    """Asks all the time, always at the address of the endpoint file."""

    def __init__(self, published):
        super().__init__()
        self._published = published
        self._stop_asking = threading.Event()
        self.versions: list[int] = []
        self.failures: list[str] = []

    def run(self):
        body = {"jsonData": {"rows": self._published.requests(2)}}
        while not self._stop_asking.wait(0.1):
            try:
                status, answer = post(read(self._published.settings.home).url, body)
                if status == 200:
                    self.versions.append(answer["jsonData"]["version"])
                else:
                    self.failures.append(f"{status} {answer}")
            except (OSError, HTTPException, ValueError) as error:
                self.failures.append(repr(error))

    def stop(self):
        self._stop_asking.set()
        self.join()


def names(settings):
    """The versions that are champion and serving."""
    registry = open_registry("unit", settings)
    return [registry.alias(name) and registry.alias(name).version for name in ("champion", "serving")]


@thorough
def test_a_version_that_is_too_slow_for_its_users_never_serves(tmp_path):
    published = publish(tmp_path, estimator="logistic_regression")
    settings = published.settings
    crown(published, override="")
    impatient = project(design={"infrastructure": {"latency_ms": 0.01}})
    with pytest.raises(DeploymentError, match=r"too slow for its users.*20 of 20 requests|too slow.*100 of 100"):
        deployer.deploy(impatient, 1, settings)
    assert (names(settings), deployer.endpoint("unit", settings)) == ([1, None], None)


def test_versions_switch_under_load_and_a_bad_one_never_serves(tmp_path):
    charter = project()
    first = publish(tmp_path, estimator="logistic_regression")
    second = publish(tmp_path, estimator="gradient_boosting")
    third = publish(tmp_path, estimator="logistic_regression", spoil="golden")
    registry = open_registry("unit", first.settings)
    try:
        crown(first, override="")
        one = deployer.deploy(charter, 1, first.settings)
        assert 0 < one.milliseconds < 5_000
        assert 0 < one.load_seconds < 60
        assert 50 < one.memory_mb < 5_000
        assert f"a row in {one.milliseconds:g} ms" in registry.alias("serving").why
        assert deployer.endpoint("unit", first.settings) == one == read(tmp_path)
        assert names(first.settings) == [1, 1]
        traffic = Traffic(first)
        traffic.start()

        crown(second)
        two = deployer.deploy(charter, 2, second.settings)
        assert deployer.endpoint("unit", first.settings) == two
        assert not process.alive(one)
        assert names(first.settings) == [2, 2]

        crown(third)
        with pytest.raises(DeploymentError, match=r"version 3, ended while it started[\s\S]*does not answer here"):
            deployer.deploy(charter, 3, third.settings)
        assert names(first.settings) == [3, 2]
        fourth = publish(tmp_path, estimator="logistic_regression")
        crown(fourth)
        (model,) = tmp_path.glob("store/projects/unit/versions/4/model.skops")
        model.chmod(0o600)
        model.write_bytes(model.read_bytes()[:-1])
        with pytest.raises(UnreadableError):
            deployer.deploy(charter, 4, fourth.settings)
        assert deployer.serve(charter, fourth.settings) == Endpoint("", 4)
        assert names(first.settings) == [4, 2]
        assert deployer.endpoint("unit", first.settings) == two

        after = len(traffic.versions)
        while len(traffic.versions) < after + 5 and not traffic.failures:
            time.sleep(0.05)
        traffic.stop()
        assert traffic.failures == []
        assert traffic.versions == sorted(traffic.versions)
        assert set(traffic.versions) == {1, 2}
    finally:
        deployer.stop("unit", first.settings)
    assert deployer.endpoint("unit", first.settings) is None
    assert read(tmp_path) is None
    assert not process.alive(two)
    assert len(predictions(first.settings)) == 2 * len(traffic.versions)
