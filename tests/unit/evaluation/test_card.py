"""The model card shows what a person has to know, as data."""

import pytest
from sklearn.linear_model import LogisticRegression

from ciclo.components.answering.engine import Engine
from ciclo.components.answering.learnt import learnt
from ciclo.components.core.contract import Contract
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.report import Document
from ciclo.components.core.treatment import Treatment
from ciclo.components.evaluation.card import Portrait, model_card
from ciclo.components.evaluation.decision import decide
from ciclo.components.evaluation.service import Service, latencies, service_checks
from ciclo.components.tables.datasets import Dataset
from tests.tables import COLUMNS, TARGETS
from tests.unit.evaluation.test_fairness import compared, fitted, rows

RAW = {"name": "unit", "data": {"source": "t.csv", "target": "y", "columns": {"y": TARGETS["binary"], **COLUMNS}}}


@pytest.mark.slow
def test_the_card_tells_the_decision_the_use_the_needs_and_what_is_left_out(tmp_path):
    columns = {
        "y": TARGETS["binary"],
        **COLUMNS,
        "leak": {"type": "number", "role": "ignored", "why": "known too late"},
        "paid": {"type": "timestamp"},
    }
    design = {"objective": "Tell early.", "users": "the desk", "infrastructure": {"latency_ms": 0.001}}
    raw = {"name": "unit", "data": {"source": "t.csv", "target": "y", "columns": columns}, "design": design}
    asked, frame = project_from_mapping({**raw}, origin="test"), rows()
    model = fitted(asked, LogisticRegression(), frame)
    comparison = compared(asked, frame, tmp_path, {"logistic": (0.75, model)})
    test = Dataset(Contract.of(asked, ("false", "true")), frame)
    service = Service(None, 0.5, tuple(latencies(Engine(model, test.contract), test)))
    portrait = Portrait(service=service_checks(service, asked.design.infrastructure, asked.deployment))
    verdict = decide(comparison, asked.evaluation, asked.metric)
    card = Document.model_validate_json(model_card(asked, comparison, verdict, portrait).model_dump_json())
    told = card.tables()
    assert card.lead == "Tell early."
    assert told["Columns that are not used"] == {"leak": "known too late", "paid": "a time is no feature"}
    assert told["Intended use"]["users"] == "the desk"
    assert told["Needs of the service"]["latency_ms: passed"] is False
    assert told["Needs of the service"]["memory_mb: passed"] is True
    assert told["Candidates"] == {"logistic: validation score": 0.75, "logistic: chosen": "yes"}
    assert {name.partition(":")[0] for name in told["Importance"]} == set(COLUMNS)
    assert verdict.decision in card.report().html()


@pytest.mark.slow
def test_the_card_tells_the_policy_what_it_came_to_and_what_was_learnt(tmp_path):
    asked, frame = project_from_mapping({**RAW}, origin="test"), rows()
    model = fitted(asked, LogisticRegression(), frame)
    comparison = compared(asked, frame, tmp_path, {"logistic": (0.75, model)})
    verdict = decide(comparison, asked.evaluation, asked.metric)
    done = [
        Treatment(column="size", policy="missing: impute knn", values=3, share=0.03, effect="imputed in the model"),
        Treatment(column="size", policy="outliers: clip above 9", values=1, share=0.01, effect="clipped in the model"),
    ]
    found = learnt(model)
    assert found["size"][0].startswith("imputed "), "what linear models impute by default"
    learnt_of = {**found, "size": ["clipped to -∞ to 9", "imputed by the 5 nearest of 100 rows"]}
    why = {"noise": "missing in 50.0% of the training rows"}
    known = Portrait(treatments=done, learnt=learnt_of, dropped=why)
    card = model_card(asked, comparison, verdict, known)
    tables = {s.title: s.parts[0] for s in card.sections}
    assert [(r[0], r[2], r[3], r[-1]) for r in tables["Cleaning"].rows][:2] == [
        ("size", 3, "3 %", "imputed by the 5 nearest of 100 rows"),
        ("size", 1, "1 %", "clipped to -∞ to 9"),
    ]
    assert card.tables()["Columns that are not used"] == why
    assert "noise" not in [row[0] for row in tables["Features"].rows]
