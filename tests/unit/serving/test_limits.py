"""Bodies are weighed before they are parsed."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciclo.components.serving.limits import BodyGuard, too_deep
from tests.depth import rounds

LEAVES = st.none() | st.integers() | st.text(st.sampled_from('[]{}"\\a,'), max_size=8)
JSON = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text('[{"\\', max_size=3), v))


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@pytest.mark.slow
@settings(max_examples=rounds(60, 300))
@given(JSON, st.integers(0, 3))
def test_the_depth_is_that_of_the_parsed_json(value, most):
    value = [[value]]
    assert too_deep(json.dumps(value).encode(), most + 2) == (depth(value) > most + 2)


@pytest.mark.parametrize("body", [b"[" * 1_000_000, b"[" * 500 + b"]" * 500, b'{"a":' * 100_000])
def test_what_would_exhaust_the_parser_is_too_deep(body):
    assert too_deep(body, 16)


class Trickle(io.RawIOBase):
    """A body of any length that is made while it is read."""

    def __init__(self, length):
        self.left = length
        self.largest = 0

    def read(self, size=-1):
        assert 0 <= size <= 1 << 20, "it is never read whole"
        self.largest = max(self.largest, size)
        taken = min(size, self.left)
        self.left -= taken
        return b"x" * taken


def ask(body, **headers):
    """What the guard makes of a body: status, JSON of a refusal or the length that came through."""
    said = []

    def app(environ, start):
        start("200 OK", [])
        return [str(len(environ["wsgi.input"].read())).encode()]

    environ = {"wsgi.input": body, **headers}
    answer = b"".join(BodyGuard(app, 1_000, 16)(environ, lambda status, headers: said.append((status, dict(headers)))))
    return int(said[0][0][:3]), json.loads(answer)


@pytest.mark.parametrize(
    ("length", "headers", "status"),
    [
        (0, {}, 200),
        (1_000, {"CONTENT_LENGTH": "1000"}, 200),
        (1_001, {"CONTENT_LENGTH": "1001"}, 413),
        (10**9, {"CONTENT_LENGTH": str(10**9)}, 413),
        (1_000, {"HTTP_TRANSFER_ENCODING": "chunked"}, 200),
        (1_001, {"HTTP_TRANSFER_ENCODING": "chunked"}, 413),
        (10**9, {"HTTP_TRANSFER_ENCODING": "Chunked"}, 413),
        (1, {"CONTENT_LENGTH": "many"}, 400),
    ],
)
def test_a_body_beyond_the_limit_is_never_held(length, headers, status):
    body = Trickle(length)
    found, answer = ask(body, **headers)
    assert found == status
    if status == 200:
        assert answer == length
    if status == 400:
        assert answer["status"]["info"] == "the Content-Length is not a number"
    if status == 413:
        assert "more than 1,000 bytes" in answer["status"]["info"]
        assert length - body.left <= 1_001 + 33_000 + (1 << 16)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 200),
        ("Application/JSON ; charset=utf-8", b"{}", 200),
        ("application/problem+json", b"{}", 200),
        ("", b"{}", 200),  # the application refuses it itself
        ("text/plain", b"", 200),  # as a probe may send it
        ("application/x-www-form-urlencoded", b"json=1", 415),
        ("multipart/form-data; boundary=x", b"--x", 415),
        ("text/plain", b"{}", 415),
        ("application/jsonp", b"{}", 415),
        ("text/plain; application/json", b"{}", 415),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_body_that_is_not_json_is_refused(method, kind, body, status):
    headers = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body)), "REQUEST_METHOD": method}
    found, answer = ask(io.BytesIO(body), **headers)
    assert found == status
    if status == 415:
        assert answer["status"]["reason"] == "UNSUPPORTED_MEDIA_TYPE"
        info = answer["status"]["info"]
        assert info == f"the body is not sent as JSON (seen: {kind!r}). Send it with Content-Type: application/json."


@pytest.mark.parametrize("query", ["json=" + "[" * 1_000, "json=" + "%5B" * 1_000 + "%5D" * 1_000])
def test_a_query_is_no_way_around_the_depth(query):
    found, answer = ask(io.BytesIO(b""), QUERY_STRING=query)
    assert (found, "brackets inside one another" in answer["status"]["info"]) == (400, True)
    assert ask(io.BytesIO(b""), QUERY_STRING="json=%7B%22data%22%3A%5B%5D%7D")[0] == 200
