"""Is machine learning appropriate at all?

If a plain first model is surely no better than a simple answer by what would be useful, the honest advice is not to use
ML, and the run ends. If it is surely better, training is worth it. Where neither is sure, nobody can tell yet: training
goes on, and the verdict says how many rows would tell. What comes of it still has to pass the gate of evaluation.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ciclo.components.core.clusters import several_of
from ciclo.components.core.intervals import Interval
from ciclo.components.core.own_columns import ROW_ID
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Evaluation
from ciclo.components.core.verdict import Check, Verdict, more_than
from ciclo.components.core.wording import counted
from ciclo.components.feasibility.baselines import Fixed, baselines, best_feature
from ciclo.components.feasibility.luck import MOST_SHUFFLES, shuffles
from ciclo.components.feasibility.trials import SAMPLE, Trial, tried
from ciclo.components.tables.datasets import Dataset, write_table
from ciclo.components.tables.relations import SINGLE_FEATURE

Facts = dict[str, str | float | int]


@dataclass(frozen=True)
class Gained:
    """The gain of a first model over a simple answer.

    Attributes:
        gain: In units of the metric.
        useful: The least gain worth having, in the same units.
    """

    gain: Interval
    useful: float


def decide(
    gains: Mapping[str, Gained],
    luck: float,
    policy: Evaluation,
    subject: str,
    facts: Facts,
    pieces: int = 0,
    unit: str = "row",
) -> Verdict:
    """Decide whether ML is appropriate.

    Args:
        gains: Over each simple answer, by name.
        luck: How often chance alone does as well; NaN where that cannot be asked.
        policy: The limits.
        subject: sha256 of the dataset.
        facts: What is worth keeping.
        pieces: What the gains rest on.
        unit: What a piece is: ``row``, ``day`` or ``entity``.

    Returns:
        A verdict whose decision is ``ml``, ``no_ml`` or ``cannot_tell``; only with ``no_ml`` a check of level ``error``
        has failed.
    """
    refused = {
        n for n, g in gains.items() if policy.least_useful_gain > 0 and _tells(g.gain) and g.gain.high < g.useful
    }
    decision = "no_ml" if refused else "ml"
    checks = [_lucky(luck, policy)]
    for name, found in gains.items():
        known = math.isfinite(found.gain.point)
        text = f"gain over the {name} answer {f'is {found.gain}' if known else 'is not known'}"
        if name in refused:
            below = f"{text}, surely below {found.useful:.4g}, the least that is useful"
            checks.append(
                Check(name=f"beats_{name}", passed=False, value=found.gain.high, limit=found.useful, message=below)
            )
            continue
        text = f"{text}{_more(found.gain, policy.minimum_gain_over_baseline, pieces, unit)}"
        low = found.gain.low if _tells(found.gain) else math.nan
        checks.append(more_than(f"beats_{name}", low, policy.minimum_gain_over_baseline, text, level="warning"))
    failed = [c for c in checks if not c.passed]
    if not refused and (failed or not gains):
        decision = "cannot_tell"
    findings = "; ".join(c.message for c in (failed or checks)) or "there was no simple answer to compare with"
    reason = {
        "ml": f"a first model beats every simple answer: {findings}",
        "no_ml": f"a first model is not worth it: {findings}; to train all the same, set evaluation.least_useful_gain "
        f"lower, to 0 to never stop here (now {policy.least_useful_gain:g})",
        "cannot_tell": f"whether a model is worth it cannot be told yet, so training goes on: {findings}",
    }[decision]
    return Verdict(
        gate="feasibility", decision=decision, reason=reason, subject=subject, checks=tuple(checks), facts=facts
    )


def _tells(gain: Interval) -> bool:
    """Whether an interval says anything: one without width has seen nothing vary, and is sure of nothing."""
    return gain.bounded and gain.low < gain.high


def _lucky(luck: float, policy: Evaluation) -> Check:
    limit = 1 - policy.confidence
    if math.isnan(luck):
        why = "there are too few days or ids to shuffle, or of a class to score"
        if (needed := shuffles(policy.confidence)) > MOST_SHUFFLES:
            why = f"evaluation.confidence ({policy.confidence:g}) asks for {needed:,} shuffles"
        message = f"what luck alone would do is not asked, since {why}; the bounds decide"
        return Check(name="beats_luck", passed=True, level="warning", limit=limit, message=message)
    return Check(
        name="beats_luck",
        passed=luck <= limit,
        level="warning",
        value=luck,
        limit=limit,
        message=f"shuffled answers score as well in {luck:{'.0%' if luck >= 0.01 else '.2%'}} of the cases",
    )


def _more(gain: Interval, limit: float, pieces: int, unit: str) -> str:
    if not gain.bounded:
        return ", without bounds: there are too few rows, days, ids or rows of a class, or all of a class on few days"
    if not _tells(gain):
        return ", and nothing varies from which its bounds could be told"
    if gain.low > limit:
        return ""
    needed = gain.needed(limit, pieces)
    return f"; if that stays so, about {counted(needed, unit, several_of(unit))} more would tell" if needed else ""


def assess(
    project: Project, dataset: Dataset, digest: str, baselines_path: str | Path, fixed: Fixed | None = None
) -> Verdict:
    """Ask whether ML is appropriate, and keep what the simple answers say of the test rows.

    Args:
        project: The project.
        dataset: All cleaned rows; no test row has a say in the verdict.
        digest: sha256 of the dataset.
        baselines_path: Where the simple answers on the test rows are written as Parquet: ``ROW_ID`` and one list
            column for each, fitted on the training and validation rows.
        fixed: The feature of the single-feature answer, if it is fixed.
    """
    fixed = (fixed or Fixed()).among(dataset.contract.names)
    known = dataset.split("train", "validation")
    sample = known.sample(SAMPLE, project.training.seed)
    feature = fixed.feature or best_feature(project, sample)
    found = tried(project, known, fixed.feature)
    gains = {
        name: Gained(gain, _useful(project, found.scores.get(name, math.nan))) for name, gain in found.gains.items()
    }
    write_answers(project, dataset, sample, feature, baselines_path)
    facts = _facts(found, feature)
    verdict = decide(gains, found.p, project.evaluation, digest, facts, found.pieces, found.unit)
    return verdict.model_copy(update={"reason": f"{verdict.reason}. {fixed.why}"}) if fixed.why else verdict


def _useful(project: Project, score: float) -> float:
    """The least gain worth having over a simple answer, in units of the metric."""
    policy = project.evaluation
    useful = policy.least_useful_gain * (1.0 if project.metric.has_scale else abs(score))
    return max(useful, policy.minimum_gain_over_baseline)


def _facts(found: Trial, feature: str) -> Facts:
    facts: Facts = {f"score_{name}": score for name, score in found.scores.items()}
    facts |= {
        "first_model": found.kind,
        "method": found.method,
        "single_feature": feature,
        "permutation_p": found.p,
        "learning_curve": ", ".join(
            f"{counted(rows, 'row')}: {score:.4g}" for rows, score in sorted(found.curve.items())
        ),
    }
    return {k: v for k, v in facts.items() if isinstance(v, str) or np.isfinite(v)}


def write_answers(project: Project, dataset: Dataset, fitted_on: Dataset, feature: str, path: str | Path) -> None:
    """Fit the simple answers and write what they say of the test rows; arguments as in ``assess``.

    Args:
        project: The project.
        dataset: All cleaned rows.
        fitted_on: Those that the answers are fitted on.
        feature: What the single-feature answer looks at.
        path: Parquet file to write.
    """
    test = dataset.split("test")
    columns: dict[str, Any] = {ROW_ID: test.rows[ROW_ID].to_numpy()}
    for baseline in baselines(project, fitted_on, feature):
        answer = baseline.predict(project.metric.needs, test.X, dataset.contract.codes)
        columns[baseline.name] = list(answer) if answer.ndim == 2 else answer
    write_table(pa.table(columns).replace_schema_metadata({SINGLE_FEATURE: feature.encode()}), path)
