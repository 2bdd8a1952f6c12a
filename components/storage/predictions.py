"""The prediction store: what was asked, what was answered, and what turned out to be true.

One schema for SQLite (a laptop, with a write-ahead log) and PostgreSQL (a cluster). Every insert is idempotent, so a
sender that is not sure may send again.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from ciclo.components.core.errors import SettingsError, StorageError

WAIT_SECONDS = 10

_metadata = sa.MetaData()
_predictions = sa.Table(
    "predictions",
    _metadata,
    sa.Column("project", sa.String(64), primary_key=True),
    sa.Column("request_id", sa.String(128), primary_key=True),
    sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("time", sa.DateTime, nullable=False),
    sa.Column("features", sa.JSON, nullable=False),
    sa.Column("prediction", sa.Text, nullable=False),
    sa.Column("probability", sa.Double),
    sa.Index("predictions_by_time", "project", "time"),
)
_labels = sa.Table(
    "labels",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(128), nullable=False),
    sa.Column("row", sa.Integer, nullable=False),
    sa.Column("time", sa.DateTime, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.UniqueConstraint("project", "request_id", "row", "time", "value"),
)

WINDOW_COLUMNS = ("request_id", "row", "version", "time", "prediction", "probability", "label")
FEATURE = "feature."


@dataclass(frozen=True)
class PredictionRow:
    """One answered row.

    Attributes:
        project: Name of the project.
        request_id: Id of the request; with ``row`` it names the prediction.
        row: Position in the request.
        version: Version of the model.
        time: When the row happened; a time without zone is UTC.
        features: The values the model was given and the ids that came along; null (or NaN) where missing.
        prediction: Label as text, or a number for regression.
        probability: As in the answer; None for regression.
    """

    project: str
    request_id: str
    row: int
    version: int
    time: datetime
    features: Mapping[str, Any]
    prediction: str | float
    probability: float | None


@dataclass(frozen=True)
class Label:
    """What turned out to be true of one row; ``time`` decides which of several labels is the newest."""

    project: str
    request_id: str
    row: int
    value: str | float
    time: datetime


class PredictionStore:
    """Predictions and labels in an SQL database.

    The database is first touched when it is first used, so a server can start while it is down.

    Args:
        uri: SQLAlchemy address, ``sqlite:///path`` or ``postgresql://user:password@host/database``.
    """

    def __init__(self, uri: str) -> None:
        self._engine = _engine(uri)
        self._insert: Any = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        self._ready = False

    def record(self, rows: Sequence[PredictionRow]) -> None:
        """Store predictions; one that is there already is left as it is.

        Raises:
            StorageError: If the database cannot be reached or refuses.
        """
        self._add(_predictions, [_prediction_values(r) for r in rows])

    def label(self, labels: Sequence[Label]) -> None:
        """Store labels: early, late, twice, or for a prediction that never comes; each arrival is kept.

        Raises:
            StorageError: If the database cannot be reached or refuses.
        """
        self._add(_labels, [vars(x) | {"value": json.dumps(x.value), "time": _utc(x.time)} for x in labels])

    def window(self, project: str, start: datetime, end: datetime) -> pd.DataFrame:
        """The predictions of a stretch of time, each with its newest label.

        Args:
            project: Name of the project.
            start: First moment.
            end: First moment that is not included.

        Returns:
            One row for each prediction in order of time, columns ``WINDOW_COLUMNS`` (``time`` in UTC, ``label`` NaN
            where there is none) and ``FEATURE`` + name for each feature and id.

        Raises:
            StorageError: If the database cannot be reached.
        """
        inside = _inside(project, _utc(start), _utc(end))
        with self._transaction() as connection:
            predictions = connection.execute(_predictions_of(inside)).all()
            labels = connection.execute(_labels_of(inside)).all()
        frame = pd.DataFrame(predictions, columns=[*WINDOW_COLUMNS[:-1], "features"])
        features = pd.DataFrame(list(frame.pop("features")), index=frame.index)
        newest = {(request_id, row): json.loads(value) for request_id, row, value in labels}
        frame["time"] = pd.to_datetime(frame["time"], utc=True)
        frame["prediction"] = [json.loads(text) for text in frame["prediction"]]
        frame["probability"] = frame["probability"].astype("float64")
        frame["label"] = [newest.get(key, math.nan) for key in zip(frame["request_id"], frame["row"], strict=True)]
        return pd.concat([frame, features.add_prefix(FEATURE)], axis="columns")

    def count(self, project: str) -> int:
        """How many predictions of a project are stored.

        Raises:
            StorageError: If the database cannot be reached.
        """
        counted = sa.select(sa.func.count()).select_from(_predictions).where(_predictions.c.project == project)
        with self._transaction() as connection:
            return int(connection.execute(counted).scalar_one())

    def close(self) -> None:
        """Let go of the connections; the next use opens new ones."""
        self._engine.dispose()

    def _add(self, table: sa.Table, values: list[dict[str, Any]]) -> None:
        if values:
            with self._transaction() as connection:
                connection.execute(self._insert(table).on_conflict_do_nothing(), values)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            if not self._ready:
                self._create()
            with self._engine.begin() as connection:
                yield connection
        except (sa.exc.SQLAlchemyError, OSError) as error:
            cause = str(getattr(error, "orig", None) or error)
            raise StorageError(
                f"the prediction store {self._engine.url.render_as_string(hide_password=True)} does not answer",
                seen=" ".join(cause.split())[:300],
                hint="Check CICLO_PREDICTIONS and that the database is up.",
            ) from error

    def _create(self) -> None:
        if self._engine.dialect.name == "sqlite" and self._engine.url.database:
            Path(self._engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "postgresql":  # IF NOT EXISTS alone is not safe against a second creator
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('ciclo predictions'))"))
            for table in _metadata.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(CreateIndex(index, if_not_exists=True))
        self._ready = True


def _engine(uri: str) -> sa.Engine:
    try:
        url = sa.make_url(uri)
    except sa.exc.ArgumentError as error:
        raise SettingsError("CICLO_PREDICTIONS is not a database address", hint="Use sqlite:///path.") from error
    match url.get_backend_name():
        case "sqlite":
            engine = sa.create_engine(url, connect_args={"timeout": WAIT_SECONDS})
            sa.event.listen(engine, "connect", _write_ahead)
            return engine
        case "postgresql":
            return sa.create_engine(
                url.set(drivername="postgresql+psycopg"),
                connect_args={
                    "connect_timeout": WAIT_SECONDS,
                    "options": f"-c statement_timeout={6 * WAIT_SECONDS}s -c lock_timeout={WAIT_SECONDS}s",
                },
                pool_pre_ping=True,
                pool_timeout=WAIT_SECONDS,
            )
        case other:
            raise SettingsError("CICLO_PREDICTIONS has to be SQLite or PostgreSQL", seen=other)


def _write_ahead(connection: Any, _: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")


def _inside(project: str, start: datetime, end: datetime) -> sa.ColumnElement[bool]:
    p = _predictions.c
    return sa.and_(p.project == project, p.time >= start, p.time < end)


def _predictions_of(inside: sa.ColumnElement[bool]) -> sa.Select[Any]:
    p = _predictions.c
    columns = (p.request_id, p.row, p.version, p.time, p.prediction, p.probability, p.features)
    return sa.select(*columns).where(inside).order_by(p.time, p.request_id, p.row)


def _labels_of(inside: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Labels of those predictions, the newest of each last."""
    p, label = _predictions.c, _labels.c
    same = sa.and_(p.project == label.project, p.request_id == label.request_id, p.row == label.row)
    joined = _labels.join(_predictions, same)
    columns = (label.request_id, label.row, label.value)
    return sa.select(*columns).select_from(joined).where(inside).order_by(label.time, label.id)


def _prediction_values(row: PredictionRow) -> dict[str, Any]:
    return vars(row) | {
        "time": _utc(row.time),
        "features": {name: None if _is_nan(value) else value for name, value in row.features.items()},
        "prediction": json.dumps(row.prediction),
        "probability": None if _is_nan(row.probability) else row.probability,
    }


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
