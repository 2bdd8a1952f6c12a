"""What monitoring writes down: decisions, claims, outcomes, acknowledgements."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

Action = Literal["ok", "watch", "alert", "recommend", "retrain", "blocked", "escalate_development", "escalate_design"]
Result = Literal["promoted", "waiting", "refused", "failed", "stopped"]


class Record(BaseModel):
    """Base of every record: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Decision(Record):
    """What one tick decided.

    Attributes:
        action: ``ok``; ``watch`` (an alarm that is not confirmed); ``alert`` (the data is broken, or what serves cannot
            be judged); ``retrain``; ``recommend`` (the same, but there is nothing to submit to); ``blocked`` (the
            governor refuses);
            ``escalate_*`` (retraining does not help: a person of development, or of design, has to look).
        reason: What, how much and what next, as a sentence.
        cause: What raised the alarm, in a few words that stay the same while the cause does.
        alarm: Whether the window drifted or the model got worse; None where that could not be judged.
        evidence: Flat numbers and strings behind it.
        version: The version that serves; 0 if there is none.
        window_start: Start of the window.
        window_end: Its end, exclusive.
        retrain_end: End of the rows a retraining run should read.
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
    retrain_end: AwareDatetime | None = None
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
        key: sha256 of what it is for; its name in the store.
        run_name: Name the run is given, by which it can be found again.
        champion: The version that is to be replaced.
        time: When it was claimed.
        holder: Nonce of the process that may submit for it.
        held_until: Until when nobody else may.
        retrain_end: End of the rows to train on.
        trigger: Why, in a few words.
        run_id: The run, once it is submitted.
    """

    key: str
    run_name: str
    champion: int
    time: AwareDatetime
    holder: str
    held_until: AwareDatetime
    retrain_end: AwareDatetime
    trigger: str
    run_id: str | None = None


class Outcome(Record):
    """How a claimed run ended.

    Attributes:
        claim: Key of the claim.
        run_id: The run; empty if none was ever submitted.
        result: ``promoted``; ``waiting`` (published for a person to decide on); ``refused`` (no better than the
            champion, or stopped by a gate); ``failed``; ``stopped`` by a person, which tells nothing about the model.
        version: The version that was promoted or waits.
        time: When.
    """

    claim: str
    run_id: str = ""
    result: Result
    version: int | None = None
    time: AwareDatetime


class Acknowledgement(Record):
    """A person has seen an escalation and dealt with it: retraining may go on.

    Attributes:
        by: Who.
        note: What was done.
        time: When.
    """

    by: str
    note: str = ""
    time: AwareDatetime


class History(Record):
    """Everything that was written down before a tick, each in the order of time.

    Attributes:
        decisions: Past decisions.
        claims: Runs that were claimed.
        outcomes: How they ended.
        acknowledgements: Escalations people have dealt with.
    """

    decisions: tuple[Decision, ...] = ()
    claims: tuple[Claim, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()

    @property
    def open_claims(self) -> list[Claim]:
        """Claims whose run has not ended."""
        settled = {o.claim for o in self.outcomes}
        return [c for c in self.claims if c.key not in settled]

    def acknowledged_since(self, time: datetime) -> bool:
        """Whether a person has acknowledged anything at or after a time."""
        return any(a.time >= time for a in self.acknowledgements)
