"""The watch, measured: is it calm where nothing happens, awake where something does, and fast?

    python -m benchmarks.drift                        # everything, about 20 minutes on two cores
    python -m benchmarks.drift --quick                # the same with few streams and rows, 2 minutes
    python -m benchmarks.drift calm awake             # some of: calm awake labels fast stored

``stored`` takes one tick over 1,000,000 stored rows in SQLite, and over 10,000,000 in PostgreSQL if CICLO_PREDICTIONS
names one (``.ci/with-services`` starts one). Evidently runs in an environment of its own, ``build/evidently``.
"""

import argparse
import time
from importlib import import_module

SECTIONS = ("calm", "awake", "labels", "fast", "stored")


def main() -> None:
    """Run the sections that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"any of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="few streams and rows")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    for name in given.sections or SECTIONS:
        start = time.perf_counter()
        import_module(f"benchmarks.{name}").main(quick=given.quick)
        print(f"({name} took {time.perf_counter() - start:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
