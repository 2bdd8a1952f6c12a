"""What monitoring writes down: decisions, claims, outcomes, acknowledgements, permissions."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

Action = Literal[
    "ok", "watch", "alert", "recommend", "retrain", "restore", "blocked", "escalate_development", "escalate_design"
]  # fmt: skip
RUNS: tuple[Action, ...] = ("retrain", "restore")  # what a run is submitted for
LATE_LABELS = "labels are late"
Kind = Literal["data", "serving", "realised", "estimated", "refit", "drift", "refresh"]
Result = Literal["promoted", "waiting", "refused", "unbeaten", "failed", "stopped"]


class Record(BaseModel):
    """Base of every record: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def document(self) -> bytes:
        """As it is stored."""
        return self.model_dump_json(indent=1).encode()


class Decision(Record):
    """What one tick decided.

    Attributes:
        action: ``ok``; ``watch`` (an alarm that is not confirmed); ``alert`` (the data is broken, or what serves cannot
            be judged); ``retrain``; ``restore`` (go back from the refitted model to the tested one); ``recommend``
            (either, but a person has to start or allow it); ``blocked`` (the governor refuses);
            ``escalate_*`` (retraining does not help: a person of development, or of design, has to look).
        reason: What, how much and what next, as a sentence.
        cause: What raised the alarm, in a few words that stay the same while the cause does.
        alarm: Whether the window drifted or the model got worse; None where that could not be judged.
        evidence: Flat numbers and strings behind it.
        version: The version that serves; 0 if there is none.
        window_start: Start of the window.
        window_end: Its end, exclusive.
        retrain_start: Start of the rows a retraining run should read; None for all there are.
        retrain_end: Their end.
        kinds: What it rests on, worst first: ``data`` (broken), ``serving`` (what ought to serve does not, or cannot be
            judged), ``realised`` and ``estimated`` (loss), ``refit`` (what serves is worse than what was tested),
            ``drift``, ``refresh``.
        columns: The columns it is about, the worst first.
        since: End of the last window that was quiet, or the first window of the alarm; None where nothing is wrong.
        episode: Start of the first window of the unbroken alarm about this version, the time a refresh was due, or the
            time since which a refitted model that is to be taken back has served; None where there is nothing to do.
        report: Key of the report about this tick in the object store; empty if there is none.
        time: When the tick ran.
    """

    action: Action
    reason: str
    cause: str = ""
    alarm: bool | None = None
    evidence: dict[str, str | float | int] = {}
    version: int
    window_start: AwareDatetime
    window_end: AwareDatetime
    retrain_start: AwareDatetime | None = None
    retrain_end: AwareDatetime | None = None
    kinds: tuple[Kind, ...] = ()
    columns: tuple[str, ...] = ()
    since: AwareDatetime | None = None
    episode: AwareDatetime | None = None
    report: str = ""
    time: AwareDatetime

    @property
    def escalates(self) -> bool:
        """Whether it calls a person because retraining does not help."""
        return self.action.startswith("escalate")

    @property
    def state(self) -> tuple[str, str]:
        """What has to change before people are told again."""
        return self.action, self.cause


class Claim(Record):
    """The right to submit one run.

    Attributes:
        key: sha256 of the project and the number; stands for the claim elsewhere.
        number: 1 for the first claim of the project, then counted up; its name in the store.
        run_name: Name the run is given, by which it can be found again.
        champion: The version that is to be replaced.
        digest: Its digest.
        episode: See ``Decision``.
        attempt: 1 for the first run for this version and episode, then counted up.
        time: When it was claimed.
        holder: Nonce of the process that may submit for it.
        term: 1 for the first holder, counted up whenever another takes over: the fencing token.
        held_until: Until when nobody else may.
        retrain_start: Start of the rows to train on; None for all there are.
        retrain_end: Their end.
        trigger: Why, in a few words.
        decision: The decision it was claimed for, so that a crash before it is filed does not lose it.
        run_id: The run, once it is submitted.
    """

    key: str
    number: int = 0
    run_name: str
    champion: int
    digest: str = ""
    episode: AwareDatetime | None = None
    attempt: int = 1
    time: AwareDatetime
    holder: str
    term: int = 1
    held_until: AwareDatetime
    retrain_start: AwareDatetime | None = None
    retrain_end: AwareDatetime
    trigger: str
    decision: Decision | None = None
    run_id: str | None = None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it was claimed for; empty if that is not known."""
        return self.decision.kinds if self.decision else ()

    @property
    def restores(self) -> bool:
        """Whether its run goes back to the tested model of the champion, and trains nothing."""
        return self.decision is not None and self.decision.action == "restore"


class Outcome(Record):
    """How a claimed run ended.

    Attributes:
        claim: Key of the claim.
        run_id: The run; empty if none was ever submitted.
        result: ``promoted``; ``waiting`` (published for a person to decide on); ``refused`` (no better than the
            champion, or stopped by a gate); ``unbeaten`` (the same, and in two runs in a row neither it nor the
            champion beat the simple answers); ``failed``; ``stopped`` by a person, which tells nothing about the model.
        version: The version that was promoted or waits.
        time: When.
    """

    claim: str
    run_id: str = ""
    result: Result
    version: int | None = None
    time: AwareDatetime


class Statement(Record):
    """What a person wrote down.

    Attributes:
        by: Who.
        note: What was done, or why.
        time: When.
    """

    by: str
    note: str = ""
    time: AwareDatetime


class Acknowledgement(Statement):
    """A person has seen an escalation and dealt with it: retraining may go on."""


class Permission(Statement):
    """A person allows one retraining where the policy asks for that.

    Attributes:
        version: The version that serves.
        episode: See ``Decision``.
        attempt: Which run for this version and episode is allowed, counted from 1.
    """

    version: int
    episode: AwareDatetime
    attempt: int = 1


class History(Record):
    """What was written down before a tick and a rule may ask for, each in the order of time.

    Attributes:
        decisions: Past decisions.
        claims: Runs that were claimed.
        outcomes: How they ended.
        acknowledgements: Escalations people have dealt with.
        permissions: Retrainings people have allowed.
    """

    decisions: tuple[Decision, ...] = ()
    claims: tuple[Claim, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()
    permissions: tuple[Permission, ...] = ()

    @property
    def open_claims(self) -> list[Claim]:
        """Claims whose run has not ended."""
        settled = {o.claim for o in self.outcomes}
        return [c for c in self.claims if c.key not in settled]

    def acknowledged_since(self, time: datetime) -> bool:
        """Whether a person has acknowledged anything at or after a time."""
        return any(a.time >= time for a in self.acknowledgements)

    @property
    def open_escalation(self) -> Decision | None:
        """The escalation that nobody has acknowledged yet, or None."""
        last = next((d for d in reversed(self.decisions) if d.escalates), None)
        return None if last is None or self.acknowledged_since(last.time) else last

    def claimed_at(self, time: datetime) -> Decision | None:
        """The decision of the tick of exactly that time, if it claimed a run."""
        return next((c.decision for c in self.claims if c.decision and c.decision.time == time), None)


def stamp(time: datetime) -> str:
    """A time as part of a key; keys sort as times do."""
    return f"{time.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"
