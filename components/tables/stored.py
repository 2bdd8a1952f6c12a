"""A cleaned dataset that stays on disk: looked at one column at a time, so that its rows need not fit in memory."""

from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ciclo.components.core.metrics import Array
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.tables.datasets import BATCH, SPLITS, Dataset, Split, read_contract


class Stored:
    """The rows of some splits of a cleaned dataset; the questions are those that ``Dataset`` answers.

    Args:
        path: Parquet file that cleaning wrote.

    Attributes:
        contract: The data contract.
    """

    def __init__(self, path: str | Path) -> None:
        self.contract = read_contract(path)
        self._file, self._splits = pq.ParquetFile(path), SPLITS
        sides = (batch[SPLIT] for batch in self._file.iter_batches(BATCH, columns=[SPLIT]))
        self._sizes: Counter[str] = Counter()
        for side in sides:
            self._sizes.update({row["values"]: row["counts"] for row in side.value_counts().to_pylist()})

    def split(self, *names: Split) -> "Stored":
        """The rows of one or more splits."""
        part = copy(self)
        part._splits = names
        return part

    def __len__(self) -> int:
        return sum(self._sizes[name] for name in self._splits)

    def column(self, name: str) -> pd.Series:
        """One column, shape ``(rows,)``: numbers as ``float64``, text as objects that equal values share, times."""
        kind = self._file.schema_arrow.field(name).type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return pd.Series(self._filled(name, np.empty(len(self)), lambda v: v.cast("float64", safe=False)))
        if pa.types.is_string(kind):
            return self._texts(name)
        return pd.Series(pa.chunked_array([batch.column(0) for batch in self._batches([name])], kind).to_pandas())

    def _filled(self, name: str, out: Array, read: Callable[[pa.Array], pa.Array]) -> Array:
        """A column, batch by batch, in an array that is there already."""
        start = 0
        for batch in self._batches([name]):
            out[start : start + batch.num_rows] = read(batch.column(0)).to_numpy(zero_copy_only=False)
            start += batch.num_rows
        return out

    def _texts(self, name: str) -> pd.Series:
        codes: dict[str | None, int] = {}

        def coded(values: pa.Array) -> pa.Array:
            found = values.dictionary_encode(null_encoding="encode")
            known = [codes.setdefault(text, len(codes)) for text in found.dictionary.to_pylist()]
            return pa.array(known, "int32").take(found.indices)

        rows = self._filled(name, np.empty(len(self), dtype="int32"), coded)
        return pd.Series(np.array([*codes, None], dtype=object)[rows], dtype=object)

    def _batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """The rows of the splits, one batch after the other; nothing is read ahead."""
        wanted = pa.array(self._splits)
        for batch in self._file.iter_batches(BATCH, columns=list(dict.fromkeys((*names, SPLIT)))):
            yield batch.filter(pc.is_in(batch[SPLIT], wanted)).select(names)

    def labels(self) -> pd.Series:
        """The target: class labels as text, or numbers; shape ``(rows,)``."""
        return self.contract.labels(self.column(self.contract.target))

    @property
    def features(self) -> "Features":
        """The features, read when they are asked for."""
        return Features(self)

    def sample(self, rows: int, seed: int) -> Dataset:
        """At most that many rows, drawn without replacement, in the order of the file."""
        chosen = np.arange(len(self))
        if len(self) > rows:
            chosen = np.sort(np.random.default_rng(seed).choice(len(self), rows, replace=False))
        table = pa.Table.from_batches(self._take(chosen), schema=self._file.schema_arrow)
        return Dataset(self.contract, table.to_pandas())

    def _take(self, chosen: Array) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in self._batches(self._file.schema_arrow.names):
            first, last = np.searchsorted(chosen, [start, start + batch.num_rows])
            if first < last:
                yield batch.take(pa.array(chosen[first:last] - start))
            start += batch.num_rows


class Features:
    """The features of stored rows as ``Contract.frame`` gives them, each read when it is asked for."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    @property
    def columns(self) -> list[str]:
        """Their names, in order."""
        return self._stored.contract.names

    def __getitem__(self, name: str) -> pd.Series:
        return self._stored.contract.canonical(name, self._stored.column(name))

    def __len__(self) -> int:
        return len(self._stored)


Rows = Dataset | Stored
