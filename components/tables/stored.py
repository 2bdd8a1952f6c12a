"""A cleaned dataset that stays on disk: looked at one column at a time, so that its rows need not fit in memory."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import Array
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.tables.datasets import SPLITS, Dataset, Split, read_contract

_BATCH = 100_000


class Stored:
    """The rows of some splits of a cleaned dataset; the questions are those that ``Dataset`` answers.

    Args:
        path: Parquet file that cleaning wrote.
        contract: Its contract; read from the file where it is not given.
        splits: The splits that are looked at.

    Attributes:
        contract: The data contract.
    """

    def __init__(self, path: str | Path, contract: Contract | None = None, splits: tuple[Split, ...] = SPLITS) -> None:
        self.contract = contract or read_contract(path)
        self._path, self._splits = str(path), splits

    def split(self, *names: Split) -> "Stored":
        """The rows of one or more splits."""
        return Stored(self._path, self.contract, names)

    def __len__(self) -> int:
        return self._rows

    @cached_property
    def _rows(self) -> int:
        return int(self._file.count_rows(filter=self._wanted))

    def column(self, name: str) -> pd.Series:
        """One column as it is stored, shape ``(rows,)``; text as objects that equal values share."""
        values = self._file.to_table(columns=[name], filter=self._wanted)[name].combine_chunks()
        if pa.types.is_dictionary(values.type):
            texts = np.array([*values.dictionary.to_pylist(), None], dtype=object)
            codes = values.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
            return pd.Series(texts[codes], dtype=object)
        return pd.Series(values.to_pandas())

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
        table = pa.Table.from_batches(self._take(chosen), schema=self._schema)
        return Dataset(self.contract, table.to_pandas())

    def _take(self, chosen: Array) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in self._plain.to_batches(filter=self._wanted, batch_size=_BATCH):
            first, last = np.searchsorted(chosen, [start, start + batch.num_rows])
            if first < last:
                yield batch.take(pa.array(chosen[first:last] - start))
            start += batch.num_rows

    @property
    def _wanted(self) -> Any:
        return ds.field(SPLIT).isin(list(self._splits))

    @property
    def _schema(self) -> pa.Schema:
        return pq.read_schema(self._path)

    @cached_property
    def _plain(self) -> Any:
        return ds.dataset(self._path, format="parquet")

    @cached_property
    def _file(self) -> Any:
        texts = [field.name for field in self._schema if pa.types.is_string(field.type)]
        options = ds.ParquetReadOptions(dictionary_columns=texts)
        return ds.dataset(self._path, format=ds.ParquetFileFormat(read_options=options))


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
