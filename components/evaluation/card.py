"""The model card: what the model is for, what it reaches, how it behaves, and on what the decision rests.

After Mitchell et al., Model Cards for Model Reporting, 2019. It is data first: publishing adds where the version comes
from, and the page is drawn from that.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ciclo.components.core.intervals import Interval
from ciclo.components.core.plots import Curve, Plot
from ciclo.components.core.project import Project
from ciclo.components.core.report import Document, Section, Table, Text
from ciclo.components.core.treatment import Treatment
from ciclo.components.core.verdict import Check, Verdict
from ciclo.components.core.wording import counted, number
from ciclo.components.evaluation.comparison import Comparison
from ciclo.components.evaluation.suspicion import too_good

MOST_FEATURES = 60
MOST_TRIALS = 200
Row = Sequence[Any]


@dataclass(frozen=True)
class Portrait:
    """What a card shows beside the comparison.

    Attributes:
        service: Whether the needs of the users are met.
        engine: In which form it answers, and why.
        curves: Pictures of its answers.
        rows: Rows of each split.
        window: First and last time of each split, where rows have times.
        digest: sha256 of the dataset, hex.
        sample: A request of one row, and the answer to it.
        treatments: What cleaning says of the values of each column.
        learnt: What the model has learnt of missing values and outliers, by column.
        dropped: Features that cleaning left out, and why.
    """

    service: Sequence[Check] = ()
    engine: str = ""
    curves: Sequence[Section] = ()
    rows: Mapping[str, int] | None = None
    window: Mapping[str, tuple[str, str]] | None = None
    digest: str = ""
    sample: Mapping[str, Any] | None = None
    treatments: Sequence[Treatment] = ()
    learnt: Mapping[str, Sequence[str]] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)


def model_card(
    project: Project, comparison: Comparison, verdict: Verdict, portrait: Portrait | None = None
) -> Document:
    """Build the card.

    Args:
        project: The project.
        comparison: What was measured.
        verdict: What was decided.
        portrait: What else is known of the winner.
    """
    known = portrait or Portrait()
    unused = [*_unused(project), *([name, why] for name, why in known.dropped.items())]
    sections = {
        "Decision": _decision(comparison, verdict),
        "Intended use": _use(project),
        "Test scores": (_scores(comparison),),
        f"Gain in {project.metric.name} on the same {counted(comparison.rows, 'row')}": (_gains(comparison),),
        **{section.title: section.parts for section in known.curves},
        "Slices": _slices(comparison, project.metric.name),
        "Importance": _importance(comparison),
        "Features": _features(project, known),
        "Cleaning": _cleaning(project, known),
        "Columns that are not used": (_table(["column", "why"], unused),) if unused else (),
        "Candidates": (_candidates(comparison),),
        "Parameters": _parameters(comparison),
        "Search": _search(comparison, project.metric.name),
        "Data": _data(known),
        "Needs of the service": (_checks(known.service), Text(text=_sentence(known.engine))) if known.service else (),
        "A request": _request(known),
    }
    return Document(
        title=f"Model card: {project.name}",
        lead=project.design.objective,
        sections=tuple(Section(title=title, parts=parts) for title, parts in sections.items() if parts),
    )


def _decision(comparison: Comparison, verdict: Verdict) -> tuple[Text | Table, ...]:
    tone = "good" if verdict.passed else "warn" if verdict.offered else "bad"
    suspicion = too_good(comparison)
    doubt = () if suspicion is None else (Text(text=suspicion.message, tone="warn"),)
    return (
        Text(text=f"{verdict.decision}: {verdict.reason}", tone=tone),
        *doubt,
        Text(text=f"Gate of a {comparison.gate.name} version: {comparison.gate.why}."),
        _checks(verdict.checks),
    )


def _use(project: Project) -> tuple[Table, ...]:
    design = project.design
    uses = {
        "owners": ", ".join(design.owners),
        "users": design.users,
        "used in": design.used_in,
        "not for": design.not_for,
        "what an error costs": design.cost_of_errors,
        "target": f"{project.data.target} ({project.task})",
        "source": project.data.source,
    }
    return (_table(["", ""], [[name, text or "nobody wrote it down"] for name, text in uses.items()]),)


def _scores(comparison: Comparison) -> Table:
    return _table(
        ["metric", comparison.winner.name, "low", "high"],
        [[name, found.point, found.low, found.high] for name, found in comparison.scores.items()],
    )


def _gains(comparison: Comparison) -> Table:
    gains: dict[str, Interval] = {_answer(name, comparison): gain for name, gain in comparison.baselines.items()}
    if comparison.champion is not None:
        gains[f"the champion, version {comparison.champion_version}"] = comparison.champion
    return _table(["over", "gain", "low", "high"], [[who, g.point, g.low, g.high] for who, g in gains.items()])


def _answer(name: str, comparison: Comparison) -> str:
    alone = name == "single_feature" and comparison.single_feature
    return f"the {name} answer" + (f", '{comparison.single_feature}' alone" if alone else "")


def _slices(comparison: Comparison, metric: str) -> tuple[Table, ...]:
    rows = [[s.column, s.value, s.rows, s.score.point, s.score.low, s.score.high] for s in comparison.slices]
    return (_table(["column", "value", "rows", metric, "low", "high"], rows),) if rows else ()


def _importance(comparison: Comparison) -> tuple[Table | Text, ...]:
    ordered = sorted(comparison.importance.items(), key=lambda item: -item[1])
    errors = comparison.importance_error
    rows = [[name, value, errors.get(name)] for name, value in ordered[:MOST_FEATURES]]
    rest = len(ordered) - len(rows)
    more = _more(rest, "more feature matters less.", "more features matter less.")
    return (_table(["feature", "loss when shuffled", "standard error"], rows), *more)


def _features(project: Project, known: Portrait) -> tuple[Table | Text, ...]:
    columns = [(name, column) for name, column in project.features.items() if name not in known.dropped]
    rows = [
        [name, c.type, _range(c.minimum, c.maximum, c.categories), "yes" if c.nullable else ""] for name, c in columns
    ]
    rest = len(rows) - MOST_FEATURES
    more = _more(rest, "more feature is in the contract.", "more features are in the contract.")
    return (_table(["feature", "type", "allowed", "may be missing"], rows[:MOST_FEATURES]), *more)


def _cleaning(project: Project, known: Portrait) -> tuple[Table | Text, ...]:
    """The policy, what it came to, and what the model has learnt of it."""
    rows: list[Row] = [
        [
            t.column,
            t.policy,
            t.values,
            f"{number(100 * t.share)} %",
            t.effect,
            _learnt(t, known.learnt),
        ]
        for t in known.treatments
    ]
    stated = {t.column for t in known.treatments}
    rows += [
        [
            name,
            f"missing: {project.cleaning.missing.numbers}, by default",
            "",
            "",
            "imputed in the model",
            ", ".join(what),
        ]
        for name, what in known.learnt.items()
        if name not in stated
    ]
    rest = len(rows) - MOST_FEATURES
    treated = "treated as the policy has it."
    more = _more(rest, f"more column is {treated}", f"more columns are {treated}")
    header = ["column", "policy", "values", "share", "effect", "learnt by the model"]
    return (_table(header, rows[:MOST_FEATURES]), *more) if rows else ()


def _learnt(treatment: Treatment, learnt: Mapping[str, Sequence[str]]) -> str:
    """What the model has learnt of a policy: values of missing ones, limits of outliers."""
    is_missing = treatment.policy.startswith("missing")
    return ", ".join(text for text in learnt.get(treatment.column, ()) if text.startswith("imputed") == is_missing)


def _range(low: float | None, high: float | None, categories: Sequence[str]) -> str:
    if categories:
        return counted(len(categories), "value") if len(categories) > 6 else ", ".join(categories)
    ends = [f"from {number(low)}"] if low is not None else []
    ends += [f"to {number(high)}"] if high is not None else []
    return " ".join(ends)


def _unused(project: Project) -> list[Row]:
    """The columns that are no features, and why."""
    data = project.data
    parts: dict[str | None, str] = {
        **dict.fromkeys(data.id_columns, "it names the row"),
        project.cleaning.split.group: "rows that share it stay on one side of the split",
        data.time_column: "it tells when the row happened",
    }
    rest = {name: c for name, c in data.columns.items() if name != data.target and name not in project.features}
    return [
        [name, c.why or parts.get(name) or ("nobody wrote why" if c.role == "ignored" else "a time is no feature")]
        for name, c in rest.items()
    ]


def _candidates(comparison: Comparison) -> Table:
    chosen = comparison.winner.name
    rows: list[Row] = [
        *([name, score, "yes" if name == chosen else ""] for name, score in comparison.validation.items()),
        *([name, f"failed: {why}", ""] for name, why in comparison.failed.items()),
    ]
    return _table(["candidate", "validation score", "chosen"], rows)


def _parameters(comparison: Comparison) -> tuple[Table, ...]:
    facts = comparison.winner.facts
    given = json.loads(facts.get("parameters") or "{}")
    calibration = json.loads(facts.get("calibration") or "{}")
    rows: list[Row] = [[name, _word(value)] for name, value in given.items()]
    rows += [["estimator", str(facts["estimator"])]] if facts.get("estimator") else []
    if facts.get("threshold") is not None:
        rows.append(["label's threshold", f"{number(float(facts['threshold']))}, by {facts.get('threshold_by')}"])
    if calibration.get("calibration"):
        rows.append(["calibration", f"{calibration['calibration']}: {calibration.get('why', '')}".rstrip(": ")])
    if facts.get("plan"):
        rows.append(["scored on", str(facts["plan"])])
    return (_table(["", ""], rows),) if rows else ()


def _word(value: Any) -> str:
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _search(comparison: Comparison, metric: str) -> tuple[Plot, ...]:
    """The trials of the winner, one after the other, and the best so far."""
    scores = json.loads(comparison.winner.facts.get("scores") or "[]")[:MOST_TRIALS]
    points = [(float(n), float(score)) for n, score in enumerate(scores, 1) if score is not None]
    if len(points) < 2:
        return ()
    sign = 1 if metric.endswith("_score") else -1
    best = [(n, sign * max(sign * s for _, s in points[: place + 1])) for place, (n, _) in enumerate(points)]
    curves = (
        Curve(name="the best so far", points=tuple(best), tone="second"),
        Curve(name="a trial", points=tuple(points), dots=True),
    )
    title = f"{counted(len(scores), 'trial')} of {comparison.winner.name}"
    return (Plot(title=title, x="trial", y=metric, curves=curves),)


def _data(known: Portrait) -> tuple[Table | Text, ...]:
    if not known.rows:
        return ()
    rows = [[split, count, *(known.window or {}).get(split, ("", ""))] for split, count in known.rows.items()]
    header = ["split", "rows", "first", "last"]
    table = _table(header if known.window else header[:2], [row if known.window else row[:2] for row in rows])
    return (table, Text(text=f"sha256 of the dataset: {known.digest}"))


def _request(known: Portrait) -> tuple[Text, ...]:
    if not known.sample:
        return ()
    body = json.dumps({"jsonData": {"rows": [known.sample["row"]]}}, ensure_ascii=False)
    return (
        Text(text=f"`{body}`"),
        Text(text=f"is answered with `{json.dumps(known.sample['answer'], ensure_ascii=False)}`"),
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""


def _checks(checks: Sequence[Check]) -> Table:
    return _table(
        ["check", "passed", "value", "limit", "finding"],
        [[c.name, c.passed, c.value, c.limit, c.message] for c in checks],
    )


def _more(rest: int, one: str, many: str) -> tuple[Text, ...]:
    """How many rows a table leaves out, if any."""
    return (Text(text=counted(rest, one, many)),) if rest > 0 else ()


def _table(header: Sequence[str], rows: Iterable[Row]) -> Table:
    return Table(header=tuple(header), rows=tuple(map(tuple, rows)))
