"""Who is measured, and on which rows: what must hold of a comparison whatever the data say."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import sem
from sklearn.dummy import DummyClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from ciclo.components.answering.engine import Engine
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import DataError, TrainingError
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.settings import Settings
from ciclo.components.core.splits import fingerprint
from ciclo.components.evaluation.champion import Champion, Gate
from ciclo.components.evaluation.comparison import (
    SHUFFLES,
    Comparison,
    Contender,
    SimpleAnswers,
    compare,
    contenders,
    importance,
    read_answers,
)
from ciclo.components.evaluation.reference import prediction_profile
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.signing import signer_from
from ciclo.components.tables.datasets import Dataset
from ciclo.components.training.preprocessing import preprocessor
from tests.tables import COLUMNS, TARGETS, table
from tests.versions import files

CLASSES = {"binary": ("false", "true"), "multiclass": ("low", "mid", "high"), "regression": ()}
DAYS = pd.date_range("2026-01-01", periods=600, freq="D", tz="UTC")
TRAIN_END = DAYS[299]
EXACTLY = int(table()["colour"].astype(str).value_counts().iloc[1])  # rows of the second largest slice


def project(task: str = "binary", *, timed: bool = False, **sections: dict) -> Project:
    columns = {"y": TARGETS[task], **COLUMNS, **({"t": {"type": "timestamp"}} if timed else {})}
    data = {"source": "t.csv", "target": "y", "columns": columns, **({"time_column": "t"} if timed else {})}
    sections = {**sections}
    return project_from_mapping({"name": "unit", "data": data, **sections}, origin="test")


def rows(task: str = "binary", **options) -> pd.DataFrame:
    frame = table(task=task, **options)
    return frame.assign(**{ROW_ID: [f"{i:032x}" for i in range(len(frame))], SPLIT: "test"}, t=DAYS[: len(frame)])


def nobody(test: Dataset) -> Dataset:
    """No rows but the test rows."""
    return Dataset(test.contract, test.rows.iloc[:0])


def fitted(asked: Project, estimator, frame: pd.DataFrame):
    contract = Contract.of(asked, CLASSES[asked.task])
    model = Pipeline([("preprocess", preprocessor(contract, "linear")), ("model", estimator)])
    return model.fit(contract.frame(frame), contract.encode(frame["y"]))


def compared(
    asked: Project, frame: pd.DataFrame, folder: Path, models: dict, champion: Champion | None = None, **more
) -> Comparison:
    contenders = []
    for name, (score, model) in models.items():
        (folder / name).write_bytes(name.encode())
        contenders.append(Contender(name, folder / name, {"score": score}, model))
    test, gate = Dataset(Contract.of(asked, CLASSES[asked.task]), frame), Gate("change", "unit")
    return compare(asked, test, nobody(test), contenders, {}, SimpleAnswers({}), champion, gate, **more)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "metric", "best"),
    [
        ("binary", "roc_auc_score", "high"),
        ("binary", "log_loss", "low"),
        ("regression", "root_mean_squared_error", "low"),
        ("regression", "r2_score", "high"),
    ],
)
def test_the_candidate_with_the_best_validation_score_wins(tmp_path, task, metric, best):
    asked, frame = project(task, training={"metric": metric}), rows(task, rows=120)
    model = fitted(asked, LogisticRegression() if task == "binary" else Ridge(), frame)
    found = compared(asked, frame, tmp_path, {"high": (0.9, model), "low": (0.1, model), "middle": (0.5, model)})
    assert found.winner.name == best
    assert found.validation == {"high": 0.9, "low": 0.1, "middle": 0.5}


def champion_of(folder: Path, asked: Project, model, train_end: str, refitted=None) -> Champion:
    """A published champion."""
    settings = Settings(home=folder / "home", _env_file=None)
    folder.mkdir(exist_ok=True)
    dump_model(model, folder / "model.skops")
    contents = {
        **files(),
        "model.skops": folder / "model.skops",
        "contract.json": Contract.of(asked, CLASSES[asked.task]).model_dump_json().encode(),
        "lineage.json": json.dumps({"run": "r", "split": fingerprint(asked), "train_end": train_end}).encode(),
    }
    if refitted is not None:
        dump_model(refitted, folder / "refitted.skops")
        contents["refitted.skops"] = folder / "refitted.skops"
    registry = open_registry("unit", settings)
    version = registry.publish(contents, signer=signer_from(settings), parent=None)
    return Champion(version, registry.fetch(version, folder / "fetched"))


@pytest.mark.slow
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_loss_that_adds_up_is_measured_in_shares_where_the_metric_has_a_unit(tmp_path, task):
    asked, frame = project(task, timed=True), rows(task)
    before = frame[frame["t"] <= TRAIN_END]
    model = fitted(asked, LogisticRegression() if task == "binary" else Ridge(), before)
    champion = champion_of(tmp_path / "champion", asked, model, train_end=TRAIN_END.isoformat())
    worse = fitted(asked, LogisticRegression(C=1e-3) if task == "binary" else Ridge(1e4), before)
    found = compared(asked, frame, tmp_path, {"new": (0.5, worse)}, champion, origin=champion)
    assert found.origin == found.champion_share
    assert (found.origin == found.champion) is (task == "binary")
    assert found.origin is not None
    assert -1 < found.origin.point < 0


@pytest.mark.slow
def test_a_champion_is_never_scored_on_rows_of_its_own_training_time(tmp_path):
    asked, frame = project(timed=True), rows()
    before = frame[frame["t"] <= TRAIN_END]
    model = fitted(asked, LogisticRegression(), before)
    champion = champion_of(tmp_path / "champion", asked, model, train_end=TRAIN_END.isoformat())
    challenger = {"new": (0.5, fitted(asked, DummyClassifier(strategy="prior"), frame))}

    honest = compared(asked, frame, tmp_path, challenger, champion)
    assert honest.champion is not None, honest.champion_problem
    assert honest.champion.high < 0  # a model against a constant answer

    # Whatever the rows of its training time say (the last of them included), the comparison does not change;
    # with the first row after them it does.
    for first, changes in ((0, False), (299, False), (300, True)):
        lied = frame.copy()
        end = 300 if not changes else 420
        lied.loc[lied.index[first:end], "y"] = ~lied["y"].iloc[first:end].to_numpy()
        assert (compared(asked, lied, tmp_path, challenger, champion).champion != honest.champion) is changes


@pytest.mark.slow
def test_whatever_a_champion_is_compared_with_is_compared_on_rows_it_has_not_seen(tmp_path):
    """Whatever is told of rows it has seen changes nothing beside the simple answers, nor against its first version."""
    asked, frame = project(timed=True), rows()
    model = fitted(asked, LogisticRegression(), frame[frame["t"] <= TRAIN_END])
    champion = champion_of(tmp_path / "champion", asked, model, train_end=TRAIN_END.isoformat())
    winner = fitted(asked, DecisionTreeClassifier(max_depth=2), frame)

    def found(told):
        test = Dataset(Contract.of(asked, CLASSES["binary"]), told)
        path = tmp_path / "new.skops"
        dump_model(winner, path)
        simple = SimpleAnswers({"trivial": np.full((len(test), 2), 0.5)})
        contender = Contender("new", path, {"score": 0.5}, winner)
        return compare(asked, test, nobody(test), [contender], {}, simple, champion, Gate("refresh", "unit"), champion)

    lied = frame.copy()
    lied.loc[lied.index[:300], "y"] = ~lied["y"].iloc[:300].to_numpy()
    honest, other = found(frame), found(lied)
    assert (honest.champion_rows, honest.champion_pieces, honest.pieces) == (300, 300, 600)
    assert honest.champion_baselines["trivial"].low > 0.1
    assert honest.baselines != other.baselines
    assert (honest.champion_baselines, honest.origin) == (other.champion_baselines, other.origin)


@pytest.mark.slow
def test_a_champion_is_asked_through_its_tested_model(tmp_path):
    """The refitted one has seen test rows: whatever it learnt there, the comparison is the same."""
    asked, frame = project(timed=True), rows()
    model = fitted(asked, LogisticRegression(), frame[frame["t"] <= TRAIN_END])
    challenger = {"new": (0.5, fitted(asked, DummyClassifier(strategy="prior"), frame))}
    seen = fitted(asked, DecisionTreeClassifier(random_state=0), frame)
    found = []
    for name, refitted in (("one", None), ("two", seen)):
        champion = champion_of(tmp_path / name, asked, model, TRAIN_END.isoformat(), refitted)
        assert champion.bundle.served == ("model.skops" if refitted is None else "refitted.skops")
        found.append(compared(asked, frame, tmp_path, challenger, champion))
    assert found[0].champion == found[1].champion is not None
    assert found[0].champion_rows == found[1].champion_rows == 300


@pytest.mark.slow
def test_a_champion_is_not_scored_on_too_few_unseen_rows(tmp_path):
    asked, frame = project(timed=True), rows()
    model = fitted(asked, LogisticRegression(), frame)
    for left, scored in ((19, False), (20, True)):
        end = DAYS[599 - left].isoformat()
        champion = champion_of(tmp_path / str(left), asked, model, train_end=end)
        found = compared(asked, frame, tmp_path, {"new": (0.5, model)}, champion)
        assert (found.champion is not None, found.champion_version) == (scored, 1)
        assert found.champion_rows == (left if scored else 0)
        assert bool(found.champion_problem) is not scored


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_prediction_profile_is_of_what_a_server_answers(tmp_path, task):
    asked, frame = project(task), rows(task)
    if task == "binary":  # a rare positive class, so that its probability cannot be mistaken for the other's
        frame = frame[frame["y"] & (np.arange(len(frame)) % 4 == 0) | ~frame["y"]].reset_index(drop=True)
    estimator = Ridge() if task == "regression" else DecisionTreeClassifier(max_leaf_nodes=6, random_state=0)
    model = fitted(asked, estimator, frame)
    contract = Contract.of(asked, CLASSES[task])
    answers = Engine(model, contract).predict(contract.frame(frame))
    shown = [answer["probability" if task == "binary" else "prediction"] for answer in answers]
    expected = ColumnProfile.of(pd.Series(shown, dtype=object if task == "multiclass" else "float64"))
    assert prediction_profile(model, Dataset(contract, frame)) == expected
    if task == "binary":
        assert expected.mean == pytest.approx(frame["y"].mean(), abs=0.02)


@pytest.mark.slow
def test_importance_is_of_the_columns_that_matter_and_slices_are_of_their_own_rows(tmp_path):
    asked, frame = project(evaluation={"slices": ["colour"], "minimum_rows": EXACTLY}), rows()
    model = fitted(asked, LogisticRegression(), frame)
    found = compared(asked, frame, tmp_path, {"one": (0.5, model)})
    assert found.importance["size"] > 0.05 > found.importance["noise"] >= 0
    counts = frame["colour"].astype(str).value_counts()
    scored = {(s.column, s.value, s.rows) for s in found.slices if s.score.bounded}
    assert scored == {("colour", v, n) for v, n in counts.items() if n >= EXACTLY}
    contract = Contract.of(asked, CLASSES["binary"])
    for cut in (one for one in found.slices if one.score.bounded):
        part = frame[frame["colour"].astype(str) == cut.value]
        probability = model.predict_proba(contract.frame(part))
        assert cut.score.point == pytest.approx(
            asked.metric.score(contract.encode(part["y"]), probability, contract.codes)
        )


@pytest.mark.slow
def test_the_error_of_an_importance_is_that_of_a_mean_over_the_shuffles():
    asked, frame = project(), rows(rows=200)
    model, test = fitted(asked, LogisticRegression(), frame), Dataset(Contract.of(asked, CLASSES["binary"]), frame)
    means, errors = importance(asked, model, test)
    options = {"n_repeats": SHUFFLES, "random_state": asked.training.seed}
    drawn = permutation_importance(model, test.X, test.y, scoring="roc_auc", **options).importances
    assert means == pytest.approx(dict(zip(test.X, drawn.mean(axis=1).clip(0), strict=True)))
    assert errors == pytest.approx(dict(zip(test.X, sem(drawn, axis=1), strict=True)))


@pytest.mark.slow
def test_by_hash_a_champion_is_scored_on_every_row_whatever_its_time(tmp_path):
    asked, frame = project(timed=True, cleaning={"split": {"method": "hash"}}), rows()
    model = fitted(asked, LogisticRegression(), frame)
    champion = champion_of(tmp_path / "c", asked, model, train_end=DAYS[-1].isoformat())
    found = compared(asked, frame, tmp_path, {"new": (0.5, model)}, champion)
    assert found.champion is not None, found.champion_problem


def test_answers_are_read_only_if_they_are_about_the_test_rows(tmp_path):
    asked, frame = project(), rows(rows=40)
    test = Dataset(Contract.of(asked, CLASSES["binary"]), frame)
    answers = frame[[ROW_ID]].assign(trivial=[[0.5, 0.5]] * 40, rule=[[0.1, 0.9]] * 40)
    answers.to_parquet(tmp_path / "answers")
    found = read_answers(tmp_path / "answers", test).answers
    assert {name: said.shape for name, said in found.items()} == {"trivial": (40, 2), "rule": (40, 2)}
    answers.iloc[::-1].to_parquet(tmp_path / "answers")
    with pytest.raises(DataError, match="other rows"):
        read_answers(tmp_path / "answers", test)


@pytest.mark.slow
def test_candidates_that_were_fitted_are_loaded_and_none_is_an_error(tmp_path):
    asked, frame = project(), rows(rows=60)
    dump_model(fitted(asked, LogisticRegression(), frame), tmp_path / "model")
    (one,) = contenders({"one": (tmp_path / "model", {"score": 0.25})})
    assert (one.name, one.score) == ("one", 0.25)
    assert len(one.model.predict(Contract.of(asked, CLASSES["binary"]).frame(frame))) == 60
    with pytest.raises(TrainingError, match="no candidate"):
        contenders({})
