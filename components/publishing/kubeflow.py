"""Export of a version to a Kubeflow Model Registry, for those who keep their catalogue of models there.

The project becomes a registered model, its version a model version and the model file its artifact; what made the
version becomes its custom properties. Ciclo's own store stays the truth: the export is a copy that can be made again,
and one that was cut off is completed by the next.

Needs the extra ``model-registry``, which is imported only when something is exported.
"""

import asyncio
import json
import logging
import math
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ciclo.components.core.errors import CicloError, ConflictError, SettingsError, StorageError
from ciclo.components.releases.story import flat
from ciclo.components.storage.bundle import Record

Property = str | int | float | bool

# The ports a Model Registry has when its address names none.
PORTS = {"http": 8080, "https": 443}


@dataclass(frozen=True)
class Exported:
    """Where a version is in a Model Registry.

    Attributes:
        model: Id of the registered model.
        version: Id of the model version.
        artifact: Id of the model artifact.
    """

    model: str
    version: str
    artifact: str


def export(
    record: Record,
    uri: str,
    address: str,
    *,
    author: str,
    token: str = "",
    ca: Path | None = None,
    storage_key: str = "",
    limit: float = 30.0,
) -> Exported:
    """Describe a version in a Model Registry; a version that is described there already stays as it is.

    Only the address of the artifact follows ``uri``, should the store have moved.

    Args:
        record: The version.
        uri: Where its model file is.
        address: The registry, ``http://host:port`` or ``https://…``.
        author: Who exports, noted as owner of the model and author of the version.
        token: What the registry lets somebody in with, if it asks.
        ca: PEM file of the authorities to trust instead of the usual ones.
        storage_key: Name of the Kubernetes secret with which KServe reads ``uri``.
        limit: Seconds that all of it may take.

    Raises:
        SettingsError: If the extra is missing, or address or ``ca`` cannot be right.
        ConflictError: If another version of that name is described there.
        StorageError: If the registry cannot be reached, refuses, or takes too long.
    """
    host = _host(address)
    if ca is not None and not ca.is_file():
        raise SettingsError("there is no file with certificates of authorities", seen=ca)
    kubeflow = _Kubeflow()
    config = kubeflow.configuration(
        host=host, access_token=token.strip() or None, ssl_ca_cert=str(ca) if ca is not None else None
    )
    wanted = kubeflow.artifact(
        name=record.project,
        uri=uri,
        model_format_name="skops",
        model_format_version=record.libraries.get("skops"),
        storage_key=storage_key or None,
        storage_path=urlsplit(uri).path.lstrip("/") if storage_key else None,
        model_source_kind="kfp",
        model_source_class="pipelinerun",
        model_source_id=record.lineage.get("run"),
    )

    async def bounded() -> Exported:
        async with asyncio.timeout(limit):
            return await _describe(kubeflow, kubeflow.client(config), record, wanted, host, author)

    with _errors_named(kubeflow, host, limit):
        return asyncio.run(bounded())


def properties(record: Record) -> dict[str, Property]:
    """What made a version, flat, for the custom properties of a model version.

    Names are such that the registry's filters take them unquoted: ``data_rows``, ``libraries_scikit_learn``.
    """
    known = {
        **record.lineage,
        "digest": record.digest,
        "model_digest": record.files[record.served],
        "signed_by": record.signed_by,
        "parent": record.parent,
        "verdict": record.verdict.decision,
        "reason": record.verdict.reason,
        "facts": record.verdict.facts,
        "libraries": record.libraries,
    }
    converted = {re.sub(r"[^A-Za-z0-9]", "_", name): _property(value) for name, value in flat(known)}
    return {name: value for name, value in converted.items() if value is not None}


class _Kubeflow:
    """What is used of the extra.

    Importing it sets up logging for the whole process; that is undone. ``model_registry.ModelRegistry`` itself is not
    used: it patches asyncio, has no limit of time and cannot complete a version that has no artifact yet.
    """

    def __init__(self) -> None:
        handlers = list(logging.root.handlers)
        try:
            from aiohttp import ClientError
            from model_registry import core, types  # type: ignore[import-untyped]
            from mr_openapi import Configuration, exceptions  # type: ignore[import-untyped]
        except ImportError as error:
            raise SettingsError(
                "exporting needs the client of the Model Registry",
                seen=error,
                hint='Install it: pip install "ciclo[model-registry]"',
            ) from error
        finally:
            logging.root.handlers[:] = handlers
        self.client: Any = core.ModelRegistryAPIClient
        self.configuration: Any = Configuration
        self.model: Any = types.RegisteredModel
        self.version: Any = types.ModelVersion
        self.artifact: Any = types.ModelArtifact
        self.refusal: Any = exceptions.ApiException
        self.broken = ClientError


