"""A file that a web server gives.

Where a public server redirects to a private address (of this machine, of the cluster, of the cloud's metadata), the
answer would be something that the server itself may not see; so each address is looked up once, judged, and connected
to as it was judged. A redirect away from TLS is not followed either.
"""

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError

from ciclo.components.core.errors import DataError
from ciclo.components.sources.places.place import Asked, Download, SourceFile

REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
_CHUNK = 1 << 20
_REDIRECTED = (301, 302, 303, 307, 308)


def fetch(source: str, scratch: Path, asked: Asked) -> Sequence[SourceFile]:
    """The file at an ``http://`` or ``https://`` address; see ``Place.fetch``."""
    name = urlunsplit(urlsplit(source)._replace(query="", fragment=""))
    path = scratch / "download"
    download = Download(name, asked.settings)
    try:
        with path.open("wb") as target:
            download.write(_body(source, name, asked), target)
    except (HTTPError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{name} cannot be read", seen=" ".join(str(reason).split())[:200]) from error
    return [SourceFile(path, name)]


def _body(source: str, name: str, asked: Asked) -> Iterator[bytes]:
    address, is_private = source, None
    for _ in range(REDIRECTS + 1):
        parts = urlsplit(address)
        host, private = _resolved(parts, name)
        if is_private is None:
            is_private = private
        elif private and not is_private:
            raise DataError(
                f"{name} redirects to a private address", seen=parts.hostname, hint="Give the address itself."
            )
        response = _asked(parts, host, asked if parts.netloc == urlsplit(source).netloc else None)
        with response:
            if response.status in _REDIRECTED and response.headers.get("location"):
                address = urljoin(address, response.headers["location"])
                if parts.scheme == "https" and urlsplit(address).scheme != "https":
                    raise DataError(f"{name} redirects away from https", seen=urlsplit(address).hostname)
                continue
            if response.status != 200:
                hint = "Set CICLO_SOURCE_USER and CICLO_SOURCE_PASSWORD." if response.status in (401, 403) else ""
                raise DataError(f"{name} is not given", seen=f"status {response.status}", hint=hint)
            yield from response.stream(_CHUNK, decode_content=True)
            return
    raise DataError(f"{name} redirects more than {REDIRECTS} times")


def _resolved(parts: SplitResult, name: str) -> tuple[str, bool]:
    """The address of a host in numbers, and whether it is a private one."""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DataError(f"{name} leads to an address of another kind", seen=parts.scheme or "none")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise DataError(f"{name}: the host {parts.hostname} is not known", seen=str(error)) from error
    return found[0], any(not ipaddress.ip_address(address.partition("%")[0]).is_global for address in found)


def _asked(parts: SplitResult, host: str, asked: Asked | None) -> urllib3.BaseHTTPResponse:
    """Ask for an address at a host that was looked up; ``asked`` has the password, for the server it is meant for."""
    headers = {"Host": parts.netloc.rpartition("@")[2], "Accept-Encoding": "identity", "User-Agent": "ciclo"}
    if asked is not None and asked.settings.source_user:
        word = f"{asked.settings.source_user}:{asked.settings.source_password.get_secret_value()}"
        headers |= urllib3.make_headers(basic_auth=word)
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            host, parts.port or 443, timeout=timeout, assert_hostname=parts.hostname, server_hostname=parts.hostname
        )
    else:
        pool = urllib3.HTTPConnectionPool(host, parts.port or 80, timeout=timeout)
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    return pool.request("GET", path, headers=headers, redirect=False, retries=False, preload_content=False)
