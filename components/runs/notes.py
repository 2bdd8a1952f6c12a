"""What a run leaves behind for whoever asks how it ended: one small object for each stage that decided or failed.

KFP keeps neither errors nor reasons, so the stages write them down, below ``projects/<project>/runs/<run>/``.
"""

from typing import Literal

from ciclo.components.core.settings import Settings
from ciclo.components.runs.records import Record, leave, left
from ciclo.components.storage.objects import ObjectStore
from ciclo.components.storage.store import open_store

Ending = Literal[
    "promoted", "waiting", "kept", "escalated", "stopped", "restored", "overtaken", "served", "failed", "cancelled"
]  # fmt: skip


class Note(Record):
    """What one stage has to say of the end of a run.

    Attributes:
        stage: The stage, with its label.
        ending: ``promoted``, ``waiting`` for a person, ``kept`` the champion, ``escalated`` to design (kept, and the
            design is in question), ``stopped`` by a gate, ``restored`` the tested model, ``overtaken`` by another
            champion before it could be, ``served``, ``failed`` or ``cancelled``.
        reason: Why, as a sentence.
    """

    stage: str
    ending: Ending
    reason: str


def leave_note(note: Note, project: str, settings: Settings) -> bool:
    """Write a note down if the process belongs to a run; whether it was written."""
    return leave(note, "runs", note.stage, project, settings)


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
    return left(Note, store, "runs", run, project)
