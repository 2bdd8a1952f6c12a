"""Tasks that end while others start: each has the exit code of its own process."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

from ciclo.pipelines.backends.warm import exit_code_of
from tests.depth import rounds


def test_tasks_that_end_while_others_start_have_their_own_exit_codes() -> None:
    context = multiprocessing.get_context("forkserver")
    wanted = [number % 3 for number in range(rounds(60, 300))]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda code: exit_code_of(context.Process(target=os._exit, args=(code,))), wanted))
    assert found == wanted
