"""Evaluation from files to files: compare, decide, and write what publishing needs."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciclo.components.answering.behaviour import behaviour
from ciclo.components.answering.compiled import parity
from ciclo.components.answering.engine import Engine
from ciclo.components.answering.learnt import learnt
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.core.profile import Profile
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.evaluation.card import Portrait, model_card
from ciclo.components.evaluation.champion import gate_of, read_champion, read_origin
from ciclo.components.evaluation.comparison import Comparison, compare, contenders, read_answers
from ciclo.components.evaluation.curves import sections_of
from ciclo.components.evaluation.decision import decide
from ciclo.components.evaluation.memory import Unbeaten
from ciclo.components.evaluation.reference import reference_of
from ciclo.components.evaluation.service import Service, service_checks
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.store import open_store
from ciclo.components.tables.datasets import Dataset, file_digest, read_treatments

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
    test, fitted_on = Dataset.open(dataset, "test"), Dataset.open(dataset, "train", "validation")
    failed = {name: str(facts.get("failure", "")) for name, (_, facts) in models.items() if facts.get("failed")}
    fitted = contenders({n: (Path(path), facts) for n, (path, facts) in models.items() if n not in failed})
    reference = Profile.model_validate_json(Path(profile).read_text())
    registry = open_registry(project.name, settings)
    with tempfile.TemporaryDirectory() as folder:
        champion = read_champion(registry, Path(folder) / "champion")
        gate = gate_of(champion, project, reference.end, file_digest(dataset), len(test) + len(fitted_on))
        refreshed = champion is not None and gate.name == "refresh"
        origin = read_origin(registry, champion, Path(folder) / "origin") if champion and refreshed else None
        simple = read_answers(baselines, test)
        comparison = compare(project, test, fitted_on, fitted, failed, simple, champion, gate, origin)
    winner = comparison.winner
    found = parity(winner.model, test.contract, fitted_on.X, project.training.seed)
    service = Service.of(winner.path, test, found)
    behaves = behaviour(project, service.engine, test.X)
    memory = Unbeaten(open_store(settings.store_uri, settings), project.name)
    verdict = decide(comparison, project.evaluation, project.metric, memory.before(settings.run), behaves)
    memory.remember(settings.run, bool(verdict.facts.get("unbeaten")))
    shutil.copyfile(winner.path, outputs.best)
    verdict.write(outputs.verdict)
    reference = reference_of(
        project,
        reference,
        comparison.importance,
        winner.model,
        fitted_on,
        test,
        comparison.single_feature,
    )
    Path(outputs.reference).write_text(reference.model_dump_json())
    golden = golden_requests(service.engine, test)
    Path(outputs.golden).write_text(json.dumps(golden | {"parity": found.model_dump()}))
    portrait = Portrait(
        service=service_checks(service, project.design.infrastructure, project.deployment),
        engine=found.sentence,
        curves=sections_of(comparison.answered),
        rows={"train": 0, "validation": 0, "test": 0} | split_rows(fitted_on, test),
        window=split_times(fitted_on, test),
        digest=file_digest(dataset),
        sample={"row": golden["rows"][0], "answer": golden["predictions"][0]},
        treatments=read_treatments(dataset),
        learnt=learnt(winner.model),
        dropped=test.contract.dropped,
    )
    card = model_card(project, comparison, verdict, portrait)
    card.report().write(outputs.card)
    Path(outputs.card_data).write_text(card.model_dump_json(indent=2))
    return verdict, comparison


def golden_requests(engine: Engine, test: Dataset) -> dict[str, Any]:
    """Sample requests with the answers a server has to give: test rows as JSON, spread over the test rows."""
    step = max(1, len(test) // GOLDEN_ROWS)
    rows = test.contract.rows(test.rows.iloc[::step].head(GOLDEN_ROWS))
    return {"rows": rows, "predictions": engine.predict(test.contract.parse(rows))}


def split_rows(*parts: Dataset) -> dict[str, int]:
    """Rows of each split."""
    return {str(name): int(count) for part in parts for name, count in part.rows[SPLIT].value_counts().items()}


def split_times(*parts: Dataset) -> dict[str, tuple[str, str]] | None:
    """First and last time of each split; None where rows have no times."""
    column = parts[0].contract.time_column
    if column is None:
        return None
    spans = [part.rows.groupby(SPLIT, observed=True)[column].agg(["min", "max"]) for part in parts]
    return {str(n): (f"{a:%Y-%m-%d %H:%M}", f"{b:%Y-%m-%d %H:%M}") for s in spans for n, a, b in s.itertuples()}
