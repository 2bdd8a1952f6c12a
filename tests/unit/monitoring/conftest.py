"""A small world: a real signed champion in a folder, a real SQLite prediction store, and a backend that counts runs."""

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.contract import Contract
from ciclo.components.core.estimation import Estimation
from ciclo.components.core.metrics import METRICS
from ciclo.components.core.profile import Profile
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping, project_to_yaml
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.monitoring.log import DecisionLog
from ciclo.components.monitoring.tick import tick
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.predictions import Label, PredictionRow, PredictionStore
from ciclo.components.storage.signing import signer_from
from ciclo.components.storage.store import open_store

NOW = datetime(2026, 6, 1, 6, tzinfo=UTC)
TRAINING_ROWS = 4_000
WEEK = timedelta(days=7)
METRIC = METRICS["accuracy_score"]


def project(**monitoring):
    columns = {
        "amount": {"type": "number"},
        "age": {"type": "number"},
        "city": {"type": "category"},
        "paid": {"type": "boolean"},
        "loan": {"type": "category"},
    }
    return project_from_mapping(
        {
            "name": "loans",
            "data": {"source": "loans.csv", "target": "paid", "id_columns": ["loan"], "columns": columns},
            "monitoring": {"window_days": 7, **monitoring},
            "design": {"escalation": {"development": "dev@example.com", "design": "design@example.com"}},
        },
        origin="test",
    )


def customers(rng, rows, shift=0.0):
    """Rows of the stream; ``shift`` moves the important column by so many standard deviations.

    The outcome is the surer the smaller that column is, so a shift upwards makes the rows harder to predict.
    """
    amount = 1_000 + 100 * (rng.normal(size=rows) + shift)
    age = rng.normal(40, 10, rows)
    city = rng.choice(["Bern", "Basel", "Chur"], rows, p=[0.5, 0.3, 0.2]).astype(object)
    risk = (amount - 1_000) / 50 - 3 + (city == "Chur") + 0.01 * (age - 40)
    paid = rng.random(rows) < 1 / (1 + np.exp(-risk))
    return pd.DataFrame({"amount": amount, "age": age, "city": city}), paid


class Reversed:
    """Says the opposite: inputs as ever, worthless answers, the same spread of scores."""

    def __init__(self, model):
        self._model = model

    def predict_proba(self, frame):
        return self._model.predict_proba(frame)[:, ::-1]


class Backend:
    """Runs the pipeline, says the test: it remembers names and can die before or after a run exists."""

    def __init__(self):
        self.runs = {}
        self.states = {}
        self.descriptions = {}
        self.restored = {}
        self.fault = None
        self.served = []
        self.down = False
        self._lock = threading.Lock()

    def is_down(self):
        return self.down

    def serve(self, name, window_end):
        self.served.append(name)
        return "a run is to serve it", False

    def find(self, name):
        with self._lock:
            ids = self.runs.get(name, [])
            return ids[0] if ids else None

    def submit(self, name, window_start, window_end, trigger, description, *, restore=0):
        if self.fault is not None and self.fault[0] == "before":
            raise self.fault[1]
        with self._lock:
            self.descriptions[name] = description
            if restore:
                self.restored[name] = restore
            self.runs.setdefault(name, []).append(f"{name}-{len(self.runs.get(name, []))}")
        if self.fault is not None:
            raise self.fault[1]
        return self.runs[name][-1]

    def state(self, run_id):
        return self.states.get(run_id, "running")

    @property
    def count(self):
        return sum(len(ids) for ids in self.runs.values())


