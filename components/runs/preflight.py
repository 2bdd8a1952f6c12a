"""Preflight: whether a run could be carried to its end here, asked before anything is read or trained.

The first task of every run asks; so does ``ciclo doctor``. Nothing is changed but one object that is written to the
store and deleted again.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from ciclo.components.core.errors import CicloError, SettingsError
from ciclo.components.core.images import LABEL, REFERENCE
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.core.wording import counted
from ciclo.components.storage.signing import signer_from, trust_from
from ciclo.components.storage.store import open_store
from ciclo.components.storage.windows import PredictionWindows

SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes:
        about: What was asked about, in a word or two.
        problem: What is wrong, with what to do about it; empty if nothing is.
        seen: What was found, where nothing is wrong.
    """

    about: str
    problem: str = ""
    seen: str = ""


def preflight(project: Project, settings: Settings) -> list[Finding]:
    """Ask everything that a run needs.

    Args:
        project: The project.
        settings: Those of the process that asks, which every later task of the run shares.

    Returns:
        One finding for each question, in a fixed order.
    """
    questions: list[tuple[str, Callable[[], str]]] = [
        ("deployer", lambda: _deployer(settings)),
        ("object store", lambda: _store(settings)),
        ("signing keys", lambda: _keys(settings)),
    ]
    elsewhere = settings.deployer == "seldon" and not settings.in_a_pod  # a pod fits, of an image of its own
    if not elsewhere and any(candidate.estimator == "lightgbm" for candidate in project.candidates.values()):
        questions += [("LightGBM", _lightgbm)]
    if settings.deployer == "seldon":
        questions += [
            ("namespace", lambda: _namespace(settings)),
            ("serving image", lambda: _serving_image(settings)),
            ("prediction store", lambda: _database(project, settings)),
        ]
    return [ask(about, question) for about, question in questions]


def ask(about: str, question: Callable[[], str]) -> Finding:
    """One finding: what a question answers, or the named error it raises."""
    try:
        return Finding(about, seen=question())
    except CicloError as error:
        return Finding(about, problem=str(error))


def require_ready(project: Project, settings: Settings) -> None:
    """Let a run start only where it can end.

    Raises:
        SettingsError: Naming everything that is wrong.
    """
    wrong = [f"{f.about}: {f.problem}" for f in preflight(project, settings) if f.problem]
    if wrong:
        raise SettingsError(f"nothing could be published or served from here: {' | '.join(wrong)}")


def _deployer(settings: Settings) -> str:
    if settings.in_a_pod and settings.deployer == "process":
        raise SettingsError(
            "a server of this pod would end with it",
            seen="CICLO_DEPLOYER=process",
            hint="Set it to seldon, or none: is there a ConfigMap ciclo in this namespace?",
        )
    return settings.deployer


def _namespace(settings: Settings) -> str:
    name = settings.serving_namespace
    if not LABEL.fullmatch(name):
        raise SettingsError("the namespace is not a name of Kubernetes", seen=name, hint="Set CICLO_NAMESPACE.")
    return name


def _lightgbm() -> str:
    from ciclo.components.core.lightgbm_trees import library

    return f"version {library().__version__}"


def _store(settings: Settings) -> str:
    uri = settings.store_uri
    if (settings.deployer == "seldon" or settings.in_a_pod) and not uri.startswith("s3://"):
        raise SettingsError(
            "the pods of a cluster share no folder", seen=f"store {uri}", hint="Set CICLO_STORE to s3://bucket."
        )
    if uri.startswith("s3://"):
        missing = {
            "CICLO_S3_ENDPOINT": settings.s3_endpoint,
            "CICLO_S3_ACCESS_KEY": settings.s3_access_key,
            "CICLO_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        }
        if names := [name for name, value in missing.items() if not value]:
            raise SettingsError(f"{', '.join(names)} not set", hint="A store at s3:// needs its address and keys.")
    store, key = open_store(uri, settings), f"preflight/{secrets.token_hex(8)}"
    store.put(key, b"asked")
    store.get(key)
    store.delete(key)
    return f"{uri} can be written and read"


def _keys(settings: Settings) -> str:
    signer, trust = signer_from(settings), trust_from(settings)
    if signer is None:
        return "signatures are off (CICLO_UNSIGNED)"
    trust.verify(signer.sign({"asked": "can what is signed here be read here"}))
    return "what is signed here is trusted here"


def _serving_image(settings: Settings) -> str:
    if not settings.serving_image:
        raise SettingsError("there is no image of the model server", hint="Set CICLO_SERVING_IMAGE.")
    if not REFERENCE.fullmatch(settings.serving_image):
        raise SettingsError("CICLO_SERVING_IMAGE is not an image reference", seen=repr(settings.serving_image))
    return settings.serving_image


def _database(project: Project, settings: Settings) -> str:
    uri = settings.predictions_uri
    if uri.startswith("sqlite"):
        raise SettingsError("the pods of a cluster share no SQLite file", hint="Set CICLO_PREDICTIONS to postgresql://")
    store = PredictionWindows(uri, wait=SECONDS)
    try:
        return f"{counted(store.count(project.name), 'prediction')} of {project.name}"
    finally:
        store.close()
