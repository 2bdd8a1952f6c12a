import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import ProjectError
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.training.preprocessing import preprocessor


def contract(kind: str = "integer", **hour) -> Contract:
    columns = {"hour": {"type": kind, **hour}, "colour": {"type": "category"}, "y": {"type": "boolean"}}
    raw = {"name": "unit", "data": {"source": "t.csv", "target": "y", "columns": columns}}
    return Contract.of(project_from_mapping(raw, origin="test"), ("false", "true"))


def out(of: Contract, style: str) -> np.ndarray:
    frame = pd.DataFrame({"hour": [0.0, 6.0, 23.0, 24.0, np.nan, 12.0], "colour": pd.Series(["a"] * 6, dtype=object)})
    return np.asarray(preprocessor(of, style).fit_transform(frame))


def test_the_last_hour_is_next_to_the_first_for_linear_models():
    sine, cosine = out(contract(cycle=24), "linear")[:, -2:].T
    np.testing.assert_allclose(sine[:4], [0, 1, np.sin(-np.pi / 12), 0], atol=1e-9)
    np.testing.assert_allclose(cosine[:4], [1, 0, np.cos(np.pi / 12), 1], atol=1e-9)
    assert (sine[4], cosine[4]) == pytest.approx((0, -1)), "a missing hour is the median, twelve"


def test_trees_and_columns_that_do_not_come_round_are_left_alone():
    np.testing.assert_array_equal(out(contract(cycle=24), "trees"), out(contract(), "trees"))
    assert out(contract(cycle=24), "linear").shape[1] == out(contract(), "linear").shape[1] + 2


def test_only_a_number_comes_round():
    with pytest.raises(ProjectError, match="cycle is for a number or an integer, not for a category"):
        contract("category", cycle=24)
