"""Many classes: a real model answers, a real store keeps the probability of every class, and the watch reads it."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ciclo.components.answering.engine import Engine
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.contract import Contract
from ciclo.components.core.estimation import Estimation
from ciclo.components.core.metrics import METRICS
from ciclo.components.core.profile import Profile
from ciclo.components.core.verdict import Verdict
from ciclo.components.monitoring.observing.observation import Observer
from ciclo.components.releases.names import Alias
from ciclo.components.storage.predictions import Label, PredictionRow, PredictionStore
from ciclo.components.training.candidates import build
from tests.tables import project, table

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
SPAN = timedelta(days=14)
CLASSES = ("low", "mid", "high")
ROWS = 1_500


@pytest.fixture(scope="module")
def fitted():
    charter, data = project("multiclass"), table(4_000, task="multiclass")
    contract = Contract.of(charter, CLASSES)
    model = build(charter.candidates["logistic_regression"], charter, contract, len(data), {})
    return model.fit(contract.frame(data), contract.encode(data["y"])), contract


@pytest.fixture
def watch(tmp_path, fitted):
    """Serve a week of rows and look at it; ``spread`` says how far the rows are from where the classes meet."""
    model, contract = fitted
    engine = Engine(model, contract)
    store = PredictionStore(f"sqlite:///{tmp_path}/predictions.sqlite")

    def look(metric, spread=1.0, lacking=0):
        test = table(4_000, task="multiclass", seed=1)
        X, y = contract.frame(test), contract.encode(test["y"])
        said = model.predict_proba(X)
        estimation = Estimation.of(METRICS[metric], y, said)
        answered = said if METRICS[metric].needs == "probability" else said.argmax(axis=1)
        published = METRICS[metric].score(y, answered, contract.codes)
        labels = pd.Series(test["y"], dtype=object)
        profile = Profile.of(X, labels).with_model({"size": 1.0}, ColumnProfile.of(labels))
        rows = table(ROWS, task="multiclass", seed=2)
        rows["size"] *= spread
        answers = engine.predict(contract.frame(rows))
        features = json.loads(rows.drop(columns="y").to_json(orient="records"))
        store.record(
            [
                PredictionRow(
                    "unit", "r", n, 1, NOON + n * SPAN / ROWS, asked, a["prediction"], a["probability"],
                    probabilities=None if n % 100 < lacking else a["probabilities"],
                )
                for n, (asked, a) in enumerate(zip(features, answers, strict=True))
            ]
        )  # fmt: skip
        store.label([Label("unit", "r", n, y, NOON + SPAN) for n, y in enumerate(rows["y"])])
        observer = Observer(
            project="unit",
            serving=Alias(1, "", 1, "", NOON.isoformat(), "test", "test"),
            profile=profile.model_copy(update={"estimation": estimation}),
            contract=contract,
            verdict=Verdict(
                gate="evaluation", decision="promote", reason="", subject="",
                facts={"metric": metric, "test_score": published},
            ),
            predictions=store,
            policy=project("multiclass").monitoring,
            label_delay=timedelta(0),
        )  # fmt: skip
        evidence = observer.evidence(NOON, NOON + SPAN)
        told = [[a["probabilities"][c] for c in CLASSES] for n, a in enumerate(answers) if n % 100 >= lacking]
        known = rows["y"].to_numpy()[[n for n in range(ROWS) if n % 100 >= lacking]]
        return evidence, np.array(told), contract.encode(pd.Series(known))

    yield look
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["log_loss", "roc_auc_score"])
def test_the_score_is_told_with_labels_and_without(watch, metric):
    evidence, told, truth = watch(metric)
    realised, estimate = evidence.performance, evidence.estimate
    assert realised.score.point == pytest.approx(METRICS[metric].score(truth, told, [0, 1, 2]))
    assert not realised.degraded
    assert estimate.score.low <= realised.score.point <= estimate.score.high
    assert not estimate.degraded
    assert "left out" not in realised.reason + estimate.reason


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["log_loss", "roc_auc_score", "balanced_accuracy_score"])
def test_harder_rows_are_seen_before_a_label_comes(watch, metric):
    evidence, _, _ = watch(metric, spread=0.1)
    assert evidence.estimate.degraded


@pytest.mark.slow
@pytest.mark.parametrize(("lacking", "told"), [(3, False), (40, True)])
def test_rows_of_a_release_before_are_left_out_and_counted_where_they_are_many(watch, lacking, told):
    evidence, said, truth = watch("log_loss", lacking=lacking)
    assert evidence.performance.rows == len(truth) == ROWS - 15 * lacking
    assert evidence.performance.score.point == pytest.approx(METRICS["log_loss"].score(truth, said, [0, 1, 2]))
    for reason in (evidence.performance.reason, evidence.estimate.reason):
        assert ("; 600 of 1,500 rows are left out" in reason) == told
        assert ("left out" in reason) == told


@pytest.mark.slow
def test_nothing_is_estimated_where_no_row_has_the_probability_of_every_class(watch):
    evidence, _, _ = watch("log_loss", lacking=100)
    assert evidence.estimate is None
    assert evidence.performance.score is None
    assert "0 labelled rows are too few, 50 are needed; 1,500 of 1,500 rows" in evidence.performance.reason
