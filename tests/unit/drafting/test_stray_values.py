"""What a first project file makes of words among numbers, days that stand for none, and marks that are open."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ciclo.components.cleaning.clean import clean
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import read_project
from ciclo.components.drafting.inference import propose
from ciclo.components.ingestion.ingest import ingest
from tests.unit.drafting.test_inference import ROWS, N, Y, proposed, table

pytestmark = pytest.mark.slow
COLOURS = np.array(["red", "blue", "green"])[N % 3]


def rows_of(folder: Path) -> pd.DataFrame:
    return pq.read_table(folder / "dataset").to_pandas(ignore_metadata=True)


def spoiled(values: object, word: str, every: int) -> np.ndarray:
    """Values of which each so manieth is a word."""
    return np.where(N % every == 1, word, np.array(values, dtype=object))


def read_of(folder: Path, text: str) -> Project:
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    return read_project(folder / "project.yaml")


def test_days_that_stand_for_none_are_no_crash_in_columns_that_are_no_text(tmp_path: Path) -> None:
    never, day = date(9999, 12, 31), date(2024, 1, 5)
    frame = table(
        valid_to=[never] * ROWS,
        ended=[never, *[day] * (ROWS - 1)],
        loaded=np.where(N % 7 == 0, 0, 20240105),
        retired=np.where(N == 3, 20240105, 99991231),
        y=Y,
    )
    project, _ = proposed(tmp_path, frame, form="parquet")
    assert {project.data.columns[name].role for name in ("valid_to", "ended")} == {"ignored"}
    assert {project.data.columns[name].type for name in ("loaded", "retired")} == {"integer"}


def test_what_is_mostly_numbers_or_times_says_what_is_not(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=ROWS).strftime("%Y-%m-%d")
    frame = table(
        amount=spoiled([f"{i * 7 / 8}" for i in N], "k.A.", 40),
        due=spoiled(days, "17.04.2023", 30),
        code=[f"K{i % 300}" for i in N],
        y=Y,
    )
    project, _ = proposed(tmp_path, frame)
    why = {name: project.data.columns[name].why for name in ("amount", "due", "code")}
    assert why["amount"].startswith("97.4% of its values are numbers, and others are not ('k.A.' in 13 rows)")
    assert why["due"].startswith("96.6% of its values are times, and others are not ('17.04.2023' in 17 rows)")
    assert why["code"] == "more than 200 different values"


def test_three_digits_behind_every_point_are_asked_about(tmp_path: Path) -> None:
    people = np.random.default_rng(0).permutation(ROWS) * 197 + 200
    dotted = [f"{p:,}".replace(",", ".") for p in people]
    exact = [f"{i * 17 % 9973 + 1_000:,}".replace(",", ".") for i in N]

    def of(separator: str, **columns: object) -> Project:
        table(people=dotted, exact=exact, y=Y, **columns).drop(columns=["x", "z"]).to_csv(
            tmp_path / "data.csv", index=False, sep=separator
        )
        return read_of(tmp_path, propose(tmp_path / "data.csv", "y"))

    alone = of(";", age=N % 60, colour=COLOURS)
    assert "decimals or thousands behind the point" in alone.data.columns["people"].why
    assert "decimals or thousands behind the point" in alone.data.columns["exact"].why
    settled = of(";", price=[f"{i / 8:.2f}".replace(".", ",") for i in N]).data.columns
    assert (settled["people"].thousands, settled["people"].decimal, settled["exact"].thousands) == (".", ",", ".")
    plain = of(",", price=N / 8).data.columns
    assert (plain["people"].thousands, plain["people"].role) == ("", "feature")
    fixed = of(",", age=N % 60).data.columns
    assert fixed["exact"].role == "feature"  # decimals, each of them written out
    assert fixed["people"].role == "ignored"  # no program leaves out all three or none


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (np.array(["None", "Mild", "Severe"])[N % 3], ("Mild", "None", "Severe")),
        (np.array(["1", "0", "unknown"], dtype=object)[N % 3], ("0", "1", "unknown")),
        (np.where(N % 40 == 0, "None", COLOURS), ("blue", "green", "red")),  # too few for a class
        (spoiled(COLOURS, "NA", 4), ("blue", "green", "red")),
    ],
    ids=["none", "unknown", "rare", "NA"],
)
def test_a_frequent_word_of_a_target_is_a_class(tmp_path: Path, values: np.ndarray, classes: tuple[str, ...]) -> None:
    project, _ = proposed_loosely(tmp_path, table(y=values))
    assert tuple(sorted(project.data.columns["y"].categories)) == classes


def proposed_loosely(folder: Path, frame: pd.DataFrame) -> tuple[Project, str]:
    frame.to_csv(folder / "data.csv", index=False)
    text = propose(folder / "data.csv", "y")
    return read_of(folder, text), text


def test_labels_that_differ_in_spaces_of_any_kind_are_one_class(tmp_path: Path) -> None:
    labels = np.array(["Yes", "No", "Yes\u00a0", "\u3000no", "YES"])[N % 5]
    project, text = proposed(tmp_path, table(y=labels, smile=np.where(N % 2, "\U0001f44d", "\U0001f44e")))
    assert len(project.data.columns["y"].categories) == 2
    assert set(rows_of(tmp_path)["y"]) == set(project.data.columns["y"].categories)
    assert "\U0001f44d" in text


def test_a_float32_is_the_number_of_its_text_whatever_file_it_comes_in(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": (np.arange(ROWS) / 10).astype("float32"), "z": N % 7, "y": Y})
    found = {}
    for form in ("csv", "parquet"):
        (tmp_path / form).mkdir()
        proposed(tmp_path / form, frame, form=form)
        found[form] = rows_of(tmp_path / form)[[ROW_ID, SPLIT, "x", "y"]]
    pd.testing.assert_frame_equal(found["csv"], found["parquet"])
    assert found["csv"]["x"].iloc[3] == 0.3


def test_malformed_lines_of_json_leave_the_time_of_the_others(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=ROWS, freq="h").astype(str)
    values = np.where(N % 50 == 1, np.nan, N / 8)
    lines = [json.dumps({"at": at, "x": float(x), "y": int(y)}) for at, x, y in zip(times, values, Y, strict=True)]
    (tmp_path / "data.jsonl").write_text("\n".join([*lines[:100], "{broken", *lines[100:]]) + "\n")
    text = propose(tmp_path / "data.jsonl", "y")
    project = read_of(tmp_path, text)
    assert project.data.time_column == "at"
    ingest(project, tmp_path / "raw")
    report = clean(project, tmp_path / "raw", tmp_path / "dataset", tmp_path / "quarantine")
    assert (report.kept, report.quarantined) == (ROWS, 1)
    assert rows_of(tmp_path)["x"].isna().sum() == 10  # NaN is no JSON, and what programs write all the same
    assert "1 of 501 records is malformed" in text


def test_a_day_without_a_clock_has_no_hour(tmp_path: Path) -> None:
    days = [f"{1 + i % 12:02d}/{1 + i % 28:02d}/2022" for i in N]
    days[7] = "31/12/2022"
    _, text = proposed_loosely(tmp_path, table(at=days, y=Y))
    assert "hour (cycle: 24)" not in text
