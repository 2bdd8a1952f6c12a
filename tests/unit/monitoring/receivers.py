"""Real receivers on the loopback: a mail server and a webhook, that can be down, slow or unwilling."""

import json
import socket
import socketserver
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Inbox:
    """What arrived.

    Attributes:
        received: Messages, oldest first.
        fault: ``""``, ``refuses`` (answers with an error) or ``silent`` (takes the connection and does not answer).
        port: Where it listens.
    """

    def __init__(self, port):
        self.received = []
        self.fault = ""
        self.port = port
        self.released = threading.Event()


@contextmanager
def webhook(port=0):
    """A webhook that takes JSON."""
    inbox = Inbox(port)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if inbox.fault == "silent":
                inbox.released.wait(60)
                return
            if not inbox.fault:
                inbox.received.append(json.loads(body))
            self.send_response(500 if inbox.fault else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", port), Handler), inbox):
        yield inbox


@contextmanager
def mail_server(port=0):
    """A mail server that takes everything (RFC 5321, as much of it as one client speaks)."""
    inbox = Inbox(port)

    class Handler(socketserver.StreamRequestHandler):
        def answer(self, line):
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self):
            if inbox.fault == "silent":
                inbox.released.wait(60)
                return
            self.answer("220 ready")
            while line := self.rfile.readline():
                match line.split()[0].upper().decode() if line.strip() else "":
                    case "DATA":
                        self.answer("354 go on")
                        lines = iter(self.rfile.readline, b".\r\n")
                        data = b"".join(text.removeprefix(b".") if text.startswith(b"..") else text for text in lines)
                        inbox.received.append(message_from_bytes(data, policy=policy.default))
                        self.answer("250 kept")
                    case "QUIT":
                        self.answer("221 bye")
                        return
                    case "MAIL" if inbox.fault:
                        self.answer("451 not now")
                    case _:
                        self.answer("250 well")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True

    with _serving(Server(("127.0.0.1", port), Handler), inbox):
        yield inbox


@contextmanager
def _serving(server, inbox):
    server.daemon_threads = True
    inbox.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        inbox.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def free_port():
    """A port nobody listens on, for now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
