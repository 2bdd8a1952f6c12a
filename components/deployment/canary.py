"""A canary: a part of the pods serves the new version, beside the one that serves, while both are compared.

The split is that of the pods, since a Service gives each pod as many connections as any other: of 4 pods 1 new one gets
a quarter. So a step is never more than what was asked for, and a share smaller than one pod cannot be had.

What is compared are answers of both slots to the same requests, sent to the address of each slot, in pairs: the newest
requests that clients sent (from the prediction store, where the deployment is given one) and the golden ones. Pairs
cancel out what the two share, the load of the moment and hard rows among others, so a few dozen tell more than the
error rates of two different crowds of clients; and requests that clients send but the golden ones do not know are seen.
They are marked as a check and are recorded as no prediction. What clients themselves were answered is not counted here;
that is what monitoring does.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from ciclo.components.core.errors import CicloError, DeploymentError
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.core.wording import counted
from ciclo.components.deployment.live_check import Answer, ask
from ciclo.components.storage.windows import FEATURE, PredictionWindows

MOST_ROWS = 50
SPANS = (timedelta(minutes=15), timedelta(days=1), timedelta(days=7))
PACE_SECONDS = 0.1  # between two pairs
FEWEST_PAIRS = 20  # to compare latency and agreement
FAILURES = 0.01  # share of requests that may fail where the other slot answers: a connection breaks now and then
SLOWER = 1.5  # times the latency of the version that serves, where the limit is missed as well


@dataclass(frozen=True)
class Step:
    """A stage of a canary.

    Attributes:
        percent: The share of the requests it may get.
        pods: How many pods of the new version that makes, beside all those of the old one.
    """

    percent: float
    pods: int


def steps(project: Project) -> tuple[Step, ...]:
    """The steps of a canary, those with the same number of pods once; none where the strategy is another."""
    deployment = project.deployment
    if deployment.strategy != "canary":
        return ()
    found = {deployment.canary_pods(percent): percent for percent in reversed(deployment.canary_steps)}
    return tuple(Step(percent, pods) for pods, percent in sorted(found.items()))


def objection(pairs: Sequence[tuple[Answer, Answer]], project: Project) -> str | None:
    """What speaks against the new version.

    Args:
        pairs: What both slots answered to the same requests, the old one first.
        project: Its limits: ``design.infrastructure.latency_ms`` and ``deployment.canary_agreement``.

    Returns:
        A sentence, or None if nothing does.
    """
    asked = [(old, new) for old, new in pairs if not old.problem]
    failed = [new.problem for _, new in asked if new.problem]
    if len(failed) > FAILURES * len(asked):
        seen = f"{len(failed)} of {counted(len(asked), 'request')}"
        return f"it failed {seen} that the version which serves answers: {failed[0]}"
    both = [(old, new) for old, new in asked if not new.problem]
    if len(both) < FEWEST_PAIRS:
        return None
    limit = project.design.infrastructure.latency_ms
    before, now = (_late([pair[side].milliseconds for pair in both]) for side in (0, 1))
    if now > limit and now > SLOWER * before:
        return (
            f"19 of 20 requests take up to {now:.0f} ms, where {limit:g} are allowed and the version that serves "
            f"takes {before:.0f}"
        )
    agreed = agreement([(old.prediction, new.prediction) for old, new in both])
    if agreed < project.deployment.canary_agreement:
        return (
            f"it agrees with the version that serves on {agreed:.0%} of the requests, where at least "
            f"{project.deployment.canary_agreement:.0%} are asked for"
        )
    return None


def agreement(pairs: Sequence[tuple[Any, Any]]) -> float:
    """The share of pairs that agree: the same label, or numbers no further apart than the first ones spread."""
    first = [old for old, _ in pairs]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for pair in pairs for value in pair):
        return sum(bool(old == new) for old, new in pairs) / len(pairs)
    spread = float(statistics.pstdev(first))
    return sum(math.isclose(old, new, rel_tol=1e-6, abs_tol=spread) for old, new in pairs) / len(pairs)


@dataclass(frozen=True)
class Trial:
    """What is compared in each step.

    Attributes:
        project: The project.
        rows: The requests.
        steps: The steps.
    """

    project: Project
    rows: list[dict[str, Any]]
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, project: Project, golden: dict[str, Any], settings: Settings) -> "Trial":
        """The trial of a version."""
        found = steps(project)
        rows = [*golden["rows"], *recent_rows(project.name, settings)] if found else []
        return cls(project, rows, found)

    def run(self, step: Step, old: str, new: str, still: Callable[[], None]) -> None:
        """Compare the two slots for as long as a step lasts.

        Args:
            step: The step.
            old: Address of the slot that serves.
            new: Address of the other one.
            still: Raises if this deployment may not go on.

        Raises:
            DeploymentError: If anything speaks against the new version.
        """
        deadline = time.monotonic() + self.project.deployment.canary_minutes * 60
        pairs: list[tuple[Answer, Answer]] = []
        while True:
            for row in self.rows:
                sides = (old, new) if len(pairs) % 2 else (new, old)  # neither is always asked second
                answers = {side: ask(side, [row]) for side in sides}
                pairs.append((answers[old], answers[new]))
                time.sleep(PACE_SECONDS)
            still()
            if problem := objection(pairs, self.project):
                raise DeploymentError(
                    f"the canary is taken back: {problem}",
                    seen=f"step {step.percent:g} %, {counted(len(pairs), 'request')} to both versions",
                    hint="The version that served serves on. Look at the model card of the new one.",
                )
            if time.monotonic() > deadline:
                structlog.get_logger().info("canary passes a step", percent=step.percent, pairs=len(pairs))
                return


def recent_rows(project: str, settings: Settings) -> list[dict[str, Any]]:
    """The newest rows that clients sent; none where there is no prediction store, or it does not answer."""
    if not settings.predictions.get_secret_value():
        return []
    store, now = PredictionWindows(settings.predictions_uri), datetime.now(UTC)
    try:
        for span in SPANS:
            window = store.window(project, now - span, now + timedelta(minutes=5)).tail(MOST_ROWS)
            if len(window) == MOST_ROWS:
                break
    except CicloError as error:
        structlog.get_logger().warning("the canary is compared on golden requests alone", reason=str(error))
        return []
    finally:
        store.close()
    names = [name for name in map(str, window) if name.startswith(FEATURE)]
    frame = window[names].astype(object)
    rows = frame.where(frame.notna(), None).to_numpy().tolist()
    return [dict(zip([name.removeprefix(FEATURE) for name in names], row, strict=True)) for row in rows]


def _late(milliseconds: list[float]) -> float:
    """The latency that 19 of 20 stay below."""
    return sorted(milliseconds)[math.ceil(0.95 * len(milliseconds)) - 1]
