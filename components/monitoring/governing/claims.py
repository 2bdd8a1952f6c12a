"""From a decision to at most one run, and from a run to its outcome, whatever crashes in between.

A claim comes first, then the run under a name that follows from the claim, then the run's id in the claim. A tick that
died leaves a claim without a run; once it is no longer held, a later tick takes it over and looks for the run by name.
Right before it submits, a holder writes into the claim that it still holds it. One that was presumed dead cannot, and
submits nothing; for the moment between that and the submission the submitter sees to it that of one name there is one
run.
"""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from ciclo.components.core.errors import IntegrityError, NotFoundError, StorageError, SubmissionError
from ciclo.components.core.project import Project
from ciclo.components.core.schedule import quiet_until
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.wording import listed
from ciclo.components.monitoring.log import HOLD, HORIZON, DecisionLog, claim_key
from ciclo.components.monitoring.records import Claim, Decision, History, Outcome, Result
from ciclo.components.monitoring.submitting.submission import State, Submitter
from ciclo.components.releases.names import CHAMPION, Alias
from ciclo.components.releases.registry import Registry
from ciclo.components.runs.notes import notes_in

RUN_LIMIT = timedelta(days=2)
NAMED = 5


def claim_run(log: DecisionLog, project: Project, serving: Alias, decision: Decision, history: History) -> Claim | None:
    """Try to become the one tick that submits a run.

    Args:
        log: Holds the claims.
        project: The project.
        serving: What serves.
        decision: To retrain, or to restore.
        history: What the decision rests on; a claim that is not in it makes this one fail.

    Returns:
        The claim, or None if another tick was first.
    """
    episode = decision.episode or decision.window_start
    attempt = sum((c.champion, c.episode) == (serving.version, episode) for c in history.claims) + 1
    key = claim_key(project.name, serving.digest, episode, attempt)
    claim = Claim(
        key=key,
        number=max((c.number for c in history.claims), default=0) + 1,
        run_name=f"{project.name}-{decision.action}-{key[:12]}",
        champion=serving.version,
        digest=serving.digest,
        episode=episode,
        attempt=attempt,
        time=decision.time,
        holder=secrets.token_hex(8),
        held_until=decision.time + HOLD,
        retrain_start=decision.retrain_start,
        retrain_end=decision.retrain_end or decision.window_end,
        trigger=decision.cause,
        decision=decision,
    )
    return claim if log.claim(claim) else None


def start_run(log: DecisionLog, claim: Claim, submit: Submitter, now: datetime) -> None:
    """Submit the run of a claim that is held, unless it exists already or somebody else holds the claim by now.

    Raises:
        SubmissionError: If that failed; the claim is given back for the next tick.
    """
    try:
        run_id = submit.find(claim.run_name)
        if run_id is None:
            held = log.renew(claim, now)
            if held is None:
                return
            claim = held
            run_id = submit.submit(
                claim.run_name,
                claim.retrain_start,
                claim.retrain_end,
                claim.trigger,
                description(claim),
                restore=claim.champion if claim.restores else 0,
            )
    except SubmissionError:
        log.release(claim, now)
        raise
    log.submitted(claim, run_id)


def description(claim: Claim) -> str:
    """Why a run was started, the most telling first: a dashboard shows the beginning of it."""
    decision = claim.decision
    if decision is None:
        return claim.trigger
    columns = listed(decision.columns, NAMED)
    parts = [
        f"{claim.trigger}: {columns}" if columns else claim.trigger,
        f"window {decision.window_start:%Y-%m-%d %H:%M} to {decision.window_end:%Y-%m-%d %H:%M}",
        f"report {decision.report}" if decision.report else "",
    ]
    return f"{'; '.join(part for part in parts if part)}. {decision.reason}"


def close_claims(
    log: DecisionLog, history: History, registry: Registry, submit: Submitter, now: datetime, policy: Monitoring
) -> None:
    """Submit what a dead tick left behind, and write down how runs ended.

    Raises:
        SubmissionError: If a run has to be submitted and cannot be.
    """
    for claim in history.open_claims:
        run_id = claim.run_id or submit.find(claim.run_name)
        # The state is asked for before the registry: a run that has ended has published by then.
        state = submit.state(run_id) if run_id else "unknown"
        outcome = ended(claim, run_id, state, made_by(run_id, registry), registry.alias(CHAMPION), now)
        if outcome is not None:
            log.settle(_escalated(outcome, log, registry.project))
        elif quiet_until(policy.quiet_hours, now) is None and (held := log.take_over(claim, now)):
            start_run(log, held, submit, now)


def _escalated(outcome: Outcome, log: DecisionLog, project: str) -> Outcome:
    """The outcome, with what the run itself wrote down of the simple answers."""
    if outcome.result != "refused":
        return outcome
    with suppress(StorageError):
        if any(note.ending == "escalated" for note in notes_in(log.store, outcome.run_id, project)):
            return outcome.model_copy(update={"result": "unbeaten"})
    return outcome


def unfiled(history: History, now: datetime) -> list[Decision]:
    """Decisions that claimed a run and were not filed by a tick that must be dead."""
    filed = {d.time for d in history.decisions}
    held = [c.decision for c in history.claims if c.decision]
    return [d for d in held if d.time not in filed and HOLD <= now - d.time < HORIZON]


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

    if run_id is None:  # it could never be submitted, which tells nothing about the model
        replaced = champion is not None and champion.version > claim.champion
        return outcome("stopped") if replaced or late else None
    if state == "running" and not late:
        return None
    if made is not None and made.promoted is not None:
        return outcome("promoted", made.version, made.promoted)
    if state == "succeeded":
        return outcome("waiting", made.version) if made is not None else outcome("refused")
    return outcome("failed") if state == "failed" or late else None
