"""The command line of a benchmark that has sections."""

import argparse
import time
from collections.abc import Sequence
from importlib import import_module


def run_sections(program: str, about: str, sections: Sequence[str]) -> None:
    """Run the sections that were asked for.

    Args:
        program: The module that is run.
        about: What it is, the first line of which is shown.
        sections: Modules of ``benchmarks``, each with a ``main(quick)``.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"any of {', '.join(sections)}; all by default")
    parser.add_argument("--quick", action="store_true", help="few streams, rows or simulations")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(sections):
        parser.error(f"there is no section {', '.join(sorted(unknown))}; there are {', '.join(sections)}")
    for name in given.sections or sections:
        start = time.perf_counter()
        import_module(f"benchmarks.{name}").main(quick=given.quick)
        print(f"({name} took {time.perf_counter() - start:.0f} s)\n", flush=True)
