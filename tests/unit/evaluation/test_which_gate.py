"""Which gate a candidate goes through, from what the lineage of the champion holds; and what runs remember."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from ciclo.components.core.recipe import recipe
from ciclo.components.evaluation.champion import Champion, gate_of, read_champion, read_origin
from ciclo.components.evaluation.memory import Unbeaten
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import Registry
from ciclo.components.storage.directory import DirectoryStore
from tests.keys import SIGNER, TRUST
from tests.tables import project
from tests.versions import files

THEN, NOW = "2026-01-15T00:00:00+00:00", "2026-02-15T00:00:00+00:00"
KNOWN = {"recipe": recipe(project()), "train_end": THEN, "data": {"dataset_digest": "old", "rows": 100}}


def champion(**lineage: Any) -> Champion:
    return Champion(3, SimpleNamespace(lineage={**KNOWN, **lineage}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "end", "digest", "rows", "name", "why"),
    [
        (None, NOW, "new", 110, "first", "no champion yet"),
        (champion(), NOW, "new", 90, "refresh", "recipe is that of version 3, and the rows are newer"),
        (champion(), THEN, "new", 110, "change", "no row is newer"),
        (champion(), "2026-01-15T01:00:00+01:00", "new", 110, "change", "no row is newer"),
        (champion(), None, "new", 110, "refresh", "newer"),
        (champion(), None, "new", 100, "change", "no row is newer"),  # another share of test rows, or other rows
        (champion(), None, "new", 50, "change", "no row is newer"),
        (champion(), None, "old", 110, "change", "no row is newer"),
        (champion(train_end=None), NOW, "new", 110, "refresh", "newer"),
        (champion(train_end=None, data={}), NOW, "new", 110, "change", "no row is newer"),
        (champion(recipe=None), NOW, "new", 110, "change", "does not hold its recipe"),
        (champion(recipe={**KNOWN["recipe"], "features": "x"}), NOW, "new", 110, "change", "another than.*: features"),
        (Champion(3, None, "altered"), NOW, "new", 110, "change", "cannot be read"),
    ],
)
def test_the_gate_follows_from_lineage(found, end, digest, rows, name, why):
    gate = gate_of(found, project(), end, digest, rows)
    assert gate.name == name
    assert re.search(why, gate.why)


@pytest.mark.parametrize(
    ("costs", "by", "name"),
    [
        ({"false_positive": 1, "false_negative": 20}, "the greatest f1_score", "refresh"),
        (None, "the least cost, 1 for a false positive and 20 for a false negative", "refresh"),
        (None, "the greatest f1_score", "change"),
        (None, None, "change"),
    ],
)
def test_other_costs_of_an_error_reach_what_serves(costs, by, name):
    """They move the label's threshold, which a metric of ranks does not see; the model only has to be no worse."""
    asked = project(evaluation={"costs": costs})
    gate = gate_of(champion(model={"threshold_by": by}), asked, THEN, "old", 100)
    assert gate.name == name
    assert (str(by) in gate.why) is (name == "refresh")


def test_a_chain_of_refreshes_is_held_to_its_first_version(tmp_path):
    registry = Registry(DirectoryStore(tmp_path / "store"), "unit", TRUST)
    for origin in (None, 1, 7):
        lineage = json.dumps({"run": "r", "refreshed_from": origin}).encode()
        alias = registry.alias("champion")
        version = registry.publish({**files(), "lineage.json": lineage}, signer=SIGNER, parent=alias and alias.version)
        registry.move("champion", version, Move("test", ""), expected=alias, signer=SIGNER)
        now = read_champion(registry, tmp_path / f"champion{version}")
        found = read_origin(registry, now, tmp_path / f"origin{version}")
        if origin is None:
            assert found is None
        elif origin == 1:
            assert (found.version, found.problem, found.bundle is not None) == (1, "", True)
        else:
            assert (found.version, found.bundle, "cannot be read" in found.problem) == (7, None, True)
    assert read_origin(registry, Champion(3, None, "altered"), tmp_path / "none") is None


def test_runs_in_a_row_are_counted_once_each_and_forgotten_when_something_beats(tmp_path):
    memory = Unbeaten(DirectoryStore(tmp_path), "unit")
    assert memory.before("a") == 0
    memory.remember("a", unbeaten=True)
    memory.remember("a", unbeaten=True)
    assert (memory.before("a"), memory.before("b")) == (0, 1)
    memory.remember("b", unbeaten=True)
    assert (memory.before("b"), memory.before("c")) == (1, 2)
    memory.remember("", unbeaten=True)
    assert memory.before("c") == 2
    assert Unbeaten(DirectoryStore(tmp_path), "other").before("c") == 0
    memory.remember("c", unbeaten=False)
    assert memory.before("d") == 0
