"""What is said when a run ends: its outcome and the reasons, from what its stages wrote down."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ciclo.components.core.verdict import Verdict
from ciclo.components.runs.notes import Ending, Note

GOOD = frozenset({"COMPLETE", "SUCCEEDED"})

STOPS = {
    "unusable": "validation refused the data",
    "no_ml": "machine learning is not worth its cost here",
    "keep": "no candidate was good enough to be published",
}
_OUTCOMES = {
    "promoted": "the training run made a new champion",
    "waiting": "a new version waits for a person",
    "kept": "no new model was good enough in the training run",
    "escalated": "no new model was good enough in the training run, and the design is in question",
    "stopped": "the training run stopped before training was worth it",
    "restored": "the refitted model was taken back, and the tested one is the champion again",
    "served": "the champion was deployed, without any training",
    "overtaken": "another champion was there before the refitted model could be taken back",
}


@dataclass(frozen=True)
class Message:
    """A message to the people behind a project.

    Attributes:
        title: One line.
        body: A few lines.
        severity: ``info`` for a run that ended normally, ``error`` for a failed one, ``warning`` for one nobody knows.
    """

    title: str
    body: str
    severity: Literal["info", "warning", "error"]


def end_of_run(project: str, state: str, trigger: str, run: str, notes: Sequence[Note], unread: str = "") -> Message:
    """Put the end of a run into words.

    KFP reports RUNNING after a time-out, so that only a state known to be good is good news; and a stage that failed
    is bad news whatever the state.

    Args:
        project: Name of the project.
        state: The state KFP gives its exit handler.
        trigger: Why the run was started.
        run: Id of the run; empty if it is not known.
        notes: What its stages wrote down, oldest first.
        unread: Why that cannot be read, if it cannot.
    """
    broken = [note for note in notes if note.ending in ("failed", "cancelled")]
    ends = [note.ending for note in notes if note.ending in _OUTCOMES]
    outcome = next((ending for ending in reversed(ends) if ending != "served"), ends[-1] if ends else None)
    reasons = [f"{note.stage}: {note.reason}" for note in notes]
    reasons += [f"What the stages wrote down cannot be read: {unread}"] if unread else []
    facts = [*reasons, f"Trigger: {trigger}", f"Run: {run}" if run else "Look it up among the runs."]
    if broken:
        what = "failed" if broken[0].ending == "failed" else "was cancelled"
        if outcome in ("promoted", "restored"):
            facts.insert(len(reasons), "The new champion does not serve yet: the next run or the watch deploys it.")
        return Message(f"{project}: the training run {what} in {broken[0].stage}", "\n".join(facts), "error")
    if state == "FAILED":
        facts.insert(len(reasons), "No stage said why: look at the run for the task that failed.")
        return Message(f"{project}: the training run failed", "\n".join(facts), "error")
    if state not in GOOD:
        facts.insert(len(reasons), f"The last known state is {state or 'empty'}: look at the run.")
        return Message(f"{project}: the end of the training run is unknown", "\n".join(facts), "warning")
    if outcome is None:
        facts.insert(len(reasons), "What came of it was not written down: look at the run.")
        return Message(f"{project}: the training run is complete", "\n".join(facts), "warning")
    severity: Literal["info", "warning"] = "warning" if outcome == "escalated" else "info"
    return Message(f"{project}: {_OUTCOMES[outcome]}", "\n".join(facts), severity)


def ending_of(reason: str, verdict: Verdict) -> Ending:
    """How a run ends that a gate has ended.

    Args:
        reason: The decision word of the gate.
        verdict: What the gate has to say for it.
    """
    if reason != "keep":
        return "stopped"
    return "escalated" if verdict.facts.get("escalate") == "design" else "kept"


def end_of_branch(reason: str) -> str:
    """Say why a run stopped before deployment, from the decision word of a gate."""
    return STOPS.get(reason, f"a gate decided '{reason}'")
