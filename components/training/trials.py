"""The trials of a search: parameters, chosen by Optuna, and the score of each."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import optuna

from ciclo.components.core.estimators import ESTIMATORS, Values, is_whole
from ciclo.components.core.metrics import Array, Metric, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Candidate, Range
from ciclo.components.core.threshold import Rule, choose_threshold
from ciclo.components.training.candidates import build, defaults_of, space_of
from ciclo.components.training.children import UNFIT
from ciclo.components.training.folds import Plan

optuna.logging.set_verbosity(optuna.logging.WARNING)

RANDOM_TRIALS = 6  # before TPE has seen enough to model; its own default is 10
PATIENCE = 8  # trials in a row without a better score, after which a search has found what it will find
BEHIND = "behind the median of the trials before it, and not finished"


@dataclass(frozen=True)
class Trial:
    """One set of parameters.

    Attributes:
        parameters: What was tried.
        score: Its score on rows it was not fitted on; NaN if it has none.
        seconds: How long that took.
        origin: ``champion``, ``defaults``, ``grid`` or ``search``.
        problem: Why it has no score: it failed, or was so much behind that it was not finished; empty if it has one.
    """

    parameters: dict[str, Any]
    score: float
    seconds: float
    origin: str = "search"
    problem: str = ""


def seed_of(digest: str, seed: int) -> int:
    """The seed of a search: other rows, or another seed of the project, and other values are tried."""
    return int.from_bytes(hashlib.sha256(f"{digest} {seed}".encode()).digest()[:4])


def best_of(trials: Iterable[Trial], metric: Metric) -> Trial | None:
    """The trial with the best score, the first of equal ones; None if none has a score."""
    scored = [t for t in trials if math.isfinite(t.score)]
    return max(scored, key=lambda t: t.score if metric.greater_is_better else -t.score, default=None)


def run_trials(
    candidate: Candidate,
    project: Project,
    plan: Plan,
    *,
    seed: int,
    start: Mapping[str, Any],
    seconds: float,
    report: Callable[[Trial], None],
) -> None:
    """Try parameters: those of the champion first, then those of the estimator as it comes, then what TPE suggests.

    Where the whole grid of listed values is not larger than the number of trials, all of it is tried instead. A trial
    that is behind the median of the earlier ones after its first fold, or on the first quarter of its rows, is not
    finished (Golovin et al., Google Vizier, 2017), and the same parameters are not fitted twice. A search whose last
    ``PATIENCE`` trials have brought nothing ends; that of a grid does not. The same data and seed give the same trials;
    when time runs out, there are fewer of them.

    Args:
        candidate: What to try.
        project: Gives metric and number of trials.
        plan: Which rows to fit on and to score on.
        seed: Of the suggestions.
        start: Parameters of the champion, empty if there are none to begin with.
        seconds: After which no further trial is begun.
        report: Is told every trial when it has ended.
    """
    space = space_of(candidate, project)
    sizes = [len(values) if isinstance(values, tuple) else math.inf for values in space.values()]
    is_grid = math.prod(sizes) <= project.training.trials
    study = optuna.create_study(
        sampler=optuna.samplers.GridSampler({k: list(v) for k, v in space.items()}, seed=seed)
        if is_grid
        else optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=RANDOM_TRIALS),
        direction="maximize" if project.metric.greater_is_better else "minimize",
    )
    origins = {} if is_grid else _enqueue(study, space, candidate, project, start)
    kinds = ESTIMATORS[candidate.estimator].parameters(project.task) or {}
    prepared = _Prepared(candidate, project, plan)
    known: dict[str, Trial] = {}

    def objective(trial: optuna.Trial) -> float:
        started = time.monotonic()
        parameters = {name: _suggest(trial, name, values, kinds[name]) for name, values in space.items()}
        origin = "grid" if is_grid else origins.get(trial.number, "search")
        score, problem = math.nan, ""
        tried = repr(parameters)  # 1 and 1.0 are equal, and mean one feature and all of them
        if (same := known.get(tried)) is not None:
            report(replace(same, seconds=0.0, origin=origin))
            if same.problem == BEHIND:
                raise optuna.TrialPruned
            return same.score
        try:
            score = _score(candidate, project, plan, prepared, parameters, trial)
            problem = (
                "" if math.isfinite(score) else f"{project.metric.name} is not defined on the rows it is scored on"
            )
        except optuna.TrialPruned:
            problem = BEHIND
            raise
        except UNFIT as error:
            problem = " ".join(str(error).split())[:500] or type(error).__name__
        finally:
            ended = Trial(parameters, score, time.monotonic() - started, origin, problem)
            known[tried] = ended
            report(ended)
        return score

    study.optimize(
        objective,
        n_trials=int(math.prod(sizes)) if is_grid else project.training.trials,
        timeout=seconds,
        callbacks=[] if is_grid else [_stop_if_stale],
    )


def _stop_if_stale(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """End a search whose last trials have brought nothing."""
    scored = any(t.value is not None for t in study.get_trials(deepcopy=False))
    if scored and trial.number - max(study.best_trial.number, RANDOM_TRIALS) >= PATIENCE:
        study.stop()


def _enqueue(
    study: optuna.Study,
    space: Mapping[str, Values],
    candidate: Candidate,
    project: Project,
    champion: Mapping[str, Any],
) -> dict[int, str]:
    """Queue the first trials; what they are, by number."""
    queued: list[dict[str, Any]] = []
    origins = {}
    for origin, parameters in (("champion", champion), ("defaults", defaults_of(candidate, project))):
        known = {name: value for name, value in parameters.items() if name in space and contains(space[name], value)}
        if known and known not in queued:
            origins[len(queued)] = origin
            queued.append(known)
            study.enqueue_trial(known)
    return origins


def contains(values: Values, value: Any) -> bool:
    """Whether a value is among those to try."""
    if isinstance(values, Range):
        return isinstance(value, int | float) and not isinstance(value, bool) and values.low <= value <= values.high
    return any(value == v and isinstance(value, bool) == isinstance(v, bool) for v in values)


def _suggest(trial: optuna.Trial, name: str, values: Values, kinds: str) -> Any:
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, list(values))
    if is_whole(values, kinds):
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(name, float(values.low), float(values.high), log=values.log)


@dataclass(frozen=True)
class _Step:
    """The features of one step of a plan as the estimator takes them: those to fit on and those to score on."""

    X: Any
    y: Array
    asked: Any
    answers: Array


class _Prepared:
    """The steps of a plan; what happens to the features is not searched, and so is learnt once for all trials."""

    def __init__(self, candidate: Candidate, project: Project, plan: Plan) -> None:
        self._candidate, self._project, self._plan = candidate, project, plan
        self._known: dict[int, _Step] = {}

    def __getitem__(self, number: int) -> _Step:
        if number not in self._known:
            rows, (fit, held_out) = self._plan.rows, self._plan.steps[number]
            preprocess = build(self._candidate, self._project, rows.contract, len(fit), {})["preprocess"]
            X = preprocess.fit_transform(rows.X.iloc[fit], rows.y[fit])
            self._known[number] = _Step(X, rows.y[fit], preprocess.transform(rows.X.iloc[held_out]), rows.y[held_out])
        return self._known[number]


def _score(
    candidate: Candidate,
    project: Project,
    plan: Plan,
    prepared: _Prepared,
    parameters: dict[str, Any],
    trial: optuna.Trial,
) -> float:
    scores: list[float] = []
    for number in range(len(plan.steps)):
        step = prepared[number]
        model = build(candidate, project, plan.rows.contract, len(step.y), parameters)["model"]
        model.fit(step.X, step.y)
        scores.append(_held_out(project, model, step, plan.rows.contract.codes))
        if number + 1 < len(plan.steps) and math.isfinite(scores[-1]):
            trial.report(sum(scores) / len(scores), number)
            if trial.should_prune():
                raise optuna.TrialPruned
    defined = [score for score in scores if math.isfinite(score)]
    if not plan.averaged:
        return scores[-1]
    return sum(defined) / len(defined) if len(defined) * 2 > len(scores) else math.nan


def _held_out(project: Project, model: Any, step: _Step, codes: list[int]) -> float:
    """The score on rows that the model was not fitted on; a metric of labels is taken at the threshold they ask for."""
    metric, y = project.metric, step.answers
    if metric.needs == "label" and project.task == "binary":
        positive = predictions("probability", model, step.asked, codes)[:, 1]
        threshold = choose_threshold(y == 1, positive, Rule.of(metric, project.evaluation.costs))
        return metric.score(y, (positive >= threshold).astype("int64"), codes)
    return metric.score(y, predictions(metric.needs, model, step.asked, codes), codes)
