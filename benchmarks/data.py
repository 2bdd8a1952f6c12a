"""The data stages, measured: how fast beside pandas with pandera and a bare copy, and how much memory for a long table?

    python -m benchmarks.data                       # both, about 15 minutes on two cores and 8 GB of disk
    python -m benchmarks.data --quick               # both, small: below 2 minutes
    python -m benchmarks.data fast_stages           # some of: fast_stages bounded_stages

Each stage runs in a process of its own; seconds are those of the clock, and memory is the peak of the process. Beside
the stages, on the same file: the same checks as a practitioner would write them with pandas and pandera (pinned, in an
environment of its own under build/pandera), and DuckDB's bare copy from CSV to Parquet, which checks nothing.
"""

from benchmarks.sections import run_sections

SECTIONS = ("fast_stages", "bounded_stages")


if __name__ == "__main__":
    run_sections("benchmarks.data", __doc__ or "", SECTIONS)
