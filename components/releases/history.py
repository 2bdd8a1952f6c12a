"""What the moves of names tell of a version: pure questions to the history, oldest move first."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ciclo.components.releases.names import APPROVED, CANDIDATE, CHAMPION, SERVING

History = Sequence[Mapping[str, Any]]


def champions(history: History) -> list[int]:
    """The versions that were made the champion, in that order."""
    return [move["version"] for move in history if move["alias"] == CHAMPION]


def rolled_back(version: int, history: History) -> str:
    """Who rolled a version back when it was the champion last, when and why; nothing if nobody did."""
    moves = [move for move in history if move["alias"] == CHAMPION]
    left = [after for before, after in pairwise(moves) if before["version"] == version != after["version"]]
    if left and left[-1]["action"] == "rollback":
        return f"{left[-1]['by']} rolled it back on {left[-1]['moved_at'][:10]}: {left[-1]['why']}"
    return ""


def overridden(version: int, history: History) -> str:
    """The reason with which somebody made a version the champion against the rules; nothing if nobody did."""
    reasons = [m["override"] for m in history if m["alias"] == CHAMPION and m["version"] == version and m["override"]]
    return reasons[-1] if reasons else ""


def approval_of(version: int, history: History) -> str:
    """Who approved a version and when; nothing if nobody did."""
    given = [move for move in history if move["alias"] == APPROVED and move["version"] == version]
    return f"{given[-1]['by']} on {given[-1]['moved_at'][:10]}" if given else ""


def waiting(history: History) -> int | None:
    """The version that waits for a person: the newest candidate, if it has never been the champion."""
    nominated = [move["version"] for move in history if move["alias"] == CANDIDATE]
    newest = max(nominated, default=None)
    return newest if newest is not None and newest not in champions(history) else None


def life_of(version: int, history: History) -> list[str]:
    """The steps of its life that a version has reached: candidate, approved, champion, serving; in that order."""
    reached = {move["alias"] for move in history if move["version"] == version}
    return [step for step in (CANDIDATE, APPROVED, CHAMPION, SERVING) if step in reached]
