"""Realised performance: doubt is in favour of the model, and labels come in any shape."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.contract import Contract, ContractColumn
from ciclo.components.core.metrics import METRICS
from ciclo.components.core.profile import Profile
from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.observing.performance import anchored, encoded, realised

POLICY = Monitoring()


def contract(task, target_type, classes=()):
    column = ContractColumn(name="x", type="number")
    return Contract(task=task, target="y", target_type=target_type, classes=classes, columns=(column,))


BINARY = contract("binary", "boolean", ("false", "true"))
MULTI = contract("multiclass", "category", ("a", "b", "c"))
REGRESSION = contract("regression", "number")


def binary_window(rows, strength, seed=0):
    """Scores whose AUC is about ``norm.cdf(strength / sqrt(2))``."""
    rng = np.random.default_rng(seed)
    y = rng.random(rows) < 0.4
    score = 1 / (1 + np.exp(-(rng.normal(size=rows) + strength * y)))
    said = np.where(score > 0.5, "true", "false")
    return pd.DataFrame({"prediction": said, "probability": score, "label": [str(v) for v in y]})


@pytest.mark.parametrize(
    ("rows", "strength", "degraded"),
    [(2_000, 1.2, False), (2_000, 0.3, True), (60, 0.9, False), (2_000, 1.0, False)],
    ids=["as published", "much worse", "worse but few", "a little worse"],
)
def test_only_a_certain_and_large_loss_counts(rows, strength, degraded):
    found = realised(binary_window(rows, strength), BINARY, METRICS["roc_auc_score"], 0.80, POLICY)
    assert found.degraded is degraded
    assert found.rows == rows
    assert found.score.low < found.score.point < found.score.high


def test_a_model_as_good_as_published_is_never_called_worse():
    reference = 0.8023  # the AUC of scores that lie 1.2 standard deviations apart
    windows = [binary_window(300, 1.2, seed) for seed in range(40)]
    assert not any(realised(w, BINARY, METRICS["roc_auc_score"], reference, POLICY).degraded for w in windows)


@pytest.mark.parametrize(("noise", "degraded"), [(1.0, False), (1.03, False), (1.5, True), (0.5, False)])
def test_a_metric_to_minimise_is_read_the_other_way(noise, degraded):
    rng = np.random.default_rng(1)
    truth = rng.normal(size=3_000)
    window = pd.DataFrame(
        {"prediction": truth + noise * rng.normal(size=3_000), "probability": math.nan, "label": truth}
    )
    found = realised(window, REGRESSION, METRICS["root_mean_squared_error"], 1.0, POLICY)
    assert found.degraded is degraded


@pytest.mark.parametrize(("right", "degraded"), [(0.9, False), (0.5, True)])
def test_many_classes_are_judged_by_their_labels(right, degraded):
    rng = np.random.default_rng(2)
    truth = rng.choice(["a", "b", "c"], 1_000)
    said = np.where(rng.random(1_000) < right, truth, "a")
    window = pd.DataFrame({"prediction": said, "probability": 0.9, "label": truth})
    assert realised(window, MULTI, METRICS["balanced_accuracy_score"], 0.9, POLICY).degraded is degraded


def sure(rows, sharpness, seed=0):
    """Answers of three classes that are as sure as they are right, if they are as sharp as when published: 2."""
    rng = np.random.default_rng(seed)
    said = rng.dirichlet([1 / sharpness] * 3, rows)
    truth = np.array([rng.choice(3, p=p) for p in said])
    return pd.DataFrame(
        {
            "prediction": np.array(MULTI.classes)[said.argmax(axis=1)],
            "probability": said.max(axis=1),
            "probabilities": [json.dumps(dict(zip("cab", p, strict=True))) for p in said[:, [2, 0, 1]].tolist()],
            "label": np.array(MULTI.classes)[truth],
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["log_loss", "roc_auc_score"])
@pytest.mark.parametrize(("sharpness", "degraded"), [(2, False), (0.4, True)])
def test_many_classes_are_judged_by_the_probability_of_every_class(metric, sharpness, degraded):
    window = sure(2_000, sharpness)
    said = np.array([[json.loads(text)[c] for c in MULTI.classes] for text in window["probabilities"]])
    expected = METRICS[metric].score(encoded(window["label"], MULTI).astype(int), said, MULTI.codes)
    published = sure(5_000, 2, seed=1)
    then = realised(published, MULTI, METRICS[metric], 0.5, POLICY).score.point
    found = realised(window, MULTI, METRICS[metric], then, POLICY)
    assert found.score.point == pytest.approx(expected)
    assert (found.rows, found.degraded) == (2_000, degraded)
    assert "left out" not in found.reason


def test_rows_without_the_probability_of_every_class_are_left_out_and_counted_where_they_are_many():
    window = sure(1_000, 2)
    other = json.dumps({"a": 0.5, "b": 0.5})
    for number, told in ((10, ""), (300, "; 300 of 1,000 rows are left out")):
        lacking = window.assign(
            probabilities=[other] * 3 + [None] * (number - 3) + window["probabilities"].tolist()[number:]
        )
        found = realised(lacking, MULTI, METRICS["log_loss"], 0.5, POLICY)
        assert found.rows == 1_000 - number
        assert found.score == realised(window.iloc[number:], MULTI, METRICS["log_loss"], 0.5, POLICY).score
        assert told in found.reason
        assert ("left out" in found.reason) == bool(told)
    none = window.assign(probabilities=None)
    assert "0 labelled rows are too few" in unjudged(none, MULTI, "log_loss")
    assert "1,000 of 1,000 rows are left out" in unjudged(none, MULTI, "log_loss")
    assert realised(none, MULTI, METRICS["accuracy_score"], 0.5, POLICY).rows == 1_000


def unjudged(window, which, metric, reference=0.8):
    found = realised(window, which, METRICS[metric], reference, POLICY)
    assert found.score is None
    assert not found.degraded
    return found.reason


def test_what_cannot_be_told_is_not_called_worse():
    window = binary_window(500, 1.0)
    assert "49 labelled rows are too few" in unjudged(window.head(49), BINARY, "roc_auc_score")
    one_class = window.assign(label="true")
    assert "two classes" in unjudged(one_class, BINARY, "roc_auc_score")
    assert "not known" in unjudged(window, BINARY, "roc_auc_score", math.nan)
    assert "0 labelled rows" in unjudged(window.assign(label=math.nan), BINARY, "roc_auc_score")


@pytest.mark.parametrize(
    ("which", "labels", "codes"),
    [
        (BINARY, ["true", True, 1, 1.0, "1", "False", 0.0], [1, 1, 1, 1, 1, 0, 0]),
        (BINARY, [None, math.nan, "maybe"], [None, None, None]),
        (contract("binary", "integer", ("0", "1")), [1, 1.0, "1", 0, 2, None], [1, 1, 1, 0, None, None]),
        (contract("binary", "number", ("0.0", "1.0")), [1.0, 0.0, "1.0"], [1, 0, 1]),
        (MULTI, ["a", "c", "d", None], [0, 2, None, None]),
        (REGRESSION, ["1.5", 2, None, "much"], [1.5, 2, None, None]),
    ],
    ids=["boolean", "no boolean", "integer", "number", "text", "value"],
)  # fmt: skip
def test_labels_are_read_in_any_shape(which, labels, codes):
    expected = [math.nan if c is None else float(c) for c in codes]
    np.testing.assert_array_equal(encoded(pd.Series(labels, dtype=object), which), expected)


def test_the_same_window_gives_the_same_interval():
    window = binary_window(400, 1.0)
    first, second = (realised(window, BINARY, METRICS["roc_auc_score"], 0.8, POLICY) for _ in range(2))
    assert first == second


def window_of_people(seed, people=40, lost=0.0):
    """Rows of some people on 28 days; what makes them differ from each other is in the scores and in the labels."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), 1_600 // people)
    score = rng.normal(size=who.size) + 1.5 * rng.normal(size=people)[who]
    y = rng.random(who.size) < 1 / (1 + np.exp(-score - 1.5 * rng.normal(size=people)[who]))
    days = pd.to_timedelta(rng.integers(0, 28, who.size), unit="D")
    told = score + lost * rng.normal(size=who.size)
    return pd.DataFrame(
        {
            "prediction": "true", "probability": 1 / (1 + np.exp(-told)), "label": [str(v) for v in y],
            "time": pd.Timestamp("2026-01-01", tz="UTC") + days, "entity": who,
        }
    )  # fmt: skip


