"""The live check: a new server has to answer the golden requests as the model did when it was judged."""

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ciclo.components.answering.engine import first_difference
from ciclo.components.core.errors import DeploymentError

CONNECT_SECONDS = 30
SETTLE_SECONDS = 30
IN_A_ROW = 5  # answers of the new version, after which the old one is taken for gone
ASK_SECONDS = 10
NOT_THERE = frozenset({404, 502, 503, 504})  # what answers is not our server, or not yet


@dataclass(frozen=True)
class Answer:
    """What a server answered to one row.

    Attributes:
        version: The version that answered; None if none did.
        prediction: The prediction.
        milliseconds: How long it took.
        problem: Why there is no prediction, else empty.
    """

    version: int | None = None
    prediction: Any = None
    milliseconds: float = 0.0
    problem: str = ""


def check(url: str, version: int, golden: dict[str, Any]) -> None:
    """Send the golden requests through HTTP; they are marked, so that they are not recorded as predictions.

    Args:
        url: Base address of the server.
        version: Version that has to answer.
        golden: Rows and the predictions they have to get.

    Raises:
        DeploymentError: If it cannot be reached, refuses, or answers differently.
    """
    answer = _post(_request(url, golden["rows"]))
    try:
        answered, predictions = answer["jsonData"]["version"], answer["jsonData"]["predictions"]
    except (KeyError, TypeError):
        raise DeploymentError("what answers does not answer like a model server", seen=str(answer)[:200]) from None
    if answered != version:
        raise DeploymentError(f"the server answers with version {answered}, not {version}")
    difference = first_difference(golden["predictions"], predictions)
    if difference:
        raise DeploymentError("the server does not answer as the model did when it was judged", seen=difference)


def settle(url: str, version: int, golden: dict[str, Any]) -> None:
    """Wait until an address leads to a version and no more to the one before.

    Args:
        url: The address.
        version: The version.
        golden: Its golden requests.

    Raises:
        DeploymentError: If it does not in time.
    """
    deadline, in_a_row = time.monotonic() + SETTLE_SECONDS, 0
    while in_a_row < IN_A_ROW:
        answer = ask(url, golden["rows"][:1])
        in_a_row = in_a_row + 1 if answer.version == version else 0
        if time.monotonic() > deadline:
            seen = answer.problem or f"version {answer.version}"
            raise DeploymentError(f"{url} does not lead to version {version}", seen=seen)
        time.sleep(0.1)


def ask(url: str, rows: list[dict[str, Any]]) -> Answer:
    """Ask once, over a connection of its own, marked as the live check is.

    Args:
        url: Base address of the server.
        rows: The rows; the answer to the first is kept.
    """
    started = time.perf_counter()
    try:
        with urlopen(_request(url, rows), timeout=ASK_SECONDS) as response:  # noqa: S310
            content = json.load(response)["jsonData"]
        milliseconds = (time.perf_counter() - started) * 1000
        return Answer(content["version"], content["predictions"][0]["prediction"], milliseconds)
    except HTTPError as error:
        with error:
            return Answer(problem=f"status {error.code}: {error.read(300).decode(errors='replace')}")
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        return Answer(problem=f"{type(error).__name__}: {error}")


def _request(url: str, rows: list[dict[str, Any]]) -> Request:
    body = {"jsonData": {"rows": rows}, "meta": {"tags": {"purpose": "check"}}}
    headers = {"Content-Type": "application/json"}
    return Request(f"{url}/api/v1.0/predictions", json.dumps(body).encode(), headers)  # noqa: S310


def _post(request: Request) -> Any:
    """Send a request; connections that fail are tried again for a while, since new addresses take a moment."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            with urlopen(request, timeout=CONNECT_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            with error:
                seen = error.read(500).decode(errors="replace")
            if error.code in NOT_THERE and time.monotonic() < deadline:
                time.sleep(0.5)
                continue
            raise DeploymentError(f"the server refused the live check with status {error.code}", seen=seen) from None
        except (URLError, OSError, ValueError) as error:
            if time.monotonic() > deadline:
                raise DeploymentError(f"the server at {request.full_url} cannot be reached", seen=error) from error
            time.sleep(0.5)
