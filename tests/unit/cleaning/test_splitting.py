"""The past trains, what comes after it chooses, and the newest rows judge."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ciclo.components.core.own_columns import SPLIT
from tests.unit.cleaning.test_clean import project, run

COLUMNS = {"n": {"type": "number"}, "t": {"type": "timestamp"}, "y": {"type": "boolean"}}


def sides(folder, split: dict, *, timed: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    days = pd.date_range("2026-01-01", periods=200, freq="D")[rng.permutation(200)]
    frame = pd.DataFrame({"n": np.arange(200), "t": days.strftime("%Y-%m-%d"), "y": np.arange(200) % 2}).astype(str)
    data = {"time_column": "t"} if timed else {}
    run(folder, frame, project(COLUMNS, data, cleaning={"split": split}))
    return pq.read_table(folder / "dataset", columns=["t", SPLIT]).to_pandas()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "days"),
    [
        ({"method": "time", "validation": "14d", "test": "7d"}, {"train": 179, "validation": 14, "test": 7}),
        ({"method": "auto", "validation": 0.2, "test": 0.1}, {"train": 140, "validation": 40, "test": 20}),
    ],
    ids=["days", "shares"],
)
def test_by_time_the_newest_rows_judge_and_the_oldest_train(tmp_path, split, days):
    found = sides(tmp_path, split)
    assert found[SPLIT].value_counts().to_dict() == days
    times = found.groupby(SPLIT)["t"].agg(["min", "max"])
    assert times.loc["train", "max"] < times.loc["validation", "min"]
    assert times.loc["validation", "max"] < times.loc["test", "min"]
    assert times.loc["test", "max"] == found["t"].max()


def test_by_hash_every_side_has_about_its_share_and_time_does_not_matter(tmp_path):
    found = sides(tmp_path, {"method": "hash", "validation": 0.3, "test": 0.1})
    counts = found[SPLIT].value_counts()
    assert 40 <= counts["validation"] <= 80
    assert 8 <= counts["test"] <= 35
    times = found.groupby(SPLIT)["t"].agg(["min", "max"])
    assert (times["min"] < times["max"].min()).all()  # the sides lie among each other


def people(folder, group: str | None, rows: list[int], *, changed: bool = False, **split: object) -> pd.DataFrame:
    """Rows of people, one of them without a name."""
    columns = {**COLUMNS, "who": {"type": "category"}}
    who = [f"p{n // 4}" for n in rows]
    frame = pd.DataFrame({"n": rows, "t": "2026-01-01", "y": [n % 2 for n in rows], "who": who}).astype(str)
    frame.loc[frame["who"] == "p7", "who"] = ""
    if changed:
        frame["n"] += "1"
    run(folder, frame, project(columns, cleaning={"split": {**({"group": group} if group else {}), **split}}))
    return pq.read_table(folder / "dataset", columns=["n", "who", SPLIT]).to_pandas()


@pytest.mark.slow
def test_by_group_all_rows_of_one_value_are_on_one_side_whatever_else_they_hold(tmp_path):
    found = people(tmp_path, "who", list(range(800)))
    assert (found.groupby("who")[SPLIT].nunique() == 1).all()
    counts = found[SPLIT].value_counts()
    assert set(counts.index) == {"train", "validation", "test"}
    assert 60 <= counts["test"] <= 180
    later = people(tmp_path, "who", list(range(400, 1_200))[::-1], changed=True)
    sides = [part.dropna().groupby("who")[SPLIT].first() for part in (found, later)]
    both = sides[0].index.intersection(sides[1].index)
    assert len(both) == 100
    assert (sides[0][both] == sides[1][both]).all()


@pytest.mark.slow
def test_without_a_group_the_rows_of_a_person_are_on_all_sides_and_rows_without_one_go_by_themselves(tmp_path):
    apart = people(tmp_path, None, list(range(800)), equal_rows="apart")
    assert (apart.groupby("who")[SPLIT].nunique() > 1).mean() > 0.5
    grouped = people(tmp_path, "who", list(range(800)), equal_rows="apart")
    lost = [part[part["who"].isna()].set_index("n")[SPLIT] for part in (apart, grouped)]
    assert len(lost[0]) == 4
    assert lost[0].equals(lost[1])
