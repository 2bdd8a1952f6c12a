"""Records that the stages of a run leave in the store, below ``projects/<project>/<kind>/<run>/``."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ciclo.components.core.errors import CicloError, StorageError
from ciclo.components.core.settings import Settings
from ciclo.components.storage.objects import ObjectStore
from ciclo.components.storage.store import open_store

Kind = Literal["runs", "accounts"]


class Record(BaseModel):
    """What a stage leaves.

    Attributes:
        time: When.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


R = TypeVar("R", bound=Record)


def leave(record: Record, kind: Kind, name: str, project: str, settings: Settings) -> bool:
    """Write a record down if the process belongs to a run; nothing is raised, since a run does not hang on it.

    Args:
        record: What there is to tell.
        kind: Of which kind it is.
        name: What tells it apart from the others of the run.
        project: Name of the project.
        settings: The store, and the run.

    Returns:
        Whether it was written.
    """
    if not settings.run or not project:
        return False
    with suppress(CicloError):
        store = open_store(settings.store_uri, settings)
        key = f"{_folder(project, kind, settings.run)}{name.strip().replace(' ', '-')}.json"
        store.put(key, record.model_dump_json(indent=1).encode())
        return True
    return False


def left(model: type[R], store: ObjectStore, kind: Kind, run: str, project: str) -> list[R]:
    """What the stages of a run wrote down, oldest first.

    Raises:
        StorageError: If the store cannot be read.
    """
    try:
        found = [model.model_validate_json(store.get(key).data) for key in store.list(_folder(project, kind, run))]
    except ValueError as error:
        raise StorageError(f"what the stages of run {run} wrote down cannot be read") from error
    return sorted(found, key=lambda record: record.time)


def _folder(project: str, kind: Kind, run: str) -> str:
    return f"projects/{project}/{kind}/{run}/"
