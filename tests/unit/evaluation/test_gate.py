"""Evaluation from files to files: the test rows judge, and what publishing needs is about the winner."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ciclo.components.answering.engine import Engine
from ciclo.components.core.errors import TrainingError
from ciclo.components.core.profile import Profile
from ciclo.components.core.report import Document
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.evaluation import gate
from ciclo.components.evaluation.champion import Champion, Gate
from ciclo.components.evaluation.comparison import Comparison
from ciclo.components.evaluation.decision import decide
from ciclo.components.evaluation.gate import GOLDEN_ROWS, Outputs, evaluate, golden_requests
from ciclo.components.evaluation.memory import Unbeaten
from ciclo.components.feasibility.assessment import write_answers
from ciclo.components.feasibility.baselines import best_feature
from ciclo.components.tables.datasets import Dataset, file_digest
from ciclo.components.training.search import fit
from ciclo.components.validation.checks import reference_profile
from tests.tables import dataset, project

CANDIDATE = {"estimator": "logistic_regression", "search": {"C": [1.0]}}
PROJECT = project(training={"trials": 1, "candidates": {"linear": CANDIDATE}})
BROKEN = ("", {"failed": 1, "failure": "it did not converge"})


class Case:
    """One evaluation and what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, dataset(folder / "data.parquet", rows=1_300)
        self.fitted = fit(PROJECT, "linear", self.data, folder / "fitted.skops")
        assert self.fitted.failure == ""
        rows = Dataset.open(self.data)
        known = rows.split("train", "validation")
        write_answers(PROJECT, rows, known, best_feature(PROJECT, known), folder / "baselines.parquet")
        seen = reference_profile(Dataset.open(self.data, "train", "validation"))
        (folder / "profile.json").write_text(seen.model_dump_json())
        facts = {"candidate": "linear", "score": self.fitted.score, "failed": 0}
        self.verdict, self.comparison = self.evaluate({"linear": (str(folder / "fitted.skops"), facts), "b": BROKEN})

    def evaluate(self, models: dict[str, Any]) -> tuple[Verdict, Comparison]:
        names = ("best", "verdict.json", "reference.json", "golden.json", "card.html", "card.json")
        return evaluate(
            PROJECT,
            Settings(home=self.folder / "home", _env_file=None),
            dataset=str(self.data),
            baselines=str(self.folder / "baselines.parquet"),
            profile=str(self.folder / "profile.json"),
            models=models,
            outputs=Outputs(*(str(self.folder / name) for name in names)),
        )

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("gate"))


@pytest.mark.slow
def test_the_test_rows_judge_and_no_others(case: Case) -> None:
    test = Dataset.open(case.data, "test")
    assert case.comparison.rows == len(test) == 260
    assert len(Dataset.open(case.data, "validation")) != len(test)
    engine = Engine(case.comparison.winner.model, test.contract)
    answers = engine.predict(test.contract.parse(test.contract.rows(test.rows)))
    positive = np.array([answer["probability"] for answer in answers])
    said = np.column_stack([1 - positive, positive])
    assert case.comparison.score.point == pytest.approx(PROJECT.metric.score(test.y, said, test.contract.codes))


def test_golden_requests_are_test_rows_spread_over_all_of_them(case: Case) -> None:
    golden, test = case.read("golden.json"), Dataset.open(case.data, "test")
    assert len(golden["rows"]) == len(golden["predictions"]) == GOLDEN_ROWS == 100
    assert golden["rows"] == test.contract.rows(test.rows.iloc[::2].head(100))
    assert golden["parity"]["engine"] == "compiled", golden["parity"]
    engine = Engine(case.comparison.winner.model, test.contract)
    few = golden_requests(engine, Dataset(test.contract, test.rows.head(30)))
    assert few["rows"] == test.contract.rows(test.rows.head(30))


def test_what_is_written_is_about_the_winner(case: Case) -> None:
    assert case.verdict.decision == "promote", case.verdict.reason
    assert Verdict.read(case.folder / "verdict.json") == case.verdict
    assert case.verdict.subject == file_digest(case.folder / "best") == file_digest(case.folder / "fitted.skops")
    reference = Profile.model_validate_json((case.folder / "reference.json").read_text())
    assert sum(c.importance for c in reference.columns.values()) == pytest.approx(1)
    assert sum(reference.prediction.counts) == len(Dataset.open(case.data, "test"))
    assert case.comparison.failed == {"b": "it did not converge"}
    assert "it did not converge" in (case.folder / "card.html").read_text()
    card = (case.folder / "card.json").read_text()
    assert Document.model_validate_json(card).model_dump_json(indent=2) == card, "laid out for people, too"


@pytest.mark.slow
def test_what_earlier_runs_left_and_where_the_champion_comes_from_is_asked(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def judged(*given: Any) -> Verdict:
        asked.append(given[3])
        return decide(*given)

    monkeypatch.setattr(gate, "decide", judged)
    monkeypatch.setattr(Unbeaten, "before", lambda *_: 7)
    monkeypatch.setattr(gate, "read_champion", lambda *_: Champion(3, None, "altered"))
    monkeypatch.setattr(gate, "gate_of", lambda *_: Gate("refresh", "the rows are newer"))
    monkeypatch.setattr(gate, "read_origin", lambda _, champion, __: asked.append(champion.version))
    facts = {"candidate": "linear", "score": case.fitted.score, "failed": 0}
    case.evaluate({"linear": (str(case.folder / "fitted.skops"), facts)})
    assert asked == [3, 7]


def test_without_any_fitted_candidate_there_is_nothing_to_judge(case: Case) -> None:
    with pytest.raises(TrainingError):
        case.evaluate({"b": BROKEN})
