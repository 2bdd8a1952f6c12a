"""Child processes that fit: how one is started, listened to and ended, and how it tells what it does.

An estimator that is busy in compiled code listens to nobody, and only a process can be ended. A child tells what it
does in lines of JSON, so that nothing that has ended is lost when it is.
"""

import dataclasses
import json
import multiprocessing
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.exceptions import ConvergenceWarning

from ciclo.components.core.errors import CicloError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

START_SECONDS = 120  # for a process on a busy machine
UNFIT = (CicloError, ValueError, MemoryError, ArithmeticError)  # the faults of a candidate; all others are ours
Tell = Callable[[str, Any], None]
Work = Callable[[Connection, str], None]


@dataclass(frozen=True)
class Child:
    """A process at work.

    Attributes:
        events: What it tells.
        process: The process.
    """

    events: Connection
    process: Any

    def next_event(self, by: float) -> tuple[str, Any] | None:
        """What it tells next: an event and what belongs to it; that it ``failed``, if it died without a word.

        Args:
            by: When waiting ends, on the monotonic clock.

        Returns:
            None where it has told nothing by then.
        """
        if not self.events.poll(max(0.0, by - time.monotonic())):
            return None
        try:
            event, facts = json.loads(self.events.recv_bytes())
        except EOFError:
            self.process.join()
            return "failed", {"reason": death(self.process.exitcode)}
        return event, facts


@contextmanager
def at_work(work: Work, job: "DataclassInstance") -> Iterator[Child]:
    """Start a process that does a job, and end it whatever it is busy with.

    Args:
        work: What it runs: a function at the top of a module that ``report``s.
        job: Of JSON values.
    """
    context = context_for(work)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(theirs, json.dumps(dataclasses.asdict(job))))
    process.start()
    theirs.close()
    try:
        yield Child(ours, process)
    finally:
        process.kill()
        process.join()
        ours.close()


def report(connection: Connection, do: Callable[[Tell], Mapping[str, Any]]) -> None:
    """Do a job and tell what comes of it: ``ready`` first, and ``done``, ``failed`` or ``crashed`` at the end.

    Args:
        connection: Takes ``[event, facts]`` as JSON.
        do: Takes what tells more events, and gives the facts of ``done``.
    """
    warnings.simplefilter("ignore", ConvergenceWarning)  # a trial that has not converged is judged by its score

    def tell(event: str, facts: Any) -> None:
        connection.send_bytes(json.dumps([event, facts]).encode())

    tell("ready", {})
    try:
        tell("done", do(tell))
    except UNFIT as error:
        tell("failed", {"reason": " ".join(str(error).split())[:500] or type(error).__name__})
    except Exception as error:  # a fault of ours; its traceback belongs into the log of the task
        traceback.print_exc(file=sys.stderr)
        tell("crashed", {"reason": f"{type(error).__name__}: {error}"})


def context_for(work: Callable[..., None]) -> Any:
    """How a child is started: a fork of this process where no thread could hold a lock, else of a fresh one."""
    tasks = Path("/proc/self/task")
    if tasks.is_dir() and len(list(tasks.iterdir())) == 1:
        return multiprocessing.get_context("fork")
    forkserver.set_forkserver_preload([work.__module__, "skops.io"])  # the second writes models, and imports for long
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
