from pathlib import Path

import pytest

from ciclo.components.core.errors import ProjectError
from ciclo.components.core.project import DEFAULT_CANDIDATES, Project
from ciclo.components.core.project_file import (
    project_from_json,
    project_from_mapping,
    project_from_yaml,
    project_to_json,
    project_to_yaml,
    read_project,
)
from ciclo.components.core.splits import fingerprint

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
    assert tuple(project.candidates) == DEFAULT_CANDIDATES[True]


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
        ("cleaning.split.group", "sizes", "cleaning.split.group: there is no column 'sizes'"),
        ("cleaning.split.group", "y", "cleaning.split.group: 'y' is the target"),
        ("cleaning.quarantine_budget", 2, "cleaning.quarantine_budget"),
        ("evaluation.slices", ["b"], "evaluation.slices: there is no column 'b'"),
        ("monitoring.segments", ["b"], "monitoring.segments: there is no column 'b'"),
        ("monitoring.segments", ["y"], "monitoring.segments: 'y' is no feature"),
        ("training.metric", "r2_score", "training.metric is not one for a binary task"),
        ("validation.checks", {"lekage": "error"}, "validation.checks.lekage"),
        ("data.columns", {"y": {"type": "boolean"}}, "at least one column has to be a feature"),
        ("data", "x.csv", "data: "),
        ("data.columns._ciclo_split", {"type": "number"}, "data.columns._ciclo_split: such names are Ciclo's own"),
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
            "search.max_depth: random_forest takes a whole number .at least 1., none, not 'deep'",
        ),
        (
            "training.candidates",
            {"a": {"estimator": "random_forest", "search": {"max_depth": []}}},
            "at least one value",
        ),
        ("training.metric", "accuracy", "training.metric"),
        ("deployment.strategy", "shadow", "deployment.strategy"),
        ("deployment.canary_steps", [60], "up to 50 percent"),
        ("deployment.resources.memory", "lots", "deployment.resources.memory"),
        ("deployment.resources.cpu", "500 m", "deployment.resources.cpu"),
        ("monitoring.schedule", "hourly", "monitoring.schedule: .*give five fields, minute hour day month weekday"),
        ("evaluation.minimum_gain", float("inf"), "evaluation.minimum_gain: should be a finite number"),
        ("training.search_seconds", float("inf"), "training.search_seconds: should be a finite number"),
        ("data.columns.a.minimum", float("nan"), "data.columns.a.minimum: should be a finite number"),
        ("data.columns.a.maximum", "1e400", "data.columns.a.maximum: should be a finite number"),
        ("design.simple_rule", {"column": "a", "at_least": float("nan")}, "at_least: should be a finite number"),
        (
            "training.candidates",
            {"a": {"estimator": "random_forest", "search": {"max_features": [float("nan")]}}},
            "search.max_features.*should be a finite number",
        ),
        *(
            ("training.candidates", {"a": {"estimator": "random_forest", "search": {"max_depth": search}}}, says)
            for search, says in (
                (
                    5,
                    r"valid: training.candidates.a.search.max_depth: should be a list or a mapping of fields, not 5\. ",
                ),
                ([[1]], r"search.max_depth.0: should be true or false, a number or text, not \[1\]\. "),
                ({"low": 1}, r"valid: training.candidates.a.search.max_depth.high: missing, has to be given\. "),
                ({"low": "a", "high": 2}, "valid: training.candidates.a.search.max_depth.low: should be a number, not"),
                ({"lo": 1, "high": 2}, "max_depth.low: missing, has to be given; .*max_depth.lo: unknown field"),
            )
        ),
        ("cleaning.duplicates", 5, "cleaning.duplicates: should be a mapping of fields, not 5"),
        ("monitoring.window_days", 36_501, "monitoring.window_days: should be less than or equal to 36500"),
        ("monitoring.cool_down_days", 1e9, "monitoring.cool_down_days: should be less than or equal to 36500"),
        ("monitoring.budget.days", 1e9, "monitoring.budget.days: should be less than or equal to 36500"),
        ("monitoring.persistence", {"alarms": 2, "windows": 9_999}, "monitoring.persistence.windows: should be less"),
        ("monitoring", {"window_days": 20_000}, "monitoring: 3 windows of 20,000 days reach back further than 36500"),
        ("design.label_delay_days", 36_501, "design.label_delay_days: should be less than or equal to 36500"),
        ("cleaning.split.test", "36501d", "cleaning.split.test.*at most 36500 days"),
        ("cleaning.split.test", "9" * 5_000 + "d", "cleaning.split.test.*at most 36500 days"),
        ("cleaning.split.test", "²d", "cleaning.split.test.*days such as '14d'"),
        ("training.seed", -1, "training.seed: should be greater than or equal to 0"),
        ("training.seed", 2**32, "training.seed: should be less than 4294967296"),
        ("data.columns.y.minimum", 0, "data.columns.y: minimum is for a number or an integer, not for a boolean"),
        ("data.columns.b", {"type": "category", "maximum": 1}, "data.columns.b: maximum is for .* not for a category"),
        ("data.columns.b", {"type": "timestamp", "minimum": 1}, "data.columns.b: minimum is for .* a timestamp"),
        ("data.columns.a.categories", ["1", "2"], "data.columns.a: categories are for a category, not for a number"),
        (
            "data.columns.b",
            {"type": "boolean", "categories": ["true"]},
            "data.columns.b: categories are for .* a boolean",
        ),
        (
            "data.columns.a",
            {"type": "number", "minimum": 2, "maximum": 1},
            "data.columns.a: minimum 2 is above maximum 1",
        ),
        (
            "data.columns.b",
            {"type": "category", "categories": ["1.0", "2"], "missing": ["1"]},
            "data.columns.b: 1 cannot be among both missing and categories",
        ),
        (
            "data.columns.b",
            {"type": "category", "categories": ["true", "no"], "missing": ["TRUE"]},
            "data.columns.b: true cannot be among both missing and categories",
        ),
        (
            "data.columns.b",
            {"type": "number", "role": "ignored", "minimum": 0, "nullable": False},
            "data: column 'b' is only carried along, .* remove minimum, nullable",
        ),
        ("data.columns.b", {"type": "category", "role": "ignored", "categories": ["x"]}, "'b' .* remove categories"),
        ("data.columns.b", {"type": "timestamp", "nullable": False}, "data: column 'b' .* remove nullable"),
        ("training.positive", "5", "training.positive: only a binary task has one, and this one is regression"),
        ("training", {"task": "multiclass", "positive": "true"}, "training.positive: .* this one is multiclass"),
        ("data.delimiter", ";", "data: delimiter is for CSV files, and format is parquet"),
        ("design.simple_rule", {"column": "b", "at_least": 1}, "design.simple_rule.column: 'b' is a category"),
        ("design.simple_rule", {"column": "y", "at_least": 1}, "design.simple_rule.column: 'y' is not a feature"),
    ],
)
def test_every_error_names_the_field(path, value, says):
    raw = with_(path, value)
    if path == "data.delimiter":
        raw["data"]["format"] = "parquet"
    elif path == "training.positive":
        raw["data"]["columns"]["y"] = {"type": "number"}
    elif path == "design.simple_rule":
        raw["data"]["columns"]["b"] = {"type": "category"}
    with pytest.raises(ProjectError, match=says):
        project_from_mapping(raw, origin="project.yaml")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.columns.a", {"type": "integer", "minimum": 1, "maximum": 1, "missing": ["1"]}),
        ("data.columns.b", {"type": "category", "categories": ["1.5", "yes"], "missing": ["1", "YES", "NA"]}),
        ("data.columns.b", {"type": "number", "role": "ignored", "missing": ["NA"], "why": "later"}),
        ("data.columns.y", {"type": "category", "role": "ignored", "categories": ["a", "b"], "nullable": False}),
        ("data.delimiter", ";"),
        ("training", {"positive": "false", "seed": 2**32 - 1}),
        ("monitoring", {"window_days": 36_500, "persistence": {"alarms": 1, "windows": 1}, "cool_down_days": 36_500}),
        ("design", {"label_delay_days": 36_500, "simple_rule": {"column": "a", "at_least": 0}}),
    ],
)
def test_what_can_be_obeyed_is_taken(path, value):
    project = project_from_mapping(with_(path, value), origin="project.yaml")
    assert project_from_json(project_to_json(project)) == project


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nname: b\n", "the key 'name' appears twice"),
        ("- a\n", "has to be a mapping"),
        ("a: [", "not valid YAML"),
        (f"a: {'9' * 5000}", "a number of thousands of digits"),
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
        ("monitoring.alerts", ["HUNTER2_DO_NOT_REPEAT"], "monitoring.alerts: .* that end in _ALERTS"),
        ("monitoring.alerts", ["CICLO_S3_SECRET_KEY"], "monitoring.alerts: .* do not begin with CICLO_"),
        ("monitoring.alerts", ["CICLO_HUNTER2_ALERTS"], "monitoring.alerts: .* do not begin with CICLO_"),
        ("monitoring.alerts", ["_ALERTS"], "monitoring.alerts"),
        ("monitoring.alerts", SECRET, "monitoring.alerts"),
        ("monitoring.alerts", [{"to": SECRET}], "monitoring.alerts"),
        ("data.source", f"s3://user:{SECRET}@host/key", "data.source: an address with a password"),
        ("data.source", f"https://host/x.csv?X-Amz-Signature={SECRET}", "data.source: an address with a password, a"),
        ("data.source", {"url": SECRET}, "data.source"),
        ("data.source", f"https://{SECRET}@host/x.csv", "data.source: an address with a password"),
        ("data.source", f"https://{SECRET}%40host/x.csv", "data.source: an address with a password"),
        ("data.source", f"s3://{SECRET}@bucket/x.csv", "data.source: an address with a password"),
        ("data.source", f"https://host/x.csv?api_key={SECRET}", "data.source: an address with a password"),
        ("data.source", f"https://host/x.csv?AWSAccessKeyId={SECRET}&Expires=1", "data.source: an address with a"),
        ("data.source", f"https://host/x.csv?version=1&key={SECRET}", "data.source: an address with a password"),
        ("data.source", f"https://host/x.csv?version=1;auth={SECRET}", "data.source: an address with a password"),
        ("data.source", f"https://host/x.csv?t%6Fken={SECRET}", "data.source: an address with a password"),
        ("data.source", f"https://host/x.csv#access_token={SECRET}", "data.source: an address with a password"),
        ("data.source", f"HTTPS://host/x.csv?{SECRET}", "data.source: the query of an address"),
        ("data.source", f"https://host/x.csv?st={SECRET}", "data.source: the query of an address"),
        ("data.source", f"https://host/x.csv?version=1&q={SECRET}", "data.source: the query of an address"),
        ("design.users", f"see https://{SECRET}@host/wiki", "design.users: an address with a password"),
        ("data.columns.a.why", f"from https://host/?X-Amz-Credential={SECRET}", "data.columns.a.why: an address"),
        ("data.columns", {f"https://{SECRET}@host": {"type": "number"}}, "data.columns: an address with a password"),
        ("design.escalation.design", f"slack://{SECRET}/b/c", "design.escalation.design: give a name"),
        ("design.escalation.development", f"call discord://1/{SECRET}", "design.escalation.development: give a name"),
        ("design.escalation.design", f"mailto://{SECRET}/to", "design.escalation.design: give a name"),
        ("design.escalation.design", [f"slack://{SECRET}"], "design.escalation.design"),
        ("design.used_in", f"postgresql://user:{SECRET}@db/predictions", "design.used_in: an address with a password"),
        ("design.owners", [f"https://u:{SECRET}@host"], "design.owners: an address with a password"),
        ("data.format", f"json://{SECRET}", "data.format"),
        ("monitoring.alert", [f"slack://{SECRET}"], "did you mean 'alerts'"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(path, value, says):
    with pytest.raises(ProjectError, match=says) as refused:
        project_from_mapping(with_(path, value), origin="project.yaml")
    assert SECRET not in str(refused.value).lower().replace("_", "-")


def test_yaml_that_is_broken_beside_a_secret_does_not_show_it(tmp_path: Path):
    (tmp_path / "p.yaml").write_text(f"name: p\nmonitoring: {{alerts: [slack://{SECRET}, }}\n")
    with pytest.raises(ProjectError, match=r"not valid YAML .*line 2") as refused:
        read_project(tmp_path / "p.yaml")
    assert SECRET not in str(refused.value)


def test_names_of_variables_and_ordinary_addresses_are_taken():
    project = project_from_mapping(with_("monitoring.alerts", ["OPS_ALERTS", "TEAM2_ALERTS"]), origin="p")
    assert project.monitoring.alerts == ("OPS_ALERTS", "TEAM2_ALERTS")
    for source in (
        "s3://bucket/a@b:c/x.parquet", "s3://bucket/year=202?/key=1/*.csv", "https://host:8443/x.csv?version=3",
        "https://host/x.csv?year=2024&month=1#rows", "a:b@c.csv", "key=1/x.csv",
    ):  # fmt: skip
        assert project_from_mapping(with_("data.source", source), origin="p").data.source == source


def test_people_are_named_in_plain_text():
    people = {"development": "operations research, +49 30 1234", "design": "mailto:head@example.org"}
    project = project_from_mapping(with_("design.escalation", people), origin="p")
    assert project.design.escalation.model_dump() == people
    spoken = "Ask at https://host/wiki, or write to ann@example.org. Which key? The one=first."
    assert project_from_mapping(with_("design.users", spoken), origin="p").design.users == spoken


def test_a_group_splits_by_hash_and_is_no_feature_and_no_split_by_time_has_one() -> None:
    kinds = {"y": "boolean", "at": "timestamp", "who": "integer", "x": "number"}
    columns = {name: {"type": kind} for name, kind in kinds.items()}
    data = {"source": "t.csv", "target": "y", "time_column": "at", "columns": columns}

    def of(**split: str) -> Project:
        return project_from_mapping({"name": "unit", "data": data, "cleaning": {"split": split}}, origin="test")

    assert (of().split_method, list(of().features)) == ("time", ["who", "x"])
    assert (of(group="who").split_method, list(of(group="who").features)) == ("hash", ["x"])
    assert [of(**split).entity_columns for split in ({}, {"method": "hash"}, {"group": "who"})] == [(), (), ("who",)]
    ids = {"name": "unit", "data": {**data, "id_columns": ["who"]}}
    assert project_from_mapping(ids, origin="test").entity_columns == ("who",)
    assert len({fingerprint(p)["digest"] for p in (of(method="hash"), of(group="who"), of(group="x"))}) == 3
    with pytest.raises(ProjectError, match=r"cleaning\.split\.group: a split by time has no groups"):
        of(group="who", method="time")


def test_a_split_without_a_group_has_the_fingerprint_it_always_had() -> None:
    columns = {"y": {"type": "boolean"}, "id": {"type": "integer"}, "x": {"type": "number"}}
    data = {"source": "t.csv", "target": "y", "id_columns": ["id"], "columns": columns}
    apart = {"cleaning": {"split": {"equal_rows": "apart"}}}
    found = fingerprint(project_from_mapping({"name": "unit", "data": data, **apart}, origin="test"))
    assert found["digest"] == "7a0d755e38319566dea50bf0ccf0f0741085ba7849d041f3ec8b80020db9f534"
    assert "group" not in found


@pytest.mark.parametrize(
    ("equal_rows", "duplicates", "ids", "apart"),
    [
        ("apart", "all", [], True),
        ("together", "all", [], False),
        ("apart", "first", [], False),
        ("apart", "all", ["x"], False),
    ],
)
def test_copies_go_each_by_itself_only_where_nothing_else_tells_them_apart(
    equal_rows: str, duplicates: str, ids: list[str], apart: bool
) -> None:
    columns = {"y": {"type": "boolean"}, "x": {"type": "number"}, "z": {"type": "number"}}
    data = {"source": "t.csv", "target": "y", "id_columns": ids, "columns": columns}
    cleaning = {"split": {"equal_rows": equal_rows}, "duplicates": duplicates}
    found = fingerprint(project_from_mapping({"name": "unit", "data": data, "cleaning": cleaning}, origin="test"))
    assert found["hash"].endswith("of a copy, with its number") is apart


def test_the_fingerprint_names_the_features_that_last_in_which_rows_are_equal() -> None:
    def of(*, drop: bool = False, **split: str) -> dict:
        columns = {
            "y": {"type": "boolean"},
            "id": {"type": "integer"},
            "x": {"type": "number"},
            "z": {"type": "number"},
        }
        data = {"source": "t.csv", "target": "y", "id_columns": ["id"], "columns": columns}
        cleaning = {"split": split, "missing": {"columns": {"z": {"drop_above": 0.5}} if drop else {}}}
        return fingerprint(project_from_mapping({"name": "unit", "data": data, "cleaning": cleaning}, origin="test"))

    assert of()["equal_in"] == '["x", "z"]'
    assert of(drop=True)["equal_in"] == '["x"]'
    assert of(equal_rows="apart")["equal_in"] == "[]"
    assert of()["digest"] == of(equal_rows="apart")["digest"] == of(drop=True)["digest"] != of(group="id")["digest"]
    assert len({of()["equal_digest"], of(equal_rows="apart")["equal_digest"], of(drop=True)["equal_digest"]}) == 3


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"type": "number", "map": {"a": "b"}}, "map is for a category"),
        ({"type": "category", "map": {"a": " "}}, "neither a spelling nor a level can be blank"),
        ({"type": "category", "categories": ["b"], "map": {"a": "c"}}, "map: 'c' is not among categories"),
        ({"type": "category", "map": {"a": "b", "b": "c"}}, "map: 'b' is a level itself"),
        ({"type": "category", "map": {"TRUE": "b", "true": "b"}}, "map: 'TRUE' is given twice"),
        ({"type": "category", "map": {"a": "b"}, "missing": ["b"]}, "among missing, which comes first"),
        (
            {"type": "category", "categories": ["Rome"], "map": {"ROME": "Rome"}, "ignore_case": True},
            "'ROME' is a level itself",
        ),
        ({"type": "category", "map": ["a"]}, "data.columns.x.map"),
    ],
)
def test_a_map_of_spellings_that_cannot_be(column: dict, message: str) -> None:
    data = {"source": "t.csv", "target": "y", "columns": {"y": {"type": "boolean"}, "x": column}}
    with pytest.raises(ProjectError, match=message):
        project_from_mapping({"name": "unit", "data": data}, origin="test")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"type": "category", "unit": "$"}, "unit is for a number or an integer"),
        ({"type": "number", "dates": "26/12/31"}, "dates is for a timestamp"),
        ({"type": "timestamp", "negative": "(1)"}, "negative is for a number or an integer"),
        ({"type": "timestamp", "dates": "26/12/31", "day_first": True}, "dates and day_first both say"),
        ({"type": "timestamp", "dates": "2026-12-31"}, "data.columns.x.dates.*31-Dec-2026"),
        ({"type": "number", "lakhs": True}, "say which in thousands"),
        ({"type": "number", "unit": "e"}, "'e' could be part of a number"),
        ({"type": "number", "unit": "m2"}, "'m2' could be part of a number"),
        ({"type": "number", "unit": "(a)"}, "could be part of a number"),
        ({"type": "number", "unit": " $"}, "could be part of a number"),
        ({"type": "number", "unit": "\u2212"}, "could be part of a number"),
    ],
)
def test_a_way_to_write_that_cannot_be(column: dict, message: str) -> None:
    data = {"source": "t.csv", "target": "y", "columns": {"y": {"type": "boolean"}, "x": column}}
    with pytest.raises(ProjectError, match=message):
        project_from_mapping({"name": "unit", "data": data}, origin="test")


def test_a_way_to_write_that_yaml_takes_for_a_number_is_one_all_the_same() -> None:
    columns = {"y": {"type": "number", "negative": -1, "unit": "Rs."}, "at": {"type": "timestamp", "dates": 20261231}}
    data = {"source": "t", "target": "y", "columns": {**columns, "x": {"type": "number"}}}
    found = project_from_mapping({"name": "unit", "data": data}, origin="")
    assert (found.data.columns["at"].dates, found.data.columns["y"].negative) == ("20261231", "-1")
    assert found.data.columns["at"].written == {"dates": "20261231"}
    assert project_from_json(project_to_json(found)) == found


def test_a_map_is_written_as_people_write_it_and_read_back() -> None:
    columns = {"y": {"type": "boolean"}, "x": {"type": "category", "map": {"NYC": "New York", 1: "one"}}}
    found = project_from_mapping(
        {"name": "unit", "data": {"source": "t", "target": "y", "columns": columns}}, origin=""
    )
    assert found.data.columns["x"].map == (("NYC", "New York"), ("1", "one"))
    assert project_from_json(project_to_json(found)) == found
