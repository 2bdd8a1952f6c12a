"""What a request may weigh: refused before it is parsed, since a parsed body is ten times as large.

seldon-core has no limits of its own. ``limit_servers`` puts them around the two servers it builds.
"""

import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from ciclo.components.core.settings import Settings
from ciclo.components.core.wording import counted

DRAINED = 32  # times the limit: what is read of a body that is refused, so that its sender gets to read why
_CHUNK = 1 << 16
_JSON = re.compile(r"application/(?:[^/]+\+)?json", re.IGNORECASE)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_GRPC_BYTES = "seldon.io/grpc-max-message-size"

Environ = dict[str, Any]
Start = Callable[..., Any]


def limit_servers(settings: Settings) -> None:
    """Let every REST and gRPC server that seldon-core makes in this process keep the limits."""
    from seldon_core import wrapper

    make_rest, make_grpc = wrapper.get_rest_microservice, wrapper.get_grpc_server

    def rest(*arguments: Any, **options: Any) -> Any:
        app = make_rest(*arguments, **options)
        app.wsgi_app = BodyGuard(app.wsgi_app, settings.request_bytes, settings.request_depth)
        return app

    def grpc(user_model: Any, metrics: Any, annotations: Any = None, **options: Any) -> Any:
        limits = {**(annotations or {}), _GRPC_BYTES: str(settings.request_bytes)}
        return make_grpc(user_model, metrics, annotations=limits, **options)

    wrapper.get_rest_microservice, wrapper.get_grpc_server = rest, grpc


class BodyGuard:
    """A WSGI application that hands on bodies of JSON within the limits and refuses the others.

    Args:
        app: The application.
        most_bytes: Largest body.
        most_depth: Most brackets of JSON inside one another.
    """

    def __init__(self, app: Callable[[Environ, Start], Iterable[bytes]], most_bytes: int, most_depth: int) -> None:
        self._app = app
        self._bytes = most_bytes
        self._depth = most_depth

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Answer a request."""
        try:
            declared = int(environ.get("CONTENT_LENGTH") or 0)
        except ValueError:
            return _refuse(start, 400, "BAD_REQUEST", "the Content-Length is not a number")
        stream = environ["wsgi.input"]
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        body = b"" if declared > self._bytes else stream.read(self._bytes + 1 if chunked else declared)
        if declared > self._bytes or len(body) > self._bytes:
            _drain(stream, DRAINED * self._bytes)
            seen = f" (seen: {declared:,})" if declared else ""
            text = f"the body has more than {counted(self._bytes, 'byte')}{seen}. Send fewer rows in one request."
            return _refuse(start, 413, "TOO_LARGE", text)
        kind = environ.get("CONTENT_TYPE", "")
        if body and kind and not _JSON.fullmatch(kind.partition(";")[0].strip()):  # a form would be parsed as well
            text = f"the body is not sent as JSON (seen: {kind!r:.99}). Send it with Content-Type: application/json."
            return _refuse(start, 415, "UNSUPPORTED_MEDIA_TYPE", text)
        query = unquote_to_bytes(environ.get("QUERY_STRING", ""))  # which may hold a request, too
        if too_deep(body, self._depth) or too_deep(query, self._depth):
            text = f"the request has more than {self._depth} brackets inside one another. Send rows of plain values."
            return _refuse(start, 400, "BAD_REQUEST", text)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return self._app(environ, start)


def too_deep(body: bytes, most: int) -> bool:
    """Whether brackets of JSON stand deeper inside one another, without parsing it.

    Pairs with nothing between them are taken away, as often as they may stand inside one another. What is left is too
    deep, or no JSON, or stands inside a text; texts are looked for, which is dearer, only then.
    """
    if not _left_over(body, most):
        return False
    left = _left_over(_without_texts(body), most)
    return b"[]" in left or b"{}" in left or len(left) > most  # what never closes would exhaust the parser as well


def _left_over(body: bytes, rounds: int) -> bytes:
    brackets = body.translate(None, _NO_BRACKETS)
    for _ in range(rounds):
        brackets = brackets.replace(b"[]", b"0").replace(b"{}", b"0").replace(b"0", b"")
    return brackets


def _without_texts(body: bytes) -> bytes:
    kept, inside = [], False
    for part in body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"'):
        if not inside:
            kept.append(part)
        inside = not inside
    return b"".join(kept)


def _drain(stream: Any, most: int) -> None:
    while most > 0 and (chunk := stream.read(_CHUNK)):
        most -= len(chunk)


def _refuse(start: Start, status: int, reason: str, text: str) -> Iterable[bytes]:
    body = json.dumps({"status": {"code": -1, "info": text, "reason": reason, "status": 1}}).encode()
    phrase = {400: "400 Bad Request", 413: "413 Content Too Large", 415: "415 Unsupported Media Type"}[status]
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
    start(phrase, headers)
    return [body]
