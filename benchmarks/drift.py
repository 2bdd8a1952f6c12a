"""The watch, measured: is it calm where nothing happens, awake where something does, and fast?

    python -m benchmarks.drift                        # everything, about 20 minutes on two cores
    python -m benchmarks.drift --quick                # the same with few streams and rows, 2 minutes
    python -m benchmarks.drift calm awake             # some of: calm awake labels fast stored

``stored`` takes one tick over 1,000,000 stored rows in SQLite, and over 10,000,000 in PostgreSQL if CICLO_PREDICTIONS
names one (``.ci/with-services`` starts one). Evidently runs in an environment of its own, ``build/evidently``.
"""

from benchmarks.sections import run_sections

SECTIONS = ("calm", "awake", "labels", "fast", "stored")


if __name__ == "__main__":
    run_sections("benchmarks.drift", __doc__ or "", SECTIONS)
