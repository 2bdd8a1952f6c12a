"""How the processes that fit are started: a fork costs nothing, and a fresh one imports for seconds."""

import multiprocessing
import sys
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ciclo.components.training import refit as refitting
from ciclo.components.training import search as searching
from ciclo.components.training.children import context_for
from tests.tables import dataset, project
from tests.unit.training.test_refit import Case, rows
from tests.unit.training.test_refit import project as in_time


class _Started(BaseException):
    pass


def _tell_how(connection: Connection, do: Callable[[], object]) -> None:
    """Do what starts a child, in a process of one thread, and tell how it would be started."""

    @contextmanager
    def started(work, _):
        connection.send(context_for(work).get_start_method())
        raise _Started
        yield

    searching.at_work = refitting.at_work = started
    try:
        do()
    except _Started:
        connection.close()


def _search(folder: Path) -> Callable[[], object]:
    parsed = project(training={"candidates": {"it": {"estimator": "logistic_regression"}}})
    return partial(searching.fit, parsed, "it", dataset(folder / "rows"), folder / "model")


def _refit(folder: Path) -> Callable[[], object]:
    case = Case(folder, in_time(), rows(count=600))
    return partial(refitting.refit, case.project, case.facts, case.files)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is forked")
@pytest.mark.parametrize("case", [_search, _refit])
def test_what_a_stage_reads_before_it_starts_a_child_leaves_it_a_process_that_can_be_forked(tmp_path, case):
    ours, theirs = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([searching.__name__, refitting.__name__, "skops.io"])
    process = context.Process(target=_tell_how, args=(theirs, case(tmp_path)))
    process.start()
    theirs.close()
    assert ours.recv() == "fork"
    process.join()
