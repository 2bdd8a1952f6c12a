"""What a query selects from a PostgreSQL database.

The server writes the rows as CSV (``COPY``), which are read like any other file: exactly, and in bounded memory. It
does so in a transaction that may not write.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from ciclo.components.core.errors import DataError
from ciclo.components.sources.places.place import Asked, Bytes, Download, SourceFile

CONNECT_SECONDS = 10


def fetch(source: str, scratch: Path, asked: Asked) -> Sequence[SourceFile]:
    """The rows of ``asked.query`` as one CSV file; see ``Place.fetch``."""
    name = f"the query at {urlsplit(source).hostname or source}"
    if not asked.query:
        raise DataError(f"{source} is a database, and nothing is selected", hint="Write a SELECT into data.query.")
    path = scratch / "query.csv"
    try:
        with (
            _connected(source, asked) as connection,
            closing(_rows(connection, asked)) as rows,  # before the connection is, which would wait for them
            path.open("wb") as target,
        ):
            Download(name, asked.settings).write(rows, target)
    except psycopg.Error as error:
        reason = (error.diag.message_primary or str(error)).split("\n")[0]
        raise DataError(f"{name} cannot be answered", seen=reason, hint=_hint(error)) from error
    return [SourceFile(path, name)]


def _connected(source: str, asked: Asked) -> psycopg.Connection[tuple[object, ...]]:
    settings = asked.settings
    options = f"-c default_transaction_read_only=on -c statement_timeout={round(settings.source_seconds * 1000)}"
    return psycopg.connect(
        source,
        user=settings.source_user or None,
        password=settings.source_password.get_secret_value() or None,
        connect_timeout=CONNECT_SECONDS,
        options=f"{options} -c timezone=UTC -c datestyle=ISO -c client_encoding=UTF8",
        application_name="ciclo",
    )


def _rows(connection: psycopg.Connection[tuple[object, ...]], asked: Asked) -> Generator[Bytes]:
    wanted: sql.Composable = sql.SQL("SELECT * FROM ({}\n) AS asked").format(_statement(asked.query))
    bounds = [("<", asked.start), (">=", asked.end)]
    outside = [
        sql.SQL("{} {} {}").format(sql.Identifier(asked.time_column), sql.SQL(sign), sql.Literal(bound.isoformat()))
        for sign, bound in bounds
        if bound is not None and asked.time_column
    ]
    if outside:  # a row without a time is taken whatever the window, as from a file
        wanted = sql.SQL("{} WHERE ({}) IS NOT TRUE").format(wanted, sql.SQL(" OR ").join(outside))
    command = sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv, HEADER)").format(wanted)
    with connection.cursor() as cursor, cursor.copy(command) as rows:
        yield from rows


def _statement(query: str) -> sql.Composable:
    return sql.SQL(query.strip().rstrip(";"))  # of the project, whose database it is


def _hint(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.QueryCanceled):
        return "Select fewer rows, or raise CICLO_SOURCE_SECONDS."
    if isinstance(error, psycopg.OperationalError):
        return "Check data.source, CICLO_SOURCE_USER and CICLO_SOURCE_PASSWORD."
    return "Check data.query."
