"""A plain first model beside the simple answers, on rows that neither has seen: held out, or by cross-validation.

Where there are enough rows, the validation rows judge, with days as the evidence where they are split by time. A small
table cannot spare them: there the training and validation rows judge each other by repeated cross-validation. Its folds
share their training rows, so the error of their mean is corrected for that (Nadeau and Bengio, Inference for the
Generalization Error, 2003); days stay whole.
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
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ciclo.components.core.clusters import LEAST_GROUPS, Groups, gain_interval
from ciclo.components.core.empty_columns import zero_if_empty
from ciclo.components.core.intervals import Interval, scorer
from ciclo.components.core.metrics import Array, Metric, predictions
from ciclo.components.core.project import Project
from ciclo.components.feasibility.baselines import CHOOSING, baselines, best_feature
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.relations import category_names, ordinal

SAMPLE = 10_000
SMALL = 1_500
CROSSED = 3_000
FOLDS, REPEATS = 5, 3
SHUFFLES = 99
CURVE = (0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Trial:
    """How a first model did.

    Attributes:
        gains: Gain over each simple answer, by name.
        scores: Scores of the simple answers and of ``first_model``.
        kind: Which model it was, ``linear`` or ``trees``; in cross-validation the one chosen more often.
        p: Share of shuffles of the answers that score as well: what luck alone would do (Ojala and Garriga, Permutation
            Tests for Studying Classifier Performance, 2010).
        curve: Score by rows it was fitted on.
        method: How it was done, in words.
        unit: What is one piece of evidence, ``day`` or ``row``.
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
    held_out = known.split("validation")
    groups = Groups.of(project, held_out.rows)
    by_day = groups.unit == "day"
    if len(known) < SMALL or (by_day and groups.count < LEAST_GROUPS):
        with threadpool_limits(1):  # threads cost so few rows more than they bring
            return _crossed(project, known.sample(CROSSED, project.training.seed), feature)
    return _held_out(project, known.split("train"), held_out, feature)


def _held_out(project: Project, train: Dataset, held_out: Dataset, feature: str) -> Trial:
    seed, metric, codes = project.training.seed, project.metric, train.contract.codes
    train, held_out = train.sample(SAMPLE, seed), held_out.sample(SAMPLE, seed)
    groups = Groups.of(project, held_out.rows)
    kind, answers = _answers(project, train, held_out, feature)
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
    days = groups.of_rows if groups.unit == "day" else np.zeros(len(held_out), dtype=int)
    tested = [(held_out.y, ours, days)]
    curve = dict(_curve(project, kind, train, held_out))
    curve[len(train)] = scores["first_model"]
    what = f"{len(held_out):,} validation rows" + (f" of {groups.count} days" if groups.unit == "day" else "")
    return Trial(gains, scores, kind, _luck(project, tested), curve, what, groups.unit, groups.count)


def _crossed(project: Project, known: Dataset, feature: str) -> Trial:
    metric, codes = project.metric, known.contract.codes
    groups = Groups.of(project, known.rows)
    days = groups.of_rows if groups.unit == "day" else None
    scores: dict[str, list[float]] = {}
    kinds: list[str] = []
    tested: list[tuple[Array, Array, Array]] = []
    curves: dict[float, list[tuple[int, float]]] = {share: [] for share in CURVE}
    for number, (taught, left) in enumerate(_folds(project, known, days)):
        train, held_out = (Dataset(known.contract, known.rows.iloc[rows]) for rows in (taught, left))
        kind, answers = _answers(project, train, held_out, feature)
        kinds.append(kind)
        for name, answer in answers.items():
            scores.setdefault(name, []).append(_score(metric, held_out.y, answer, codes))
        if number < FOLDS:
            strata = days[left] if days is not None else np.zeros(len(left), dtype=int)
            tested.append((held_out.y, answers["first_model"], strata))
            points = [*_curve(project, kind, train, held_out), (len(train), scores["first_model"][-1])]
            for share, point in zip(CURVE, points, strict=True):
                curves[share].append(point)
    method = f"{FOLDS}-fold cross-validation, {REPEATS} times, on {len(known):,} training and validation rows"
    if not kinds:
        nothing = dict.fromkeys(("trivial", "single_feature"), Interval(math.nan, math.nan, math.nan))
        return Trial(nothing, {}, "none", 1.0, {}, method, groups.unit, groups.count)
    kind = max(sorted(set(kinds)), key=kinds.count)
    ours = np.array(scores.pop("first_model", []))
    gains = {
        name: _corrected(np.array([metric.gain(a, b) for a, b in zip(ours, theirs, strict=True)]), project, groups)
        for name, theirs in scores.items()
    }
    means = {name: float(np.mean(found)) for name, found in {**scores, "first_model": list(ours)}.items()}
    curve = {round(np.mean([n for n, _ in p])): float(np.mean([s for _, s in p])) for p in curves.values() if p}
    return Trial(gains, means, kind, _luck(project, tested), curve, method, groups.unit, groups.count)


