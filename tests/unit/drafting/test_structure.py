"""What a careful analyst would say of a table stands in the comments of its first project file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.leaking import KINDS, plain, table
from ciclo.components.core.own_columns import SPLIT
from ciclo.components.core.project import Project
from ciclo.components.tables.datasets import Dataset
from tests.depth import some, thorough
from tests.unit.drafting.test_inference import proposed

PEOPLE, EACH = 300, 8
ROWS = PEOPLE * EACH
N = np.arange(ROWS)
OPENED = pd.Series(pd.date_range("2026-01-01 06:00", periods=ROWS, freq="h"))


def frame(**columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return plain(rng, ROWS)[0].assign(y=rng.random(ROWS) < 0.4, **columns)


def comments(text: str) -> dict[str, str]:
    """The comment of each column."""
    lines = text.split("  columns:\n")[1].split("\n\n")[0].splitlines()
    return {line.strip().split(":")[0].strip('"'): line.partition(" # ")[2] for line in lines}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, str], str, Path]:
    """A table that has a bit of everything."""
    rng = np.random.default_rng(1)
    who = rng.permutation(PEOPLE)[N // EACH] + 17
    made = frame(
        person=who,
        zip=rng.integers(10_000, 10_400, ROWS),
        account=rng.choice(10**8, ROWS, replace=False),
        rare=np.where(N % 200 == 0, "a", "b"),
        depth=np.sort(rng.normal(size=ROWS)),
        place=rng.choice(["north", "south"], ROWS),
    ).assign(fahrenheit=lambda t: 1.8 * t["x0"] + 32, side=lambda t: np.where(t["place"] == "north", "N", "S"))
    folder = tmp_path_factory.mktemp("table")
    project, text = proposed(folder, made)
    return project, comments(text), text, folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("person", "300 values with 8.0 rows each, like people or things"),
        ("zip", "no quantity: make it a category"),
        ("account", "an identifier belongs into id_columns"),
        ("rare", "nearly constant: 'b' in 99.5% of its rows"),
        ("depth", "the file is sorted by it"),
        ("fahrenheit", "a twin of 'x0' (rank correlation 1.0000)"),
        ("side", "a twin of 'place': each value of one stands for a value of the other"),
    ],
)
def test_what_is_seen_stands_on_its_line(seen: tuple, column: str, says: str) -> None:
    assert says in seen[1][column]


def test_nothing_is_said_of_columns_that_are_as_columns_are(seen: tuple) -> None:
    assert not [name for name in ("x0", "x1", "colour", "count", "place", "y") if ";" in seen[1][name]]


def test_people_are_the_group_of_the_split_and_stay_on_one_side(seen: tuple) -> None:
    project, _, text, folder = seen
    assert project.cleaning.split.group == "person"
    assert "person" not in project.features
    assert "# No feature: 'person' (names whose row it is)" in text
    rows = Dataset.open(folder / "dataset").rows
    assert (rows.groupby("person")[SPLIT].nunique() == 1).all()
    assert rows[SPLIT].nunique() == 3


@pytest.mark.slow
def test_of_two_times_the_earlier_is_that_of_the_row(tmp_path: Path) -> None:
    late = OPENED + pd.to_timedelta(np.random.default_rng(0).integers(0, 50, ROWS), unit="h")
    project, text = proposed(tmp_path, frame(shut=late, opened=OPENED, person=N // EACH))
    notes = comments(text)
    assert project.data.time_column == "opened"
    assert "never before 'opened': is it known in time?" in notes["shut"]
    assert "hour (cycle: 24), weekday (cycle: 7) may be of use" in notes["opened"]
    assert project.cleaning.split.group is None
    assert "a split by time leaves them on both sides" in notes["person"]


@pytest.mark.slow
def test_of_two_times_that_cross_none_is_chosen(tmp_path: Path) -> None:
    other = OPENED + pd.to_timedelta(np.where(N % 2, 5, -5), unit="h")
    assert proposed(tmp_path, frame(shut=other, opened=OPENED))[0].data.time_column is None


@thorough
def test_a_file_that_is_sorted_by_its_target_is_told_and_so_is_the_id_that_follows(tmp_path: Path) -> None:
    made = frame(id=N).assign(y=N < 900)
    notes = comments(proposed(tmp_path, made)[1])
    assert "sorted by it, so whatever follows the order of the rows knows the answer" in notes["y"]
    assert "its order tells the target (score 1.000)" in notes["id"]
    number = comments(proposed(tmp_path, made.assign(y=np.exp(N / 300)))[1])
    assert "its order tells the target (score 1.000)" in number["id"]


OUT = {
    "copy of the target": "on its own",
    "difference of two columns": "together with",
    "value = a * b, 600 rows": "together with",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", some([*OUT]))
def test_what_surely_knows_the_answer_is_left_out_with_the_reason(tmp_path: Path, kind: str) -> None:
    project, _ = proposed(tmp_path, table(KINDS[kind], 5))
    for name in KINDS[kind].names:
        assert name not in project.features
        assert OUT[kind] in project.data.columns[name].why
    assert set(project.features) == {*(f"x{n}" for n in range(6)), "colour", "count"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", some(["copy, 5 % flipped", "a + b over a limit, 600 rows"], 2))
def test_what_may_know_it_stays_with_a_question(tmp_path: Path, kind: str) -> None:
    project, text = proposed(tmp_path, table(KINDS[kind], 5))
    for name in KINDS[kind].names:
        assert name in project.features
        assert "is it known before the outcome?" in comments(text)[name]


@pytest.mark.slow
def test_columns_that_are_all_there_is_stay_with_a_question(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"leak": np.where(N % 2, 5, 0) + rng.random(ROWS), "y": N % 2})
    project, text = proposed(tmp_path, made)
    assert list(project.features) == ["leak"]
    assert "tells the target on its own (score 1.000)" in comments(text)["leak"]
