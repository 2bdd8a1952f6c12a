"""What a request may weigh, at the real microservice."""

import http.client
import json
import socket
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.serving.test_requests import ROW, rows_message

MEGABYTE = 1 << 20


def processes(server):
    """The processes of a server."""
    group = server.endpoint.pid
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group:
                yield folder


def peak(server):
    """The most memory that one of them ever held, in bytes."""
    lines = (line for folder in processes(server) for line in (folder / "status").read_text().splitlines())
    return max(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def send(server, length, *, chunked):
    """Send zeros as a body; status and JSON of the answer."""
    address = urlsplit(server.endpoint.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    block = b'{"rows":[0,0,0]},' * 4096
    chunks = (block for _ in range(length // len(block)))
    headers = {"Content-Type": "application/json"}
    if not chunked:
        headers["Content-Length"] = str(length // len(block) * len(block))
    connection.request("POST", "/api/v1.0/predictions", chunks, headers, encode_chunked=chunked)
    try:
        with connection.getresponse() as answer:
            return answer.status, json.load(answer)
    finally:
        connection.close()


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "chunked"])
def test_a_huge_body_is_refused_and_never_held(server, chunked):
    server.predict([ROW])
    before = peak(server)
    status, answer = send(server, 120 * MEGABYTE, chunked=chunked)
    assert status == 413
    assert "more than 8,388,608 bytes" in answer["status"]["info"]
    assert "Send fewer rows" in answer["status"]["info"]
    assert peak(server) - before < 60 * MEGABYTE
    server.predict([ROW])


def test_a_client_that_only_announces_a_huge_body_does_not_end_the_server(server):
    address = urlsplit(server.endpoint.url)
    with socket.create_connection((address.hostname, address.port)) as line:
        line.sendall(b"POST /api/v1.0/predictions HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n{}")
    server.predict([ROW])


@pytest.mark.parametrize("path", ["predictions", "feedback"])
@pytest.mark.parametrize("depth", [17, 500, 100_000])
def test_a_body_that_is_nested_too_deep_is_the_fault_of_the_client(server, path, depth):
    status, answer = server.post(None, path, raw=b'{"jsonData":' + b"[" * depth + b"]" * depth + b"}")
    assert status == 400
    assert "more than 16 brackets inside one another" in answer["status"]["info"]


def test_brackets_in_a_text_are_no_nesting(server):
    assert server.post(rows_message([{**ROW, "id": "[{" * 100}]))[0] == 200


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_is_refused(server, kind):
    address = urlsplit(server.endpoint.url)
    deep = "[" * 2_000 + "]" * 2_000
    form = f'--x\r\nContent-Disposition: form-data; name="json"\r\n\r\n{deep}\r\n--x--\r\n'
    body = form if "multipart" in kind else f"json={deep}"
    with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=60)) as connection:
        connection.request("POST", "/api/v1.0/predictions", body, {"Content-Type": kind})
        with connection.getresponse() as answer:
            assert (answer.status, "not sent as JSON" in answer.read().decode()) == (415, True)


def test_a_query_that_is_nested_too_deep_is_refused(server):
    address = urlsplit(server.endpoint.url)
    with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=60)) as connection:
        connection.request("GET", "/predict?json=" + "[" * 3_000)
        with connection.getresponse() as answer:
            assert answer.status == 400
    server.predict([ROW])
