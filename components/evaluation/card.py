"""The model card: what the model is for, what it reaches, and on what the decision rests."""

from collections.abc import Iterable, Sequence
from typing import Any

from ciclo.components.core.project import Project
from ciclo.components.core.report import Document, Section, Table, Text
from ciclo.components.core.verdict import Check, Verdict
from ciclo.components.evaluation.comparison import Comparison


def model_card(
    project: Project, comparison: Comparison, verdict: Verdict, service: Sequence[Check] = (), engine: str = ""
) -> Document:
    """Build the card (Mitchell et al., Model Cards for Model Reporting, 2019).

    Args:
        project: The project.
        comparison: What was measured.
        verdict: What was decided.
        service: Whether the needs of the users are met.
        engine: In which form the model answers, and why.
    """
    decided = Text(text=f"{verdict.decision}: {verdict.reason}", tone="good" if verdict.passed else "bad")
    gate = Text(text=f"Gate of a {comparison.gate.name} version: {comparison.gate.why}.")
    uses = {
        "owners": ", ".join(project.design.owners),
        "users": project.design.users,
        "used in": project.design.used_in,
        "what an error costs": project.design.cost_of_errors,
        "target": f"{project.data.target} ({project.task})",
        "source": project.data.source,
    }
    gains = {_answer(name, comparison): gain for name, gain in comparison.baselines.items()}
    if comparison.champion is not None:
        gains[f"the champion, version {comparison.champion_version}"] = comparison.champion
    metric, chosen = project.metric.name, comparison.winner.name
    candidates = [
        *([name, score, name == chosen] for name, score in comparison.validation.items()),
        *([name, f"failed: {why}", False] for name, why in comparison.failed.items()),
    ]
    unused = [[name, c.why or "nobody wrote why"] for name, c in project.data.columns.items() if c.role == "ignored"]
    importance = sorted(comparison.importance.items(), key=lambda item: -item[1])
    sections = {
        "Decision": (decided, gate, _checks(verdict.checks)),
        "Intended use": (_table(["", ""], uses.items()),),
        "Test scores": (_table(["metric", chosen], comparison.scores.items()),),
        f"Gain in {metric} on the same {comparison.rows:,} rows": (
            _table(["over", "gain", "low", "high"], [[who, g.point, g.low, g.high] for who, g in gains.items()]),
        ),
        "Candidates": (_table(["candidate", "validation score", "chosen"], candidates),),
        "Needs of the service": (_checks(service), Text(text=engine)) if service else (),
        "Columns that are not used": (_table(["column", "why"], unused),) if unused else (),
        "Slices": (_table(["column", "value", "rows", metric], comparison.slices),) if comparison.slices else (),
        "Importance": (_table(["feature", "loss when shuffled"], importance),),
    }
    return Document(
        title=f"Model card: {project.name}",
        lead=project.design.objective,
        sections=tuple(Section(title=title, parts=parts) for title, parts in sections.items() if parts),
    )


def _answer(name: str, comparison: Comparison) -> str:
    alone = name == "single_feature" and comparison.single_feature
    return f"the {name} answer" + (f", '{comparison.single_feature}' alone" if alone else "")


def _checks(checks: Sequence[Check]) -> Table:
    return _table(
        ["check", "passed", "value", "limit", "finding"],
        [[c.name, c.passed, c.value, c.limit, c.message] for c in checks],
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    return Table(header=tuple(header), rows=tuple(map(tuple, rows)))
