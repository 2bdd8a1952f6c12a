"""The model card: what the model is for, what it reaches, and on what the decision rests."""

from ciclo.components.core.project import Project
from ciclo.components.core.report import Report
from ciclo.components.core.verdict import Verdict
from ciclo.components.evaluation.comparison import Comparison


def model_card(project: Project, comparison: Comparison, verdict: Verdict) -> Report:
    """Build the card (Mitchell et al., Model Cards for Model Reporting, 2019)."""
    passed = verdict.passed
    page = Report(f"Model card: {project.name}", project.design.objective)
    page.section("Decision").text(f"{verdict.decision}: {verdict.reason}", "good" if passed else "bad")
    page.table(
        ["check", "passed", "value", "limit", "finding"],
        [[c.name, c.passed, c.value, c.limit, c.message] for c in verdict.checks],
    )
    page.section("Intended use").table(
        ["", ""],
        [
            ["owners", ", ".join(project.design.owners)],
            ["users", project.design.users],
            ["used in", project.design.used_in],
            ["what an error costs", project.design.cost_of_errors],
            ["target", f"{project.data.target} ({project.task})"],
            ["source", project.data.source],
        ],
    )
    page.section("Test scores").table(
        ["metric", comparison.winner.name], [[name, score] for name, score in comparison.scores.items()]
    )
    gains = {f"the {name} answer": gain for name, gain in comparison.baselines.items()}
    if comparison.champion is not None:
        gains[f"the champion, version {comparison.champion_version}"] = comparison.champion
    page.section(f"Gain in {project.metric.name} on the same {comparison.rows:,} rows").table(
        ["over", "gain", "low", "high"], [[who, g.point, g.low, g.high] for who, g in gains.items()]
    )
    page.section("Candidates").table(
        ["candidate", "validation score", "chosen"],
        [
            *([name, score, name == comparison.winner.name] for name, score in comparison.validation.items()),
            *([name, f"failed: {why}", False] for name, why in comparison.failed.items()),
        ],
    )
    if comparison.slices:
        page.section("Slices").table(["column", "value", "rows", project.metric.name], comparison.slices)
    page.section("Importance").table(
        ["feature", "loss when shuffled"], sorted(comparison.importance.items(), key=lambda item: -item[1])
    )
    return page
