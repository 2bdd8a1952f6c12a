"""Is the model worse than it was when it was published?

Told from the rows whose labels have come, of several windows together, with the day as the piece of evidence, and the
entity beside it where the split keeps the rows of one together: the one that is less sure of a loss is believed. The
score itself follows the season and the share of the classes, so a frozen anchor is judged on the same rows, and what it
lost is taken off the model's loss as far as the two go together from group to group. The model is worse if the rest is
both real and large. So of a change that harms both alike only a part is seen; the sentence says so where the score fell
alone.

Where errors go together within two kinds of group of which neither is part of the other, either kind alone shows too
small an error (Cameron, Gelbach and Miller, Robust Inference with Multiway Clustering, 2011), and the kind with fewer
groups need not be the one that matters. Of 1,000 windows of 40 people on 28 days, an unchanged model was called worse
in 10 % by the days and in .5 % by both, where 1 % is asked for. With few groups their number gives the degrees of
freedom (the same, Bootstrap-Based Improvements for Inference with Clustered Errors, 2008).
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ciclo.components.core.clusters import (
    LEAST_GROUPS,
    Clustered,
    Groups,
    Jackknife,
    covariance,
    groups_of,
    jackknife,
    several_of,
    together,
)
from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import RequestError
from ciclo.components.core.intervals import Interval, Rows, scorer
from ciclo.components.core.metrics import Array, Metric
from ciclo.components.core.profile import Profile
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.wording import counted

MINIMUM_LABELS = 50
MINIMUM_PER_CLASS = 5
LEFT_OUT = 0.05
DAY = 86_400


@dataclass(frozen=True)
class Performance:
    """What the labels say.

    Attributes:
        metric: Name of the metric.
        rows: Rows with a usable label.
        score: The realised score with its interval, or None if it cannot be told.
        reference: Score on the test rows when the model was published.
        degraded: Whether the loss is both real and large.
        reason: The finding as a sentence.
        gain: Gain over the anchor on the same rows with its interval, or None if there is none to tell.
        gain_reference: That gain on the test rows; NaN if there is none.
        lost: What was lost since, in units of the metric, with its interval.
    """

    metric: str
    rows: int
    score: Interval | None
    reference: float
    degraded: bool
    reason: str
    gain: Interval | None = None
    gain_reference: float = math.nan
    lost: Interval | None = None


@dataclass(frozen=True)
class LabelDelay:
    """How long labels took to come, in days, for the rows whose label is due.

    Attributes:
        share: Share of those rows that have one.
        median: Half of the labels came at least so fast; NaN if none came.
        slow: Nine of ten did.
    """

    share: float
    median: float
    slow: float


def label_delay(labelled: pd.DataFrame, known: int, rows: int) -> LabelDelay:
    """How long labels took to come.

    Args:
        labelled: Rows of a window as ``PredictionWindows.labelled`` gives them.
        known: How many of its rows have a label.
        rows: How many rows it has.
    """
    if labelled.empty:
        return LabelDelay(0.0, math.nan, math.nan)
    days = (labelled["labelled_at"] - labelled["time"]).dt.total_seconds() / DAY
    return LabelDelay(known / max(rows, 1), float(days.median()), float(days.quantile(0.9)))


def realised(
    frame: pd.DataFrame,
    contract: Contract,
    metric: Metric,
    reference: float,
    policy: Monitoring,
    profile: Profile | None = None,
) -> Performance:
    """Score labelled rows.

    Args:
        frame: Rows with ``prediction``, ``probability``, ``label``, ``time``, for many classes ``probabilities`` (JSON
            text), ``anchor``: the feature that the anchor looks at, and ``entity``, integers, where rows belong
            together.
        contract: Gives task and classes.
        metric: The metric the model was published on.
        reference: Its score on the test rows then.
        policy: Gives ``performance_drop`` and, as the error of the interval, ``false_alarm_rate``.
        profile: Gives the anchor, and the errors of what was published.
    """
    truth = encoded(frame["label"], contract)
    predicted = answers(frame, contract, metric)
    labelled, finite = ~np.isnan(truth), np.isfinite(predicted)
    usable = labelled & (finite.all(axis=1) if finite.ndim == 2 else finite)
    rows = int(usable.sum())
    many = contract.task == "multiclass" and metric.needs == "probability"
    lacking = left_out(int(labelled.sum()) - rows, int(labelled.sum())) if many else ""

    def unknown(reason: str) -> Performance:
        return Performance(metric.name, rows, None, reference, False, reason + lacking)

    if not math.isfinite(reference):
        return unknown("the published score of the model is not known")
    if rows < MINIMUM_LABELS:
        return unknown(f"{counted(rows, 'labelled row is', 'labelled rows are')} too few, {MINIMUM_LABELS} are needed")
    y, predicted, frame = truth[usable], predicted[usable], frame[usable].reset_index(drop=True)
    if contract.task != "regression":
        y = y.astype("int64")
        if int((np.bincount(y, minlength=len(contract.classes)) >= MINIMUM_PER_CLASS).sum()) < 2:
            return unknown(f"the labels do not hold two classes with {MINIMUM_PER_CLASS} rows each")
    ours, theirs = scorer(metric, y, predicted, contract.codes), _anchor(frame, metric, y, contract, profile)
    assessed = []
    for unit, groups in _evidence(frame):
        now = jackknife(ours, groups)
        if now is None:
            pieces = np.unique(groups).size
            if pieces >= LEAST_GROUPS:
                return unknown(f"{metric.name} is not defined on these labels")
            of = counted(pieces, unit, several_of(unit))
            return unknown(f"labelled rows of {of} are too few to tell luck from loss, {LEAST_GROUPS} are needed")
        anchor_now = jackknife(theirs, groups) if theirs else None
        assessed.append(_assessed(metric, rows, reference, policy, profile, now, anchor_now))
    found = min(assessed, key=lambda each: each.lost.low if each.lost else -math.inf)
    return replace(found, reason=found.reason + lacking)


def _evidence(frame: pd.DataFrame) -> Iterator[tuple[str, Array]]:
    """The groups of the rows, by what is one piece of evidence: days, and entities where rows have one."""
    yield "day", groups_of(frame.get("time"), len(frame))
    if "entity" in frame:
        yield "entity", Groups.of_entities(pd.factorize(frame["entity"])[0]).of_rows


def _assessed(
    metric: Metric,
    rows: int,
    reference: float,
    policy: Monitoring,
    profile: Profile | None,
    now: Jackknife,
    anchor_now: Jackknife | None,
) -> Performance:
    confidence, least = 1 - policy.false_alarm_rate, policy.performance_drop * abs(reference)
    score = Clustered.from_jackknife(*now).interval(confidence)
    reason = f"{metric.name} is {score} on {counted(rows, 'labelled row')}, {reference:.4g} when published"
    then = profile.score.error**2 if profile is not None and profile.score is not None else 0.0
    fallen = _loss(metric, reference, then, now, confidence)
    anchor = profile.anchor if profile is not None else None
    if anchor is None or anchor.score is None or anchor_now is None:
        return Performance(metric.name, rows, score, reference, _counts(fallen, least), reason, lost=fallen)
    own, theirs = now.without, anchor_now.without
    share = float(np.clip(covariance(own, theirs) / max(covariance(theirs, theirs), 1e-12), 0, 1))
    variance = max(then + share**2 * anchor.score.error**2 - 2 * share * anchor.together, 0.0)
    paired = Jackknife(now.point - share * anchor_now.point, own - share * theirs, now.effective)
    lost = _loss(metric, reference - share * anchor.score.point, variance, paired, confidence)
    gain = metric.gain(now.point, anchor_now.point)
    without = np.array([metric.gain(a, b) for a, b in zip(own, theirs, strict=True)])
    gains = Clustered.from_jackknife(gain, without, now.effective).interval(confidence)
    gained = metric.gain(reference, anchor.score.point)
    degraded = _counts(lost, least)
    reason = f"{reason}; its gain over {anchor.rule} is {gains}, {gained:.4g} then"
    if not degraded and _counts(fallen, least):
        reason = f"{reason}, so the rows have become harder for both"
    return Performance(metric.name, rows, score, reference, degraded, reason, gains, gained, lost)


def _loss(metric: Metric, reference: float, variance: float, now: Jackknife, confidence: float) -> Interval:
    """What was lost against a reference of some variance, positive where it is worse now."""
    since = Clustered.from_jackknife(*now).away_from(reference, math.sqrt(variance), confidence)
    return Interval(-since.high, -since.point, -since.low) if metric.greater_is_better else since


def _counts(lost: Interval, least: float) -> bool:
    """Whether a loss is both real and large."""
    return lost.low > 0 and lost.point >= least


def _anchor(
    frame: pd.DataFrame, metric: Metric, y: Array, contract: Contract, profile: Profile | None
) -> Callable[[Rows], float] | None:
    if profile is None or profile.anchor is None or "anchor" not in frame:
        return None
    return scorer(metric, y, profile.anchor.predict(metric.needs, frame["anchor"]), contract.codes)


def anchored(labelled: pd.DataFrame, contract: Contract, profile: Profile, whose: Sequence[str] = ()) -> pd.DataFrame:
    """Labelled rows with decoded predictions, as ``realised`` takes them.

    Args:
        labelled: Rows as ``PredictionWindows.labelled`` gives them.
        contract: How the anchor's feature is read.
        profile: Gives the anchor.
        whose: Columns that tell whose a row is; rows that did not bring them are taken as nobody else's.
    """
    frame = labelled.drop(columns="features").assign(prediction=[json.loads(text) for text in labelled["prediction"]])
    name = profile.anchor.column if profile.anchor else None
    wanted = [*whose] if name is None else [name, *whose]
    if not wanted:
        return frame
    asked = [json.loads(text) for text in labelled["features"]]
    values = {each: pd.Series([row.get(each) for row in asked], index=frame.index, dtype=object) for each in wanted}
    if name is not None:
        column = next(c for c in contract.columns if c.name == name)
        frame = frame.assign(anchor=column.column(values[name]))
    entities = together(pd.DataFrame({each: values[each] for each in whose})) if whose else None
    return frame if entities is None else frame.assign(entity=entities)


def encoded(labels: pd.Series, contract: Contract) -> Array:
    """Labels as the estimators know them: class positions, or values.

    Args:
        labels: Text, booleans or numbers; missing where there is no label yet.
        contract: Gives the classes.

    Returns:
        Floats, NaN where a label is missing or is none of the classes. Shape ``(rows,)``.
    """
    position = {label: float(code) for code, label in enumerate(contract.classes)}
    codes: dict[Any, float] = {}
    for value in labels.astype(object).unique():
        with suppress(RequestError):
            truth = contract.truth_of(value)
            codes[value] = truth if isinstance(truth, float) else position[truth]
    return np.array([codes.get(value, math.nan) for value in labels.astype(object)], dtype=float)


def answers(frame: pd.DataFrame, contract: Contract, metric: Metric) -> Array:
    """What was predicted, in the form the metric needs, NaN where it cannot be told."""
    if metric.needs == "value":
        return pd.to_numeric(frame["prediction"], errors="coerce").to_numpy(dtype="float64")
    return encoded(frame["prediction"], contract) if metric.needs == "label" else probabilities(frame, contract)


def probabilities(answered: pd.DataFrame, contract: Contract) -> Array:
    """The probability of every class.

    Args:
        answered: Rows with ``probability``, and for many classes ``probabilities`` as JSON text.
        contract: Gives the classes.

    Returns:
        Shape ``(rows, classes)``; NaN in the rows that have none, or those of other classes.
    """
    if contract.task == "binary":
        positive = pd.to_numeric(answered["probability"], errors="coerce").to_numpy(dtype="float64")
        return np.column_stack([1 - positive, positive])
    wanted = set(contract.classes)
    stored = [json.loads(text) if isinstance(text, str) else {} for text in answered["probabilities"]]
    rows = [[each[c] for c in contract.classes] if set(each) == wanted else [math.nan] * len(wanted) for each in stored]
    return np.array(rows, dtype="float64").reshape(len(rows), len(wanted))


def left_out(lacking: int, rows: int) -> str:
    """A clause on rows without the probability of every class, if they are too many not to tell; empty otherwise."""
    if lacking <= LEFT_OUT * rows:
        return ""
    left_out = f"{lacking:,} of {counted(rows, 'row')}"
    return f"; {left_out} are left out, as the probability of every class is not stored with them"
