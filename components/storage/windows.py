"""Windows of the prediction store: what was answered in a stretch of time, and what turned out to be true of it."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from ciclo.components.storage.database import Database, as_utc
from ciclo.components.storage.database import key as _key
from ciclo.components.storage.database import labels as _labels
from ciclo.components.storage.database import predictions as _predictions

WINDOW_COLUMNS = ("request_id", "row", "version", "time", "prediction", "probability", "probabilities", "label")
FEATURE = "feature."
BATCH = 50_000
LABELLED = 40_000
# Multiples of the golden ratio are spread evenly over every run of ids and over every n-th of them, so that a share of
# the rows is drawn from all places of their requests alike.
SPREAD = 1 << 24
MIXER = 10_368_889


_another = _predictions.alias()
_taken = sa.exists().where(_another.c.project == _labels.c.project, _another.c.request_id == _labels.c.request_id)
# Whose a label is: that of the client's id, or of ours where no request has it.
_BY_ID = (
    _predictions.c.request_id == _labels.c.request_id,
    sa.and_(_key == _labels.c.request_id, _key != _predictions.c.request_id, ~_taken),
)


class PredictionWindows(Database):
    """Reads predictions and their labels."""

    def window(self, project: str, start: datetime, end: datetime) -> pd.DataFrame:
        """The predictions of a stretch of time, each with its newest label.

        Args:
            project: Name of the project.
            start: First moment.
            end: First moment that is not included.

        Returns:
            One row for each prediction in order of time, columns ``WINDOW_COLUMNS`` (``time`` in UTC, ``probabilities``
            by class or None, ``label`` NaN where there is none) and ``FEATURE`` + name for each feature and id.

        Raises:
            StorageError: If the database cannot be reached.
        """
        inside = _inside(project, as_utc(start), as_utc(end))
        with self._transaction() as connection:
            predictions = connection.execute(_predictions_of(inside)).all()
            labels = connection.execute(_newest_labels(inside)).all()
        frame = pd.DataFrame(predictions, columns=["id", *WINDOW_COLUMNS[:-1], "features"])
        numbers = frame.pop("id")
        features = pd.DataFrame(list(frame.pop("features")), index=frame.index)
        newest = {number: json.loads(value) for number, value, _ in labels}
        frame["time"] = pd.to_datetime(frame["time"], utc=True)
        frame["prediction"] = [json.loads(text) for text in frame["prediction"]]
        frame["probability"] = frame["probability"].astype("float64")
        frame["label"] = [newest.get(number, math.nan) for number in numbers]
        return pd.concat([frame, features.add_prefix(FEATURE)], axis="columns")

    def batches(
        self, project: str, start: datetime, end: datetime, *, version: int | None = None, size: int = BATCH
    ) -> Iterator[pd.DataFrame]:
        """Read a window piece by piece, so that memory does not grow with it.

        Args:
            project: Name of the project.
            start: First moment.
            end: First moment that is not included.
            version: Only the answers of this version.
            size: Rows of a piece, at most.

        Yields:
            Rows in order of time: ``time`` in UTC, ``version``, ``prediction``, ``probabilities`` (or nothing) and
            ``features`` as JSON text, and ``probability``.

        Raises:
            StorageError: If the database cannot be reached.
        """
        p = _predictions.c
        inside = _inside(project, as_utc(start), as_utc(end), version)
        chosen = sa.select(*_answered()).where(inside).order_by(p.time, p.id)
        with self._transaction() as connection:
            result = connection.execution_options(stream_results=True, max_row_buffer=size).execute(chosen)
            for part in result.partitions(size):
                yield _typed(pd.DataFrame(part, columns=list(result.keys())))

    def label_counts(
        self, project: str, start: datetime, end: datetime, *, version: int | None = None
    ) -> tuple[int, int]:
        """How many rows of a window have a label, and how many rows there are; arguments as in ``labelled``.

        Raises:
            StorageError: If the database cannot be reached.
        """
        inside = _inside(project, as_utc(start), as_utc(end), version)
        with self._transaction() as connection:
            known, rows = connection.execute(
                sa.select(sa.func.count().filter(_has_label()), sa.func.count()).where(inside)
            ).one()
        return int(known), int(rows)

    def labelled(
        self, project: str, start: datetime, end: datetime, *, version: int | None = None, most: int = LABELLED
    ) -> pd.DataFrame:
        """The rows of a window whose label is known, with the newest of several labels.

        Args:
            project: Name of the project.
            start: First moment.
            end: First moment that is not included.
            version: Only the answers of this version.
            most: About as many rows are read at most; of more a share is drawn, the same each time.

        Returns:
            Rows as ``batches`` gives them with ``label`` (JSON decoded) and ``labelled_at``, in order of time.

        Raises:
            StorageError: If the database cannot be reached.
        """
        p = _predictions.c
        found = _newest_labels(_inside(project, as_utc(start), as_utc(end), version)).cte("found")
        known = sa.select(sa.func.count()).select_from(found).scalar_subquery()
        drawn = (found.c.id % SPREAD * MIXER % SPREAD) * known < most * SPREAD
        chosen = sa.select(*_answered(), found.c.value.label("label"), found.c.labelled_at)
        joined = chosen.join_from(found, _predictions, p.id == found.c.id).where(drawn).order_by(p.time, p.id)
        with self._transaction() as connection:
            result = connection.execute(joined)
            frame = _typed(pd.DataFrame(result.all(), columns=list(result.keys())))
        frame["labelled_at"] = pd.to_datetime(frame["labelled_at"], utc=True)
        frame["label"] = [json.loads(value) for value in frame["label"]]
        return frame

    def newer_labels(self, project: str, since: datetime, most: int) -> int | None:
        """How many rows from a time on have a label, counted up to some number; None if no row of the project has one.

        Raises:
            StorageError: If the database cannot be reached.
        """
        p = _predictions.c
        with self._transaction() as connection:
            some = sa.select(_labels.c.id).where(_labels.c.project == project).limit(1)
            if connection.execute(some).first() is None:
                return None
            inside = sa.and_(p.project == project, p.time >= as_utc(since))
            found = sa.select(p.id).where(inside, _has_label()).limit(most).subquery()
            return int(connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one())

    def newest(self, project: str, since: datetime, end: datetime, *, version: int | None = None) -> datetime | None:
        """The time of the newest row of a span, or None.

        Raises:
            StorageError: If the database cannot be reached.
        """
        inside = _inside(project, as_utc(since), as_utc(end), version)
        with self._transaction() as connection:
            found = connection.execute(sa.select(sa.func.max(_predictions.c.time)).where(inside)).scalar_one()
        return None if found is None else found.replace(tzinfo=UTC)

    def count(self, project: str) -> int:
        """How many predictions of a project are stored.

        Raises:
            StorageError: If the database cannot be reached.
        """
        counted = sa.select(sa.func.count()).select_from(_predictions).where(_predictions.c.project == project)
        with self._transaction() as connection:
            return int(connection.execute(counted).scalar_one())


def _inside(project: str, start: datetime, end: datetime, version: int | None = None) -> sa.ColumnElement[bool]:
    p = _predictions.c
    inside = sa.and_(p.project == project, p.time >= start, p.time < end)
    return inside if version is None else sa.and_(inside, p.version == version)


def _predictions_of(inside: sa.ColumnElement[bool]) -> sa.Select[Any]:
    p = _predictions.c
    columns = (p.id, p.request_id, p.row, p.version, p.time, p.prediction, p.probability)
    every = (*columns, p.probabilities, p.features)
    return sa.select(*every).where(inside).order_by(p.time, p.request_id, p.row)


def _labels_of(inside: sa.ColumnElement[bool]) -> sa.CompoundSelect[Any]:
    """Labels of those predictions, by the client's id, or by ours where no request has it."""
    p, label = _predictions.c, _labels.c
    columns = (p.id, label.value, label.time.label("labelled_at"), label.id.label("place"))
    row = sa.and_(p.project == label.project, p.row == label.row)
    return sa.union_all(*(sa.select(*columns).where(inside, row, by_id) for by_id in _BY_ID))


