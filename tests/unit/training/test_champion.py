"""A search begins with what the champion was fitted with, where that is known."""

import json

import pytest

from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import CHAMPION, Move
from ciclo.components.releases.registry import open_registry
from ciclo.components.training.champion import champion_parameters
from tests.tables import project
from tests.versions import files

MADE = {"candidate": "logistic_regression", "estimator": "logistic_regression", "parameters": {"C": 0.02}}


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", unsigned=True, _env_file=None)


def crown(settings, model) -> None:
    registry = open_registry("unit", settings)
    parts = files()
    lineage = {**json.loads(parts["lineage.json"]), "model": model}
    version = registry.publish({**parts, "lineage.json": json.dumps(lineage).encode()}, signer=None, parent=None)
    registry.move(CHAMPION, version, Move("test", "test"), expected=None, signer=None)


@pytest.mark.parametrize(("made", "name", "found"), [
    (MADE, "logistic_regression", {"C": 0.02}),
    (MADE, "random_forest", {}),
    (MADE, "gone", {}),
    ({**MADE, "estimator": "ridge"}, "logistic_regression", {}),
    ({"candidate": "logistic_regression"}, "logistic_regression", {}),
    ({**MADE, "parameters": "C=3"}, "logistic_regression", {}),
    ("of another release", "logistic_regression", {}),
])  # fmt: skip
def test_the_parameters_of_the_same_candidate_with_the_same_estimator(settings, made, name, found):
    crown(settings, made)
    assert champion_parameters(project(), name, settings) == found


def test_there_may_be_no_champion(settings):
    assert champion_parameters(project(), "logistic_regression", settings) == {}


def test_a_champion_that_cannot_be_read_is_no_error(settings):
    crown(settings, MADE)
    (lineage,) = (settings.home).rglob("versions/1/lineage.json")
    lineage.write_text("{}")
    assert champion_parameters(project(), "logistic_regression", settings) == {}
