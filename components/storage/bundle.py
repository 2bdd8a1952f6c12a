"""Bundles: everything one version of a model consists of, as a folder of files that vouch for each other.

``manifest.json`` names the project, the version, the libraries and the sha256 of every file. ``model.sig`` is an
OpenSSF model-signing signature of all of them, the manifest included; because the manifest names project and version,
a bundle that was signed once is refused under another number or another project.

Reading goes from the outside in, and nothing is parsed before the layer around it has vouched for it: the signature,
the format, the manifest against the signed digests, project and version, the set of files, the digest of each, that
none is a pickle. Only then may ``model`` load, and only under the libraries that wrote it; the rest of a bundle can be
read under any.

A bundle may hold two models: ``model.skops``, which was tested and which the verdict is about, and ``refitted.skops``,
the same recipe on all labelled rows, which is served. Such a bundle has a format of its own: a release that knows
nothing of the second would serve the first, whose answers are not the golden ones, and so it says that it cannot read
it. Any other is written as ever.

A ``Bundle`` checks the digest of the very bytes it parses, so a file that changes after verification is
refused as well. A ``Record`` is what can be told of a version without its model.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from ciclo.components.core.errors import IntegrityError, ProjectError
from ciclo.components.core.verdict import Verdict
from ciclo.components.core.wording import counted, listed
from ciclo.components.storage.models import parse_model
from ciclo.components.storage.pickles import no_pickle
from ciclo.components.storage.signing import STATEMENT_TYPE, Signer, Trust, json_object, signed_by

if TYPE_CHECKING:  # pandas takes a while, and a Record does without
    from ciclo.components.core.contract import Contract
    from ciclo.components.core.profile import Profile
    from ciclo.components.core.project import Project

MODEL, CARD, MANIFEST, SIGNATURE = "model.skops", "card.html", "manifest.json", "model.sig"
CARD_DATA, LINEAGE, PROJECT, VERDICT = "card.json", "lineage.json", "project.yaml", "verdict.json"
GOLDEN = "golden.json"
DOCUMENTS = (CARD_DATA, "contract.json", GOLDEN, LINEAGE, "profile.json", VERDICT)
FILES = frozenset((MODEL, CARD, PROJECT, *DOCUMENTS))
REFITTED = "refitted.skops"
MODELS = frozenset((MODEL, REFITTED))
STORY = frozenset((LINEAGE, VERDICT, MANIFEST, SIGNATURE))  # what a Record is read from
FORMATS: dict[int, Set[str]] = {2: FILES, 3: FILES | {REFITTED}}  # what a version of each format consists of
PREDICATE = "https://model_signing/signature/v1.0"
LIBRARIES = ("scikit-learn", "skops")
SEAL_LIMIT = 1 << 20
DOCUMENT_LIMIT = 64 << 20
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_T = TypeVar("_T")


class Manifest(BaseModel):
    """What a version consists of.

    Attributes:
        format: Version of this layout.
        project: Name of the project.
        version: Number of the version.
        parent: The champion it was compared with.
        libraries: Versions of the libraries that wrote the model file.
        files: sha256 of every file, hex.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    project: str
    version: int
    parent: int | None
    libraries: dict[str, str]
    files: dict[str, Digest]


@dataclass(frozen=True)
class Record:
    """What is known of a version, verified.

    Attributes:
        project: Name of the project.
        version: Its number.
        digest: sha256 of the manifest, hex.
        parent: The champion it was compared with.
        libraries: Versions of the libraries that wrote the model file.
        files: sha256 of every file, hex.
        signed_by: Id of the key that signed it, empty if none did.
        lineage: What it was made of.
        verdict: The verdict that let it through.
    """

    project: str
    version: int
    digest: str
    parent: int | None
    libraries: Mapping[str, str]
    files: Mapping[str, str]
    signed_by: str
    lineage: Mapping[str, Any]
    verdict: Verdict

    @property
    def served(self) -> str:
        """The name of the model file that is served."""
        return served_of(self.files)


