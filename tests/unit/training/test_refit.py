"""The model that is served after a split by time: when there is one, and when the tested one is served instead."""

import json
import math
import multiprocessing
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import t

from ciclo.components.answering.engine import Engine, first_difference
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import ProjectError, VerdictError
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping, project_to_json
from ciclo.components.core.verdict import Verdict
from ciclo.components.storage.models import dump_model, parse_model
from ciclo.components.tables.datasets import Dataset, file_digest, write_table
from ciclo.components.training.children import Child
from ciclo.components.training.disagreement import (
    REFITS,
    WHOLE,
    Agreement,
    agreements,
    by_slice,
    limit_of,
    stretches,
)
from ciclo.components.training.labels import Labels, fit_model
from ciclo.components.training.refit import Files, Job, Refit, _Course, fit_again, labels_from, refit, why_not
from ciclo.components.training.search import Fitted
from tests.depth import some, thorough
from tests.tables import COLUMNS, TARGETS, table

DAYS = 60


def project(task: str = "binary", estimator: str = "logistic_regression", **sections) -> Project:
    columns = {"y": TARGETS[task], "at": {"type": "timestamp"}, **COLUMNS}
    data = {"source": "t.csv", "target": "y", "time_column": "at", "columns": columns}
    training = {"candidates": {"one": {"estimator": estimator}}, **sections.pop("training", {})}
    return project_from_mapping({"name": "unit", "data": data, "training": training, **sections}, origin="test")


def rows(task: str = "binary", count: int = 1200, seed: int = 0, inverted: bool = False) -> pd.DataFrame:
    """Rows over sixty days, the last twelve of which test; a day moves the target by itself."""
    frame = table(count, task, seed)
    day = np.arange(count) * DAYS // count
    frame["at"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(count) * DAYS * 24 / count, unit="h")
    frame[SPLIT] = np.where(day < 36, "train", np.where(day < 48, "validation", "test"))
    frame[ROW_ID] = [f"{i:032x}" for i in range(count)]
    if inverted:
        last = frame[SPLIT] == "test"
        frame.loc[last, "y"] = ~frame.loc[last, "y"] if task == "binary" else -5 * frame.loc[last, "y"]
    return frame


class Case:
    """A tested model with its files."""

    def __init__(self, folder: Path, asked: Project, frame: pd.DataFrame, parameters: dict | None = None, **labels):
        folder.mkdir(parents=True, exist_ok=True)
        classes = {"binary": ("false", "true"), "multiclass": ("low", "mid", "high"), "regression": ()}[asked.task]
        contract = Contract.of(asked, classes)
        self.project, self.folder = asked, folder
        self.files = Files(
            *(str(folder / name) for name in ("rows", "tested", "verdict", "golden", "again", "answers"))
        )
        write_table(pa.Table.from_pandas(frame, preserve_index=False), self.files.dataset, contract)
        self.data = Dataset.open(self.files.dataset)
        known = self.data.split("train", "validation")
        taught = Labels(**labels)
        model = fit_model(asked, asked.candidates["one"], known, parameters or {}, taught, 0)
        dump_model(model, self.files.tested)
        fitted = Fitted("one", "e", "", 0.5, parameters or {}, len(known), labels=taught.facts())
        # KFP hands every number on as a float.
        self.facts = {k: float(v) if isinstance(v, int) else v for k, v in fitted.metadata().items()}
        Verdict(gate="evaluation", decision="promote", reason="better", subject=file_digest(self.files.tested)).write(
            self.files.verdict
        )
        self.requests = contract.rows(self.data.split("test").rows.head(20))
        said = Engine(model, contract).predict(contract.parse(self.requests))
        Path(self.files.golden).write_text(json.dumps({"rows": self.requests, "predictions": said, "parity": {}}))

    def run(self, **facts) -> Refit:
        return refit(self.project, {**self.facts, **facts}, self.files)

    @property
    def answers(self) -> dict:
        return json.loads(Path(self.files.answers).read_text())

    def serves_the_tested(self) -> bool:
        return Path(self.files.model).read_bytes() == b"" and self.answers == json.loads(
            Path(self.files.golden).read_text()
        )


