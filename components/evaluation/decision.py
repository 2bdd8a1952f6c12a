"""The gate: may the best candidate replace the champion?

Pure and closed by default: every path that is not clearly a pass keeps the champion. A candidate that beats the simple
answers and of which nobody can tell whether it beats the champion is left to a person.
"""

import math
from typing import Literal

from ciclo.components.core.metrics import Metric
from ciclo.components.core.sections import Evaluation
from ciclo.components.core.verdict import Check, Verdict, at_least, at_most, more_than
from ciclo.components.evaluation.comparison import Comparison


def decide(comparison: Comparison, policy: Evaluation, metric: Metric) -> Verdict:
    """Decide on the ends of intervals, never on a bare comparison.

    Args:
        comparison: What was measured.
        policy: The limits.
        metric: The metric that decides.

    Returns:
        A verdict whose decision is ``promote``; ``candidate`` where only the comparison with the champion is in doubt,
        so that a person has to decide; or ``keep``. Its subject is the candidate's model file.
    """
    checks = [
        at_least("enough_rows", comparison.rows, policy.minimum_rows, "test rows"),
        Check(
            name="score_defined",
            passed=math.isfinite(comparison.score.point),
            message=f"{metric.name} on the test rows is {comparison.score}",
        ),
        at_most("size", comparison.size_mb, policy.size_mb, "size of the model file in MB"),
        *(
            more_than(f"beats_{n}", g.low, policy.minimum_gain_over_baseline, f"gain over the {n} answer is {g}")
            for n, g in comparison.baselines.items()
        ),
        _against_champion(comparison, policy),
    ]
    decision = "keep"
    if comparison.baselines and not any(c.level == "error" and not c.passed for c in checks):
        decision = "promote" if checks[-1].passed else "candidate"
    return Verdict(
        gate="evaluation",
        decision=decision,
        reason=_reason(comparison, metric, checks),
        subject=comparison.digest,
        checks=tuple(checks),
        facts=_facts(comparison, metric),
    )


def _against_champion(comparison: Comparison, policy: Evaluation) -> Check:
    """The comparison with the champion; where it is in doubt, a failure of level ``warning``."""
    name, gain = "beats_champion", comparison.champion
    if comparison.champion_version is None:
        return Check(name=name, passed=True, message="there is no champion yet")
    who = f"the champion, version {comparison.champion_version},"
    if gain is None or not math.isfinite(gain.low + gain.point + gain.high):
        problem = comparison.champion_problem or f"the gain over it is {gain}"
        return Check(
            name=name, passed=False, level="warning", message=f"{who} cannot be compared with the candidate: {problem}"
        )
    level: Literal["error", "warning"] = "error"
    finding = f"the candidate is better than {who}"
    if gain.high < 0:
        finding = f"the candidate is worse than {who}"
    elif not gain.low > policy.minimum_gain:
        finding = f"the candidate is not clearly better than {who}"
        level = "warning" if gain.point > policy.minimum_gain else "error"
    message = f"{finding} by {gain} on {comparison.champion_rows:,} rows"
    return more_than(name, gain.low, policy.minimum_gain, message, level=level)


def _reason(comparison: Comparison, metric: Metric, checks: list[Check]) -> str:
    failed = [c for c in checks if not c.passed]
    if failed:
        return "; ".join(c.message if c.name.startswith("beats") else f"{c.name}: {c.message}" for c in failed)
    if not comparison.baselines:
        return "there is no simple answer to compare with"
    reached = f"{comparison.winner.name} reaches {metric.name} {comparison.score} on {comparison.rows:,} test rows"
    return f"{reached}; {checks[-1].message}"


def _facts(comparison: Comparison, metric: Metric) -> dict[str, str | float | int]:
    facts: dict[str, str | float | int] = {
        "metric": metric.name,
        "candidate": comparison.winner.name,
        "test_rows": comparison.rows,
        "test_score": comparison.score.point,
        "test_score_low": comparison.score.low,
        "test_score_high": comparison.score.high,
        "validation_score": comparison.winner.score,
    }
    if comparison.champion_version is not None:
        facts["champion"] = comparison.champion_version
    if comparison.champion is not None:
        facts |= {
            "champion_rows": comparison.champion_rows,
            "gain": comparison.champion.point,
            "gain_low": comparison.champion.low,
            "gain_high": comparison.champion.high,
        }
    return {k: v for k, v in facts.items() if isinstance(v, str) or math.isfinite(v)}
