"""The simple answers and the first model as labels are judged, ids that stay whole, and what luck would do."""

import math
import types

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.discordance import least_width
from ciclo.components.core.metrics import METRICS
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.feasibility.assessment import assess
from ciclo.components.feasibility.baselines import baselines
from ciclo.components.feasibility.luck import MOST_SHUFFLES, by_luck, shuffles
from ciclo.components.feasibility.trials import FOLDS, _corrected, _folds, _together, tried
from ciclo.components.tables.datasets import Dataset
from tests.depth import some, thorough

LABELS = ["f1_score", "balanced_accuracy_score", "accuracy_score"]


def made(frame, metric="f1_score", ids=(), time="", **sections):
    """A project over a frame with the target ``y``, and its rows."""
    kinds = {"b": "boolean", "O": "category", "f": "number", "M": "timestamp", "i": "integer"}
    columns = {name: {"type": kinds[frame[name].dtype.kind]} for name in frame}
    data = {"source": "t.csv", "target": "y", "columns": columns, "id_columns": list(ids)}
    data |= {"time_column": time} if time else {}
    raw = {"name": "unit", "data": data, "training": {"metric": metric}, **sections}
    asked = project_from_mapping(raw | ({"cleaning": {"duplicates": "keep"}} if ids else {}), origin="test")
    part = np.arange(len(frame)) / len(frame)
    rows = frame.assign(
        **{
            SPLIT: np.where(part < 0.7, "train", np.where(part < 0.85, "validation", "test")),
            ROW_ID: [f"{n:032x}" for n in range(len(frame))],
        },
    )
    return asked, Dataset(
        Contract.of(asked, ("false", "true") if kinds[frame["y"].dtype.kind] == "boolean" else ()), rows
    )


def features(rows, seed, strength, rate):
    """Three features of that strength, and a target that is true in about so many."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=list("abc"))
    odds = strength * frame.sum(axis=1).to_numpy() + math.log(rate / (1 - rate))
    return frame.assign(y=rng.random(rows) < 1 / (1 + np.exp(-odds)))


@pytest.mark.parametrize("metric", LABELS)
@pytest.mark.parametrize("rate", [0.05, 0.46])
def test_always_the_same_is_the_best_there_is_without_a_look(metric, rate):
    asked, rows = made(features(2_000, 0, 0.0, rate), metric)
    trivial = baselines(asked, rows, "a")[0].predict("label", rows.X, [0, 1])
    best = max(METRICS[metric].score(rows.y, np.full(len(rows), label), [0, 1]) for label in (0, 1))
    assert METRICS[metric].score(rows.y, trivial, [0, 1]) == pytest.approx(best)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "rate"), some([(600, 0.46), (4_000, 0.46), (4_000, 0.1)]))
def test_noise_is_never_worth_a_model_where_labels_are_judged(tmp_path, rows, rate):
    asked, table = made(features(rows, 1, 0.0, rate))
    verdict = assess(asked, table, "d", tmp_path / "b.parquet")
    assert verdict.decision in ("no_ml", "cannot_tell"), verdict.reason
    assert verdict.facts["score_trivial"] == pytest.approx(2 * rate / (1 + rate), abs=0.05)


@pytest.mark.parametrize("metric", LABELS)
def test_the_rule_of_today_is_judged_as_it_is_stated(metric):
    """Of fraud among dear orders a third is true: the likeliest answer is never, the rule's is to look at each."""
    rng = np.random.default_rng(2)
    amount = rng.uniform(0, 1_500, 3_000)
    frame = pd.DataFrame({"amount": amount, "y": rng.random(3_000) < np.where(amount >= 1_000, 0.35, 0.03)})
    frame.loc[::50, "amount"] = np.nan
    rule = {"simple_rule": {"column": "amount", "at_least": 1000}}
    asked, rows = made(frame, metric, design=rule)
    stated = baselines(asked, rows, "amount")[-1].predict("label", rows.X, [0, 1])
    np.testing.assert_array_equal(stated, (frame["amount"] >= 1_000).astype(int))
    asked, rows = made(frame, "roc_auc_score", design=rule)
    assert np.ptp(baselines(asked, rows, "amount")[-1].predict("probability", rows.X, [0, 1])[:, 1]) > 0.2


