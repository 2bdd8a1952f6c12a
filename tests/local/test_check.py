"""`ciclo check`: an analyst's look at a file, before there is a pipeline or beside one."""

from pathlib import Path

import pytest
import yaml

from tests.local.command import Ran, ciclo, write_project
from tests.tables import COLUMNS, table

CLEAN = table(900, signal=3.0)


def checked(folder: Path, text: str, *arguments: object) -> Ran:
    (folder / "new.csv").write_text(text)
    return ciclo(folder / "home", "check", folder / "new.csv", *arguments, "-o", folder / "out")


def test_a_file_is_looked_at_before_there_is_a_project(tmp_path: Path) -> None:
    ran = checked(tmp_path, CLEAN.to_csv(index=False), "--target", "y")
    assert ran.code == 0, ran.err
    assert "validation  pass: 900 rows" in ran.out
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        "index.html", "cleaning.html", "validation.html", "quarantine.parquet", "project.yaml",
    }  # fmt: skip
    index = (out / "index.html").read_text()
    assert "A model could be trained on it" in index
    for name in ("cleaning.html", "validation.html", "project.yaml"):
        assert f'href="{name}"' in index
    assert yaml.safe_load((out / "project.yaml").read_text())["data"]["target"] == "y"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["Label", "size", "colour", "count"], "Label"),  # called so
        (["size", "colour", "price"], "price"),  # the last
        (["size", "price", "only", "row_id"], "price"),  # the last that can be
    ],
)
def test_nobody_has_to_say_what_is_predicted(tmp_path: Path, names: list[str], taken: str) -> None:
    made = CLEAN.assign(Label=CLEAN["y"], price=CLEAN["size"] * 2 + CLEAN["count"], only=1, row_id=range(len(CLEAN)))
    ran = checked(tmp_path, made[names].to_csv(index=False))
    assert f"'{taken}' is taken for it" in ran.out, ran.out + ran.err
    drafted = (tmp_path / "out" / "project.yaml").read_text()
    assert yaml.safe_load(drafted)["data"]["target"] == taken
    assert "taken for the target, since nobody named one" in drafted


def test_what_knows_the_answer_and_what_is_not_listed_is_said(tmp_path: Path) -> None:
    leaking = CLEAN.assign(reason=CLEAN["y"].map({True: "moved", False: None}))
    ran = checked(tmp_path, leaking.to_csv(index=False), "--target", "y")
    assert ran.code == 0, ran.err
    assert "left out    'reason': " in ran.out
    assert "<bdi>reason</bdi>" in (tmp_path / "out" / "index.html").read_text()
    project = tmp_path / "out" / "project.yaml"
    more = checked(tmp_path, leaking.assign(closed=1).to_csv(index=False), "--project", project)
    assert "not listed in data.columns: 'closed'" in more.out


def test_a_file_without_anything_to_predict_is_refused(tmp_path: Path) -> None:
    ran = checked(tmp_path, CLEAN.assign(row_id=range(len(CLEAN)))[["row_id"]].to_csv(index=False))
    assert ran.code == 1
    assert "there is no column that could be predicted" in ran.err


@pytest.mark.parametrize(
    ("text", "stage", "word"),
    [
        (CLEAN.assign(size="much").to_csv(index=False), "cleaning", "is not a finite number"),
        (CLEAN.assign(y=True).to_csv(index=False), "cleaning", "only one value"),
        (CLEAN.drop(columns="colour").to_csv(index=False), "ingestion", "no column 'colour'"),
        (CLEAN.to_csv(index=False) + '"1,2', "ingestion", "not closed"),
    ],
)
def test_a_new_file_is_held_to_the_rules_of_a_project(tmp_path: Path, text: str, stage: str, word: str) -> None:
    project = write_project(tmp_path, CLEAN.to_csv(index=False), {**COLUMNS, "y": {"type": "boolean"}})
    ran = checked(tmp_path, text, "--project", project)
    assert ran.code == 1, ran.out
    assert f"error: {stage}: " in ran.err
    assert word in ran.err
    index = (tmp_path / "out" / "index.html").read_text()
    assert f"It cannot be used: {stage}" in index
    assert word.replace("'", "&#x27;") in index
    if stage == "cleaning":
        assert (tmp_path / "out" / "cleaning.html").exists()
        assert (tmp_path / "out" / "quarantine.parquet").exists()


def test_what_an_earlier_check_left_is_gone(tmp_path: Path) -> None:
    checked(tmp_path, CLEAN.to_csv(index=False), "--target", "y")
    project = write_project(tmp_path, CLEAN.to_csv(index=False), {**COLUMNS, "y": {"type": "boolean"}})
    checked(tmp_path, "a,b\n1,2\n", "--project", project)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"index.html"}


def test_a_project_names_its_target(tmp_path: Path) -> None:
    ran = checked(tmp_path, CLEAN.to_csv(index=False), "--target", "y", "--project", tmp_path / "project.yaml")
    assert ran.code == 2
    assert "a project file names its target itself" in ran.err


def test_a_new_file_is_held_beside_what_the_champion_was_trained_on(first_run: Ran, tmp_path: Path) -> None:
    new = table(2_000, seed=1, signal=3.0)
    for noise, words in ((new["noise"], ""), (new["noise"] + 2.0, "'noise' is distributed otherwise")):
        new.assign(noise=noise).to_csv(tmp_path / "new.csv", index=False)
        project = first_run.home.parent / "project.yaml"
        ran = ciclo(first_run.home, "check", tmp_path / "new.csv", "--project", project, "-o", tmp_path / "out")
        assert ran.code == 0, ran.err
        assert (words in ran.out) if words else ("last_run" not in ran.out), ran.out
    assert "Beside version 1, the champion" in (tmp_path / "out" / "validation.html").read_text()
