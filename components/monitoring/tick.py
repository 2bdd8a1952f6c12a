"""One tick: look, decide, write down, tell, and submit at most one run. All reading and writing is done here.

The order makes every crash harmless. A run is claimed before anything is said of it; people are told before the
decision is filed, so that a crash repeats an alert and never swallows one; the run is submitted last, and a claim
without a run is taken up by a later tick.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from ciclo.components.core.alerts import send_alert
from ciclo.components.core.errors import CicloError, IntegrityError, NotFoundError
from ciclo.components.core.project import Project
from ciclo.components.core.report import Report
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.settings import settings
from ciclo.components.monitoring.claims import claim_run, close_claims, start_run
from ciclo.components.monitoring.decision import decide
from ciclo.components.monitoring.decision import replay as replay_evidence
from ciclo.components.monitoring.log import DecisionLog
from ciclo.components.monitoring.observation import Observer, window_of
from ciclo.components.monitoring.records import Decision, History
from ciclo.components.monitoring.report import tick_report
from ciclo.components.monitoring.submission import Submitter
from ciclo.components.monitoring.unserved import Unserved, mend, unserved
from ciclo.components.releases.names import SERVING, Alias
from ciclo.components.releases.registry import Registry
from ciclo.components.storage.objects import ObjectStore
from ciclo.components.storage.predictions import PredictionStore

ALERTED = frozenset({"alert", "recommend", "blocked", "escalate_development", "escalate_design"})


def tick(
    project: Project,
    *,
    registry: Registry,
    predictions: PredictionStore,
    store: ObjectStore,
    clock: Callable[[], datetime],
    submit: Submitter | None = None,
    dry_run: bool = False,
) -> Decision:
    """Run one tick.

    Args:
        project: The project; its policy holds, not the one that what serves was trained under.
        registry: Knows what serves.
        predictions: What it answered.
        store: Where decisions and claims are kept.
        clock: The time, with its zone.
        submit: Runs the pipeline; without one a retraining is only recommended.
        dry_run: Look and decide, but write, tell and submit nothing.

    Returns:
        The decision.

    Raises:
        CicloError: If something that is needed cannot be reached; nothing is half done then.
    """
    now, log, policy = clock(), DecisionLog(store, project.name), project.monitoring
    history = log.history(now, policy)
    acts = submit is not None and not dry_run
    if submit is not None and acts:
        close_claims(log, history, registry, submit, now)
        history = log.history(now, policy)
    gap = unserved(registry, now)
    if gap is not None and submit is not None and acts:
        gap = mend(gap, registry, submit, now - timedelta(days=project.design.label_delay_days), now)
    serving = registry.alias(SERVING)
    decision, report = _assess(project, serving, registry, predictions, history, now)
    decision = _with_gap(decision, gap)
    if serving is not None and submit is not None and submit.is_down():
        decision = _down(decision)
    if decision.action == "retrain" and not acts:
        decision = decision.model_copy(update={"action": "recommend"})
    if dry_run:
        return decision
    claim = None
    if decision.action == "retrain" and serving is not None:
        claim = claim_run(log, project, serving, decision, history)
        if claim is None:
            reason = f"{decision.reason.rstrip('.')}, but another tick was first to claim the run."
            decision = decision.model_copy(update={"action": "blocked", "reason": reason, "retrain_end": None})
    changed = not history.decisions or history.decisions[-1].state != decision.state
    _alert(project, decision, changed)
    log.append(decision, report(decision=decision).html() if report and changed and decision.action != "ok" else "")
    if claim is not None and submit is not None:
        start_run(log, claim, submit, now)
    return decision


def _assess(
    project: Project,
    serving: Alias | None,
    registry: Registry,
    predictions: PredictionStore,
    history: History,
    now: datetime,
) -> tuple[Decision, Callable[..., Report] | None]:
    """Judge what serves; the decision, and how to show it if there is anything to show."""
    policy = project.monitoring
    start, end = window_of(now, policy)
    if serving is None:
        reason = "Nothing serves yet, so there is nothing to watch."
        return Decision(action="ok", reason=reason, version=0, window_start=start, window_end=end, time=now), None
    try:
        with _observed(project, serving, registry, predictions) as observer:
            evidence = observer.evidence(start, end)
    except (IntegrityError, NotFoundError) as error:
        return _unreadable(serving, error, start, end, now), None
    decision = decide(evidence, history, now, policy)
    return decision, partial(tick_report, project.name, evidence=evidence, profile=observer.profile)


def _unreadable(serving: Alias, error: CicloError, start: datetime, end: datetime, now: datetime) -> Decision:
    reason = (
        f"Version {serving.version} serves, and what it was trained on cannot be read, so its predictions cannot be "
        f"judged: {error} A run of the pipeline can replace it."
    )
    return Decision(
        action="alert",
        reason=reason,
        cause="unreadable version",
        version=serving.version,
        window_start=start,
        window_end=end,
        time=now,
    )


def _down(decision: Decision) -> Decision:
    """A decision in view of a server that does not run."""
    reason = f"The server of version {decision.version} does not run on this machine; `ciclo deploy` starts it again."
    changes: dict[str, Any] = {"reason": f"{reason} {decision.reason}"}
    if decision.action in ("ok", "watch"):
        changes |= {"action": "alert", "cause": "no server"}
    return decision.model_copy(update=changes)


def _with_gap(decision: Decision, gap: Unserved | None) -> Decision:
    """A decision in view of a champion that does not serve: nothing is retrained before it does."""
    if gap is None:
        return decision
    changes: dict[str, Any] = {"reason": f"{gap.reason} {decision.reason}"}
    if decision.action == "retrain":
        changes |= {"action": "blocked", "retrain_end": None}
    elif gap.failed and decision.action in ("ok", "watch"):
        changes |= {"action": "alert", "cause": "the champion does not serve"}
    return decision.model_copy(update=changes)


def replay(
    project: Project,
    *,
    registry: Registry,
    predictions: PredictionStore,
    start: datetime,
    end: datetime,
    policy: Monitoring | None = None,
) -> list[Decision]:
    """Say what a policy would have decided about past windows, judged against what serves today.

    Args:
        project: The project.
        registry: Knows what serves.
        predictions: What was answered, by any version.
        start: Start of the first window.
        end: End of the last window, at most.
        policy: The policy to try; that of the project by default.

    Raises:
        NotFoundError: If nothing serves.
    """
    policy = policy or project.monitoring
    serving = registry.alias(SERVING)
    if serving is None:
        raise NotFoundError(f"{project.name} serves nothing to replay", hint="Train and deploy a version first.")
    length = timedelta(days=policy.window_days)
    tried = project.model_copy(update={"monitoring": policy})
    with _observed(tried, serving, registry, predictions) as observer:
        count = max(0, (end - start) // length)
        windows = [(start + length * i, start + length * (i + 1)) for i in range(count)]
        return replay_evidence([observer.evidence(a, b, any_version=True) for a, b in windows], policy)


@contextmanager
def _observed(project: Project, serving: Alias, registry: Registry, predictions: PredictionStore) -> Iterator[Observer]:
    with tempfile.TemporaryDirectory() as folder:
        bundle = registry.fetch(serving.version, Path(folder))
        observer = Observer(
            project=project.name,
            serving=serving,
            profile=bundle.profile,
            contract=bundle.contract,
            verdict=bundle.verdict,
            predictions=predictions,
            policy=project.monitoring,
            label_delay=timedelta(days=project.design.label_delay_days),
        )
        yield observer


def _alert(project: Project, decision: Decision, changed: bool) -> None:
    structlog.get_logger().info("decision", project=project.name, action=decision.action, reason=decision.reason)
    if changed and decision.action in ALERTED:
        cause = f", {decision.cause}" if decision.action == "alert" else ""
        title = f"{project.name}: {decision.action.replace('_', ' ')}{cause}"
        send_alert(title, _body(project, decision), settings(), project)


def _body(project: Project, decision: Decision) -> str:
    contacts = project.design.escalation
    contact = {"escalate_development": contacts.development, "escalate_design": contacts.design}.get(decision.action)
    return decision.reason + (f"\nContact: {contact}" if contact else "")
