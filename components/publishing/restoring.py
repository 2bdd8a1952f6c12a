"""Going back to the tested model, where the refitted one that serves in its place turns out to be worse.

A version is never changed. So the tested model becomes a version of its own, with the verdict it was given, and the
champion by a move that counts as a rollback of the refitted one. It is verified, signed, deployed and kept like any.
"""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ciclo.components.core.errors import VerdictError
from ciclo.components.core.report import Document
from ciclo.components.publishing.provenance import card_files
from ciclo.components.releases.names import CHAMPION, Alias
from ciclo.components.releases.promotion import nominate, take_back
from ciclo.components.releases.registry import File, Registry
from ciclo.components.storage.bundle import CARD_DATA, FILES, GOLDEN, LINEAGE, REFITTED, Bundle
from ciclo.components.storage.signing import Signer


def restore(registry: Registry, *, by: str, why: str, signer: Signer | None) -> Alias:
    """Publish the tested model of the champion as a version, and make that the champion.

    Args:
        registry: The versions of a project.
        by: Who wants it.
        why: Why.
        signer: Who signs version and move.

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
        version = registry.publish(_files(bundle, by, why), signer=signer, parent=champion.version)
    nominate(registry, version, by=by, why=why, signer=signer)
    return take_back(registry, version, by=by, why=why, signer=signer)


def _files(bundle: Bundle, by: str, why: str) -> dict[str, File]:
    """The files of a version of the tested model."""
    lineage = bundle.lineage | {
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
