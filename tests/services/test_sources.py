"""A bucket of a real MinIO and a query of a real PostgreSQL as sources, with what every place promises."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from pydantic import SecretStr

from ciclo.components.core.errors import DataError
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.settings import Settings
from ciclo.components.ingestion.ingest import ingest
from tests.unit.sources.places import TABLE, FolderPromises, read
from tests.unit.sources.test_places import Bucket


class Database:
    """Tables of a PostgreSQL, each asked for by a query."""

    def __init__(self, uri: str, settings: Settings) -> None:
        self.uri = uri.replace("+psycopg", "")
        parts = urlsplit(self.uri)
        self.address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self.settings = settings.model_copy(
            update={"source_user": parts.username or "", "source_password": SecretStr(parts.password or "")}
        )
        with psycopg.connect(self.uri) as connection:
            connection.execute("CREATE TABLE readings (at timestamptz, n double precision, word text)")
            connection.execute("CREATE SEQUENCE counted")

    def put(self, name: str, data: bytes) -> str:
        del name
        with psycopg.connect(self.uri) as connection:
            connection.execute("TRUNCATE readings")
            if data:
                with connection.cursor().copy("COPY readings FROM STDIN WITH (FORMAT csv, HEADER)") as copy:
                    copy.write(data)
        return self.address


@pytest.fixture
def database(uri: str, given: Settings) -> Database:
    return Database(uri, given)


QUERY = "SELECT at, n, word FROM readings;"


def test_a_query_is_a_table(database: Database, tmp_path: Path) -> None:
    database.put("", TABLE.encode())
    found = read(database, database.address, tmp_path / "a", query=QUERY)
    assert found.source.rows == len(found.rows) == 20
    assert found.rows[0]["n"] == "1.5"
    again = read(database, database.address, tmp_path / "b", query=QUERY)
    assert again.source.digest == found.source.digest


def test_the_database_leaves_out_what_lies_outside_the_window(database: Database, tmp_path: Path) -> None:
    database.put("", (TABLE + ",99.5,timeless\n").encode())
    start, end = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 8, tzinfo=UTC)
    window = {"time_column": "at", "start": start, "end": end}
    found = read(database, database.address, tmp_path / "a", query=QUERY, **window)
    assert {row["word"] for row in found.rows} == {"w5", "w6", "w7", "timeless"}


def test_a_window_of_times_that_are_written_otherwise_is_not_asked_of_the_database(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.put("", TABLE.encode())
    monkeypatch.setenv("CICLO_SOURCE_USER", database.settings.source_user)
    monkeypatch.setenv("CICLO_SOURCE_PASSWORD", database.settings.source_password.get_secret_value())
    columns = {"at": {"type": "timestamp", "dates": "31-Dec-2026"}, "n": {"type": "number"}}
    columns |= {"word": {"type": "category"}}
    query = "SELECT to_char(at, 'DD-MON-YYYY HH24:MI') AS at, n, word FROM readings"
    data = {"source": database.address, "query": query, "target": "n", "time_column": "at", "columns": columns}
    project = project_from_mapping({"name": "unit", "data": data}, origin="test")
    assert ingest(project, tmp_path / "raw", "2026-01-05", "2026-01-08").rows == 3


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("SELECT * FROM nothing", "nothing"),
        ("DELETE FROM readings RETURNING *", "syntax error"),
        ("WITH gone AS (DELETE FROM readings RETURNING *) SELECT * FROM gone", "top level"),
        ("SELECT setval('counted', 7)", "read-only transaction"),
        ("SELECT 1; DROP TABLE readings", "syntax error|cannot insert multiple commands"),
        ("SELECT 1) AS x) TO STDOUT; DROP TABLE readings; --", "syntax error|multiple commands|read-only"),
        ("SELECT at FROM readings, pg_sleep(9)", "timeout|longer than 1 s"),
        ("SELECT at FROM readings WHERE false", "no rows"),
    ],
)
def test_a_query_that_is_none_or_writes_is_refused_and_nothing_is_lost(
    database: Database, tmp_path: Path, query: str, word: str
) -> None:
    database.put("", TABLE.encode())
    database.settings = database.settings.model_copy(update={"source_seconds": 1.0})
    with pytest.raises(DataError, match=word):
        read(database, database.address, tmp_path / "a", query=query)
    with psycopg.connect(database.uri) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM readings").fetchone() or (None,)
    assert rows == 20


def test_a_wrong_password_is_said_and_not_shown(database: Database, tmp_path: Path) -> None:
    database.settings = database.settings.model_copy(update={"source_password": SecretStr("canary-7")})
    parts = urlsplit(database.address)
    closed = urlunsplit(parts._replace(netloc="127.0.0.1:1"))
    with pytest.raises(DataError, match="cannot be answered") as caught:
        read(database, closed, tmp_path / "a", query=QUERY)
    assert "canary-7" not in str(caught.value)


class TestBucketOfMinio(FolderPromises):
    @pytest.fixture
    def shelf(self, s3_settings: Settings) -> Bucket:
        return Bucket(s3_settings)