@pytest.mark.parametrize(
    ("split", "asked", "delay", "refits", "why"),
    [
        ("time", None, 0, True, ""), ("time", True, 0, True, ""), ("time", False, 0, False, "training.refit is off"),
        ("auto", None, 0, True, ""), ("hash", None, 0, False, "hash"), ("hash", False, 0, False, "hash"),
        ("time", None, 28, True, ""), ("time", None, 29, False, "after 29 days"), ("time", True, 99, True, ""),
    ],
)  # fmt: skip
def test_it_is_the_default_where_the_split_is_by_time_and_labels_come_soon(tmp_path, split, asked, delay, refits, why):
    training = {} if asked is None else {"refit": asked}
    charter = project(cleaning={"split": {"method": split}}, training=training, design={"label_delay_days": delay})
    assert charter.refits is refits
    if not refits:
        case = Case(tmp_path, charter, rows(count=300))
        found = case.run()
        assert why in found.why
        assert case.serves_the_tested()


def test_a_split_by_hash_refuses_it():
    with pytest.raises(ProjectError, match=r"training\.refit.*for ever; remove it, or split by time"):
        project(cleaning={"split": {"method": "hash"}}, training={"refit": True})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "estimator", "labels"),
    some(
        [
            ("binary", "logistic_regression", {"threshold": 0.37, "calibration": "sigmoid"}),
            ("multiclass", "extra_trees", {}),
            ("regression", "ridge", {}),
        ],
        2,
    ),
)
def test_the_recipe_is_fitted_on_every_row_and_its_answers_are_the_golden_ones(tmp_path, task, estimator, labels):
    parameters = {"C": 0.5} if estimator == "logistic_regression" else {}
    case = Case(tmp_path, project(task, estimator), rows(task), parameters, **labels)
    found = case.run()
    assert (found.why, found.rows, found.of) == ("", 1200, file_digest(case.files.tested)), found.summary
    assert found.digest == file_digest(case.files.model) != found.of
    assert pd.Timestamp(found.end) == case.data.rows["at"].max()
    assert 0 < found.disagreement <= found.limit
    served = parse_model(Path(case.files.model).read_bytes())
    by_hand = fit_model(
        case.project,
        case.project.candidates["one"],
        case.data,
        parameters,
        Labels(**labels),
        case.project.training.seed,
    )
    method = "predict" if task == "regression" else "predict_proba"
    assert np.allclose(getattr(served, method)(case.data.X), getattr(by_hand, method)(case.data.X))
    assert getattr(served, "threshold", None) == labels.get("threshold")
    engine = Engine(served, case.data.contract)
    answers = case.answers
    given = engine.predict(case.data.contract.parse(case.requests))
    assert first_difference(answers["predictions"], given) is None
    tested = json.loads(Path(case.files.golden).read_text())
    assert answers["rows"] == tested["rows"]
    assert answers["tested"]["predictions"] == tested["predictions"] != answers["predictions"]
    assert {"refit_of", "digest", "rows", "end"} <= set(found.metadata())
    assert "why" not in found.metadata()