@dataclass(frozen=True)
class Bundle:
    """One verified version.

    Attributes:
        project: Name of the project.
        version: Its number.
        digest: sha256 of the manifest, hex.
        folder: Where its files are.
        files: sha256 of every file, hex.
        libraries: Versions of the libraries that wrote the model file.
    """

    project: str
    version: int
    digest: str
    folder: Path
    files: Mapping[str, str] = field(repr=False)
    libraries: Mapping[str, str] = field(repr=False)

    @cached_property
    def contract(self) -> "Contract":
        """The data contract."""
        from ciclo.components.core.contract import Contract

        return self._parsed("contract.json", Contract.model_validate_json)

    @cached_property
    def profile(self) -> "Profile":
        """The reference profile."""
        from ciclo.components.core.profile import Profile

        return self._parsed("profile.json", Profile.model_validate_json)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict that let it through."""
        return self._parsed(VERDICT, Verdict.model_validate_json)

    @cached_property
    def project_file(self) -> "Project":
        """The project it was made for."""
        from ciclo.components.core.project_file import project_from_yaml

        return self._parsed(PROJECT, lambda data: project_from_yaml(data.decode(), origin=PROJECT))

    @cached_property
    def lineage(self) -> dict[str, Any]:
        """What it was made of."""
        return _mapping(self.read(LINEAGE), LINEAGE)

    @cached_property
    def golden(self) -> dict[str, Any]:
        """Sample ``rows`` and the ``predictions`` a server gives, and those of a ``tested`` model that does not."""
        return _mapping(self.read(GOLDEN), GOLDEN)

    @property
    def served(self) -> str:
        """The name of the model file that is served."""
        return served_of(self.files)

    def served_model(self) -> Any:
        """Load the fitted pipeline that is served: the refitted one where there is one, else the tested one.

        Raises:
            IntegrityError: As ``model``.
        """
        return self._load(self.served)

    def model(self) -> Any:
        """Load the fitted pipeline that was tested, which the verdict is about.

        Raises:
            IntegrityError: If its file is not the one that was published, holds anything else, or was written with
                other libraries than those here.
        """
        return self._load(MODEL)

    def _load(self, name: str) -> Any:
        _same_libraries(self.libraries)
        return parse_model(self.read(name))

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises:
            IntegrityError: If they are not those that were published.
        """
        data = _read(self.folder / name, None if name in MODELS else DOCUMENT_LIMIT)
        if _digest(data) != self.files[name]:
            raise IntegrityError(f"the bundle's file '{name}' is not the one that was published")
        return data

    def check(self) -> None:
        """Read every part once, the models too.

        Raises:
            IntegrityError: If one cannot be read.
        """
        _ = self.contract, self.profile, self.verdict, self.project_file, self.lineage, self.golden
        for name in sorted(MODELS & set(self.files)):
            self._load(name)

    def _parsed(self, name: str, parse: Callable[[bytes], _T]) -> _T:
        try:
            return parse(self.read(name))
        except (ValidationError, ProjectError, UnicodeDecodeError) as error:
            raise IntegrityError(f"the bundle's file '{name}' cannot be read", seen=str(error)[:300]) from error


def seal(folder: Path, *, project: str, version: int, parent: int | None, signer: Signer | None) -> str:
    """Write the manifest and the signature of a version beside its files.

    Args:
        folder: The files; the folder is named by ``folder_name``.
        project: Name of the project.
        version: Number of the version.
        parent: The champion it was compared with.
        signer: Who signs, or None for an unsigned version.

    Returns:
        sha256 of the manifest, hex.
    """
    manifest = Manifest(
        format=max(FORMATS) if (folder / REFITTED).exists() else min(FORMATS),
        project=project,
        version=version,
        parent=parent,
        libraries={name: installed(name) for name in LIBRARIES},
        files={path.name: _digest(path) for path in sorted(folder.iterdir())},
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2))
    if signer is not None:
        signer.sign_folder(folder, SIGNATURE)
    return _digest(folder / MANIFEST)


def open_bundle(folder: Path, *, project: str, version: int, trust: Trust) -> Bundle:
    """Verify the files of a version.

    Args:
        folder: Where they are, and nothing else is.
        project: Project they have to be of.
        version: Number they have to have.
        trust: Whose signature is needed.

    Raises:
        IntegrityError: If anything is not as it was signed.
    """
    manifest, digest = _vouched(folder, project, version, trust)
    files = FORMATS[manifest.format]
    same_names((path.name for path in folder.iterdir()), files | {MANIFEST, SIGNATURE}, optional=trust.unsigned)
    bundle = Bundle(project, version, digest, folder, manifest.files, manifest.libraries)
    for name in sorted(files):
        data = bundle.read(name)
        no_pickle(name, data)
        if name in DOCUMENTS:
            _mapping(data, name)
    return bundle


