"""A model that is too good: which columns carry it, so that a person can look whether they are known in time.

Nothing in a score tells skill from a leak (Kaufman et al., Leakage in Data Mining, 2012); a person can, once the
columns have names. So this decides nothing, and is said beside what is decided.
"""

from ciclo.components.core.verdict import Check
from ciclo.components.core.wording import listed
from ciclo.components.evaluation.comparison import Comparison

PERFECT = {"roc_auc_score": 0.985, "r2_score": 0.985}
_MOST = 5
_ASKED = "Is that known before the outcome?"
_CARRY = 0.8  # share of the importance


def carriers(importance: dict[str, float]) -> list[str]:
    """The fewest columns that have most of the importance together, at most five, the first first."""
    total, held = sum(importance.values()), 0.0
    found: list[str] = []
    for name, weight in sorted(importance.items(), key=lambda item: -item[1]):
        if total <= 0 or held >= _CARRY * total or len(found) == _MOST:
            break
        found.append(name)
        held += weight
    return found


def too_good(comparison: Comparison) -> Check | None:
    """A failed check of level ``warning`` where the winner is nearly perfect on the test rows; else None."""
    for metric, limit in PERFECT.items():
        score = comparison.scores.get(metric)
        if score is None or not score.point > limit:
            continue
        names = carriers(comparison.importance)
        which = "no column alone carries it, so several tell the same"
        if names:
            which = f"{listed([repr(name) for name in names])} carr{'ies' if len(names) == 1 else 'y'} it"
        message = f"suspiciously good: {metric} on the test rows is {score.point:.4f}; {which}. {_ASKED}"
        return Check(name="too_good", passed=False, level="warning", value=score.point, limit=limit, message=message)
    return None
