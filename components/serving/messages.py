"""Requests and feedback as they come in, read strictly: a client learns what it has to change."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import RequestError
from ciclo.components.core.values import reader
from ciclo.components.core.wording import counted, listed, shown
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
        id: ``meta.puid``, or ``key`` if there is none.
        key: Our own id of it.
        rows: One mapping of column to JSON value for each row.
        recorded: False for a live check (``meta.tags`` is ``{"purpose": "check"}``), which is answered but is no
            prediction that anybody acts on.
    """

    id: str
    key: str
    rows: list[Mapping[str, Any]]
    recorded: bool


def plain(message: Any) -> Any:
    """A protobuf message as JSON values; what ``Struct`` holds as a number stays a float, finite or not."""
    match getattr(message, "DESCRIPTOR", None) and message.DESCRIPTOR.full_name:
        case None:
            return message
        case "google.protobuf.Struct":
            return {name: plain(value) for name, value in message.fields.items()}
        case "google.protobuf.ListValue":
            return [plain(value) for value in message.values]
        case "google.protobuf.Value":
            kind = message.WhichOneof("kind")
            return None if kind in (None, "null_value") else plain(getattr(message, kind))
        case _:
            return {field.json_name: _field(field, value) for field, value in message.ListFields()}


def _field(field: Any, value: Any) -> Any:
    if field.label != field.LABEL_REPEATED:
        return plain(value)
    return {k: plain(value[k]) for k in value} if hasattr(value, "keys") else [plain(item) for item in value]


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
        raise RequestError(
            f"the request has more than {counted(limit, 'row')}", seen=f"{len(rows):,}", hint="Split it."
        )
    puid = meta.get("puid")
    recorded = meta.get("tags") != CHECK
    key = uuid.uuid4().hex
    return Request(key if puid in (None, "") else _request_id(puid, "meta.puid"), key, rows, recorded)


def read_passthrough(
    rows: Sequence[Mapping[str, Any]], contract: Contract
) -> tuple[list[datetime], list[datetime | None], list[dict[str, Any]]]:
    """Read what rows carry beside their features.

    Returns:
        The time of each row (the clock's where none is sent), the time it was sent with, and its ids.

    Raises:
        RequestError: Naming the row and the column.
    """
    now = datetime.now(UTC)
    beside = [contract.column_of(name) for name in contract.passthrough]
    times, sent, carried = [], [], []
    for number, row in enumerate(rows):
        try:
            read = {column.name: column.read_type(row.get(column.name)) for column in beside}
        except RequestError as error:
            raise error.at(f"row {number}") from None
        time = read.pop(contract.time_column, None) if contract.time_column else None
        times.append(now if time is None else time)
        sent.append(time)
        carried.append({name: _json_value(value) for name, value in read.items()})
    return times, sent, carried


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
        field = f"label {position}"
        entry = _mapping(raw, field)
        if unknown := set(entry) - {"request_id", "row", "value", "time"}:
            raise RequestError(f"{field}: unknown field", seen=_list(unknown), hint=_LABELS)
        sent = entry.get("time")
        read.append(
            Label(
                project,
                _request_id(entry.get("request_id") or puid, f"{field}: request_id"),
                _row_number(entry.get("row", position), field),
                _truth(entry.get("value"), field, contract),
                now if sent is None else _time(sent, f"{field}: time"),
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
        raise RequestError(f"column '{min(twice)}' appears twice in data.names")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise RequestError(
                f"row {number} has to be a list of {counted(len(names), 'value')}, one for each of data.names"
            )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _truth(value: Any, field: str, contract: Contract) -> str | float:
    try:
        return contract.truth_of(value)
    except RequestError as error:
        raise error.at(field) from None


def _row_number(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < ROW_LIMIT or value % 1:
        raise RequestError(f"{field}: row has to be the position of a row", seen=shown(value))
    return int(value)


def _request_id(value: Any, field: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise RequestError(f"{field} has to be 1 to 128 printable ASCII characters", seen=shown(value))
    return value


def _time(value: Any, field: str) -> datetime:
    time = reader("timestamp").typed(value)
    if not isinstance(time, datetime):
        raise RequestError(f"{field} has to be an ISO time", seen=shown(value))
    return time


def _json_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RequestError(f"{what} has to be a JSON object", seen=shown(value))
    return value


def _list(names: Any) -> str:
    return listed(sorted(map(str, names)))[:200]
