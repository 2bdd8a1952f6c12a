"""Real runs of the `ciclo` command, shared between tests."""

from collections.abc import Iterator

import pytest
import yaml

from tests.kfp_backend import KfpBackend, kfp_backend
from tests.local.command import QUICK, Ran, ciclo
from tests.tables import table


@pytest.fixture
def backend() -> Iterator[KfpBackend]:
    """What answers like the KFP API."""
    with kfp_backend() as running:
        yield running


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """`ciclo init` on a file, then `ciclo run` with the real model server; stopped at the end."""
    folder = tmp_path_factory.mktemp("first")
    table(2_000, signal=3.0).to_csv(folder / "table.csv", index=False)
    project = folder / "project.yaml"
    home = folder / "home"
    assert ciclo(home, "init", folder / "table.csv", "--target", "y", "-o", project).code == 0
    project.write_text(yaml.safe_dump({**yaml.safe_load(project.read_text()), **QUICK}))
    try:
        yield ciclo(home, "run", project, CICLO_DEPLOYER="process")
    finally:
        ciclo(home, "stop", project, CICLO_DEPLOYER="process")


@pytest.fixture(scope="session")
def second_run(first_run: Ran) -> Ran:
    """The same data again."""
    return ciclo(first_run.home, "run", first_run.home.parent / "project.yaml")
