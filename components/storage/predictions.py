"""The prediction store: what was asked, what was answered, and what turned out to be true.

The key of a request is ours; the id that a client gave it is kept beside it and belongs to the first request that
brings it. Every insert is idempotent, so a sender that is not sure may send again.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ciclo.components.core.errors import RefusedError
from ciclo.components.storage.database import WAIT_SECONDS, as_utc
from ciclo.components.storage.database import key as _key
from ciclo.components.storage.database import labels as _labels
from ciclo.components.storage.database import predictions as _predictions
from ciclo.components.storage.database import requests as _requests
from ciclo.components.storage.windows import PredictionWindows


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
        probabilities: Of every class, by its label, for a multiclass task.
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
    probabilities: Mapping[str, float] | None = None

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
        answers: What was recorded, row by row: ``prediction``, ``probability``, and ``probabilities`` where there are.
    """

    prediction_id: str
    digest: str | None
    version: int
    features: list[dict[str, Any]]
    answers: list[dict[str, Any]]


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


class PredictionStore(PredictionWindows):
    """Predictions and labels in an SQL database: what ``PredictionWindows`` reads, and how it gets there."""

    def __init__(self, uri: str, wait: float = WAIT_SECONDS) -> None:
        super().__init__(uri, wait)
        self._insert: Any = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert

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
            answered = sa.select(p.version, p.features, p.prediction, p.probability, p.probabilities)
            mine = sa.and_(p.project == project, _key == found.prediction_id)
            rows = connection.execute(answered.where(mine).order_by(p.row)).all()
        if not rows:  # somebody has cleared the predictions
            return None
        return Answered(
            prediction_id=found.prediction_id,
            digest=found.digest,
            version=rows[0].version,
            features=[row.features for row in rows],
            answers=[_answer(row) for row in rows],
        )

    def label(self, labels: Sequence[Label]) -> None:
        """Store labels: early, late, twice, or for a prediction that never comes; each arrival is kept.

        Raises:
            StorageError: If the database cannot be reached.
            RefusedError: If it will never take these labels.
        """
        self._add(_labels, [vars(x) | {"value": json.dumps(x.value), "time": as_utc(x.time)} for x in labels])

    def _add(self, table: sa.Table, values: list[dict[str, Any]]) -> None:
        if values:
            with self._transaction() as connection:
                connection.execute(self._insert(table).on_conflict_do_nothing(), values)


def _owners(connection: sa.Connection, keys: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Whose each client's id is: key and digest of the first request with it."""
    r, owners = _requests.c, {}
    for start in range(0, len(keys), 1_000):
        wanted = sa.tuple_(r.project, r.request_id).in_(keys[start : start + 1_000])
        found = sa.select(r.project, r.request_id, r.prediction_id, r.digest).where(wanted)
        for project, request_id, owner, digest in connection.execute(found):
            owners[project, request_id] = (owner, digest)
    return owners


def _answer(row: Any) -> dict[str, Any]:
    answer = {"prediction": json.loads(row.prediction), "probability": row.probability}
    return answer if row.probabilities is None else answer | {"probabilities": row.probabilities}


def _prediction_values(row: PredictionRow) -> dict[str, Any]:
    values = {name: value for name, value in vars(row).items() if name != "digest"}
    return values | {
        "prediction_id": row.key,
        "time": as_utc(row.time),
        "features": {name: None if _is_nan(value) else value for name, value in row.features.items()},
        "prediction": json.dumps(row.prediction),
        "probability": None if _is_nan(row.probability) else row.probability,
    }


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
