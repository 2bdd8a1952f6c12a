"""Start the tasks of a local run from a process that has the libraries imported already.

``kfp.local`` starts a Python for every task, and most of a small task's time is its imports. Here they are done once:
``multiprocessing``'s forkserver imports them, and every task is a fork of it that runs kfp's own executor. A task is a
process of its own as before, in the same process group, with its output in the same log; a pod on a cluster runs one
task and starts as ever.
"""

import multiprocessing
import os
import sys
import tempfile
import threading
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from kfp.dsl.component_factory import EXECUTOR_MODULE
from kfp.local import subprocess_task_handler

PRELOADED = (
    EXECUTOR_MODULE,
    "ciclo.components.core.project_file",
    "ciclo.components.ingestion.ingest",
    "ciclo.components.cleaning.clean",
    "ciclo.components.validation.report",
    "ciclo.components.training.search",
    "ciclo.components.training.refit",
    "ciclo.components.evaluation.gate",
    "ciclo.components.publishing.publish",
    "ciclo.components.deployment.deployer",
    "ibis.backends.duckdb",
    "matplotlib.figure",
    "model_signing",
    "skops.io",  # and with it every estimator there is
)
_CODE = 3  # the place of the component's code in what kfp runs: sh -c SCRIPT CODE ARGUMENTS

_ONE_AT_A_TIME = threading.Lock()

_start_cold = subprocess_task_handler.run_local_subprocess


def start_warm() -> None:
    """Have every task of this process's ``kfp.local`` runs start warm, where a process can be forked safely.

    kfp has no seam for that, so the one function of its subprocess runner that starts a process is replaced.
    """
    if sys.platform != "linux":
        return
    forkserver.set_forkserver_preload(list(PRELOADED))
    try:
        forkserver.ensure_running()  # it imports while this process goes on
    except OSError:  # the address of its socket lies in the temporary folder and may be too long
        return
    subprocess_task_handler.run_local_subprocess = _start


def _start(full_command: list[str], env_vars: dict[str, str] | None = None) -> int:
    """As ``run_local_subprocess`` of kfp: run a task and give its exit code."""
    if len(full_command) <= _CODE or EXECUTOR_MODULE not in full_command[_CODE - 1]:
        return int(_start_cold(full_command, env_vars))
    code, *arguments = full_command[_CODE:]
    task = multiprocessing.get_context("forkserver").Process(target=_execute, args=(code, arguments, env_vars or {}))
    return exit_code_of(task)


def exit_code_of(task: BaseProcess) -> int:
    """Run a process of this one to its end, and give its exit code.

    Candidates run in threads beside each other, and to start a process ``multiprocessing`` asks all others whether they
    have ended. An exit code can be read once: of two threads that read it, one would get 255.
    """
    with _ONE_AT_A_TIME:
        task.start()
    wait([task.sentinel])  # which reads nothing
    with _ONE_AT_A_TIME:
        task.join()
        return int(task.exitcode or 0)


def _execute(code: str, arguments: list[str], env_vars: dict[str, str]) -> None:
    """What kfp's command does: write the component's code to a file and run kfp's executor on it."""
    from kfp.dsl.executor_main import executor_main

    os.environ.update(env_vars, _KFP_RUNTIME="true")
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder, "ephemeral_component.py")
        module.write_text(code, encoding="utf-8")
        sys.argv = [EXECUTOR_MODULE, "--component_module_path", str(module), *arguments]
        executor_main()
