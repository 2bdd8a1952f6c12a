import json
import re
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.settings import Settings
from ciclo.components.deployment.seldon import (
    DIGEST,
    deployment_name,
    seldon_deployment,
    service,
    service_url,
    slot_url,
)
from ciclo.components.deployment.seldon import predictor as build_predictor
from ciclo.components.serving.__main__ import DEFAULTS
from tests.tables import project

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = Settings(namespace="models", serving_image="registry/serving@sha256:abc", _env_file=None)


def predictor(version=3, settings=SETTINGS, read="", slot="blue", **deployment):
    return build_predictor(project(deployment=deployment), version, settings, slot, read=read)


def built(**options):
    return seldon_deployment("unit", "models", [predictor(**options)])


def pod(**options):
    return predictor(**options)["componentSpecs"][0]["spec"]


def container(**options):
    (found,) = pod(**options)["containers"]
    return found


def test_there_is_one_model_node_without_the_orchestrator():
    found = built()
    assert (found["apiVersion"], found["kind"]) == ("machinelearning.seldon.io/v1", "SeldonDeployment")
    assert found["metadata"]["name"] == "unit"
    assert found["metadata"]["namespace"] == "models"
    (only,) = found["spec"]["predictors"]
    assert only["annotations"]["seldon.io/no-engine"] == "true"  # ignored anywhere but on the predictor
    assert only["graph"] == {"name": container()["name"], "type": "MODEL"}
    assert "children" not in only["graph"]
    assert "traffic" not in only
    assert only["replicas"] >= 1


@pytest.mark.slow
def test_the_load_may_call_for_more_pods_and_that_rolls_none():
    assert "hpaSpec" not in predictor()["componentSpecs"][0]
    few, many = (predictor(replicas=2, max_replicas=most) for most in (4, 8))
    assert few["componentSpecs"][0]["hpaSpec"] == {
        "minReplicas": 2,
        "maxReplicas": 4,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 70}}],
    }
    assert predictor(replicas=2)["annotations"][DIGEST] == few["annotations"][DIGEST] == many["annotations"][DIGEST]
    definition = yaml.safe_load((ROOT / "tests" / "cluster" / "seldondeployments.yaml").read_text())
    (schema,) = (v["schema"]["openAPIV3Schema"] for v in definition["spec"]["versions"] if v["name"] == "v1")
    jsonschema.validate(built(replicas=2, max_replicas=4), schema)


def test_it_passes_pod_security_restricted():
    security = pod()["securityContext"]
    assert security["runAsNonRoot"] is True
    assert isinstance(security["runAsUser"], int)
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod())
    assert {next(iter(set(v) - {"name"})) for v in pod()["volumes"]} <= {"emptyDir", "configMap"}
    assert pod()["automountServiceAccountToken"] is False


def test_a_read_only_root_has_room_for_what_is_written():
    mounts = {m["mountPath"]: m["name"] for m in container()["volumeMounts"]}
    volumes = {v["name"]: v for v in pod()["volumes"]}
    environment = {e["name"]: e["value"] for e in container()["env"] if "value" in e}
    for path in ("/tmp", environment["CICLO_HOME"]):
        assert "emptyDir" in volumes[mounts[path]]
    assert set(mounts.values()) == set(volumes)


def test_probes_ask_the_model():
    for name in ("startupProbe", "readinessProbe"):
        assert container()[name]["httpGet"] == {"path": "/health/status", "port": "http"}
    assert container()["livenessProbe"]["httpGet"]["port"] == "http"


@pytest.mark.slow
def test_it_leaves_in_time_and_needs_no_shell_for_that():
    *command, seconds = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert command[0] == "python"
    assert 0 < int(seconds) < pod()["terminationGracePeriodSeconds"]
    started = time.monotonic()
    subprocess.run([sys.executable, *command[1:], "0.3"], check=True)
    assert time.monotonic() - started >= 0.3


