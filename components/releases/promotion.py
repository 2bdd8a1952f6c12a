"""Promotion: which version a name may be moved to, and the move.

The rules are those of the pipeline: a version needs a passing verdict about its own model, given against the champion
of today, and it is not one that somebody has rolled back. Whoever knows better says so with a reason, which is signed
and kept in the history for good.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ciclo.components.core.errors import ConflictError, VerdictError
from ciclo.components.core.verdict import require
from ciclo.components.releases.registry import CANDIDATE, CHAMPION, Alias, Move, Record, Registry
from ciclo.components.storage.bundle import MODEL
from ciclo.components.storage.signing import Signer

History = Sequence[dict[str, Any]]


def nominate(registry: Registry, version: int, *, by: str, why: str, signer: Signer | None) -> None:
    """Make a version the candidate, unless a newer one is already."""
    while True:
        found = registry.alias(CANDIDATE)
        if found is not None and found.version >= version:
            return
        try:
            registry.move(CANDIDATE, version, Move(by, why), expected=found, signer=signer)
        except ConflictError:
            continue
        return


def promote(
    registry: Registry, version: int, *, by: str, why: str = "", override: str = "", signer: Signer | None
) -> Alias:
    """Make a version the champion.

    Args:
        registry: The versions of a project.
        version: The version.
        by: Who wants it.
        why: Why; by default what the verdict says.
        override: A reason to do it though the rules say no.
        signer: Who signs the move.

    Raises:
        VerdictError: If the rules say no and no reason was given.
        ConflictError: If somebody else moved the champion meanwhile.
    """
    champion, record = registry.alias(CHAMPION), registry.record(version)
    objection = against(record, champion, registry.history())
    return _move(
        registry, record, champion, objection, Move(by, why or record.verdict.reason, "promote", override), signer
    )


def rollback(
    registry: Registry, *, to: int | None = None, by: str, why: str, override: str = "", signer: Signer | None
) -> Alias:
    """Make an earlier champion the champion again.

    Args:
        registry: The versions of a project.
        to: The version; by default the last champion before this one that was not rolled back itself.
        by: Who wants it.
        why: Why.
        override: A reason to do it though the rules say no.
        signer: Who signs the move.

    Raises:
        VerdictError: If there is nothing to go back to, or the rules say no and no reason was given.
        ConflictError: If somebody else moved the champion meanwhile.
    """
    champion, history = registry.alias(CHAMPION), registry.history()
    earlier = [move["version"] for move in history if move["alias"] == CHAMPION]
    if to is None and champion is not None:
        sound = (v for v in reversed(earlier) if v != champion.version and not rolled_back(v, history))
        to = next(sound, None)
    if champion is None or to is None:
        raise VerdictError(
            f"{registry.project} has no champion to go back to", hint=f"See `ciclo models list {registry.project}`."
        )
    if to not in earlier:
        raise VerdictError(f"version {to} has never been the champion", hint="Use `ciclo models promote`.")
    record = registry.record(to)
    objection = unfit(record, history)
    return _move(registry, record, champion, objection, Move(by, why, "rollback", override), signer)


def against(record: Record, champion: Alias | None, history: History) -> str:
    """What speaks against making a version the champion, or nothing."""
    today, then = champion.version if champion else None, record.parent
    if objection := unfit(record, history):
        return objection
    if then != today and record.version != today:
        return f"it was compared with {_named(then)}, and the champion is {_named(today)}"
    return ""


def unfit(record: Record, history: History) -> str:
    """What speaks against serving a version at all, or nothing: its verdict, or that it was rolled back.

    Args:
        record: The version.
        history: Every move so far, oldest first.
    """
    try:
        require(record.verdict, gate="evaluation", subject=record.files[MODEL])
    except VerdictError as error:
        return str(error)
    return rolled_back(record.version, history)


def rolled_back(version: int, history: History) -> str:
    """Who rolled a version back when it was the champion last, when and why; nothing if nobody did."""
    moves = [move for move in history if move["alias"] == CHAMPION]
    left = [after for before, after in pairwise(moves) if before["version"] == version != after["version"]]
    if left and left[-1]["action"] == "rollback":
        return f"{left[-1]['by']} rolled it back on {left[-1]['moved_at'][:10]}: {left[-1]['why']}"
    return ""


def _move(
    registry: Registry, record: Record, champion: Alias | None, objection: str, move: Move, signer: Signer | None
) -> Alias:
    if champion is not None and champion.version == record.version:
        raise VerdictError(f"version {record.version} is the champion already", seen=f"since {champion.moved_at}")
    if objection and not move.override.strip():
        raise VerdictError(
            f"version {record.version} of {registry.project} is not fit to be the champion",
            seen=objection,
            hint='Give --override "reason" if you know better; it is kept in the history.',
        )
    if objection:
        move = Move(move.by, f"{move.why} (against: {objection})", move.action, move.override.strip())
    else:
        move = Move(move.by, move.why, move.action)
    return registry.move(CHAMPION, record.version, move, expected=champion, signer=signer)


def _named(version: int | None) -> str:
    return "no champion" if version is None else f"version {version}"
