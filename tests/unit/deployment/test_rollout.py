import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from ciclo.components.core.errors import DeploymentError
from ciclo.components.core.settings import Settings
from ciclo.components.deployment import live_check, turn
from ciclo.components.deployment import rollout as rolling
from ciclo.components.deployment.canary import Trial
from ciclo.components.deployment.cluster import SELDON, Cluster
from ciclo.components.deployment.pace import FEW, Pace
from ciclo.components.deployment.rollout import pending, rollout
from ciclo.components.deployment.seldon import DIGEST, service
from tests.tables import project
from tests.unit.deployment.api import (
    LEASE,
    OBJECT,
    SERVICE,
    STUCK,
    ApiServer,
    deployment,
    path_of,
    served,
)

SETTINGS = Settings(namespace="models", serving_image="image", _env_file=None)
GOLDEN: dict[str, Any] = {"rows": [{"x": 1}], "predictions": []}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(None, "no Deployment yet", id="not-made"),
        pytest.param(deployment("old", 2), "not taken up the new version", id="stale-template"),
        pytest.param(deployment("new", 1), "number of pods yet: 1, of 2 wanted", id="stale-number"),
        pytest.param(deployment("new", 2, observedGeneration=1), "not seen", id="stale-status"),
        pytest.param(deployment("new", 2, updatedReplicas=1), "1 of them new", id="half-updated"),
        pytest.param(deployment("new", 2, replicas=3), "3 pods", id="old-pods-left"),
        pytest.param(deployment("new", 2, availableReplicas=0), "0 available", id="not-ready"),
        pytest.param(deployment("new", 2, unavailableReplicas=1), "of 2 wanted", id="one-unavailable"),
        pytest.param(deployment("new", 2, conditions=[STUCK]), "given up: has timed out", id="stuck"),
        pytest.param(deployment("old", 2, conditions=[STUCK]), "not taken up", id="stuck-before"),
        pytest.param({**deployment("new", 2), "status": {}}, "not seen", id="no-status"),
        pytest.param(deployment("new", 2), None, id="done"),
    ],
)
def test_what_a_rollout_waits_for(found: Any, expected: str | None) -> None:
    problem = pending(found, "new", 2)
    assert problem is expected is None or (expected is not None and problem is not None and expected in problem)


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with served(ApiServer()) as server:
        yield server


