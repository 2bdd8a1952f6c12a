"""A window of stored answers, counted batch by batch into the bins of a profile.

Memory holds one batch, the counts, a sample of two thousand rows and eight bytes a row to find repeated ones.
"""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.json

from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import Array
from ciclo.components.core.profile import Profile
from ciclo.components.monitoring.observing.drift import Counted, prediction_values

SAMPLE = 2_000
ANSWERS = 20_000
ANSWER = ["prediction", "probability", "probabilities"]
MIXER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio


@dataclass
class Window:
    """What a window holds, as its batches are added.

    Attributes:
        profile: Gives the bins.
        contract: How values are read.
        rows: Rows so far.
        columns: Counts of every feature.
        outside: Rows outside the range of training, by feature.
        far: Rows far outside of it.
        sample: Rows drawn at random, features as ``Contract.frame`` gives them.
        answers: Predictions and probabilities drawn at random.
    """

    profile: Profile
    contract: Contract
    rows: int = 0
    columns: dict[str, Array] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)
    far: dict[str, int] = field(default_factory=dict)
    sample: pd.DataFrame = field(default_factory=pd.DataFrame)
    answers: pd.DataFrame = field(default_factory=pd.DataFrame)
    _prediction: Array | None = None
    _segments: dict[str, dict[str, dict[str, Array]]] = field(default_factory=dict)
    _keys: list[Array] = field(default_factory=list)
    _draws: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @classmethod
    def of(cls, profile: Profile, contract: Contract, batches: Iterable[pd.DataFrame]) -> "Window":
        """Count batches as ``PredictionWindows.batches`` gives them."""
        window = cls(profile, contract)
        for batch in batches:
            beside = [name for name in contract.passthrough if name != contract.time_column]
            features, ids = read_features(batch["features"], contract, beside)
            window.add(features, batch, ids)
        return window

    def add(self, features: pd.DataFrame, answered: pd.DataFrame, ids: pd.DataFrame | None = None) -> None:
        """Count some rows.

        Args:
            features: As ``Contract.frame`` gives them.
            answered: ``time``, ``prediction``, ``probabilities`` (JSON text) and ``probability`` of the same rows.
            ids: What else tells one row from another.
        """
        codes = {name: column.codes(features[name]) for name, column in self.profile.columns.items()}
        self.rows += len(features)
        for name, column in self.profile.columns.items():
            self._count(self.columns, name, np.bincount(codes[name], minlength=column.bins))
            if column.kind == "number" and column.minimum is not None and column.maximum is not None:
                values = features[name].to_numpy()
                low, high = far_limits(column.minimum, column.maximum)
                self._count(self.outside, name, int(((values < column.minimum) | (values > column.maximum)).sum()))
                self._count(self.far, name, int(((values < low) | (values > high)).sum()) if low < high else 0)
        self._prediction = _sum(self._prediction, self._answered(answered))
        self._count_segments(codes)
        if self.contract.passthrough:
            self._keys.append(_keys(features, codes, ids, answered["time"] if self.contract.time_column else None))
        self._draw(features, answered)

    @property
    def counted(self) -> Counted:
        """The counts."""
        return Counted(self.columns, self._prediction, self._joint(), self._segments)

    def _joint(self) -> Array | None:
        joint, columns = self.profile.joint, self.profile.columns
        if joint is None or self.sample.empty:
            return None
        codes = {name: columns[name].codes(self.sample[name]) for name in joint.columns}
        return joint.error.bin(joint.errors(columns, self.sample, codes))

    @property
    def repeated(self) -> int:
        """Rows that repeat an earlier one in everything, where ids or a time tell one row from another."""
        return self.rows - int(np.unique(np.concatenate(self._keys)).size) if self._keys else 0

    @staticmethod
    def _count(into: dict[str, Any], name: str, number: Any) -> None:
        into[name] = into[name] + number if name in into else number

    def _answered(self, answered: pd.DataFrame) -> Array | None:
        expected = self.profile.prediction
        if expected is None:
            return None
        predicted = answered if self.contract.task == "binary" else spoken(answered)
        return expected.bin(prediction_values(predicted, expected, self.contract.task))

    def _count_segments(self, codes: Mapping[str, Array]) -> None:
        for name, values in self.profile.segments.items():
            for place, value in enumerate(self.profile.columns[name].labels):
                if value not in values:
                    continue
                inside = codes[name] == place
                into = self._segments.setdefault(name, {}).setdefault(value, {})
                for column, profile in self.profile.columns.items():
                    self._count(into, column, np.bincount(codes[column][inside], minlength=profile.bins))

    def _draw(self, features: pd.DataFrame, answered: pd.DataFrame) -> None:
        """Keep the rows with the smallest of random keys: a sample of all rows so far, whatever their number."""
        key = self._draws.random(len(features))
        self.sample = _smallest(self.sample, features, key, SAMPLE)
        self.answers = _smallest(self.answers, answered[ANSWER], key, ANSWERS)


