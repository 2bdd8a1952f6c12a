"""Requests and feedback as they come in, read strictly: a client learns what it has to change."""

import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import DataError, RequestError
from ciclo.components.storage.predictions import Label

ROW_LIMIT = 10_000
CHECK = {"purpose": "check"}

_ID = re.compile(r"[!-~]{1,128}")
_FORMS = 'Send {"jsonData": {"rows": [{"column": value}]}} or {"data": {"names": [...], "ndarray": [[...]]}}.'
_LABELS = 'Send {"truth": {"jsonData": {"labels": [{"request_id": id, "row": 0, "value": value}]}}}.'


@dataclass(frozen=True)
class Request:
    """A prediction request.

    Attributes:
        id: ``meta.puid``, or a new one.
        rows: One mapping of column to JSON value for each row.
        recorded: False for a live check (``meta.tags`` is ``{"purpose": "check"}``), which is answered but is no
            prediction that anybody acts on.
    """

    id: str
    rows: list[Mapping[str, Any]]
    recorded: bool


def read_request(message: Any, limit: int = ROW_LIMIT) -> Request:
    """Read a prediction request.

    Args:
        message: The SeldonMessage as JSON values.
        limit: Most rows.

    Raises:
        RequestError: If it has neither of the two forms, no rows or too many.
    """
    content = _mapping(message, "the request")
    meta = _mapping(content.get("meta") or {}, "meta")
    if "jsonData" in content:
        rows = _named_rows(_mapping(content["jsonData"], "jsonData"))
    elif "data" in content:
        rows = _matrix_rows(_mapping(content["data"], "data"))
    else:
        raise RequestError("the request has no rows", seen=_list(content), hint=_FORMS)
    if not rows:
        raise RequestError("the request has no rows", hint=_FORMS)
    if len(rows) > limit:
        raise RequestError(f"the request has more than {limit:,} rows", seen=f"{len(rows):,}", hint="Split it.")
    puid = meta.get("puid")
    recorded = meta.get("tags") != CHECK
    return Request(uuid.uuid4().hex if puid in (None, "") else _request_id(puid, "meta.puid"), rows, recorded)


def read_passthrough(
    rows: Sequence[Mapping[str, Any]], contract: Contract
) -> tuple[list[datetime], list[dict[str, Any]]]:
    """Read what rows carry beside their features.

    Returns:
        The time of each row (the clock's where none is sent), and its ids.

    Raises:
        RequestError: Naming the row and the column.
    """
    now = datetime.now(UTC)
    column = contract.time_column
    ids = [name for name in contract.passthrough if name != column]
    times, carried = [], []
    for number, row in enumerate(rows):
        sent = row.get(column) if column else None
        times.append(now if sent is None else _time(sent, f"row {number}: column '{column}'"))
        for name in ids:
            if not _plain(row.get(name)):
                raise RequestError(f"row {number}: column '{name}' has to be valid text or a finite number")
        carried.append({name: row.get(name) for name in ids})
    return times, carried


def read_feedback(message: Mapping[str, Any], project: str, contract: Contract) -> list[Label]:
    """Read labels: ``request_id`` defaults to ``response.meta.puid``, ``row`` to the position, ``time`` to now.

    Raises:
        RequestError: Naming the label that is wrong.
    """
    puid = _mapping(message.get("response") or {}, "response").get("meta", {}).get("puid")
    truth = _mapping(_mapping(message.get("truth") or {}, "truth").get("jsonData") or {}, "truth.jsonData")
    labels = truth.get("labels")
    if not isinstance(labels, list) or not labels:
        raise RequestError("the feedback has no labels", hint=_LABELS)
    if len(labels) > ROW_LIMIT:
        raise RequestError(f"the feedback has more than {ROW_LIMIT:,} labels", seen=f"{len(labels):,}")
    now = datetime.now(UTC)
    read = []
    for position, raw in enumerate(labels):
        where = f"label {position}"
        entry = _mapping(raw, where)
        if unknown := set(entry) - {"request_id", "row", "value", "time"}:
            raise RequestError(f"{where}: unknown field", seen=_list(unknown), hint=_LABELS)
        sent = entry.get("time")
        read.append(
            Label(
                project,
                _request_id(entry.get("request_id") or puid, f"{where}: request_id"),
                _row_number(entry.get("row", position), where),
                _truth(entry.get("value"), where, contract),
                now if sent is None else _time(sent, f"{where}: time"),
            )
        )
    return read


def _named_rows(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = content.get("rows")
    if not isinstance(rows, list):
        raise RequestError("jsonData.rows has to be a list of rows", seen=_list(content), hint=_FORMS)
    return [_mapping(row, f"row {number}") for number, row in enumerate(rows)]


def _matrix_rows(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    names, rows = content.get("names"), content.get("ndarray")
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or not isinstance(rows, list):
        raise RequestError("data has to have names and an ndarray", seen=_list(content), hint=_FORMS)
    if twice := {n for n in names if names.count(n) > 1}:
        raise RequestError(f"column '{min(twice)}' stands twice in data.names")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise RequestError(f"row {number} has to be a list of {len(names)} values, one for each of data.names")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _truth(value: Any, where: str, contract: Contract) -> str | float:
    if contract.task == "regression":
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise RequestError(f"{where}: value has to be a finite number", seen=repr(value)[:60])
        return float(value)
    try:
        label = contract.label_of(value)
    except DataError as error:
        raise RequestError(f"{where}: {error.problem}", seen=error.seen) from None
    if label not in contract.classes:
        raise RequestError(
            f"{where}: value is not a class of '{contract.target}'",
            seen=label[:60],
            hint=f"Use {_list(contract.classes)}.",
        )
    return label


def _row_number(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < ROW_LIMIT or value % 1:
        raise RequestError(f"{where}: row has to be the position of a row", seen=repr(value)[:60])
    return int(value)


def _request_id(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise RequestError(f"{where} has to be 1 to 128 printable ASCII characters", seen=repr(value)[:60])
    return value


def _time(value: Any, where: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise RequestError(f"{where} has to be an ISO time", seen=repr(value)[:60]) from None


def _plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not any("\ud800" <= c <= "\udfff" for c in value)
    return value is None or isinstance(value, int)


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RequestError(f"{what} has to be a JSON object", seen=repr(value)[:60])
    return value


def _list(names: Any) -> str:
    return ", ".join(sorted(map(str, names)))[:200]