async def _describe(kubeflow: _Kubeflow, client: Any, record: Record, wanted: Any, host: str, author: str) -> Exported:
    model = await _ensure(
        lambda: client.get_registered_model_by_params(record.project),
        lambda: client.upsert_registered_model(kubeflow.model(name=record.project, owner=author)),
    )
    described = kubeflow.version(
        name=str(record.version),
        author=author,
        description=record.verdict.reason,
        custom_properties=properties(record),
    )
    version = await _ensure(
        lambda: client.get_model_version_by_params(model.id, described.name),
        lambda: client.upsert_model_version(described, model.id),
    )
    digest = (version.custom_properties or {}).get("digest")
    if digest != record.digest:
        raise ConflictError(
            f"the Model Registry at {host} has another version {record.version} of {record.project}",
            seen=f"digest {str(digest)[:12]}, not {record.digest[:12]}" if digest else "one that Ciclo did not export",
            hint="Rename or remove it there, or give the project another name.",
        )
    artifact = await _ensure(
        lambda: client.get_model_artifact_by_params(wanted.name, version.id),
        lambda: client.upsert_model_version_artifact(wanted, version.id),
    )
    if artifact.uri != wanted.uri:
        moved = {name: getattr(wanted, name) for name in ("uri", "storage_key", "storage_path")}
        artifact = await client.upsert_model_artifact(artifact.model_copy(update=moved))
    return Exported(model.id, version.id, artifact.id)


async def _ensure(find: Callable[[], Awaitable[Any]], make: Callable[[], Awaitable[Any]]) -> Any:
    """What is there, else what is made; if making fails, what somebody else made first or the lost answer was about."""
    found = await find()
    if found is not None:
        return found
    try:
        return await make()
    except Exception:
        found = await find()
        if found is None:
            raise
        return found


def _host(address: str) -> str:
    """The address with its port, as the client wants it."""
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        parts, port = urlsplit(""), 0
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise SettingsError(
            "this is not the address of a Model Registry",
            seen=re.sub(r"//[^/]*@", "//…@", address),
            hint="Give http://host:port or https://host, and the token apart from it.",
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}:{port}{parts.path.rstrip('/')}"


@contextmanager
def _errors_named(kubeflow: _Kubeflow, host: str, limit: float) -> Iterator[None]:
    """Turn what the client raises into errors for people."""
    at = f"the Model Registry at {host}"
    try:
        yield
    except CicloError:
        raise
    except TimeoutError as error:
        raise StorageError(f"{at} took longer than {limit:g} s", hint="Export again; it goes on from there.") from error
    except kubeflow.refusal as error:
        raise _refused(at, error) from error
    except OSError as error:
        raise StorageError(
            f"{at} cannot be reached", seen=error, hint="Is it up, is the address right, is its certificate trusted?"
        ) from error
    except kubeflow.broken as error:
        raise StorageError(f"{at} broke off", seen=repr(error), hint="Export again; it goes on from there.") from error
    except (ValueError, TypeError, AttributeError, AssertionError) as error:
        raise StorageError(
            f"what answers at {host} is not a Model Registry", seen=str(error)[:200], hint="Is the address right?"
        ) from error


def _refused(at: str, error: Any) -> StorageError:
    message = getattr(error.data, "message", None) or error.body or error.reason or ""
    hint = "See its log."
    if error.status in (401, 403):
        hint = "Give a token that may write there."
    elif error.status == 404:
        hint = "Is this its address, and does it speak version v1 of its interface?"
    return StorageError(f"{at} refused", seen=f"{error.status} {str(message)[:200]}", hint=hint)


def _property(value: object) -> Property | None:
    """A value as the interface takes it; None for one that says nothing."""
    match value:
        case None | "":
            return None
        case bool() | str():
            return value
        case int() if abs(value) < 10**9:  # the interface takes integers of nine digits
            return value
        case int() if abs(value) <= 2**53:
            return float(value)
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return json.dumps(value, default=str)
        case _:
            return str(value)
