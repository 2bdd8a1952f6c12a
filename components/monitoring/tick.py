"""One tick: look, decide, write down, tell, and submit at most one run. All reading and writing is done here.

The order makes every crash harmless. A run is claimed before anything is said of it, and the claim holds the decision;
the decision is filed before people are told, and what they were told is kept apart, so that a crash repeats an alert
and never swallows one; the run is submitted last, and a claim without a run is taken up by a later tick. The same tick
twice, at the same time to the microsecond, is one tick: it finds its decision filed and leaves it at that.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from ciclo.components.core.errors import CicloError, IntegrityError, NotFoundError, SubmissionError
from ciclo.components.core.profile import Profile
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.settings import settings
from ciclo.components.monitoring.governing.claims import claim_run, close_claims, start_run, unfiled
from ciclo.components.monitoring.governing.decision import decide, in_view_of_refit
from ciclo.components.monitoring.governing.decision import replay as replay_evidence
from ciclo.components.monitoring.governing.governor import first_window
from ciclo.components.monitoring.log import DecisionLog
from ciclo.components.monitoring.observing.observation import Observer, window_of
from ciclo.components.monitoring.observing.refitted import RefitCheck
from ciclo.components.monitoring.records import RUNS, Decision, History, Kind
from ciclo.components.monitoring.submitting.submission import Submitter
from ciclo.components.monitoring.telling.alerting import tell
from ciclo.components.monitoring.telling.explanation import View
from ciclo.components.monitoring.telling.report import tick_report
from ciclo.components.monitoring.unserved import Unserved, mend, unserved
from ciclo.components.releases.names import SERVING, Alias
from ciclo.components.releases.registry import Registry
from ciclo.components.releases.story import refitted_until
from ciclo.components.storage.bundle import REFITTED, Bundle
from ciclo.components.storage.objects import ObjectStore
from ciclo.components.storage.windows import PredictionWindows

FOR_A_RUN = frozenset({"watch", "recommend", *RUNS, "blocked", "escalate_development", "escalate_design"})

UNSERVED: tuple[Kind, ...] = ("serving",)


def tick(
    project: Project,
    *,
    registry: Registry,
    predictions: PredictionWindows,
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
        submit: Runs the pipeline; without one a run is only recommended.
        dry_run: Look and decide, but write, tell and submit nothing.

    Returns:
        The decision.

    Raises:
        CicloError: If something that is needed cannot be reached; nothing is half done then, and where only runs cannot
            be submitted, the decision is filed first.
    """
    now, log = clock(), DecisionLog(store, project.name)
    if not dry_run and (known := log.decided(now)):
        return known
    runs = None if dry_run else submit
    history, trouble = _caught_up(project, log, registry, runs, now, dry_run)
    if mine := history.claimed_at(now):
        return mine
    gap = unserved(registry, now)
    if gap is not None and runs is not None:
        gap = mend(gap, registry, runs, now - timedelta(days=project.design.label_delay_days), now)
    serving = registry.alias(SERVING)
    decision, view = _assess(project, serving, registry, predictions, history, log, now)
    decision = _with_gap(decision, gap)
    if serving is not None and submit is not None and submit.is_down():
        decision = _down(decision)
    if decision.action in RUNS and runs is None:
        decision = decision.model_copy(update={"action": "recommend"})
    decision = _placed(decision, history)
    if dry_run:
        return decision
    if view is not None and serving is not None and view.evidence.refit is not None:
        log.file_refit_check(serving, view.evidence.refit)
    decision = carry_out(project, log, serving, decision, history, view, runs)
    if trouble is not None:
        raise trouble
    return decision


def _caught_up(
    project: Project, log: DecisionLog, registry: Registry, submit: Submitter | None, now: datetime, dry_run: bool
) -> tuple[History, SubmissionError | None]:
    """Finish what ticks that died have left; what was written down by then, and why a run could not be submitted."""
    policy = project.monitoring
    history, trouble = log.history(now, policy), None
    for lost in () if dry_run else unfiled(history, now):
        shown = lost if log.has_report(lost) else lost.model_copy(update={"report": ""})
        _file(project, log, shown, history, None)
        history = log.history(now, policy)
    if submit is not None and history.open_claims:
        try:
            close_claims(log, history, registry, submit, now, policy)
        except SubmissionError as error:
            trouble = error
        history = log.history(now, policy)
    return history, trouble


def carry_out(
    project: Project,
    log: DecisionLog,
    serving: Alias | None,
    decision: Decision,
    history: History,
    view: View | None,
    submit: Submitter | None,
) -> Decision:
    """Do what was decided: claim the run, tell people, file the decision, submit the run.

    Args:
        project: The project.
        log: Where decisions and claims are kept.
        serving: What serves.
        decision: What was decided.
        history: What it rests on.
        view: What it was seen in, if there was anything to see.
        submit: Runs the pipeline.

    Returns:
        The decision that was filed, which is another where another tick was first.

    Raises:
        SubmissionError: If the run could not be submitted; it is the next tick's then.
    """
    changed = not history.decisions or history.decisions[-1].state != decision.state
    if view is not None and changed:
        decision = decision.model_copy(update={"report": log.report_key(decision.time)})
    claim = None
    if decision.action in RUNS and serving is not None:
        claim = claim_run(log, project, serving, decision, history)
        if claim is None:
            now = decision.time
            if mine := log.history(now, project.monitoring).claimed_at(now):
                return mine
            reason = f"{decision.reason.rstrip('.')}, but another tick was first to claim the run."
            decision = decision.model_copy(update={"action": "blocked", "reason": reason, "retrain_end": None})
    decision = _file(project, log, decision, history, view)
    if claim is not None and submit is not None:
        start_run(log, claim, submit, decision.time)
    return decision


