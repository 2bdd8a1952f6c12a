"""What monitoring remembers, in the object store: one object for each record, nothing is ever rewritten but a claim.

Below ``projects/<project>/monitoring/``: ``decisions/<time>-<action>-<nonce>.json``, ``reports/`` beside it,
``outcomes/<claim>.json``, ``acknowledgements/<time>-<nonce>.json`` and ``claims/<key>.json``.

A claim is the right to submit one run. Its key follows from the champion and from all claims before it, so that ticks
which see the same past compete for the same object and one wins. It holds the claim for a while; if it dies before it
has submitted, another takes the claim over, looks for the run by its name, and submits it if there is none.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from ciclo.components.core.errors import StorageError
from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.records import Acknowledgement, Claim, Decision, History, Outcome, Record
from ciclo.components.storage.objects import ObjectStore

HOLD = timedelta(minutes=30)
HORIZON = timedelta(days=90)
_R = TypeVar("_R", bound=Record)


def claim_key(project: str, digest: str, history: History, policy: Monitoring) -> str:
    """The key of the next claim: sha256 of the project, the champion, the claims before this one and the policy.

    Args:
        project: Name of the project.
        digest: Digest of the champion.
        history: What came before.
        policy: The limits in force.
    """
    before = sorted(c.key for c in history.claims)
    return hashlib.sha256("\n".join((project, digest, *before, policy.model_dump_json())).encode()).hexdigest()


class DecisionLog:
    """The records of one project.

    Args:
        store: Where they are.
        project: Name of the project.
    """

    def __init__(self, store: ObjectStore, project: str) -> None:
        self._store = store
        self._root = f"projects/{project}/monitoring"

    def history(self, now: datetime, policy: Monitoring) -> History:
        """Read what was written down.

        Decisions that were older than any rule asks for are left out, escalations excepted.

        Args:
            now: The time of the tick.
            policy: Gives the length of the memory.
        """
        span = max(HORIZON, timedelta(days=2 * policy.window_days * policy.persistence.windows))
        oldest = f"{self._root}/decisions/{_stamp(now - span)}"
        keys = [k for k in self._store.list(f"{self._root}/decisions/") if k > oldest or "-escalate_" in k]
        claims = self._records(Claim, "claims")
        outcomes = self._records(Outcome, "outcomes")
        return History(
            decisions=tuple(self._read(Decision, key) for key in keys),
            claims=tuple(sorted(claims, key=lambda c: c.time)),
            outcomes=tuple(sorted(outcomes, key=lambda o: o.time)),
            acknowledgements=tuple(self._records(Acknowledgement, "acknowledgements")),
        )

    def append(self, decision: Decision, report: str = "") -> str:
        """Write a decision down, and a page about it if there is one.

        Returns:
            The key of the decision.
        """
        name = f"{_stamp(decision.time)}-{decision.action}-{secrets.token_hex(4)}"
        if report:
            self._store.put(f"{self._root}/reports/{name}.html", report.encode())
        key = f"{self._root}/decisions/{name}.json"
        self._store.put(key, _document(decision))
        return key

    def settle(self, outcome: Outcome) -> bool:
        """Write down how a run ended; the first to say so is believed. Whether this call was."""
        return self._store.put_if_absent(f"{self._root}/outcomes/{outcome.claim}.json", _document(outcome))

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Write down that a person has dealt with an escalation."""
        name = f"{_stamp(acknowledgement.time)}-{secrets.token_hex(4)}"
        self._store.put(f"{self._root}/acknowledgements/{name}.json", _document(acknowledgement))

    def claim(self, claim: Claim) -> bool:
        """Try to be the one that submits; of many, one is."""
        return self._store.put_if_absent(self._claim_key(claim), _document(claim))

    def take_over(self, claim: Claim, now: datetime) -> Claim | None:
        """Take a claim whose holder has not submitted in time.

        Returns:
            The claim as it is now held, or None if it is not free or somebody else was first.
        """
        if claim.run_id is not None or now < claim.held_until:
            return None
        held = claim.model_copy(update={"holder": secrets.token_hex(8), "held_until": now + HOLD})
        return held if self._replace(claim, held) else None

    def release(self, claim: Claim, now: datetime) -> None:
        """Give a claim back after a submission that failed, so that the next tick may take it over at once."""
        self._replace(claim, claim.model_copy(update={"held_until": now}))

    def submitted(self, claim: Claim, run_id: str) -> bool:
        """Write down the run of a claim; False if somebody took the claim over meanwhile and will find it by name."""
        return self._replace(claim, claim.model_copy(update={"run_id": run_id}))

    def _replace(self, old: Claim, new: Claim) -> bool:
        stored = self._store.get(self._claim_key(old))
        return stored.data == _document(old) and self._store.swap(self._claim_key(old), _document(new), stored.etag)

    def _claim_key(self, claim: Claim) -> str:
        return f"{self._root}/claims/{claim.key}.json"

    def _records(self, kind: type[_R], folder: str) -> list[_R]:
        return [self._read(kind, key) for key in self._store.list(f"{self._root}/{folder}/")]

    def _read(self, kind: type[_R], key: str) -> _R:
        try:
            return kind.model_validate_json(self._store.get(key).data)
        except ValueError as error:
            raise StorageError(f"the record {key} cannot be read", hint="Move it away and look into it.") from error


def _stamp(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"


def _document(record: Record) -> bytes:
    return record.model_dump_json(indent=1).encode()
