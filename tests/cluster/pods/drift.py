"""Send rows of the last two weeks: ``python drift.py URL ROWS STANDARD_DEVIATIONS``.

Their ``size`` has moved by so many deviations; if it has, the outcomes are reported as well, and each is the opposite
of what was answered.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

from tests.tables import table

url, count, shift = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
DAYS = 13


def post(path: str, body: dict[str, Any]) -> Any:
    request = Request(f"{url}/api/v1.0/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


now = datetime.now(UTC)
frame = table(count, seed=11).drop(columns="y")
frame["size"] += shift
frame["at"] = [(now - timedelta(days=n % DAYS, hours=2)).isoformat() for n in range(count)]
frame = frame.astype(object)
rows = frame.where(frame.notna(), None).to_dict("records")
for start in range(0, count, 500):
    name, sent = f"drift-{shift}-{start}", rows[start : start + 500]
    answers = post("predictions", {"jsonData": {"rows": sent}, "meta": {"puid": name}})["jsonData"]["predictions"]
    assert len(answers) == len(sent)
    if shift:
        labels = [
            {"request_id": name, "row": n, "value": not answer["prediction"], "time": now.isoformat()}
            for n, answer in enumerate(answers)
        ]
        post("feedback", {"truth": {"jsonData": {"labels": labels}}})
print("sent", flush=True)
