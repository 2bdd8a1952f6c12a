"""A process and what it started, ended together: whoever leads the group of processes is asked first."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 10
_GONE = ("Z", "X")  # it has ended, and nobody has asked how


def end(leader: "subprocess.Popen[bytes]") -> None:
    """Stop a process and what is left of its group: ask first, then insist.

    Of a leader that ended well, what is left has nothing to finish.
    """
    numbers = (signal.SIGKILL,) if leader.poll() == 0 else (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    for number in numbers:
        if not alive(leader):
            return
        with suppress(ProcessLookupError):
            os.killpg(leader.pid, number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while alive(leader) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


def alive(leader: "subprocess.Popen[bytes]") -> bool:
    """Whether a process of the group runs.

    One that has ended stays in the group until its parent asks for it, which the first process of a container may never
    do: it does not count where the system tells.
    """
    if leader.poll() is None:
        return True
    try:
        os.killpg(leader.pid, 0)
    except ProcessLookupError:
        return False
    states = [state for state, group in map(_state_and_group, Path("/proc").glob("[0-9]*/stat")) if group == leader.pid]
    return not states or any(state not in _GONE for state in states)


def _state_and_group(stat: Path) -> tuple[str, int]:
    """State and group of a process (proc_pid_stat(5)); its name, in parentheses, may hold anything."""
    try:
        state, _, group, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return "X", 0
    return state, int(group)
