"""The gates, measured: how often do they promote what is equal, what is better and what is worse?

    python -m benchmarks.gate                         # everything, below 3 minutes on two cores
    python -m benchmarks.gate --quick                 # the same with few simulations, below 30 seconds
    python -m benchmarks.gate promoted refits         # some of: promoted refits worthwhile

Every decision is made by the code of the gate, on rows whose truth is known. Beside it, on the same rows, what a bare
comparison and an interval of the row bootstrap would have done.
"""

from benchmarks.sections import run_sections

SECTIONS = ("promoted", "refits", "worthwhile")


if __name__ == "__main__":
    run_sections("benchmarks.gate", __doc__ or "", SECTIONS)
