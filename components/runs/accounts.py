"""What every stage of a run leaves behind for the report of the run, below ``projects/<project>/accounts/<run>/``.

In the Kubeflow dashboard no artifact can lead to another and an exit handler is given none of them, so what its report
shows has to lie in the store as data.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ciclo.components.core.errors import CicloError, StorageError
from ciclo.components.core.report import Document
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.storage.objects import ObjectStore
from ciclo.components.storage.store import open_store


class Account(BaseModel):
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
        time: When it ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    label: str = ""
    status: Literal["done", "failed", "crashed"]
    summary: str = ""
    detail: tuple[str, ...] = ()
    seconds: float = 0.0
    figures: dict[str, int | float | str] = {}
    verdict: Verdict | None = None
    document: Document | None = None
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def title(self) -> str:
        """Stage and label, as people see them."""
        return f"{self.stage} ({self.label})" if self.label else self.stage


def leave_account(account: Account, project: str, settings: Settings) -> bool:
    """Write an account down if the process belongs to a run; nothing is raised, since a run does not hang on it.

    Args:
        account: What there is to tell.
        project: Name of the project.
        settings: The store, and the run.

    Returns:
        Whether it was written.
    """
    if not settings.run or not project:
        return False
    with suppress(CicloError):
        name = f"{account.stage} {account.label}".strip().replace(" ", "-")
        key = f"{_folder(project, settings.run)}{name}.json"
        open_store(settings.store_uri, settings).put(key, account.model_dump_json().encode())
        return True
    return False


def accounts_of(run: str, project: str, settings: Settings) -> list[Account]:
    """What the stages of a run wrote down, in the order in which they ended.

    Raises:
        StorageError: If the store cannot be read.
    """
    store: ObjectStore = open_store(settings.store_uri, settings)
    try:
        found = [Account.model_validate_json(store.get(key).data) for key in store.list(_folder(project, run))]
    except ValueError as error:
        raise StorageError(f"the accounts of run {run} cannot be read") from error
    return sorted(found, key=lambda account: account.time)


def _folder(project: str, run: str) -> str:
    return f"projects/{project}/accounts/{run}/"
