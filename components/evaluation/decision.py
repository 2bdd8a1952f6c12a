"""The gate: may the best candidate replace the champion?

There are two. A model of another recipe than the champion's has to be *better*: whoever changes features, candidates or
search has to show that it pays. A model of the same recipe on newer rows must not be *worse* by a margin
(non-inferiority; Piaggio et al., Reporting of Noninferiority and Equivalence Randomized Trials, 2012): where the world
moves the newer model is the better bet, and to show that it is better takes more days than a refresh has. So that many
refreshes do not add up to a loss, each is compared with the last version that was no refresh as well.

Pure and closed by default: every path that is not clearly a pass keeps the champion. A candidate that beats the simple
answers and of which nobody can tell whether it may replace the champion is left to a person.
"""

import math
from collections.abc import Sequence

from ciclo.components.core.clusters import LEAST_GROUPS, several_of
from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import Metric
from ciclo.components.core.sections import Evaluation
from ciclo.components.core.verdict import Check, Severity, Verdict, at_least, at_most, more_than
from ciclo.components.core.wording import counted
from ciclo.components.evaluation.comparison import Comparison
from ciclo.components.evaluation.slices import floor_checks
from ciclo.components.evaluation.suspicion import carriers, too_good

_ERROR: Severity = "error"
RUNS = 2


def decide(
    comparison: Comparison, policy: Evaluation, metric: Metric, unbeaten: int = 0, behaviour: Sequence[Check] = ()
) -> Verdict:
    """Decide on the ends of intervals, never on a bare comparison.

    Args:
        comparison: What was measured.
        policy: The limits.
        metric: The metric that decides.
        unbeaten: How many runs in a row before this one neither champion nor candidate beat the simple answers.
        behaviour: What the candidate has to do whatever its score.

    Returns:
        A verdict whose decision is ``promote``; ``candidate`` where only an interval is in doubt, so that a person has
        to decide; or ``keep``. Its subject is the candidate's model file. Its facts hold the ``gate``; ``carried_by``,
        the columns that carry a model which is suspiciously good, whatever is decided; ``unbeaten``, 1
        where neither beats the simple answers; and ``escalate``, ``design`` where that is so in two runs in a row.
    """
    simple = [_over(name, gain, comparison, policy) for name, gain in comparison.baselines.items()]
    checks = [
        at_least(
            "enough_rows",
            comparison.rows,
            policy.minimum_rows,
            f"{counted(comparison.rows, 'test row')}, where evaluation.minimum_rows asks for {policy.minimum_rows}",
        ),
        Check(
            name="score_defined",
            passed=math.isfinite(comparison.score.point),
            message=f"{metric.name} on the test rows is {comparison.score}",
        ),
        at_most(
            "size",
            comparison.size_mb,
            policy.size_mb,
            f"the model file has {comparison.size_mb:.3g} MB, where evaluation.size_mb allows {policy.size_mb:g}",
        ),
        *behaviour,
        *floor_checks(comparison.slices, policy, metric),
        *simple,
        *_against_champion(comparison, policy, metric),
    ]
    decision = "keep"
    failed = [c for c in checks if not c.passed]
    if comparison.baselines and not any(c.level == "error" for c in failed):
        decision = "candidate" if failed else "promote"
    neither = _neither(comparison, policy, simple)
    reason, facts = _reason(comparison, metric, checks), _facts(comparison, metric)
    suspicion = too_good(comparison)
    if suspicion is not None:
        checks.append(suspicion)
        facts["carried_by"] = ", ".join(carriers(comparison.importance))
        reason = f"{reason}; {suspicion.message}"
    if neither:
        facts["unbeaten"] = 1
    if neither and unbeaten + 1 >= RUNS:
        facts["escalate"] = "design"
        reason = (
            f"escalate to design: in {counted(unbeaten + 1, 'run')} in a row neither the champion, version "
            f"{comparison.champion_version}, nor the candidate beats the simple answers; {reason}"
        )
    return Verdict(
        gate="evaluation",
        decision=decision,
        reason=reason,
        subject=comparison.digest,
        checks=tuple(checks),
        facts=facts,
    )


