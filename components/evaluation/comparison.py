"""All models on the same test rows: the candidates, the champion, the simple answers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from sklearn.inspection import permutation_importance

from ciclo.components.core.clusters import Groups, gain_interval, score_interval
from ciclo.components.core.errors import DataError, TrainingError
from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import METRICS, Array, predictions
from ciclo.components.core.own_columns import ROW_ID
from ciclo.components.core.project import Project
from ciclo.components.evaluation.champion import FIRST, Champion, Gate, ask
from ciclo.components.evaluation.curves import NOTHING, Answered
from ciclo.components.evaluation.slices import Slice, slices_of
from ciclo.components.storage.rehearsal import load_models
from ciclo.components.tables.datasets import Dataset, file_digest
from ciclo.components.tables.relations import SINGLE_FEATURE

IMPORTANCE_ROWS = 2_000
SHUFFLES = 5


@dataclass(frozen=True)
class Contender:
    """A fitted candidate.

    Attributes:
        name: Its name in the project.
        path: Its skops file.
        facts: What training reports of it: candidate, score on the validation rows, parameters, rows.
        model: The estimator.
    """

    name: str
    path: Path
    facts: Mapping[str, Any]
    model: Any

    @property
    def score(self) -> float:
        """Its score on the validation rows, from the search."""
        return float(self.facts["score"])


@dataclass(frozen=True)
class Comparison:
    """What is known before the decision.

    Attributes:
        winner: The candidate with the best validation score.
        score: Its score on the test rows, with its interval.
        scores: Every metric of the task on the test rows, by metric.
        validation: Validation score of every candidate that was fitted.
        failed: Why the others were not, by name.
        baselines: Gain over each simple answer.
        champion: Gain over the champion on the same rows, or None.
        champion_share: The same in the units of ``evaluation.refresh_margin``.
        champion_baselines: Gain of the champion over each simple answer, on the rows it has not seen.
        champion_version: The champion that was, or was to be, compared with; None if there is none.
        champion_problem: Why the champion cannot be compared with; empty if it can, or there is none.
        champion_rows: Test rows that it has not seen, on which both were scored.
        rows: Test rows.
        slices: Score by slice.
        size_mb: Size of the winner's file.
        digest: sha256 of the winner's file.
        importance: Permutation importance of each feature, not negative.
        importance_error: The standard error of each, over the shuffles.
        gate: What the winner has to show.
        origin: Gain over the version whose refreshes led to the champion, in the units of ``refresh_margin``, or None.
        origin_version: That version; None where the champion is itself one that had to be better.
        origin_problem: Why it cannot be compared with; empty if it can, or there is none.
        unit: What is one piece of evidence: ``day`` or ``row``.
        pieces: How many of them the test rows are.
        champion_pieces: How many the rows are that the champion has not seen.
        single_feature: The one feature of the simple answer; empty if there is none.
        answered: What the winner says of the test rows.
    """

    winner: Contender
    score: Interval
    scores: dict[str, Interval]
    validation: dict[str, float]
    failed: dict[str, str]
    baselines: dict[str, Interval]
    champion: Interval | None
    champion_version: int | None
    champion_problem: str
    champion_rows: int
    rows: int
    slices: tuple[Slice, ...]
    size_mb: float
    digest: str
    importance: dict[str, float]
    importance_error: Mapping[str, float] = field(default_factory=dict)
    gate: Gate = FIRST
    champion_share: Interval | None = None
    champion_baselines: Mapping[str, Interval] = field(default_factory=dict)
    origin: Interval | None = None
    origin_version: int | None = None
    origin_problem: str = ""
    unit: str = "row"
    pieces: int = 0
    champion_pieces: int = 0
    single_feature: str = ""
    answered: Answered = field(default=NOTHING, compare=False, repr=False)


def contenders(models: Mapping[str, tuple[Path, Mapping[str, Any]]]) -> list[Contender]:
    """Load the candidates that were fitted.

    Args:
        models: File and facts by candidate; failed candidates are left out by the caller.

    Raises:
        TrainingError: If there is none.
        IntegrityError: If one of their files is anything but a model, or harms the process that loads it first.
    """
    if not models:
        raise TrainingError("no candidate could be fitted", hint="The search results of each candidate say why.")
    loaded = load_models(path for path, _ in models.values())
    return [
        Contender(name, path, facts, model) for (name, (path, facts)), model in zip(models.items(), loaded, strict=True)
    ]


@dataclass(frozen=True)
class SimpleAnswers:
    """What the simple answers say of the test rows.

    Attributes:
        answers: By name, as the metric needs them.
        single_feature: The one feature that one of them looks at; empty if that is not known.
    """

    answers: dict[str, Array]
    single_feature: str = ""


def read_answers(path: str | Path, test: Dataset) -> SimpleAnswers:
    """Read what the simple answers say of the test rows.

    Raises:
        DataError: If they are about other rows.
    """
    table = pq.read_table(path)
    frame = table.to_pandas()
    if frame[ROW_ID].tolist() != test.rows[ROW_ID].tolist():
        raise DataError("the simple answers are about other rows than the test", hint="Run the pipeline again.")
    answers = {name: np.array(frame[name].tolist()) for name in frame.columns if name != ROW_ID}
    return SimpleAnswers(answers, (table.schema.metadata or {}).get(SINGLE_FEATURE, b"").decode())


def compare(
    project: Project,
    test: Dataset,
    known: Dataset,
    models: list[Contender],
    failed: dict[str, str],
    simple: SimpleAnswers,
    champion: Champion | None,
    gate: Gate = FIRST,
    origin: Champion | None = None,
) -> Comparison:
    """Measure everything the decision needs.

    Args:
        project: The project.
        test: The test rows.
        known: All others.
        models: Candidates that were fitted.
        failed: Why the others were not.
        simple: What the simple answers say of the test rows.
        champion: The champion of today, or None if there is none yet.
        gate: What the winner has to show.
        origin: The version whose refreshes led to the champion, if there is one.
    """
    metric, codes = project.metric, test.contract.codes
    winner = best_of(project, models)
    answered = Answered.of(winner.model, test)
    predicted = answered.as_needed(metric.needs)
    groups = Groups.of(project, test.rows)

    def gained(ours: Array, theirs: Array, rows: Array, *, relative: bool = False) -> Interval:
        return gain_interval(
            metric,
            test.y[rows],
            ours[rows],
            theirs[rows],
            codes,
            groups=groups.of_rows[rows],
            confidence=project.evaluation.confidence,
            relative=relative,
        )

    everything = np.ones(len(test), dtype=bool)
    weights, errors = importance(project, winner.model, test)
    relative = not metric.has_scale
    theirs = ask(champion, project, test, known) if champion else None
    first = ask(origin, project, test, known) if origin else None
    rival: dict[str, Any] = {}
    if theirs is not None and theirs.predicted is not None:
        gain = gained(predicted, theirs.predicted, theirs.unseen)
        rival = {
            "champion": gain,
            "champion_share": gained(predicted, theirs.predicted, theirs.unseen, relative=True) if relative else gain,
            "champion_baselines": {n: gained(theirs.predicted, a, theirs.unseen) for n, a in simple.answers.items()},
            "champion_rows": int(theirs.unseen.sum()),
            "champion_pieces": groups[theirs.unseen].count,
        }
    if first is not None and first.predicted is not None:
        rival["origin"] = gained(predicted, first.predicted, first.unseen, relative=relative)
    return Comparison(
        winner=winner,
        score=score_interval(
            metric, test.y, predicted, codes, groups=groups.of_rows, confidence=project.evaluation.confidence
        ),
        scores=every_metric(project, answered, codes, groups),
        answered=answered,
        validation={m.name: m.score for m in models},
        failed=failed,
        baselines={n: gained(predicted, a, everything) for n, a in simple.answers.items()},
        **{"champion": None, "champion_rows": 0, **rival},
        champion_version=champion.version if champion else None,
        champion_problem=theirs.problem if theirs else "",
        origin_version=origin.version if origin else None,
        origin_problem=first.problem if first else "",
        gate=gate,
        rows=len(test),
        unit=groups.unit,
        pieces=groups.count,
        single_feature=simple.single_feature,
        slices=slices_of(project, test, predicted, groups),
        size_mb=winner.path.stat().st_size / 1e6,
        digest=file_digest(winner.path),
        importance=weights,
        importance_error=errors,
    )


def best_of(project: Project, models: list[Contender]) -> Contender:
    """The candidate with the best validation score; the test rows have no say in the choice."""
    return max(models, key=lambda m: m.score if project.metric.greater_is_better else -m.score)


def every_metric(project: Project, answered: Answered, codes: list[int], groups: Groups) -> dict[str, Interval]:
    """Every metric of the task on the test rows, with its interval; those that are not defined are left out."""
    scores = {
        m.name: score_interval(
            m,
            answered.y,
            answered.as_needed(m.needs),
            codes,
            groups=groups.of_rows,
            confidence=project.evaluation.confidence,
        )
        for m in METRICS.values()
        if project.task in m.tasks
    }
    return {name: score for name, score in scores.items() if math.isfinite(score.point)}


def importance(project: Project, model: Any, test: Dataset) -> tuple[dict[str, float], dict[str, float]]:
    """Permutation importance (Breiman, Random Forests, 2001): what the metric loses when a feature is shuffled.

    Returns:
        Each feature's, not negative, and the standard error of each over the shuffles.
    """
    sample = test.sample(IMPORTANCE_ROWS, project.training.seed)
    metric, codes = project.metric, test.contract.codes

    def scorer(fitted: Any, X: Any, y: Array) -> float:  # noqa: N803
        return metric.gain(metric.score(y, predictions(metric.needs, fitted, X, codes), codes), 0.0)

    result = permutation_importance(
        model, sample.X, sample.y, scoring=scorer, n_repeats=SHUFFLES, random_state=project.training.seed
    )
    means, spread = (np.nan_to_num(found) for found in (result.importances_mean, result.importances_std))
    names, errors = test.contract.names, spread * math.sqrt(SHUFFLES / (SHUFFLES - 1)) / math.sqrt(SHUFFLES)
    return (
        {name: max(0.0, float(value)) for name, value in zip(names, means, strict=True)},
        {name: float(value) for name, value in zip(names, errors, strict=True)},
    )
