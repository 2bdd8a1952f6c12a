"""The prediction store: what was asked, what was answered, and what turned out to be true.

The key of a request is ours; the id that a client gave it is kept beside it and belongs to the first request that
brings it. Every insert is idempotent, so a sender that is not sure may send again.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ciclo.components.core.errors import RefusedError, StorageError
from ciclo.components.storage.database import WAIT_SECONDS, bring_up_to_date, open_engine
from ciclo.components.storage.database import key as _key
from ciclo.components.storage.database import labels as _labels
from ciclo.components.storage.database import predictions as _predictions
from ciclo.components.storage.database import requests as _requests

WINDOW_COLUMNS = ("request_id", "row", "version", "time", "prediction", "probability", "label")
FEATURE = "feature."


@dataclass(frozen=True)
class PredictionRow:
    """One answered row.

    Attributes:
        project: Name of the project.
        request_id: Id the client gave the request, or ours if it gave none.
        row: Position in the request.
        version: Version of the model.
        time: When the row happened; a time without zone is UTC.
        features: The values the model was given and the ids that came along; null (or NaN) where missing.
        prediction: Label as text, or a number for regression.
        probability: As in the answer; None for regression.
        prediction_id: Our id of the request, the key; by default the same as ``request_id``.
        digest: Of what was asked, to tell a retry from another request with the same id; empty if it is not known.
    """

    project: str
    request_id: str
    row: int
    version: int
    time: datetime
    features: Mapping[str, Any]
    prediction: str | float
    probability: float | None
    prediction_id: str = ""
    digest: str = ""

    @property
    def key(self) -> str:
        """The id of the request in the store."""
        return self.prediction_id or self.request_id


@dataclass(frozen=True)
class Answered:
    """A request that the store knows.

    Attributes:
        prediction_id: Our id of it.
        digest: Of what was asked; None if it was stored before there were digests.
        version: Version that answered.
        features: What was asked, row by row.
        answers: Prediction and probability, row by row.
    """

    prediction_id: str
    digest: str | None
    version: int
    features: list[dict[str, Any]]
    answers: list[tuple[str | float, float | None]]


@dataclass(frozen=True)
class Label:
    """What turned out to be true of one row; ``time`` decides which of several labels is the newest.

    ``request_id`` is the client's id of the request, or ours if that is no client's id.
    """

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
        wait: Seconds to wait for a connection or a lock.
    """

    def __init__(self, uri: str, wait: float = WAIT_SECONDS) -> None:
        self._engine = open_engine(uri, wait)
        self._insert: Any = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        self._ready = False

    def record(self, rows: Sequence[PredictionRow]) -> None:
        """Store predictions, each request whole; one whose id is known already is left as it is.

        A client's id belongs to the request that is stored first. Another one with the same content was a retry that
        was answered elsewhere, and is not stored again.

        Raises:
            StorageError: If the database cannot be reached.
            RefusedError: If it will never take these rows, such as those of an id that stands for other content; none
                is stored then.
        """
        if not rows:
            return
        first = {(r.project, r.request_id): r for r in reversed(rows)}
        claims = [
            {"project": r.project, "request_id": r.request_id, "prediction_id": r.key, "digest": r.digest or None}
            for r in first.values()
        ]
        with self._transaction() as connection:
            connection.execute(self._insert(_requests).on_conflict_do_nothing(), claims)
            owners = _owners(connection, list(first))
            for row in {(r.project, r.request_id, r.key): r for r in rows}.values():
                owner, digest = owners[row.project, row.request_id]
                if owner != row.key and row.digest and digest and digest != row.digest:
                    raise RefusedError(
                        f"the request '{row.request_id}' of {row.project} was answered before with other content",
                        seen=f"its key is {row.key}, that of the first {owner}",
                    )
            mine = [_prediction_values(r) for r in rows if owners[r.project, r.request_id][0] == r.key]
            if mine:
                connection.execute(self._insert(_predictions).on_conflict_do_nothing(), mine)

    def answered(self, project: str, request_id: str) -> Answered | None:
        """What was answered to a request, by the client's id.

        Raises:
            StorageError: If the database cannot be reached.
        """
        r, p = _requests.c, _predictions.c
        claim = sa.select(r.prediction_id, r.digest).where(r.project == project, r.request_id == request_id)
        with self._transaction() as connection:
            found = connection.execute(claim).one_or_none()
            if found is None:
                return None
            answered = sa.select(p.version, p.features, p.prediction, p.probability)
            mine = sa.and_(p.project == project, _key == found.prediction_id)
            rows = connection.execute(answered.where(mine).order_by(p.row)).all()
        if not rows:  # somebody has cleared the predictions
            return None
        return Answered(
            prediction_id=found.prediction_id,
            digest=found.digest,
            version=rows[0].version,
            features=[row.features for row in rows],
            answers=[(json.loads(row.prediction), row.probability) for row in rows],
        )

    def label(self, labels: Sequence[Label]) -> None:
        """Store labels: early, late, twice, or for a prediction that never comes; each arrival is kept.

        Raises:
            StorageError: If the database cannot be reached.
            RefusedError: If it will never take these labels.
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
        frame = pd.DataFrame(predictions, columns=["prediction_id", *WINDOW_COLUMNS[:-1], "features"])
        keys = frame.pop("prediction_id")
        features = pd.DataFrame(list(frame.pop("features")), index=frame.index)
        newest = {(key, row): json.loads(value) for key, row, value, _, _ in labels}
        frame["time"] = pd.to_datetime(frame["time"], utc=True)
        frame["prediction"] = [json.loads(text) for text in frame["prediction"]]
        frame["probability"] = frame["probability"].astype("float64")
        frame["label"] = [newest.get(key, math.nan) for key in zip(keys, frame["row"], strict=True)]
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


def _owners(connection: sa.Connection, keys: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Whose each client's id is: key and digest of the first request with it."""
    r, owners = _requests.c, {}
    for start in range(0, len(keys), 1_000):
        wanted = sa.tuple_(r.project, r.request_id).in_(keys[start : start + 1_000])
        found = sa.select(r.project, r.request_id, r.prediction_id, r.digest).where(wanted)
        for project, request_id, owner, digest in connection.execute(found):
            owners[project, request_id] = (owner, digest)
    return owners


