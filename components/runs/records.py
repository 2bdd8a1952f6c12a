"""Records that the stages of a run leave in the store, below ``projects/<project>/<kind>/<run>/``."""

import json
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, TypeVar, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ciclo.components.core.errors import CicloError, NotFoundError, StorageError
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


def forget(store: ObjectStore, project: str, before: datetime, *, dry_run: bool = False) -> list[str]:
    """Delete what the stages of old runs wrote down: the runs of which nothing was written since a time.

    Args:
        store: Where it lies.
        project: Name of the project.
        before: That time.
        dry_run: Only say which runs they are.

    Returns:
        The runs, sorted by name. A run with a record that cannot be read is left alone.

    Raises:
        StorageError: If the store cannot be read or written.
    """
    keys = defaultdict[str, list[str]](list)
    for kind in get_args(Kind):
        for key in store.list(f"projects/{project}/{kind}/"):
            keys[key.split("/")[3]].append(key)
    old = sorted(run for run, of_run in keys.items() if all(_is_older(store, key, before) for key in of_run))
    for key in (key for run in old if not dry_run for key in keys[run]):
        store.delete(key)
    return old


def _is_older(store: ObjectStore, key: str, before: datetime) -> bool:
    try:
        return datetime.fromisoformat(json.loads(store.get(key).data)["time"]) < before
    except (ValueError, TypeError, KeyError, NotFoundError):  # the last: another prune was faster
        return False


def _folder(project: str, kind: Kind, run: str) -> str:
    return f"projects/{project}/{kind}/{run}/"
