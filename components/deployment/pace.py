"""How fast the real server answers, before any client asks it: with the wrapper and the network that clients have.

A version that surely misses ``design.infrastructure.latency_ms`` there does not go live, unless what serves misses it
too: then it is the machine that is slow, and keeping the old version would help nobody. What served already, and what
a person has gone back to or promoted against the rules, is never kept out for that.
"""

import json
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import structlog

from ciclo.components.core.errors import DeploymentError
from ciclo.components.core.wording import counted
from ciclo.components.deployment.live_check import ASK_SECONDS, ask

FEW, MANY = 20, 100  # requests of one row, and how many where a few leave it in doubt
SILENT = 5  # failures in a row after which no more is asked
MAY_BE_LATE = 0.05
SURELY = 0.001  # how rarely a server that keeps to the limit is found to miss it


@dataclass(frozen=True)
class Pace:
    """What was measured of a server.

    Attributes:
        milliseconds: In which it answered a row in 95 % of the cases; infinite if it did not.
        asked: How many requests it got.
        late: How many of them took longer than they may, or failed.
        load_seconds: What it took to fetch, verify, read and compile the model, as the server says; 0 if it does not.
        memory_mb: The most memory that one of its processes has held, in units of 1,048,576 bytes, likewise.
    """

    milliseconds: float
    asked: int
    late: int
    load_seconds: float = 0.0
    memory_mb: float = 0.0

    @property
    def surely_late(self) -> bool:
        """Whether more than 5 % of its answers take longer than they may, beyond the luck of so few requests."""
        from scipy.stats import binom

        return bool(self.late and binom.sf(self.late - 1, self.asked, MAY_BE_LATE) < SURELY)


def pace(url: str, golden: dict[str, Any], limit: float) -> Pace:
    """Measure a server.

    Args:
        url: Its address.
        golden: Rows to ask, one at a time and one after the other.
        limit: Milliseconds that 95 % of the answers may take.
    """
    rows, taken = golden["rows"], list[float]()
    for number in range(MANY):
        if number == FEW and _measured(taken, limit).milliseconds <= limit:
            break
        answer = ask(url, [rows[number % len(rows)]])
        taken.append(math.inf if answer.problem else answer.milliseconds)
        if taken[-SILENT:] == [math.inf] * SILENT:
            break
    return _measured(taken, limit, _loading_of(url))


def require_pace(url: str, golden: dict[str, Any], limit: float, serving: str = "", *, may_refuse: bool = True) -> Pace:
    """Let a server through that is fast enough, or no slower than the one that serves is allowed to be.

    Args:
        url: Address of the new server.
        golden: Rows to ask.
        limit: Milliseconds that 95 % of the answers may take.
        serving: Address of the server that serves; empty if none does.
        may_refuse: Whether a slow server is kept out; otherwise it is told.

    Raises:
        DeploymentError: If it surely misses the limit and what serves does not.
    """
    new = pace(url, golden, limit)
    if new.milliseconds <= limit:
        return new
    seen = f"{new.late} of {counted(new.asked, 'request')} of one row took longer than {limit:g} ms or failed"
    if not may_refuse or not new.surely_late or (serving and pace(serving, golden, limit).surely_late):
        structlog.get_logger().warning("the server is slower than its users need", seen=seen, latency_ms=limit)
        return new
    raise DeploymentError(
        "the server is too slow for its users",
        seen=f"{seen}, where 5 % may",
        hint="Leave out the slow candidate (training.candidates), allow more (design.infrastructure.latency_ms), or "
        "give it more processor where pods serve (deployment.resources).",
    )


def _measured(taken: list[float], limit: float, loading: dict[str, float] | None = None) -> Pace:
    usual = sorted(taken)[math.ceil(0.95 * len(taken)) - 1]
    return Pace(round(usual, 1), len(taken), sum(one > limit for one in taken), **(loading or {}))


def _loading_of(url: str) -> dict[str, float]:
    """What the server says of itself; a server of an earlier release says nothing."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        with urlopen(f"{url}/health/status", timeout=ASK_SECONDS) as answer:  # noqa: S310
            answered = json.load(answer)["jsonData"]
        return {name: float(answered[name]) for name in ("load_seconds", "memory_mb")}
    return {}
