"""The model card shows what a person has to know, as data."""

from sklearn.linear_model import LogisticRegression

from ciclo.components.answering.engine import Engine
from ciclo.components.core.contract import Contract
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.report import Document
from ciclo.components.evaluation.card import Portrait, model_card
from ciclo.components.evaluation.decision import decide
from ciclo.components.evaluation.service import Service, latencies, service_checks
from ciclo.components.tables.datasets import Dataset
from tests.tables import COLUMNS, TARGETS
from tests.unit.evaluation.test_fairness import compared, fitted, rows


def test_the_card_tells_the_decision_the_use_the_needs_and_what_is_left_out(tmp_path):
    columns = {
        "y": TARGETS["binary"],
        **COLUMNS,
        "leak": {"type": "number", "role": "ignored", "why": "known too late"},
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
    assert told["Columns that are not used"] == {"leak": "known too late"}
    assert told["Intended use"]["users"] == "the desk"
    assert told["Needs of the service"]["latency_ms: passed"] is False
    assert told["Needs of the service"]["memory_mb: passed"] is True
    assert told["Candidates"] == {"logistic: validation score": 0.75, "logistic: chosen": "yes"}
    assert {name.partition(":")[0] for name in told["Importance"]} == set(COLUMNS)
    assert verdict.decision in card.report().html()