def test_an_unchanged_model_is_not_called_worse_for_its_luck_with_some_people():
    """Its AUC is .788. Told by the days alone it would be called worse in a tenth of the windows."""
    windows, metric = [window_of_people(seed) for seed in range(20)], METRICS["roc_auc_score"]
    assert not any(realised(w, BINARY, metric, 0.788, POLICY).degraded for w in windows)
    assert any(realised(w.drop(columns="entity"), BINARY, metric, 0.788, POLICY).degraded for w in windows)
    assert realised(window_of_people(0, lost=8.0), BINARY, metric, 0.788, POLICY).degraded, "a real loss is seen"


def test_of_days_and_people_the_one_that_is_less_sure_of_a_loss_is_believed():
    metric, told = METRICS["roc_auc_score"], set()
    for seed in range(3):
        both = window_of_people(seed)
        if seed == 2:  # people are alike here, and days are not
            both = both.assign(
                time=both["time"].min() + pd.to_timedelta(both["entity"] // 2, unit="D"),
                entity=np.random.default_rng(0).permutation(both["entity"]),
            )
        days = both.drop(columns="entity")
        people = both.assign(time=both["time"].min() + pd.to_timedelta(both["entity"], unit="D")).drop(columns="entity")
        found, *each = (realised(w, BINARY, metric, 0.788, POLICY).lost for w in (both, days, people))
        assert found == min(each, key=lambda lost: lost.low)
        told.add(each.index(found))
    assert told == {0, 1}
    assert "labelled rows of 8 entities are too few" in unjudged(window_of_people(0, people=8), BINARY, metric.name)


@pytest.mark.parametrize(
    ("whose", "stored", "entities"),
    [
        (("who",), [{"who": "a"}, {"who": "b"}, {"who": "a"}, {"who": None}, {}], [0, 1, 0, 2, 3]),
        (("who", "where"), [{"who": 1, "where": 1}, {"who": 1, "where": 2}, {"who": 1, "where": 1}], [0, 1, 0]),
        (("who",), [{"who": "a"}, {"who": "b"}], None),
        (("who",), [{}, {"who": None}], None),
        ((), [{"who": "a"}, {"who": "a"}], None),
    ],
    ids=["some do not say", "two columns", "each has a row of its own", "nobody says", "not asked"],
)
def test_whose_a_row_is_comes_from_what_came_along(whose, stored, entities):
    labelled = pd.DataFrame({"features": [json.dumps(row) for row in stored], "prediction": '"true"'})
    profile = Profile(rows=1, columns={}, target=ColumnProfile(kind="number", counts=(0, 0, 0), edges=(0.0,)))
    found = anchored(labelled, BINARY, profile, whose)
    assert ("entity" in found) is (entities is not None)
    assert entities is None or found["entity"].tolist() == entities
