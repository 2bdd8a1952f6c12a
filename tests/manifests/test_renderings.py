"""Every overlay, and a generated project on each, is what it should be."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ciclo.components.core.project_file import read_project
from ciclo.components.core.settings import Settings
from ciclo.components.deployment import seldon
from ciclo.components.storage.signing import make_keys
from tests.manifests import checks, metrics
from tests.manifests.conftest import GOLDEN, PROJECT, renderings
from tests.manifests.network import OF_THE_OPERATOR, PORTS
from tests.manifests.rendering import MANIFESTS, ROOT, build_from, find, pod_templates

NAMES = (
    "base", "dev", "standalone", "kubeflow", "prod", "dev with everything", "project", "project on dev",
    "project in a profile", "project in prod",
)  # fmt: skip
WHOLE = [name for name in NAMES if name not in ("base", "project")]


def test_the_golden_file_is_of_all_that_is_rendered(request: pytest.FixtureRequest) -> None:
    found = {r.name: checks.facts(r.objects, r.namespace or "") for r in renderings().values() if r.whole}
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(yaml.safe_dump(found, sort_keys=False, width=120))
    assert yaml.safe_load(GOLDEN.read_text()) == found, "if this is meant: make golden"
    assert list(found) == WHOLE
    assert list(renderings()) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with(name: str, golden: dict[str, Any]) -> None:
    rendering = renderings()[name]
    expected = golden[name] if rendering.whole else None
    assert checks.problems(rendering.objects, rendering.namespace, expected, by_digest=rendering.by_digest) == []


def test_the_checks_have_something_to_look_at() -> None:
    objects = renderings()["dev with everything"].objects
    assert len(list(pod_templates(objects))) >= 4
    assert len(metrics.expressions(objects)) >= 20
    on_dev = renderings()["project on dev"].objects
    assert {kind for kind, _ in (name.split(" ", 1) for name, _ in pod_templates(on_dev))} == {
        "StatefulSet", "Job", "CronJob",
    }  # fmt: skip


def test_the_rules_are_the_same_with_and_without_the_operator() -> None:
    objects = renderings()["dev with everything"].objects
    plain = yaml.safe_load(find(objects, "ConfigMap", "ciclo-alert-rules")["data"]["ciclo-rules.yaml"])
    assert plain == find(objects, "PrometheusRule", "ciclo")["spec"]
    severities = {rule["labels"]["severity"] for group in plain["groups"] for rule in group["rules"]}
    assert severities == {"critical", "warning"}


def test_every_file_of_the_tree_is_rendered_somewhere() -> None:
    """A file that no kustomization names would be thought to be applied."""
    named: set[Path] = set()
    kustomizations = sorted(MANIFESTS.rglob("kustomization.yaml"))
    assert len(kustomizations) > 10
    for file in kustomizations:
        body = yaml.safe_load(file.read_text())
        named |= {file.parent / entry for entry in (*body.get("resources", []), *body.get("components", []))}
        for generator in (*body.get("configMapGenerator", []), *body.get("secretGenerator", [])):
            named |= {file.parent / entry.split("=")[-1] for entry in generator.get("files", [])}
            named |= {file.parent / entry for entry in generator.get("envs", [])}
        named |= {file.parent / patch["path"] for patch in body.get("patches", []) if "path" in patch}
    resolved = {path.resolve() for path in named}
    documents = {p for p in MANIFESTS.rglob("*") if p.suffix in (".yaml", ".env", ".py", ".json")}
    unnamed = {p for p in documents - resolved if p.name != "kustomization.yaml"}
    assert not {str(p.relative_to(MANIFESTS)) for p in unnamed}
    for path in documents:
        if path.suffix == ".yaml" and path.name.startswith("patch-") is False:
            assert len(list(yaml.safe_load_all(path.read_text()))) == 1, f"{path}: one object per file"


def test_no_secret_is_in_the_repository() -> None:
    done = subprocess.run(["git", "ls-files", "manifests"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / line for line in done.stdout.splitlines()]
    assert len(files) > 50
    for file in files:
        assert file.suffix != ".pem", file
        assert not checks.PEM.search(file.read_text()), file
        if "secrets" in file.parent.name and "env" in file.name:
            assert file.suffix == ".example", file
            assert all(line.startswith("#") or line.endswith("=") for line in file.read_text().splitlines()), file


@pytest.mark.parametrize(
    ("file", "secret"), [("ciclo.env.example", "ciclo"), ("ciclo-serving.env.example", seldon.KEYS)]
)
def test_the_examples_of_secrets_name_what_is_read(file: str, secret: str) -> None:
    lines = (MANIFESTS / "components" / "secrets" / file).read_text().splitlines()
    keys = {line.partition("=")[0] for line in lines if not line.startswith("#")}
    assert keys == checks.KEYS["Secret", secret] - {"OPS_ALERTS"}


def test_the_component_of_secrets_makes_the_objects_that_are_read(tmp_path: Path) -> None:
    """With its examples filled in, and keys of the command."""
    folder = tmp_path / "secrets"
    shutil.copytree(MANIFESTS / "components" / "secrets", folder)
    for example in folder.glob("*.example"):
        example.with_suffix("").write_text(example.read_text().replace("=\n", "=x\n"))
    make_keys(folder)
    objects = build_from([MANIFESTS / "base"], [folder], "team", tmp_path / "own")
    found = {(o["kind"], o["metadata"]["name"]): set(o["data"]) for o in objects if o.get("data")}
    assert {name: keys | {"OPS_ALERTS"} if name == ("Secret", "ciclo") else keys for name, keys in found.items()} == {
        **{name: checks.KEYS[name] for name in checks.ELSEWHERE if name in checks.KEYS},
        ("ConfigMap", "ciclo"): found["ConfigMap", "ciclo"],
    }
    assert len(found) == 5


def test_the_pods_of_a_model_server_keep_the_same_rules() -> None:
    """They are made by the operator from what the deployment applies, and the policies know them by these labels."""
    project, settings = read_project(PROJECT), Settings(serving_image="registry.example.com/serving:1")
    deployed = seldon.seldon_deployment("loans", "ciclo", [seldon.predictor(project, 3, settings, "blue")])
    found = [*checks.pods([deployed]), *checks.hygiene([deployed]), *checks.secrecy([deployed])]
    assert found == []
    assert [*checks.references([*renderings()["dev"].objects, deployed])] == []
    (_, template), *_ = pod_templates([deployed])
    labels = {**template["metadata"]["labels"], **OF_THE_OPERATOR}
    assert checks.MODEL.items() <= {**labels, "app.kubernetes.io/name": "loans"}.items()
    assert {line.split(" <- ")[1] for line in checks.reads([deployed])} == {
        f"{seldon.KEYS} {k}" for k in seldon.SECRETS
    }


def test_model_servers_are_asked_on_the_port_that_policies_open() -> None:
    assert ("TCP", seldon.HTTP_PORT) in PORTS
    assert f":{seldon.HTTP_PORT}" in seldon.service_url("p", "n")


def test_runs_carry_the_labels_that_policies_know_them_by() -> None:
    _, platform = yaml.safe_load_all((PROJECT.parent / "pipeline.yaml").read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert len(executors) > 8
    for name, executor in executors.items():
        assert executor["podMetadata"]["labels"] == checks.RUN, name
