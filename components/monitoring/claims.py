"""From a decision to at most one run, and from a run to its outcome, whatever crashes in between.

A claim comes first, then the run under a name that follows from the claim, then the run's id in the claim. A tick that
died leaves a claim without a run; once it is no longer held, a later tick takes it over and looks for the run by name.
"""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from ciclo.components.core.errors import IntegrityError, NotFoundError, SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.monitoring.log import HOLD, DecisionLog, claim_key
from ciclo.components.monitoring.records import Claim, Decision, History, Outcome, Result
from ciclo.components.monitoring.submission import State, Submitter
from ciclo.components.releases.names import CHAMPION, Alias
from ciclo.components.releases.registry import Registry

RUN_LIMIT = timedelta(days=2)


def claim_run(
    log: DecisionLog, project: Project, champion: Alias, decision: Decision, history: History
) -> Claim | None:
    """Try to become the one tick that submits a run.

    Returns:
        The claim, or None if another tick was first.
    """
    key = claim_key(project.name, champion.digest, history, project.monitoring)
    claim = Claim(
        key=key,
        run_name=f"{project.name}-retrain-{key[:12]}",
        champion=champion.version,
        time=decision.time,
        holder=secrets.token_hex(8),
        held_until=decision.time + HOLD,
        retrain_end=decision.retrain_end or decision.window_end,
        trigger=decision.cause,
    )
    return claim if log.claim(claim) else None


def start_run(log: DecisionLog, claim: Claim, submit: Submitter, now: datetime) -> None:
    """Submit the run of a claim that is held, unless it exists already.

    Raises:
        SubmissionError: If that failed; the claim is given back for the next tick.
    """
    try:
        run_id = submit.find(claim.run_name) or submit.submit(claim.run_name, claim.retrain_end, claim.trigger)
    except SubmissionError:
        log.release(claim, now)
        raise
    log.submitted(claim, run_id)


def close_claims(log: DecisionLog, history: History, registry: Registry, submit: Submitter, now: datetime) -> None:
    """Submit what a dead tick left behind, and write down how runs ended."""
    for claim in history.open_claims:
        run_id = claim.run_id or submit.find(claim.run_name)
        # The state is asked for before the registry: a run that has ended has published by then.
        state = submit.state(run_id) if run_id else "unknown"
        outcome = ended(claim, run_id, state, made_by(run_id, registry), registry.alias(CHAMPION), now)
        if outcome is not None:
            log.settle(outcome)
        elif claim.run_id is None and (held := log.take_over(claim, now)):
            start_run(log, held, submit, now)


@dataclass(frozen=True)
class Made:
    """What a run published.

    Attributes:
        version: The version.
        promoted: When it became the champion, or None if it never did.
    """

    version: int
    promoted: datetime | None


def made_by(run_id: str | None, registry: Registry) -> Made | None:
    """The version whose lineage names a run, the newest if there are several; None if there is none to be read."""
    for version in reversed(registry.find("run", run_id)) if run_id else ():
        with suppress(IntegrityError, NotFoundError):
            if registry.record(version).lineage.get("run") == run_id:
                moves = [m for m in registry.history() if (m["alias"], m["version"]) == (CHAMPION, version)]
                return Made(version, datetime.fromisoformat(moves[0]["moved_at"]) if moves else None)
    return None


def ended(
    claim: Claim, run_id: str | None, state: State, made: Made | None, champion: Alias | None, now: datetime
) -> Outcome | None:
    """How a claimed run ended, or None while that is open.

    What another run made meanwhile is not taken for what this one did.

    Args:
        claim: The claim.
        run_id: Its run, if there is one.
        state: How the run stands.
        made: What the run published, read after the state.
        champion: The champion, read after the state.
        now: The time of the tick.
    """
    late = now - claim.time > RUN_LIMIT

    def outcome(result: Result, version: int | None = None, time: datetime = now) -> Outcome:
        return Outcome(claim=claim.key, run_id=run_id or "", result=result, version=version, time=min(time, now))

    if run_id is None:
        replaced = champion is not None and champion.version > claim.champion
        return outcome("stopped" if replaced else "failed") if replaced or late else None
    if state == "running" and not late:
        return None
    if made is not None and made.promoted is not None:
        return outcome("promoted", made.version, made.promoted)
    if state == "succeeded":
        return outcome("waiting", made.version) if made is not None else outcome("refused")
    return outcome("failed") if state == "failed" or late else None