def _has_label() -> sa.ColumnElement[bool]:
    """The same as a condition on a prediction, which the database can leave at the first label it finds."""
    p, label = _predictions.c, _labels.c
    row = sa.and_(p.project == label.project, p.row == label.row)
    return sa.or_(*(sa.exists().where(row, by_id).correlate(_predictions) for by_id in _BY_ID))


def _newest_labels(inside: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The newest label of each of those predictions that has one."""
    every = _labels_of(inside).subquery()
    newest_first = (every.c.labelled_at.desc(), every.c.place.desc())
    nth = sa.func.row_number().over(partition_by=every.c.id, order_by=newest_first).label("nth")
    numbered = sa.select(every.c.id, every.c.value, every.c.labelled_at, nth).subquery()
    n = numbered.c
    return sa.select(n.id, n.value, n.labelled_at).where(n.nth == 1)


def _answered() -> tuple[sa.ColumnElement[Any], ...]:
    p = _predictions.c
    texts = [sa.cast(column, sa.Text).label(column.name) for column in (p.probabilities, p.features)]
    return (p.time, p.version, p.prediction, p.probability, *texts)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """What the database gave for ``_answered``: times without a zone, and None alone where no row has a number."""
    times = pd.to_datetime(frame["time"], utc=True)
    return frame.assign(time=times, probability=frame["probability"].astype("float64"))