def _is_final(error: Exception) -> bool:
    """Whether it is the rows that cannot be stored, now or ever, and not the database that is not up to it now."""
    if isinstance(error, sa.exc.DataError | sa.exc.IntegrityError):
        return True
    if isinstance(error, sa.exc.DBAPIError):
        return False
    cause = getattr(error, "orig", None) or error
    return isinstance(cause, ValueError | TypeError | OverflowError)


def _inside(project: str, start: datetime, end: datetime) -> sa.ColumnElement[bool]:
    p = _predictions.c
    return sa.and_(p.project == project, p.time >= start, p.time < end)


def _predictions_of(inside: sa.ColumnElement[bool]) -> sa.Select[Any]:
    p = _predictions.c
    columns = (_key, p.request_id, p.row, p.version, p.time, p.prediction, p.probability, p.features)
    return sa.select(*columns).where(inside).order_by(p.time, p.request_id, p.row)


def _labels_of(inside: sa.ColumnElement[bool]) -> sa.CompoundSelect[Any]:
    """Labels of those predictions, by the client's id, or by ours where no request has it; the newest of each last."""
    p, label = _predictions.c, _labels.c
    columns = (_key, p.row, label.value, label.time.label("labelled_at"), label.id.label("place"))
    row = sa.and_(p.project == label.project, p.row == label.row)
    theirs = _labels.join(_predictions, sa.and_(row, p.request_id == label.request_id))
    ours = _labels.join(_predictions, sa.and_(row, _key == label.request_id))
    another = _predictions.alias()
    taken = sa.exists().where(another.c.project == label.project, another.c.request_id == label.request_id)
    found = sa.union_all(
        sa.select(*columns).select_from(theirs).where(inside),
        sa.select(*columns).select_from(ours).where(inside, _key != p.request_id, ~taken),
    )
    return found.order_by(sa.text("labelled_at"), sa.text("place"))


def _prediction_values(row: PredictionRow) -> dict[str, Any]:
    values = {name: value for name, value in vars(row).items() if name != "digest"}
    return values | {
        "prediction_id": row.key,
        "time": _utc(row.time),
        "features": {name: None if _is_nan(value) else value for name, value in row.features.items()},
        "prediction": json.dumps(row.prediction),
        "probability": None if _is_nan(row.probability) else row.probability,
    }


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
