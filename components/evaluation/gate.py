"""Evaluation from files to files: compare, decide, and write what publishing needs."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciclo.components.answering.compiled import engine_of, parity
from ciclo.components.answering.engine import Engine
from ciclo.components.core.profile import Profile
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.evaluation.card import model_card
from ciclo.components.evaluation.champion import gate_of, read_champion, read_origin
from ciclo.components.evaluation.comparison import Comparison, compare, contenders, read_answers
from ciclo.components.evaluation.decision import decide
from ciclo.components.evaluation.memory import Unbeaten
from ciclo.components.evaluation.reference import reference_of
from ciclo.components.evaluation.service import latencies, service_checks
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.store import open_store
from ciclo.components.tables.datasets import Dataset, file_digest

GOLDEN_ROWS = 100


@dataclass(frozen=True)
class Outputs:
    """Where the results are written."""

    best: str
    verdict: str
    reference: str
    golden: str
    card: str
    card_data: str


def evaluate(
    project: Project,
    settings: Settings,
    *,
    dataset: str,
    baselines: str,
    profile: str,
    models: Mapping[str, tuple[str, Mapping[str, Any]]],
    outputs: Outputs,
) -> tuple[Verdict, Comparison]:
    """Compare all models on the test rows and decide.

    Args:
        project: The project.
        settings: Where the registry is.
        dataset: Cleaned dataset.
        baselines: What the simple answers say of the test rows.
        profile: Reference profile from validation.
        models: File and metadata of every candidate, failed ones too.
        outputs: Where the results go.

    Raises:
        TrainingError: If no candidate could be fitted.
    """
    test = Dataset.open(dataset, "test")
    failed = {name: str(facts.get("failure", "")) for name, (_, facts) in models.items() if facts.get("failed")}
    fitted = contenders({n: (Path(path), facts) for n, (path, facts) in models.items() if n not in failed})
    reference = Profile.model_validate_json(Path(profile).read_text())
    registry = open_registry(project.name, settings)
    with tempfile.TemporaryDirectory() as folder:
        champion = read_champion(registry, Path(folder) / "champion")
        gate = gate_of(champion, project, reference.end, file_digest(dataset))
        refreshed = champion is not None and gate.name == "refresh"
        origin = read_origin(registry, champion, Path(folder) / "origin") if champion and refreshed else None
        comparison = compare(project, test, fitted, failed, read_answers(baselines, test), champion, gate, origin)
    memory = Unbeaten(open_store(settings.store_uri, settings), project.name)
    verdict = decide(comparison, project.evaluation, project.metric, memory.before(settings.run))
    memory.remember(settings.run, bool(verdict.facts.get("unbeaten")))
    shutil.copyfile(comparison.winner.path, outputs.best)
    verdict.write(outputs.verdict)
    fitted_on = Dataset.open(dataset, "train", "validation")
    reference = reference_of(
        project,
        reference,
        comparison.importance,
        comparison.winner.model,
        fitted_on,
        test,
        comparison.single_feature,
    )
    Path(outputs.reference).write_text(reference.model_dump_json())
    found = parity(comparison.winner.model, test.contract, fitted_on.X, project.training.seed)
    engine = engine_of(comparison.winner.model, test.contract, found)
    Path(outputs.golden).write_text(json.dumps(golden_requests(engine, test) | {"parity": found.model_dump()}))
    service = service_checks(latencies(engine, test), project.design.infrastructure, project.deployment)
    card = model_card(project, comparison, verdict, service, found.sentence)
    card.report().write(outputs.card)
    Path(outputs.card_data).write_text(card.model_dump_json(indent=2))
    return verdict, comparison


def golden_requests(engine: Engine, test: Dataset) -> dict[str, Any]:
    """Sample requests with the answers a server has to give: test rows as JSON, spread over the test rows."""
    step = max(1, len(test) // GOLDEN_ROWS)
    rows = test.contract.rows(test.rows.iloc[::step].head(GOLDEN_ROWS))
    return {"rows": rows, "predictions": engine.predict(test.contract.parse(rows))}
