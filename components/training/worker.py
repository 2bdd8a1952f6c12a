"""What fits a candidate: a child process of its own, which can be ended whatever it is busy with.

It tells what it does in lines of JSON, so that nothing that has ended is lost when it is.
"""

import dataclasses
import json
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from ciclo.components.core.errors import TrainingError
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_json
from ciclo.components.core.sections import Candidate
from ciclo.components.storage.models import dump_model
from ciclo.components.tables.datasets import Dataset
from ciclo.components.training.candidates import too_large
from ciclo.components.training.children import Tell, report
from ciclo.components.training.folds import Plan, plan_for
from ciclo.components.training.labels import Labels, fit_model, learn_labels
from ciclo.components.training.trials import Trial, best_of, run_trials

THREADED_CELLS = 1_000_000  # values of a fit above which more than one thread is worth it


@dataclass(frozen=True)
class Job:
    """What is to be done, as JSON values.

    Attributes:
        project: The project as JSON.
        candidate: Which candidate.
        dataset: Cleaned dataset.
        model: Where the fitted model is written.
        seed: Of search, samples and folds.
        start: Parameters of the champion, empty if there are none to begin with.
        seconds: After which no further trial is begun.
        parameters: Those to fit, None to search them first.
        labels: What was learnt of the labels, None to learn it first.
        most_rows: Rows of the final fit at most, None for all.
    """

    project: str
    candidate: str
    dataset: str
    model: str
    seed: int
    start: dict[str, Any]
    seconds: float
    parameters: dict[str, Any] | None = None
    labels: dict[str, Any] | None = None
    most_rows: int | None = None


def work(connection: Connection, job: str) -> None:
    """Do a job and tell what comes of it; what the child process runs.

    Args:
        connection: Takes ``(event, facts)`` as JSON: ``ready``, ``planned``, ``trial``, ``labelling``, ``labels``,
            and at the end ``done``, ``failed`` or ``crashed``.
        job: A ``Job`` as JSON.
    """
    report(connection, lambda tell: fit_candidate(Job(**json.loads(job)), tell))


def fit_candidate(job: Job, tell: Tell) -> dict[str, Any]:
    """Search the parameters of a candidate, learn its labels, fit it, and write it.

    Returns:
        ``rows`` of the final fit.

    Raises:
        TrainingError: If the candidate is not for so many rows, or no trial has a score.
    """
    project = project_from_json(job.project)
    candidate = project.candidates[job.candidate]
    dataset = Dataset.open(job.dataset, "train", "validation")
    if reason := too_large(candidate, project, dataset.contract, len(dataset)):
        raise TrainingError(reason)
    plan = plan_for(project, dataset, job.seed)
    # Candidates run beside each other, and threads that wait for a processor cost small fits more than they bring.
    small = plan.fitted_on * len(dataset.contract.columns) < THREADED_CELLS
    with threadpool_limits(1 if small else None):
        parameters, labels = _learn(job, tell, project, candidate, dataset, plan)
    tell("labels", labels.facts())
    rows = dataset.sample(job.most_rows or len(dataset), job.seed)
    dump_model(fit_model(project, candidate, rows, parameters, labels, job.seed), Path(job.model))
    return {"rows": len(rows)}


def _learn(
    job: Job, tell: Tell, project: Project, candidate: Candidate, dataset: Dataset, plan: Plan
) -> tuple[dict[str, Any], Labels]:
    """Parameters and labels, as far as the job does not give them."""
    parameters = job.parameters
    if parameters is None:
        tell("planned", {"text": plan.text, "rows": plan.fitted_on})
        trials: list[Trial] = []

        def report(trial: Trial) -> None:
            trials.append(trial)
            tell("trial", dataclasses.asdict(trial))

        run_trials(candidate, project, plan, seed=job.seed, start=job.start, seconds=job.seconds, report=report)
        best = best_of(trials, project.metric)
        if best is None:
            raise TrainingError("no trial has a score", seen=trials[0].problem if trials else "no trial ended")
        parameters = best.parameters
    if job.labels is not None:
        return parameters, Labels.from_facts(job.labels)
    tell("labelling", {})
    return parameters, learn_labels(project, candidate, dataset.sample(plan.most_rows, job.seed), parameters, job.seed)
