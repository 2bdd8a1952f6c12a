"""Child processes that fit: how one is started, and what is said of one that died."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any


def context_for(work: Callable[..., None]) -> Any:
    """How a child is started: a fork of this process where no thread could hold a lock, else of a fresh one."""
    tasks = Path("/proc/self/task")
    if tasks.is_dir() and len(list(tasks.iterdir())) == 1:
        return multiprocessing.get_context("fork")
    forkserver.set_forkserver_preload([work.__module__])
    try:
        forkserver.ensure_running()
    except OSError:  # the address of its socket lies in the temporary folder and may be too long
        return multiprocessing.get_context("spawn")
    return multiprocessing.get_context("forkserver")


def death(code: int | None) -> str:
    """How a process ended that did not say so itself."""
    if code == -signal.SIGKILL:
        return "its process was killed, most likely for want of memory; give the task more, or lower the rows"
    return f"its process ended with code {code}" if code is None or code >= 0 else f"its process died of signal {-code}"