def _over(name: str, gain: Interval, comparison: Comparison, policy: Evaluation) -> Check:
    """The comparison with a simple answer."""
    check, limit = f"beats_{name}", policy.minimum_gain_over_baseline
    if not gain.bounded and comparison.pieces < LEAST_GROUPS:
        message = f"gain over the {name} answer is {gain.point:.4g}, and {_few(comparison.pieces, comparison.unit)}"
        return Check(name=check, passed=False, level="warning", message=message)
    return more_than(check, gain.low, limit, f"gain over the {name} answer is {gain}")


def _neither(comparison: Comparison, policy: Evaluation, simple: list[Check]) -> bool:
    """Whether neither the candidate nor the champion beats every simple answer, as far as that can be told."""
    theirs = comparison.champion_baselines.values()
    limit = policy.minimum_gain_over_baseline
    ours_fail = any(c.level == "error" and not c.passed for c in simple)
    return ours_fail and any(g.bounded and not g.low > limit for g in theirs)


def _against_champion(comparison: Comparison, policy: Evaluation, metric: Metric) -> list[Check]:
    """The comparison with the champion; where it is in doubt, a failure of level ``warning``."""
    if comparison.champion_version is None:
        return [Check(name="beats_champion", passed=True, message="there is no champion yet")]
    refreshed = comparison.gate.name == "refresh"
    name = "no_worse_than_champion" if refreshed else "beats_champion"
    who = f"the champion, version {comparison.champion_version},"
    gain = comparison.champion_share if refreshed else comparison.champion
    if gain is None or not gain.bounded:
        problem = comparison.champion_problem or f"the gain over it is {gain}"
        if gain is not None and comparison.champion_pieces < LEAST_GROUPS:
            problem = f"the gain is {gain.point:.4g}, and {_few(comparison.champion_pieces, comparison.unit)}"
        message = f"{who} cannot be compared with the candidate: {problem}"
        return [Check(name=name, passed=False, level="warning", message=message)]
    if not refreshed:
        return [_better(name, who, gain, comparison, policy)]
    checks = [_no_worse(name, who, gain, comparison, policy, metric)]
    if comparison.origin_version is not None:
        checks.append(_since_origin(comparison, policy, metric))
    return checks


def _better(name: str, who: str, gain: Interval, comparison: Comparison, policy: Evaluation) -> Check:
    """The gate of a change: superiority."""
    level: Severity = "error"
    finding, more = f"the candidate is better than {who}", ""
    if gain.high < 0:
        finding = f"the candidate is worse than {who}"
    elif not gain.low > policy.minimum_gain:
        finding = f"the candidate is not clearly better than {who}"
        level = "warning" if gain.point > policy.minimum_gain else "error"
        more = _more(gain, policy.minimum_gain, comparison)
    message = f"{finding} by {gain} on {_on(comparison)}{more}"
    return more_than(name, gain.low, policy.minimum_gain, message, level=level)


def _no_worse(name: str, who: str, gain: Interval, comparison: Comparison, policy: Evaluation, metric: Metric) -> Check:
    """The gate of a refresh: non-inferiority; what is surely worse is kept out, however little it is."""
    margin, level = policy.refresh_margin, _ERROR
    finding, more, limit = f"the candidate is no worse than {who} by {_margin(margin, metric)}", "", -margin
    if gain.high < 0:
        finding, limit = f"the candidate is worse than {who}", 0.0
    elif not gain.low > -margin:
        finding = f"the candidate might be worse than {who} by {_margin(margin, metric)} or more"
        level = "warning" if gain.point > -margin else "error"
        more = _more(gain, -margin, comparison)
    message = f"{finding}: gain {_shown(gain, metric)} on {_on(comparison)}{more}"
    return more_than(name, gain.low, limit, message, level=level)


