"""The real `ciclo` command, as a process of its own.

Most of a short command's time is its imports, and the tests run a hundred of them. So `ciclo` forks them off a process
that has imported the libraries (`multiprocessing`'s forkserver), and with `tests.local.warm` the runs that they start;
`command` gives what a shell would start.
"""

import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ciclo.pipelines.backends.warm import PRELOADED as RUN_PRELOADED
from tests.local.warm import start_runs_warm
from tests.rehearsals import rehearse_warm

THREE = ("logistic_regression", "decision_tree", "nearest_neighbours")
QUICK = {"training": {"trials": 1, "candidates": {name: {"estimator": name} for name in THREE}}}
ONE = {"training": {"trials": 1, "candidates": {"linear": {"estimator": "logistic_regression"}}}}
"""In place of the training of `QUICK`, where it does not matter how many candidates there are."""

COMMAND, WATCH = "ciclo.pipelines.command.app", "ciclo.components.monitoring.__main__"
LIMIT = 300.0
Found = TypeVar("Found")
PRELOADED = (
    *RUN_PRELOADED,
    "pytest",
    "ciclo.pipelines.training.pipeline",
    "ciclo.pipelines.command.app",
    "ciclo.pipelines.command.console",
    "ciclo.pipelines.command.tables",
    "ciclo.pipelines.backends.local",
    "ciclo.pipelines.backends.watch",
    "ciclo.pipelines.compile",
    "ciclo.components.drafting.inference",
    "ciclo.components.monitoring.tick",
    "ciclo.components.monitoring.telling.history_report",
    "ciclo.components.publishing.publish",
    "ciclo.components.deployment.deployer",
)


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: str
    err: str
    home: Path

    @property
    def summary(self) -> dict[str, Any]:
        """What the newest run wrote down."""
        return json.loads(max(self.home.glob("runs/*/summary.json")).read_text())

    @property
    def published(self) -> list[Path]:
        """The versions in the registry."""
        return sorted(self.home.glob("store/**/published/*"))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-P", "-m", COMMAND, *map(str, arguments)]


def environment(home: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CICLO_")}
    return {**kept, "CICLO_HOME": str(home), "CICLO_DEPLOYER": "none", **variables}


def ciclo(home: Path, *arguments: object, **variables: str) -> Ran:
    """Run the command to its end."""
    return _ran(COMMAND, home, arguments, variables)


def tick(home: Path, *arguments: object, **variables: str) -> Ran:
    """Run the entry of the watch to its end."""
    return _ran(WATCH, home, arguments, variables)


def forked(do: Callable[..., Found], *arguments: object) -> Found:
    """What a function finds in a process whose runs start warm."""
    forkserver.set_forkserver_preload(list(PRELOADED))
    method = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(1, mp_context=method, initializer=start_runs_warm) as process:
        return process.submit(do, *arguments).result(LIMIT)


def _ran(module: str, home: Path, arguments: Sequence[object], variables: dict[str, str]) -> Ran:
    words, env = [str(word) for word in arguments], environment(home, **variables)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        if sys.platform == "linux":
            forkserver.set_forkserver_preload(list(PRELOADED))
            process = multiprocessing.get_context("forkserver").Process(
                target=_main, args=(module, words, env, out, err)
            )
            process.start()
            process.join(LIMIT)
            if process.is_alive():
                process.kill()
                raise TimeoutError(f"{module} {' '.join(words)}: {out.read_text()}{err.read_text()}")
            code = process.exitcode
        else:
            with out.open("w") as said, err.open("w") as complained:
                code = subprocess.run(
                    [sys.executable, "-P", "-m", module, *words],
                    env=env,
                    stdout=said,
                    stderr=complained,
                    timeout=LIMIT,
                    check=False,
                ).returncode
        return Ran(code, out.read_text(), err.read_text(), home)


def _main(module: str, words: list[str], env: dict[str, str], out: Path, err: Path) -> None:
    """What the interpreter does for `-m module`, in a fork."""
    os.environ.clear()
    os.environ.update(env)
    for number, path in ((1, out), (2, err)):
        with path.open("w") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    sys.argv = [module, *words]
    start_runs_warm()
    rehearse_warm()
    try:
        sys.exit(importlib.import_module(module).main())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def write_project(folder: Path, rows: str, columns: dict[str, Any], **sections: Any) -> Path:
    """A project over a CSV file with target `y`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.csv").write_text(rows)
    data = {"source": "table.csv", "target": "y", "columns": columns}
    path = folder / "project.yaml"
    path.write_text(yaml.safe_dump({"name": "unit", "data": data, **QUICK, **sections}))
    return path
