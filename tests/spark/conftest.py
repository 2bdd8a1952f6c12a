"""The tier of Spark: the expressions of the product, worked out by DuckDB and by a Spark on this machine."""

from collections.abc import Iterator
from typing import Any

import pytest

from ciclo.components.tables import datasets
from tests.spark import engine


def pytest_configure(config: pytest.Config) -> None:
    """What this tier warns of is Spark's own: of pandas 3, and of sockets."""
    config.addinivalue_line("filterwarnings", "ignore")


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    backend = engine.connect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "_query", engine.query)
        patch.setattr(datasets, "_create", engine.create)
        yield backend
    backend.disconnect()
