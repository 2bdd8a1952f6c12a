"""A cleaned dataset that stays on disk: looked at one column at a time, so that its rows need not fit in memory."""

from collections.abc import Callable, Iterator, Sequence
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

NO_SIDE = 255


class Stored:
    """The rows of some splits of a cleaned dataset; the questions are those that ``Dataset`` answers.

    Args:
        path: Parquet file that cleaning wrote.

    Attributes:
        contract: The data contract.
    """

    def __init__(self, path: str | Path) -> None:
        self.contract = read_contract(path)
        self._file = pq.ParquetFile(path)
        self._splits: Sequence[Split] = SPLITS
        sides = (batch[SPLIT] for batch in self._file.iter_batches(BATCH, columns=[SPLIT]))
        known = pa.array(SPLITS)
        # The side of every row, a byte each: it is asked for with every column.
        self._sides = np.concatenate(
            [np.zeros(0, dtype="uint8")]
            + [
                pc.index_in(side, known).fill_null(NO_SIDE).to_numpy(zero_copy_only=False).astype("uint8")
                for side in sides
            ]
        )
        counts = np.bincount(self._sides, minlength=len(SPLITS))
        self._sizes = {name: int(counts[place]) for place, name in enumerate(SPLITS)}
        self._held = self._rows_of(SPLITS)

    def split(self, *names: Split) -> "Stored":
        """The rows of one or more splits."""
        part = copy(self)
        part._splits, part._held = names, part._rows_of(names)
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
        """The rows of the splits, one batch after the other; nothing is read ahead, and no part that holds none."""
        held, chosen = self._held
        start = 0
        for batch in self._file.iter_batches(BATCH, row_groups=held, columns=names):
            own = chosen[start : start + batch.num_rows]
            start += batch.num_rows
            yield batch if own.all() else batch.filter(pa.array(own))

    def _rows_of(self, splits: Sequence[Split]) -> tuple[list[int], Array]:
        """The row groups that hold rows of some splits, and which of their rows those are."""
        wanted = np.isin(np.arange(NO_SIDE + 1), [SPLITS.index(name) for name in splits])
        sizes = [self._file.metadata.row_group(place).num_rows for place in range(self._file.num_row_groups)]
        parts = np.split(wanted[self._sides], np.cumsum(sizes)[:-1])
        held = [place for place, part in enumerate(parts) if part.any()]
        return held, np.concatenate([np.zeros(0, dtype=bool), *(parts[place] for place in held)])

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
