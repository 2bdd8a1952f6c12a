"""The claims of ``benchmarks/drift.py``, small: stable streams stay calm, what happened is found, and what is not."""

import pytest

from benchmarks.streams import KINDS, Stream
from benchmarks.watching import QUIET, Watch
from tests.depth import some, thorough

INDEPENDENT, DAYS, MEMORY, KNOWN, _, GROWING = KINDS


def told(stream, weeks, shift=0.0, column="x0"):
    """What the ticks of some weeks decided; a shift comes after two of them."""
    watch = Watch()
    return [
        watch.of(stream, week, *stream.week(week, shift if week >= 2 else 0.0, column)).action for week in range(weeks)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", some([INDEPENDENT, DAYS, MEMORY, KNOWN, GROWING]), ids=lambda kind: kind.name)
def test_a_stable_stream_stays_calm(kind):
    actions = [action for seed in range(3) for action in told(Stream(kind, 8, 700, 12, seed), 12)]
    assert set(actions) <= {"ok", "watch", "recommend"}
    assert sum(action not in QUIET for action in actions) <= 1  # of 36
    assert actions.count("watch") <= 4


@pytest.mark.slow
def test_many_columns_beside_few_rows_stay_calm():
    """Principal components fit the rows that they were learnt from better than any other."""
    stream = Stream(INDEPENDENT, 100, 200, 8, seed=0)
    assert told(stream, 8) == ["ok"] * 8


@thorough
def test_a_small_shift_of_an_important_column_is_recommended_by_the_third_tick():
    found = [told(Stream(INDEPENDENT, 20, 2_000, 5, seed), 5, shift=0.3) for seed in range(5)]
    assert [actions[:2] for actions in found] == [["ok", "ok"]] * 5
    assert all("recommend" in actions for actions in found)
    assert {action for actions in found for action in actions} <= {"ok", "watch", "recommend"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [INDEPENDENT, MEMORY], ids=lambda kind: kind.name)
def test_a_large_shift_of_an_irrelevant_column_leads_to_nothing(kind):
    stream = Stream(kind, 20, 2_000, 5, seed=1)
    assert set(told(stream, 5, 3.0, stream.irrelevant)) <= set(QUIET)


def test_columns_that_no_longer_go_together_are_found_although_each_is_as_ever():
    stream, watch = Stream(INDEPENDENT, 8, 2_000, 3, seed=2), Watch()
    actions = []
    for week in range(3):
        frame, times = stream.week(week)
        apart = frame.sample(frac=1, random_state=0).reset_index(drop=True)
        apart[stream.names[::2]] = frame[stream.names[::2]]
        actions.append(watch.of(stream, week, apart, times).action)
        assert watch.evidence.drift.together
        assert not watch.evidence.drift.inputs
    assert actions == ["watch", "recommend", "recommend"]
