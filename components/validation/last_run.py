"""This run's rows beside those that the last accepted version was trained on.

Every limit is an effect that a person would want to hear of, and is not reached by chance: where the profile of the
version knows windows of time enough, what those show of each other is chance too. On tables of one distribution, with
times or without, fewer than one run in twenty has a finding (``tests/unit/validation/test_last_run.py``).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ciclo.components.core.charts import percent
from ciclo.components.core.column_profile import OTHER, RARE, ColumnProfile
from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import Array
from ciclo.components.core.profile import Profile, Table
from ciclo.components.core.verdict import Check, Severity
from ciclo.components.core.wording import counted, listed, number
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.stored import Rows
from ciclo.components.validation.departures import Departures, days_between, departures

NAME = "last_run"
ROWS = 0.5  # of them, as Deequ's example of a relative change (Schelter et al., 2018)
NULLS = 0.1  # share of missing values more, or fewer
DISTINCT = 2.0  # times as many different values, beyond what other rows bring
SURE = 3.0  # standard deviations of a count of rare values, which is that of a Poisson variable
DISTANCE = 0.2  # a normal column that moved by half its standard deviation: benchmarks/drift.py
LEVELS = 0.01  # share of rows that a category holds which was not known
FEW = 20  # rows of a slice of time below which a share of them tells little
SHOWN = 10  # findings of one kind
_LOOK = "look at what became of it in the source"


class Counting:
    """A table whose columns are counted in the bins of an earlier profile when they are first read.

    Args:
        table: The features.
        accepted: Whose profile is meant; None if there is none.

    Attributes:
        counts: Rows in the bins of each column that both have in one kind, shape ``(bins,)``.
    """

    def __init__(self, table: Table, accepted: Accepted | None) -> None:
        profile = accepted.profile if accepted is not None else None
        self._table, self._columns = table, {} if profile is None else profile.columns
        self.counts: dict[str, Array] = {}

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self._table.columns)

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, name: str) -> pd.Series:
        values = self._table[name]
        if name not in self.counts and (column := self._columns.get(name)) is not None and _fits(column, values):
            self.counts[name] = column.bin(values)
        return values


@dataclass(frozen=True)
class Beside:
    """The rows of this run beside those of the last accepted version.

    Attributes:
        accepted: The version; None if there is none yet.
        contract: The contract of this run.
        profile: The profile of this run.
        features: How far each feature that both have lies from where it was, missing values aside.
        missing: How far its share of missing values does.
        target: How far the target lies from where it was; None where that cannot be compared.
        counts: Rows of this run in the bins of the version's profile, by feature.
    """

    accepted: Accepted | None
    contract: Contract
    profile: Profile
    features: Departures = field(default_factory=lambda: Departures({}))
    missing: Departures = field(default_factory=lambda: Departures({}))
    target: Departures = field(default_factory=lambda: Departures({}))
    counts: Mapping[str, Array] = field(default_factory=dict)

    @property
    def past(self) -> Profile | None:
        """The profile of the version, if there is one that these rows can be compared with."""
        return None if self.accepted is None or self.reason else self.accepted.profile

    @property
    def reason(self) -> str:
        """Why nothing is compared, as a sentence; empty if it is."""
        accepted = self.accepted
        if accepted is None:
            return "nothing was published yet that these rows could be compared with"
        if accepted.contract is None or accepted.profile is None:
            return f"{accepted.name}, cannot be compared with: {accepted.problem}"
        then, now = accepted.contract, self.contract
        if (then.target, then.task) != (now.target, now.task):
            return (
                f"{accepted.name}, predicts '{then.target}' ({then.task}), and this run '{now.target}' ({now.task}), "
                "so that their rows are not compared"
            )
        return ""


def _fits(column: ColumnProfile, values: pd.Series) -> bool:
    """Whether values can be counted in the bins of a profile."""
    return (column.kind == "category") == (values.dtype == object)


def beside(
    accepted: Accepted | None,
    dataset: Rows,
    profile: Profile,
    counts: Mapping[str, Array],
    least: float,
) -> Beside:
    """Compare the rows of this run with those of the last accepted version.

    Args:
        accepted: The version; None if there is none yet.
        dataset: The rows of this run that models are fitted on.
        profile: Their profile.
        counts: The rows in the bins of the version's profile, by feature.
        least: Least distance that is a finding where windows of time are known.
    """
    found = Beside(accepted, dataset.contract, profile)
    past = found.past
    if past is None:
        return found
    span = days_between(pd.Timestamp(profile.start), pd.Timestamp(profile.end)) if profile.start and profile.end else 0
    slice_days = past.slice_days if span else 0
    labels = dataset.labels()
    target = {"": past.target.bin(labels)} if _fits(past.target, labels) else {}
    return replace(
        found,
        features=departures(
            {name: _known(past.columns[name]) for name in counts},
            {name: rows[:-1] for name, rows in counts.items()},
            fixed=DISTANCE, least=least, slice_days=slice_days, span=span,
        ),
        missing=departures(
            {name: _presence(past.columns[name]) for name in counts},
            {name: np.array([rows[:-1].sum(), rows[-1]]) for name, rows in counts.items()},
            fixed=0.0, slice_days=slice_days, span=span,
        ),
        target=departures({"": past.target}, target, fixed=DISTANCE),
        counts=counts,
    )  # fmt: skip


def last_run_checks(found: Beside, level: Severity) -> list[Check]:
    """What is otherwise than it was, each with what it was, what it is, and where to look.

    That a version cannot be read stops nothing: whether its successor may replace it is for evaluation to say.

    Args:
        found: The comparison.
        level: Level of the checks.
    """
    accepted, past = found.accepted, found.past
    if accepted is None or past is None:
        unread = accepted is not None and bool(accepted.problem)
        advice = "; see to it that it can be read, or publish another" if unread else ""
        return [
            Check(name=NAME, passed=not unread, level="warning" if unread else level, message=found.reason + advice)
        ]
    kinds = (_schema(found), _rows(found, past), _nulls(found, past), _distinct(found, past), _moved(found, past))
    checks = [check for kind in kinds for check in list(kind)[:SHOWN]]
    if checks:
        return [check.model_copy(update={"level": level}) for check in checks]
    message = f"columns, rows, missing and different values, and distributions are those of {accepted.name}"
    return [Check(name=NAME, passed=True, level=level, message=message)]


def _finding(message: str, value: float | None = None, limit: float | None = None) -> Check:
    return Check(name=NAME, passed=False, value=value, limit=limit, message=message)


def _schema(found: Beside) -> Iterator[Check]:
    accepted, now = found.accepted, found.contract
    if accepted is None or accepted.contract is None:
        return
    then = {column.name: column.type for column in accepted.contract.columns}
    today = {column.name: column.type for column in now.columns}
    for name in (name for name in then if name not in today):
        yield _finding(
            f"column '{name}' is gone, which {accepted.name}, was trained on; take it back into the project, unless it "
            "was left out on purpose"
        )
    for name, kind in today.items():
        if name not in then:
            yield _finding(
                f"column '{name}' is new: {accepted.name}, was trained without it; see whether it is known when a "
                "prediction is wanted"
            )
        elif then[name] != kind:
            yield _finding(
                f"column '{name}' was of type {then[name]} and is of type {kind}; see which it is meant to be"
            )
    gone = [label for label in accepted.contract.classes if label not in now.classes]
    new = [label for label in now.classes if label not in accepted.contract.classes]
    if gone or new:
        parts = [f"has new classes: {listed(new)}" if new else "", f"has lost {listed(gone)}" if gone else ""]
        what = " and ".join(part for part in parts if part)
        yield _finding(f"the target '{now.target}' {what}, beside {accepted.name}; see how its labels are written")


def _rows(found: Beside, past: Profile) -> Iterator[Check]:
    now, limit = found.profile.rows, ROWS * past.rows
    if now < limit:
        spans = ""
        if (then := _days(past)) and (today := _days(found.profile)):
            spans = f" over {counted(then, 'day')}, and these are of {counted(today, 'day')}"
        learn = f"{counted(now, 'row')} to learn from, where they were {past.rows:,}{spans}"
        message = f"{learn}; see whether the source is whole"
        yield _finding(message, now, limit)


def _nulls(found: Beside, past: Profile) -> Iterator[Check]:
    moved = found.missing.moved
    for name in [*moved, *(name for name in found.counts if name not in moved)]:
        then, now = past.columns[name].missing, found.profile.columns[name].missing
        limit = then + NULLS if now > then else then - NULLS
        least, most = _gaps(past.columns[name])
        if abs(now - then) > NULLS and (name in moved or not least - NULLS <= now <= most + NULLS):
            words = f"'{name}' lacks {percent(now)} of its values, where it lacked {percent(then)}"
            yield _finding(f"{words}; {_LOOK}", now, limit)


def _gaps(column: ColumnProfile) -> tuple[float, float]:
    """The least and the greatest share of missing values in a slice of its time; anything where it has no slices."""
    counts = np.array(column.by_slice, dtype="float64").reshape(-1, len(column.counts))
    counts = counts[counts.sum(axis=1) >= FEW]
    shares = counts[:, -1] / counts.sum(axis=1)
    return (float(shares.min()), float(shares.max())) if shares.size else (-np.inf, np.inf)


def _distinct(found: Beside, past: Profile) -> Iterator[Check]:
    """More rows bring more different values, at most in proportion: their number grows ever slower."""
    ratio = found.profile.rows / max(past.rows, 1)
    for name in found.counts:
        then, now = past.columns[name].distinct, found.profile.columns[name].distinct
        if then is None or now is None:
            continue
        low, high = then * min(ratio, 1.0) / DISTINCT, then * max(ratio, 1.0) * DISTINCT
        if not low <= now <= high and abs(now - then * ratio ** (now > then)) > SURE * np.sqrt(then + now):
            yield _finding(
                f"'{name}' has {counted(now, 'different value')}, where it had {then:,}; see how they are written",
                now,
                high if now > high else low,
            )


def _moved(found: Beside, past: Profile) -> Iterator[Check]:
    moved = found.features.moved
    for name, one in moved.items():
        usual = found.features.usual(name)
        words = f"{_words(past.columns[name], found.profile.columns[name], one.counts)}{f' ({usual})' if usual else ''}"
        yield _finding(f"'{name}' is distributed otherwise: {words}; {_LOOK}", one.effect, one.limit)
    for name in (name for name in found.counts if name not in moved):
        yield from _levels(name, past.columns[name], found.profile.columns[name])
    for one in found.target.moved.values():
        words = _words(past.target, found.profile.target, one.counts)
        message = f"the target '{found.contract.target}' is distributed otherwise: {words}; {_LOOK}"
        yield _finding(message, one.effect, one.limit)


def _levels(name: str, then: ColumnProfile, now: ColumnProfile) -> Iterator[Check]:
    """Categories that were not among the known ones, as far as they are more than the rest that was not kept apart."""
    if then.kind != "category" or not sum(then.counts):
        return
    rest, every = then.counts[-2] / sum(then.counts), max(sum(now.counts), 1)
    least = rest + max(LEVELS, SURE * np.sqrt(RARE) / every)
    large = {value: share for value, share in _new(then, now).items() if share > least}
    if large:
        message = f"'{name}' has values that it had not: {_listed(large)}; see how they are written"
        yield _finding(message, sum(large.values()), LEVELS)


def _new(then: ColumnProfile, now: ColumnProfile) -> dict[str, float]:
    """The share of each category that was not among the known ones."""
    every = max(sum(now.counts), 1)
    return {v: rows / every for v, rows in zip(now.values, now.counts, strict=False) if v not in then.values}


def _listed(shares: Mapping[str, float]) -> str:
    order = sorted(shares.items(), key=lambda item: -item[1])
    return listed([f"'{value}' ({percent(share)})" for value, share in order], 3)


def _words(then: ColumnProfile, now: ColumnProfile, counts: Array) -> str:
    """What a distribution was and is: the quantiles of a number, and the value or bin that changed most."""
    before = np.array(then.counts[: len(counts)], dtype="float64")
    shares = before / max(before.sum(), 1), counts / max(counts.sum(), 1)
    change = np.abs(shares[1] - shares[0])
    most, text = int(change.argmax()), ""
    other = then.bin_names.index(OTHER) if OTHER in then.bin_names[: change.size] else most
    if change[other] >= change[most] - 1e-9 and (new := _new(then, now)) and other < len(change):
        change[other] = 0
        most, text = (
            int(change.argmax()),
            f"values that it had not are {percent(shares[1][other])}, {_listed(new)}, and ",
        )
    text += f"'{then.bin_names[most]}' was {percent(shares[0][most])} and is {percent(shares[1][most])}"
    median = then.quantile(0.5), now.quantile(0.5)
    if median[0] is None or median[1] is None or (then.distinct or 0) == 2:
        return text
    quantiles = [listed([number(float(column.quantile(q) or 0)) for q in (0.1, 0.5, 0.9)]) for column in (then, now)]
    return f"its 10, 50 and 90 % quantiles were {quantiles[0]} and are {quantiles[1]}, {text}"


def _known(column: ColumnProfile) -> ColumnProfile:
    """The same without missing values, which are looked at by themselves."""
    return _of_counts(column.counts[:-1], tuple(row[:-1] for row in column.by_slice))


def _presence(column: ColumnProfile) -> ColumnProfile:
    """How many rows have a value, and how many have none."""
    return _of_counts(
        (sum(column.counts[:-1]), column.counts[-1]), tuple((sum(row[:-1]), row[-1]) for row in column.by_slice)
    )


def _of_counts(counts: tuple[int, ...], by_slice: tuple[tuple[int, ...], ...]) -> ColumnProfile:
    """Bare counts as a column that can be compared, of two bins or more."""
    if len(counts) == 1:
        counts, by_slice = (*counts, 0), tuple((*row, 0) for row in by_slice)
    edges = tuple(float(i) for i in range(len(counts) - 2))
    return ColumnProfile(kind="number", counts=counts, edges=edges, by_slice=by_slice)


def _days(profile: Profile) -> int:
    if not profile.start or not profile.end:
        return 0
    return int(days_between(pd.Timestamp(profile.start), pd.Timestamp(profile.end)))
