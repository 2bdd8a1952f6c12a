"""Publishing: a verdict turns a model into an immutable, signed version, and a passing one promotes it."""

import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from ciclo.components.core.errors import VerdictError
from ciclo.components.core.images import PIPELINE_IMAGE, PLACEHOLDER
from ciclo.components.core.profile import Profile
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_to_yaml
from ciclo.components.core.recipe import recipe
from ciclo.components.core.report import Document
from ciclo.components.core.settings import Settings
from ciclo.components.core.splits import fingerprint
from ciclo.components.core.verdict import Verdict, require
from ciclo.components.publishing.provenance import card_files
from ciclo.components.releases.history import rolled_back
from ciclo.components.releases.names import CHAMPION
from ciclo.components.releases.promotion import deciding_command, nominate, promote
from ciclo.components.releases.registry import File, Registry, open_registry
from ciclo.components.storage.bundle import MODEL, REFITTED, Record
from ciclo.components.storage.rehearsal import rehearse
from ciclo.components.storage.signing import signer_from
from ciclo.components.tables.datasets import file_digest, read_contract

NESTED = ("parameters", "slices")  # what travels as JSON
LIBRARIES = ("scikit-learn", "skops", "numpy", "scipy", "pandas")


@dataclass(frozen=True)
class Parts:
    """The files of a version, as evaluation and the refit wrote them; ``refitted`` is empty where there is none."""

    model: str
    profile: str
    verdict: str
    golden: str
    card: str
    dataset: str
    refitted: str = ""

    @property
    def models(self) -> dict[str, Path]:
        """The model files by name: the tested one, and the refitted one if there is one."""
        again = Path(self.refitted) if self.refitted else None
        found = {MODEL: Path(self.model)}
        return found | {REFITTED: again} if again is not None and again.is_file() and again.stat().st_size else found


@dataclass(frozen=True)
class Run:
    """The run that publishes.

    Attributes:
        id: KFP run id.
        trigger: Why it was started.
        data: What ingestion and cleaning said of the data: digest, window, rows, quarantine.
        model: What training said of the model: candidate, parameters.
        refit: What it said of the refitted one, or why there is none.
    """

    id: str
    trigger: str
    data: Mapping[str, Any]
    model: Mapping[str, Any]
    refit: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """What became of a model.

    Attributes:
        version: Its number.
        is_champion: Whether it is the champion; otherwise it waits for a person.
        waits_for: What a person has to decide on and how, as a sentence; empty for a champion.
    """

    version: int
    is_champion: bool
    waits_for: str = ""

    @property
    def summary(self) -> str:
        """One sentence for the log."""
        return f"version {self.version} is the champion" if self.is_champion else self.waits_for


def publish(project: Project, settings: Settings, parts: Parts, run: Run) -> Published:
    """Publish a version as the candidate and, if its verdict allows it and nobody is to approve it, promote it.

    Publishing the same model of the same run again gives the version that exists.

    Raises:
        VerdictError: If the verdict does not let this model through, the refitted model is not of it, the champion
            changed since the verdict was given, or the version that exists was rolled back.
        IntegrityError: If a model file harms the process that loads it first.
    """
    verdict = require(Verdict.read(parts.verdict), gate="evaluation", subject=file_digest(parts.model), offered=True)
    registry = open_registry(project.name, settings)
    signer, by = signer_from(settings), f"run {run.id}"
    champion, found = registry.alias(CHAMPION), published_by(registry, run, verdict.subject)
    today = champion.version if champion else None
    if found is not None:
        if found.version == today:
            return Published(found.version, True)
        if objection := rolled_back(found.version, registry.history()):
            raise VerdictError(f"version {found.version} is not fit to be the champion any more", seen=objection)
    parent = verdict.facts.get("champion")
    if today != (None if parent is None else int(parent)):
        raise VerdictError(
            "the champion changed after the verdict was given",
            seen=f"compared with version {parent or 'none'}, now version {today or 'none'}",
            hint="Run the pipeline again, so that the candidate is compared with the champion of today.",
        )
    if found is not None:
        version = found.version
    else:
        tested, *refitted = rehearse(*parts.models.values())
        require(verdict, gate="evaluation", subject=tested, offered=True)
        _require_refit(run.refit, tested, refitted)
        files = bundle_files(project, settings, parts, run, today)
        version = registry.publish(files, signer=signer, parent=today)
    nominate(registry, version, by=by, why=verdict.reason, signer=signer)
    if waits_for := _waits_for(found or registry.record(version)):
        return Published(version, False, waits_for)
    promote(registry, version, by=by, why=verdict.reason, signer=signer)
    return Published(version, True)


