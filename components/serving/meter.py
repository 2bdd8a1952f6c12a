"""Counts and latencies of one worker, kept until seldon-core asks for them."""

import threading
from collections import Counter, deque
from time import monotonic
from typing import Any

from ciclo.components.core.errors import CicloError, RequestError

SECONDS_BETWEEN_HANDOVERS = 1.0
MOST_LATENCIES = 10_000

Metric = dict[str, Any]


class Meter:
    """What happened since the last handover.

    Each handover costs seldon-core round trips to another process, so requests hand over once a second at most. Health
    checks take part too: sum over the label ``method``.
    """

    def __init__(self, version: int) -> None:
        self._tags = {"version": str(version)}
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._latencies: deque[float] = deque(maxlen=MOST_LATENCIES)
        self._handed_over = monotonic()

    def answered(self, rows: int, milliseconds: float) -> None:
        """A request was answered."""
        with self._lock:
            self._counts.update({"ciclo_requests": 1, "ciclo_rows": rows})
            self._latencies.append(milliseconds)

    def failed(self, error: Exception) -> None:
        """A request was refused (the client's fault), not recorded (the spool's) or failed (ours)."""
        kind = (
            "refused"
            if isinstance(error, RequestError)
            else "unrecorded"
            if isinstance(error, CicloError)
            else "failed"
        )
        with self._lock:
            self._counts[f"ciclo_{kind}"] += 1

    def repeated(self) -> None:
        """A request was a retry, answered as before and not recorded again."""
        with self._lock:
            self._counts["ciclo_retries"] += 1

    def segment_refused(self) -> None:
        """The database refused a part of a segment for ever, or a part of it was damaged."""
        with self._lock:
            self._counts["ciclo_segments_refused"] += 1

    def due(self, waiting: int) -> list[Metric]:
        """As ``take``, but empty if the last handover was a moment ago."""
        return self.take(waiting) if monotonic() - self._handed_over >= SECONDS_BETWEEN_HANDOVERS else []

    def take(self, waiting: int) -> list[Metric]:
        """Hand over.

        Args:
            waiting: Bytes in the spool.
        """
        with self._lock:
            counts, latencies = self._counts, list(self._latencies)
            self._counts = Counter()
            self._latencies.clear()
            self._handed_over = monotonic()
        return [
            *(self._metric("COUNTER", key, value) for key, value in counts.items()),
            *(self._metric("TIMER", "ciclo_latency", value) for value in latencies),
            self._metric("GAUGE", "ciclo_spool_bytes", waiting),
        ]

    def _metric(self, kind: str, key: str, value: float) -> Metric:
        return {"type": kind, "key": key, "value": value, "tags": dict(self._tags)}
