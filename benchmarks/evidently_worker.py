"""Evidently's default drift preset on Parquet files; runs in an environment of its own and knows nothing of Ciclo.

Reads one job a line, ``{"reference": path, "windows": [path, ...], "page": path or null}``, and answers each with a
line: ``{"drifted": [bool, ...], "seconds": [float, ...]}``.
"""

import json
import sys
import time

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset


def main() -> None:
    """Answer until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        job = json.loads(line)
        reference, drifted, seconds = pd.read_parquet(job["reference"]), [], []
        for path in job["windows"]:
            window = pd.read_parquet(path)
            start = time.perf_counter()
            found = Report([DataDriftPreset()]).run(window, reference)
            if job["page"]:
                found.save_html(job["page"])
            seconds.append(time.perf_counter() - start)
            counted = found.dict()["metrics"][0]
            drifted.append(counted["value"]["share"] >= counted["config"]["drift_share"])
        print(json.dumps({"drifted": drifted, "seconds": seconds}), file=answers, flush=True)


if __name__ == "__main__":
    main()