@pytest.mark.slow
def test_it_is_refused_where_the_newest_rows_turn_everything_round(tmp_path):
    case = Case(tmp_path, project(), rows(inverted=True))
    found = case.run()
    assert "too differently" in found.why
    assert found.disagreement > found.limit > 0
    assert case.serves_the_tested()
    assert found.metadata()["why"] == found.why
    assert "digest" not in found.metadata()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sections", "facts", "says"),
    [
        ({}, {"rows": 900.0}, "900 of its 960 rows"),
        ({"evaluation": {"size_mb": 1e-4}}, {}, "evaluation.size_mb"),
        ({"evaluation": {"unchanged_by": ["size"]}}, {}, "it must not matter"),
        ({"training": {"search_seconds": 1e-3}}, {}, "within training.search_seconds"),
        ({}, {"parameters": '{"C": "much"}'}, "could not be fitted anew: "),
    ],
    ids=["cut", "too large", "misbehaves", "too slow", "cannot be fitted"],
)
def test_what_cannot_be_served_is_not_and_it_is_said_why(tmp_path, sections, facts, says):
    case = Case(tmp_path, project(**sections), rows())
    found = case.run(**facts)
    assert says in found.why
    assert case.serves_the_tested()
    if not says.startswith(("evaluation", "it must")):  # those were fitted, and compared
        assert found.metadata() == {"why": found.why, "refit_of": file_digest(case.files.tested)}


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([], "could not be fitted anew within training.search_seconds (0.1)"),
        ([("fitted", {"": 0.0})], "0 refits to compare with ended"),
        ([("fitted", {"": 0.0}), ("usual", {"": 0.1}), ("usual", {"": 0.2})], "2 refits to compare with ended"),
        ([("fitted", {"": 0.0}), *[("usual", {"": 0.1 * i}) for i in (1, 2, 3)]], ""),
    ],
    ids=["not fitted", "none", "two", "three"],
)
def test_what_has_ended_when_time_is_over_is_used_if_it_is_enough(events, says):
    ours, theirs = multiprocessing.Pipe(duplex=False)
    for event in (("ready", ""), *events):
        theirs.send_bytes(json.dumps(event).encode())
    course = _Course(0.1)
    course._listen(Child(ours, None))
    assert says in course.failure
    assert bool(course.failure) == bool(says)
    assert len(course.usual) == max(0, len(events) - 1)


@pytest.mark.slow
def test_nothing_is_fitted_on_the_test_rows_before_the_verdict(tmp_path):
    case = Case(tmp_path, project(), rows())
    verdict = Verdict.read(case.files.verdict)
    for changed in ({"decision": "keep"}, {"subject": "0" * 64}):
        verdict.model_copy(update=changed).write(case.files.verdict)
        with pytest.raises(VerdictError):
            case.run()
    verdict.model_copy(update={"decision": "candidate"}).write(case.files.verdict)
    assert case.run().why == ""


def refused(folder: Path, asked: Project, seed: int, inverted: bool) -> bool:
    case = Case(folder, asked, rows(count=900, seed=seed, inverted=inverted))
    job = Job(project_to_json(asked), case.facts, case.files.dataset, case.files.tested, case.files.model)
    told = list(fit_again(job))
    assert [event for event, _ in told] == ["fitted", *["usual"] * REFITS]
    return told[0][1][WHOLE] > limit_of([value[WHOLE] for _, value in told[1:]])


@thorough
@pytest.mark.parametrize("estimator", ["decision_tree", "logistic_regression"])
def test_rows_like_the_others_are_no_reason_and_rows_unlike_them_are(tmp_path, estimator):
    asked = project(estimator=estimator, training={})
    like = [refused(tmp_path / f"{seed}", asked, seed, inverted=False) for seed in range(8)]
    unlike = [refused(tmp_path / f"not-{seed}", asked, seed, inverted=True) for seed in range(4)]
    assert sum(like) <= 1
    assert sum(unlike) >= 3


def test_stretches_are_of_one_time_each_and_spread_over_all_of_it(tmp_path):
    case = Case(tmp_path, project(), rows().sample(frac=1, random_state=0))
    known = case.data.split("train", "validation")
    at = known.rows["at"].reset_index(drop=True)
    parts = stretches(known, 240)
    assert [len(part) for part in parts] == [240] * REFITS
    assert at[parts[0]].min() == at.min()
    assert at[parts[-1]].max() == at.max()
    for part in parts:
        inside = at[(at >= at[part].min()) & (at <= at[part].max())]
        assert len(inside) == 240
    assert {len(part) for part in stretches(known, 5_000)} == {480}


@pytest.mark.slow
def test_the_limit_is_the_prediction_limit_of_one_more_draw():
    rng = np.random.default_rng(0)
    draws = np.exp(rng.normal(-3, 0.5, (4_000, 6)))
    over = np.mean([draw[5] > limit_of(draw[:5]) for draw in draws])
    assert over == pytest.approx(0.01, abs=0.005)
    logs = np.log([1.0, 2.0, 4.0])
    expected = logs.mean() + t.ppf(0.99, 2) * logs.std(ddof=1) * math.sqrt(4 / 3)
    assert limit_of([1, 2, 4]) == pytest.approx(math.exp(expected))


