"""Is ML appropriate? Three answers, and only what is sure ends a run."""

import math
import re

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.intervals import Interval
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.sections import Evaluation
from ciclo.components.feasibility.assessment import Gained, _lucky, assess, decide
from ciclo.components.tables.datasets import Dataset
from tests.depth import some, thorough
from tests.tables import dataset, project

GOOD, UNCLEAR, USELESS = Interval(0.1, 0.2, 0.3), Interval(-0.1, 0.2, 0.3), Interval(-0.02, -0.001, 0.009)
AT_THE_LIMIT, NAN = Interval(-0.02, 0.0, 0.01), Interval(math.nan, math.nan, math.nan)


@pytest.mark.parametrize(
    ("gains", "policy", "luck", "decision", "says"),
    [
        ({"trivial": GOOD, "rule": GOOD}, {}, 0.01, "ml", "beats every simple answer"),
        ({"trivial": GOOD, "rule": UNCLEAR}, {}, 0.01, "cannot_tell", "about 12[56] rows more would tell"),
        ({"trivial": GOOD, "rule": USELESS}, {}, 0.01, "no_ml", "evaluation.least_useful_gain lower.*now 0.01"),
        ({"trivial": UNCLEAR, "rule": USELESS}, {}, 0.01, "no_ml", "rule answer is .*surely below 0.01"),
        ({"trivial": AT_THE_LIMIT}, {}, 0.01, "cannot_tell", "trivial"),
        ({"trivial": USELESS}, {"least_useful_gain": 0}, 0.01, "cannot_tell", "training goes on"),
        ({"trivial": GOOD}, {}, 0.05, "ml", "shuffled answers score as well in 5%"),
        ({"trivial": GOOD}, {}, 0.06, "cannot_tell", "shuffled answers score as well in 6%"),
        ({"trivial": GOOD}, {"minimum_gain_over_baseline": 0.1}, 0.01, "cannot_tell", "trivial"),
        ({"trivial": NAN}, {}, 0.01, "cannot_tell", "trivial answer is not known, without bounds"),
        ({"trivial": GOOD}, {}, math.nan, "ml", "what luck alone would do is not asked"),
        ({"trivial": UNCLEAR}, {}, math.nan, "cannot_tell", "trivial"),
        ({"trivial": Interval(0.0, 0.0, 0.0)}, {}, 0.01, "cannot_tell", "nothing varies"),
        ({"trivial": Interval(0.2, 0.2, 0.2)}, {}, 0.01, "cannot_tell", "nothing varies"),
        ({}, {}, 0.01, "cannot_tell", "goes on"),
    ],
)
def test_truth_table(gains, policy, luck, decision, says):
    found = {name: Gained(gain, 0.01) for name, gain in gains.items()}
    verdict = decide(found, luck, Evaluation(**policy), "d", {}, pieces=100)
    assert verdict.decision == decision
    assert re.search(says, verdict.reason), verdict.reason
    assert bool(verdict.failures) is (decision == "no_ml")


@pytest.mark.slow
@pytest.mark.parametrize("task", some(["binary", "multiclass", "regression"]))
def test_ml_is_appropriate_where_several_columns_tell(tmp_path, task):
    path = dataset(tmp_path / "d.parquet", task, rows=2000)
    verdict = assess(project(task), Dataset.open(path), "d", tmp_path / "b.parquet")
    assert verdict.decision == "ml", verdict.reason
    assert "validation rows" in verdict.facts["method"]
    assert verdict.facts["learning_curve"].count("rows: ") == 3


@pytest.mark.slow
@pytest.mark.parametrize("rows", some([2000, 400], 2), ids=str)
def test_a_column_without_one_value_is_no_obstacle(tmp_path, rows):
    known = Dataset.open(dataset(tmp_path / "d.parquet", rows=rows))
    emptied = Dataset(known.contract, known.rows.assign(noise=np.nan))
    assert assess(project(), emptied, "d", tmp_path / "b.parquet").decision == "ml"


def weak(rows, strength, seed, days=0):
    """Five features of one strength, and what a project says of them; rows of so many days if there are any."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 5))
    frame = pd.DataFrame(values, columns=list("abcde"))
    frame["y"] = rng.random(rows) < 1 / (1 + np.exp(-strength * values.sum(axis=1)))
    columns = {"y": {"type": "boolean"}, **{name: {"type": "number"} for name in "abcde"}}
    data = {"source": "t.csv", "target": "y", "columns": columns}
    if days:
        frame["t"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows) * days // rows, unit="D")
        columns["t"] = {"type": "timestamp"}
        data["time_column"] = "t"
    part = np.arange(rows) / rows
    frame[SPLIT] = np.where(part < 0.7, "train", np.where(part < 0.85, "validation", "test"))
    frame[ROW_ID] = [f"{n:032x}" for n in range(rows)]
    asked = project_from_mapping({"name": "unit", "data": data}, origin="test")
    return asked, Dataset(Contract.of(asked, ("false", "true")), frame)


@thorough
def test_a_small_table_that_tells_is_not_refused_for_its_size(tmp_path):
    asked, rows = weak(890, 0.45, 1)
    verdict = assess(asked, rows, "d", tmp_path / "b.parquet")
    assert verdict.decision == "ml", verdict.reason
    assert "cross-validation, 3 times, on 757 training and validation rows" in verdict.facts["method"]
    assert verdict.facts["permutation_p"] == 0.01


@thorough
def test_weak_features_and_noise_of_a_few_rows_are_not_refused_for_good(tmp_path):
    asked, rows = weak(300, 0.245, 0)
    assert assess(asked, rows, "d", tmp_path / "b.parquet").decision in ("ml", "cannot_tell")
    asked, rows = weak(300, 0.0, 0)
    assert assess(asked, rows, "d", tmp_path / "b.parquet").decision in ("no_ml", "cannot_tell")


@thorough
def test_days_stay_whole_where_the_split_is_by_time_and_few_of_them_tell_nothing(tmp_path):
    asked, rows = weak(800, 1.0, 0, days=24)
    verdict = assess(asked, rows, "d", tmp_path / "b.parquet")
    assert (verdict.decision, "days" in verdict.reason) == ("ml", False)
    asked, rows = weak(800, 1.0, 0, days=6)
    verdict = assess(asked, rows, "d", tmp_path / "b.parquet")
    assert (verdict.decision, "without bounds" in verdict.reason) == ("cannot_tell", True)


@pytest.mark.slow
def test_ml_is_not_appropriate_for_noise_of_many_rows(tmp_path):
    asked, rows = weak(60_000, 0.0, 0)
    verdict = assess(asked, rows, "d", tmp_path / "b.parquet")
    assert verdict.decision in ("no_ml", "cannot_tell")
    assert verdict.decision == "no_ml", verdict.reason


@pytest.mark.slow
def test_ml_is_not_appropriate_where_a_rule_is_enough(tmp_path):
    path = dataset(tmp_path / "d.parquet", rows=10_000)
    frame = Dataset.open(path)
    rows = frame.rows.assign(y=frame.rows["size"] >= 0.25)
    parsed = project(design={"simple_rule": {"column": "size", "at_least": 0.25}})
    verdict = assess(parsed, Dataset(frame.contract, rows), "d", tmp_path / "b.parquet")
    assert verdict.decision == "no_ml"
    assert "rule" in verdict.reason


def test_a_score_that_as_few_shuffles_reach_as_the_confidence_allows_is_no_luck():
    policy = Evaluation(confidence=0.75)
    assert [_lucky(share, policy).passed for share in (0.2, 0.25, 0.26)] == [True, True, False]
