"""Rows that are equal in all features stand on one side of a split by hash, unless the project says otherwise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ciclo.components.core.errors import DataError
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.tables.patterns import Patterns
from tests.unit.cleaning.test_clean import project, run

COLUMNS = {
    "id": {"type": "integer"},
    "n": {"type": "number"},
    "i": {"type": "integer"},
    "b": {"type": "boolean"},
    "w": {"type": "category"},
    "gap": {"type": "number"},
    "beside": {"type": "category", "role": "ignored"},
    "y": {"type": "boolean"},
}
DROPPED = {"gap": {"drop_above": 0.5}}
FEATURES = ["n", "i", "b", "w"]
ROWS = st.tuples(
    st.sampled_from(["0", "-0", "0.0", "1e-3", "0.001", "7", "", "-0.0"]),
    st.sampled_from(["1", "1.0", "", "-3"]),
    st.sampled_from(["yes", "1", "no", ""]),
    st.sampled_from(["a", " a", "A", "", "ü"]),
    st.sampled_from(["", "1"]),
)


def table(rows: list[tuple[str, ...]], spread: int) -> pd.DataFrame:
    """Rows as they are drawn, each several times, beside so many different ones that a split is of use."""
    different = [(str(n), "2", "no", "z", "") for n in range(100, 100 + spread)]
    frame = pd.DataFrame(rows * 3 + different, columns=[*FEATURES, "gap"])
    return frame.assign(
        id=[str(n) for n in range(len(frame))],
        y=[str(n % 2) for n in range(len(frame))],
        beside=[f"b{n}" for n in range(len(frame))],
    )


@pytest.mark.slow
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(ROWS, min_size=1, max_size=30), st.booleans(), st.integers(0, 3))
def test_no_equal_rows_on_two_sides(tmp_path: Path, rows: list, named: bool, drop: int) -> None:
    """Not of any table, with ids or without, and whether a column may be dropped or not."""
    cleaning = {"missing": {"columns": DROPPED if drop else {}}, "duplicates": "all", "quarantine_budget": 1}
    columns = {name: kind for name, kind in COLUMNS.items() if named or name != "id"}
    run(tmp_path, table(rows, 300), project(columns, {"id_columns": ["id"]} if named else {}, cleaning=cleaning))
    kept = pq.read_table(tmp_path / "dataset").to_pandas()
    features = FEATURES if drop else [*FEATURES, "gap"]
    sides = kept.groupby(features, dropna=False)[SPLIT].nunique()  # for which -0.0 is 0.0
    assert (sides == 1).all()
    assert len(sides) > 300
    assert kept[ROW_ID].is_unique


@pytest.mark.slow
def test_a_row_like_no_other_keeps_its_side_whatever_becomes_of_the_features(tmp_path: Path) -> None:
    """Another feature, a corrected value and another row move none of them."""
    rows = [("1", "1", "yes", "a", "1"), ("2", "1", "yes", "a", "1")] * 2
    before, data = table(rows, 400), {"id_columns": ["id"]}
    after = before.assign(more=[str(n) for n in range(len(before))], n=[str(n / 7) for n in range(len(before))])
    found = []
    for number, (frame, columns) in enumerate([(before, COLUMNS), (after, {**COLUMNS, "more": {"type": "number"}})]):
        (folder := tmp_path / str(number)).mkdir()
        run(folder, frame, project(columns, data))
        found.append(pq.read_table(folder / "dataset").to_pandas().set_index("id")[SPLIT])
    alone = before.index[12:].astype(int)
    assert found[0][alone].equals(found[1][alone])
    assert found[0][:12].nunique() <= 2  # two patterns, and twelve rows that are alone afterwards
    assert found[1][:12].nunique() == 3


@pytest.mark.slow
def test_apart_they_fall_by_their_identity(tmp_path: Path) -> None:
    rows = [("1", "1", "yes", "a", "1"), ("2", "1", "yes", "a", "1")] * 50
    cleaning = {"split": {"equal_rows": "apart"}}
    run(tmp_path, table(rows, 200), project(COLUMNS, {"id_columns": ["id"]}, cleaning=cleaning))
    kept = pq.read_table(tmp_path / "dataset").to_pandas()
    assert kept[kept["n"] == 1][SPLIT].nunique() == 3


@pytest.mark.slow
def test_apart_copies_of_a_row_fall_each_by_itself_whatever_their_label(
    tmp_path: Path,
) -> None:
    frame = pd.DataFrame([("1", "1", "yes", "a", "1", str(n % 2)) for n in range(400)], columns=[*FEATURES, "gap", "y"])
    columns = {name: kind for name, kind in COLUMNS.items() if name not in ("id", "beside")}
    run(tmp_path, frame, project(columns, cleaning={"split": {"equal_rows": "apart"}, "duplicates": "all"}))
    kept = pq.read_table(tmp_path / "dataset").to_pandas()
    assert len(kept) == 400
    shares = kept.groupby(SPLIT)["y"].mean()
    assert set(shares.index) == {"train", "validation", "test"}
    assert shares.between(0.3, 0.7).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cleaning", "data", "refused"),
    [
        ({}, {}, True),
        ({"split": {"equal_rows": "apart"}}, {}, False),
        ({"split": {"group": "id"}}, {}, False),
        ({"split": {"method": "time"}}, {"time_column": "t"}, False),
    ],
    ids=["together", "apart", "by group", "by time"],
)
def test_too_few_patterns_are_refused_with_their_number(
    tmp_path: Path, cleaning: dict, data: dict, refused: bool
) -> None:
    frame = table([("1", "1", "yes", "a", "1"), ("2", "1", "yes", "a", "1")] * 100, 0)
    frame["t"] = pd.date_range("2026-01-01", periods=len(frame)).astype(str)
    wanted = project({**COLUMNS, "t": {"type": "timestamp"}}, {"id_columns": ["id"], **data}, cleaning=cleaning)
    if not refused:
        assert run(tmp_path, frame, wanted).kept == 600
        return
    with pytest.raises(DataError, match=r"too many are equal .*2 different patterns in 600 rows.*equal_rows to apart"):
        run(tmp_path, frame, wanted)


def test_the_limit_is_where_the_share_of_a_side_scatters_by_five_points() -> None:
    rng = np.random.default_rng(3)
    sizes = np.full(50, 400)
    assert not Patterns.of(sizes).few
    assert Patterns.of(np.array([3_200, *sizes])).few
    shares = [(sizes * (rng.random(len(sizes)) < 0.15)).sum() / sizes.sum() for _ in range(4_000)]
    assert np.std(shares) == pytest.approx(0.05, abs=0.003)
    assert not Patterns.of(np.ones(60)).few
    assert Patterns.of(np.full(20, 3)).few
