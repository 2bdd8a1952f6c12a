"""A project file that was guessed runs as it stands, and says why it is as it is."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn import datasets

from ciclo.components.cleaning.clean import clean
from ciclo.components.core.errors import DataError, ProjectError
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import read_project
from ciclo.components.drafting.inference import propose
from ciclo.components.ingestion.ingest import ingest
from tests.depth import some

ROWS = 500


def table(**columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"x": rng.normal(size=ROWS), "z": rng.normal(size=ROWS), **columns})


def proposed(folder: Path, frame: pd.DataFrame, target: str = "y", form: str = "csv") -> tuple[Project, str]:
    """Guess a project, and see that its data goes through."""
    path = folder / f"data.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    text = propose(path, target)
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    project = read_project(folder / "project.yaml")
    ingest(project, folder / "raw")
    report = clean(project, folder / "raw", folder / "dataset", folder / "quarantine")
    assert report.rows == len(frame)
    return project, text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "task", "target", "form"),
    some(
        [
            ("wine", "multiclass", "category", "csv"),
            ("wine", "multiclass", "category", "parquet"),
            ("breast_cancer", "binary", "boolean", "csv"),
            ("diabetes", "regression", "number", "csv"),
        ]
    ),
)
def test_tables_of_scikit_learn(tmp_path: Path, name: str, task: str, target: str, form: str) -> None:
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    project, text = proposed(tmp_path, frame, "target", form)
    assert (project.task, project.data.columns["target"].type) == (task, target)
    assert len(project.features) == frame.shape[1] - 1
    assert project.data.id_columns == ()
    lines = text.split("  columns:\n")[1].split("\n\n")[0].splitlines()
    assert len(lines) == frame.shape[1]
    assert all(" # " in line for line in lines)


Y = np.arange(ROWS) % 2
TARGETS = {
    "0 and 1": (Y, "boolean", "binary", ()),
    "0.0 and 1.0 with gaps": (np.where(np.arange(ROWS) < 5, np.nan, Y), "boolean", "binary", ()),
    "true and false": (Y == 1, "boolean", "binary", ()),
    "1 and 2": (Y + 1, "category", "binary", ("1", "2")),
    "yes and no": (np.where(Y, "yes", "no"), "category", "binary", ("no", "yes")),
    "two words": (np.where(np.arange(ROWS) % 5, "off", "on"), "category", "binary", ("off", "on")),
    "few whole numbers": (np.arange(ROWS) % 12, "category", "multiclass", tuple(map(str, range(12)))),
    "whole numbers, some rare": (np.where(np.arange(ROWS) == 7, 9, np.arange(ROWS) % 5), "number", "regression", ()),
    "many whole numbers": (np.arange(ROWS) % 50, "number", "regression", ()),
    "decimals of few values": (np.arange(ROWS) % 3 / 2, "number", "regression", ()),
    "words": (np.array(["low", "mid", "high"])[np.arange(ROWS) % 3], "category", "multiclass", ("high", "low", "mid")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", some([*TARGETS], 2))
def test_targets(tmp_path: Path, name: str) -> None:
    values, kind, task, categories = TARGETS[name]
    project, _ = proposed(tmp_path, table(y=values))
    column = project.data.columns["y"]
    assert (column.type, project.task, column.categories) == (kind, task, categories)
    assert project.training.positive == {("no", "yes"): "yes", ("off", "on"): "on", ("1", "2"): "1"}.get(categories)


N = np.arange(ROWS)
COLUMNS: dict[str, tuple[object, str, str]] = {
    "whole": (N % 30, "integer", "feature"),
    "flag": ((N % 3 == 0).astype(int), "boolean", "feature"),
    "words of truth": (np.where(N % 3, "Yes", "No"), "boolean", "feature"),
    "codes with leading zeros": ([f"{i % 40:05d}" for i in N], "category", "feature"),
    "words": (np.array(["a", "b", "c"])[N % 3], "category", "feature"),
    "stray word among numbers": (["?!", *N[1:] / 7], "number", "feature"),
    "constant": ("same", "category", "ignored"),
    "empty": (None, "category", "ignored"),
    "too many levels": ([f"shop {i % 250}" for i in N], "category", "ignored"),
    "free text": ([f"a long story of what happened to order {i % 99}" for i in N], "category", "ignored"),
    "counter": (N, "integer", "id"),
    "unique code": ([f"K{i:04d}" for i in N], "category", "id"),
    "customer_id": (N * 17 % 1009, "integer", "id"),
    "customerId": (N % 250 * 3, "integer", "ignored"),
    "humid": (N % 250 * 3, "integer", "feature"),
    "birth_date": (pd.date_range("1950-01-01", periods=ROWS).astype(str), "timestamp", "ignored"),
    "leak": (Y + 1.5, "number", "ignored"),
    "nearly a leak": (Y + np.random.default_rng(1).normal(size=ROWS), "number", "feature"),
}


@pytest.fixture(scope="module")
def guessed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project of a table that has all these columns."""
    columns = {name: values for name, (values, _, _) in COLUMNS.items()}
    return proposed(tmp_path_factory.mktemp("columns"), table(y=Y, **columns))[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", COLUMNS)
def test_columns(guessed: Project, name: str) -> None:
    _, kind, role = COLUMNS[name]
    column = guessed.data.columns[name]
    assert column.type == kind
    assert (name in guessed.data.id_columns) == (role == "id")
    assert (name in guessed.features) == (role == "feature")
    assert bool(column.why) == (role == "ignored")
    assert guessed.data.time_column is None


TIMES = pd.Series(pd.date_range("2026-01-01", periods=ROWS, freq="h"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "time"),
    [
        ({"at": TIMES}, "at"),
        ({"at": TIMES.astype(str)}, "at"),
        ({"at": TIMES, "seen": TIMES}, None),
        ({"at": TIMES.where(N > 3)}, None),
        ({"at": TIMES.dt.normalize().where(N < 0, TIMES.iloc[0])}, None),
        ({"at": TIMES, "y": np.where(N > 400, "late", np.where(N % 2, "a", "b"))}, None),
    ],
    ids=["typed", "text", "two of them", "with gaps", "one instant", "a class that comes late"],
)
def test_the_time_column(tmp_path: Path, columns: dict[str, object], time: str | None) -> None:
    project, text = proposed(tmp_path, table(**{"y": Y, **columns}))
    assert project.data.time_column == time
    assert ("the last rows are the test" in text) == (time is not None)


@pytest.mark.slow
def test_odd_names_and_values_make_valid_yaml(tmp_path: Path) -> None:
    names = [
        "a: b",
        "it's",
        'say "x"',
        "naïve ☃",
        "#x",
        "- y",
        "yes",
        "null",
        "1",
        "{z}",
        "a\nb",
        "t\tb",
        "x" * 150,
        "&a",
        "%",
    ]
    odd = {name: np.roll(N % 7, place) for place, name in enumerate(names)}
    frame = table(y=np.where(Y, "no: 'way'", "# {on}")).assign(**odd)
    project, text = proposed(tmp_path, frame)
    assert list(project.data.columns) == ["x", "z", "y", *names]
    assert project.data.columns["y"].categories == ("# {on}", "no: 'way'")
    assert list(yaml.safe_load(text)["data"]["columns"]) == list(project.data.columns)


@pytest.mark.slow
def test_words_that_stand_for_missing_values_are_listed_with_their_reason(tmp_path: Path) -> None:
    words = {"numbers": ["NA", "?", *N[2:] / 7], "codes": ["None", "none", *np.array(["a", "b"])[N[2:] % 2]]}
    target = ["n/a", *np.where(Y, "yes", "no")[1:]]
    project, text = proposed(tmp_path, table(y=target, **words, none=["None of these", *["all"] * (ROWS - 1)]))
    listed = {name: column.missing for name, column in project.data.columns.items() if column.missing}
    assert listed == {"numbers": ("?", "NA"), "codes": ("None", "none"), "y": ("n/a",)}
    (line,) = (line for line in text.splitlines() if line.startswith("    numbers:"))
    assert 'missing: ["?", NA]' in line
    assert line.endswith("taken for missing: '?' in 1 row, 'NA' in 1 row")
    assert project.data.columns["y"].type == "category"
    assert project.data.columns["codes"].type == "category"


@pytest.mark.slow
def test_repeated_rows_without_an_id_are_kept(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": N % 3, "b": N // 3 % 4, "y": Y})
    project, text = proposed(tmp_path, frame)
    assert project.cleaning.duplicates.keep == "all"
    assert "are the same as another one" in text
    assert project.cleaning.split.equal_rows == "apart"
    (line,) = (line for line in text.splitlines() if "equal_rows" in line)
    assert "12 different patterns" in line


@pytest.mark.slow
def test_columns_of_lists_are_left_out_with_a_word(tmp_path: Path) -> None:
    project, text = proposed(tmp_path, table(y=Y, tags=[["a"]] * ROWS, split="a"), form="parquet")
    assert project.data.columns["split"].type == "category"
    assert "tags" not in project.data.columns
    assert "'tags' is left out" in text


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no file"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "header alone": (lambda path: path.write_text("x,y\n"), "no rows"),
    "junk": (lambda path: path.write_bytes(bytes(range(256))), "NUL"),
    "name twice": (lambda path: path.write_text("x,x,y\n1,2,3\n"), "'x' names columns 1, 2"),
    "title": (lambda path: path.write_text("Sales\n\nx,z,y\n" + "1,2,a\n3,4,b\n" * 60), "tail -n [+]3 FILE"),
    "padded title": (lambda path: path.write_text("Sales;;\nx;z;y\n" + "1;2;a\n3;4;b\n" * 60), "tail -n [+]2 FILE"),
    "title of a note": (lambda path: path.write_text("# by me, 2023\nx;z;y\n" + "1;2;a\n" * 60), "tail -n [+]2 FILE"),
    "line ends": (lambda path: path.write_text("x,z,y,\n" + "1,2,a,\n3,4,b,\n" * 60), r"sed -E 's/\[,\]"),
    "other line ends": (lambda path: path.write_text("x;z;y\n" + "1;2;a;\n3;4;b;\n" * 60), r"sed -E 's/\[;\]"),
    "open quote": (lambda path: path.write_text('x,y\n1,2\n"1,2\n'), "line 3"),
    "no such target": (lambda path: table(yy=Y).to_csv(path, index=False), "did you mean 'yy'"),
    "constant target": (lambda path: table(y=1).to_csv(path, index=False), "only one value"),
    "no target value": (lambda path: table(y=None).to_csv(path, index=False), "missing in every row"),
    "time target": (lambda path: table(y=TIMES).to_csv(path, index=False), "is a time"),
    "text target": (lambda path: table(y=[f"t{i}" for i in N]).to_csv(path, index=False), "too many for classes"),
    "few rows": (lambda path: table(y=Y).head(49).to_csv(path, index=False), "too few rows"),
    "nothing to learn from": (lambda path: pd.DataFrame({"x": 1, "y": Y}).to_csv(path), "no column to predict"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("write", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_guessed_is_refused(tmp_path: Path, write: Callable[[Path], object], message: str) -> None:
    write(tmp_path / "data.csv")
    if message == "no column to predict":
        text = (tmp_path / "data.csv").read_text()
        (tmp_path / "data.csv").write_text("n" + text)
    with pytest.raises(DataError, match=message):
        propose(tmp_path / "data.csv", "y")


@pytest.mark.slow
def test_fields_may_be_cut_at_any_character_that_is_named(tmp_path: Path) -> None:
    table(y=Y).to_csv(tmp_path / "data.csv", index=False, sep=" ", quoting=csv.QUOTE_NONNUMERIC)
    with pytest.raises(DataError, match="ciclo init --delimiter"):
        propose(tmp_path / "data.csv", "y")
    table(y=Y).to_csv(tmp_path / "data.csv", index=False, sep="^")
    with pytest.raises(DataError, match="ciclo init --delimiter"):
        propose(tmp_path / "data.csv", "y")
    text = propose(tmp_path / "data.csv", "y", delimiter="^")
    (tmp_path / "project.yaml").write_text(text, encoding="utf-8")
    assert ingest(read_project(tmp_path / "project.yaml"), tmp_path / "raw").rows == ROWS


def test_what_the_first_file_does_not_have_is_left_out_with_a_word(tmp_path: Path) -> None:
    for name, more in (("a.csv", {}), ("b.csv", {"closed": 1})):
        table(y=Y, **more).to_csv(tmp_path / name, index=False)
    assert "# Left out, as the first file has no such column: 'closed'." in propose(tmp_path, "y")


@pytest.mark.parametrize(
    ("file", "given", "name"),
    [("2024 Sales (v2).csv", None, "p-2024-sales-v2"), ("---.csv", None, "p"), ("a.csv", "churn", "churn")],
)
def test_the_name_of_the_project(tmp_path: Path, file: str, given: str | None, name: str) -> None:
    table(y=Y).to_csv(tmp_path / file, index=False)
    assert yaml.safe_load(propose(tmp_path / file, "y", given))["name"] == name


@pytest.mark.slow
def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    table(y=Y).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(ProjectError, match="name"):
        propose(tmp_path / "a.csv", "y", "No Name")
