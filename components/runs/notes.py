"""What a run leaves behind for whoever asks how it ended: one small object for each stage that decided or failed.

KFP keeps neither errors nor reasons, so the stages write them down, below ``projects/<project>/runs/<run>/``.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ciclo.components.core.errors import CicloError, StorageError
from ciclo.components.core.settings import Settings
from ciclo.components.storage.objects import ObjectStore
from ciclo.components.storage.store import open_store

Ending = Literal["promoted", "waiting", "kept", "escalated", "stopped", "served", "failed", "cancelled"]


class Note(BaseModel):
    """What one stage has to say of the end of a run.

    Attributes:
        stage: The stage, with its label.
        ending: ``promoted``, ``waiting`` for a person, ``kept`` the champion, ``escalated`` to design (kept, and the
            design is in question), ``stopped`` by a gate, ``served``, ``failed`` or ``cancelled``.
        reason: Why, as a sentence.
        time: When.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    ending: Ending
    reason: str
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


def leave_note(note: Note, project: str, settings: Settings) -> bool:
    """Write a note down if the process belongs to a run; nothing is raised, since a run does not hang on it.

    Args:
        note: What there is to say.
        project: Name of the project.
        settings: The store, and the run.

    Returns:
        Whether it was written.
    """
    if not settings.run or not project:
        return False
    with suppress(CicloError):
        store = open_store(settings.store_uri, settings)
        key = f"{_folder(project, settings.run)}{note.stage.replace(' ', '-')}.json"
        store.put(key, note.model_dump_json(indent=1).encode())
        return True
    return False


def notes_of(run: str, project: str, settings: Settings) -> list[Note]:
    """What the stages of a run wrote down, oldest first.

    Raises:
        StorageError: If the store cannot be read.
    """
    return notes_in(open_store(settings.store_uri, settings), run, project)


def notes_in(store: ObjectStore, run: str, project: str) -> list[Note]:
    """The same from a store.

    Raises:
        StorageError: If the store cannot be read.
    """
    try:
        found = [Note.model_validate_json(store.get(key).data) for key in store.list(_folder(project, run))]
    except ValueError as error:
        raise StorageError(f"the notes of run {run} cannot be read") from error
    return sorted(found, key=lambda note: note.time)


def _folder(project: str, run: str) -> str:
    return f"projects/{project}/runs/{run}/"