def _since_origin(comparison: Comparison, policy: Evaluation, metric: Metric) -> Check:
    """Whether refreshes have added up to a loss since the last version that was none.

    The older the other model, the less the two err on the same rows and the wider their interval; to ask for its lower
    bound would stop refreshes that pay. So the point has to lie above the margin, and not all of the interval below 0.
    """
    name, who = "no_worse_than_origin", f"version {comparison.origin_version}, from which the refreshes started,"
    gain, margin = comparison.origin, policy.refresh_margin
    if gain is None or not gain.bounded:
        problem = comparison.origin_problem or f"the gain over it is {gain}"
        return Check(name=name, passed=True, level="warning", message=f"{who} cannot be compared with: {problem}")
    if gain.high < 0:
        found = more_than(name, gain.high, 0.0, f"the candidate is worse than {who}")
    else:
        lost = not gain.point > -margin
        finding = (
            f"refreshes have lost {_margin(margin, metric)} or more against" if lost else "no loss adds up against"
        )
        found = more_than(name, gain.point, -margin, f"{finding} {who}")
    return found.model_copy(update={"message": f"{found.message} with a gain of {_shown(gain, metric)}"})


def _few(pieces: int, unit: str) -> str:
    wider = f"; make cleaning.split.test longer, until rows of {LEAST_GROUPS} days are in it" if unit == "day" else ""
    return f"test rows of {_count(pieces, unit)} tell nothing of luck: an interval needs {LEAST_GROUPS}{wider}"


def _on(comparison: Comparison) -> str:
    rows = counted(comparison.champion_rows, "row")
    return rows if comparison.unit == "row" else f"{rows} of {_count(comparison.champion_pieces, comparison.unit)}"


def _count(pieces: int, unit: str) -> str:
    return counted(pieces, unit, several_of(unit))


def _more(gain: Interval, limit: float, comparison: Comparison) -> str:
    needed = gain.needed(limit, comparison.champion_pieces)
    return "" if needed is None else f"; if that stays so, about {_count(needed, comparison.unit)} more would tell"


def _margin(margin: float, metric: Metric) -> str:
    return f"{margin:g}" if metric.has_scale else f"{margin:.2%}"


def _shown(gain: Interval, metric: Metric) -> str:
    return str(gain) if metric.has_scale else f"{gain.point:.2%} [{gain.low:.2%}, {gain.high:.2%}]"


def _reason(comparison: Comparison, metric: Metric, checks: list[Check]) -> str:
    failed = [c for c in checks if not c.passed]
    through = "" if comparison.gate.name == "first" else f" (gate of a {comparison.gate.name}: {comparison.gate.why})"
    if failed:
        spoken = ("beats", "no_worse")
        return "; ".join(c.message if c.name.startswith(spoken) else f"{c.name}: {c.message}" for c in failed) + through
    if not comparison.baselines:
        return "there is no simple answer to compare with"
    tested = counted(comparison.rows, "test row")
    reached = f"{comparison.winner.name} reaches {metric.name} {comparison.score} on {tested}"
    against = [c.message for c in checks if c.name.endswith(("champion", "origin"))]
    return f"{reached}; {'; '.join(against)}{through}"


def _facts(comparison: Comparison, metric: Metric) -> dict[str, str | float | int]:
    facts: dict[str, str | float | int] = {
        "metric": metric.name,
        "candidate": comparison.winner.name,
        "gate": comparison.gate.name,
        "gate_why": comparison.gate.why,
        "test_rows": comparison.rows,
        "test_score": comparison.score.point,
        "test_score_low": comparison.score.low,
        "test_score_high": comparison.score.high,
        "validation_score": comparison.winner.score,
    }
    if comparison.unit != "row":
        facts[f"test_{several_of(comparison.unit)}"] = comparison.pieces
    if comparison.single_feature:
        facts["single_feature"] = comparison.single_feature
    if comparison.champion_version is not None:
        facts["champion"] = comparison.champion_version
    if comparison.champion_version is not None and comparison.gate.name == "refresh":
        facts["refreshed_from"] = comparison.origin_version or comparison.champion_version
    if comparison.champion is not None:
        facts |= {
            "champion_rows": comparison.champion_rows,
            "gain": comparison.champion.point,
            "gain_low": comparison.champion.low,
            "gain_high": comparison.champion.high,
        }
    return {k: v for k, v in facts.items() if isinstance(v, str) or math.isfinite(v)}
