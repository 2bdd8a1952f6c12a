"""What a broken column looks like, told from its profile; `test_incidents` shows what the watch makes of it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.monitoring.observing.health import _most, _unit

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_another_unit_is_known_by_the_spread_of_what_lies_on_both_sides_of_zero_and_else_by_the_mean(mean):
    column = ColumnProfile.of(pd.Series(mean + 3 * RNG.normal(size=2_000)))
    moved = SimpleNamespace(name="x", effect=0.6, usual=())
    for factor, said in ((10, "multiplied by "), (1.1, "")):
        values = factor * (mean + 3 * RNG.normal(size=2_000))
        found = _unit(column, moved, SimpleNamespace(sample=pd.DataFrame({"x": values})))
        assert bool(found) is bool(said)
        assert said in found


@pytest.mark.parametrize(("windows", "most"), [((), 0.1), ((0.0, 0.25), 0.25), ((0.0, 0.02), 0.1)])
def test_as_much_as_training_or_a_window_of_it_lacks_is_usual(windows, most):
    column = ColumnProfile.of(pd.Series([np.nan] * 10 + [1.0, 2.0, 3.0] * 30))
    assert _most(column, SimpleNamespace(most=windows), -1) == pytest.approx(most)
