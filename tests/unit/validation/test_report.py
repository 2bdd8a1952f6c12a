"""The validation report: what is in it, and that it stays small whatever the columns are."""

import re

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.releases.accepted import Accepted
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.stored import Stored
from ciclo.components.validation.beside import distributions, target_parts
from ciclo.components.validation.checks import reference_profile, validate
from ciclo.components.validation.report import validation_report
from tests.depth import some, thorough
from tests.tables import COLUMNS, dataset, project


@pytest.mark.parametrize("task", some(["binary", "multiclass", "regression"]))
def test_every_column_is_drawn_and_nothing_comes_from_elsewhere(task, tmp_path):
    html = validation_report("unit", validate(project(task), Stored(dataset(tmp_path / "d", task)), "d" * 64)).html()
    for name in COLUMNS:
        assert f'aria-label="{name} beside the target"' in html
    for title in ("How columns go together", "Share of missing values"):
        assert f'aria-label="{title}"' in html
    assert not re.search(r"<script|<link|src=|url\(|https?:", html)
    assert not re.search(r"\de[+-]\d", html), "numbers are written as people write them"


def test_bins_hold_every_row_and_tell_the_target_of_their_rows(tmp_path):
    rows = Dataset.open(dataset(tmp_path / "d", "multiclass"))
    told, classes = target_parts(rows)
    assert sorted(classes) == ["high", "low", "mid"]
    for found in distributions(rows, rows.contract.names):
        assert sum(b.rows for b in found.bins) + found.missing.rows == len(rows)
        bins = [b for b in (*found.bins, found.missing) if b.target]
        held = sum(np.array(b.target) * b.rows for b in bins)
        assert np.abs(held - told.sum(axis=0)).max() <= len(rows) - sum(b.rows for b in bins) + 1e-6


@thorough
@pytest.mark.parametrize(("categories", "length", "drawn"), [(40, 6, 60), (300, 6, 60), (100, 60, 30)])
def test_a_report_of_very_many_columns_stays_below_a_megabyte(categories, length, drawn):
    rng = np.random.default_rng(0)
    names = [f"<column> {i} {'of a long name ' * length}" for i in range(300)]
    texts = {n: np.array([f"&{'word ' * 30}{v}" for v in rng.integers(0, 30, 300)], object) for n in names[:categories]}
    frame = pd.DataFrame({**texts, **{n: rng.normal(size=300) for n in names[categories:]}})
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    frame["y"] = rng.choice(list("abcdefgh"), 300)
    frame[SPLIT] = np.where(np.arange(300) % 5 > 1, "train", np.where(np.arange(300) % 5 == 1, "validation", "test"))
    kinds = {n: {"type": "category" if n in names[:categories] else "number"} for n in names}
    charter = project(data={"source": "t.csv", "target": "y", "columns": {**kinds, "y": {"type": "category"}}})
    rows = Dataset(Contract.of(charter, tuple("abcdefgh")), frame)
    findings = validate(charter, rows, "d" * 64, Accepted(1, True, rows.contract, reference_profile(rows)))
    html = validation_report("unit", findings).html()
    assert len(html.encode()) < 1_000_000, len(html.encode())
    assert drawn / 2 < html.count('beside the target"') <= drawn
