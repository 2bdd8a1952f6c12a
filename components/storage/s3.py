"""Objects in an S3 bucket, through the minio client.

The client's own repeats are switched off and done here, with short time-outs, so that a silent server is given up and a
repeat is always told from a first try. A slow one is given up as well, after a time for all tries together. Conditional
writes need a method that minio-py does not publish: its public ones turn a condition into metadata and overwrite. It is
called in one place.

A lost answer must not turn a write of our own into somebody else's: the repeat is refused because the first try had
succeeded. Every conditional write therefore carries a nonce as metadata, and a refusal counts only after the object was
read back and the nonce is not ours.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from xml.etree.ElementTree import ParseError

import certifi
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from ciclo.components.core.errors import ConflictError, NotFoundError, SettingsError, StorageError
from ciclo.components.core.files import write_whole
from ciclo.components.core.settings import Settings
from ciclo.components.core.wording import counted
from ciclo.components.storage.objects import CHUNK, Stored, allowed, checked, checked_prefix

PART = 16 << 20
ATTEMPTS = 3
PAUSE = 0.2
LIMIT = 90.0  # seconds for all attempts
FILE_LIMIT = 900.0
NONCE = "x-amz-meta-ciclo-nonce"
_T = TypeVar("_T")

# What a bad moment of the network or the server raises; a ParseError is a list that was cut short.
_PASSING = (MinioException, urllib3.exceptions.HTTPError, ParseError)


def s3_client(settings: Settings, timeout: float = 10.0) -> Minio:
    """A client that gives up in time and leaves repeating to ``S3Store``.

    Args:
        settings: Endpoint and keys.
        timeout: Seconds that the server may be silent.

    Raises:
        SettingsError: If there is no endpoint.
    """
    if not settings.s3_endpoint:
        raise SettingsError("there is no S3 endpoint", hint="Set CICLO_S3_ENDPOINT to host and port, without scheme.")
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=min(timeout, 3.0), read=timeout),
        retries=False,
        cert_reqs="CERT_REQUIRED",
        ca_certs=str(settings.s3_ca_file or certifi.where()),
    )
    try:
        return Minio(
            settings.s3_endpoint,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=settings.s3_secure,
            region=settings.s3_region,
            http_client=pool,
        )
    except ValueError as error:
        raise SettingsError("CICLO_S3_ENDPOINT is not valid", seen=f"{settings.s3_endpoint}: {error}") from error


class S3Store:
    """Objects in a bucket.

    Args:
        client: From ``s3_client``.
        bucket: Name of the bucket; it has to exist.
        prefix: What all keys are put below.
        is_foreign: Whether others named its objects, so that a key may be any text.
    """

    def __init__(self, client: Minio, bucket: str, prefix: str = "", *, is_foreign: bool = False) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{checked(prefix)}/" if prefix else ""
        self._is_foreign = is_foreign

    def get(self, key: str) -> Stored:
        """See ``ObjectStore``."""

        def read() -> Stored:
            with self._opened(key) as response:
                data = response.read()
                _complete(response, len(data))
                return Stored(data, response.headers.get("etag", "").strip('"'))

        return self._call(key, read)

    def put(self, key: str, data: bytes) -> None:
        """See ``ObjectStore``."""
        self._call(key, lambda: self._put(key, data, {}))

    def put_file(self, key: str, path: Path) -> None:
        """See ``ObjectStore``."""
        name = self._name(key)
        self._call(
            key,
            lambda: self._client.fput_object(self._bucket, name, str(path), part_size=PART, num_parallel_uploads=1),
            FILE_LIMIT,
        )

    def get_file(self, key: str, path: Path, allow: Callable[[int], None] | None = None) -> None:
        """See ``ObjectStore``."""

        def chunks() -> Iterator[bytes]:
            size = 0
            with self._opened(key) as response:
                for chunk in allowed(response.stream(CHUNK), allow):
                    size += len(chunk)
                    yield chunk
                _complete(response, size)

        self._call(key, lambda: write_whole(path, chunks()), FILE_LIMIT)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See ``ObjectStore``."""
        return self._conditional(key, data, {"If-None-Match": "*"})

    def swap(self, key: str, data: bytes, etag: str) -> bool:
        """See ``ObjectStore``."""
        return self._conditional(key, data, {"If-Match": f'"{etag}"'})

    def list(self, prefix: str) -> Iterator[str]:
        """See ``ObjectStore``."""

        def names() -> list[str]:
            start = self._prefix + (prefix if self._is_foreign else checked_prefix(prefix))
            found = self._client.list_objects(self._bucket, prefix=start, recursive=True)
            return sorted(str(item.object_name) for item in found)

        return iter([name[len(self._prefix) :] for name in self._call(prefix, names)])

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        name = self._name(key)
        self._call(key, lambda: self._client.remove_object(self._bucket, name))

    def exists(self, key: str) -> bool:
        """See ``ObjectStore``."""
        return self._nonce(key) is not None

    def _name(self, key: str) -> str:
        return self._prefix + (key if self._is_foreign else checked(key))

    def _put(self, key: str, data: bytes, headers: dict[str, str]) -> None:
        self._client._put_object(
            self._bucket, self._name(key), data, headers={"Content-Type": "application/octet-stream", **headers}
        )

    def _conditional(self, key: str, data: bytes, condition: dict[str, str]) -> bool:
        nonce = uuid.uuid4().hex
        try:
            self._call(key, lambda: self._put(key, data, {**condition, NONCE: nonce}))
        except (ConflictError, NotFoundError):
            return self._nonce(key) == nonce
        except StorageError:
            if self._nonce(key) != nonce:
                raise
        return True

    def _nonce(self, key: str) -> str | None:
        """The nonce an object was written with, empty if without, or None if there is no object."""
        name = self._name(key)
        try:
            found = self._call(key, lambda: self._client.stat_object(self._bucket, name))
        except NotFoundError:
            return None
        return str((found.metadata or {}).get(NONCE, ""))

    @contextmanager
    def _opened(self, key: str) -> Iterator[Any]:
        response = self._client.get_object(self._bucket, self._name(key))
        try:
            yield response
        finally:
            response.close()
            response.release_conn()

    def _call(self, key: str, action: Callable[[], _T], limit: float | None = None) -> _T:
        """Run a repeatable action, and give it up where a server sends byte by byte and so never is silent."""
        outcome: Future[_T] = Future()

        def work() -> None:
            try:
                outcome.set_result(self._repeat(key, action))
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        limit = limit or LIMIT
        try:
            return outcome.result(limit)
        except TimeoutError as error:
            raise StorageError(
                f"the object store is too slow with '{key}'", seen=f"nothing after {limit:g} s", hint=_UNREACHABLE
            ) from error

    def _repeat(self, key: str, action: Callable[[], _T]) -> _T:
        """Run an action, again where the fault may pass, and name what went wrong."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return action()
            except (*_PASSING, OSError, ValueError) as error:
                if attempt == ATTEMPTS or not _may_pass(error):
                    raise _named(error, key) from error
            time.sleep(PAUSE * 2**attempt)
        raise AssertionError("unreachable")


def _complete(response: Any, size: int) -> None:
    """Refuse a body that was cut short, which urllib3 1.26 does not notice."""
    promised = response.headers.get("content-length")
    if promised is not None and int(promised) != size:
        raise urllib3.exceptions.ProtocolError(f"{size} of {counted(int(promised), 'byte')} came")


def _may_pass(error: Exception) -> bool:
    if isinstance(error, S3Error):
        busy = error.code in ("ConditionalRequestConflict", "RequestTimeout", "SlowDown")
        return busy or error.response.status >= 500
    return isinstance(error, _PASSING)


_UNREACHABLE = "Check that the S3 service runs and that CICLO_S3_ENDPOINT is right."
_HINTS = {
    "XMinioStorageFull": "Free space in the S3 service.",
    "NoSuchBucket": "Create the bucket, or set CICLO_STORE to one that exists.",
    "AccessDenied": "Check CICLO_S3_ACCESS_KEY and the rights it has.",
    "InvalidAccessKeyId": "Check CICLO_S3_ACCESS_KEY.",
    "SignatureDoesNotMatch": "Check CICLO_S3_SECRET_KEY.",
}


def _named(error: Exception, key: str) -> StorageError:
    code = error.code if isinstance(error, S3Error) else ""
    if code in ("NoSuchKey", "NoSuchObject"):
        return NotFoundError(f"there is no object '{key}'")
    if code == "PreconditionFailed":
        return ConflictError(f"'{key}' was changed by somebody else")
    hint = _HINTS.get(code, _UNREACHABLE)
    return StorageError(
        f"the object store could not handle '{key}'",
        seen=f"{type(error).__name__}: {error}",
        hint="Check the local file." if isinstance(error, OSError) else hint,
    )
