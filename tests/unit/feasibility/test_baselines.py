"""The simple answers: what they may see, and that the one feature stays the one of the first version."""

import json

import pyarrow.parquet as pq
import pytest

from ciclo.components.core.own_columns import SPLIT
from ciclo.components.core.settings import Settings
from ciclo.components.feasibility.assessment import assess
from ciclo.components.feasibility.baselines import Fixed, best_feature, fixed_feature
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.signing import signer_from
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.relations import SINGLE_FEATURE
from tests.depth import some
from tests.tables import dataset, project
from tests.versions import files


def published(tmp_path, **lineage):
    """Settings of a store whose champion has that lineage."""
    current = Settings(home=tmp_path, _env_file=None)
    registry, signer = open_registry("unit", current), signer_from(current)
    contents = {**files(), "lineage.json": json.dumps({"run": "r", **lineage}).encode()}
    registry.publish(contents, signer=signer, parent=None)
    registry.move("champion", 1, Move("test", ""), expected=None, signer=signer)
    return current


@pytest.mark.slow
def test_the_feature_of_the_champion_stays_though_another_tells_more(tmp_path):
    current = published(tmp_path, single_feature="noise")
    fixed, path = fixed_feature(project(), current), dataset(tmp_path / "d.parquet", rows=2200)
    assert fixed == Fixed("noise")
    whole = Dataset.open(path)
    assert best_feature(project(), whole) == "size"
    verdict = assess(project(), whole, "d", tmp_path / "b.parquet", fixed)
    assert verdict.facts["single_feature"] == "noise"
    assert pq.read_schema(tmp_path / "b.parquet").metadata[SINGLE_FEATURE] == b"noise"


@pytest.mark.slow
def test_the_feature_is_chosen_where_there_is_none_and_anew_only_where_it_is_gone(tmp_path):
    empty = Settings(home=tmp_path / "empty", _env_file=None)
    assert fixed_feature(project(), empty) == Fixed()
    assert fixed_feature(project(), published(tmp_path / "old")) == Fixed()
    gone = fixed_feature(project(), published(tmp_path / "gone", single_feature="old"))
    assert (gone.feature, "'old', is no feature any more" in gone.why) == ("", True)
    path = dataset(tmp_path / "d.parquet", rows=2200)
    verdict = assess(project(), Dataset.open(path), "d", tmp_path / "b.parquet", gone)
    assert (verdict.facts["single_feature"], gone.why in verdict.reason) == ("size", True)


def test_a_champion_that_was_altered_does_not_choose(tmp_path):
    current = published(tmp_path, single_feature="noise")
    path = tmp_path / "store/projects/unit/versions/1/lineage.json"
    path.write_bytes(path.read_bytes() + b" ")
    fixed = fixed_feature(project(), current)
    assert (fixed.feature, fixed.why.startswith("The feature of the simple answer is chosen anew: ")) == ("", True)


@pytest.mark.slow
@pytest.mark.parametrize("task", some(["binary", "multiclass", "regression"]))
def test_no_simple_answer_has_seen_a_test_label(tmp_path, task):
    path = dataset(tmp_path / "d.parquet", task, rows=2200)
    whole, asked = Dataset.open(path), project(task)

    def answers(lie: str) -> dict[str, list]:
        """What they say of the test rows where the labels of one split are turned around."""
        rows = whole.rows.copy()
        lied = (rows[SPLIT] == lie).to_numpy()
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
