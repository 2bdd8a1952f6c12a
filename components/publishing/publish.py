"""Publishing: a passing verdict turns a model into an immutable, signed version and moves the champion pointer."""

import json
import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from components.core.errors import VerdictError
from components.core.images import PIPELINE_IMAGE
from components.core.profile import Profile
from components.core.project import Project
from components.core.settings import Settings
from components.core.tables import file_digest, read_contract
from components.core.verdict import Verdict, require
from components.storage.registry import Alias, Registry, open_registry, signer_from

LIBRARIES = ("scikit-learn", "skops", "numpy", "scipy", "pandas")


@dataclass(frozen=True)
class Parts:
    """The files of a version, as evaluation wrote them."""

    model: str
    profile: str
    verdict: str
    golden: str
    card: str
    dataset: str


@dataclass(frozen=True)
class Run:
    """The run that publishes.

    Attributes:
        id: KFP run id.
        trigger: Why it was started.
        data: What ingestion and cleaning said of the data: digest, window, rows, quarantine.
        model: What training said of the model: candidate, parameters.
    """

    id: str
    trigger: str
    data: Mapping[str, Any]
    model: Mapping[str, Any]


def publish(project: Project, settings: Settings, parts: Parts, run: Run) -> int:
    """Publish a version and make it the champion.

    Publishing the same model of the same run again returns the version that exists.

    Raises:
        VerdictError: If the verdict does not let this model through, or the champion changed since it was given.
    """
    digest = file_digest(parts.model)
    verdict = require(Verdict.read(parts.verdict), gate="evaluation", subject=digest)
    registry = open_registry(project.name, settings)
    champion = registry.alias("champion")
    if champion is not None and published_by(registry, champion, run, digest):
        return champion.version
    parent = verdict.facts.get("champion")
    if (champion.version if champion else None) != (None if parent is None else int(parent)):
        raise VerdictError(
            "the champion changed after the verdict was given",
            seen=f"compared with version {parent or 'none'}, now version {champion.version if champion else 'none'}",
            hint="Run the pipeline again, so that the candidate is compared with the champion of today.",
        )
    with tempfile.TemporaryDirectory() as folder:
        written = {
            "project.json": project.to_json(),
            "contract.json": read_contract(parts.dataset).model_dump_json(),
            "lineage.json": json.dumps(lineage(project, parts, run, champion), indent=2),
        }
        for name, text in written.items():
            (Path(folder) / name).write_text(text)
        files: dict[str, Path | bytes] = {name: Path(folder) / name for name in written}
        files |= {
            "model.skops": Path(parts.model),
            "profile.json": Path(parts.profile),
            "verdict.json": Path(parts.verdict),
            "golden.json": Path(parts.golden),
            "card.html": Path(parts.card),
        }
        number = registry.publish(files, signer=signer_from(settings), parent=champion.version if champion else None)
    registry.move("champion", number, expected=champion, by=f"run {run.id}", why=verdict.reason)
    return number


def published_by(registry: Registry, champion: Alias, run: Run, digest: str) -> bool:
    """Whether the champion is what this very run published before it was interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = registry.fetch(champion.version, Path(folder))
        return bundle.lineage.get("run") == run.id and bundle.verdict.subject == digest


def lineage(project: Project, parts: Parts, run: Run, champion: Alias | None) -> dict[str, Any]:
    """What made this version: data, code, images, libraries, parameters, run, parent."""
    return {
        "run": run.id,
        "trigger": run.trigger,
        "parent": champion.version if champion else None,
        "data": {"source": project.data.source, "dataset_digest": file_digest(parts.dataset), **run.data},
        "model": dict(run.model),
        "split": project.split_method,
        "train_end": Profile.model_validate_json(Path(parts.profile).read_text()).end,
        "seed": project.training.seed,
        "commit": os.environ.get("CICLO_COMMIT", ""),
        "image": PIPELINE_IMAGE,
        "python": platform.python_version(),
        "libraries": {name: installed(name) for name in LIBRARIES},
    }
