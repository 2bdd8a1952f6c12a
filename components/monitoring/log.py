"""What monitoring remembers, in the object store: one object for each record, nothing is ever rewritten but a claim.

Below ``projects/<project>/monitoring/``: ``decisions/<day>/<time>.json``, ``reports/<time>.html``, ``claims/<n>.json``,
``outcomes/<claim>.json``, ``acknowledgements/<time>-<nonce>.json``, ``permissions/<time>-<nonce>.json`` and
``refits/<n>.json``, the refitted model beside the tested one, by the number of the move that made it serve.

A tick has one decision: it is filed under the time of the tick, and the first to file it is believed.

A claim is the right to submit one run. Claims of a project are numbered without a gap, and a tick may only try for the
number after the last one it knows, so that of all ticks that see the same past, whatever their clocks and policies say,
one wins. It holds the claim for a while; if it dies before it has submitted, another takes the claim over for the next
term, looks for the run by its name, and submits it if there is none. A holder that wakes up again finds that its term
is over: it may neither submit nor write.

``index.json`` holds what the rules ask for in one object, so that a tick reads the same few objects however old the
project is. It is derived: a tick adds what it has seen by compare-and-swap, whoever finds it lost or broken makes it
anew from the records, and whatever is younger than the newest of its decisions less a day is looked up each time, for
the sake of a tick that died before it had added its own.
"""

import hashlib
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import ValidationError

from ciclo.components.core.errors import NotFoundError, StorageError
from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.index import Index, S, merged, ordered, thinned, trimmed, united
from ciclo.components.monitoring.observing.refitted import RefitCheck
from ciclo.components.monitoring.records import (
    Acknowledgement,
    Claim,
    Decision,
    History,
    Outcome,
    Permission,
    Record,
    stamp,
)
from ciclo.components.releases.names import Alias
from ciclo.components.storage.objects import ObjectStore

HOLD = timedelta(minutes=30)
HORIZON = timedelta(days=90)
WINDOWS = 8  # that the number of rows is held against
DAY = timedelta(days=1)
SLACK = 2 * DAY  # clocks differ, and a clock that is behind must not find the index too short
LISTED_DAYS = 7
READERS = 8
TRIES = 5
_R = TypeVar("_R", bound=Record)


def swap_record(store: ObjectStore, key: str, old: Record, new: Record) -> bool:
    """Put a record in the place of another; whether that was still there."""
    stored = store.get(key)
    return stored.data == old.document and store.swap(key, new.document, stored.etag)


