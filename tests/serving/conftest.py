"""Real models, trained here and served by a real seldon-core-microservice in the serving environment."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pandas as pd
import pytest
from pydantic import SecretStr
from sklearn.model_selection import FixedThresholdClassifier
from threadpoolctl import threadpool_limits

from ciclo.components.answering.compiled import parity
from ciclo.components.answering.engine import Engine
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.contract import Contract
from ciclo.components.core.profile import Profile
from ciclo.components.core.project_file import project_to_yaml
from ciclo.components.core.sections import Candidate
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.deployment import process
from ciclo.components.deployment.endpoint import Endpoint
from ciclo.components.releases.names import CHAMPION, Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.predictions import PredictionStore
from ciclo.components.storage.signing import signer_from
from ciclo.components.tables.datasets import file_digest
from ciclo.components.training.candidates import build
from tests.tables import project, table

CLASSES = {"binary": ("false", "true"), "multiclass": ("low", "mid", "high"), "regression": ()}


@dataclass(frozen=True)
class Published:
    """A version in a registry of its own, with the model as it is in this environment."""

    settings: Settings
    version: int
    engine: Engine
    verdict: Verdict

    @property
    def contract(self) -> Contract:
        return self.engine.contract

    def requests(self, rows: int, seed: int = 7) -> list[dict[str, Any]]:
        return self.contract.rows(table(rows, seed=seed))


def publish(
    home: Path,
    task: str = "binary",
    estimator: str = "gradient_boosting",
    *,
    threshold: float | None = None,
    spoil: str = "",
) -> Published:
    """Train a model and publish it through the real registry, as publishing does."""
    settings = Settings(home=home, _env_file=None)
    charter = project(task)
    data = table(task=task)
    contract = strict(Contract.of(charter, CLASSES[task]))
    model = build(Candidate(estimator=estimator), charter, contract, len(data), {})
    if threshold is not None:
        options = {"threshold": threshold, "pos_label": 1, "response_method": "predict_proba"}
        model = FixedThresholdClassifier(model, **options)
    with threadpool_limits(1):
        model.fit(contract.frame(data), contract.encode(data["y"]))
    home.mkdir(parents=True, exist_ok=True)
    dump_model(model, home / "model.skops")
    engine = Engine(model, contract)
    rows = contract.rows(table(20, seed=3))
    found = parity(model, contract, contract.frame(data), 0)
    assert found.engine == "compiled", found.why
    golden = {"rows": rows, "predictions": engine.predict(contract.parse(rows)), "parity": found.model_dump()}
    if spoil == "golden":
        golden["predictions"][0]["probability"] += 1e-3
    digest = file_digest(home / "model.skops")
    verdict = Verdict(gate="evaluation", decision="promote", reason="it is better", subject=digest)
    X = contract.frame(data)
    columns = {name: ColumnProfile.of(X[name]) for name in X}
    profile = Profile(rows=len(X), columns=columns, target=ColumnProfile.of(data["y"].astype(str).astype(object)))
    files = {
        "model.skops": home / "model.skops",
        "project.yaml": project_to_yaml(charter).encode(),
        "contract.json": contract.model_dump_json().encode(),
        "golden.json": json.dumps(golden).encode(),
        "profile.json": profile.model_dump_json().encode(),
        "verdict.json": verdict.model_dump_json().encode(),
        "lineage.json": b"{}",
        "card.html": b"<html></html>",
        "card.json": b"{}",
    }
    version = open_registry(charter.name, settings).publish(files, signer=signer_from(settings), parent=None)
    return Published(settings, version, engine, verdict)


def crown(published: Published, override: str = "a reason") -> None:
    """Make a version the champion."""
    registry, signer = open_registry("unit", published.settings), signer_from(published.settings)
    move = Move("test", "test", "promote", override)
    registry.move(CHAMPION, published.version, move, expected=registry.alias(CHAMPION), signer=signer)


def strict(contract: Contract) -> Contract:
    """The contract with limits to break, and with an id and a time that come along."""
    limits = {
        "count": {"nullable": False, "minimum": 0, "maximum": 100},
        "colour": {"categories": ("red", "green", "blue")},
    }
    columns = tuple(c.model_copy(update=limits.get(c.name, {})) for c in contract.columns)
    return contract.model_copy(update={"columns": columns, "passthrough": ("id", "at"), "time_column": "at"})


@dataclass(frozen=True)
class Server:
    """A running microservice."""

    published: Published
    endpoint: Endpoint

    def post(self, body: Any, path: str = "predictions", raw: bytes | None = None) -> tuple[int, Any]:
        return post(self.endpoint.url, body, path, raw)

    def predict(self, rows: list[dict[str, Any]], puid: str = "") -> list[dict[str, Any]]:
        status, answer = self.post({"jsonData": {"rows": rows}, "meta": {"puid": puid}})
        assert status == 200, answer
        return answer["jsonData"]["predictions"]

    def recorded(self, condition: Callable[[pd.DataFrame], bool] = lambda _: True) -> pd.DataFrame:
        """What the prediction store holds, once the condition is true of it; it is sent there in the background."""
        deadline = time.monotonic() + 60
        while True:
            found = predictions(self.published.settings)
            if condition(found):
                return found
            assert time.monotonic() < deadline, f"{len(found)} rows and not what was waited for"
            time.sleep(0.2)


def predictions(settings: Settings) -> pd.DataFrame:
    """Everything the prediction store holds."""
    store = PredictionStore(settings.predictions_uri)
    return store.window("unit", datetime(1900, 1, 1), datetime(2200, 1, 1))


def post(url: str, body: Any, path: str = "predictions", raw: bytes | None = None) -> tuple[int, Any]:
    """Send JSON; the status and the JSON of the answer, whatever the status."""
    data = json.dumps(body).encode() if raw is None else raw
    request = Request(f"{url}/api/v1.0/{path}", data, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def serve(published: Published, **changes: Any) -> Server:
    """Start a server, with some settings changed."""
    if "predictions" in changes:
        changes["predictions"] = SecretStr(changes["predictions"])
    settings = published.settings.model_copy(update=changes)
    endpoint = process.start("unit", published.version, settings, settings.home / "server.log")
    return Server(replace(published, settings=settings), endpoint)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A histogram gradient boosting model, the riskiest to hand over between environments."""
    running = serve(publish(tmp_path_factory.mktemp("binary")))
    yield running
    process.stop(running.endpoint)
