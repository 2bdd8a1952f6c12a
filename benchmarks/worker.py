"""What a measured process says of itself; read in the environments of peers too, which know nothing of Ciclo."""

import json
import resource
import time
from collections.abc import Callable


def report(do: Callable[[], str]) -> None:
    """Do something and print, as JSON, its seconds, its processor seconds, its peak memory in MiB, and what it says."""
    start = time.perf_counter()
    summary = do()
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "seconds": time.perf_counter() - start,
        "processor": used.ru_utime + used.ru_stime,
        "megabytes": used.ru_maxrss / 1024,
        "summary": summary,
    }
    print(json.dumps(found))
