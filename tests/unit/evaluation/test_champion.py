"""The champion as a rival: asked about rows it has surely not seen, or not asked at all, and never an error."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import IntegrityError
from ciclo.components.core.own_columns import ROW_ID
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.splits import fingerprint
from ciclo.components.evaluation.champion import Answers, Champion, ask, read_champion
from ciclo.components.releases.names import Move
from ciclo.components.releases.registry import Registry
from ciclo.components.storage.directory import DirectoryStore
from ciclo.components.tables.datasets import Dataset
from tests.keys import SIGNER, TRUST
from tests.versions import files

START = pd.Timestamp("2026-01-01", tz="UTC")


def charter(**changes: Any) -> Project:
    """A project over two features, an id and a time."""
    data = {
        "source": "x.csv",
        "target": "y",
        "time_column": "at",
        "id_columns": ["id"],
        "columns": {
            "id": {"type": "integer"},
            "at": {"type": "timestamp"},
            "a": {"type": "number"},
            "b": {"type": "category"},
            "y": {"type": "boolean"},
        },
    }
    raw: dict[str, Any] = {"name": "unit", "data": data, "cleaning": {"split": {"method": "hash"}}}
    for path, value in changes.items():
        *sections, last = path.split("__")
        place = raw
        for section in sections:
            place = place.setdefault(section, {})
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    return project_from_mapping(raw, origin="test")


@dataclass
class Model:
    """Says how often it was asked."""

    classes_: list[int] = field(default_factory=lambda: [0, 1])

    def predict_proba(self, X: pd.DataFrame) -> Any:
        return np.column_stack([np.full(len(X), 0.4), np.full(len(X), 0.6)])


def champion(trained: Project, train_end: str = "2026-01-15T00:00:00+00:00", **lineage: Any) -> Champion:
    """A champion of version 3 that was trained under a project."""
    contract = Contract.of(trained, ("false", "true"))
    told = {"split": fingerprint(trained), "train_end": train_end, **lineage}
    return Champion(3, SimpleNamespace(contract=contract, lineage=told, model=Model))  # type: ignore[arg-type]


def judging_rows(today: Project, rows: int = 60) -> Dataset:
    """Test rows, two a day from the first of January on; every third is one since it is equal to one."""
    frame = pd.DataFrame(
        {
            "id": range(rows),
            "at": [START + pd.Timedelta(hours=12) * n for n in range(rows)],
            "a": np.linspace(0, 1, rows),
            "b": ["x"] * rows,
            "y": [n % 2 == 0 for n in range(rows)],
            ROW_ID: ["0" * 32 if n % 3 else "f" * 32 for n in range(rows)],
        }
    )
    return Dataset(Contract.of(today, ("false", "true")), frame)


def other_rows(test: Dataset) -> Dataset:
    """Rows of training, in all but the label equal to the first ten test rows."""
    return Dataset(test.contract, test.rows.head(10).assign(y=False))


def ask_beside(found: Champion, today: Project, test: Dataset) -> Answers:
    """What it answers, beside the other rows."""
    return ask(found, today, test, other_rows(test))


SAME, OTHER_TEST = charter(), charter(cleaning__split__test=0.45)
APART = {"method": "hash", "equal_rows": "apart"}
GROUPED = {"method": "hash", "group": "b"}
BY_IDENTITY = charter(cleaning__split=APART)
BY_TIME = charter(cleaning__split={"method": "time", "test": "14d", "validation": "7d"})
ALL = 60
LATER = 31  # of sixty rows, two a day, those after the fifteenth of January
ALONE = LATER + 13  # and of the others those that are test rows by themselves, and equal to no other row

# The project of the champion, that of today, and how many of sixty test rows the champion is asked about; 0 is not at
# all, since fewer than evaluation.minimum_rows would be left.
SPLITS: dict[str, tuple[Project, Project, int]] = {
    "the same hash": (SAME, SAME, ALL),
    "another share of test rows": (SAME, OTHER_TEST, LATER),
    "another share of validation rows": (SAME, charter(cleaning__split__validation=0.2), LATER),
    "equal rows together, then apart": (SAME, BY_IDENTITY, ALONE),
    "equal rows apart, then together": (BY_IDENTITY, SAME, LATER + 19),
    "another feature": (SAME, charter(data__columns__b={"type": "category", "role": "ignored"}), ALONE),
    "a feature more": (SAME, charter(data__columns__c={"type": "number"}), ALONE),
    "a feature more, where rows go by their group": (
        charter(cleaning__split=GROUPED),
        charter(cleaning__split=GROUPED, data__columns__c={"type": "number"}),
        ALL,
    ),
    "a feature that is gone": (charter(data__columns__c={"type": "number"}), SAME, 0),
    "a feature that is read in another way": (SAME, charter(data__columns__b__missing=["z"]), ALONE),
    "a feature that may be dropped": (SAME, charter(cleaning__missing={"columns": {"a": {"drop_above": 0.9}}}), ALONE),
    "another way to read the id": (SAME, charter(data__columns__id={"type": "category"}), LATER),
    "the same identity": (BY_IDENTITY, BY_IDENTITY, ALL),
    "another identity": (BY_IDENTITY, charter(data__id_columns=["id", "b"], cleaning__split=APART), LATER),
    "no identity any more": (BY_IDENTITY, charter(data__id_columns=[], cleaning__split=APART), LATER),
    "an identity that is read in another way": (
        BY_IDENTITY,
        charter(data__columns__id={"type": "category"}, cleaning__split=APART),
        LATER,
    ),
    "hash, then time": (SAME, BY_TIME, LATER),
    "time, then hash": (BY_TIME, SAME, LATER),
    "time, and time again": (BY_TIME, BY_TIME, LATER),
    "another way to read the time": (SAME, charter(data__columns__at={"type": "timestamp", "day_first": True}), ALL),
    "another way to read the time of a split by time": (
        BY_TIME,
        charter(cleaning__split={"method": "time"}, data__columns__at={"type": "timestamp", "day_first": True}),
        0,
    ),
    "another time column": (SAME, charter(data__columns__at2={"type": "timestamp"}, data__time_column="at2"), 0),
}


@pytest.mark.parametrize(("then", "now", "rows"), SPLITS.values(), ids=SPLITS)
def test_only_rows_the_champion_has_not_seen_judge_it(then: Project, now: Project, rows: int) -> None:
    test = judging_rows(now)
    for name, of in (("at2", "at"), ("c", "a")):
        if name in now.data.columns:
            test.rows[name] = test.rows[of]
    answers = ask_beside(champion(then), now, test)
    if rows == 0:
        assert answers.predicted is None
        assert "trained under another split" in answers.problem or "columns that are gone: c" in answers.problem
        return
    assert (answers.problem, int(answers.unseen.sum())) == ("", rows)
    seen = test.rows[~answers.unseen]
    assert seen["at"].empty or seen["at"].max() <= pd.Timestamp("2026-01-15", tz="UTC")
    if rows == ALONE:
        assert set(test.rows["id"][:10]) <= set(seen["id"])


@pytest.mark.parametrize(
    ("lineage", "problem"),
    [
        ({"split": "hash"}, "another split"),
        ({"split": {**fingerprint(SAME), "digest": "0" * 64, "time_column": ""}}, "another split"),
        ({"train_end": "2026-01-25T00:00:00+00:00", "split": fingerprint(OTHER_TEST)}, "11 test rows"),
        ({"train_end": None, "split": fingerprint(OTHER_TEST)}, "0 test rows"),
    ],
    ids=["a lineage of an older release", "no time", "too few rows are later", "the end of its training is not known"],
)
def test_a_champion_that_may_have_seen_the_rows_is_not_compared(lineage: dict[str, Any], problem: str) -> None:
    answers = ask_beside(champion(SAME, **lineage), SAME, judging_rows(SAME))
    assert answers.predicted is None
    assert problem in answers.problem


@pytest.mark.parametrize(("rows", "asked"), [(20, False), (21, True)], ids=["19 are later", "20 are later"])
def test_as_many_rows_as_the_least_are_enough(rows: int, asked: bool) -> None:
    end = (START + pd.Timedelta(hours=12) * (ALL - rows)).isoformat()
    answers = ask_beside(champion(OTHER_TEST, end), SAME, judging_rows(SAME))
    assert int(answers.unseen.sum()) == rows - 1
    assert (answers.predicted is not None) is asked


class Broken(Model):
    def predict_proba(self, X: pd.DataFrame) -> Any:
        raise RuntimeError("index out of bounds")


def _unloadable() -> Model:
    raise IntegrityError("the model was written with another scikit-learn", seen="1.2.0")


# What stands between the champion and the test rows of today: how the champion or the project changed, and the words.
HURDLES: dict[str, tuple[Callable[[Champion], Champion], Project, str]] = {
    "cannot be read": (lambda c: Champion(3, None, "it cannot be read: altered"), SAME, "altered"),
    "a column was dropped": (lambda c: c, charter(data__columns__a=None), "columns that are gone: a"),
    "a column is of another type": (lambda c: c, charter(data__columns__a={"type": "category"}), "'a' as number"),
    "another target": (lambda c: c, charter(data__target="z", data__columns__z={"type": "boolean"}), "it predicts y"),
    "another task": (
        lambda c: c,
        charter(data__columns__y={"type": "number"}, training={"task": "regression"}),
        "has the task binary",
    ),
    "other libraries": (lambda c: _with(c, _unloadable), SAME, "cannot be loaded: the model was written with another"),
    "a model that fails": (lambda c: _with(c, Broken), SAME, "RuntimeError: index out of bounds"),
}


def _with(found: Champion, model: Callable[[], Model]) -> Champion:
    found.bundle.model = model  # type: ignore[union-attr, method-assign]
    return found


@pytest.mark.parametrize(("change", "today", "words"), HURDLES.values(), ids=HURDLES)
def test_whatever_keeps_them_apart_is_a_reason_and_no_error(
    change: Callable[[Champion], Champion], today: Project, words: str
) -> None:
    test = judging_rows(today)
    frame = test.rows.drop(columns=[name for name in test.rows if name not in {*today.data.columns, ROW_ID}])
    contract = test.contract
    if today.task == "regression":
        contract = contract.model_copy(update={"classes": ()})
    answers = ask_beside(change(champion(SAME)), today, Dataset(contract, frame))
    assert answers.predicted is None
    assert words in answers.problem


def test_another_class_is_a_reason() -> None:
    test = judging_rows(SAME)
    more = test.contract.model_copy(update={"classes": ("false", "maybe", "true")})
    assert (
        "knows the classes false, true, and today" in ask_beside(champion(SAME), SAME, Dataset(more, test.rows)).problem
    )


@pytest.mark.parametrize("name", ["contract.json", "lineage.json", "model.skops", "profile.json", "manifest.json"])
def test_a_champion_that_was_altered_is_read_as_one_that_cannot_be(tmp_path: Any, name: str) -> None:
    registry = Registry(DirectoryStore(tmp_path / "store"), "unit", TRUST)
    assert read_champion(registry, tmp_path / "none") is None
    lineage = json.dumps({"run": "r"}).encode()
    registry.publish({**files(), "lineage.json": lineage}, signer=SIGNER, parent=None)
    registry.move("champion", 1, Move("test", ""), expected=None, signer=SIGNER)
    found = read_champion(registry, tmp_path / "sound")
    assert found is not None
    assert found.bundle is not None
    path = tmp_path / "store/projects/unit/versions/1" / name
    path.write_bytes(path.read_bytes() + b" ")
    found = read_champion(registry, tmp_path / "altered")
    assert found is not None
    assert (found.version, found.bundle) == (1, None)
    assert "cannot be read" in found.problem
