from pathlib import Path

import pytest

from ciclo.components.core.errors import ProjectError
from ciclo.components.core.project_file import (
    project_from_json,
    project_from_mapping,
    project_from_yaml,
    project_to_json,
    project_to_yaml,
    read_project,
)

MINIMAL = {
    "name": "p",
    "data": {"source": "x.csv", "target": "y", "columns": {"y": {"type": "boolean"}, "a": {"type": "number"}}},
}


def with_(path: str, value: object) -> dict:
    """The minimal project with one field set, by dotted path."""
    raw = {**MINIMAL, "data": {**MINIMAL["data"], "columns": dict(MINIMAL["data"]["columns"])}}
    here = raw
    *parents, last = path.split(".")
    for part in parents:
        here[part] = dict(here.get(part, {}))
        here = here[part]
    here[last] = value
    return raw


def test_only_data_is_required():
    project = project_from_mapping(MINIMAL, origin="p")
    assert (project.task, project.metric.name, list(project.features)) == ("binary", "roc_auc_score", ["a"])
    assert list(project.candidates) == ["logistic_regression", "random_forest", "gradient_boosting"]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("training.candidats", {}, r"training.candidats: unknown field \(did you mean 'candidates'\?\)"),
        ("data.columns.a.typ", "number", r"data.columns.a.typ: unknown field \(did you mean 'type'\?\)"),
        ("data.columns.a.type", "integr", r"data.columns.a.type: .*'integr'"),
        ("data.target", "z", "target names 'z'"),
        ("data.time_column", "a", "has to be of type timestamp"),
        ("name", "Not A Name", "name: "),
        ("cleaning.split.test", 0.9, "cleaning.split.test.*below 0.5"),
        ("cleaning.split.test", "14d", "days are for a time split"),
        ("cleaning.split.method", "time", "needs data.time_column"),
        ("cleaning.quarantine_budget", 2, "cleaning.quarantine_budget"),
        ("evaluation.slices", ["b"], "evaluation.slices: there is no column 'b'"),
        ("training.metric", "r2_score", "training.metric is not one for a binary task"),
        ("validation.checks", {"lekage": "error"}, "validation.checks.lekage"),
        ("data.columns", {"y": {"type": "boolean"}}, "at least one column has to be a feature"),
        ("data", "x.csv", "data: "),
        ("data.columns.split", {"type": "number"}, "data.columns.split: the name is Ciclo's own"),
        ("monitoring.persistence", {"alarms": 3, "windows": 2}, "3 alarms cannot show in 2 windows"),
        ("training.candidates", {"a": {"estimator": "random_forrest"}}, r"a.estimator: .*did you mean 'random_forest'"),
        ("training.candidates", {"a": {"estimator": "ridge"}}, "no 'ridge' for a binary task"),
        (
            "training.candidates",
            {"a": {"estimator": "random_forest", "search": {"max_dept": [3]}}},
            r"candidates.a.search: random_forest has no parameter 'max_dept' .*did you mean 'max_depth'",
        ),
        (
            "training.candidates",
            {"a": {"estimator": "random_forest", "search": {"max_depth": [3, "deep"]}}},
            "search.max_depth: random_forest takes integer, none, not 'deep'",
        ),
        (
            "training.candidates",
            {"a": {"estimator": "random_forest", "search": {"max_depth": []}}},
            "at least one value",
        ),
        ("training.metric", "accuracy", "training.metric"),
        ("deployment.strategy", "canary", "not built yet: give rolling"),
        ("deployment.canary_steps", [10], "deployment.canary_steps: a canary rollout is not built yet"),
        ("deployment.resources.memory", "lots", "deployment.resources.memory"),
        ("deployment.resources.cpu", "500 m", "deployment.resources.cpu"),
        ("monitoring.schedule", "0 6 * * *", "monitoring.schedule: the schedule is that of the CronJob"),
    ],
)
def test_every_error_names_the_field(path, value, says):
    with pytest.raises(ProjectError, match=says):
        project_from_mapping(with_(path, value), origin="project.yaml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nname: b\n", "the key 'name' appears twice"),
        ("- a\n", "has to be a mapping"),
        ("a: [", "not valid YAML"),
        ("", "has to be a mapping"),
    ],
)
def test_broken_yaml_is_told(tmp_path: Path, text, says):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ProjectError, match=says):
        read_project(tmp_path / "p.yaml")


