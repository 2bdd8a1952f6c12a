"""From stored predictions to evidence."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pandas as pd

from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import metric_named
from ciclo.components.core.profile import Profile
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.verdict import Verdict
from ciclo.components.monitoring.decision import Evidence
from ciclo.components.monitoring.drift import assess, bin_window, prediction_values
from ciclo.components.monitoring.health import faults
from ciclo.components.monitoring.performance import Performance, realised
from ciclo.components.releases.names import Alias
from ciclo.components.storage.predictions import FEATURE, PredictionStore

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
    """

    project: str
    serving: Alias
    profile: Profile
    contract: Contract
    verdict: Verdict
    predictions: PredictionStore
    policy: Monitoring
    label_delay: timedelta

    def evidence(self, start: datetime, end: datetime, *, any_version: bool = False) -> Evidence:
        """Look at one window.

        Args:
            start: First moment.
            end: First moment that is not included.
            any_version: Take the answers of every version, as a replay does.
        """
        rows = self._rows(start, end, any_version)
        newest = rows if len(rows) else self._rows(start - (end - start), start, any_version)
        since = datetime.fromisoformat(self.serving.moved_at)
        evidence = Evidence(
            version=self.serving.version,
            serving_since=since if since < end + CURRENT else start - (end - start),  # a past window is a replay
            start=start,
            end=end,
            rows=len(rows),
            last_row=newest["time"].max().to_pydatetime() if len(newest) else None,
            trainable_until=end - self.label_delay,
        )
        if len(rows) < self.policy.minimum_rows:
            return evidence
        frame = canonical(rows, self.contract)
        counts = bin_window(self.profile, frame)
        expected = self.profile.prediction
        predicted = None if expected is None else expected.bin(prediction_values(rows, expected, self.contract.task))
        return replace(
            evidence,
            faults=faults(self.profile, counts, frame),
            drift=assess(self.profile, counts, predicted, self.policy),
            performance=self._performance(rows, start, end, any_version),
        )

    def _performance(self, rows: pd.DataFrame, start: datetime, end: datetime, any_version: bool) -> Performance:
        labelled = rows
        if self.label_delay:
            labelled = self._rows(start - self.label_delay, end - self.label_delay, any_version)
        facts = self.verdict.facts
        metric = metric_named(str(facts["metric"]), self.contract.task)
        reference = float(facts.get("test_score", float("nan")))
        return realised(labelled, self.contract, metric, reference, self.policy)

    def _rows(self, start: datetime, end: datetime, any_version: bool) -> pd.DataFrame:
        rows = self.predictions.window(self.project, start, end)
        return rows if any_version else rows[rows["version"] == self.serving.version].reset_index(drop=True)


def canonical(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Stored features as a canonical frame; a column that is gone, or text where a number was, is missing."""
    present = rows.reindex(columns=[f"{FEATURE}{name}" for name in contract.names]).set_axis(contract.names, axis=1)
    for column in contract.columns:
        present[column.name] = column.column(present[column.name])
    return contract.frame(present)
