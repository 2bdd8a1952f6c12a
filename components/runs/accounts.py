"""What every stage of a run leaves behind for the report of the run, below ``projects/<project>/accounts/<run>/``.

In the Kubeflow dashboard no artifact can lead to another and an exit handler is given none of them, so what its report
shows has to lie in the store as data.
"""

from typing import Literal

from pydantic import Field

from ciclo.components.core.report import Document
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.runs.records import Record, leave, left
from ciclo.components.storage.store import open_store


class Account(Record):
    """How one stage ended, and what it found.

    Attributes:
        stage: Folder name of the stage.
        label: What tells two tasks of one stage apart, such as the candidate.
        status: Whether it ended well, with a named error, or without one.
        summary: One sentence.
        detail: Further short lines.
        seconds: How long it took.
        figures: What is worth reading at a glance, by name.
        verdict: What it decided, if it is a gate.
        document: What it shows people as data, if it keeps that.
    """

    stage: str
    label: str = ""
    status: Literal["done", "failed", "crashed"]
    summary: str = ""
    detail: tuple[str, ...] = ()
    seconds: float = 0.0
    figures: dict[str, int | float | str] = Field({})
    verdict: Verdict | None = None
    document: Document | None = None

    @property
    def title(self) -> str:
        """Stage and label, as people see them."""
        return f"{self.stage} ({self.label})" if self.label else self.stage


def leave_account(account: Account, project: str, settings: Settings) -> bool:
    """Write an account down if the process belongs to a run; whether it was written."""
    return leave(account, "accounts", f"{account.stage} {account.label}", project, settings)


def accounts_of(run: str, project: str, settings: Settings) -> list[Account]:
    """What the stages of a run wrote down, in the order in which they ended.

    Raises:
        StorageError: If the store cannot be read.
    """
    return left(Account, open_store(settings.store_uri, settings), "accounts", run, project)
