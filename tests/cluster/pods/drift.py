"""Send rows whose ``size`` has moved by three standard deviations: ``python drift.py URL ROWS``."""

import json
import sys
from urllib.request import Request, urlopen

from tests.tables import table

url, count = sys.argv[1], int(sys.argv[2])
frame = table(count, seed=11).drop(columns="y")
frame["size"] += 3
frame = frame.astype(object)
rows = frame.where(frame.notna(), None).to_dict("records")
for start in range(0, count, 500):
    body = json.dumps({"jsonData": {"rows": rows[start : start + 500]}, "meta": {"puid": f"drift-{start}"}}).encode()
    with urlopen(
        Request(f"{url}/api/v1.0/predictions", body, {"Content-Type": "application/json"}), timeout=60
    ) as answer:
        assert len(json.load(answer)["jsonData"]["predictions"]) == len(rows[start : start + 500])
print("sent", flush=True)