def test_missing_file_says_how_to_get_one(tmp_path: Path):
    with pytest.raises(ProjectError, match="ciclo init"):
        read_project(tmp_path / "none.yaml")


def test_it_travels_as_one_line(tmp_path: Path):
    project = project_from_mapping(with_("design.objective", "erste\nzweite Zeile"), origin="p")
    assert "\n" not in project_to_json(project)
    assert project_from_json(project_to_json(project)) == project


def test_a_relative_source_is_beside_the_file(tmp_path: Path):
    (tmp_path / "p.yaml").write_text(
        "name: p\ndata: {source: t.csv, target: y, columns: {y: {type: number}, a: {type: number}}}"
    )
    assert read_project(tmp_path / "p.yaml").data.source == str(tmp_path / "t.csv")


@pytest.mark.parametrize("example", ["flights", "breast_cancer", "diabetes", "wine"])
def test_the_examples_are_valid(example):
    assert read_project(f"examples/{example}/project.yaml").features


EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*/project.yaml"))
assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_a_project_is_written_as_the_file_it_could_have_been_read_from(path: Path) -> None:
    project = read_project(path)
    assert project_from_yaml(project_to_yaml(project), origin="test") == project
    assert project_from_json(project_to_json(project)) == project


SECRET = "hunter2-do-not-repeat"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("monitoring.alerts", [f"slack://{SECRET}"], "monitoring.alerts: give the names of environment variables"),
        ("monitoring.alerts", [f"OPS_{SECRET}"], "monitoring.alerts: give the names"),
        ("monitoring.alerts", SECRET, "monitoring.alerts"),
        ("monitoring.alerts", [{"to": SECRET}], "monitoring.alerts"),
        ("data.source", f"s3://user:{SECRET}@host/key", "data.source: an address with a password"),
        ("data.source", f"https://host/x.csv?X-Amz-Signature={SECRET}", "data.source: an address with a password or a"),
        ("data.source", {"url": SECRET}, "data.source"),
        ("design.used_in", f"postgresql://user:{SECRET}@db/predictions", "design.used_in: an address with a password"),
        ("design.owners", [f"https://u:{SECRET}@host"], "design.owners: an address with a password"),
        ("data.format", f"json://{SECRET}", "data.format"),
        ("monitoring.alert", [f"slack://{SECRET}"], "did you mean 'alerts'"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(path, value, says):
    with pytest.raises(ProjectError, match=says) as refused:
        project_from_mapping(with_(path, value), origin="project.yaml")
    assert SECRET not in str(refused.value)


def test_yaml_that_is_broken_beside_a_secret_does_not_show_it(tmp_path: Path):
    (tmp_path / "p.yaml").write_text(f"name: p\nmonitoring: {{alerts: [slack://{SECRET}, }}\n")
    with pytest.raises(ProjectError, match=r"not valid YAML .*line 2") as refused:
        read_project(tmp_path / "p.yaml")
    assert SECRET not in str(refused.value)


def test_names_of_variables_and_ordinary_addresses_are_taken():
    project = project_from_mapping(with_("monitoring.alerts", ["OPS_ALERTS", "TEAM2"]), origin="p")
    assert project.monitoring.alerts == ("OPS_ALERTS", "TEAM2")
    for source in ("s3://bucket/a@b:c/x.parquet", "https://host:8443/x.csv?version=3", "a:b@c.csv"):
        assert project_from_mapping(with_("data.source", source), origin="p").data.source == source
