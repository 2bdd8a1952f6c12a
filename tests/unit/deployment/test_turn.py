import threading
import time
from collections.abc import Iterator

import pytest
from kubernetes import client

from ciclo.components.core.errors import DeploymentError
from ciclo.components.deployment import turn
from ciclo.components.deployment.cluster import Cluster
from ciclo.components.deployment.turn import Turn
from tests.unit.deployment.api import LEASE, ApiServer, served


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    for name, value in {"LEASE_SECONDS": 1, "RENEW_SECONDS": 0.1, "LOOK_SECONDS": 0.02}.items():
        monkeypatch.setattr(turn, name, value)
    with served(ApiServer()) as server:
        yield server


@pytest.fixture
def cluster(api: ApiServer) -> Iterator[Cluster]:
    configuration = client.Configuration(host=f"http://127.0.0.1:{api.server_port}")
    with client.ApiClient(configuration) as connection:
        yield Cluster(connection)


def holder(api: ApiServer) -> str:
    found: str = api.objects[LEASE]["spec"]["holderIdentity"]
    return found


def left_behind(api: ApiServer, seconds: int) -> None:
    spec = {"holderIdentity": "dead", "leaseDurationSeconds": seconds, "acquireTime": "then"}
    api.objects[LEASE] = {"metadata": {"name": "ciclo-unit-deployment", "resourceVersion": "0"}, "spec": spec}


@pytest.mark.slow
def test_one_at_a_time(api: ApiServer, cluster: Cluster) -> None:
    inside: list[int] = []
    most = []

    def deploy() -> None:
        with Turn(cluster, "models", "unit", wait=20):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.05)
            inside.pop()

    threads = [threading.Thread(target=deploy) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5
    assert holder(api) == ""


@pytest.mark.slow
def test_whoever_waits_too_long_is_told_who_is_at_work(api: ApiServer, cluster: Cluster) -> None:
    with Turn(cluster, "models", "unit") as first:
        time.sleep(1.2)  # longer than the lease: it is renewed
        with (
            pytest.raises(DeploymentError, match=rf"another deployment of unit is running .*{holder(api)}"),
            Turn(cluster, "models", "unit", wait=1.5),
        ):
            pytest.fail("it is not its turn")
        first.check()


@pytest.mark.slow
def test_what_a_killed_deployment_left_is_taken_over_and_not_before_it_ran_out(
    api: ApiServer, cluster: Cluster
) -> None:
    left_behind(api, seconds=1)
    started = time.monotonic()
    with Turn(cluster, "models", "unit", wait=20):
        assert time.monotonic() - started >= 1
        assert holder(api) not in ("", "dead")


@pytest.mark.slow
def test_whoever_lost_the_turn_does_not_go_on(api: ApiServer, cluster: Cluster) -> None:
    with Turn(cluster, "models", "unit") as lost:
        lost.check()
        left_behind(api, seconds=30)
        time.sleep(0.5)
        with pytest.raises(DeploymentError, match="has taken over"):
            lost.check()
    assert holder(api) == "dead", "the lease of another is left alone"


@pytest.mark.slow
def test_whoever_cannot_renew_stops_before_the_lease_runs_out_for_others(api: ApiServer, cluster: Cluster) -> None:
    with Turn(cluster, "models", "unit") as lost:
        api.refuses[("GET", LEASE)] = 500
        time.sleep(1.3)
        with pytest.raises(DeploymentError, match="has taken over"):
            lost.check()
        api.refuses.clear()
