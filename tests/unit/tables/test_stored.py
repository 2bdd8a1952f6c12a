"""A dataset on disk answers as one in memory, whatever part of it is asked."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.tables import stored
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.stored import Stored
from tests.tables import dataset


@pytest.mark.parametrize("batch", [7, 100_000])
@pytest.mark.parametrize("splits", [("train",), ("train", "validation"), ("train", "validation", "test")])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_it_answers_as_the_same_rows_in_memory(tmp_path, monkeypatch, task, splits, batch):
    monkeypatch.setattr(stored, "BATCH", batch)
    path = dataset(tmp_path / "d.parquet", task, rows=300)
    there, here = Stored(path).split(*splits), Dataset.open(path, *splits)
    assert len(there) == len(here) > 0
    assert list(there.features.columns) == list(here.features.columns)
    for name in here.features.columns:
        pd.testing.assert_series_equal(there.features[name], here.features[name], check_names=False)
    pd.testing.assert_series_equal(there.labels(), here.labels(), check_names=False)
    some = there.sample(50, 0).rows[ROW_ID]
    assert some.is_unique
    assert len(some) == min(50, len(here))
    assert set(some) <= set(here.rows[ROW_ID])
    assert np.array_equal(there.sample(10**6, 0).rows[ROW_ID], here.rows[ROW_ID])


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("groups", [7, 40, 300])
def test_it_answers_so_whatever_parts_the_file_is_written_in(tmp_path, ordered, groups):
    """Parts that hold none of the rows are not read, and the rows of the others stay in their places."""
    path = dataset(tmp_path / "d.parquet", "binary", rows=300)
    table = pq.read_table(path)
    sides = pd.Series(table[SPLIT].to_pylist())
    order = np.argsort(sides.map({"train": 0, "validation": 1, "test": 2}), kind="stable") if ordered else sides.index
    pq.write_table(table.take(np.asarray(order)), path, row_group_size=groups)
    for splits in (("test",), ("train",), ("validation", "test"), ("train", "validation", "test")):
        there, here = Stored(path).split(*splits), Dataset.open(path, *splits)
        assert len(there) == len(here) > 0
        for name in here.features.columns:
            pd.testing.assert_series_equal(there.features[name], here.features[name], check_names=False)
        assert np.array_equal(there.sample(20, 0).rows[ROW_ID], there.column(ROW_ID)[np.sort(_drawn(len(there), 20))])
        read = sum(batch.num_rows for batch in there._file.iter_batches(row_groups=there._held[0], columns=[SPLIT]))
        assert read <= len(here) + 2 * len(splits) * groups if ordered else read <= 300


def test_no_rows_of_a_split_and_a_split_that_nobody_knows_are_no_rows(tmp_path):
    path = dataset(tmp_path / "d.parquet", "binary", rows=30)
    table = pq.read_table(path)
    known = [name if name == "train" else "elsewhere" for name in table[SPLIT].to_pylist()]
    pq.write_table(table.set_column(table.column_names.index(SPLIT), SPLIT, [known]), path)
    assert [len(Stored(path).split(name)) for name in ("train", "validation", "test")] == [21, 0, 0]
    assert len(Stored(path)) == len(Stored(path).column("size")) == 21
    assert len(Stored(path).split("test").column("size")) == 0


def _drawn(rows, number):
    return np.random.default_rng(0).choice(rows, number, replace=False)
