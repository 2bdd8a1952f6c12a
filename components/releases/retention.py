"""Retention: old versions give their space back, what they were is kept where something still rests on it.

Kept whole are the versions that a name points at, the one that serves among them, and the newest few. Of the ancestors
of those, the champions they were compared with, the lineage, the verdict and the signature are kept. Everything else
goes, and so does what publishers that died have left.

A publisher or a mover may be at work meanwhile. The mark is written first and looked at last: a version is deleted only
if, after it was marked, no name points at it; and what was unfinished only if it still is. They look for the mark after
their own last write, so one of the two always sees the other.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from ciclo.components.core.errors import IntegrityError, NotFoundError, SettingsError
from ciclo.components.releases.registry import Registry, index
from ciclo.components.storage.bundle import STORY, Record


@dataclass(frozen=True)
class Pruned:
    """What a ``prune`` did, or would do. Numbers of versions, ascending.

    Attributes:
        kept: Kept whole.
        reduced: Of which only the story is kept.
        deleted: Of which nothing is kept.
        unfinished: Left by publishers that died.
    """

    kept: tuple[int, ...]
    reduced: tuple[int, ...]
    deleted: tuple[int, ...]
    unfinished: tuple[int, ...]


def prune(registry: Registry, *, keep: int, by: str, dry_run: bool = False) -> Pruned:
    """Delete what nobody needs. What a crash leaves undone, the next call does.

    Args:
        registry: The versions of a project.
        keep: How many of the newest versions to keep whole.
        by: Who prunes.
        dry_run: Only say what would be done.

    Raises:
        SettingsError: If not even one version is to be kept.
    """
    if keep < 1:
        raise SettingsError("at least the newest version is kept", seen=f"keep {keep}")
    files = _files(registry)
    published, gone = registry.numbers("published"), set(registry.numbers("pruned"))
    versions = [version for version in published if version not in gone]
    pointed = _pointed(registry)
    kept = {*versions[-keep:], *pointed, *_origins(registry, pointed)}
    ancestors = _ancestors(registry, kept) - kept
    newest = max(published, default=0)
    unfinished = {number for number in files if number < newest and number not in published}
    done = set[int]()
    for number in sorted((set(versions) | gone & set(files) | unfinished) - kept):
        if not (files[number] - STORY if number in ancestors else files[number] or number in versions):
            continue
        if not dry_run:
            if not _marked(registry, number, by, unfinished=number in unfinished):
                continue
            _delete(registry, number, files[number], story=number not in ancestors)
        done.add(number)
    return Pruned(
        kept=tuple(sorted(set(versions) - done)),
        reduced=tuple(sorted(done & ancestors)),
        deleted=tuple(sorted(done - ancestors - unfinished)),
        unfinished=tuple(sorted(done & unfinished)),
    )


def _files(registry: Registry) -> dict[int, set[str]]:
    """The names of the files in the store, by version."""
    found = defaultdict[int, set[str]](set)
    prefix = f"{registry.root}/versions/"
    for key in registry.store.list(prefix):
        number, _, name = key.removeprefix(prefix).partition("/")
        if number.isdecimal():
            found[int(number)].add(name)
    return found


def _pointed(registry: Registry) -> set[int]:
    return {alias.version for alias in registry.aliases().values()}


def _origins(registry: Registry, versions: set[int]) -> set[int]:
    """The versions whose refreshes led to some others, beside which the next refresh is held."""
    lineages = [record.lineage for record in map(partial(_record, registry), versions) if record is not None]
    return {int(lineage["refreshed_from"]) for lineage in lineages if lineage.get("refreshed_from") is not None}


def _ancestors(registry: Registry, versions: set[int]) -> set[int]:
    """The champions that versions were compared with, and those that these were, and so on."""
    seen = set[int]()
    todo = set(versions)
    while todo:
        record = _record(registry, todo.pop())
        if record is not None and record.parent is not None and record.parent not in seen:
            seen.add(record.parent)
            todo.add(record.parent)
    return seen


def _record(registry: Registry, version: int) -> Record | None:
    """What is known of a version, or None where it cannot be read."""
    try:
        return registry.record(version)
    except (NotFoundError, IntegrityError):
        return None


def _marked(registry: Registry, number: int, by: str, *, unfinished: bool) -> bool:
    """Mark a version as pruned; False if somebody turns out to need it."""
    mark = f"{registry.root}/pruned/{number}"
    at = datetime.now(UTC).isoformat(timespec="seconds")
    fresh = registry.store.put_if_absent(mark, json.dumps({"at": at, "by": by}).encode())
    if unfinished:
        needed = registry.store.exists(f"{registry.root}/published/{number}")
    else:
        needed = number in _pointed(registry)
    if needed and fresh:
        registry.store.delete(mark)
    return not needed


def _delete(registry: Registry, number: int, files: set[str], *, story: bool) -> None:
    if story:
        try:
            for folder in index(registry.record(number).lineage):
                registry.store.delete(f"{registry.root}/{folder}/{number}")
        except (NotFoundError, IntegrityError):
            pass  # unfinished, or half deleted: a find looks at the record, too
    for name in sorted(files if story else files - STORY):
        registry.store.delete(f"{registry.root}/versions/{number}/{name}")