def test_what_it_says_last_is_kept_where_the_deployer_reads_it():
    assert container()["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_the_environment_says_what_is_served_and_how():
    environment = {e["name"]: e["value"] for e in container(version=12)["env"] if "value" in e}
    assert (environment["CICLO_PROJECT"], environment["CICLO_VERSION"]) == ("unit", "12")
    assert all(isinstance(value, str) for value in environment.values())


def test_a_pod_is_given_the_keys_it_needs_and_not_the_whole_secret():
    assert "envFrom" not in json.dumps(built())
    given = {e["name"]: e["valueFrom"] for e in container()["env"] if "valueFrom" in e}
    secret = {name for name, source in given.items() if "secretKeyRef" in source}
    assert secret == {"CICLO_S3_ACCESS_KEY", "CICLO_S3_SECRET_KEY", "CICLO_PREDICTIONS"}
    for name, source in given.items():
        (reference,) = source.values()
        of = "ciclo-serving" if name in secret else "ciclo"  # never the keys of those that write
        assert reference == {"name": of, "key": name, "optional": True}
    known = {f"CICLO_{name.upper()}" for name in Settings.model_fields}
    assert set(given) < known
    assert not set(given) & {"CICLO_PRIVATE_KEY", "CICLO_ALERTS", "CICLO_MODEL_REGISTRY_TOKEN"}


def test_it_starts_as_on_a_laptop_with_the_same_variables():
    assert container()["command"] == ["python", "-P", "-m", "ciclo.components.serving", "--host", "0.0.0.0"]
    assert not {e["name"] for e in container()["env"]} & set(DEFAULTS)
    assert (DEFAULTS["GRPC_WORKERS"], DEFAULTS["GUNICORN_KEEPALIVE"]) == ("0", "100")
    assert int(DEFAULTS["GUNICORN_THREADS"]) > 1
    (command,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text().rpartition("AS serving\n")[2], re.M)
    assert json.loads(command) == container()["command"]


def test_the_operator_s_own_variables_are_never_set():
    assert "PREDICTIVE_UNIT" not in json.dumps(built())


def test_secrets_are_named_and_never_written():
    settings = SETTINGS.model_copy(update={"s3_endpoint": "minio:9000", "predictions": "postgresql://u:hidden@db/p"})
    text = json.dumps(built(settings=settings))
    assert "hidden" not in text
    assert "minio" not in text


def test_replicas_and_resources_come_from_the_project():
    found = predictor(replicas=3, resources={"cpu": "250m", "memory": "2Gi"})
    assert found["replicas"] == 3
    resources = container(resources={"cpu": "250m", "memory": "2Gi"})["resources"]
    assert resources["requests"] == {"cpu": "250m", "memory": "2Gi"}
    assert resources["limits"]["memory"] == "2Gi"


def test_the_digest_tells_pods_apart_and_nothing_else():
    digests = {
        predictor(version=version, read=read, **deployment)["annotations"][DIGEST]
        for version in (1, 2)
        for read in ("", "other")
        for deployment in ({}, {"resources": {"memory": "2Gi"}})
    }
    assert len(digests) == 8
    assert all(re.fullmatch("[0-9a-f]{64}", d) for d in digests)
    assert predictor() == predictor()
    for same in ({"slot": "green"}, {"replicas": 3}):
        assert predictor(**same)["annotations"] == predictor()["annotations"]


def test_names_stay_within_the_limits_of_kubernetes():
    longest = "a" * 40
    for slot in ("blue", "green"):
        hosts = [service_url(longest, "models"), slot_url(longest, slot, "models")]
        for name in (deployment_name(longest, slot), *(h.removeprefix("http://").split(".")[0] for h in hosts)):
            assert len(name) <= 63
    assert len(container()["name"]) <= 48
    assert service_url("unit", "models") == "http://unit-serving.models.svc.cluster.local:9000"
    assert slot_url("unit", "blue", "models") == "http://unit-blue.models.svc.cluster.local:9000"
    for value in [*built()["metadata"]["labels"].values(), *predictor()["labels"].values()]:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9_.]{0,61}[a-z0-9])?", value)


def test_the_service_leads_to_one_slot_or_to_both():
    one, both = service("unit", "models", "green"), service("unit", "models", "green", both=True)
    assert one["metadata"]["name"] == "unit-serving"
    assert one["spec"]["selector"] == {**both["spec"]["selector"], "seldon-app": "unit-green"}
    assert both["spec"]["selector"] == {"seldon-deployment-id": "unit", "seldon.io/model": "true"}
    assert one["metadata"] == both["metadata"], "what serves is known while both do"
    assert one["spec"]["ports"] == [{"name": "http", "port": 9000, "targetPort": "http", "protocol": "TCP"}]


def test_without_an_image_nothing_is_built():
    with pytest.raises(SettingsError, match="no image"):
        built(settings=SETTINGS.model_copy(update={"serving_image": ""}))
