"""A model that is too good is decided on like any other, and the columns that carry it are named."""

import dataclasses

import pytest
from sklearn.linear_model import LogisticRegression

from ciclo.components.core.intervals import Interval
from ciclo.components.core.sections import Evaluation
from ciclo.components.evaluation.card import model_card
from ciclo.components.evaluation.decision import decide
from ciclo.components.evaluation.suspicion import carriers, too_good
from tests.tables import project
from tests.unit.evaluation.test_decision import AUC, GOOD
from tests.unit.evaluation.test_fairness import compared, fitted, rows


@pytest.mark.parametrize(
    ("importance", "names"),
    [
        ({"a": 0.4, "b": 0.01, "c": 0.0}, ["a"]),
        ({"a": 0.1, "b": 0.3, "c": 0.01}, ["b", "a"]),
        (dict.fromkeys("abcdefgh", 0.1), list("abcde")),
        ({"a": 0.0, "b": 0.0}, []),
        ({}, []),
    ],
)
def test_the_fewest_columns_that_carry_a_model(importance: dict[str, float], names: list[str]) -> None:
    assert carriers(importance) == names


@pytest.mark.parametrize(
    ("metric", "score", "suspicious"),
    [
        ("roc_auc_score", 0.986, True),
        ("roc_auc_score", 0.985, False),
        ("r2_score", 0.999, True),
        ("accuracy_score", 1.0, False),  # a rare class makes it high
        ("roc_auc_score", float("nan"), False),
    ],
)
def test_what_is_suspicious_changes_no_decision(metric: str, score: float, suspicious: bool) -> None:
    scores = {metric: Interval(score, score, score)}
    comparison = dataclasses.replace(GOOD, scores=scores, importance={"paid": 0.4, "age": 0.01})
    verdict, plain = decide(comparison, Evaluation(), AUC), decide(GOOD, Evaluation(), AUC)
    assert (verdict.decision, verdict.passed) == (plain.decision, plain.passed) == ("promote", True)
    assert (too_good(comparison) is not None) == suspicious
    assert verdict.facts.get("carried_by") == ("paid" if suspicious else None)
    assert ("'paid' carries it. Is that known before the outcome?" in verdict.reason) == suspicious


@pytest.mark.slow
def test_the_card_names_the_column_that_knows_the_answer(tmp_path) -> None:
    asked, frame = project(), rows().assign(noise=lambda t: t["y"] * 10.0)
    comparison = compared(asked, frame, tmp_path, {"logistic": (0.9, fitted(asked, LogisticRegression(), frame))})
    verdict = decide(comparison, asked.evaluation, asked.metric)
    html = model_card(asked, comparison, verdict).report().html()
    assert verdict.facts["carried_by"] == "noise"
    assert "suspiciously good: roc_auc_score on the test rows is 1.0000" in html
