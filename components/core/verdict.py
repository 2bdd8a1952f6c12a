"""Verdicts: what a gate decided, about what, and why.

A verdict is data, not an exception: "not promoted" is a normal outcome and is kept. ``require`` is the one way to
act on one, and it fails closed.
"""

import math
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ciclo.components.core.errors import VerdictError

Severity = Literal["error", "warning"]


class Check(BaseModel):
    """One question a gate asked.

    Attributes:
        name: What was checked, as a short snake_case name.
        passed: The answer.
        level: ``error`` decides the verdict, ``warning`` is only shown.
        value: What was measured, if it is a number.
        limit: What it was compared with, if it is a number.
        message: The finding as a sentence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passed: bool
    level: Severity = "error"
    value: float | None = None
    limit: float | None = None
    message: str = ""


class Verdict(BaseModel):
    """What a gate decided.

    Attributes:
        gate: The stage that decided.
        decision: One plain ASCII word; the passing words are those of ``PASSING``.
        reason: Why, as one sentence for a person.
        subject: sha256 of what was judged (dataset or model), hex.
        checks: The questions behind it.
        facts: Flat numbers and strings worth keeping.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str
    decision: str
    reason: str
    subject: str
    checks: tuple[Check, ...] = ()
    facts: dict[str, str | float | int] = {}

    @property
    def passed(self) -> bool:
        """Whether the decision is a passing one and no error-level check failed."""
        return self.decision == PASSING.get(self.gate) and not self.failures

    @property
    def offered(self) -> bool:
        """Whether the decision is left to a person, and no error-level check failed."""
        return self.decision == OFFERING.get(self.gate) and not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The error-level checks that failed."""
        return tuple(c for c in self.checks if c.level == "error" and not c.passed)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """The warning-level checks that failed."""
        return tuple(c for c in self.checks if c.level == "warning" and not c.passed)

    def write(self, path: str | Path) -> None:
        """Write the verdict as JSON."""
        Path(path).write_text(self.model_dump_json(indent=2))

    @classmethod
    def read(cls, path: str | Path) -> "Verdict":
        """Read a verdict.

        Raises:
            VerdictError: If there is none or it cannot be read.
        """
        try:
            return cls.model_validate_json(Path(path).read_text())
        except (OSError, ValueError) as error:
            raise VerdictError(
                f"there is no readable verdict at {path}", hint="Run the pipeline from its start."
            ) from error


# The one word with which each gate lets something through, and the one that leaves it to a person.
PASSING = {"validation": "pass", "feasibility": "ml", "evaluation": "promote"}
OFFERING = {"evaluation": "candidate"}


def at_least(name: str, value: float, limit: float, message: str, **extra: Severity) -> Check:
    """A check that a finite value is not below its limit; NaN fails."""
    return Check(
        name=name,
        passed=math.isfinite(value) and value >= limit,
        value=_finite(value),
        limit=limit,
        message=message,
        **extra,
    )


def more_than(name: str, value: float, limit: float, message: str, *, level: Severity = "error") -> Check:
    """A check that a finite value is above its limit: an equal model is not worth a change; NaN fails."""
    passed = math.isfinite(value) and value > limit
    return Check(name=name, passed=passed, level=level, value=_finite(value), limit=limit, message=message)


def at_most(name: str, value: float, limit: float, message: str, **extra: Severity) -> Check:
    """A check that a finite value is not above its limit; NaN fails."""
    return Check(
        name=name,
        passed=math.isfinite(value) and value <= limit,
        value=_finite(value),
        limit=limit,
        message=message,
        **extra,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def require(verdict: Verdict | None, *, gate: str, subject: str, offered: bool = False) -> Verdict:
    """Let only a passing verdict of the right gate about the right thing through.

    Args:
        verdict: The verdict, or None if there is none.
        gate: The gate it must come from.
        subject: The sha256 it must be about.
        offered: Let one through as well that leaves the decision to a person.

    Returns:
        The verdict.

    Raises:
        VerdictError: In every other case.
    """
    if verdict is None:
        raise VerdictError(f"there is no verdict of {gate}", hint="Nothing is published or deployed without one.")
    if verdict.gate != gate:
        raise VerdictError(f"a verdict of {gate} is needed", seen=f"one of {verdict.gate}")
    if verdict.subject != subject or not subject:
        raise VerdictError(
            "the verdict is about something else",
            seen=f"verdict on {verdict.subject[:12] or 'nothing'}, asked for {subject[:12] or 'nothing'}",
            hint="Run evaluation again on the model that is to be published.",
        )
    if not (verdict.passed or (offered and verdict.offered)):
        raise VerdictError(f"the verdict of {gate} is '{verdict.decision}'", seen=verdict.reason)
    return verdict
