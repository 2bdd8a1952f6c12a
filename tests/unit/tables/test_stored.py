"""A dataset on disk answers as one in memory, whatever part of it is asked."""

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.own_columns import ROW_ID
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
