import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import DataError, ProjectError, RequestError
from ciclo.components.core.project_file import project_from_mapping

PROJECT = project_from_mapping(
    {
        "name": "p",
        "data": {
            "source": "x",
            "target": "y",
            "id_columns": ["id"],
            "columns": {
                "y": {"type": "boolean"},
                "id": {"type": "category"},
                "n": {"type": "number", "minimum": 0, "maximum": 10},
                "i": {"type": "integer", "nullable": False},
                "b": {"type": "boolean"},
                "c": {"type": "category", "categories": ["u", "v"]},
            },
        },
    },
    origin="p",
)
CONTRACT = Contract.of(PROJECT, ("false", "true"))
ROW = {"n": 1.5, "i": 2, "b": True, "c": "u"}


def test_rows_are_read_in_any_order_with_ids_beside():
    frame = CONTRACT.parse([ROW, {"id": "k", "c": None, "b": 0, "i": 3.0, "n": None}])
    assert list(frame.columns) == ["n", "i", "b", "c"]
    assert frame["n"].tolist()[0] == 1.5
    assert frame.isna().to_numpy().sum() == 2
    assert frame.dtypes.astype(str).tolist() == ["float64", "float64", "float64", "object"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n": "one"}, "row 1: column 'n' has to be a finite number"),
        ({"n": float("inf")}, "column 'n'"),
        ({"n": True}, "column 'n'"),
        ({"n": -1}, "column 'n' is out of its range 0..10"),
        ({"n": 11}, "column 'n' is out of its range"),
        ({"n": [1]}, "column 'n'"),
        ({"i": None}, "column 'i' must have a value"),
        ({"i": 1.5}, "column 'i' has to be a whole number"),
        ({"b": 2}, "column 'b' has to be true or false"),
        ({"b": "maybe"}, "column 'b' has to be true or false"),
        ({"b": []}, "column 'b' has to be true or false"),
        ({"c": "w"}, "column 'c' has an unknown category"),
        ({"c": 1.5}, "column 'c' has an unknown category"),
        ({"c": "\ud800"}, "column 'c' has to be text"),
        ({"i": float("nan")}, "column 'i' must have a value"),
        ({"i": 2.0**53}, "column 'i' holds a whole number too large to be read exactly"),
        ({"c": {}}, "column 'c' has to be text"),
        ({"extra": 1}, "column 'extra' is not known"),
    ],
    ids=str,
)
def test_a_value_that_breaks_the_contract_is_refused_by_name(change, says):
    with pytest.raises(RequestError, match=says):
        CONTRACT.parse([ROW, {**ROW, **change}])


def test_a_missing_column_is_named():
    with pytest.raises(RequestError, match="column 'n' is missing"):
        CONTRACT.parse([{k: v for k, v in ROW.items() if k != "n"}])


def test_training_and_serving_see_the_same_frame():
    clean = pd.DataFrame(
        {
            "n": [1.5, np.nan],
            "i": pd.array([1, 2], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "c": ["u", None],
        }
    )
    trained = CONTRACT.frame(clean)
    served = CONTRACT.parse(CONTRACT.rows(clean))
    pd.testing.assert_frame_equal(trained, served)


def test_a_copy_with_other_rules_reads_by_them():
    column = CONTRACT.columns[0]
    assert column.read(9) == 9
    with pytest.raises(RequestError, match="range"):
        column.model_copy(update={"maximum": 8}).read(9)


@pytest.mark.parametrize(
    ("target", "classes", "values", "label"),
    [
        ({"type": "integer"}, ("0", "1"), [1, 1.0, "1", "01", np.float64(1), np.int8(1)], "1"),
        ({"type": "number"}, ("0.0", "1.0"), [1, 1.0, "1", "1.0", "1e0"], "1.0"),
        ({"type": "category"}, ("1", "2"), [1, 1.0, "1", " 1.0 ", np.float64(1)], "1"),
        ({"type": "category"}, ("1.0", "2.0"), [1, 1.0, "1", "1.0"], "1.0"),
        ({"type": "boolean"}, ("false", "true"), [1, 1.0, "1", "Yes", "TRUE", True, np.True_], "true"),
        ({"type": "number", "minimum": 0}, (), [1, 1.0, "1", " 1.00", np.float64(1)], 1.0),
    ],
    ids=lambda value: str(value),
)
def test_a_label_is_the_same_class_in_any_container(target, classes, values, label):
    columns = {"y": target, "x": {"type": "number"}}
    task = {"training": {"task": "binary"}} if classes else {}
    wanted = {"name": "p", "data": {"source": "x", "target": "y", "columns": columns}, **task}
    contract = Contract.of(project_from_mapping(wanted, origin="p"), classes)
    assert {contract.truth_of(value) for value in values} == {label}
    for nothing in (None, float("nan"), "", pd.NA):
        with pytest.raises(RequestError, match="column 'y' must have a value"):
            contract.truth_of(nothing)
    with pytest.raises(RequestError, match="column 'y'"):
        contract.truth_of("seven" if classes else -1)


def test_a_word_is_either_missing_or_a_category():
    columns = {"y": {"type": "boolean"}, "x": {"type": "category", "missing": ["none"], "categories": ["none", "a"]}}
    described = {"name": "p", "data": {"source": "x", "target": "y", "columns": columns}}
    with pytest.raises(ProjectError, match="none cannot be among both missing and categories"):
        project_from_mapping(described, origin="p")


def test_labels_are_positions_in_the_classes():
    assert CONTRACT.encode(pd.Series([True, False, True])).tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="true or false"):
        CONTRACT.encode(pd.Series(["maybe"]))
