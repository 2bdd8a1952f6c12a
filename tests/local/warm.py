"""Runs of the tests start warm: what `ciclo run` would start as two fresh interpreters is forked off its own.

A run is a process that imports kfp, and its tasks are forked off another that imports everything else; both are ready
already in the process that the tests fork `ciclo` off. What runs in them is the same, with the streams, environment,
session and process group that they would have had. Runs whose process is to be killed are started cold, by `command`.
"""

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path
from typing import Any

_RUN = "ciclo.pipelines.backends.local"
_spawned = util.spawnv_passfds


def start_runs_warm() -> None:
    """From now on this process forks what it would start anew."""
    from ciclo.pipelines.backends import local

    local.subprocess.Popen = _Forked  # type: ignore[misc]


class _Forked(subprocess.Popen[Any]):
    """A run as a fork of this process; anything else as ever."""

    def _execute_child(self, args: Any, *more: Any) -> None:
        if not (isinstance(args, list) and _RUN in args and _alone()):
            super()._execute_child(args, *more)  # type: ignore[misc]
            return
        env, streams, new_session = more[5], more[9:15], more[20]
        self.pid = _forked(lambda: _run(Path(args[-1]), env, streams, new_session))
        self._child_created = True
        self._close_pipe_fds(*streams)  # type: ignore[attr-defined]


def _run(folder: Path, env: dict[str, str], streams: tuple[int, ...], new_session: bool) -> None:
    from ciclo.components.core.settings import settings
    from ciclo.pipelines.backends import local

    if new_session:
        os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, stream in enumerate((streams[0], streams[3], streams[5])):
        os.dup2(nothing if stream == -1 else stream, number)
    os.environ.clear()
    os.environ.update(env)
    settings.cache_clear()
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, closefd=False) for number in (1, 2))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    util.spawnv_passfds = _served  # type: ignore[assignment]
    local._main(folder)


def _served(path: Any, args: Sequence[Any], fds: Sequence[int]) -> int:
    """As ``spawnv_passfds``, but that a fork server is a fork."""
    code = args[-1]
    if "multiprocessing.forkserver" not in code or not _alone():
        return _spawned(path, args, fds)
    keep = {0, 1, 2, *fds, resource_tracker._resource_tracker._fd}  # type: ignore[attr-defined]

    def serve() -> None:
        forkserver._forkserver._lock = threading.Lock()  # type: ignore[attr-defined]  # held while a server is started
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in map(int, os.listdir("/proc/self/fd")):
            # Not closed: what owned it in the process above closes it once more when it is collected here.
            if number not in {*keep, nothing}:
                os.dup2(nothing, number, inheritable=False)
        exec(code, {})

    return _forked(serve)


def _forked(do: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        do()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _alone() -> bool:
    """Whether no thread of this process could hold a lock."""
    return len(os.listdir("/proc/self/task")) == 1