def _require_refit(facts: Mapping[str, Any], tested: str, refitted: list[str]) -> None:
    """Let a refitted model through only if it is the one that was made of the tested one."""
    named, found = facts.get("digest"), refitted[0] if refitted else None
    if named != found or (found is not None and facts.get("refit_of") != tested):
        raise VerdictError(
            "the refitted model is not the one that was made of the tested one",
            seen=f"{(found or 'none')[:12]}, told of {(named or 'none')[:12]} made of {facts.get('refit_of', '')[:12]}",
            hint="Run the pipeline again.",
        )


def _waits_for(record: Record) -> str:
    """What a person has to decide before a version may be the champion; nothing if it may be at once."""
    command, reason = f"ciclo models {deciding_command(record)}", record.verdict.reason.rstrip(".")
    if not record.verdict.passed:
        return f"version {record.version} waits for a decision: {reason}. To make it the champion: {command}"
    if record.lineage["approval"]:
        return f"version {record.version} waits for approval: {reason}. To approve it: {command}"
    return ""


def bundle_files(project: Project, settings: Settings, parts: Parts, run: Run, parent: int | None) -> dict[str, File]:
    """The files of a version by name, without manifest and signature."""
    origin = lineage(project, settings, parts, run, parent)
    return {
        **parts.models,
        "profile.json": Path(parts.profile),
        "verdict.json": Path(parts.verdict),
        "golden.json": Path(parts.golden),
        **card_files(Document.model_validate_json(Path(parts.card).read_text()), origin),
        "project.yaml": project_to_yaml(project).encode(),
        "contract.json": read_contract(parts.dataset).model_dump_json().encode(),
        "lineage.json": json.dumps(origin, indent=2).encode(),
    }


def published_by(registry: Registry, run: Run, digest: str) -> Record | None:
    """The version that this very run published of this model before it was interrupted, if it did."""
    for version in reversed(registry.find("run", run.id)):
        record = registry.record(version)
        if record.lineage.get("run") == run.id and record.verdict.subject == digest:
            return record
    return None


def lineage(project: Project, settings: Settings, parts: Parts, run: Run, parent: int | None) -> dict[str, Any]:
    """What made this version: data, code, images, libraries, parameters, run, parent, and what its gate asked for."""
    facts = Verdict.read(parts.verdict).facts
    return {
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run.id,
        "trigger": run.trigger,
        "parent": parent,
        "data": {"source": project.data.source, "dataset_digest": file_digest(parts.dataset), **_facts(run.data)},
        "model": _facts(run.model),
        "refit": {name: value for name, value in _facts(run.refit).items() if name != "digest"},
        "split": fingerprint(project),
        "recipe": recipe(project),
        "gate": facts.get("gate", ""),
        "refreshed_from": facts.get("refreshed_from"),
        "single_feature": facts.get("single_feature", ""),
        "approval": project.deployment.approval,
        "train_end": Profile.model_validate_json(Path(parts.profile).read_text()).end,
        "seed": project.training.seed,
        "commit": settings.commit or commit(),
        "images": {
            "pipeline": "" if PIPELINE_IMAGE == PLACEHOLDER else PIPELINE_IMAGE,
            "serving": settings.serving_image,
        },
        "python": platform.python_version(),
        "libraries": {name: installed(name) for name in LIBRARIES},
    }


def _facts(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of an artifact as it was meant: KFP makes every number a float, and nested values travel as text."""
    facts = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in sorted(metadata.items())
        if name not in ("failed", "failure", "display_name", "scores") and value not in ("", None)
    }
    nested = {name: json.loads(text) for name in NESTED if isinstance(text := facts.get(name), str)}
    return facts | nested


def commit() -> str:
    """The commit of the checkout this code is in; empty if it is in none."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
