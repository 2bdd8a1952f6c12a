"""The tested recipe on all labelled rows: the model that is served after a split by time.

What was tested has not seen the newest rows, which are those that tomorrow is most like. So once the gate has let it
through, its estimator, parameters, calibration and threshold are fitted anew on every labelled row, the test rows too.
The verdict stays about the tested model, since the refitted one has no rows left to be tested on. In its place stands a
comparison: where it disagrees with the tested model more than refits of that recipe do by themselves, or behaves in
another way, the tested one is served.

It is fitted in a child process, which is ended after ``training.search_seconds``. The file of the tested model, for
which nobody vouches yet, is read there and nowhere else.
"""

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from ciclo.components.answering.behaviour import behaviour
from ciclo.components.answering.compiled import engine_of, parity
from ciclo.components.core.errors import TrainingError
from ciclo.components.core.metrics import Array
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_json, project_to_json
from ciclo.components.core.verdict import Verdict, require
from ciclo.components.core.wording import counted, listed
from ciclo.components.storage.models import dump_model, parse_model
from ciclo.components.tables.datasets import Dataset, file_digest, read_alone, read_contract
from ciclo.components.tables.folds import FOLDS, one_sided, several
from ciclo.components.training.candidates import too_large
from ciclo.components.training.children import START_SECONDS, Child, Tell, at_work, report
from ciclo.components.training.disagreement import (
    LEAST_REFITS,
    Agreement,
    agreements,
    by_slice,
    stretches,
)
from ciclo.components.training.labels import Labels, fit_model


@dataclass(frozen=True)
class Refit:
    """What became of a refit.

    Attributes:
        why: Why the tested model is served, as a clause; empty if the refitted one is.
        of: sha256 of the tested model, hex.
        digest: sha256 of the refitted one; empty if it is not served.
        rows: Rows it was fitted on.
        end: Time of the newest of them, ISO.
        disagreement: With the tested model, on the test rows; a probability, or a value.
        limit: The most that is usual; 0 where that was not told.
        slices: The same in every slice of ``evaluation.slices`` that has enough rows.
    """

    why: str
    of: str = ""
    digest: str = ""
    rows: int = 0
    end: str = ""
    disagreement: float = 0.0
    limit: float = 0.0
    slices: tuple[Agreement, ...] = ()

    @property
    def summary(self) -> str:
        """The outcome as one sentence."""
        if self.why:
            return f"the tested model is served: {self.why}"
        return (
            f"the model that is served was fitted anew on all {counted(self.rows, 'labelled row')}, up to "
            f"{self.end[:16]}; it differs from the tested one by {self.disagreement:.3g}, and up to "
            f"{self.limit:.3g} is usual"
        ) + self._in_slices

    @property
    def _in_slices(self) -> str:
        comparable = sum(one.limit is not None for one in self.slices)
        others = len(self.slices) - comparable
        known = f"; in {counted(comparable, 'slice')} it differs no more than refits do" if comparable else ""
        rest = str(others) if comparable else counted(others, "slice")
        return known + (f"; in {rest} nobody can tell" if others else "")

    def metadata(self) -> dict[str, str | float | int]:
        """What travels with the model: what is known of it, flat."""
        facts: dict[str, str | float | int] = {"why": self.why, "refit_of": self.of, "digest": self.digest}
        facts |= {"rows": self.rows, "end": self.end, "disagreement": self.disagreement, "limit": self.limit}
        if self.slices:
            facts["slices"] = json.dumps(
                {s.part: {"difference": s.disagreement, "usual": s.limit} for s in self.slices}
            )
        return {name: value for name, value in facts.items() if value}


@dataclass(frozen=True)
class Files:
    """Where a refit reads and writes.

    Attributes:
        dataset: Cleaned dataset.
        tested: The model that passed.
        verdict: What let it through.
        golden: Sample requests, with what it answers.
        model: Where the refitted model goes; empty if the tested one is served.
        answers: Where the sample requests go, with what the model that is served answers.
    """

    dataset: str
    tested: str
    verdict: str
    golden: str
    model: str
    answers: str


