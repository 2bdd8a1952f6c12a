"""All models on the same test rows: the candidates, the champion, the simple answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from sklearn.inspection import permutation_importance

from ciclo.components.core.errors import DataError, TrainingError
from ciclo.components.core.intervals import Interval, gain_interval, score_interval
from ciclo.components.core.metrics import METRICS, Array, predictions
from ciclo.components.core.project import Project
from ciclo.components.evaluation.champion import Champion, ask
from ciclo.components.storage.rehearsal import load_models
from ciclo.components.tables.datasets import Dataset, file_digest

IMPORTANCE_ROWS = 2_000


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
        champion_version: The champion that was, or was to be, compared with; None if there is none.
        champion_problem: Why the champion cannot be compared with; empty if it can, or there is none.
        champion_rows: Test rows that it has not seen, on which both were scored.
        rows: Test rows.
        slices: Score by slice: (column, value, rows, score).
        size_mb: Size of the winner's file.
        digest: sha256 of the winner's file.
        importance: Permutation importance of each feature, not negative.
    """

    winner: Contender
    score: Interval
    scores: dict[str, float]
    validation: dict[str, float]
    failed: dict[str, str]
    baselines: dict[str, Interval]
    champion: Interval | None
    champion_version: int | None
    champion_problem: str
    champion_rows: int
    rows: int
    slices: tuple[tuple[str, str, int, float], ...]
    size_mb: float
    digest: str
    importance: dict[str, float]


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


def read_answers(path: str | Path, test: Dataset) -> dict[str, Array]:
    """Read what the simple answers say of the test rows.

    Raises:
        DataError: If they are about other rows.
    """
    frame = pq.read_table(path).to_pandas()
    if frame["row_id"].tolist() != test.rows["row_id"].tolist():
        raise DataError("the simple answers are about other rows than the test", hint="Run the pipeline again.")
    return {name: np.array(frame[name].tolist()) for name in frame.columns if name != "row_id"}


def compare(
    project: Project,
    test: Dataset,
    models: list[Contender],
    failed: dict[str, str],
    answers: dict[str, Array],
    champion: Champion | None,
) -> Comparison:
    """Measure everything the decision needs.

    Args:
        project: The project.
        test: The test rows.
        models: Candidates that were fitted.
        failed: Why the others were not.
        answers: What the simple answers say of the test rows.
        champion: The champion of today, or None if there is none yet.
    """
    metric, codes = project.metric, test.contract.codes
    winner = best_of(project, models)
    predicted = predictions(metric.needs, winner.model, test.X, codes)
    options: dict[str, Any] = {
        "confidence": project.evaluation.confidence,
        "resamples": project.evaluation.resamples,
        "seed": project.training.seed,
    }
    theirs = ask(champion, project, test) if champion else None
    gain, rows = None, 0
    if theirs is not None and theirs.predicted is not None:
        unseen, rows = theirs.unseen, int(theirs.unseen.sum())
        gain = gain_interval(metric, test.y[unseen], predicted[unseen], theirs.predicted[unseen], codes, **options)
    return Comparison(
        winner=winner,
        score=score_interval(metric, test.y, predicted, codes, **options),
        scores=every_metric(project, winner.model, test),
        validation={m.name: m.score for m in models},
        failed=failed,
        baselines={n: gain_interval(metric, test.y, predicted, a, codes, **options) for n, a in answers.items()},
        champion=gain,
        champion_version=champion.version if champion else None,
        champion_problem=theirs.problem if theirs else "",
        champion_rows=rows,
        rows=len(test),
        slices=tuple(by_slice(project, test, predicted)),
        size_mb=winner.path.stat().st_size / 1e6,
        digest=file_digest(winner.path),
        importance=importance(project, winner.model, test),
    )


def best_of(project: Project, models: list[Contender]) -> Contender:
    """The candidate with the best validation score; the test rows have no say in the choice."""
    return max(models, key=lambda m: m.score if project.metric.greater_is_better else -m.score)


def every_metric(project: Project, model: Any, test: Dataset) -> dict[str, float]:
    """Every metric of the task on the test rows; those that are not defined are left out."""
    codes = test.contract.codes
    predicted = {needs: predictions(needs, model, test.X, codes) for needs in {m.needs for m in _metrics(project)}}
    scores = {m.name: m.score(test.y, predicted[m.needs], codes) for m in _metrics(project)}
    return {name: score for name, score in scores.items() if np.isfinite(score)}


def _metrics(project: Project) -> list[Any]:
    return [m for m in METRICS.values() if project.task in m.tasks]


def by_slice(project: Project, test: Dataset, predicted: Array) -> list[tuple[str, str, int, float]]:
    """The metric in each slice that has enough rows."""
    found = []
    for column in project.evaluation.slices:
        values = test.rows[column].astype(str)
        for value, rows in values.groupby(values).groups.items():
            inside = test.rows.index.get_indexer(rows)
            if len(inside) >= project.evaluation.minimum_rows:
                score = project.metric.score(test.y[inside], predicted[inside], test.contract.codes)
                found.append((column, str(value), len(inside), score))
    return found


def importance(project: Project, model: Any, test: Dataset) -> dict[str, float]:
    """Permutation importance (Breiman, Random Forests, 2001): what the metric loses when a feature is shuffled."""
    sample = test.sample(IMPORTANCE_ROWS, project.training.seed)
    metric, codes = project.metric, test.contract.codes

    def scorer(fitted: Any, X: Any, y: Array) -> float:  # noqa: N803
        return metric.gain(metric.score(y, predictions(metric.needs, fitted, X, codes), codes), 0.0)

    result = permutation_importance(
        model, sample.X, sample.y, scoring=scorer, n_repeats=3, random_state=project.training.seed
    )
    means = np.nan_to_num(result.importances_mean)
    return {name: max(0.0, float(value)) for name, value in zip(test.contract.names, means, strict=True)}
