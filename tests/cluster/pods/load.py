"""A steady load with an end: ``python load.py URL PER_SECOND SECONDS``.

Each request has a connection of its own and a time-out. Once a second a line says what has become of all requests so
far, as JSON: how many were sent, how many failed and how, and how many each version answered.
"""

import json
import sys
import threading
import time
from collections import Counter
from urllib.request import Request, urlopen

from tests.tables import table

url, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
frame = table(200, seed=5).drop(columns="y").astype(object)
rows = frame.where(frame.notna(), None).to_dict("records")
versions: Counter[str] = Counter()
failures: list[str] = []
sent = 0
lock = threading.Lock()


def ask(number: int) -> None:
    body = json.dumps({"jsonData": {"rows": [rows[number % len(rows)]]}, "meta": {"puid": f"load-{number}"}}).encode()
    try:
        request = Request(f"{url}/api/v1.0/predictions", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=10) as answer:
            version = json.load(answer)["jsonData"]["version"]
        with lock:
            versions[str(version)] += 1
    except Exception as error:  # whatever it is, the request is lost
        with lock:
            failures.append(f"{time.time():.1f} {type(error).__name__}: {error}")


started = time.monotonic()
while time.monotonic() - started < seconds:
    threading.Thread(target=ask, args=(sent,), daemon=True).start()
    sent += 1
    if sent % int(rate) == 0:
        with lock:
            line = {"sent": sent, "failed": len(failures), "last": failures[-3:], "versions": dict(versions)}
        print(json.dumps(line), flush=True)
    time.sleep(max(0.0, started + sent / rate - time.monotonic()))