@pytest.mark.slow
def test_a_refit_without_any_positive_is_no_refit_to_compare_with(tmp_path):
    def usual(frame: pd.DataFrame, name: str) -> int:
        case = Case(tmp_path / name, project(), frame, {"C": 1.0})
        files = case.files
        job = Job(project_to_json(case.project), case.facts, files.dataset, files.tested, str(tmp_path / "again"))
        return [event for event, _ in fit_again(job)].count("usual")

    frame, day = rows(), np.arange(1200) * DAYS // 1200
    assert usual(frame, "all") == REFITS
    one_burst = frame.assign(y=frame["y"] & (np.isin(day, (20, 22)) | (day >= 48)))
    assert 3 <= usual(one_burst, "burst") < REFITS


def test_labels_are_those_of_the_tested_model():
    assert labels_from({}) == Labels()
    told = Fitted("one", labels=Labels(calibration="isotonic", threshold=0.2, rule="costs").facts()).metadata()
    assert labels_from(told) == Labels(calibration="isotonic", threshold=0.2)


@thorough
def test_a_slice_in_which_the_newest_rows_turn_everything_round_is_found_where_the_whole_hides_it(tmp_path):
    """A tenth of the rows, those without a colour; without slices the refit would be served."""
    frame = rows(count=2_400)
    frame["y"] ^= (frame[SPLIT] == "test") & frame["colour"].isna()
    asked = project(estimator="gradient_boosting", evaluation={"slices": ["colour", "at"]})
    case = Case(tmp_path, asked, frame)
    found = case.run()
    assert found.disagreement < found.limit
    assert "too differently on those of the 480 newest rows where 'colour' is (missing), by" in found.why
    assert "in any of 4 slices" in found.why
    assert case.serves_the_tested()
    assert found.end == frame["at"].max().isoformat()
    told = json.loads(found.metadata()["slices"])
    assert {name[:4] for name, one in told.items() if one["usual"] is None} == {"'at'"}, "other months hold other rows"
    assert told["'colour' is red"]["difference"] < told["'colour' is red"]["usual"]


@pytest.mark.slow
@pytest.mark.parametrize("alike", some([False, True], 2), ids=lambda alike: "slices alike" if alike else "slices apart")
def test_of_refits_like_the_others_one_in_a_hundred_is_refused_for_a_slice(alike):
    """However many slices there are; the whole is held to its own hundredth."""
    rng, names, draws = np.random.default_rng(1), [WHOLE, *"abcdef"], 1_500
    whole = slices = 0
    for _ in range(draws):
        logs = rng.normal(-3, 0.4, (6, 1 if alike else len(names))) * np.ones(len(names))
        ours, *usual = (dict(zip(names, np.exp(row), strict=True)) for row in logs)
        found = agreements(ours, usual)
        whole += not found[0].is_usual
        slices += not all(one.is_usual for one in found[1:])
    assert 0.004 < whole / draws < 0.018
    assert slices / draws < 0.018
    assert alike or slices / draws > 0.004


def test_a_slice_that_few_refits_have_is_one_nobody_can_tell():
    usual = [{WHOLE: 0.1, "a": 0.1, "b": 0.1}, {WHOLE: 0.2, "a": 0.2, "b": 0.2}, {WHOLE: 0.15, "a": 0.15}]
    whole, a, b, c = agreements({WHOLE: 0.12, "b": 9.0, "a": 0.12, "c": 9.0}, usual)
    assert ([one.part for one in (whole, a)], {b.part, c.part}) == ([WHOLE, "a"], {"b", "c"})
    assert (b.limit, c.limit, b.is_usual) == (None, None, True)
    assert a.limit == whole.limit, "one slice that can be told bears the whole error"
    again = agreements({WHOLE: 0.12, "a": 0.12, "b": 0.12}, [{**one, "b": one["a"]} for one in usual])
    assert again[1].limit > whole.limit
    worst = agreements({WHOLE: 0.1, "a": 0.1, "b": 0.2}, [{**one, "b": one["a"]} for one in usual])
    assert [one.part for one in worst] == [WHOLE, "b", "a"], "the furthest beyond its limit is the one to name"