def refit(project: Project, facts: Mapping[str, Any], files: Files) -> Refit:
    """Fit a model that passed its gate on all labelled rows, unless the tested one is the better choice.

    Args:
        project: The project.
        facts: What training said of the tested model (``Fitted.metadata``).
        files: Where everything is.

    Raises:
        VerdictError: If the model has not passed.
        RuntimeError: If the child process broke by a fault that is not the model's.
    """
    subject = file_digest(files.tested)
    require(Verdict.read(files.verdict), gate="evaluation", subject=subject, offered=True)
    found = Refit(_not_asked(project)) if not project.refits else _refitted(project, facts, files)
    found = dataclasses.replace(found, of=subject)
    if not found.why:
        found = _as_served(project, files, found)
    if found.why:
        Path(files.model).write_bytes(b"")
        shutil.copyfile(files.golden, files.answers)
    return found


def _not_asked(project: Project) -> str:
    if project.split_method == "hash":
        return "with a split by hash the test rows are the same for every version, and stay unseen"
    if project.training.refit is None:
        delay = project.design.label_delay_days
        known = "until then only the tested model's performance can be estimated"
        return f"labels come after {counted(delay, 'day')}, and {known}"
    return "training.refit is off"


def _refitted(project: Project, facts: Mapping[str, Any], files: Files) -> Refit:
    """Fit, and compare with what refits do by themselves."""
    candidate, contract = project.candidates[str(facts["candidate"])], read_contract(files.dataset)
    at = str(contract.time_column)  # a project whose models are refitted has one
    rows = read_alone(files.dataset, [SPLIT, at])
    added = int((rows[SPLIT] == "test").sum())
    known = len(rows) - added
    if int(facts["rows"]) < known:
        few = f"{int(facts['rows']):,} of its {counted(known, 'row')}"
        return Refit(f"it was fitted on {few} for want of time, so that more of them would be another model")
    if reason := too_large(candidate, project, contract, len(rows)):
        return Refit(reason)
    job = Job(project_to_json(project), dict(facts), files.dataset, files.tested, files.model)
    course = _Course(project.training.search_seconds)
    course.run(job)
    if course.failure or course.ours is None:
        return Refit(course.failure)
    # Of classes a disagreement is a mean difference of probabilities.
    most = math.inf if project.task == "regression" else 1.0
    whole, *slices = agreements(course.ours, course.usual, most)
    return Refit(
        why_not(whole, slices, added),
        rows=len(rows),
        end=rows[at].max().isoformat(),
        disagreement=whole.disagreement,
        limit=whole.limit or 0.0,
        slices=tuple(slices),
    )


def why_not(whole: Agreement, slices: Sequence[Agreement], rows: int) -> str:
    """Why a refitted model is not served for how far it is from the tested one, as a clause; empty if it may be. Pure.

    Args:
        whole: How far it is on all of the newest rows.
        slices: And in each slice of them.
        rows: How many they are.
    """
    worst = next((one for one in (whole, *slices) if not one.is_usual), None)
    if worst is None or worst.limit is None:
        return ""
    comparable = sum(one.limit is not None for one in slices)
    place, luck = f"on the {counted(rows, 'newest row')}", "is not luck"
    if worst.part:
        place, luck = (
            f"on those of the {counted(rows, 'newest row')} where {worst.part}",
            f"is not luck in any of {counted(comparable, 'slice')}",
        )
    return (
        f"the refitted one answers too differently {place}, by {worst.disagreement:.3g}, where {len(worst.usual)} "
        f"refits without a part as large differ by up to {max(worst.usual):.3g}, and more than {worst.limit:.3g} "
        f"{luck}; look at the newest rows and their labels"
    )


def _as_served(project: Project, files: Files, found: Refit) -> Refit:
    """What can be asked of a model without rows that it has not seen: its size, its behaviour, and its own answers."""
    data = Dataset.open(files.dataset)
    model = parse_model(Path(files.model).read_bytes())  # our own child wrote it
    size = Path(files.model).stat().st_size / 1e6
    if size > project.evaluation.size_mb:
        why = f"the refitted one has {size:.1f} MB, more than evaluation.size_mb ({project.evaluation.size_mb:g})"
        return dataclasses.replace(found, why=why)
    known = parity(model, data.contract, data.split("train", "validation").X, project.training.seed)
    engine = engine_of(model, data.contract, known)
    broken = [check.message for check in behaviour(project, engine, data.split("test").X) if not check.passed]
    if broken:
        return dataclasses.replace(found, why=f"the refitted one does not behave as it has to: {listed(broken)}")
    tested = json.loads(Path(files.golden).read_text())
    answers = engine.predict(data.contract.parse(tested["rows"]))
    golden = {"rows": tested["rows"], "predictions": answers, "parity": known.model_dump()}
    kept = {"predictions": tested["predictions"], "parity": tested.get("parity", {})}
    Path(files.answers).write_text(json.dumps(golden | {"tested": kept}))
    return dataclasses.replace(found, digest=file_digest(files.model))


