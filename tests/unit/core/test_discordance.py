"""Scores of labels on few rows: that nothing was seen is not taken for certain."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import beta, norm

from ciclo.components.core.clusters import gain_interval, groups_of, score_interval
from ciclo.components.core.metrics import METRICS
from tests.depth import some

ACCURACY, BALANCED, F1 = (METRICS[name] for name in ("accuracy_score", "balanced_accuracy_score", "f1_score"))
AUC, PRECISION = METRICS["roc_auc_score"], METRICS["average_precision_score"]
MARGIN = 0.01


def named(value):
    return getattr(value, "name", value)


def passes(metric, rows, classes, lost, turns, days=0):
    """How often a challenger that is truly worse by the margin is called no worse by it; ``lost`` of its labels are.

    Labels that both give are right in nine of ten; with days, whole runs of ten rows are lost at once.
    """
    wrong = 0
    for seed in range(turns):
        rng = np.random.default_rng([rows, seed])
        y = rng.integers(0, classes, rows)
        champion = np.where(rng.random(rows) < 0.1, (y + 1) % classes, y)
        bad = np.repeat(rng.random(rows // 10) < lost / 0.9, 10) if days else rng.random(rows) < lost / 0.9
        ours = np.where(bad & (champion == y), (y + 1) % classes, champion)
        groups = np.arange(rows) * days // rows if days else groups_of(None, rows, seed)
        found = gain_interval(metric, y, ours, champion, list(range(classes)), groups=groups, confidence=0.95)
        wrong += found.low > -MARGIN
    return wrong / turns


@pytest.mark.parametrize(
    ("judged", "rows"),
    some([*product([(ACCURACY, 2), (BALANCED, 3), (F1, 2)], [40, 100, 300, 500])]),
    ids=lambda v: v[0].name if isinstance(v, tuple) else str(v),
)
def test_what_is_worse_by_the_margin_rarely_passes(judged, rows):
    metric, classes = judged
    assert passes(metric, rows, classes, MARGIN, 150) <= 0.09  # 5 % of 150 are 7.5, with a deviation of 2.7


def test_nor_where_rows_are_lost_a_run_at_a_time():
    assert passes(ACCURACY, 2_800, 2, MARGIN, 150, days=14) <= 0.09


def test_where_many_rows_tell_an_equal_and_a_better_one_pass():
    rng, passed, better = np.random.default_rng(0), 0, 0
    for seed in range(40):
        y = rng.integers(0, 2, 4_000)
        ours, theirs = (np.where(rng.random(4_000) < 0.02, 1 - y, y) for _ in range(2))
        options = {"groups": groups_of(None, 4_000, seed), "confidence": 0.95}
        passed += gain_interval(ACCURACY, y, ours, theirs, [0, 1], **options).low > -MARGIN
        worse = np.where(rng.random(4_000) < 0.03, 1 - y, theirs)
        better += gain_interval(ACCURACY, y, theirs, worse, [0, 1], **options).low > 0
    assert passed >= 30
    assert better == 40


@pytest.mark.parametrize("rows", [40, 298, 299, 2_000])
@pytest.mark.parametrize("metric", [ACCURACY, BALANCED, F1], ids=lambda m: m.name)
def test_of_no_discordant_row_the_bound_is_that_of_clopper_and_pearson(metric, rows):
    """For accuracy exactly: nothing in n rows is at most 1 - .05 ** (1 / n); a row of a class counts for more."""
    y = np.arange(rows) % 2
    found = gain_interval(metric, y, y, y, [0, 1], groups=groups_of(None, rows), confidence=0.95)
    exact = 1 - 0.05 ** (1 / rows)
    assert (found.point, found.low, found.high) == (0, pytest.approx(-exact, rel=0.06), pytest.approx(exact, rel=0.06))
    assert metric is not ACCURACY or (found.low > -MARGIN) == (rows >= 299)


@pytest.mark.parametrize(("lost", "won"), [(3, 0), (0, 3)])
def test_few_discordant_rows_have_the_bounds_of_their_rate(lost, won):
    y, ours, theirs = (np.zeros(200, dtype=int) for _ in range(3))
    ours[:lost], theirs[lost : lost + won] = 1, 1
    found = gain_interval(ACCURACY, y, ours, theirs, [0, 1], groups=np.arange(200), confidence=0.95)
    far, none = beta.ppf(0.95, 4, 197), 1 - 0.05 ** (1 / 200)
    low, high = (-far, math.hypot(none, 3 / 200 - beta.ppf(0.05, 3, 198)) - 3 / 200)
    if won:
        low, high = -high, -low
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))


def test_ten_rows_that_are_lost_on_one_day_are_one_event_and_the_next_may_be_as_large():
    y = np.zeros(2_800, dtype=int)
    ours, days = (np.arange(2_800) < 10).astype(int), np.arange(2_800) // 200
    found = gain_interval(ACCURACY, y, ours, y, [0, 1], groups=days, confidence=0.95)
    assert found.low == pytest.approx(-beta.ppf(0.95, 2, 279), rel=0.1)
    alone = gain_interval(ACCURACY, y, ours, y, [0, 1], groups=groups_of(None, 2_800), confidence=0.95)
    assert alone.low == pytest.approx(-beta.ppf(0.95, 11, 2_790), rel=0.1)


@pytest.mark.parametrize("right", [0, 1, 20, 39, 40])
def test_a_score_of_few_rows_has_the_bounds_of_clopper_and_pearson_at_least(right):
    y = np.arange(40) % 2
    said = np.where(np.random.default_rng(0).permutation(40) < right, y, 1 - y)
    low = beta.ppf(0.05, right, 41 - right) if right else 0
    high = beta.ppf(0.95, right + 1, 40 - right) if right < 40 else 1
    found = score_interval(ACCURACY, y, said, [0, 1], groups=np.arange(40), confidence=0.95)
    assert found.low <= low + 0.01
    assert found.high >= high - 0.01
    assert found.high - max(found.low, 0) <= 1.15 * (high - low)
    for metric in (BALANCED, F1):
        found = score_interval(metric, y, said, [0, 1], groups=np.arange(40), confidence=0.95)
        assert found.high - found.low > 0.05


@pytest.mark.parametrize("metric", [AUC, PRECISION], ids=lambda m: m.name)
def test_two_perfect_rankings_of_few_rows_may_yet_differ(metric):
    y, noise = np.arange(40) % 2, np.random.default_rng(0).random((2, 40)) / 10
    ours, theirs = (np.column_stack([1 - p, p]) for p in 0.8 * y + noise)
    options = {"groups": np.arange(40), "confidence": 0.95}
    found = gain_interval(metric, y, ours, theirs, [0, 1], **options)
    assert found.low == pytest.approx(-(1 - 0.05 ** (1 / 20)))
    same = gain_interval(metric, y, ours, ours, [0, 1], **options)
    assert (same.low, same.high) == (0, 0)
    assert score_interval(metric, y, ours, [0, 1], **options).low < 0.9


@pytest.mark.parametrize("metric", [F1, PRECISION, AUC], ids=lambda m: m.name)
@pytest.mark.parametrize("called", [False, True])
def test_without_a_positive_nothing_is_known(metric, called):
    y = np.zeros(200, dtype=int)
    label = np.where(np.arange(200) < 20 * called, 1, 0)
    said = label if metric is F1 else np.column_stack([1 - label, label]).astype(float)
    assert math.isnan(metric.score(y, said, [0, 1]))
    found = score_interval(metric, y, said, [0, 1], groups=groups_of(None, 200), confidence=0.95)
    assert math.isnan(found.point)
    assert not found.bounded


def test_of_many_classes_f1_is_that_of_those_that_occur():
    y, said = np.array([0, 0, 1, 1] * 10), np.array([0, 2, 1, 1] * 10)
    found = score_interval(F1, y, said, [0, 1, 2], groups=np.arange(40), confidence=0.95)
    assert found.point == pytest.approx(F1.score(y, said, [0, 1, 2])) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize(("positive", "negative"), [(8, 200), (30, 60), (100, 100)])
@pytest.mark.parametrize("kind", ["some positives are last", "some of both are", "two normal distributions"])
def test_a_perfect_ranking_is_seldom_better_than_its_bound_says(kind, positive, negative):
    """A model whose AUC is that of the bound ranks all rows right in at most 5 % of the tests, however it errs.

    As many pairs of different rows as the rarer class has are independent, and each is in order as often as the AUC is.
    """
    y = np.repeat([1, 0], [positive, negative])
    right = np.column_stack([1 - y, y]).astype(float)
    told = score_interval(AUC, y, right, [0, 1], groups=groups_of(None, y.size), confidence=0.95)
    assert told.low == pytest.approx(0.05 ** (1 / min(positive, negative)))
    assert (told.point, told.high) == (1.0, 1.0)

    draws, lost = 4_000, 1 - told.low
    rng = np.random.default_rng([positive, negative])
    first, second = (rng.normal(size=(draws, count)) for count in (positive, negative))
    if kind == "two normal distributions":
        first = first + np.sqrt(2) * norm.ppf(told.low)
    else:
        of_both = lost / 2 if kind == "some of both are" else lost
        first = np.where(rng.random(first.shape) < of_both, -1e3, first + 100)
        second = second if of_both == lost else np.where(rng.random(second.shape) < of_both, 1e3, second)
    assert (first.min(axis=1) > second.max(axis=1)).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
