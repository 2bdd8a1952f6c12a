"""A candidate from its search to the written model, within its seconds.

The work is done in a child process (``worker``): an estimator that is busy in compiled code listens to nobody, and only
a process can be ended. The time of a candidate is shared out: half is for the search, and a trial that is not done by
then is stopped; what follows has the rest. A final fit that takes too long is stopped too, and repeated on as few rows
as can be fitted in the time that is kept back for it.

The result depends on the rows, the project and the seed alone, not on the speed of the machine, as long as nothing is
stopped. Where time runs out there are fewer trials, no calibration, or fewer rows, and ``cut`` says so.
"""

import dataclasses
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_to_json
from ciclo.components.core.wording import counted
from ciclo.components.tables.datasets import rows_digest
from ciclo.components.training.children import START_SECONDS, at_work
from ciclo.components.training.labels import Labels
from ciclo.components.training.trials import Trial, best_of, seed_of
from ciclo.components.training.worker import Job, work

# The share of the seconds at which each part ends.
SEARCH, LABELS, FIT, FEW = 0.5, 0.6, 0.75, 1.0
LEAST_ROWS = 50
ENDS = ("done", "failed", "crashed")


@dataclass(frozen=True)
class Fitted:
    """What became of a candidate.

    Attributes:
        candidate: Its name.
        estimator: Its estimator.
        failure: Why it could not be fitted; empty if it was.
        score: Best score of the search, on rows that were not fitted; NaN if it failed.
        parameters: The parameters of that score.
        rows: Rows of the final fit.
        plan: How trials were scored, in words.
        trials: The whole search.
        labels: Calibration and threshold, as ``Labels.facts`` gives them; empty if it failed.
        cut: What was cut short for want of time, as a sentence; empty if nothing was.
    """

    candidate: str
    estimator: str = ""
    failure: str = ""
    score: float = math.nan
    parameters: dict[str, Any] = field(default_factory=dict)
    rows: int = 0
    plan: str = ""
    trials: tuple[Trial, ...] = ()
    labels: dict[str, Any] = field(default_factory=dict)
    cut: str = ""

    @property
    def summary(self) -> str:
        """The outcome as one sentence."""
        if self.failure:
            return f"failed: {self.failure}"
        chosen = ", ".join(f"{k}={_short(v)}" for k, v in self.parameters.items()) or "defaults"
        label = ""
        if self.labels.get("threshold") is not None:
            label = f"; positive from {self.labels['threshold']:.3g} on"
        if self.labels.get("calibration", "none") != "none":
            label += f", calibrated by {self.labels['calibration']}"
        return (
            f"validation {self.score:.4g} after {counted(len(self.trials), 'trial')} ({chosen}); "
            f"fitted on {counted(self.rows, 'row')}{label}{'; ' + self.cut if self.cut else ''}"
        )

    def metadata(self) -> dict[str, Any]:
        """What travels with the model: flat texts and numbers, nested ones as JSON."""
        facts: dict[str, Any] = {
            "candidate": self.candidate,
            "estimator": self.estimator,
            "failed": int(bool(self.failure)),
            "failure": self.failure,
        }
        if self.failure:
            return facts
        facts |= {"score": self.score, "rows": self.rows, "parameters": json.dumps(self.parameters), "plan": self.plan}
        facts |= {"trials": len(self.trials), "cut": self.cut}
        facts["scores"] = json.dumps([trial.score if math.isfinite(trial.score) else None for trial in self.trials])
        calibration = {key: self.labels.get(key) for key in ("calibration", "why", "rows", "before", "after")}
        facts["calibration"] = json.dumps(calibration)
        if self.labels.get("threshold") is not None:
            facts |= {"threshold": self.labels["threshold"], "threshold_by": self.labels["rule"]}
        return facts


def fit(
    project: Project,
    name: str,
    dataset_path: str | Path,
    model_path: str | Path,
    start: Mapping[str, Any] | None = None,
) -> Fitted:
    """Search a candidate's parameters, fit it on the training and validation rows, and write it.

    A candidate that cannot be fitted does not raise: an empty model is written and the reason is returned, so that the
    other candidates go on.

    Args:
        project: The project.
        name: Which of its candidates.
        dataset_path: Cleaned dataset.
        model_path: Where the fitted model is written.
        start: Parameters of the champion, to be tried first.

    Raises:
        RuntimeError: If the child process broke by a fault that is not the candidate's.
    """
    if name not in project.candidates:
        fitted = Fitted(name, failure=f"the project has no candidate '{name}'; it has {', '.join(project.candidates)}")
    elif not Path(dataset_path).is_file():
        fitted = Fitted(name, failure=f"there is no dataset {dataset_path}")
    else:
        fitted = _Course(project, name, Path(dataset_path), Path(model_path), dict(start or {})).run()
    if fitted.failure:
        Path(model_path).write_bytes(b"")
    return fitted


