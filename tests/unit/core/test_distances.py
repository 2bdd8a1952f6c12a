"""The one distance, against scipy and its own laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import jensenshannon

from ciclo.components.core.distances import jensen_shannon

COUNTS = arrays.arrays("int64", (3, 5), elements=st.integers(0, 1_000))


@given(COUNTS, COUNTS)
def test_it_is_that_of_scipy_and_a_distance(a: np.ndarray, b: np.ndarray) -> None:
    found = jensen_shannon(a, b)
    for row, distance in enumerate(found):
        if a[row].any() and b[row].any():
            assert distance == pytest.approx(float(np.nan_to_num(jensenshannon(a[row], b[row], base=2))), abs=1e-6)
        else:
            assert distance == 0
    np.testing.assert_allclose(found, jensen_shannon(b, a))
    np.testing.assert_allclose(jensen_shannon(a, a), 0, atol=1e-7)
    assert ((found >= 0) & (found <= 1)).all()


def test_what_chance_shows_is_no_distance() -> None:
    a, b = np.array([[50, 50]]), np.array([[55, 45]])
    assert 0 < jensen_shannon(a, b, 1e-4) < jensen_shannon(a, b)
    assert jensen_shannon(a, b, 1.0) == 0
    assert jensen_shannon(np.array([3, 0]), np.array([0, 3])) == 1