def test_the_one_feature_gets_a_threshold_by_costs_where_the_project_has_them():
    frame = features(3_000, 3, 1.0, 0.1)
    shares = []
    for miss in (1, 20):
        costs = {"costs": {"false_positive": 1, "false_negative": miss}}
        asked, rows = made(frame, "accuracy_score", evaluation=costs)
        shares.append(baselines(asked, rows, "a")[1].predict("label", rows.X, [0, 1]).mean())
    assert shares[0] < 0.1 < 0.4 < shares[1]


@thorough
@pytest.mark.parametrize(
    ("metric", "rows"), [("f1_score", 800), ("f1_score", 12_000), ("balanced_accuracy_score", 12_000)]
)
def test_rare_classes_that_can_be_told_are_not_refused(tmp_path, metric, rows):
    asked, table = made(features(rows, 0, 0.9, 0.02), metric)
    verdict = assess(asked, table, "d", tmp_path / "b.parquet")
    assert verdict.decision == ("ml" if rows == 12_000 else verdict.decision) != "no_ml", verdict.reason
    assert rows < 1_000 or verdict.facts["score_first_model"] > verdict.facts["score_trivial"] + 0.1


def by_entity(seed, entities=60, rows=8):
    """Noise that is the same for all rows of an id, the label too."""
    rng, who = np.random.default_rng(seed), np.repeat(np.arange(entities), rows)
    frame = pd.DataFrame(
        rng.normal(size=(entities, 2))[who] + 0.01 * rng.normal(size=(who.size, 2)), columns=["a", "b"]
    )
    return frame.assign(who=[f"e{n}" for n in who], y=(rng.random(entities) < 0.5)[who])


@thorough
def test_ids_stay_whole_and_noise_that_is_known_by_heart_is_nothing(tmp_path):
    asked, rows = made(by_entity(0), "roc_auc_score", ids=["who"])
    known = rows.split("train", "validation")
    folds = list(_folds(asked, known, _together(asked, known)))
    assert len(folds) == 3 * FOLDS
    who = known.rows["who"].to_numpy()
    assert all(not set(who[fit]) & set(who[out]) for fit, out in folds)
    verdict = assess(asked, rows, "d", tmp_path / "b.parquet")
    assert verdict.decision != "ml", verdict.reason
    assert verdict.facts["permutation_p"] > 0.05


def test_the_folds_of_a_cross_validation_share_their_rows_and_so_its_interval_is_wide():
    """Nadeau and Bengio, 2003: the variance is taken 1/k + 1/(folds - 1) times, where k folds alone would say 1/k."""
    gains = np.arange(15.0)
    found = _corrected(gains, 0.95, 1_000, 0.0)
    assert found.point - found.low == pytest.approx(1.7613 * math.sqrt((1 / 15 + 1 / 4) * gains.var(ddof=1)), rel=1e-4)
    assert _corrected(np.ones(15), 0.95, 1_000, 0.02).low == pytest.approx(0.98)
    assert not _corrected(np.array([1.0, math.nan]), 0.95, 1_000, 0.0).bounded


def policy(metric="roc_auc_score", task="binary", confidence=0.95):
    return types.SimpleNamespace(
        metric=METRICS[metric],
        task=task,
        evaluation=types.SimpleNamespace(confidence=confidence),
        training=types.SimpleNamespace(seed=0),
    )


def two(positive):
    return np.column_stack([1 - positive, positive])