class _Course:
    """One candidate on its way: what has ended of it, and what is to be done next when a part took too long."""

    def __init__(self, project: Project, name: str, dataset: Path, model: Path, start: dict[str, Any]) -> None:
        self._project, self._name = project, name
        self._seconds = project.training.search_seconds
        self._job = Job(
            project=project_to_json(project),
            candidate=name,
            dataset=str(dataset.absolute()),
            model=str(model.absolute()),
            seed=seed_of(rows_digest(dataset), project.training.seed),
            start=start,
            seconds=SEARCH * self._seconds,
        )
        self._began = math.inf
        self._end = SEARCH
        self._trials: list[Trial] = []
        self._plan, self._plan_rows = "", 0
        self._labels: dict[str, Any] | None = None
        self._cuts: list[str] = []

    def run(self) -> Fitted:
        """Start children until one is done or there is nothing left to try."""
        while True:
            ended = self._child()
            if ended is not None:
                event, facts = ended
                break
            if problem := self._hurry():
                event, facts = "failed", {"reason": problem}
                break
        if event == "crashed":
            raise RuntimeError(facts["reason"])
        estimator = self._project.candidates[self._name].estimator
        if event == "failed":
            return Fitted(self._name, estimator, facts["reason"], plan=self._plan, trials=tuple(self._trials))
        best = best_of(self._trials, self._project.metric)
        if best is None:
            raise RuntimeError("a model was fitted without a trial")
        return Fitted(
            self._name,
            estimator,
            "",
            best.score,
            best.parameters,
            facts["rows"],
            self._plan,
            tuple(self._trials),
            self._labels or {},
            "; ".join(self._cuts),
        )

    def _child(self) -> tuple[str, dict[str, Any]] | None:
        """How a child ends, or None if it was stopped."""
        ready_by = time.monotonic() + START_SECONDS
        with at_work(work, self._job) as child:
            while True:
                by = ready_by if self._began == math.inf else self._began + self._end * self._seconds
                event = child.next_event(by)
                if event is None or event[0] in ENDS:
                    return event
                self._take(*event)

    def _take(self, event: str, facts: dict[str, Any]) -> None:
        if event == "ready":
            self._began = min(self._began, time.monotonic())
        elif event == "planned":
            self._plan, self._plan_rows = facts["text"], facts["rows"]
        elif event == "trial":
            self._trials.append(Trial(**facts))
        elif event == "labelling":
            self._end = LABELS
        elif event == "labels":
            self._labels, self._end = facts, max(self._end, FIT)

    def _hurry(self) -> str:
        """Go on after what took too long; why that cannot be, if it cannot."""
        allowed = f"training.search_seconds ({self._seconds:g})"
        if self._began == math.inf:
            return f"its process did not start within {START_SECONDS} s"
        best = best_of(self._trials, self._project.metric)
        if best is None:
            return f"not one trial ended within half of {allowed}; raise it, or lower training.search_rows"
        if self._end == SEARCH:
            self._cuts.append(f"the search was stopped after {counted(len(self._trials), 'trial')}")
            self._end, labels = LABELS, self._job.labels
            self._job = dataclasses.replace(self._job, parameters=best.parameters, labels=labels)
        elif self._end == LABELS:
            self._cuts.append("no time was left for calibration and threshold")
            binary = self._project.task == "binary"
            untold = Labels(threshold=0.5 if binary else None, rule="one half, for want of time" if binary else "")
            self._end = FIT
            self._job = dataclasses.replace(self._job, parameters=best.parameters, labels=untold.facts())
        elif self._end == FIT:
            share = (FEW - FIT) / 2 * self._seconds / max(best.seconds, 1e-3)
            rows = max(LEAST_ROWS, int(self._plan_rows * min(1.0, share)))
            self._cuts.append(f"the fit on all rows was stopped, and repeated on {counted(rows, 'row')}")
            self._end = FEW
            self._job = dataclasses.replace(self._job, parameters=best.parameters, labels=self._labels, most_rows=rows)
        else:
            return f"it could not be fitted within {allowed}; raise it"
        return ""


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