def _file(project: Project, log: DecisionLog, decision: Decision, history: History, view: View | None) -> Decision:
    """Show a decision, write it down, and tell people of it."""
    if decision.report and view is not None:
        log.file_report(decision, tick_report(project, decision, view, history).html())
    structlog.get_logger().info("decision", project=project.name, action=decision.action, reason=decision.reason)
    filed = log.append(decision)
    seen = history.model_copy(update={"decisions": (*history.decisions, filed)})
    log.fold(seen, decision.time, project.monitoring)
    tell(project, filed, history, store=log.store, settings=settings(), report_key=filed.report, view=view)
    return filed


def _placed(decision: Decision, history: History) -> Decision:
    """A decision with the episode it belongs to, unless it has one."""
    if decision.episode or not (decision.alarm and decision.action in FOR_A_RUN):
        return decision
    return decision.model_copy(update={"episode": first_window(history, decision.version, decision.window_start)})


def _assess(
    project: Project,
    serving: Alias | None,
    registry: Registry,
    predictions: PredictionWindows,
    history: History,
    log: DecisionLog,
    now: datetime,
) -> tuple[Decision, View | None]:
    """Judge what serves; the decision, and what it was seen in if there was anything to see."""
    policy = project.monitoring
    start, end = window_of(now, policy)
    if serving is None:
        reason = "Nothing serves yet, so there is nothing to watch."
        return Decision(action="ok", reason=reason, version=0, window_start=start, window_end=end, time=now), None
    try:
        known = partial(log.refit_check, serving)
        with _observed(project, serving, registry, predictions, known) as observer:
            evidence = observer.evidence(start, end)
    except (IntegrityError, NotFoundError) as error:
        return _unreadable(serving, error, start, end, now), None
    decision = in_view_of_refit(decide(evidence, history, now, policy), evidence, history, now, policy)
    return decision, View(evidence, observer.profile)


def _unreadable(serving: Alias, error: CicloError, start: datetime, end: datetime, now: datetime) -> Decision:
    reason = (
        f"Version {serving.version} serves, and what it was trained on cannot be read, so its predictions cannot be "
        f"judged: {error} A run of the pipeline can replace it."
    )
    return Decision(
        action="alert",
        reason=reason,
        cause="unreadable version",
        kinds=UNSERVED,
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
        changes |= {"action": "alert", "cause": "no server", "kinds": UNSERVED}
    return decision.model_copy(update=changes)


def _with_gap(decision: Decision, gap: Unserved | None) -> Decision:
    """A decision in view of a champion that does not serve: no run is started before it does."""
    if gap is None:
        return decision
    changes: dict[str, Any] = {"reason": f"{gap.reason} {decision.reason}"}
    if decision.action in RUNS:
        changes |= {"action": "blocked", "retrain_end": None}
    elif gap.failed and decision.action in ("ok", "watch"):
        changes |= {"action": "alert", "cause": "the champion does not serve", "kinds": UNSERVED}
    return decision.model_copy(update=changes)


def replay(
    project: Project,
    *,
    registry: Registry,
    predictions: PredictionWindows,
    start: datetime,
    end: datetime,
    policy: Monitoring | None = None,
) -> list[Decision]:
    """Say what a policy would have decided about past windows, judged against what serves today.

    Quiet hours are left out: a run that they hold back starts some hours later, and windows are days long.

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
    policy = (policy or project.monitoring).model_copy(update={"quiet_hours": ""})
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
def _observed(
    project: Project,
    serving: Alias,
    registry: Registry,
    predictions: PredictionWindows,
    compared: Callable[[], RefitCheck | None] = lambda: None,
) -> Iterator[Observer]:
    with tempfile.TemporaryDirectory() as folder:
        bundle = registry.fetch(serving.version, Path(folder))
        observer = Observer(
            project=project.name,
            serving=serving,
            profile=_of_what_serves(bundle),
            contract=bundle.contract,
            verdict=bundle.verdict,
            predictions=predictions,
            policy=project.monitoring,
            label_delay=timedelta(days=project.design.label_delay_days),
            trained_until=refitted_until(bundle.lineage),
            tested=bundle.model if bundle.served == REFITTED else None,
            compared=compared() if bundle.served == REFITTED else None,
            whose=() if project.split_method == "time" else project.entity_columns,
        )
        yield observer


def _of_what_serves(bundle: Bundle) -> Profile:
    """The profile without what it says of the tested model's answers, where another model answers.

    A refitted model may well answer on another level, for what the newest rows taught it. Against the answers of the
    tested one that would look like drift, and a correction of those would be none of its own.
    """
    if bundle.served != REFITTED:
        return bundle.profile
    return bundle.profile.model_copy(update={"prediction": None, "estimation": None})