class DecisionLog:
    """The records of one project.

    Args:
        store: Where they are.
        project: Name of the project.

    Attributes:
        store: Where they are.
    """

    def __init__(self, store: ObjectStore, project: str) -> None:
        self.store = store
        self._root = f"projects/{project}/monitoring"

    # --- reading ---

    def history(self, now: datetime, policy: Monitoring) -> History:
        """Read what was written down, as far as a rule may ask for it.

        Of decisions that say the same of the same window the first is enough.

        Args:
            now: The time of the tick.
            policy: Gives the length of the memory.
        """
        index = self._index()
        if index is None or (index.since is not None and index.since > now - _span(policy)):
            index = self._rebuilt()
        known = index.known
        claims, outcomes = self._claims(known)
        return History(
            decisions=thinned({d.time: d for d in (*known.decisions, *self._recent(known, now))}),
            claims=claims,
            outcomes=outcomes,
            acknowledgements=self._more(Acknowledgement, "acknowledgements", known.acknowledgements),
            permissions=self._more(Permission, "permissions", known.permissions),
        )

    def decided(self, time: datetime) -> Decision | None:
        """The decision of the tick of exactly that time, if one was filed."""
        try:
            return self._read(Decision, self._decision_key(time))
        except NotFoundError:
            return None

    def decisions(self, last: int) -> list[Decision]:
        """The newest decisions, the oldest of them first, as they were filed."""
        keys = sorted(self.store.list(f"{self._root}/decisions/"), key=_stamp_of)
        return sorted(self._read_all(Decision, keys[-last:] if last else []), key=lambda d: d.time)

    def refit_check(self, serving: Alias) -> RefitCheck | None:
        """How the refitted model that serves compared with the tested one, if an earlier tick has found out."""
        try:
            return self._read(RefitCheck, self._refit_key(serving))
        except NotFoundError:
            return None

    # --- writing ---

    def report_key(self, time: datetime) -> str:
        """Where the report about a tick is."""
        return f"{self._root}/reports/{stamp(time)}.html"

    def file_report(self, decision: Decision, report: str) -> None:
        """Store the report about a tick under the key that its decision names."""
        self.store.put(decision.report, report.encode())

    def has_report(self, decision: Decision) -> bool:
        """Whether there is a report under the key that a decision names."""
        return bool(decision.report) and self.store.exists(decision.report)

    def append(self, decision: Decision) -> Decision:
        """File the decision of a tick; the first to do so is believed.

        Returns:
            What is filed now.
        """
        key = self._decision_key(decision.time)
        if self.store.put_if_absent(key, decision.document):
            return decision
        return self._read(Decision, key)

    def fold(self, history: History, now: datetime, policy: Monitoring) -> None:
        """Add what was seen to the index, and leave out what no rule will ask for.

        Args:
            history: What was seen, the decision of this tick included and last.
            now: The time of the tick.
            policy: Gives the length of the memory.
        """
        for _ in range(TRIES):
            stored = before = None
            with suppress(NotFoundError, ValidationError):
                stored = self.store.get(self._index_key)
                before = Index.model_validate_json(stored.data)
            start = before or self._rebuilt()
            after = trimmed(start, merged(start.known, history), now - _span(policy) - SLACK, now - SLACK)
            if before is not None and after == before.model_copy(update={"nonce": ""}):
                return
            document = after.model_copy(update={"nonce": secrets.token_hex(8)}).document
            if stored is None:
                if self.store.put_if_absent(self._index_key, document):
                    return
            elif self.store.swap(self._index_key, document, stored.etag):
                return

    def settle(self, outcome: Outcome) -> bool:
        """Write down how a run ended; the first to say so is believed. Whether this call was."""
        return self.store.put_if_absent(f"{self._root}/outcomes/{outcome.claim}.json", outcome.document)

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Write down that a person has dealt with an escalation."""
        self.store.put(self._new("acknowledgements", acknowledgement.time), acknowledgement.document)

    def permit(self, permission: Permission) -> None:
        """Write down that a person allows a retraining."""
        self.store.put(self._new("permissions", permission.time), permission.document)

    def file_refit_check(self, serving: Alias, check: RefitCheck) -> None:
        """Write down how the refitted model compared; the first to do so is believed."""
        self.store.put_if_absent(self._refit_key(serving), check.document)

    # --- claims ---

    def claim(self, claim: Claim) -> bool:
        """Try to be the one that submits; of many, one is."""
        return self.store.put_if_absent(self._claim_key(claim), claim.document)

    def take_over(self, claim: Claim, now: datetime) -> Claim | None:
        """Take a claim whose holder has not submitted in time.

        Returns:
            The claim as it is now held, or None if it is not free or somebody else was first.
        """
        if claim.run_id is not None or now < claim.held_until:
            return None
        held = {"holder": secrets.token_hex(8), "term": claim.term + 1, "held_until": now + HOLD}
        return self._replaced(claim, **held)

    def renew(self, claim: Claim, now: datetime) -> Claim | None:
        """Hold a claim from now on.

        Returns:
            The claim as it is now held, or None if its term is over.
        """
        return self._replaced(claim, held_until=max(now + HOLD, claim.held_until + timedelta(microseconds=1)))

    def release(self, claim: Claim, now: datetime) -> None:
        """Give a claim back after a submission that failed, so that the next tick may take it over at once."""
        self._replaced(claim, held_until=now)

    def submitted(self, claim: Claim, run_id: str) -> Claim | None:
        """Write down the run of a claim; None if its term is over and another will find the run by its name."""
        return self._replaced(claim, run_id=run_id)

    def _replaced(self, claim: Claim, **changes: object) -> Claim | None:
        changed = claim.model_copy(update=changes)
        return changed if swap_record(self.store, self._claim_key(claim), claim, changed) else None

    # --- the index and what is newer ---

    def _index(self) -> Index | None:
        """The index, or None if it is lost or cannot be read."""
        try:
            return Index.model_validate_json(self.store.get(self._index_key).data)
        except (NotFoundError, ValidationError):
            return None

    def _rebuilt(self) -> Index:
        """The index as the records alone give it."""
        claims = self._all(Claim, "claims")
        return Index(
            known=History(
                decisions=tuple(sorted(self._all(Decision, "decisions"), key=lambda d: d.time)),
                claims=ordered(claims),
                outcomes=tuple(sorted(self._all(Outcome, "outcomes"), key=lambda o: o.time)),
                acknowledgements=tuple(self._all(Acknowledgement, "acknowledgements")),
                permissions=tuple(self._all(Permission, "permissions")),
            )
        )

    def _recent(self, known: History, now: datetime) -> Iterator[Decision]:
        """Decisions that may have been filed and not been added to the index."""
        newest = max((d.time for d in known.decisions), default=now)
        first, last = min(newest, now) - DAY, max(newest, now) + DAY
        if last - first <= timedelta(days=LISTED_DAYS):
            days = [first + DAY * ahead for ahead in range((last - first) // DAY + 1)]
            folders = dict.fromkeys(f"{self._root}/decisions/{stamp(day)[:8]}/" for day in days)
        else:
            folders = {f"{self._root}/decisions/": None}
        seen = {stamp(d.time) for d in known.decisions}
        keys = [key for folder in folders for key in self.store.list(folder)]
        return iter(self._read_all(Decision, [k for k in keys if stamp(first) < _stamp_of(k) not in seen]))

    def _claims(self, known: History) -> tuple[tuple[Claim, ...], tuple[Outcome, ...]]:
        """All claims and outcomes: what may still change is read again, what may be new is asked for by its number."""
        claims, outcomes = {c.key: c for c in known.claims}, {o.claim: o for o in known.outcomes}
        number = max((c.number for c in known.claims), default=0)
        stale = [c for c in known.claims if c.key not in outcomes and c.number]
        fresh = [self._read(Claim, self._claim_key(c)) for c in stale]
        while True:
            number += 1
            try:
                fresh.append(self._read(Claim, f"{self._root}/claims/{number:08}.json"))
            except NotFoundError:
                break
        claims |= {c.key: c for c in fresh}
        for key in [key for key in claims if key not in outcomes]:
            try:
                outcomes[key] = self._read(Outcome, f"{self._root}/outcomes/{key}.json")
            except NotFoundError:
                continue
        return ordered(claims.values()), tuple(sorted(outcomes.values(), key=lambda o: o.time))

    def _more(self, kind: type[S], folder: str, known: tuple[S, ...]) -> tuple[S, ...]:
        """Records of a folder, of which those that are known are not read again."""
        seen = {stamp(record.time) for record in known}
        new = [key for key in self.store.list(f"{self._root}/{folder}/") if _stamp_of(key) not in seen]
        return united(known, tuple(self._read_all(kind, new)))

    # --- keys ---

    @property
    def _index_key(self) -> str:
        return f"{self._root}/index.json"

    def _decision_key(self, time: datetime) -> str:
        return f"{self._root}/decisions/{stamp(time)[:8]}/{stamp(time)}.json"

    def _refit_key(self, serving: Alias) -> str:
        return f"{self._root}/refits/{serving.sequence:08}.json"

    def _claim_key(self, claim: Claim) -> str:
        return f"{self._root}/claims/{f'{claim.number:08}' if claim.number else claim.key}.json"

    def _new(self, folder: str, time: datetime) -> str:
        return f"{self._root}/{folder}/{stamp(time)}-{secrets.token_hex(4)}.json"

    def _all(self, kind: type[_R], folder: str) -> list[_R]:
        return self._read_all(kind, list(self.store.list(f"{self._root}/{folder}/")))

    def _read_all(self, kind: type[_R], keys: list[str]) -> list[_R]:
        if len(keys) < READERS:
            return [self._read(kind, key) for key in keys]
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda key: self._read(kind, key), keys))

    def _read(self, kind: type[_R], key: str) -> _R:
        data = self.store.get(key).data
        try:
            return kind.model_validate_json(data)
        except ValueError as error:
            raise StorageError(f"the record {key} cannot be read", hint="Move it away and look into it.") from error


def claim_key(project: str, digest: str, episode: datetime, attempt: int) -> str:
    """What stands for a claim: sha256 of the project, what serves, the episode, and which run for it this is."""
    return hashlib.sha256("\n".join((project, digest, stamp(episode), str(attempt))).encode()).hexdigest()


def _span(policy: Monitoring) -> timedelta:
    return max(HORIZON, timedelta(days=policy.window_days * max(2 * policy.persistence.windows, WINDOWS)))


def _stamp_of(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0].partition("-")[0]
