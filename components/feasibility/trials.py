"""A plain first model beside the simple answers, on rows that neither has seen: held out, or by cross-validation.

Where there are enough rows, the validation rows judge, with days as the evidence where they are split by time. A small
table cannot spare them: there the training and validation rows judge each other by repeated cross-validation. Its folds
share their training rows, so the error of their mean is corrected for that (Nadeau and Bengio, Inference for the
Generalization Error, 2003). Days, and the rows of one id, stay whole.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ciclo.components.core.clusters import LEAST_GROUPS, Groups, gain_interval, several_of
from ciclo.components.core.discordance import least_width
from ciclo.components.core.empty_columns import zero_if_empty
from ciclo.components.core.intervals import Interval, scorer
from ciclo.components.core.metrics import Array, Metric, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.threshold import Rule, choose_threshold
from ciclo.components.core.wording import counted
from ciclo.components.feasibility.baselines import (
    CHOOSING,
    answers_of,
    asks_labels,
    baselines,
    best_feature,
    threshold_for,
)
from ciclo.components.feasibility.luck import by_luck
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.folds import FOLDS, dealt, part_of, several
from ciclo.components.tables.relations import category_names, ordinal

SAMPLE = 10_000
SMALL = 1_500
CROSSED = 3_000
REPEATS = 3
CURVE = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Trial:
    """How a first model did.

    Attributes:
        gains: Gain over each simple answer, by name.
        scores: Scores of the simple answers and of ``first_model``.
        kind: Which model it was, ``linear`` or ``trees``; in cross-validation the one chosen more often.
        p: Share of shuffles of the answers that score as well (``by_luck``); NaN where that cannot be asked.
        curve: Score by rows it was fitted on.
        method: How it was done, in words.
        unit: What is one piece of evidence: ``row``, ``day`` or ``entity``.
        pieces: How many there are.
    """

    gains: Mapping[str, Interval]
    scores: Mapping[str, float]
    kind: str
    p: float
    curve: Mapping[int, float]
    method: str
    unit: str
    pieces: int


def first_model(project: Project, kind: str, rows: Dataset) -> Any:
    """A plain model without any search.

    Args:
        project: Gives the task.
        kind: ``linear`` or ``trees``.
        rows: Rows to fit on.
    """
    coded, values = ordinal(category_names(rows.X)), project.task == "regression"
    if kind == "linear":
        model = RidgeCV() if values else LogisticRegression(max_iter=300)
        made = make_pipeline(coded, SimpleImputer(keep_empty_features=True), StandardScaler(), model)
    else:
        trees = HistGradientBoostingRegressor if values else HistGradientBoostingClassifier
        filled = SimpleImputer(strategy=zero_if_empty, keep_empty_features=True)
        made = make_pipeline(coded, filled, trees(max_iter=60, random_state=0, early_stopping=False))
    return made.fit(rows.X, rows.y)


def tried(project: Project, known: Dataset, feature: str) -> Trial:
    """Try a first model on the rows that a run may learn from.

    Args:
        project: The project.
        known: The training and validation rows.
        feature: The one feature of the simple answer; empty to choose it among the rows that teach.
    """
    train, held_out = known.split("train"), known.split("validation")
    groups = Groups.of(project, held_out.rows)
    one_class = not all(several(part, np.arange(len(part))) for part in (train, held_out))
    if len(known) < SMALL or one_class or (groups.unit != "row" and groups.count < LEAST_GROUPS):
        with threadpool_limits(1):  # threads cost so few rows more than they bring
            return _crossed(project, known.sample(CROSSED, project.training.seed), feature)
    return _held_out(project, train, held_out, feature)


def _held_out(project: Project, train: Dataset, held_out: Dataset, feature: str) -> Trial:
    seed, metric, codes = project.training.seed, project.metric, train.contract.codes
    train, held_out = train.sample(SAMPLE, seed), held_out.sample(SAMPLE, seed)
    groups = Groups.of(project, held_out.rows)
    kind, threshold, answers = _answers(project, train, held_out, feature)
    ours = answers.pop("first_model")
    gains = {
        name: gain_interval(
            metric,
            held_out.y,
            ours,
            theirs,
            codes,
            groups=groups.of_rows,
            confidence=project.evaluation.confidence,
        )
        for name, theirs in answers.items()
    }
    scores = {n: _score(metric, held_out.y, a, codes) for n, a in {**answers, "first_model": ours}.items()}
    together = _together(project, held_out)
    luck = by_luck(project, [(held_out.y, ours, together)], whole=project.split_method != "time")
    curve = dict(_curve(project, kind, threshold, train, held_out))
    curve[len(train)] = scores["first_model"]
    what = counted(len(held_out), "validation row") + (
        "" if groups.unit == "row" else f" of {counted(groups.count, groups.unit, several_of(groups.unit))}"
    )
    return Trial(gains, scores, kind, luck, curve, what, groups.unit, groups.count)


def _crossed(project: Project, known: Dataset, feature: str) -> Trial:
    metric, codes = project.metric, known.contract.codes
    groups, together = Groups.of(project, known.rows), _together(project, known)
    pieces = len(known) if together is None else np.unique(together).size
    unit = groups.unit if groups.unit != "row" or together is None else "entity"
    scores: dict[str, list[float]] = {}
    kinds: list[str] = []
    tested: list[tuple[Array, Array, Array | None]] = []
    curves: dict[float, list[tuple[int, float]]] = {share: [] for share in CURVE}
    for number, (taught, left) in enumerate(_folds(project, known, together)):
        if not (several(known, taught) and several(known, left)):
            continue
        train, held_out = (Dataset(known.contract, known.rows.iloc[rows]) for rows in (taught, left))
        kind, threshold, answers = _answers(project, train, held_out, feature)
        kinds.append(kind)
        for name, answer in answers.items():
            scores.setdefault(name, []).append(_score(metric, held_out.y, answer, codes))
        if number < FOLDS:
            tested.append((held_out.y, answers["first_model"], None if together is None else together[left]))
            points = [*_curve(project, kind, threshold, train, held_out), (len(train), scores["first_model"][-1])]
            for share, point in zip(CURVE, points, strict=True):
                curves[share].append(point)
    method = f"{FOLDS}-fold cross-validation, {REPEATS} times, on {len(known):,} training and validation rows"
    if len(kinds) < FOLDS:
        nothing = dict.fromkeys(("trivial", "single_feature"), Interval(math.nan, math.nan, math.nan))
        return Trial(nothing, {}, "none", math.nan, {}, method, unit, pieces)
    if len(kinds) < FOLDS * REPEATS:
        method += f"; {counted(FOLDS * REPEATS - len(kinds), 'fold')} of one class left out"
    kind = max(sorted(set(kinds)), key=kinds.count)
    ours = np.array(scores.pop("first_model", []))
    least = least_width(metric, known.y, project.evaluation.confidence)
    gains = {
        name: _corrected(
            np.array([metric.gain(a, b) for a, b in zip(ours, theirs, strict=True)]),
            project.evaluation.confidence,
            pieces,
            least,
        )
        for name, theirs in scores.items()
    }
    means = {name: float(np.mean(found)) for name, found in {**scores, "first_model": list(ours)}.items()}
    curve = {round(np.mean([n for n, _ in p])): float(np.mean([s for _, s in p])) for p in curves.values() if p}
    luck = by_luck(project, tested, whole=project.split_method != "time")
    return Trial(gains, means, kind, luck, curve, method, unit, pieces)


def _together(project: Project, rows: Dataset) -> Array | None:
    """The day or the id of each row, as integers; None where each row is by itself."""
    groups = Groups.of(project, rows.rows)
    return None if groups.unit == "row" else groups.pieces


def _folds(project: Project, known: Dataset, together: Array | None) -> Iterator[tuple[Array, Array]]:
    """Folds that keep days and ids whole and the shares of the classes alike; none where there are too few pieces."""
    pieces = len(known) if together is None else np.unique(together).size
    if pieces < max(LEAST_GROUPS, 2 * FOLDS) or not several(known, np.arange(len(known))):
        return
    for repeat in range(REPEATS):
        yield from dealt(known, together, FOLDS, (project.training.seed + repeat) % 2**32)


def _corrected(gains: Array, confidence: float, pieces: int, least: float) -> Interval:
    """The mean over folds with the corrected interval; without bounds where it is not defined in some fold.

    Args:
        gains: In each fold.
        confidence: Of each one-sided bound.
        pieces: What the folds are made of.
        least: How far the bounds lie from the mean at least.
    """
    if not gains.size or not np.isfinite(gains).all():
        return Interval(math.nan, math.nan, math.nan)
    error = math.sqrt((1 / gains.size + 1 / (FOLDS - 1)) * gains.var(ddof=1))
    width = max(float(t.ppf(confidence, min(gains.size, pieces) - 1)) * error, least)
    point = float(gains.mean())
    return Interval(point - width, point, point + width)


def _answers(
    project: Project, train: Dataset, held_out: Dataset, feature: str
) -> tuple[str, float | None, dict[str, Array]]:
    """What the first model and the simple answers say of rows.

    Returns:
        Which model that is, as rows that teach have decided; its threshold, which they gave out of fold; the answers.
    """
    metric, codes = project.metric, train.contract.codes
    simple = baselines(project, train, feature or best_feature(project, train))
    answers = {b.name: b.predict(metric.needs, held_out.X, codes) for b in simple}
    taught, asked = part_of(project, train, CHOOSING, project.training.seed)
    scores = {kind: _first_score(project, kind, taught, asked) for kind in ("linear", "trees")}
    kind = max(scores, key=lambda name: np.nan_to_num(scores[name], nan=-np.inf))
    threshold = threshold_for(project, train, lambda some: first_model(project, kind, some))
    answers["first_model"] = answers_of(metric.needs, first_model(project, kind, train), held_out.X, codes, threshold)
    return kind, threshold, answers


def _first_score(project: Project, kind: str, taught: Dataset, asked: Dataset) -> float:
    """How good a kind is, the greater the better; of labels at the threshold they ask for. NaN if it cannot be told."""
    if not several(taught, np.arange(len(taught))):
        return math.nan
    metric, codes, model, threshold = project.metric, taught.contract.codes, first_model(project, kind, taught), None
    if asks_labels(project):
        positive = predictions("probability", model, asked.X, codes)[:, 1]
        threshold = choose_threshold(asked.y == 1, positive, Rule.of(metric, project.evaluation.costs))
    return metric.gain(_score(metric, asked.y, answers_of(metric.needs, model, asked.X, codes, threshold), codes), 0.0)


def _curve(
    project: Project, kind: str, threshold: float | None, train: Dataset, held_out: Dataset
) -> Iterator[tuple[int, float]]:
    """Rows and score of the model on the smaller parts of the rows that teach."""
    metric, codes = project.metric, train.contract.codes
    for share in CURVE[:-1]:
        part = train.sample(max(2, round(share * len(train))), project.training.seed)
        score = math.nan
        if several(part, np.arange(len(part))):
            model = first_model(project, kind, part)
            score = _score(metric, held_out.y, answers_of(metric.needs, model, held_out.X, codes, threshold), codes)
        yield len(part), score


def _score(metric: Metric, y: Array, answers: Array, codes: list[int]) -> float:
    return scorer(metric, y, answers, codes)(slice(None))
