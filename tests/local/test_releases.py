"""The life of a version, lived by the real command: what a person has to decide on waits, and no run ends dead."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.depth import thorough
from tests.local.command import ONE, Ran, ciclo, write_project
from tests.tables import COLUMNS, table

COLUMNS_AND_TARGET = {**COLUMNS, "y": {"type": "boolean"}}


class Team:
    """The people of one project, with the real model server."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = write_project(
            folder,
            table(2_400, signal=3.0).to_csv(index=False),
            COLUMNS_AND_TARGET,
            **ONE,
            deployment={"approval": True},
        )

    def do(self, *arguments: object, code: int = 0) -> Ran:
        done = ciclo(self.home, *arguments, CICLO_DEPLOYER="process")
        assert done.code == code, done.out + done.err
        return done

    def change(self, **sections: Any) -> None:
        self.project.write_text(yaml.safe_dump({**yaml.safe_load(self.project.read_text()), **sections}))

    @property
    def status(self) -> dict[str, str]:
        """The lines of `ciclo status` by their first word."""
        lines = self.do("status", self.project).out.splitlines()
        return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    people = Team(tmp_path)
    try:
        yield people
    finally:
        people.do("stop", people.project)


@thorough
def test_a_version_waits_for_people_and_every_run_goes_on(team: Team) -> None:
    first = team.do("run", team.project)
    assert first.summary["outcome"] == "waiting"
    assert "ciclo models approve unit 1 --by WHO" in first.summary["reason"]
    assert "waits for a person" in first.out
    status = team.status
    assert status["champion"] == "none yet"
    assert status["waiting"] == "version 1; to see it: ciclo models show unit 1"
    assert "ciclo models approve unit 1 --by WHO" in " ".join(status.values())
    assert "no champion" in team.do("deploy", team.project, code=1).err

    team.do("models", "approve", team.project, 1, "--by", "ann")
    status = team.status
    assert status["serving"] == "none yet"
    assert "does not serve yet" in " ".join(status.values())
    second = team.do("run", team.project)
    assert second.summary["outcome"] == "kept"
    assert second.summary["endpoint"]
    assert team.status["serving"].startswith("version 1,")

    team.change(deployment={}, cleaning={"split": {"test": 0.3}})
    third = team.do("run", team.project)
    assert (third.summary["outcome"], third.summary["version"]) == ("waiting", 2)
    assert "trained under another split" in third.summary["reason"]
    assert "--override" in third.summary["reason"]
    assert team.status["serving"].startswith("version 1,")
    assert "'candidate'" in team.do("models", "promote", team.project, 2, code=1).err
    team.do("models", "promote", team.project, 2, "--override", "the split is meant", "--by", "ann")

    (contract,) = team.home.glob("store/projects/unit/versions/2/contract.json")
    contract.write_bytes(contract.read_bytes() + b" ")
    fourth = team.do("run", team.project)
    assert (fourth.summary["outcome"], fourth.summary["version"]) == ("waiting", 3)
    assert "cannot be read" in fourth.summary["reason"]
    assert "contract.json" in fourth.summary["reason"]
    status = team.status
    assert status["champion"].startswith("version 2,")
    assert status["serving"].startswith("version 1,")
    team.do("models", "list", team.project)
    team.do("models", "prune", team.project, "--keep", 1)
    assert "ok" in team.do("watch", team.project).out
    team.do("models", "promote", team.project, 3, "--override", "2 was altered", "--by", "ann")
    team.do("deploy", team.project)
    status = team.status
    assert status["serving"].startswith("version 3,")
    assert "waiting" not in status