def open_record(folder: Path, *, project: str, version: int, trust: Trust) -> Record:
    """Verify what is told of a version.

    Args:
        folder: Where the files of ``STORY`` are; others may be missing.
        project: Project they have to be of.
        version: Number they have to have.
        trust: Whose signature is needed.

    Raises:
        IntegrityError: If anything is not as it was signed.
    """
    manifest, digest = _vouched(folder, project, version, trust)
    bundle = Bundle(project, version, digest, folder, manifest.files, manifest.libraries)
    return Record(
        project=project,
        version=version,
        digest=digest,
        parent=manifest.parent,
        libraries=manifest.libraries,
        files=manifest.files,
        signed_by="" if trust.unsigned else signed_by(_read(folder / SIGNATURE, SEAL_LIMIT)),
        lineage=bundle.lineage,
        verdict=bundle.verdict,
    )


def _vouched(folder: Path, project: str, version: int, trust: Trust) -> tuple[Manifest, str]:
    """The manifest in a folder, once the signature stands for it, and its digest."""
    raw = _read(folder / MANIFEST, SEAL_LIMIT)
    digest = _digest(raw)
    signed = None if trust.unsigned else trust.verify(_read(folder / SIGNATURE, SEAL_LIMIT))
    manifest = _manifest(raw)
    if signed is not None and not _covers(signed, manifest, digest):
        raise IntegrityError("the manifest is not the one that was signed")
    if (manifest.project, manifest.version) != (project, version):
        raise IntegrityError(
            f"the bundle is not version {version} of {project}",
            seen=f"version {manifest.version} of {manifest.project}",
        )
    same_names(manifest.files, FORMATS[manifest.format])
    return manifest, digest


def same_names(found: Iterable[str], wanted: Set[str], *, optional: bool = False) -> None:
    """Compare the names of files with those there have to be.

    Args:
        found: What is there.
        wanted: What has to be there.
        optional: Whether the signature may be absent.

    Raises:
        IntegrityError: Naming what is missing and what is foreign.
    """
    names = set(found)
    missing, foreign = wanted - names - ({SIGNATURE} if optional else set()), names - wanted
    if missing or foreign:
        seen = f"missing: {', '.join(sorted(missing)) or 'none'}; foreign: {', '.join(sorted(foreign)) or 'none'}"
        raise IntegrityError("the bundle does not have the files it should have", seen=seen)


def _covers(statement: Mapping[str, Any], manifest: Manifest, digest: str) -> bool:
    """Whether a model-signing statement is about exactly these files, the manifest among them."""
    digests = dict(sorted({**manifest.files, MANIFEST: digest}.items()))
    root = hashlib.sha256(b"".join(bytes.fromhex(value) for value in digests.values())).hexdigest()
    predicate = statement.get("predicate")
    return (
        statement.get("_type") == STATEMENT_TYPE
        and statement.get("predicateType") == PREDICATE
        and statement.get("subject")
        == [{"name": folder_name(manifest.project, manifest.version), "digest": {"sha256": root}}]
        and isinstance(predicate, dict)
        and predicate.get("resources")
        == [{"name": name, "algorithm": "sha256", "digest": value} for name, value in digests.items()]
    )


def served_of(files: Iterable[str]) -> str:
    """The name of the model file that is served, of a version that consists of these files."""
    return REFITTED if REFITTED in files else MODEL


def folder_name(project: str, version: int) -> str:
    """The name of the folder in which a version is signed."""
    return f"{project}-{version}"


def _manifest(raw: bytes) -> Manifest:
    document = _mapping(raw, MANIFEST)
    if document.get("format") not in tuple(FORMATS):
        raise IntegrityError(
            "the bundle has another format",
            seen=f"format {document.get('format')}, known are {listed(map(str, FORMATS))}",
            hint="Use the release of Ciclo that published it, or a newer one.",
        )
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        raise IntegrityError("the manifest cannot be read", seen=str(error)[:300]) from error


def _same_libraries(libraries: Mapping[str, str]) -> None:
    for name in LIBRARIES:
        wanted, found = libraries.get(name), installed(name)
        if wanted != found:
            raise IntegrityError(
                f"the model was written with another {name}",
                seen=f"{name} {wanted} in the bundle, {found} here",
                hint="Retrain with the libraries of this environment, or run the release that published it.",
            )


def _read(path: Path, limit: int | None) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise IntegrityError(f"the bundle has no plain file '{path.name}'")
    try:
        size = path.stat().st_size
        if limit is not None and size > limit:
            raise IntegrityError(f"the bundle's file '{path.name}' is too large", seen=counted(size, "byte"))
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"the bundle's file '{path.name}' cannot be read", seen=str(error)) from error


def _mapping(data: bytes, name: str) -> dict[str, Any]:
    return json_object(data, f"the bundle's file '{name}'")


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