@dataclass
class World:
    settings: Settings
    project: Project
    model: object
    contract: Contract
    profile: Profile
    rng: np.random.Generator
    backend: Backend = field(default_factory=Backend)
    requests: int = 0

    def __post_init__(self):
        self.store = open_store(self.settings.store_uri, self.settings)
        self.registry = open_registry(self.project.name, self.settings)
        self.predictions = PredictionStore(self.settings.predictions_uri)
        self.log = DecisionLog(self.store, self.project.name)

    def publish(self, folder, score=0.9, deployed=True, run="by hand", refit=None):
        """Publish the model as the next version, make it the champion, and name it as what serves.

        With ``refit``, what is known of a refitted model, the version holds one as well.
        """
        dump_model(self.model, folder / "model.skops")
        verdict = Verdict(
            gate="evaluation", decision="promote", reason="", subject="x",
            facts={"metric": METRIC.name, "test_score": score},
        )  # fmt: skip
        champion = self.registry.alias("champion")
        version = self.registry.publish(
            {
                "model.skops": folder / "model.skops",
                **({"refitted.skops": folder / "model.skops"} if refit else {}),
                "card.html": b"<html></html>",
                "card.json": b"{}",
                "contract.json": self.contract.model_dump_json().encode(),
                "golden.json": b'{"rows": [], "predictions": []}',
                "lineage.json": json.dumps({"run": run, "refit": refit or {}}).encode(),
                "profile.json": self.profile.model_dump_json().encode(),
                "project.yaml": project_to_yaml(self.project).encode(),
                "verdict.json": verdict.model_dump_json().encode(),
            },
            signer=signer_from(self.settings),
            parent=champion.version if champion else None,
        )
        for name in ("champion", "serving")[: 2 if deployed else 1]:
            self.point(name, version)
        return version

    def point(self, name, version):
        """Move a name."""
        before, signer = self.registry.alias(name), signer_from(self.settings)
        self.registry.move(name, version, Move("test", "test"), expected=before, signer=signer)

    def serve(self, end, rows=400, shift=0.0, days=7, version=1, labels=False, spoil=None, loans=""):
        """Answer rows spread over the days before a time, and store them."""
        frame, paid = customers(self.rng, rows, shift)
        if spoil is not None:
            frame = spoil(frame)
        said = self.model.predict_proba(self.contract.frame(frame))[:, 1]
        times = [end - timedelta(days=days) * (i + 1) / rows for i in range(rows)]
        self.requests += 1
        request = f"request-{self.requests}"
        ids = [f"{loans or request}-{i}" for i in range(rows)]
        values = json.loads(frame.assign(loan=ids).to_json(orient="records"))
        self.predictions.record(
            [
                PredictionRow("loans", request, i, version, times[i], values[i], str(p > 0.5).lower(), float(p))
                for i, p in enumerate(said)
            ]
        )
        if labels == "as published":
            paid = (said > 0.5) ^ (self.rng.random(rows) < 0.1)
        if labels:
            self.predictions.label([Label("loans", request, i, str(bool(v)), end) for i, v in enumerate(paid)])

    def tick(self, now=NOW, **options):
        options = {"submit": self.backend, **options}
        return tick(
            self.project, registry=self.registry, predictions=self.predictions, store=self.store, clock=lambda: now,
            **options,
        )  # fmt: skip

    def history(self, now=NOW):
        return self.log.history(now + timedelta(days=65), self.project.monitoring)


@pytest.fixture(scope="session")
def fitted():
    rng = np.random.default_rng(0)
    frame, paid = customers(rng, TRAINING_ROWS)
    settled = project()
    contract = Contract.of(settled, ["false", "true"])
    frame = contract.frame(frame)
    model = make_pipeline(
        make_column_transformer(
            (SimpleImputer(), ["amount", "age"]),
            (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), ["city"]),
        ),
        LogisticRegression(max_iter=5_000),
    ).fit(frame, paid.astype(int))
    days = pd.Series(pd.date_range(end=NOW - timedelta(days=30), periods=TRAINING_ROWS, freq="40min"))
    said = model.predict_proba(frame)
    answers = ColumnProfile.of(pd.Series(said[:, 1]))
    profile = Profile.of(frame, pd.Series(paid.astype(str), dtype=object), days)
    answers = answers.sliced(answers.codes(pd.Series(said[:, 1])), *profile.slices_of(days))
    profile = profile.with_model({"amount": 0.7, "age": 0.05, "city": 0.25}, answers)
    return model, contract, profile.model_copy(update={"estimation": Estimation.of(METRIC, paid.astype(int), said)})


@pytest.fixture
def make_world(quick_path, fitted):
    """Build a world with a champion; keyword arguments are those of ``monitoring`` in the project."""

    def build(**monitoring):
        model, contract, profile = fitted
        settings = Settings(home=quick_path / "home")
        settings.home.mkdir(exist_ok=True)
        world = World(settings, project(**monitoring), model, contract, profile, np.random.default_rng(1))
        world.publish(quick_path)
        return world

    return build


@pytest.fixture
def eager(make_world):
    """A world in which one alarmed window is enough."""
    return make_world(persistence={"alarms": 1, "windows": 1})