@dataclass(frozen=True)
class Job:
    """What the child process does, as JSON values.

    Attributes:
        project: The project as JSON.
        facts: What training said of the tested model.
        dataset: Cleaned dataset.
        tested: The tested model, which was rehearsed.
        model: Where the refitted one is written.
    """

    project: str
    facts: dict[str, Any]
    dataset: str
    tested: str
    model: str


class _Course:
    """A child on its way, and what it has told by its end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.ours: Mapping[str, float] | None = None
        self.usual: Sequence[Mapping[str, float]] = ()
        self.failure = ""

    def run(self, job: Job) -> None:
        """Let a child work until it is done or its time is over."""
        with at_work(work, job) as child:
            self._listen(child)

    def _listen(self, child: Child) -> None:
        by = time.monotonic() + START_SECONDS
        while (known := child.next_event(by)) is not None:
            event, facts = known
            if event == "ready":
                by = time.monotonic() + self._seconds
            elif event == "fitted":
                self.ours = facts
            elif event == "usual":
                self.usual = (*self.usual, facts)
            elif event == "failed":
                self.failure = f"it could not be fitted anew: {facts['reason']}"
                return
            elif event == "crashed":
                raise RuntimeError(facts["reason"])
            else:
                return
        allowed = f"training.search_seconds ({self._seconds:g})"
        if self.ours is None:
            self.failure = f"it could not be fitted anew within {allowed}"
        elif len(self.usual) < LEAST_REFITS:
            self.failure = (
                f"{len(self.usual)} refits to compare with ended within {allowed}, and {LEAST_REFITS} are needed"
            )


def work(connection: Connection, job: str) -> None:
    """Fit a model anew and then again without parts of its rows; what the child process runs.

    Args:
        connection: Takes ``(event, value)`` as JSON: ``ready``; ``fitted`` with the disagreement of the refitted and
            the tested model by slice; ``usual`` with that of each other refit; and ``done``, ``failed`` or ``crashed``.
        job: A ``Job`` as JSON.
    """
    report(connection, lambda tell: _tell_all(fit_again(Job(**json.loads(job))), tell))


def _tell_all(events: Iterable[tuple[str, Mapping[str, float]]], tell: Tell) -> dict[str, Any]:
    for event, value in events:
        tell(event, value)
    return {}


def fit_again(job: Job) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield ``fitted`` and ``usual`` as ``work`` tells them; the refitted model is written first."""
    project, facts = project_from_json(job.project), job.facts
    candidate, seed = project.candidates[facts["candidate"]], project.training.seed
    parameters, labels = json.loads(facts["parameters"]), labels_from(facts)
    data = Dataset.open(job.dataset)
    known, added = data.split("train", "validation"), data.split("test")
    tested = parse_model(Path(job.tested).read_bytes())
    parts = [(part, others) for part, others in _left_out(known, len(added)) if several(known, others)]
    if len(parts) < LEAST_REFITS:
        raise TrainingError(
            f"only {len(parts)} refits can be compared with, since the others would lack a class: "
            f"{one_sided(known, FOLDS)}"
        )
    columns, minimum = project.evaluation.slices, project.evaluation.minimum_rows
    refitted = fit_model(project, candidate, data, parameters, labels, seed)
    dump_model(refitted, job.model)
    yield "fitted", by_slice(refitted, tested, added, added, columns, minimum, seed)
    for number, (part, others) in enumerate(parts, 1):
        other = (seed + number) % 2**32
        seeded = project.model_copy(update={"training": project.training.model_copy(update={"seed": other})})
        without = Dataset(known.contract, known.rows.iloc[others])
        model = fit_model(seeded, candidate, without, parameters, labels, other)
        stretch = Dataset(known.contract, known.rows.iloc[part])
        yield "usual", by_slice(model, tested, stretch, added, columns, minimum, seed)


def _left_out(known: Dataset, length: int) -> list[tuple[Array, Array]]:
    """The positions of each stretch of time, and those of all other rows."""
    return [(part, np.setdiff1d(np.arange(len(known)), part)) for part in stretches(known, length)]


def labels_from(facts: Mapping[str, Any]) -> Labels:
    """How a model turns probabilities into answers, from what training said of it."""
    calibration = json.loads(facts.get("calibration") or "{}").get("calibration") or "none"
    threshold = facts.get("threshold")
    return Labels(calibration=calibration, threshold=None if threshold is None else float(threshold))