def _folds(project: Project, known: Dataset, days: Array | None) -> Iterator[tuple[Array, Array]]:
    """Folds that keep days whole and the shares of the classes alike; none where there are too few pieces."""
    values, y = project.task == "regression", known.y
    pieces = len(known) if days is None else np.unique(days).size
    if pieces < max(LEAST_GROUPS, 2 * FOLDS) or (not values and np.bincount(y).max() == y.size):
        return
    for repeat in range(REPEATS):
        state = project.training.seed + repeat
        if days is None:
            rare = not values and int(np.bincount(y)[np.bincount(y) > 0].min()) < FOLDS
            splitter: Any = KFold if values or rare else StratifiedKFold
        else:
            splitter = GroupKFold if values else StratifiedGroupKFold
        yield from splitter(FOLDS, shuffle=True, random_state=state).split(y, y, days)


def _corrected(gains: Array, project: Project, groups: Groups) -> Interval:
    """The mean over folds with the corrected interval; without bounds where it is not defined in some fold."""
    if not gains.size or not np.isfinite(gains).all():
        return Interval(math.nan, math.nan, math.nan)
    error = math.sqrt((1 / gains.size + 1 / (FOLDS - 1)) * gains.var(ddof=1))
    least = min(gains.size, groups.count) - 1
    width = float(t.ppf(project.evaluation.confidence, least)) * error
    point = float(gains.mean())
    return Interval(point - width, point, point + width)


def _answers(project: Project, train: Dataset, held_out: Dataset, feature: str) -> tuple[str, dict[str, Array]]:
    """What the first model and the simple answers say of rows; which model that is, rows that teach have decided."""
    metric, codes = project.metric, train.contract.codes
    simple = baselines(project, train, feature or best_feature(project, train))
    answers = {b.name: b.predict(metric.needs, held_out.X, codes) for b in simple}
    choosing = train.rows.sample(frac=CHOOSING, random_state=project.training.seed)
    taught, asked = Dataset(train.contract, train.rows.drop(choosing.index)), Dataset(train.contract, choosing)
    scores = {}
    for kind in ("linear", "trees"):
        model = first_model(project, kind, taught)
        scores[kind] = metric.gain(
            _score(metric, asked.y, predictions(metric.needs, model, asked.X, codes), codes), 0.0
        )
    kind = max(scores, key=lambda name: np.nan_to_num(scores[name], nan=-np.inf))
    answers["first_model"] = predictions(metric.needs, first_model(project, kind, train), held_out.X, codes)
    return kind, answers


def _curve(project: Project, kind: str, train: Dataset, held_out: Dataset) -> Iterator[tuple[int, float]]:
    """Rows and score of the model on the smaller parts of the rows that teach."""
    metric, codes = project.metric, train.contract.codes
    for share in CURVE[:-1]:
        part = train.sample(max(2, round(share * len(train))), project.training.seed)
        score = math.nan
        if project.task == "regression" or np.unique(part.y).size > 1:
            model = first_model(project, kind, part)
            score = _score(metric, held_out.y, predictions(metric.needs, model, held_out.X, codes), codes)
        yield len(part), score


def _luck(project: Project, tested: list[tuple[Array, Array, Array]]) -> float:
    """How often answers that are shuffled within a fold, and within a day, score as well as they are."""
    if not tested:
        return 1.0
    metric, rng = project.metric, np.random.default_rng(project.training.seed)
    codes = list(range(max(int(y.max()) for y, _, _ in tested) + 1)) if project.task != "regression" else []

    def scored(shuffle: bool) -> float:
        found = []
        for y, answers, strata in tested:
            order = np.lexsort((rng.random(y.size), strata)) if shuffle else np.argsort(strata, kind="stable")
            place = np.argsort(strata, kind="stable")
            found.append(metric.gain(_score(metric, y[place], answers[order], codes), 0.0))
        return float(np.mean(found))

    real = scored(shuffle=False)
    if not math.isfinite(real):
        return 1.0
    return (1 + sum(scored(shuffle=True) >= real for _ in range(SHUFFLES))) / (1 + SHUFFLES)


def _score(metric: Metric, y: Array, answers: Array, codes: list[int]) -> float:
    return scorer(metric, y, answers, codes)(slice(None))
