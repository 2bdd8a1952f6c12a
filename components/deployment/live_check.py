"""The live check: a new server has to answer the golden requests as the model did when it was judged."""

import json
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ciclo.components.core.engine import first_difference
from ciclo.components.core.errors import DeploymentError

CONNECT_SECONDS = 30


def check(url: str, version: int, golden: dict[str, Any]) -> None:
    """Send the golden requests through HTTP; they are marked, so that they are not recorded as predictions.

    Args:
        url: Base address of the server.
        version: Version that has to answer.
        golden: Rows and the predictions they have to get.

    Raises:
        DeploymentError: If it cannot be reached, refuses, or answers differently.
    """
    body = {"jsonData": {"rows": golden["rows"]}, "meta": {"tags": {"purpose": "check"}}}
    answer = _post(f"{url}/api/v1.0/predictions", body)
    try:
        answered, predictions = answer["jsonData"]["version"], answer["jsonData"]["predictions"]
    except (KeyError, TypeError):
        raise DeploymentError("what answers does not answer like a model server", seen=str(answer)[:200]) from None
    if answered != version:
        raise DeploymentError(f"the server answers with version {answered}, not {version}")
    difference = first_difference(golden["predictions"], predictions)
    if difference:
        raise DeploymentError("the server does not answer as the model did when it was judged", seen=difference)


def _post(url: str, body: dict[str, Any]) -> Any:
    """Send a request; connections that fail are tried again for a while, since new addresses take a moment."""
    request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            with urlopen(request, timeout=CONNECT_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            with error:
                seen = error.read(500).decode(errors="replace")
            raise DeploymentError(f"the server refused the live check with status {error.code}", seen=seen) from None
        except (URLError, OSError, ValueError) as error:
            if time.monotonic() > deadline:
                raise DeploymentError(f"the server at {url} cannot be reached", seen=error) from error
            time.sleep(0.5)
