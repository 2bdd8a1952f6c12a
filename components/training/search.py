"""The search over a candidate's parameters, and its final fit."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from ciclo.components.core.errors import CicloError
from ciclo.components.core.metrics import predictions
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Candidate
from ciclo.components.storage.models import dump_model
from ciclo.components.tables.datasets import Dataset
from ciclo.components.training.candidates import build, recipe_for

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Trial:
    """One set of parameters and its score on the validation rows."""

    parameters: dict[str, Any]
    score: float
    seconds: float


@dataclass(frozen=True)
class Fitted:
    """What became of a candidate.

    Attributes:
        candidate: Its name.
        failure: Why it could not be fitted; empty if it was.
        score: Best score on the validation rows; NaN if it failed.
        parameters: The parameters of that score.
        rows: Rows of the final fit.
        trials: The whole search.
    """

    candidate: str
    failure: str = ""
    score: float = math.nan
    parameters: dict[str, Any] = field(default_factory=dict)
    rows: int = 0
    trials: tuple[Trial, ...] = ()

    @property
    def summary(self) -> str:
        """The outcome as one sentence."""
        if self.failure:
            return f"failed: {self.failure}"
        chosen = ", ".join(f"{k}={v}" for k, v in self.parameters.items()) or "defaults"
        return f"validation {self.score:.4g} after {len(self.trials)} trials ({chosen}); fitted on {self.rows:,} rows"


def search(name: str, candidate: Candidate, project: Project, train: Dataset, validation: Dataset) -> tuple[Trial, ...]:
    """Try parameters on a sample of the training rows, scored on the validation rows.

    The sampler is Optuna's seeded TPE; where the whole grid is not larger than the number of trials, the grid itself.

    Args:
        name: Name of the candidate.
        candidate: What to try.
        project: Gives trials, sample size, time and seed.
        train: Rows to fit on.
        validation: Rows to score on.

    Returns:
        The trials in the order they were made; at least one.
    """
    settings, metric, codes = project.training, project.metric, train.contract.codes
    space = candidate.search or recipe_for(candidate, project)[0].search
    sample = train.sample(settings.search_rows, settings.seed)
    held_out = validation.sample(settings.search_rows, settings.seed)
    trials: list[Trial] = []

    def objective(trial: optuna.Trial) -> float:
        started = time.monotonic()
        parameters = {key: trial.suggest_categorical(key, list(values)) for key, values in space.items()}
        model = build(candidate, project, train.contract, len(sample), parameters).fit(sample.X, sample.y)
        score = metric.score(held_out.y, predictions(metric.needs, model, held_out.X, codes), codes)
        trials.append(Trial(parameters, score, time.monotonic() - started))
        return score

    grid = math.prod(len(values) for values in space.values())
    sampler = (
        optuna.samplers.GridSampler({k: list(v) for k, v in space.items()}, seed=settings.seed)
        if grid <= settings.trials
        else optuna.samplers.TPESampler(seed=settings.seed)
    )
    study = optuna.create_study(
        study_name=name, sampler=sampler, direction="maximize" if metric.greater_is_better else "minimize"
    )
    study.optimize(objective, n_trials=min(grid, settings.trials), timeout=settings.search_seconds)
    return tuple(trials)


def fit(project: Project, name: str, dataset_path: str | Path, model_path: str | Path) -> Fitted:
    """Search a candidate's parameters, fit it on the training and validation rows, and write it.

    A candidate that cannot be fitted does not raise: an empty model is written and the reason is returned, so that the
    other candidates go on.

    Args:
        project: The project.
        name: Which of its candidates.
        dataset_path: Cleaned dataset.
        model_path: Where the fitted pipeline is written.
    """
    try:
        candidate = project.candidates[name]
        dataset = Dataset.open(dataset_path, "train", "validation")
        trials = search(name, candidate, project, dataset.split("train"), dataset.split("validation"))
        scored = [t for t in trials if math.isfinite(t.score)]
        if not scored:
            raise ValueError(f"{project.metric.name} is not defined on the validation rows")
        best = max(scored, key=lambda t: t.score if project.metric.greater_is_better else -t.score)
        model = build(candidate, project, dataset.contract, len(dataset), best.parameters).fit(dataset.X, dataset.y)
        dump_model(model, model_path)
    except KeyError:
        failure = f"the project has no candidate '{name}'; it has {', '.join(project.candidates)}"
    except (CicloError, ValueError, MemoryError, ArithmeticError) as error:
        failure = " ".join(str(error).split())[:500]
    else:
        return Fitted(name, "", best.score, best.parameters, len(dataset), trials)
    Path(model_path).write_bytes(b"")
    return Fitted(name, failure)
