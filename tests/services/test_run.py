"""The product as a cluster runs it, but for Kubernetes: models in MinIO, predictions in PostgreSQL."""

import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from ciclo.components.core.settings import Settings
from ciclo.components.storage.predictions import PredictionStore
from tests.local.command import QUICK, ciclo
from tests.tables import table


@pytest.fixture
def variables(s3_settings: Settings, uri: str, tmp_path: Path) -> dict[str, str]:
    """The environment of `ciclo`, with keys that `ciclo keys init` made."""
    made = ciclo(tmp_path / "home", "keys", "init", tmp_path / "keys")
    assert made.code == 0, made.err
    keys = dict(line.split("=", 1) for line in made.out.splitlines())
    return {
        **s3_settings.environment(),
        "CICLO_HOME": str(tmp_path / "home"),
        "CICLO_PREDICTIONS": uri,
        "CICLO_PRIVATE_KEY": keys["CICLO_PRIVATE_KEY"],
        "CICLO_PUBLIC_KEYS": keys["CICLO_PUBLIC_KEYS"].strip("'"),
        "CICLO_DEPLOYER": "process",
    }


@pytest.fixture
def project(tmp_path: Path, variables: dict[str, str]) -> Iterator[Path]:
    table(2_000, signal=3.0).to_csv(tmp_path / "table.csv", index=False)
    path, home = tmp_path / "project.yaml", tmp_path / "home"
    assert ciclo(home, "init", tmp_path / "table.csv", "--target", "y", "-o", path).code == 0
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **QUICK}))
    yield path
    ciclo(home, "stop", path, **variables)


def test_a_model_goes_to_the_bucket_and_its_predictions_to_the_database(
    project: Path, variables: dict[str, str], uri: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    done = ciclo(home, "run", project, **variables)
    assert done.code == 0, done.out + done.err
    assert done.summary["outcome"] == "promoted"
    assert done.summary["registry"] == variables["CICLO_STORE"]
    assert not (home / "store").exists()

    shown = ciclo(home, "models", "show", project, "--json", **variables)
    story = json.loads(shown.out)
    assert (story["version"], story["names"]) == (1, ["candidate", "champion", "serving"])
    assert story["lineage"]["data"]["digest"]

    rows = [json.loads(text) for text in table(3).drop(columns="y").to_json(orient="records", lines=True).split()]
    url = f"{done.summary['endpoint'].removesuffix('/api/v1.0/predictions')}/api/v1.0/predictions"
    request = urllib.request.Request(
        url, json.dumps({"jsonData": {"rows": rows}}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert len(json.load(answer)["jsonData"]["predictions"]) == 3
    store, deadline = PredictionStore(uri), time.monotonic() + 60
    name = yaml.safe_load(project.read_text())["name"]
    while store.count(name) < 3:
        assert time.monotonic() < deadline, "the predictions did not come to the database"
        time.sleep(0.2)
    found = store.window(name, datetime(1900, 1, 1), datetime(2200, 1, 1))
    store.close()
    assert found["version"].unique().tolist() == [1]


def test_without_the_public_key_nothing_is_read(project: Path, variables: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert ciclo(home, "run", project, **{**variables, "CICLO_DEPLOYER": "none"}).code == 0
    made = ciclo(home, "keys", "init", tmp_path / "stranger")
    stranger = dict(line.split("=", 1) for line in made.out.splitlines())["CICLO_PUBLIC_KEYS"].strip("'")
    refused = ciclo(home, "models", "show", project, **{**variables, "CICLO_PUBLIC_KEYS": stranger})
    assert refused.code == 1
    assert "CICLO_PUBLIC_KEYS" in refused.err
