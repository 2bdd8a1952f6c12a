"""The object store of the settings: a folder or a bucket."""

from pathlib import Path
from urllib.parse import urlsplit

from ciclo.components.core.errors import SettingsError
from ciclo.components.core.settings import Settings
from ciclo.components.storage.directory import DirectoryStore
from ciclo.components.storage.objects import ObjectStore


def open_store(uri: str, settings: Settings) -> ObjectStore:
    """Open a store by its address.

    Args:
        uri: ``file:///path`` or ``s3://bucket/prefix``.
        settings: Endpoint and keys of the S3 service.

    Raises:
        SettingsError: If the address is of another kind or incomplete.
    """
    parts = urlsplit(uri)
    if uri.startswith("file:///"):
        return DirectoryStore(Path(uri.removeprefix("file://")))
    if parts.scheme == "s3" and parts.netloc:
        from ciclo.components.storage.s3 import S3Store, s3_client

        return S3Store(s3_client(settings), parts.netloc, parts.path.strip("/"))
    raise SettingsError("the object store has no usable address", seen=uri, hint="Use file:///path or s3://bucket.")
