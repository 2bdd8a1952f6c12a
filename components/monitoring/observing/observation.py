"""From stored predictions to evidence."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import structlog

from ciclo.components.core.clusters import LEAST_GROUPS
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import IntegrityError
from ciclo.components.core.estimation import LEAST_ROWS
from ciclo.components.core.metrics import Array, Metric, metric_named
from ciclo.components.core.profile import Profile
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.verdict import Verdict
from ciclo.components.monitoring.observing.drift import assess
from ciclo.components.monitoring.observing.evidence import Estimate, Evidence
from ciclo.components.monitoring.observing.health import faults, health
from ciclo.components.monitoring.observing.performance import anchored, label_delay, left_out, probabilities, realised
from ciclo.components.monitoring.observing.refitted import RefitCheck, compare_refit, first_window
from ciclo.components.monitoring.observing.window import Window, spoken
from ciclo.components.releases.names import Alias
from ciclo.components.storage.windows import PredictionWindows

CURRENT = timedelta(hours=1)


def window_of(now: datetime, policy: Monitoring) -> tuple[datetime, datetime]:
    """The window a tick judges: it ends with the last full hour, so a tick that comes a little late sees the same."""
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return end - timedelta(days=policy.window_days), end


@dataclass(frozen=True)
class Observer:
    """Looks at what one version answered.

    Attributes:
        project: Name of the project.
        serving: The version that serves.
        profile: What it was trained on.
        contract: Its features and classes.
        verdict: Gives its published score.
        predictions: Where its answers are.
        policy: Limits and length of the window.
        label_delay: How long a label takes to come; performance is judged on rows that much older.
        trained_until: Time of the newest row that what serves was fitted on, ISO; by default the end of the profile.
        tested: Loads the tested model, where a refitted one serves in its place; None where it serves itself.
        compared: The refitted model beside the tested one, where an earlier tick has found out.
        whose: Columns that tell whose a row is, where the split goes by them.
    """

    project: str
    serving: Alias
    profile: Profile
    contract: Contract
    verdict: Verdict
    predictions: PredictionWindows
    policy: Monitoring
    label_delay: timedelta
    trained_until: str = ""
    tested: Callable[[], Any] | None = None
    compared: RefitCheck | None = None
    whose: tuple[str, ...] = ()

    def evidence(self, start: datetime, end: datetime, *, any_version: bool = False) -> Evidence:
        """Look at one window.

        Args:
            start: First moment.
            end: First moment that is not included.
            any_version: Take the answers of every version, as a replay does.
        """
        version = None if any_version else self.serving.version
        since = datetime.fromisoformat(self.serving.moved_at)
        window = Window.of(
            self.profile, self.contract, self.predictions.batches(self.project, start, end, version=version)
        )
        newest = self.trained_until or self.profile.end
        evidence = Evidence(
            version=self.serving.version,
            serving_since=since if since < end + CURRENT else start - (end - start),  # a past window is a replay
            start=start,
            end=end,
            rows=window.rows,
            last_row=self.predictions.newest(self.project, start - (end - start), end, version=version),
            trainable_until=end - self.label_delay,
            trained_until=datetime.fromisoformat(newest) if newest else None,
        )
        evidence = replace(self._with_labels(evidence, version), refit=None if any_version else self._refit(since, end))
        if window.rows < self.policy.minimum_rows:
            return evidence
        drift = assess(self.profile, window.counted, self.policy)
        return replace(
            evidence, faults=faults(window, drift), drift=drift, health=health(window), estimate=self._estimate(window)
        )

    def _with_labels(self, evidence: Evidence, version: int | None) -> Evidence:
        """Judge the rows whose label is due, of as many windows as the policy takes together."""
        end = evidence.end - self.label_delay
        length = (evidence.end - evidence.start) * self.policy.performance_windows
        start = end - max(length, timedelta(days=LEAST_GROUPS))
        labelled = self.predictions.labelled(self.project, start, end, version=version)
        newest = end - (evidence.end - evidence.start)
        known, rows = self.predictions.label_counts(self.project, newest, end, version=version)
        reference = float(self.verdict.facts.get("test_score", float("nan")))
        frame = anchored(labelled, self.contract, self.profile, self.whose)
        return replace(
            evidence,
            performance=realised(frame, self.contract, self._metric, reference, self.policy, self.profile),
            labels=label_delay(labelled[labelled["time"] >= newest], known, rows) if rows else None,
            new_labels=self._new_labels(evidence),
        )

    def _refit(self, since: datetime, now: datetime) -> RefitCheck | None:
        """What serves beside the tested model, once the labels of the first rows it answered are due."""
        start, end = first_window(since, self.policy)
        if self.compared is not None:
            return self.compared
        if self.tested is None or end > now - self.label_delay:
            return None
        labelled = self.predictions.labelled(self.project, start, end, version=self.serving.version)
        if labelled.empty:
            return None
        try:
            return compare_refit(labelled, self.tested, self.contract, self._metric, self.policy)
        except IntegrityError as error:  # of other libraries than those here
            structlog.get_logger().warning("the tested model cannot be compared with", reason=str(error))
            return None

    def _new_labels(self, evidence: Evidence) -> int | None:
        if evidence.trained_until is None:
            return None
        return self.predictions.newer_labels(
            self.project, evidence.trained_until, max(self.policy.minimum_new_labels, 1)
        )

    def _estimate(self, window: Window) -> Estimate | None:
        estimation, metric = self.profile.estimation, self._metric
        if estimation is None:
            return None
        answers = self._answers(window.answers)
        usable = np.isfinite(answers) if answers.ndim == 1 else np.isfinite(answers).all(axis=1)
        if usable.sum() < min(LEAST_ROWS, len(answers)):
            return None
        score = estimation.score(metric, answers[usable], 1 - self.policy.false_alarm_rate)
        if score is None:
            return None
        better_end = score.high if metric.greater_is_better else score.low
        least = self.policy.performance_drop * abs(estimation.reference)
        degraded = (
            metric.gain(estimation.reference, better_end) > 0
            and metric.gain(estimation.reference, score.point) >= least
        )
        reason = f"the estimated {metric.name} is {score}, {estimation.reference:.4g} on the test rows"
        reason += left_out(len(answers) - int(usable.sum()), len(answers)) if self.contract.task == "multiclass" else ""
        return Estimate(metric.name, score, estimation.reference, degraded, reason)

    def _answers(self, answered: pd.DataFrame) -> Array:
        if self.contract.task != "regression":
            return probabilities(answered, self.contract)
        return pd.to_numeric(spoken(answered)["prediction"], errors="coerce").to_numpy(dtype="float64")

    @property
    def _metric(self) -> Metric:
        return metric_named(str(self.verdict.facts["metric"]), self.contract.task)
