"""Promotion: which version a name may be moved to, and the move.

The rules are those of the pipeline: a version needs a passing verdict about its own model, given against the champion
of today; where the project asks for it, somebody has to have approved it; and it is not one that somebody has rolled
back. Whoever knows better says so with a reason, which is signed and kept in the history for good.
"""

from collections.abc import Sequence

from ciclo.components.core.errors import ConflictError, IntegrityError, NotFoundError, SettingsError, VerdictError
from ciclo.components.core.verdict import require
from ciclo.components.releases.history import History, approval_of, champions, overridden, rolled_back
from ciclo.components.releases.names import APPROVED, CANDIDATE, CHAMPION, Action, Alias, Move
from ciclo.components.releases.registry import Registry
from ciclo.components.storage.bundle import MODEL, Bundle, Record
from ciclo.components.storage.signing import Signer


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


def approve(registry: Registry, version: int, *, by: str, why: str = "", signer: Signer | None) -> Alias:
    """Approve a version, and make it the champion if nothing else speaks against it.

    Args:
        registry: The versions of a project.
        version: The version.
        by: Who approves.
        why: Why.
        signer: Who signs the moves.

    Raises:
        SettingsError: If nobody is named.
        VerdictError: If something else than the missing approval speaks against the version; nothing is moved then.
        ConflictError: If somebody else moved a name meanwhile.
    """
    if not by.strip():
        raise SettingsError("an approval needs the name of who approves", seen=repr(by), hint="Give --by WHO.")
    champion, record, history = registry.alias(CHAMPION), registry.record(version), registry.history()
    _refuse_champion(record, champion)
    if objection := unfit(record, history) or _overtaken(record, champion):
        raise _unfit(record, objection)
    if not approval_of(version, history):
        move = Move(by, why or record.verdict.reason, "approve")
        registry.move(APPROVED, version, move, expected=registry.alias(APPROVED), signer=signer)
    return promote(registry, version, by=by, why=why, signer=signer)


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
    move = Move(by, why or record.verdict.reason, "promote", override)
    return _move(registry, record, champion, objection, move, signer)


def rollback(
    registry: Registry, *, to: int | None = None, by: str, why: str, override: str = "", signer: Signer | None
) -> Alias:
    """Make an earlier champion the champion again.

    Args:
        registry: The versions of a project.
        to: The version; by default the last champion before this one that was not rolled back itself and can be read.
        by: Who wants it.
        why: Why.
        override: A reason to do it though the rules say no.
        signer: Who signs the move.

    Raises:
        VerdictError: If there is nothing to go back to, or the rules say no and no reason was given.
        ConflictError: If somebody else moved the champion meanwhile.
    """
    champion, history = registry.alias(CHAMPION), registry.history()
    earlier = champions(history)
    others = [v for v in reversed(earlier) if champion is not None and v != champion.version]
    if to is None:
        to = _last_sound(registry, [v for v in others if not rolled_back(v, history)])
    if champion is None or to is None:
        back = f'To go back to one that was rolled back: --to {others[0]} --override "reason".' if others else ""
        raise VerdictError(
            f"{registry.project} has no champion to go back to",
            hint=back or f"See `ciclo models list {registry.project}`.",
        )
    if to not in earlier:
        raise VerdictError(f"version {to} has never been the champion", hint="Use `ciclo models promote`.")
    record = registry.record(to)
    objection = unfit(record, history)
    return _move(registry, record, champion, objection, Move(by, why, "rollback", override), signer)


def _last_sound(registry: Registry, versions: Sequence[int]) -> int | None:
    """The first of some versions that can be had, or None of none.

    Raises:
        VerdictError: If there are some, and none of them can be had.
    """
    pruned, lost = set(registry.numbers("pruned")), list[str]()
    for version in dict.fromkeys(versions):
        if version in pruned:
            lost.append(f"version {version} was pruned")
            continue
        try:
            return registry.record(version).version
        except (NotFoundError, IntegrityError) as error:
            lost.append(f"version {version}: {error.problem}")
    if lost:
        raise VerdictError(
            f"no earlier champion of {registry.project} can be read",
            seen="; ".join(lost[:5]),
            hint="Retrain, or make another version the champion: `ciclo models promote`.",
        )
    return None


def take_back(registry: Registry, version: int, *, by: str, why: str, signer: Signer | None) -> Alias:
    """Make a version that holds the tested model of the champion the champion; the refitted one is rolled back by it.

    Raises:
        VerdictError: If it was not made of the champion of today, or something else speaks against it.
        ConflictError: If somebody else moved the champion meanwhile.
    """
    champion, record = registry.alias(CHAMPION), registry.record(version)
    objection = unfit(record, registry.history()) or _overtaken(record, champion)
    return _move(registry, record, champion, objection, Move(by, why, "rollback"), signer)


def against(record: Record, champion: Alias | None, history: History) -> str:
    """What speaks against making a version the champion, or nothing."""
    if objection := unfit(record, history) or _overtaken(record, champion):
        return objection
    if record.lineage.get("approval") and not approval_of(record.version, history):
        return f"the project asks for an approval, and nobody has given one (`ciclo models {deciding_command(record)}`)"
    return ""


def unfit(record: Record | Bundle, history: History) -> str:
    """What speaks against serving a version at all, or nothing: its verdict, or that it was rolled back.

    A reason that somebody signed when it was made the champion outweighs its verdict for good, and that of the version
    which holds its tested model alone.

    Args:
        record: The version.
        history: Every move so far, oldest first.
    """
    try:
        require(record.verdict, gate="evaluation", subject=record.files[MODEL])
    except VerdictError as error:
        alike = (record.version, record.lineage.get("restored_from"))
        if not any(overridden(version, history) for version in alike if version is not None):
            return str(error).rstrip(".")
    return rolled_back(record.version, history)


def deciding_command(record: Record) -> str:
    """What a person gives `ciclo models` to make a version that waits the champion."""
    if record.verdict.passed and record.lineage.get("approval"):
        return f"approve {record.project} {record.version} --by WHO"
    return f'promote {record.project} {record.version} --override "reason"'


def _overtaken(record: Record, champion: Alias | None) -> str:
    today, then = champion.version if champion else None, record.parent
    if then != today and record.version != today:
        return f"it was compared with {_named(then)}, and the champion is {_named(today)}"
    return ""


def _move(
    registry: Registry, record: Record, champion: Alias | None, objection: str, move: Move, signer: Signer | None
) -> Alias:
    _refuse_champion(record, champion)
    if objection and not move.override.strip():
        raise _unfit(record, objection, move.action)
    if objection:
        move = Move(move.by, f"{move.why} (against: {objection})", move.action, move.override.strip())
    else:
        move = Move(move.by, move.why, move.action)
    return registry.move(CHAMPION, record.version, move, expected=champion, signer=signer)


def _refuse_champion(record: Record, champion: Alias | None) -> None:
    if champion is not None and champion.version == record.version:
        raise VerdictError(f"version {record.version} is the champion already", seen=f"since {champion.moved_at}")


def _unfit(record: Record, objection: str, action: Action = "promote") -> VerdictError:
    command = f"ciclo models {action} {record.project} {'--to ' if action == 'rollback' else ''}{record.version}"
    return VerdictError(
        f"version {record.version} of {record.project} is not fit to be the champion",
        seen=objection,
        hint=f'If you know better: `{command} --override "reason"`; the reason is kept in the history.',
    )


def _named(version: int | None) -> str:
    return "no champion" if version is None else f"version {version}"
