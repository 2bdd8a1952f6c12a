"""The users of the demo: they ask for predictions of real flights over HTTP, and report days later what happened."""

import json
import urllib.error
import urllib.request
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import DeploymentError

BATCH = 250
TIMEOUT_SECONDS = 60


class Traffic:
    """Asks about flights week by week and reports their outcomes.

    Args:
        flights: All flights of the year, ordered by time.
        contract: What a request looks like.
        one_in: Share of the flights that is asked about, drawn once with a fixed seed.
    """

    def __init__(self, flights: pd.DataFrame, contract: Contract, one_in: int) -> None:
        drawn = np.random.default_rng(0).random(len(flights)) < 1 / one_in
        self._flights = flights[drawn].reset_index(drop=True)
        self._contract = contract
        self._asked: list[pd.DataFrame] = []
        self.sent = 0
        self.reported = 0

    def ask(self, url: str, start: datetime, end: datetime) -> int:
        """Ask about the flights of a span of time.

        Args:
            url: Base address of the service.
            start: First departure.
            end: Last departure, exclusive.

        Returns:
            Rows asked and answered.
        """
        span = self._flights[(self._flights["time"] >= start) & (self._flights["time"] < end)]
        for first in range(0, len(span), BATCH):
            batch = span.iloc[first : first + BATCH]
            request_id = f"flights-{start:%Y%m%d}-{first}"
            rows = self._contract.rows(batch)
            for row, time, flight in zip(rows, batch["time"], batch["flight_id"], strict=True):
                row |= {"time": time.isoformat(), "flight_id": flight}
            answer = _post(f"{url}/api/v1.0/predictions", {"meta": {"puid": request_id}, "jsonData": {"rows": rows}})
            if len(answer["jsonData"]["predictions"]) != len(batch):
                raise DeploymentError("the service answered fewer rows than were asked", seen=answer)
            self._asked.append(
                pd.DataFrame(
                    {
                        "request_id": request_id,
                        "row": range(len(batch)),
                        "time": batch["time"].to_numpy(),
                        "late": batch["late"].to_numpy(),
                    }
                )
            )
            self.sent += len(batch)
        return len(span)

    def report(self, url: str, now: datetime, delay: pd.Timedelta) -> int:
        """Report every outcome that is known by now: flights that departed at least ``delay`` ago and arrived.

        Returns:
            Labels reported.
        """
        if not self._asked:
            return 0
        asked = pd.concat(self._asked, ignore_index=True)
        known = asked["time"].dt.tz_localize("UTC") if asked["time"].dt.tz is None else asked["time"]
        due = known + delay <= now
        labels = [
            {"request_id": r.request_id, "row": int(r.row), "value": bool(r.late), "time": now.isoformat()}
            for r in asked[due & asked["late"].notna()].itertuples()
        ]
        for first in range(0, len(labels), 4 * BATCH):
            truth = {"jsonData": {"labels": labels[first : first + 4 * BATCH]}}
            _post(f"{url}/api/v1.0/feedback", {"truth": truth})
        self._asked = [asked[~due]]
        self.reported += len(labels)
        return len(labels)


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise DeploymentError("the service refused a request", seen=error.read().decode()[:500]) from error
    except OSError as error:
        raise DeploymentError(f"the service at {url} does not answer", seen=str(error)) from error