@pytest.fixture
def cluster(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(rolling, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(rolling, "DRAIN_SECONDS", 0.0)
    monkeypatch.setattr(turn, "LOOK_SECONDS", 0.01)
    configuration = client.Configuration(host=f"http://127.0.0.1:{api.server_port}")
    configuration.retries = False
    with client.ApiClient(configuration) as connection:
        yield Cluster(connection)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing answers at the addresses of these slots."""
    monkeypatch.setattr(rolling, "require_pace", lambda *_, **__: Pace(1.0, FEW, 0))


@pytest.fixture
def checked(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, list[str]]]:
    """What was checked: the address, the version, and the slots that clients got answers of at that moment."""
    found: list[tuple[str, int, list[str]]] = []

    def check(url: str, version: int, golden: Any) -> None:
        one = (url.removeprefix("http://").split(".")[0], version, api.pointed)
        if found[-1:] != [one]:
            found.append(one)

    monkeypatch.setattr(live_check, "check", check)
    monkeypatch.setattr(live_check, "settle", check)
    return found


def roll(cluster: Cluster, version: int, inside: Callable[[], object] = lambda: None, **options: Any) -> None:
    with rollout(project(deployment=options), version, GOLDEN, SETTINGS, cluster):
        inside()


def test_the_live_check_comes_before_any_client(api: ApiServer, cluster: Cluster, checked: list[Any]) -> None:
    for version in (1, 2, 3):
        roll(cluster, version)
    assert checked == [
        ("unit-blue", 1, []),
        ("unit-serving", 1, ["blue"]),
        ("unit-green", 2, ["blue"]),
        ("unit-serving", 2, ["green"]),
        ("unit-blue", 3, ["green"]),
        ("unit-serving", 3, ["blue"]),
    ]
    assert (api.slots, api.pointed) == ({"blue": 3}, ["blue"])


def test_a_slot_is_asked_by_number_and_not_by_a_name_that_name_servers_remember(
    api: ApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(live_check, "settle", lambda url, *_: asked.append(f"settle {url}"))
    monkeypatch.setattr(live_check, "check", lambda url, *_: asked.append(f"check {url}"))
    service_of_slot = "/api/v1/namespaces/models/services/unit-blue"
    public = "settle http://unit-serving.models.svc.cluster.local:9000"
    for address, url in (("10.0.0.9", "http://10.0.0.9:9000"), ("fd00::9", "http://[fd00::9]:9000")):
        asked.clear()
        api.objects[service_of_slot] = {"spec": {"clusterIP": address}}
        roll(cluster, 1)
        assert asked == [f"settle {url}", f"check {url}", public]


def test_it_applies_on_the_server_s_side_with_strict_fields(api: ApiServer, cluster: Cluster, checked: Any) -> None:
    roll(cluster, 1)
    assert {path for _, path, *_ in api.requests} == {OBJECT, SERVICE}
    for method, _, query, content_type, _ in api.requests:
        assert (method, content_type) == ("PATCH", "application/apply-patch+yaml")
        assert query == {"fieldManager": ["ciclo"], "force": ["true"], "fieldValidation": ["Strict"]}


FAILURES = ["it does not come up", "it answers otherwise", "its name cannot be moved", "it is cancelled"]


@pytest.mark.parametrize("before", [0, 1], ids=["the first version", "the second version"])
@pytest.mark.parametrize("failure", FAILURES)
def test_what_fails_leaves_what_was_there(
    api: ApiServer, cluster: Cluster, checked: Any, monkeypatch: pytest.MonkeyPatch, failure: str, before: int
) -> None:
    if before:
        roll(cluster, 1, replicas=2)
    there = {path: api.objects.get(path) and api.objects[path]["spec"] for path in (OBJECT, SERVICE)}
    error: type[BaseException] = DeploymentError
    if failure == FAILURES[0]:
        api.status = {"availableReplicas": 0, "conditions": [STUCK]}
    elif failure == FAILURES[1]:

        def refuse(url: str, version: int, golden: Any) -> None:
            if version == 2:
                raise DeploymentError("it answers otherwise")

        monkeypatch.setattr(live_check, "check", refuse)
    elif failure == FAILURES[3]:
        error = KeyboardInterrupt

    def fail() -> None:
        assert failure in FAILURES[2:], "it is not in service"
        assert api.pointed == (["green"] if before else ["blue"])
        raise error("later")

    with pytest.raises(error):
        roll(cluster, 2, fail)
    api.status = {}
    assert {path: api.objects.get(path) and api.objects[path]["spec"] for path in (OBJECT, SERVICE)} == there
    assert not api.objects[LEASE]["spec"]["holderIdentity"], "the next deployment need not wait"
    roll(cluster, 3)
    assert list(api.slots.values()) == [3]


def test_a_slot_that_never_served_gets_no_client_while_it_is_changed(
    api: ApiServer, cluster: Cluster, checked: list[Any]
) -> None:
    """A deployment was killed in the middle of a canary: both slots are there and both get requests."""
    roll(cluster, 1)
    left = api.objects[OBJECT]["spec"]["predictors"]
    roll(cluster, 2)
    left += api.objects[OBJECT]["spec"]["predictors"]
    api.objects[OBJECT]["spec"]["predictors"] = left
    api.operator()
    api.objects[SERVICE] = service("unit", "models", "blue", both=True)
    assert api.pointed == ["blue", "green"]
    checked.clear()
    api.requests.clear()
    roll(cluster, 3)
    changed = [path for _, path, *_ in api.requests]
    assert changed[:2] == [SERVICE, OBJECT], "the slot is taken from the clients before it is changed"
    assert checked[0] == ("unit-green", 3, ["blue"])
    assert (api.slots, api.pointed) == ({"green": 3}, ["green"])


@pytest.mark.parametrize(("called_for", "begins_with"), [(1, 2), (3, 3), (9, 4)])
def test_under_an_autoscaler_a_version_begins_with_the_pods_that_the_load_has_called_for(
    api: ApiServer, cluster: Cluster, checked: list[Any], called_for: int, begins_with: int
) -> None:
    scaled = {"replicas": 2, "max_replicas": 4}
    roll(cluster, 1, **scaled)
    digest = api.objects[path_of("blue")]["spec"]["template"]["metadata"]["annotations"][DIGEST]
    api.objects[path_of("blue")] = deployment(digest, called_for)
    roll(cluster, 2, **scaled)
    (made,) = api.objects[OBJECT]["spec"]["predictors"]
    assert (made["name"], made["replicas"]) == ("green", begins_with)
    assert pending(deployment("new", called_for), "new", None) is None


def test_the_selector_says_which_slot_serves_where_the_annotation_is_gone(
    api: ApiServer, cluster: Cluster, checked: list[Any]
) -> None:
    roll(cluster, 1)
    api.objects[SERVICE]["metadata"]["annotations"] = {}
    checked.clear()
    roll(cluster, 2)
    assert checked == [("unit-green", 2, ["blue"]), ("unit-serving", 2, ["green"])]


@pytest.mark.slow
def test_a_deployer_that_lost_its_turn_writes_nothing_more(
    api: ApiServer, cluster: Cluster, checked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    roll(cluster, 1)
    monkeypatch.setattr(turn, "RENEW_SECONDS", 0.02)
    asked: list[int] = []

    def robbed(url: str, version: int, golden: Any) -> None:
        api.objects[LEASE]["spec"]["holderIdentity"] = "somebody else"
        api.objects[LEASE]["metadata"]["resourceVersion"] = "999"
        asked.append(len(api.requests))
        time.sleep(0.3)

    monkeypatch.setattr(live_check, "check", robbed)
    with pytest.raises(DeploymentError, match="has taken over"):
        roll(cluster, 2)
    assert len(api.requests) == asked[0], api.requests[asked[0] :]
    assert api.pointed == ["blue"]


def test_what_the_body_did_is_taken_back_with_the_rest(api: ApiServer, cluster: Cluster, checked: list[Any]) -> None:
    undone: list[list[str]] = []
    with (
        pytest.raises(SystemExit),
        rollout(project(), 1, GOLDEN, SETTINGS, cluster, lambda: undone.append(api.pointed)),
    ):
        raise SystemExit(143)
    assert undone == [[]]


def test_what_serves_already_is_mended_in_place(api: ApiServer, cluster: Cluster, checked: list[Any]) -> None:
    roll(cluster, 1)
    (made,) = api.objects[OBJECT]["spec"]["predictors"]
    api.objects[OBJECT]["spec"]["predictors"] = [made, {**made, "name": "green"}]  # it died before it tidied up
    api.operator()
    pods = api.objects[path_of("blue")]
    roll(cluster, 1)
    assert (list(api.slots), api.pointed) == (["blue"], ["blue"])
    assert api.objects[path_of("blue")] is pods
    roll(cluster, 1, replicas=3)
    assert api.objects[OBJECT]["spec"]["predictors"][0]["replicas"] == 3
    assert list(api.slots) == ["blue"]
    assert checked[-2:] == [("unit-blue", 1, ["blue"]), ("unit-serving", 1, ["blue"])]


@pytest.mark.parametrize(
    ("path", "change", "rolls"),
    [
        pytest.param("configmaps/ciclo", {"data": {"CICLO_STORE": "s3://other"}}, True, id="a setting of the pods"),
        pytest.param("configmaps/ciclo", {"data": {"CICLO_KFP_HOST": "http://x"}}, False, id="another setting"),
        pytest.param("configmaps/ciclo-trust", {"data": {"a.pem": "other"}}, True, id="whom they trust"),
        pytest.param("secrets/ciclo-serving", {"metadata": {"uid": "2", "resourceVersion": "9"}}, True, id="keys"),
        pytest.param("secrets/ciclo", {"metadata": {"uid": "2", "resourceVersion": "9"}}, False, id="keys of others"),
    ],
)
def test_changed_settings_and_keys_roll_the_pods(
    api: ApiServer, cluster: Cluster, checked: Any, path: str, change: dict[str, Any], rolls: bool
) -> None:
    roll(cluster, 1)
    roll(cluster, 1)
    assert list(api.slots) == ["blue"]
    api.objects[f"/api/v1/namespaces/models/{path}"] = change
    roll(cluster, 1)
    assert list(api.slots) == (["green"] if rolls else ["blue"])


def test_no_key_is_read_for_that(api: ApiServer, cluster: Cluster) -> None:
    secret = {"metadata": {"uid": "1", "resourceVersion": "1"}, "data": {"CICLO_S3_SECRET_KEY": "aGlkZGVu"}}
    api.objects["/api/v1/namespaces/models/secrets/ciclo-serving"] = secret
    path = "/api/v1/namespaces/{namespace}/secrets/{name}"
    assert cluster.get(path, metadata=True, namespace="models", name="ciclo-serving") == {
        "metadata": secret["metadata"]
    }


@pytest.mark.parametrize("first", [DeploymentError("the first", hint="Do this."), KeyboardInterrupt("the first")])
def test_a_clean_up_that_fails_never_hides_the_first_error(
    api: ApiServer, cluster: Cluster, checked: Any, first: BaseException
) -> None:
    roll(cluster, 1)

    def fail() -> None:
        api.refuses[("PATCH", OBJECT)] = 403
        raise first

    with pytest.raises(type(first), match="the first") as caught:
        roll(cluster, 2, fail)
    assert api.pointed == ["blue"], "clients were pointed back before the clean-up failed"
    if isinstance(first, DeploymentError):
        for part in ("Do this.", "Besides, what was there is not put back", "refused to patch", "403"):
            assert part in str(caught.value)


def test_a_clean_up_after_success_that_fails_is_no_failure(api: ApiServer, cluster: Cluster, checked: Any) -> None:
    roll(cluster, 1)
    roll(cluster, 2, lambda: api.refuses.update({("PATCH", OBJECT): 500}))
    assert api.pointed == ["green"]
    api.refuses.clear()
    roll(cluster, 2)
    assert (api.slots, api.pointed) == ({"green": 2}, ["green"])


def pod(digest: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {DIGEST: digest}}, "status": status}


def test_it_gives_up_with_the_reason_of_the_pod_long_before_the_end(
    api: ApiServer, cluster: Cluster, checked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.status = {"availableReplicas": 0}

    plain, waiting = api.operator, {"reason": "ErrImageNeverPull", "message": "image is not there"}

    def operator() -> None:
        plain()
        for slot in api.slots:
            digest = api.objects[path_of(slot)]["spec"]["template"]["metadata"]["annotations"][DIGEST]
            api.pods = [pod(digest, containerStatuses=[{"image": "image", "state": {"waiting": waiting}}])]

    monkeypatch.setattr(api, "operator", operator)
    with pytest.raises(DeploymentError, match=r"ErrImageNeverPull: image is not there.*CICLO_SERVING_IMAGE"):
        roll(cluster, 1)
    assert OBJECT not in api.objects


def test_without_an_operator_it_says_so(api: ApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "operator", lambda: None)
    monkeypatch.setattr(rolling, "OPERATOR_SECONDS", 0.05)
    with pytest.raises(DeploymentError, match=r"made no Deployment yet.*operator runs.*namespace models"):
        roll(cluster, 1)
    monkeypatch.setattr(rolling, "OPERATOR_SECONDS", 90)
    monkeypatch.setattr(rolling, "ROLLOUT_SECONDS", 0.05)
    with pytest.raises(DeploymentError, match="did not complete"):
        roll(cluster, 1)


def test_what_the_operator_could_not_do_is_told(
    api: ApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        if OBJECT in api.objects:
            api.objects[OBJECT]["status"] = {"state": "Failed", "description": "replicas must not be negative"}

    monkeypatch.setattr(api, "operator", fail)
    monkeypatch.setattr(rolling, "OPERATOR_SECONDS", 0.05)
    with pytest.raises(DeploymentError, match="must not be negative"):
        roll(cluster, 1)


def test_a_service_of_somebody_else_is_left_alone(api: ApiServer, cluster: Cluster, checked: Any) -> None:
    api.objects[SERVICE] = {"metadata": {"labels": {"app": "shop"}}, "spec": {"selector": {"app": "shop"}}}
    with pytest.raises(DeploymentError, match=r"service unit-serving in models that is not Ciclo's"):
        roll(cluster, 1)
    assert api.objects[SERVICE]["spec"] == {"selector": {"app": "shop"}}
    assert api.requests == []


def test_a_refusal_of_the_api_server_is_told(api: ApiServer, cluster: Cluster) -> None:
    bad = {"metadata": {"name": "unit"}, "spec": {"misspelt": 1}}
    with pytest.raises(DeploymentError, match=r"500 .*not declared in schema"):
        cluster.apply(SELDON, bad, namespace="models", name="unit")
    api.refuses[("GET", OBJECT)] = 403
    with pytest.raises(DeploymentError, match=r"403.*the role of the deployer"):
        roll(cluster, 1)


def test_an_api_server_that_is_not_there_is_told() -> None:
    configuration = client.Configuration(host="http://127.0.0.1:1")
    configuration.retries = False
    with client.ApiClient(configuration) as connection, pytest.raises(DeploymentError, match="cannot be reached"):
        Cluster(connection).get(OBJECT)


@pytest.mark.parametrize("good", [True, False])
def test_a_canary_grows_beside_what_serves_and_goes_if_anything_speaks_against_it(
    api: ApiServer, cluster: Cluster, checked: list[Any], monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    options = {"strategy": "canary", "replicas": 3, "canary_steps": [25, 50]}
    seen = []

    def run(self: Trial, step: Any, old: str, new: str, still: Any) -> None:
        still()
        replicas = {one["name"]: one["replicas"] for one in api.objects[OBJECT]["spec"]["predictors"]}
        seen.append((step.percent, replicas, api.pointed, old.split(".")[0], new.split(".")[0]))
        if not good and step.percent == 50:
            raise DeploymentError("it disagrees")

    monkeypatch.setattr(Trial, "run", run)
    roll(cluster, 1, **options)
    assert seen == [], "a first version has nothing to stand beside"
    before = api.objects[OBJECT]["spec"]
    checked.clear()
    if good:
        roll(cluster, 2, **options)
    else:
        with pytest.raises(DeploymentError, match="it disagrees"):
            roll(cluster, 2, **options)
    both = ["blue", "green"]
    assert seen == [
        (25, {"blue": 3, "green": 1}, both, "http://unit-blue", "http://unit-green"),
        (50, {"blue": 3, "green": 3}, both, "http://unit-blue", "http://unit-green"),
    ]
    assert checked[0] == ("unit-green", 2, ["blue"]), "it was checked before any client got an answer of it"
    assert (api.slots, api.pointed) == (({"green": 2}, ["green"]) if good else ({"blue": 1}, ["blue"]))
    if not good:
        assert api.objects[OBJECT]["spec"] == before
