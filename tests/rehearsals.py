"""Rehearsals of the tests start warm: forked off a clean interpreter that has imported every estimator already.

Those imports are two seconds of processor time, and the tests rehearse a hundred model files. What runs in the fork is
the child's own code, with the streams, environment and limits that it would have. How it is started in earnest is tried
by `tests/unit/storage/test_rehearsal.py`.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ADDRESS, OWNER = "TEST_REHEARSALS", "TEST_REHEARSALS_OF"
_COMMAND = 4  # what stands before the arguments of a rehearsal: python -P -m module
_START_SECONDS = 120
_IDLE_SECONDS = 2


def rehearse_warm() -> None:
    """From now on rehearsals of this process, and of what it forks, are forks."""
    from ciclo.components.storage import rehearsal

    if sys.platform != "linux":
        return
    if OWNER not in os.environ:
        os.environ[ADDRESS] = str(Path(tempfile.mkdtemp(prefix="rehearsals-"), "socket"))
        os.environ[OWNER] = str(os.getpid())
    names = ("DEVNULL", "PIPE", "TimeoutExpired")
    seen = SimpleNamespace(Popen=_Forked, **{name: getattr(subprocess, name) for name in names})
    vars(rehearsal)["subprocess"] = seen


class _Forked:
    """What ``rehearse`` needs of a ``Popen``."""

    def __init__(self, args: Sequence[str], *, env: dict[str, str], **_: Any) -> None:
        self.args, self.returncode = args, -signal.SIGKILL
        self._output, theirs = os.pipe()
        self._server = _connect(env)
        try:
            socket.send_fds(self._server, [json.dumps([args[_COMMAND:], env]).encode()], [theirs])
        finally:
            os.close(theirs)
        self._told = self._server.makefile()
        self._pid = int(self._told.readline())

    def communicate(self, timeout: float | None = None) -> tuple[bytes, None]:
        deadline, found = time.monotonic() + (timeout or _START_SECONDS), b""
        while True:
            if not select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            part = os.read(self._output, 1 << 16)
            if not part:
                break
            found += part
        os.close(self._output)
        self.returncode = int(self._told.readline() or self.returncode)
        self._told.close()
        self._server.close()
        return found, None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)


def _connect(env: dict[str, str]) -> socket.socket:
    """A connection to what forks, which the first caller starts."""
    address, deadline = Path(os.environ[ADDRESS]), time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(address))
        except OSError:
            connection.close()
        else:
            return connection
        with suppress(FileExistsError):
            address.with_name("started").touch(exist_ok=False)
            command = [sys.executable, "-P", __file__, str(address), os.environ[OWNER]]
            null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
            os.posix_spawn(command[0], command, env, file_actions=null, setsid=True)
        time.sleep(0.02)
    raise TimeoutError("what the rehearsals are forked off did not start")


# What they are forked off.


def _serve(address: str, owner: int) -> None:
    """Fork a rehearsal for everybody who connects, until the owner is gone."""
    import skops.io  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{address}.new")
        server.listen(50)
        os.rename(f"{address}.new", address)
        server.settimeout(_IDLE_SECONDS)
        while Path(f"/proc/{owner}").exists():
            with suppress(TimeoutError):
                connection, _ = server.accept()
                if os.fork() == 0:
                    server.close()
                    _rehearse(connection)
                connection.close()
    shutil.rmtree(Path(address).parent)


def _rehearse(connection: socket.socket) -> None:
    """Fork once more, and tell how that one ended."""
    connection.settimeout(None)
    message, (output,), _, _ = socket.recv_fds(connection, 1 << 20, 1)
    (memory, cpu, *paths), env = json.loads(message)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        from ciclo.components.storage import rehearsal

        connection.close()
        os.dup2(output, 1)
        os.close(output)
        os.environ.clear()
        os.environ.update(env)
        code = 1
        try:
            rehearsal._main(int(memory), int(cpu), paths)
            code = 0
        finally:
            os._exit(code)
    os.close(output)
    connection.sendall(f"{pid}\n".encode())
    connection.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
