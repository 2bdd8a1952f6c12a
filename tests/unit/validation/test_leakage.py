"""What validation says of leaks, of test rows that were seen, and of people on both sides."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.leaking import clean_table, leak_findings, prepared
from ciclo.components.core.project import Project
from ciclo.components.core.verdict import Check
from ciclo.components.tables.datasets import Dataset
from ciclo.components.validation.checks import validate


def changed(project: Project, **sections: dict) -> Project:
    return Project.model_validate({**project.model_dump(exclude_unset=True), **sections})


def people(each: int = 10) -> tuple[Project, Dataset]:
    """150 patients whose label has nothing to do with their measures, which tell who they are."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(150), each)
    marks = rng.normal(size=(150, 4))[who] + 0.01 * rng.normal(size=(len(who), 4))
    frame = pd.DataFrame(marks, columns=list("abcd")).assign(patient=who, y=(rng.random(150) < 0.5)[who])
    return prepared(frame.iloc[rng.permutation(len(who))].reset_index(drop=True), "binary", ("patient",))


def named(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.level for check in checks}


def test_people_on_both_sides_are_a_warning_that_says_what_to_do() -> None:
    project, rows = people()
    (check,) = [c for c in leak_findings(project, rows) if c.name == "shared_entities"]
    assert check.level == "warning"
    assert check.value == 1.0
    assert "cleaning.split.group to 'patient'" in check.message


@pytest.mark.parametrize("split", [{"group": "patient"}, {"method": "time"}])
def test_a_split_that_keeps_them_apart_or_goes_by_time_is_none(split: dict) -> None:
    project, rows = people()
    columns = {**project.model_dump(exclude_unset=True)["data"]["columns"], "at": {"type": "timestamp"}}
    data = {**project.model_dump(exclude_unset=True)["data"], "columns": columns}
    if "method" in split:
        data["time_column"] = "at"
    rows.rows["at"] = pd.date_range("2026-01-01", periods=len(rows), freq="h", tz="UTC")
    wanted = changed(project, data=data, cleaning={"split": split})
    assert "shared_entities" not in named(leak_findings(wanted, rows))


@pytest.mark.slow
def test_test_rows_that_stand_in_training_are_a_warning_with_their_share() -> None:
    frame = clean_table("binary", 0, 2_000)
    frame.iloc[1_800:] = frame.iloc[:200].to_numpy()
    frame["y"] = frame["y"].astype(bool)
    project, rows = prepared(frame.infer_objects(), "binary")
    (check,) = [c for c in leak_findings(project, rows) if c.name == "seen_rows"]
    assert (check.level, round(check.value or 0, 3)) == ("warning", round(200 / 300, 3))


def test_few_columns_of_few_values_repeat_by_themselves() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.integers(0, 4, 900), "b": rng.integers(0, 3, 900), "y": rng.random(900) < 0.4})
    assert leak_findings(*prepared(frame, "binary")) == []


@pytest.mark.slow
@pytest.mark.parametrize(("level", "decision"), [("error", "unusable"), ("warning", "pass"), ("off", "pass")])
def test_the_level_of_a_leak_is_that_of_the_project(level: str, decision: str) -> None:
    frame = clean_table("binary", 0, 2_000).assign(leak=lambda t: t["y"])
    project, rows = prepared(frame, "binary")
    verdict = validate(changed(project, validation={"checks": {"leakage": level}}), rows, "d" * 64).verdict
    assert verdict.decision == decision
    shown = [check for check in verdict.checks if check.name == "leakage"]
    assert [(check.passed, check.level) for check in shown] == ([] if level == "off" else [(False, level)])
    if level == "error":
        assert "'leak' has one class for each of its values" in verdict.reason


@pytest.mark.slow
def test_a_passed_check_never_prints_a_failure() -> None:
    verdict = validate(*prepared(clean_table("binary", 1), "binary"), "d" * 64).verdict
    passed = {check.name: check.message for check in verdict.checks if check.passed}
    assert {"leakage", "near_leakage", "shared_entities"} <= set(passed)
    assert not [text for name, text in passed.items() if "leak" in name and "ignore it" in text]


@pytest.mark.parametrize(("again", "names"), [(2, []), (3, ["seen_rows"])])
def test_two_rows_that_are_alike_are_no_finding(again: int, names: list[str]) -> None:
    frame = clean_table("binary", 0, 400)
    frame.iloc[400 - again :] = frame.iloc[:again].to_numpy()
    frame["y"] = frame["y"].astype(bool)
    assert list(named(leak_findings(*prepared(frame.infer_objects(), "binary")))) == names


@pytest.mark.slow
def test_too_few_rows_are_said_and_refuse_nothing() -> None:
    verdict = validate(*prepared(clean_table("binary", 0, 60, 300), "binary"), "d" * 64).verdict
    (check,) = [check for check in verdict.checks if check.name == "leakage"]
    assert (check.passed, check.message) == (True, "too few rows to tell")
