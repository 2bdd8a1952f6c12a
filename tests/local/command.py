"""The real `ciclo` command, as a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

QUICK = {"training": {"trials": 1}}
ONE = {"training": {"trials": 1, "candidates": {"linear": {"estimator": "logistic_regression"}}}}
"""In place of the training of `QUICK`, where it does not matter how many candidates there are."""


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
    return [sys.executable, "-P", "-m", "ciclo.pipelines.command.app", *map(str, arguments)]


def environment(home: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CICLO_")}
    return {**kept, "CICLO_HOME": str(home), "CICLO_DEPLOYER": "none", **variables}


def ciclo(home: Path, *arguments: object, **variables: str) -> Ran:
    """Run the command to its end."""
    done = subprocess.run(
        command(*arguments),
        env=environment(home, **variables),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, home)


def write_project(folder: Path, rows: str, columns: dict[str, Any], **sections: Any) -> Path:
    """A project over a CSV file with target `y`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.csv").write_text(rows)
    data = {"source": "table.csv", "target": "y", "columns": columns}
    path = folder / "project.yaml"
    path.write_text(yaml.safe_dump({"name": "unit", "data": data, **QUICK, **sections}))
    return path
