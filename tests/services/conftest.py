"""The real servers that the settings name: an S3 endpoint and a PostgreSQL. Without them this tier fails.

Every test has a bucket or a database of its own, which is removed after it.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from minio.deleteobjects import DeleteObject
from psycopg import sql

from ciclo.components.core.settings import Settings
from ciclo.components.storage.s3 import s3_client


@pytest.fixture(scope="session")
def given() -> Settings:
    """The settings of this process."""
    settings = Settings()
    missing = [
        name
        for name, there in (
            ("CICLO_S3_ENDPOINT", settings.s3_endpoint),
            ("CICLO_PREDICTIONS=postgresql+psycopg://...", settings.predictions_uri.startswith("postgresql")),
        )
        if not there
    ]
    if missing:
        pytest.fail(f"this tier needs real servers; set {' and '.join(missing)} (see CONTRIBUTING.md)")
    return settings


@pytest.fixture
def s3_settings(given: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a process whose store is a new bucket."""
    client, bucket = s3_client(given), f"ciclo-test-{uuid.uuid4().hex}"
    client.make_bucket(bucket)
    yield given.model_copy(update={"home": tmp_path / "home", "store": f"s3://{bucket}/ciclo"})
    found = client.list_objects(bucket, recursive=True, include_version=True)
    left = client.remove_objects(bucket, (DeleteObject(o.object_name, o.version_id) for o in found))
    assert list(left) == []
    client.remove_bucket(bucket)


@pytest.fixture
def uri(given: Settings) -> Iterator[str]:
    """Address of a new, empty database."""
    server, name = sa.make_url(given.predictions_uri), f"ciclo_test_{uuid.uuid4().hex}"
    admin = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield server.set(database=name).render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
