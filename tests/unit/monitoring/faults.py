"""Where a tick can be hurt: at the edge to the object store and to whatever runs the pipeline."""

import os
import signal
import sys
import threading
import traceback
import uuid

from ciclo.components.core.errors import StorageError, SubmissionError
from ciclo.components.monitoring.tick import tick
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.predictions import PredictionStore
from ciclo.components.storage.store import open_store

CHANGES = {"put", "put_if_absent", "swap", "delete"}


class Edge:
    """Counts the calls that pass, and does harm at one of them.

    Args:
        inner: What is called.
        harm: Called with the number of the call and its side, before and after it.
        names: The calls that count.
    """

    def __init__(self, inner, harm, names):
        self._inner = inner
        self._harm = harm
        self._names = names

    def __getattr__(self, name):
        method = getattr(self._inner, name)
        if name not in self._names:
            return method

        def call(*arguments, **options):
            self._harm("before", name)
            answer = method(*arguments, **options)
            self._harm("after", name)
            return answer

        return call


class Kill:
    """Kills this process at one call, before or after it is done."""

    def __init__(self, at, side):
        self.left = at
        self.side = side

    def __call__(self, side, name):
        if side == self.side:
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1


def healthy(side, name):
    """Do no harm."""


def outage(kind):
    """Everything of that kind is down."""

    def harm(side, name):
        if kind == "kfp" and name in ("find", "submit"):
            raise SubmissionError("nobody answers")
        if kind == "store" and name in CHANGES:
            raise StorageError("the object store is down")

    return harm


class RunsInAFolder:
    """A backend that runs whatever it is told, and knows no names: two submissions are two runs."""

    def __init__(self, folder):
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def is_down(self):
        return False

    def serve(self, name, window_end):
        return "", False

    def find(self, name):
        return next((path.name for path in sorted(self._folder.glob(f"{name}.*"))), None)

    def submit(self, name, window_start, window_end, trigger, description, *, restore=0):
        path = self._folder / f"{name}.{uuid.uuid4().hex}"
        path.write_text(description)
        return path.name

    def state(self, run_id):
        return "running"

    @property
    def all(self):
        return list(self._folder.iterdir())


def hurt_tick(world, now, harm=healthy):
    """A tick of the world with connections of its own, as another process has them."""
    settings = world.settings
    return tick(
        world.project,
        registry=open_registry(world.project.name, settings),
        predictions=PredictionStore(settings.predictions_uri),
        store=Edge(open_store(settings.store_uri, settings), harm, CHANGES),
        clock=lambda: now,
        submit=Edge(RunsInAFolder(settings.home / "submitted"), harm, {"find", "submit"}),
    )


def in_a_process(action):
    """Run something in a process of its own; the signal it died of, or 0.

    Raises:
        AssertionError: If it ended badly by itself.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "see the traceback"
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def together(action, times):
    """Run an action in many threads at once, and give back what it raised."""
    barrier, errors = threading.Barrier(times), []

    def run():
        barrier.wait()
        try:
            action()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
