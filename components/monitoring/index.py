"""What the rules ask for, drawn together from the records: the index of the decision log. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import AwareDatetime

from ciclo.components.monitoring.records import RUNS, Claim, Decision, History, Record, Statement, stamp

S = TypeVar("S", bound=Statement)


class Index(Record):
    """The records that rules ask for, in one object.

    Attributes:
        nonce: Tells two writes apart.
        since: Decisions after this time are all here; None for all there ever were.
        known: The records.
    """

    nonce: str = ""
    since: AwareDatetime | None = None
    known: History = History()


def thinned(decisions: Mapping[datetime, Decision]) -> tuple[Decision, ...]:
    """Decisions in the order of time, without those that only repeat the one before about the same window."""
    kept: list[Decision] = []
    for _, decision in sorted(decisions.items()):
        if not kept or decision.action in RUNS or _about(kept[-1]) != _about(decision):
            kept.append(decision)
    return tuple(kept)


def _about(decision: Decision) -> tuple[object, ...]:
    return decision.window_end, decision.version, decision.state, decision.alarm


def merged(a: History, b: History) -> History:
    """What either knows."""
    claims = {c.key: c for c in a.claims}
    claims |= {c.key: c for c in b.claims if c.key not in claims or _progress(c) >= _progress(claims[c.key])}
    return History(
        decisions=tuple(d for _, d in sorted({d.time: d for d in (*a.decisions, *b.decisions)}.items())),
        claims=ordered(claims.values()),
        outcomes=tuple(sorted({o.claim: o for o in (*a.outcomes, *b.outcomes)}.values(), key=lambda o: o.time)),
        acknowledgements=united(a.acknowledgements, b.acknowledgements),
        permissions=united(a.permissions, b.permissions),
    )


def _progress(claim: Claim) -> tuple[bool, int, datetime]:
    return claim.run_id is not None, claim.term, claim.held_until


def united(a: tuple[S, ...], b: tuple[S, ...]) -> tuple[S, ...]:
    """What people wrote down, each statement once, in the order of time."""
    return tuple(sorted({stamp(record.time): record for record in (*a, *b)}.values(), key=lambda record: record.time))


def ordered(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Claims in the order in which they were made, whatever clocks said."""
    return tuple(sorted(claims, key=lambda c: (c.number, c.time)))


def trimmed(before: Index, known: History, oldest: datetime, recent: datetime) -> Index:
    """An index without what no rule asks for.

    Args:
        before: The index as it was.
        known: All that is known by now.
        oldest: Older decisions are left out, escalations excepted.
        recent: Decisions from then on are all kept, so that none of them is read again.
    """
    kept = [d for d in known.decisions if d.time > oldest or d.escalates]
    since = before.since if len(kept) == len(known.decisions) else oldest
    early = thinned({d.time: d for d in kept if d.time <= recent})
    late = [d for d in kept if d.time > recent]
    return Index(since=since, known=known.model_copy(update={"decisions": (*early, *late)}))
