"""From a decision to at most one run, and from a run to its outcome, whatever crashes in between.

A claim comes first, then the run under a name that follows from the claim, then the run's id in the claim. A tick that
died leaves a claim without a run; once it is no longer held, a later tick takes it over and looks for the run by name.
"""

import secrets
from datetime import datetime, timedelta

from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.monitoring.log import HOLD, DecisionLog, claim_key
from ciclo.components.monitoring.records import Claim, Decision, History, Outcome, Result
from ciclo.components.monitoring.submission import State, Submitter
from ciclo.components.releases.names import CANDIDATE, CHAMPION, Alias
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
        # The state is asked for before the champion: a run that ended promoted has moved the champion by then.
        state = submit.state(run_id) if run_id else "unknown"
        outcome = ended(claim, run_id, state, registry.alias(CHAMPION), registry.alias(CANDIDATE), now)
        if outcome is not None:
            log.settle(outcome)
        elif claim.run_id is None and (held := log.take_over(claim, now)):
            start_run(log, held, submit, now)


def ended(
    claim: Claim, run_id: str | None, state: State, champion: Alias | None, candidate: Alias | None, now: datetime
) -> Outcome | None:
    """How a claimed run ended, or None while that is open.

    Args:
        claim: The claim.
        run_id: Its run, if there is one.
        state: How the run stands.
        champion: The champion, read after the state.
        candidate: The newest candidate, read after the state.
        now: The time of the tick.
    """
    late = now - claim.time > RUN_LIMIT
    replaced = champion is not None and champion.version > claim.champion

    offered = candidate is not None and candidate.version > claim.champion

    def outcome(result: Result) -> Outcome:
        made = {"promoted": champion, "waiting": candidate}.get(result)
        return Outcome(
            claim=claim.key,
            run_id=run_id or "",
            result=result,
            version=made.version if made else None,
            time=min(datetime.fromisoformat(made.moved_at), now) if made else now,
        )

    if run_id is None:
        return outcome("stopped" if replaced else "failed") if replaced or late else None
    if state == "running" and not late:
        return None
    if replaced:
        return outcome("promoted")
    if state == "succeeded":
        return outcome("waiting" if offered else "refused")
    return outcome("failed") if state == "failed" or late else None
