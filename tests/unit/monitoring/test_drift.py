"""Drift: calibrated on clean streams, sure of real shifts, deaf to columns that do not matter."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import binom, chi2_contingency, norm

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.profile import Profile
from ciclo.components.core.sections import Monitoring
from ciclo.components.core.usual import compare, merge_rare
from ciclo.components.monitoring.observing.drift import Counted, Drift, assess, prediction_values, window_level
from tests.depth import some

POLICY = Monitoring()
TRAINING_ROWS = 5_000


def numeric_profile(rng, columns, importance=None):
    names = [f"x{i}" for i in range(columns)]
    frame = pd.DataFrame(rng.normal(size=(TRAINING_ROWS, columns)), columns=names)
    shares = importance or dict.fromkeys(names, 1 / columns)
    scores = pd.Series(rng.normal(size=2_000))
    profile = Profile(
        rows=TRAINING_ROWS,
        columns={name: ColumnProfile.of(frame[name]) for name in names},
        target=ColumnProfile.of(pd.Series(["no", "yes"] * 50, dtype=object)),
    )
    return profile.with_model(shares, ColumnProfile.of(scores))


def drawn(rng, column, rows, shift=0.0, windows=1):
    """Counts of fresh normal rows in the bins of a profile: drawn from the exact probabilities of its bins."""
    cuts = norm.cdf(np.array([-np.inf, *column.edges, np.inf]), loc=shift)
    return np.pad(rng.multinomial(rows, np.diff(cuts), size=windows), ((0, 0), (0, 1)))


def judged(rng, profile, rows, shifts=None, windows=1, prediction_shift=0.0, policy=POLICY):
    columns = {n: drawn(rng, c, rows, (shifts or {}).get(n, 0.0), windows) for n, c in profile.columns.items()}
    predictions = drawn(rng, profile.prediction, rows, prediction_shift, windows)
    return [
        assess(profile, Counted({n: c[i] for n, c in columns.items()}, predictions[i]), policy) for i in range(windows)
    ]


def alarms(drift: Drift) -> bool:
    return drift.inputs or drift.predictions


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "columns"), some([(200, 5), (200, 50), (2_000, 20), (20_000, 5), (20_000, 50)]))
def test_a_clean_stream_alarms_in_at_most_one_percent_of_windows(rows, columns):
    rng = np.random.default_rng(rows + columns)
    profiles = [numeric_profile(rng, columns) for _ in range(4)]
    drifts = [drift for profile in profiles for drift in judged(rng, profile, rows, windows=250)]
    assert len(drifts) == 1_000
    assert sum(alarms(drift) for drift in drifts) <= 10


@pytest.mark.slow
def test_even_a_single_important_column_and_no_least_effect_keep_the_false_alarm_rate():
    rng = np.random.default_rng(3)
    policy = Monitoring(minimum_effect=1e-9, drifted_importance=1e-9, persistence={"alarms": 1, "windows": 1})
    profiles = [numeric_profile(rng, 10) for _ in range(20)]
    drifts = [drift for profile in profiles for drift in judged(rng, profile, 500, windows=50, policy=policy)]
    assert sum(alarms(drift) for drift in drifts) <= 20  # of 1,000 at a rate of 1 %, with room for chance


@pytest.mark.slow
def test_half_a_standard_deviation_in_an_important_column_is_found():
    rng = np.random.default_rng(1)
    weights = {f"x{i}": 0.4 if i == 0 else 0.6 / 19 for i in range(20)}
    profiles = [numeric_profile(rng, 20, weights) for _ in range(5)]
    drifts = [drift for profile in profiles for drift in judged(rng, profile, 2_000, {"x0": 0.5}, windows=40)]
    assert sum(drift.inputs and drift.names == ["x0"] for drift in drifts) >= 190  # of 200


def test_an_unimportant_column_alone_does_not_alarm():
    rng = np.random.default_rng(2)
    weights = {f"x{i}": 0.05 if i == 0 else 0.95 / 9 for i in range(10)}
    drift = judged(rng, numeric_profile(rng, 10, weights), 20_000, {"x0": 3.0})[0]
    assert drift.names == ["x0"]
    assert drift.importance == pytest.approx(0.05)
    assert not alarms(drift)


def test_drift_counts_even_where_the_profile_knows_no_importance():
    rng = np.random.default_rng(5)
    profile = numeric_profile(rng, 2)
    columns = {name: c.model_copy(update={"importance": 0.0}) for name, c in profile.columns.items()}
    assert judged(rng, profile.model_copy(update={"columns": columns}), 2_000, {"x0": 1.0})[0].inputs


def test_the_predictions_alone_can_alarm():
    rng = np.random.default_rng(4)
    profile = numeric_profile(rng, 3)
    drift = judged(rng, profile, 2_000, prediction_shift=0.6)[0]
    assert drift.predictions
    assert not drift.inputs
    counts = {name: np.array(c.counts) for name, c in profile.columns.items()}
    assert assess(profile, Counted(counts), POLICY).prediction is None


def test_known_answers_agree_with_scipy():
    reference, window = np.array([[400, 300, 200, 100]]), np.array([[100, 150, 150, 100]])
    found = compare(reference, window)
    table = np.vstack([reference[0], window[0]])
    known = chi2_contingency(table, lambda_="log-likelihood", correction=False)
    assert (found.statistic[0], found.freedom[0]) == pytest.approx((known.statistic, known.dof))
    chance = 3 / 8 * (1 / 1000 + 1 / 500) / np.log(2)
    assert found.effect[0] == pytest.approx(np.sqrt(jensenshannon(*table, base=2) ** 2 - chance))
    assert found.weight[0] == pytest.approx(1000 * 500 / 1500)


def test_the_effect_of_small_clean_windows_is_not_inflated():
    """The plain distance of 200 clean rows in 50 bins is above the least effect of 0.1; the corrected one is not."""
    rng = np.random.default_rng(6)
    shares = np.full(50, 1 / 50)
    reference = rng.multinomial(5_000, shares, size=200)
    window = rng.multinomial(300, shares, size=200)
    plain = [jensenshannon(a, b, base=2) for a, b in zip(reference, window, strict=True)]
    assert np.mean(plain) > 0.1
    assert np.mean(compare(reference, window).effect) < 0.07


@pytest.mark.parametrize(
    ("reference", "window", "expected"),
    [
        ([[0, 0, 0]], [[5, 5, 0]], (0.0, False)),
        ([[50, 50, 0]], [[0, 0, 0]], (0.0, False)),
        ([[100, 0, 0]], [[40, 0, 0]], (0.0, False)),
        ([[3, 3, 3]], [[2, 2, 2]], (0.0, False)),
        ([[1000, 0, 0]], [[0, 1000, 0]], (1.0, True)),
        ([[1000, 0, 0]], [[0, 0, 500]], (1.0, True)),
    ],
    ids=["no reference", "empty window", "constant", "all sparse", "moved to another bin", "all missing"],
)
def test_the_edges_of_the_comparison(reference, window, expected):
    found = compare(np.array(reference), np.array(window))
    assert (found.effect[0], found.statistic[0] > 500) == (pytest.approx(expected[0], abs=0.01), expected[1])


def test_the_order_of_the_samples_and_columns_does_not_matter():
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, 60, (6, 9)), rng.integers(0, 60, (6, 9))
    found, turned, reversed_ = compare(a, b), compare(b, a), compare(a[::-1], b[::-1])
    for one in ("statistic", "freedom", "effect", "weight"):
        np.testing.assert_allclose(getattr(found, one), getattr(turned, one))
        np.testing.assert_allclose(getattr(found, one)[::-1], getattr(reversed_, one))


def test_real_rows_take_the_same_path_with_categories_and_missing_values():
    rng = np.random.default_rng(8)

    def rows(n, shares):
        return pd.DataFrame(
            {
                "place": pd.Series(rng.choice(["a", "b", None], n, p=shares), dtype=object),
                "size": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            }
        )

    training = rows(4_000, [0.6, 0.3, 0.1])
    profile = Profile(
        rows=4_000,
        columns={name: ColumnProfile.of(training[name]) for name in training},
        target=ColumnProfile.of(training["size"]),
    ).with_model({"place": 1.0, "size": 1.0}, ColumnProfile.of(training["size"]))

    def found(shares):
        frame = rows(1_000, shares)
        counts = {name: column.bin(frame[name]) for name, column in profile.columns.items()}
        return assess(profile, Counted(counts), POLICY).names

    assert (found([0.6, 0.3, 0.1]), found([0.3, 0.6, 0.1])) == ([], ["place"])


@pytest.mark.parametrize(
    ("counts", "merged"),
    [
        ([50, 50, 5, 5], [50, 50, 5, 5, 0]),
        ([50, 50, 4, 4], [50, 50, 0, 0, 8]),
        ([50, 60, 4, 0], [54, 60, 0, 0, 0]),
        ([2, 1, 0, 0], [0, 0, 0, 0, 3]),
        ([0, 0, 0, 0], [0, 0, 0, 0, 0]),
    ],
    ids=["none is rare", "rare ones together", "one joins the smallest", "all are rare", "empty"],
)
def test_sparse_bins_are_merged_and_no_row_is_lost(counts, merged):
    both = merge_rare(np.array([counts]), np.array([counts]))
    assert [part[0].tolist() for part in both] == [merged, merged]


def test_columns_are_told_the_furthest_first_and_count_alike_where_nothing_is_known_of_them():
    rng = np.random.default_rng(9)
    profile = numeric_profile(rng, 4)
    unknown = profile.model_copy(
        update={"columns": {n: c.model_copy(update={"importance": 0.0}) for n, c in profile.columns.items()}}
    )
    (drift,) = judged(rng, unknown, 2_000, shifts={"x2": 0.5, "x1": 1.5})
    assert drift.names == ["x1", "x2"]
    assert drift.importance == pytest.approx(0.5)


def test_predictions_are_read_as_they_were_profiled():
    number, category = ColumnProfile(kind="number", counts=(1, 0)), ColumnProfile(kind="category", counts=(0, 0))
    said = pd.DataFrame({"prediction": ["1", "0"], "probability": [0.9, 0.2]})
    assert prediction_values(said, number, "binary").tolist() == [0.9, 0.2]
    assert prediction_values(said, number, "regression").tolist() == [1.0, 0.0]
    assert prediction_values(said, category, "multiclass").tolist() == ["1", "0"]


def test_columns_that_hold_just_as_much_importance_as_it_takes_are_an_alarm():
    rng = np.random.default_rng(3)
    profile = numeric_profile(rng, 2, {"x0": 0.5, "x1": 0.5})
    for least, alarm in ((0.5, True), (0.51, False)):
        policy = Monitoring(drifted_importance=least)
        (found,) = judged(rng, profile, 2_000, {"x0": 1.0}, policy=policy)
        assert found.inputs is alarm


@pytest.mark.parametrize(("alarms", "windows"), [(1, 1), (1, 3), (2, 2), (2, 3), (3, 5)])
def test_clean_windows_confirm_an_alarm_in_half_of_the_rate(alarms, windows):
    policy = Monitoring(false_alarm_rate=0.04, persistence={"alarms": alarms, "windows": windows})
    level = window_level(policy)
    before = [binom.pmf(number, windows - 1, level) for number in range(alarms - 1, windows)]
    assert level * sum(before) == pytest.approx(0.02)
