"""What is said when a run ends."""

from dataclasses import dataclass
from typing import Literal

GOOD = frozenset({"COMPLETE", "SUCCEEDED"})

STOPS = {
    "unusable": "validation refused the data",
    "no_ml": "machine learning is not worth its cost here",
    "keep": "no candidate was good enough to be published",
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


def end_of_run(project: str, state: str, trigger: str, run: str = "", error: str = "") -> Message:
    """Put the final status of a run into words.

    KFP reports RUNNING after a time-out, so that only a status known to be good is good news.

    Args:
        project: Name of the project.
        state: The state KFP gives its exit handler.
        trigger: Why the run was started.
        run: Name of the run, if known.
        error: What KFP says went wrong; a cluster never says.
    """
    place = f"Run: {run}" if run else "Look it up among the runs of the training pipeline."
    facts = "\n".join(line for line in (f"Trigger: {trigger}", place, f"Error: {error}" if error else "") if line)
    if state in GOOD:
        return Message(
            f"{project}: the training run is complete",
            f"Its verdicts say whether a new version is served.\n{facts}",
            "info",
        )
    if state == "FAILED":
        return Message(
            f"{project}: the training run failed", f"Nothing was promoted after the failure.\n{facts}", "error"
        )
    return Message(
        f"{project}: the end of the training run is unknown",
        f"The last known state is {state or 'empty'}: look at the run.\n{facts}",
        "warning",
    )


def end_of_branch(reason: str) -> str:
    """Say why a run stopped before deployment, from the decision word of a gate."""
    return STOPS.get(reason, f"a gate decided '{reason}'")
