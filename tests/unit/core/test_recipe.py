"""The recipe: what makes another model of the same rows changes it, and nothing else does."""

import pytest

from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.recipe import PARTS, changed, recipe

COLUMNS = {
    "y": {"type": "boolean"},
    "a": {"type": "number", "missing": ["-1"]},
    "b": {"type": "category"},
    "id": {"type": "integer", "role": "ignored"},
}


def charter(columns: dict | None = None, data: dict | None = None, **sections: dict) -> Project:
    raw = {"source": "t.csv", "target": "y", "columns": {**COLUMNS, **(columns or {})}, **(data or {})}
    return project_from_mapping({"name": "unit", "data": raw, **sections}, origin="test")


LINEAR = {"estimator": "logistic_regression", "search": {"C": [1.0]}}
SAME = charter(training={"candidates": {"linear": LINEAR}})


def trained(**training: object) -> Project:
    return charter(training={"candidates": {"linear": LINEAR}, **training})


@pytest.mark.parametrize(
    ("today", "parts"),
    [
        (SAME, []),
        (trained(trials=40, seed=3, search_seconds=5, search_rows=99), []),
        (charter(evaluation={"confidence": 0.9}, training=SAME.training.model_dump()), []),
        (charter({"id": {"type": "integer", "role": "ignored", "why": "x"}}, training=SAME.training.model_dump()), []),
        (charter({"id": {"type": "integer"}}, training=SAME.training.model_dump()), ["features"]),
        (charter({"a": {"type": "number"}}, training=SAME.training.model_dump()), ["features"]),
        (charter({"a": {**COLUMNS["a"], "cycle": 24}}, training=SAME.training.model_dump()), ["features"]),
        (charter({"a": {**COLUMNS["a"], "maximum": 9}}, training=SAME.training.model_dump()), ["features"]),
        (trained(candidates={"linear": {**LINEAR, "search": {"C": [1.0, 2.0]}}}), ["candidates"]),
        (trained(candidates={"linear": LINEAR, "forest": {"estimator": "random_forest"}}), ["candidates"]),
        (trained(metric="log_loss"), ["metric"]),
        (charter({"a": {**COLUMNS["a"], "minimum": 9}}, training=SAME.training.model_dump()), ["features"]),
        (
            charter(cleaning={"missing": {"numbers": "mean"}}, training=SAME.training.model_dump()),
            ["cleaning"],
        ),
        (charter(data={"target": "b"}, columns={"b": {"type": "boolean"}}, training=SAME.training.model_dump()),
         ["features", "target"]),
    ],
)  # fmt: skip
def test_what_changes_it(today: Project, parts: list[str]) -> None:
    assert changed(recipe(today), recipe(SAME)) == parts


def test_the_order_of_columns_is_no_part_of_it() -> None:
    turned = {name: COLUMNS[name] for name in reversed(COLUMNS)}
    raw = {"name": "unit", "data": {"source": "t.csv", "target": "y", "columns": turned}}
    assert recipe(project_from_mapping(raw, origin="test")) == recipe(charter())


@pytest.mark.parametrize("theirs", [None, {}, "", 3])
def test_a_recipe_that_is_not_known_is_neither_the_same_nor_another(theirs: object) -> None:
    assert changed(recipe(SAME), theirs) is None


def test_a_part_that_a_lineage_lacks_is_another() -> None:
    assert changed(recipe(SAME), {"metric": recipe(SAME)["metric"]}) == [p for p in PARTS if p != "metric"]


def test_another_release_that_fits_other_models_has_another_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe(SAME)
    monkeypatch.setattr("ciclo.components.core.recipe.RECIPES", 99)
    assert changed(recipe(SAME), before) == ["release"]
