"""A run that has ended is over at once, and one that is stopped takes with it what it started."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ciclo.pipelines.backends import process_group
from ciclo.pipelines.backends.process_group import alive, end

LIVES = "import signal; signal.signal(2, signal.default_int_handler); print(flush=True); input()"
STUBBORN = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print(flush=True); input()"
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process in a group of its own, or in another one's, and returns when it can be asked to end."""

    def started(code: str, group: int = 0) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", code],
            process_group=group,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        processes.enter_context(process)
        assert process.stdout
        process.stdout.readline()
        return process

    with ExitStack() as processes:
        yield started


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells")
def test_a_process_that_ended_and_that_nobody_asked_for_is_not_alive(start: Start) -> None:
    leader = start(LIVES)
    forgotten = start("print(flush=True)", leader.pid)
    assert alive(leader)
    leader.communicate(b"\n")
    while alive(leader):
        pass
    assert forgotten.returncode is None  # it stood in the group all the time


def test_what_is_left_of_a_run_that_ended_well_is_not_waited_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_group, "_GRACE_SECONDS", 1e9)
    leader = start(LIVES)
    left = start(STUBBORN, leader.pid)
    leader.communicate(b"\n")
    end(leader)
    assert left.wait() == -9


@pytest.mark.parametrize(("code", "ends"), [(LIVES, -2), (STUBBORN, -9)])
def test_a_group_that_is_stopped_is_asked_first(
    start: Start, monkeypatch: pytest.MonkeyPatch, code: str, ends: int
) -> None:
    monkeypatch.setattr(process_group, "_GRACE_SECONDS", 0.3)
    leader = start(code)
    end(leader)
    assert leader.wait() == ends
