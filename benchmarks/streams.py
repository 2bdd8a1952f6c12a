"""Streams of rows in time that are stable: whatever alarms on them, alarms for nothing.

Every column is normal; one in five is cut into a category. A third of the variance of a row is shared by all columns,
and so is half of what a day adds. Sizes are in standard deviations of a row; what a whole week adds to a column is
their mean over seven days: 0.19 for day effects of 0.5, 0.13 for the memory, and most of the season.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ciclo.components.core.contract import Contract, ContractColumn
from ciclo.components.core.metrics import Array
from ciclo.components.core.profile import Profile
from ciclo.components.monitoring.observing.window import Window
from ciclo.components.storage.windows import BATCH

WEEK = 7
FIRST = pd.Timestamp("2025-01-06", tz="UTC")
Effects = Callable[[np.random.Generator, int, int], Array]


@dataclass(frozen=True)
class Kind:
    """A kind of stream.

    Attributes:
        name: What it is called.
        days: Days of the training rows.
        effects: What a day adds to every column, shape ``(days, columns)``, in standard deviations of a row.
        growth: By what the rows of a week grow from one to the next.
    """

    name: str
    days: int
    effects: Effects
    growth: float = 0.0


def _none(rng: np.random.Generator, days: int, columns: int) -> Array:
    return np.zeros((days, columns))


def _days(size: float) -> Effects:
    return lambda rng, days, columns: size * _together(rng, days, columns)


def _memory(rng: np.random.Generator, days: int, columns: int) -> Array:
    """An autoregressive process of a deviation of 0.2 that forgets in three days."""
    kept, shocks = np.exp(-1 / 3), _together(rng, days, columns)
    effects = np.empty_like(shocks)
    effects[0] = shocks[0]
    for day in range(1, days):
        effects[day] = kept * effects[day - 1] + np.sqrt(1 - kept**2) * shocks[day]
    return np.asarray(0.2 * effects)


def _season(rng: np.random.Generator, days: int, columns: int) -> Array:
    """A year of the columns, each with its own phase, and the weather in it."""
    phase = rng.uniform(0, 2 * np.pi, columns)
    year = np.sin(2 * np.pi * np.arange(days)[:, None] / 365 + phase)
    return np.asarray(0.3 * year + _memory(rng, days, columns))


def _together(rng: np.random.Generator, days: int, columns: int) -> Array:
    """Normal, with a correlation of 0.5 between columns."""
    return np.asarray(np.sqrt(0.5) * (rng.normal(size=(days, 1)) + rng.normal(size=(days, columns))))


KINDS = (
    Kind("independent rows", 119, _none),
    Kind("day effects", 119, _days(0.5)),
    Kind("three days of memory", 119, _memory),
    Kind("season, known", 371, _season),
    Kind("season, unknown", 119, _season),
    Kind("growing volume", 119, _days(0.3), growth=0.02),
)


class Stream:
    """One stream: its training rows, then week after week.

    The columns from the second on that are numbers share what the first leaves of the importance, but for the last one,
    which has 1 % of it. The model's answer is a logistic function of the first four.

    Args:
        kind: What kind.
        columns: How many columns, four or more.
        rows: Rows of the first week after the training rows.
        weeks: Weeks after them.
        seed: Of everything.
        importance: Share of the first column.

    Attributes:
        names: Of the columns.
        irrelevant: The one that has 1 % of the importance.
        reference: The training rows.
        profile: What was kept of them.
        contract: How rows are read.
    """

    def __init__(self, kind: Kind, columns: int, rows: int, weeks: int, seed: int, importance: float = 0.4) -> None:
        self._rng = np.random.default_rng(seed)
        self.kind, self.columns, self.rows, self.weeks = kind, columns, rows, weeks
        self._effects = kind.effects(self._rng, kind.days + weeks * WEEK, columns)
        self.names = [f"x{i}" for i in range(columns)]
        self.reference, times = self._drawn(0, kind.days, max(rows // WEEK, 1))
        self._deviations = self.reference.std(numeric_only=True)
        self.irrelevant = [name for name in self.names if name in self._deviations][-1]
        rest = (1 - importance - 0.01) / (columns - 2)
        shares = dict.fromkeys(self.names, rest) | {"x0": importance, self.irrelevant: 0.01}
        answers = self.answers(self.reference)
        profile = Profile.of(self.reference, pd.Series(["no", "yes"] * 20, dtype=object), times)
        target = type(profile.target).of(answers)
        slices = ((times - times.min().floor("D")).dt.days // profile.slice_days).to_numpy()
        self.profile = profile.with_model(shares, target.sliced(target.codes(answers), slices, int(slices.max()) + 1))
        kinds = {name: "number" if name in self._deviations else "category" for name in self.names}
        self.contract = Contract(
            task="binary",
            target="y",
            target_type="boolean",
            classes=("false", "true"),
            columns=tuple(ContractColumn(name=name, type=kinds[name]) for name in self.names),
            passthrough=("time",),
            time_column="time",
        )

    def week(self, number: int, shift: float = 0.0, column: str = "x0") -> tuple[pd.DataFrame, pd.Series]:
        """The rows of a week and their times; a column may have moved by so many standard deviations."""
        rows = int(self.rows * (1 + self.kind.growth) ** number)
        frame, times = self._drawn(self.kind.days + number * WEEK, WEEK, max(rows // WEEK, 1))
        if shift:
            frame[column] += shift * float(self._deviations[column])
        return frame, times

    def window(self, frame: pd.DataFrame, times: pd.Series) -> Window:
        """A week as the watch counts it, batch by batch."""
        window = Window(self.profile, self.contract)
        for features, answered in self.batches(frame, times):
            window.add(features, answered)
        return window

    def batches(self, frame: pd.DataFrame, times: pd.Series) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Rows and what was answered to them, in pieces as the prediction store gives them."""
        for start in range(0, len(frame), BATCH):
            part = frame.iloc[start : start + BATCH]
            said = self.answers(part)
            texts = np.where(said > 0.5, '"true"', '"false"').astype(object)
            answered = {"time": times.iloc[start : start + BATCH], "prediction": texts, "probability": said}
            answered["probabilities"] = None
            yield part, pd.DataFrame(answered, index=part.index)

    def answers(self, frame: pd.DataFrame) -> pd.Series:
        """The probability that the model gives each row."""
        score = frame["x0"].to_numpy() + 0.3 * frame[["x1", "x2", "x3"]].to_numpy().sum(axis=1)
        return pd.Series(1 / (1 + np.exp(-score)), index=frame.index)

    def _drawn(self, first: int, days: int, a_day: int) -> tuple[pd.DataFrame, pd.Series]:
        effects = np.repeat(self._effects[first : first + days], a_day, axis=0)
        shared = self._rng.normal(size=(days * a_day, 1))
        values = np.sqrt(0.3) * shared + np.sqrt(0.7) * self._rng.normal(size=(days * a_day, self.columns)) + effects
        frame = pd.DataFrame(values, columns=self.names)
        for name in self.names[4::5]:
            letters = np.array(["a", "b", "c", "d", "e"], dtype=object)[np.digitize(frame[name], [-1, 0, 0.5, 1.5])]
            frame[name] = pd.Series(letters, dtype=object)
        day = np.repeat(np.arange(first, first + days), a_day)
        return frame, pd.Series(FIRST + pd.to_timedelta(day, unit="D"))
