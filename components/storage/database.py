"""The database of the prediction store: how it is reached, its tables, and how they become those of this release.

One schema for SQLite (a laptop, with a write-ahead log) and PostgreSQL (a cluster). The revisions are Alembic's, in
``migrations/versions``; a new one is a module that follows the last.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ciclo.components.core.errors import RefusedError, SettingsError, StorageError

WAIT_SECONDS = 10
VERSIONS = "ciclo_predictions_revision"
_ONE_AT_A_TIME = threading.Lock()  # Alembic's ``op`` stands for one database at a time in the whole process

metadata = sa.MetaData()
requests = sa.Table(
    "requests",
    metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("request_id", sa.String(128), primary_key=True),
    sa.Column("prediction_id", sa.String(128), nullable=False),
    sa.Column("digest", sa.String(64)),
)
predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("prediction_id", sa.String(128)),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("row", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("time", sa.DateTime, nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    sa.Column("prediction", sa.Text, nullable=False),
    sa.Column("probability", sa.Double),
    sa.Column("probabilities", sa.JSON(none_as_null=True)),
    sa.Index("predictions_key", "project", sa.text("coalesce(prediction_id, request_id)"), "row", unique=True),
    sa.Index("predictions_by_time", "project", "time"),
    sa.Index("predictions_by_request", "project", "request_id"),
)
# The key of a request: ours, or the client's id where a release before this one wrote it.
key = sa.func.coalesce(predictions.c.prediction_id, predictions.c.request_id)
labels = sa.Table(
    "labels",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("row", sa.Integer, nullable=False),
    sa.Column("time", sa.DateTime, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.UniqueConstraint("project", "request_id", "row", "time", "value"),
)


class Database:
    """The database of the prediction store.

    It is first touched when it is first used, so a server can start while it is down.

    Args:
        uri: SQLAlchemy address, ``sqlite:///path`` or ``postgresql://user:password@host/database``.
        wait: Seconds to wait for a connection or a lock.
    """

    def __init__(self, uri: str, wait: float = WAIT_SECONDS) -> None:
        self._engine = open_engine(uri, wait)
        self._ready = False

    def close(self) -> None:
        """Let go of the connections; the next use opens new ones."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            if not self._ready:
                bring_up_to_date(self._engine)
                self._ready = True
            with self._engine.begin() as connection:
                yield connection
        except (sa.exc.SQLAlchemyError, OSError, ValueError, TypeError, OverflowError) as error:
            cause = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
            address = self._engine.url.render_as_string(hide_password=True)
            if _is_final(error):
                raise RefusedError(f"the prediction store {address} refuses the rows", seen=cause) from error
            raise StorageError(
                f"the prediction store {address} does not answer",
                seen=cause,
                hint="Check CICLO_PREDICTIONS and that the database is up.",
            ) from error


def open_engine(uri: str, wait: float = WAIT_SECONDS) -> sa.Engine:
    """An engine for an address; nothing is connected yet.

    Args:
        uri: ``sqlite:///path`` or ``postgresql://user:password@host/database``.
        wait: Seconds to wait for a connection or a lock; a statement may take six times as long.

    Raises:
        SettingsError: If it is neither.
    """
    try:
        url = sa.make_url(uri)
    except sa.exc.ArgumentError as error:
        raise SettingsError("CICLO_PREDICTIONS is not a database address", hint="Use sqlite:///path.") from error
    match url.get_backend_name():
        case "sqlite":
            engine = sa.create_engine(url, connect_args={"timeout": wait})
            sa.event.listen(engine, "connect", lambda connection, _: write_ahead(connection, wait))
            return engine
        case "postgresql":
            milliseconds = int(wait * 1000)
            # A window's rows lie side by side, in order of time, which the planner does not know of an index's second
            # column; it would read the whole table instead. Compiling such queries takes longer than they do.
            planner = "-c random_page_cost=1.1 -c jit=off"
            return sa.create_engine(
                url.set(drivername="postgresql+psycopg"),
                connect_args={
                    "connect_timeout": max(int(wait), 2),
                    "options": f"-c statement_timeout={6 * milliseconds} -c lock_timeout={milliseconds} {planner}",
                },
                pool_pre_ping=True,
                pool_timeout=wait,
            )
        case other:
            raise SettingsError("CICLO_PREDICTIONS has to be SQLite or PostgreSQL", seen=other)


def write_ahead(connection: Any, wait: float) -> None:
    """Give a SQLite file its write-ahead log; SQLite does not wait by itself while others turn to it.

    Raises:
        sqlite3.OperationalError: If others hold the file all the time.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def bring_up_to_date(engine: sa.Engine) -> None:
    """Make the tables, or bring those of an earlier release to this one's, without losing a row.

    It is one transaction behind a lock, so any number of processes may try at once.

    Raises:
        StorageError: If the database is of a newer release.
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError

    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    with _ONE_AT_A_TIME, engine.begin() as connection:
        _lock(connection)
        context = MigrationContext.configure(connection, opts={"version_table": VERSIONS})
        current = context.get_current_revision()
        try:
            missing = list(scripts.iterate_revisions("head", current or "base"))
        except (CommandError, RevisionError):
            raise StorageError(
                f"the prediction store {engine.url.render_as_string(hide_password=True)} was made by a newer Ciclo",
                seen=f"its schema is {current}, the newest known here is {scripts.get_current_head()}",
                hint="Update this Ciclo, or point CICLO_PREDICTIONS to another database.",
            ) from None
        with Operations.context(context):
            for script in reversed(missing):
                script.module.upgrade()
        if missing:
            context.stamp(scripts, "head")


def _lock(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('ciclo predictions'))"))
    connection.execute(sa.text("SET LOCAL statement_timeout = 0"))  # a large table takes its time to copy


def _is_final(error: Exception) -> bool:
    """Whether it is the rows that cannot be stored, now or ever, and not the database that is not up to it now."""
    if isinstance(error, sa.exc.DataError | sa.exc.IntegrityError):
        return True
    if isinstance(error, sa.exc.DBAPIError):
        return False
    cause = getattr(error, "orig", None) or error
    return isinstance(cause, ValueError | TypeError | OverflowError)


def as_utc(time: datetime) -> datetime:
    """A time as the tables hold it: in UTC, without zone."""
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
