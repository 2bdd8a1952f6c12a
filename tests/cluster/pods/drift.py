"""Send rows of two hours ago whose ``size`` has moved: ``python drift.py URL ROWS STANDARD_DEVIATIONS``."""

import json
import sys
from datetime import UTC, datetime, timedelta
from urllib.request import Request, urlopen

from tests.tables import table

url, count, shift = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
frame = table(count, seed=11).drop(columns="y")
frame["size"] += shift
frame["at"] = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
frame = frame.astype(object)
rows = frame.where(frame.notna(), None).to_dict("records")
for start in range(0, count, 500):
    sent = rows[start : start + 500]
    body = json.dumps({"jsonData": {"rows": sent}, "meta": {"puid": f"drift-{shift}-{start}"}}).encode()
    request = Request(f"{url}/api/v1.0/predictions", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        assert len(json.load(answer)["jsonData"]["predictions"]) == len(sent)
print("sent", flush=True)
