"""Going back to the tested model, where the refitted one that serves in its place turns out to be worse.

A version is never changed. So the tested model becomes a version of its own, with the verdict it was given, and the
champion by a move that counts as a rollback of the refitted one. It is verified, signed, deployed and kept like any;
``candidate`` is not moved to it, so that what waits for a person goes on to wait.
Of one refitted version there is one such version: whoever dies on the way is followed by another who finishes it, and
of two at the same time both come to the same.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ciclo.components.core.errors import ConflictError, VerdictError
from ciclo.components.core.report import Document
from ciclo.components.publishing.provenance import card_files
from ciclo.components.releases.names import CHAMPION, Alias
from ciclo.components.releases.promotion import take_back
from ciclo.components.releases.registry import File, Registry
from ciclo.components.storage.bundle import CARD_DATA, FILES, GOLDEN, LINEAGE, REFITTED, Bundle
from ciclo.components.storage.signing import Signer


@dataclass(frozen=True)
class Restored:
    """What became of a run that was to go back.

    Attributes:
        version: The version of the tested model, which is the champion; 0 where another champion was there already.
        summary: That, as a sentence for the log.
    """

    version: int
    summary: str

    @property
    def ending(self) -> Literal["restored", "overtaken"]:
        """How the run ends."""
        return "restored" if self.version else "overtaken"


def go_back(registry: Registry, version: int, *, run: str, trigger: str, signer: Signer | None) -> Restored:
    """See to it that the tested model of a version is the champion in place of its refitted one.

    Done before, in part or in whole, it is finished; nothing is done where the champion is another by now.

    Args:
        registry: The versions of a project.
        version: What served when it was decided to go back.
        run: Id of the run that does it.
        trigger: Why the run was started.
        signer: Who signs version and move.

    Raises:
        NotFoundError: If there is no such version.
        VerdictError: If somebody has rolled the tested model back.
        ConflictError: If somebody else moved the champion meanwhile.
    """
    champion, record = registry.alias(CHAMPION), registry.record(version)
    if champion is not None and champion.version == version:
        if record.served != REFITTED:
            return Restored(version, f"version {version} serves its tested model, so there is nothing to go back from")
        origin = {"run": run, "trigger": trigger}
        made = restore(registry, by=f"run {run}", why=trigger, signer=signer, origin=origin).version
        return Restored(made, f"version {made}, the tested model of version {version}, is the champion")
    today = registry.record(champion.version) if champion is not None else None
    if today is not None and today.lineage.get("restored_from") == version:
        text = f"version {today.version}, the tested model of version {version}, is the champion already"
        return Restored(today.version, text)
    named = f"version {today.version}" if today is not None else "no version"
    return Restored(0, f"{named} is the champion, so there is nothing to go back from on version {version}")


def restore(
    registry: Registry, *, by: str, why: str, signer: Signer | None, origin: Mapping[str, str] | None = None
) -> Alias:
    """Publish the tested model of the champion as a version, and make that the champion.

    Args:
        registry: The versions of a project.
        by: Who wants it.
        why: Why.
        signer: Who signs version and move.
        origin: What its lineage says of the run that does it; by default that no run does.

    Returns:
        The champion.

    Raises:
        VerdictError: If there is no champion, or it serves its tested model already.
        ConflictError: If somebody else moved the champion meanwhile.
    """
    champion = registry.alias(CHAMPION)
    if champion is None:
        raise VerdictError(f"{registry.project} has no champion", hint=f"See `ciclo models list {registry.project}`.")
    with tempfile.TemporaryDirectory() as folder:
        bundle = registry.fetch(champion.version, Path(folder))
        if bundle.served != REFITTED:
            raise VerdictError(
                f"version {champion.version} of {registry.project} serves its tested model already",
                hint=f"To go back to an earlier version: `ciclo models rollback {registry.project}`.",
            )
        files, sole = (
            _files(bundle, by, why, origin or {"run": "", "trigger": f"{by}: {why}"}),
            f"tested-of-{champion.version}",
        )
        version = registry.publish(files, signer=signer, parent=champion.version, sole=sole)
    try:
        return take_back(registry, version, by=by, why=why, signer=signer)
    except (ConflictError, VerdictError):
        now = registry.alias(CHAMPION)
        if now is not None and now.version == version:  # somebody else has done the same
            return now
        raise


def _files(bundle: Bundle, by: str, why: str, origin: Mapping[str, str]) -> dict[str, File]:
    """The files of a version of the tested model."""
    lineage: dict[str, Any] = {
        **bundle.lineage,
        **origin,
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "parent": bundle.version,
        "restored_from": bundle.version,
        "approval": False,  # whoever approved the version has approved its tested model
        "refit": {"why": f"{by} went back to it from version {bundle.version}: {why}"},
    }
    golden = {"rows": bundle.golden["rows"], **bundle.golden["tested"]}
    return {name: bundle.folder / name for name in FILES} | {
        LINEAGE: json.dumps(lineage, indent=2).encode(),
        GOLDEN: json.dumps(golden).encode(),
        **card_files(Document.model_validate_json(bundle.read(CARD_DATA)), lineage),
    }