def _smallest(kept: pd.DataFrame, rows: pd.DataFrame, key: Array, number: int) -> pd.DataFrame:
    """Those rows with the smallest keys, by key, of what was kept and what comes."""
    least = np.argpartition(key, number)[:number] if len(key) > number else np.arange(len(key))
    chosen = least[key[least] < kept.index[-1]] if len(kept) == number else least
    added = rows.iloc[chosen].set_axis(key[chosen])
    return (pd.concat([kept, added]) if len(kept) else added).sort_index().head(number)


def far_limits(minimum: float, maximum: float) -> tuple[float, float]:
    """Beyond what a number lies far outside a range: further than the range is wide.

    For a column that was always positive, values below a tenth of the smallest are far outside as well. A column that
    was constant has no range to judge by; both limits are the same then.
    """
    width = maximum - minimum
    if width == 0:
        return minimum, minimum
    low = minimum - width
    return (max(low, minimum / 10) if minimum > 0 else low), maximum + width


def read_features(texts: pd.Series, contract: Contract, beside: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read stored features, by type alone.

    A column that is gone, or text where a number was, is missing. Values that are of their column's type already, as a
    server of this release stores them, are read by Arrow; a batch with any other goes value by value.

    Args:
        texts: JSON objects.
        contract: The columns.
        beside: Names of what came along and is read as text.

    Returns:
        The features as ``Contract.frame`` gives them, and what came along.
    """
    table = _by_arrow(texts, contract, beside)
    if table is None:
        rows = pd.DataFrame([json.loads(text) for text in texts], index=texts.index)
        return canonical(rows, contract), rows.reindex(columns=beside)
    frame = table.to_pandas()
    features = {c.name: frame[c.name].astype(object if c.type == "category" else "float64") for c in contract.columns}
    return pd.DataFrame(features), frame[beside]


def _by_arrow(texts: pd.Series, contract: Contract, beside: list[str]) -> pa.Table | None:
    kinds = {"category": pa.string(), "boolean": pa.bool_()}
    if any(c.missing for c in contract.columns):
        return None
    schema = pa.schema(
        [(c.name, kinds.get(c.type, pa.float64())) for c in contract.columns] + [(name, pa.string()) for name in beside]
    )
    options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    blocks = pyarrow.json.ReadOptions(use_threads=False, block_size=1 << 24)
    try:
        return pyarrow.json.read_json(io.BytesIO("\n".join(texts).encode()), read_options=blocks, parse_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeEncodeError):
        return None


def canonical(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Stored features as a canonical frame; a column that is gone, or text where a number was, is missing."""
    present = rows.reindex(columns=contract.names)
    for column in contract.columns:
        present[column.name] = column.column(present[column.name])
    return contract.frame(present)


def spoken(answered: pd.DataFrame) -> pd.DataFrame:
    """The same rows with their predictions as values instead of JSON text."""
    decoded = {text: json.loads(text) for text in answered["prediction"].unique()}
    return answered.assign(prediction=answered["prediction"].map(decoded))


def _sum(before: Array | None, counts: Array | None) -> Array | None:
    return counts if before is None or counts is None else before + counts


def _keys(
    features: pd.DataFrame, codes: Mapping[str, Array], ids: pd.DataFrame | None, times: pd.Series | None
) -> Array:
    """A number for each row that is the same for rows that are the same, and hardly ever for others."""
    parts = [
        bins.astype("uint64") if features[name].dtype == object else features[name].to_numpy("float64").view("uint64")
        for name, bins in codes.items()
    ]
    if ids is not None:
        parts += [pd.util.hash_array(ids[name].astype(object).to_numpy()) for name in ids]
    if times is not None:
        parts.append(times.astype("int64").to_numpy().view("uint64"))
    keys = np.zeros(len(features), dtype="uint64")
    for part in parts:
        keys = (keys ^ part) * MIXER
        keys ^= keys >> np.uint64(29)
    return keys