def test_answers_that_know_the_day_alone_are_no_better_than_luck():
    """Shuffled within each day they stay as good; shuffled among all rows they would look like skill."""
    rng, day = np.random.default_rng(0), np.repeat(np.arange(20), 30)
    hard = rng.random(20)[day]
    y, answers = (rng.random(600) < hard).astype(int), two(hard + 1e-6 * rng.random(600))
    assert by_luck(policy(), [(y, answers, day)], whole=False) > 0.05
    assert by_luck(policy(), [(y, answers, None)], whole=False) == 0.01
    better = two(hard + 0.3 * y)
    assert by_luck(policy(), [(y, better, day)], whole=False) == 0.01


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False])
def test_where_a_block_has_one_row_or_one_label_blocks_are_shuffled(whole):
    rng, day = np.random.default_rng(1), np.arange(300)
    y = np.repeat(rng.integers(0, 2, 30), 10)
    together = day // 10 if whole else day
    assert by_luck(policy(), [(y, two(0.5 * y + rng.random(300)), together)], whole=whole) == 0.01
    noise = np.repeat(rng.random(30), 10)
    found = [
        by_luck(policy(), [(np.repeat(rng.integers(0, 2, 30), 10), two(noise), together)], whole=whole)
        for _ in range(40)
    ]
    assert sum(p <= 0.05 for p in found) <= 5
    values = policy("root_mean_squared_error", "regression")
    assert by_luck(values, [(day / 9.0, day / 9.0 + rng.normal(size=300), day)], whole=False) == 0.01


def test_what_cannot_be_asked_of_luck_is_not_asked():
    y, answers = np.arange(40) % 2, two(np.arange(40) % 2 * 0.5)
    assert math.isnan(by_luck(policy(), [(np.repeat([0, 1], 20), answers, np.arange(40) // 5)], whole=True))
    assert (1 + shuffles(0.95), shuffles(0.99), shuffles(0.995), shuffles(0.9995)) == (100, 100, 200, 2_000)
    for confidence in (0.99, 0.995, 0.999):
        assert by_luck(policy(confidence=confidence), [(y, answers, None)], whole=False) <= 1 - confidence
    assert math.isnan(by_luck(policy(confidence=0.9999), [(y, answers, None)], whole=False))
    assert shuffles(0.999) <= MOST_SHUFFLES


@thorough
def test_one_row_a_day_can_be_worth_a_model_and_so_can_a_high_confidence(tmp_path):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(400, 2))
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(y=x.sum(axis=1) + 0.3 * rng.normal(size=400))
    frame["t"] = pd.date_range("2024-01-01", periods=400, freq="D", tz="UTC")
    asked, rows = made(frame, "root_mean_squared_error", time="t", evaluation={"confidence": 0.995})
    verdict = assess(asked, rows, "d", tmp_path / "b.parquet")
    assert verdict.decision == "ml", verdict.reason
    asked, rows = made(frame, "root_mean_squared_error", time="t", evaluation={"confidence": 0.9999})
    verdict = assess(asked, rows, "d", tmp_path / "b.parquet")
    assert verdict.decision == "ml", verdict.reason
    assert "asks for 10,000 shuffles; the bounds decide" in verdict.reason


@thorough
def test_validation_days_without_a_positive_are_no_reason_to_give_up(tmp_path):
    frame = features(2_400, 5, 1.5, 0.3)
    frame["t"] = pd.date_range("2026-01-01", periods=2_400, freq="h", tz="UTC")
    frame["y"] &= np.arange(2_400) < 1_500
    asked, rows = made(frame, "roc_auc_score", time="t")
    verdict = assess(asked, rows, "d", tmp_path / "b.parquet")
    assert verdict.decision == "ml", verdict.reason
    frame["y"] &= np.arange(2_400) < 24
    asked, rows = made(frame, "roc_auc_score", time="t")
    verdict = assess(asked, rows, "d", tmp_path / "b.parquet")
    assert verdict.decision == "cannot_tell"
    assert "nan" not in verdict.reason


@pytest.mark.slow
def test_what_all_folds_agree_on_is_no_surer_than_the_rarest_rows_allow():
    frame = features(120, 0, 0.0, 0.4)
    asked, rows = made(frame.assign(a=frame["y"] + 0.1 * frame["a"]), "roc_auc_score")
    known = rows.split("train", "validation")
    gain = tried(asked, known, "b").gains["trivial"]
    least = least_width(asked.metric, known.y, asked.evaluation.confidence)
    assert (gain.low, gain.point, gain.high) == pytest.approx((0.5 - least, 0.5, 0.5 + least))
    assert 0.02 < least < 0.2
