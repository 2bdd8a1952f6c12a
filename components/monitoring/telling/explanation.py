"""What an alarm probably means and what to do next, in words. Pure.

The likely causes come from a table of rules over the evidence of one tick, asked in order; those that hold are told,
the most telling first. A rule sees only what the window shows, so it names what is likely, not what is certain.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ciclo.components.core.charts import percent
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.profile import Profile
from ciclo.components.core.project import Project
from ciclo.components.core.wording import clean, counted, listed
from ciclo.components.monitoring.observing.drift import PREDICTION, ColumnDrift
from ciclo.components.monitoring.observing.evidence import Evidence
from ciclo.components.monitoring.observing.health import FROZEN, ROWS, TWICE, UNIT, ColumnHealth
from ciclo.components.monitoring.records import LATE_LABELS, Decision, Kind

GONE = 0.95  # share of rows without a value from which a column counts as gone
RISEN = 0.05  # rise of a share that is worth a word
ONE_BIN = 0.95  # share of rows in one bin that looks frozen
A_YEAR = timedelta(days=330)  # training rows over less hold no full round of the seasons
MOST = 3


@dataclass(frozen=True)
class View:
    """What a tick looked at.

    Attributes:
        evidence: What the window shows.
        profile: What the model was trained on.
    """

    evidence: Evidence
    profile: Profile


@dataclass(frozen=True)
class Column:
    """One column of a window beside its reference."""

    name: str
    profile: ColumnProfile
    drift: ColumnDrift | None
    health: ColumnHealth | None
    fault: str = ""


def likely_causes(decision: Decision, view: View | None) -> list[str]:
    """Why that may be, as sentences, the most telling first; at most three.

    Args:
        decision: What the tick decided.
        view: What it saw; without it only what the decision itself tells.
    """
    found = [] if view is None else _of_columns(decision, view)
    found += [cause for rule in WINDOW_RULES if (cause := rule(decision, decision.kinds, view, bool(found)))]
    return list(dict.fromkeys(found))[:MOST]


def next_step(project: Project, decision: Decision) -> str:
    """What to do, with a command to type or whom to ask."""
    contacts = project.design.escalation
    if decision.escalates:
        contact = contacts.design if decision.action == "escalate_design" else contacts.development
        whom = contact or listed(project.design.owners, 3) or "whoever owns the project"
        then = f"`ciclo acknowledge {project.name} --by WHO --note WHAT` lets retraining go on"
        return f"{whom} has to look; {then}."
    match decision.action, (decision.kinds or ("drift",))[0]:
        case "alert", "serving":
            return "`ciclo status project.yaml` shows what serves; `ciclo deploy project.yaml` serves the champion."
        case "alert", _:
            about = f" of {_named(decision.columns)}" if decision.columns else ""
            return (
                f"Mend the source{about}, then `ciclo watch project.yaml` looks again. Nothing is retrained meanwhile."
            )
        case "recommend" | "blocked", "refit":
            allow = "`ciclo allow project.yaml --by WHO` lets a run do so; here and now " * (
                decision.action == "recommend" and project.monitoring.mode == "approve"
            )
            return (
                f'{allow}`ciclo models restore {project.name} --why "worse than tested"` goes back to the tested '
                "model, and `ciclo deploy project.yaml` serves it."
            )
        case "recommend", _:
            end = f" --window-end {decision.retrain_end:%Y-%m-%dT%H:%M}" if decision.retrain_end else ""
            return (
                f"`ciclo allow project.yaml --by WHO` lets one run start, or `ciclo run project.yaml{end}` trains a "
                "challenger here; it replaces the model only if it is better."
            )
        case "retrain" | "restore", _:
            return "Nothing: a run has been claimed, and its end is told. `ciclo log project.yaml` shows where it is."
        case "blocked", _:
            return "`ciclo log project.yaml` shows what is waited for; `ciclo run project.yaml` trains all the same."
    return "Nothing."


def changes(decision: Decision, view: View | None, most: int = 5) -> list[str]:
    """What changed and how far, a line for each column, the worst first.

    Args:
        decision: What the tick decided.
        view: What it saw.
        most: So many columns; how many more there are is said.
    """
    if view is None:
        return [_named(decision.columns)] if decision.columns else []
    lines = [line for column in affected(decision, view) if (line := _change(column))]
    if len(lines) > most:
        lines = [*lines[:most], f"and {counted(len(lines) - most, 'more column')}"]
    if (performance := view.evidence.performance) is not None and performance.degraded:
        lines.insert(0, performance.reason)
    if (estimate := view.evidence.estimate) is not None and estimate.degraded:
        lines.insert(0, estimate.reason)
    return lines


def affected(decision: Decision, view: View) -> list[Column]:
    """The columns a decision is about, the worst first; predictions, where they moved, are the last."""
    evidence = view.evidence
    drifts = {c.name: c for c in evidence.drift.columns} if evidence.drift else {}
    health = {h.name: h for h in evidence.health}
    moved = [name for name, drift in drifts.items() if drift.drifted]
    names = dict.fromkeys([*decision.columns, *evidence.faults, *moved])
    found = [
        Column(n, view.profile.columns[n], drifts.get(n), health.get(n), evidence.faults.get(n, ""))
        for n in names
        if n in view.profile.columns
    ]
    answers = evidence.drift.prediction if evidence.drift else None
    if answers is not None and answers.drifted and view.profile.prediction is not None:
        found.append(Column(answers.name, view.profile.prediction, answers, None))
    return found


def _change(column: Column) -> str:
    parts = []
    if (health := column.health) is not None:
        shares = {"missing": health.missing, "unknown": health.unknown, "outside the range of training": health.outside}
        parts += [
            f"{percent(now)} {what}, {percent(past)} in training"
            for what, (now, past) in shares.items()
            if now - past >= RISEN
        ]
    if column.drift is not None and (column.drift.drifted or not parts):
        usual = f", usually at most {max(column.drift.usual):.2f}" if column.drift.usual else ""
        weight = f" (importance {percent(column.drift.importance)})" if column.name != PREDICTION else ""
        parts.append(f"moved by {column.drift.effect:.2f}{usual}{weight}")
    return f"{_named((column.name,))}: {'; '.join(parts)}" if parts else ""


def _named(names: tuple[str, ...]) -> str:
    return listed((f"'{clean(name, 40)}'" for name in names), 5)


def _of_columns(decision: Decision, view: View) -> list[str]:
    """What the rules find, that about the worst column first."""
    hits: dict[Callable[[Column], bool], list[str]] = {}
    for column in affected(decision, view):
        for rule in COLUMN_RULES:
            if rule(column):
                hits.setdefault(rule, []).append(column.name)
    return [f"{COLUMN_RULES[rule]}: {_named(tuple(names))}" for rule, names in hits.items()]


def _gone(column: Column) -> bool:
    health = column.health
    return health is not None and health.missing[0] >= GONE and health.missing[1] < GONE / 2


def _more_missing(column: Column) -> bool:
    health = column.health
    return health is not None and not _gone(column) and health.missing[0] - health.missing[1] >= RISEN


def _grown(column: Column) -> bool:
    health = column.health
    return column.profile.kind == "category" and health is not None and health.unknown[0] - health.unknown[1] >= RISEN


def _another_unit(column: Column) -> bool:
    """Said so by its fault; or most values outside the range of training, or nearly all in an end that held few."""
    if UNIT in column.fault or column.profile.kind != "number":
        return UNIT in column.fault
    if column.health is not None and column.health.outside[0] - column.health.outside[1] >= 0.5:
        return True
    now, past = _shares(column)
    return len(now) > 3 and any(now[end] >= 0.9 > 4 * past[end] for end in (0, -1)) and not _frozen(column)


def _frozen(column: Column) -> bool:
    if FROZEN in column.fault:
        return True
    now, past = _shares(column)
    inner = len(now) > 4 and any(share >= ONE_BIN for share in now[1:-1])
    return column.profile.kind == "number" and inner and max(past, default=1) < ONE_BIN / 2


def _shares(column: Column) -> tuple[list[float], list[float]]:
    """Shares of the bins of values now and in training, without those that are missing."""
    counts = column.drift.counts if column.drift is not None else ()
    now, past = counts[:-1], column.profile.counts[:-1]
    if not sum(now) or not sum(past) or len(now) != len(past):
        return [], []
    return [n / sum(now) for n in now], [p / sum(past) for p in past]


COLUMN_RULES: dict[Callable[[Column], bool], str] = {
    _gone: "The column is gone, renamed, or of another type upstream, so that no value can be read",
    _another_unit: "The values come in another unit or on another scale (such as km for m)",
    _grown: "The list of categories has grown, or its words were changed; the model does not know the new ones",
    _frozen: "The feed is frozen: nearly all rows have the same value",
    _more_missing: "A source or a join upstream loses values",
}


def _stopped(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    empty = decision.cause == "empty" or (view is not None and kinds[:1] == ("data",) and view.evidence.rows == 0)
    return "No request reaches the model: the client, the network or the recorder of predictions stopped" * empty


def _unserved(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    return "A deployment failed, or the server was stopped" * (kinds[:1] == ("serving",))


def _season(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    """Several columns moved at once, nothing is broken, and training saw less than a year."""
    if view is None or known or "data" in kinds or view.evidence.drift is None:
        return ""
    start, end = view.profile.start, view.profile.end
    moved = len(view.evidence.drift.names)
    if not (start and end) or moved < 2 or (span := _time(end) - _time(start)) >= A_YEAR:
        return ""
    return f"A season that training has not seen: its rows cover {counted(span.days, 'day')}"


def _relation(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    """Worse answers on the inputs of ever: the inputs mean something else now."""
    drift = view.evidence.drift if view is not None else None
    still = drift is not None and not drift.inputs
    return "The relation to the target has changed: the columns look as ever, and the answers are worse" * (
        "realised" in kinds and still
    )


def _unlearned(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    drift = view.evidence.drift if view is not None else None
    lost = "realised" in kinds or "estimated" in kinds
    return "The cases have changed to such as the model has learnt little about" * (
        not known and lost and drift is not None and drift.inputs
    )


def _base_rate(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    drift = view.evidence.drift if view is not None else None
    answers = drift.prediction if drift is not None else None
    return "The share of outcomes, or how the columns go together, has moved: the predictions did, no column did" * (
        answers is not None and answers.drifted and drift is not None and not drift.names
    )


def _mix(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    drift = view.evidence.drift if view is not None else None
    return "The mix of cases has changed; nothing about the data looks broken" * (
        not known and "drift" in kinds and "realised" not in kinds and drift is not None and bool(drift.names)
    )


def _aged(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    return "Time alone: the newest training rows are older than monitoring.refresh_days" * (kinds[:1] == ("refresh",))


def _twice(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    fault = view.evidence.faults.get(ROWS, "") if view is not None else ""
    return "A batch was sent twice, or a client repeats its requests under new ids" * (TWICE in fault)


def _volume(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    """The number of rows is held against the history, so only the decision knows of it."""
    alone = ROWS in decision.columns and (view is None or ROWS not in view.evidence.faults)
    return "A client, a region or a batch stopped, or another one was added" * alone


def _late(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    return "The system that reports outcomes is behind, or no longer sends them" * (decision.cause == LATE_LABELS)


def _joined(decision: Decision, kinds: tuple[Kind, ...], view: View | None, known: bool) -> str:
    drift = view.evidence.drift if view is not None else None
    return "A join or a computation upstream has changed: the columns look as ever one by one, and not together" * (
        drift is not None and drift.together and not drift.names
    )


WINDOW_RULES = (
    _stopped,
    _twice,
    _volume,
    _late,
    _joined,
    _unserved,
    _season,
    _relation,
    _base_rate,
    _unlearned,
    _mix,
    _aged,
)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)
