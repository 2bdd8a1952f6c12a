"""What one window shows: the evidence behind a decision, and how it is put into words and flat facts."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ciclo.components.core.intervals import Interval
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.wording import listed
from ciclo.components.monitoring.observing.drift import Drift
from ciclo.components.monitoring.observing.health import ColumnHealth
from ciclo.components.monitoring.observing.performance import LabelDelay, Performance
from ciclo.components.monitoring.observing.refitted import RefitCheck
from ciclo.components.monitoring.records import Kind

SHOWN = 3
SPOKEN = 0.5  # share of due labels below which they tell little of the newest rows


@dataclass(frozen=True)
class Estimate:
    """What performance probably is, as the stored predictions tell without labels.

    Attributes:
        metric: Name of the metric.
        score: The estimated score with its interval.
        reference: The same estimate on the test rows when the model was published.
        degraded: Whether the loss is both real and large.
        reason: The finding as a sentence.
    """

    metric: str
    score: Interval
    reference: float
    degraded: bool
    reason: str


@dataclass(frozen=True)
class Evidence:
    """What one window shows.

    Attributes:
        version: The version that serves.
        serving_since: Since when.
        start: Start of the window.
        end: Its end, exclusive.
        rows: Predictions in it.
        last_row: Time of the newest prediction of this or the window before, if there is one.
        trainable_until: End of the rows whose labels can be known.
        trained_until: Time of the newest row that the version was trained on, if rows have times.
        new_labels: Labelled rows since then, counted up to what the policy asks for; None if the store has no labels.
        faults: Signs of broken data, by column.
        drift: Against the training rows; None where there are too few rows.
        performance: By the labels; None where nobody looked.
        estimate: Without labels; None where it cannot be told.
        health: Of every column.
        labels: How long they took to come.
        refit: The refitted model beside the tested one; None where none serves, or it is too early to tell.
    """

    version: int
    serving_since: datetime
    start: datetime
    end: datetime
    rows: int
    last_row: datetime | None
    trainable_until: datetime
    trained_until: datetime | None = None
    new_labels: int | None = None
    faults: Mapping[str, str] = field(default_factory=dict)
    drift: Drift | None = None
    performance: Performance | None = None
    estimate: Estimate | None = None
    health: tuple[ColumnHealth, ...] = ()
    labels: LabelDelay | None = None
    refit: RefitCheck | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is wrong, the worst first. An estimate is only asked where labels are silent about these rows."""
        realised = self.performance is not None and self.performance.degraded
        silent = (
            self.performance is None
            or self.performance.score is None
            or self.trainable_until <= self.start
            or (self.labels is not None and self.labels.share < SPOKEN)
        )
        drifted = self.drift is not None and self.drift.matters
        estimated = drifted and silent and self.estimate is not None and self.estimate.degraded
        found: dict[Kind, bool] = {"realised": realised, "estimated": estimated, "drift": drifted}
        return tuple(kind for kind, holds in found.items() if holds)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it is about, the worst first."""
        moved = self.drift.names if self.drift is not None else []
        return tuple(dict.fromkeys([*self.faults, *moved]))


def findings(evidence: Evidence, policy: Monitoring) -> tuple[str, str]:
    """Put what the window shows into words.

    Returns:
        The causes of an alarm in a few words (empty for none), and the finding.
    """
    causes, sentences = [], []
    kinds, drift, performance = evidence.kinds, evidence.drift, evidence.performance
    if "realised" in kinds and performance is not None:
        causes.append("performance")
        sentences.append(f"the model got worse: {performance.reason}")
    if "estimated" in kinds and evidence.estimate is not None:
        causes.append("estimated performance")
        sentences.append(evidence.estimate.reason)
    if drift is not None:
        for cause, sentence in _drifts(drift):
            causes.append(cause)
            sentences.append(sentence)
    labels = performance.reason if performance is not None else "there are no labels"
    if causes:
        if "realised" not in kinds:
            sentences.append(labels)
        return " and ".join(causes), as_sentence("; ".join(sentences))
    moved = drift.names if drift is not None else []
    much = f"drifted columns ({listed(moved, SHOWN)}) hold less than {policy.drifted_importance:.0%} of the importance"
    return "", as_sentence(f"{much if moved else 'no column has drifted'}; {labels}") + "."


def _drifts(drift: Drift) -> Iterable[tuple[str, str]]:
    if drift.inputs:
        worst = [f"'{c.name}' by {c.effect:.2f}" for c in drift.columns if c.drifted]
        share = f"columns with {drift.importance:.0%} of the importance"
        yield "input drift", f"{share} have drifted ({listed(worst, SHOWN)})"
    if drift.prediction is not None and drift.predictions:
        yield "prediction drift", f"the predictions have drifted by {drift.prediction.effect:.2f}"
    if drift.joint is not None and drift.together:
        yield "joint drift", f"the columns no longer go together as in training (by {drift.joint.effect:.2f})"
    if drift.segments:
        parts = [f"{s.column} '{s.value}' ({listed(s.columns, SHOWN)})" for s in drift.segments]
        yield "drift in a segment", f"columns have drifted where {listed(parts, SHOWN)}"


def flat(evidence: Evidence) -> dict[str, str | float | int]:
    """The evidence as flat numbers and strings."""
    facts: dict[str, str | float | int] = {"rows": evidence.rows}
    if evidence.faults:
        facts["faults"] = "; ".join(evidence.faults.values())
    if evidence.drift is not None:
        facts |= _facts_of_drift(evidence.drift)
    if evidence.performance is not None:
        facts |= _facts_of_performance(evidence.performance)
    if estimate := evidence.estimate:
        facts |= {"estimate": estimate.score.point, "estimate_low": estimate.score.low}
        facts |= {"estimate_high": estimate.score.high, "estimate_reference": estimate.reference}
    if evidence.labels is not None:
        facts["labelled_share"] = round(evidence.labels.share, 4)
        if math.isfinite(evidence.labels.median):
            facts["label_delay_days"] = round(evidence.labels.median, 2)
    if (refit := evidence.refit) is not None:
        facts |= {"refit": refit.reason, "refit_rows": refit.rows, "refit_gain": refit.gain.point}
        bounds = {"refit_gain_low": refit.gain.low, "refit_gain_high": refit.gain.high}
        facts |= {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
    if evidence.new_labels is not None:
        facts["new_labels"] = evidence.new_labels
    return facts


def _facts_of_drift(drift: Drift) -> dict[str, str | float | int]:
    facts: dict[str, str | float | int] = {
        "drifted_importance": round(drift.importance, 4),
        "drifted_columns": ", ".join(drift.names),
        "calibrated": "yes" if drift.calibrated else "no",
    }
    if drift.prediction is not None:
        facts["prediction_effect"] = round(drift.prediction.effect, 4)
    if drift.joint is not None:
        facts["joint_effect"] = round(drift.joint.effect, 4)
    if drift.segments:
        facts["segments"] = ", ".join(f"{s.column} {s.value}" for s in drift.segments)
    return facts


def _facts_of_performance(performance: Performance) -> dict[str, str | float | int]:
    facts: dict[str, str | float | int] = {
        "metric": performance.metric,
        "labelled_rows": performance.rows,
        "performance": performance.reason,
    }
    if score := performance.score:
        facts |= {"score": score.point, "score_low": score.low, "score_high": score.high}
        facts["reference"] = performance.reference
    if gain := performance.gain:
        facts |= {"gain": gain.point, "gain_low": gain.low, "gain_high": gain.high}
        facts["gain_reference"] = performance.gain_reference
    return facts


def as_sentence(text: str) -> str:
    """A clause with its capital."""
    return text[:1].upper() + text[1:]
