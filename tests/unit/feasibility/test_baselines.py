import math

import pyarrow.parquet as pq
import pytest

from ciclo.components.core.intervals import Interval
from ciclo.components.feasibility.baselines import assess, decide
from ciclo.components.tables.datasets import Dataset
from tests.tables import dataset, project

GOOD, UNCLEAR = Interval(0.1, 0.2, 0.3), Interval(-0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("gains", "decision"),
    [
        ({"trivial": GOOD, "rule": GOOD}, "ml"),
        ({"trivial": GOOD, "rule": UNCLEAR}, "no_ml"),
        ({"trivial": Interval(math.nan, math.nan, math.nan)}, "no_ml"),
        ({}, "no_ml"),
    ],
    ids=["beats all", "not the rule", "undefined", "nothing to beat"],
)
def test_ml_has_to_beat_every_simple_answer(gains, decision):
    assert decide(gains, 0.0, "d", {}).decision == decision


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_ml_is_appropriate_where_several_columns_tell(tmp_path, task):
    path = dataset(tmp_path / "d.parquet", task, rows=2000)
    verdict = assess(project(task), Dataset.open(path), "d", tmp_path / "b.parquet")
    assert verdict.decision == "ml", verdict.reason
    answers = pq.read_table(tmp_path / "b.parquet").to_pandas()
    assert answers["row_id"].tolist() == Dataset.open(path, "test").rows["row_id"].tolist()


def test_ml_is_not_appropriate_for_noise(tmp_path):
    path = dataset(tmp_path / "d.parquet", signal=0.0)
    assert assess(project(), Dataset.open(path), "d", tmp_path / "b.parquet").decision == "no_ml"


def test_ml_is_not_appropriate_where_a_rule_is_enough(tmp_path):
    path = dataset(tmp_path / "d.parquet", rows=2000)
    frame = Dataset.open(path)
    rows = frame.rows.assign(y=frame.rows["size"] >= 0.25)
    parsed = project(design={"simple_rule": {"column": "size", "at_least": 0.25}})
    verdict = assess(parsed, Dataset(frame.contract, rows), "d", tmp_path / "b.parquet")
    assert verdict.decision == "no_ml"
    assert "rule" in verdict.reason


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_no_simple_answer_has_seen_a_test_label(tmp_path, task):
    path = dataset(tmp_path / "d.parquet", task, rows=800)
    whole, asked = Dataset.open(path), project(task, evaluation={"resamples": 100})

    def answers(lie: str) -> dict[str, list]:
        """What they say of the test rows where the labels of one split are turned around."""
        rows = whole.rows.copy()
        lied = (rows["split"] == lie).to_numpy()
        turned = {
            "binary": lambda y: ~y,
            "multiclass": lambda y: y.map({"low": "mid", "mid": "high", "high": "low"}),
            "regression": lambda y: y + 100,
        }[task]
        rows.loc[lied, "y"] = turned(rows.loc[lied, "y"])
        assess(asked, Dataset(whole.contract, rows), "d", tmp_path / lie)
        return pq.read_table(tmp_path / lie).to_pydict()

    honest = answers("none of them")
    assert answers("test") == honest
    assert answers("train") != honest
    assert answers("validation") != honest