def test_nobody_can_tell_of_a_slice_that_could_not_differ_so_much():
    usual = [
        {WHOLE: 0.02, "a": 0.02, "b": 0.001},
        {WHOLE: 0.025, "a": 0.025, "b": 0.5},
        {WHOLE: 0.03, "a": 0.03, "b": 0},
    ]
    ours = {WHOLE: 0.02, "a": 0.02, "b": 0.999}
    for most, told in ((1.0, None), (math.inf, True)):
        _, a, b = agreements(ours, usual, most)
        assert (a.part, a.limit is not None, b.limit and True, b.is_usual) == ("a", True, told, True)


def test_the_summary_counts_slices_apart():
    good, untold = Agreement("a", 0.1, (0.1, 0.2, 0.1), 0.3), Agreement("b", 9.0, (0.1,), None)
    said = [Refit("", slices=slices).summary.partition("usual")[2] for slices in ((), (good, good, untold))]
    assert said == ["", "; in 2 slices it differs no more than refits do; in 1 nobody can tell"]


GOOD, BAD = ("good", 0.1, (0.1, 0.2, 0.1), 0.3), ("bad", 0.4, (0.1, 0.2, 0.1), 0.3)
UNTOLD = ("untold", 9.0, (0.1,), None)
WHY_NOT = {
    "nothing is asked of slices": (0.1, [], ""),
    "the whole alone": (0.4, [], "on the 480 newest rows, by 0.4"),
    "all agree": (0.1, [GOOD], ""), "nobody can tell": (0.1, [GOOD, UNTOLD], ""),
    "one slice": (0.1, [BAD, GOOD, UNTOLD], "where bad, by 0.4, where 3 refits"),
    "whole and slice": (0.4, [BAD], "on the 480 newest rows, by 0.4"),
}  # fmt: skip


@pytest.mark.parametrize(("whole", "slices", "says"), WHY_NOT.values(), ids=WHY_NOT.keys())
def test_why_a_refit_is_not_served(whole, slices, says):
    found = why_not(Agreement(WHOLE, whole, (0.1, 0.2), 0.3), [Agreement(*one) for one in slices], 480)
    assert says in found
    assert bool(found) == bool(says)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "apart"), [("binary", 0.3), ("multiclass", 0.4), ("regression", 7.0)])
def test_two_models_are_as_far_apart_as_their_answers(tmp_path, task, apart):
    """Of probabilities it is the share that would have to be moved to make them alike."""
    answers = {"binary": [(0.2, 0.8), (0.5, 0.5)], "multiclass": [(0.1, 0.2, 0.7), (0.4, 0.3, 0.3)]}.get(task, [3, -4])

    class Constant:
        def __init__(self, answer):
            self.answer, self.classes_ = answer, np.arange(np.size(answer))

        def predict(self, X):
            return np.full(len(X), self.answer)

        def predict_proba(self, X):
            return np.tile(self.answer, (len(X), 1))

    data = Case(tmp_path, project(task, "ridge" if task == "regression" else "extra_trees"), rows(task, 300)).data
    assert by_slice(*map(Constant, answers), data, data, (), 1, 0)[WHOLE] == pytest.approx(apart)


def test_the_slices_are_those_of_the_newest_rows(tmp_path):
    """A quarter of the newest rows is the same numbers in every other stretch."""
    asked = project("regression", "ridge", evaluation={"slices": ["size"]})
    case = Case(tmp_path, asked, rows("regression"))
    newest, older = case.data.split("test"), case.data.split("train")

    class Size:
        def predict(self, X):
            return X["size"].fillna(100)

    class Nothing:
        def predict(self, X):
            return np.zeros(len(X))

    found = [by_slice(Size(), Nothing(), part, newest, ["size"], 5, 0) for part in (newest, older)]
    assert found[0].keys() == found[1].keys()
    assert len(found[0]) == 6
    size = newest.rows["size"]
    ends = [size.min(), *size.quantile([0.25, 0.5, 0.75]), size.max()]
    first = older.rows["size"] < ends[1]
    assert list(found[1].values())[1] == pytest.approx(older.rows["size"][first].abs().mean())
    assert found[1]["'size' is (missing)"] == 100
