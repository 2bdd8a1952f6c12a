"""When people are told: a truth table, and what holds for every sequence of decisions."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.records import History
from ciclo.components.monitoring.telling.alert_plan import RANK, calm, graver, plan, trouble
from tests.unit.monitoring.samples import NOW, decision

POLICY = Monitoring()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OK, UNKNOWN = {"action": "ok", "alarm": False}, {"action": "ok", "alarm": None}
WATCH = {"action": "watch", "kinds": ("drift",)}
DRIFT, LOSS = {"action": "recommend", "kinds": ("drift",)}, {"action": "retrain", "kinds": ("realised", "drift")}
HELD = {"action": "blocked", "kinds": ("realised",)}
BROKEN = {"action": "alert", "kinds": ("data",), "columns": ("amount",)}
MORE_BROKEN = {"action": "alert", "kinds": ("data",), "columns": ("amount", "age")}
DOWN = {"action": "alert", "kinds": ("serving",)}
DEVELOPMENT = {"action": "escalate_development", "kinds": ("realised",)}
DESIGN = {"action": "escalate_design", "kinds": ("realised",)}


def told(steps, policy=POLICY):
    """What is told over decisions with the time since the one before."""
    time, past, last, news = NOW, [], None, []
    for wait, fields in steps:
        time += wait
        taken = decision(time=time, **fields)
        found = plan(taken, History(decisions=tuple(past)), last, policy)
        past.append(taken)
        last = found or last
        news.append(found)
    return past, news


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([(HOUR, OK), (HOUR, UNKNOWN), (HOUR, WATCH)], [None, None, None], id="nothing to tell"),
        pytest.param([(HOUR, DRIFT), (HOUR, DRIFT)], ["new info", None], id="once"),
        pytest.param([(HOUR, DRIFT), (7 * DAY, DRIFT), (DAY, DRIFT)], ["new info", "reminder info", None], id="again"),
        pytest.param([(HOUR, DRIFT), (HOUR, LOSS), (HOUR, HELD)], ["new info", "graver warning", None], id="graver"),
        pytest.param([(HOUR, LOSS), (HOUR, DRIFT), (HOUR, LOSS)], ["new warning", None, None], id="milder and back"),
        pytest.param([(HOUR, BROKEN), (HOUR, MORE_BROKEN), (HOUR, BROKEN)], ["new critical", "graver critical", None],
                     id="a further column"),
        pytest.param([(HOUR, BROKEN), (HOUR, DOWN), (HOUR, BROKEN)], ["new critical", "graver critical", None],
                     id="another critical matter"),
        pytest.param([(HOUR, LOSS), (HOUR, DEVELOPMENT), (HOUR, HELD), (DAY, DESIGN)],
                     ["new warning", "graver critical", None, "graver critical"], id="each escalation"),
        pytest.param([(HOUR, LOSS), (8 * HOUR, OK), (HOUR, OK)], ["new warning", "resolved warning", None], id="over"),
        pytest.param([(HOUR, LOSS), (8 * HOUR, UNKNOWN), (HOUR, WATCH)], ["new warning", None, None], id="not known"),
        pytest.param([(HOUR, LOSS), (6 * HOUR, OK), (HOUR, OK)], ["new warning", None, "resolved warning"], id="calm"),
        pytest.param([(HOUR, DOWN), (8 * HOUR, UNKNOWN)], ["new critical", "resolved critical"], id="it serves again"),
        pytest.param([(HOUR, LOSS), (8 * HOUR, OK), (HOUR, LOSS), (8 * HOUR, OK), (8 * HOUR, OK)],
                     ["new warning", "resolved warning", "new warning", None, "resolved warning"], id="it comes back"),
    ],
)  # fmt: skip
def test_people_are_told(steps, expected):
    _, news = told(steps)
    assert [n and f"{n.occasion} {n.severity}" for n in news] == expected


def test_trouble_counts_from_when_it_began_and_never_from_what_is_to_come():
    for since, expected in ((NOW - DAY, NOW - DAY), (None, NOW), (NOW + DAY, NOW)):
        assert plan(decision(**LOSS, since=since), History(), None, POLICY).since == expected


KINDS = st.sampled_from([OK, UNKNOWN, WATCH, DRIFT, LOSS, HELD, BROKEN, MORE_BROKEN, DOWN, DEVELOPMENT, DESIGN])
WAITS = st.sampled_from([HOUR, 6 * HOUR, 7 * HOUR, DAY, 3 * DAY, 7 * DAY, 9 * DAY])
STEPS = st.lists(st.tuples(WAITS, KINDS), max_size=60)
POLICIES = st.builds(
    Monitoring, window_days=st.sampled_from([0.1, 1.0, 7.0, 30.0]), remind_days=st.sampled_from([0.5, 3.0, 7.0, 30.0])
)


@given(STEPS, POLICIES)
def test_nothing_repeats_within_remind_days_unless_it_is_graver(steps, policy):
    past, news = told(steps, policy)
    last = None
    for taken, found in zip(past, news, strict=True):
        if found is not None and found.occasion != "resolved" and last is not None and last.occasion != "resolved":
            soon = found.time - last.time < timedelta(days=policy.remind_days)
            assert not soon or graver(trouble(taken), last)
            assert not soon or RANK[found.severity] >= RANK[last.severity]
        last = found or last


@given(STEPS, POLICIES)
def test_every_trouble_that_was_told_and_ended_is_followed_by_exactly_one_resolved(steps, policy):
    quiet = [(30 * DAY, OK), (HOUR, OK)]
    past, news = told([*steps, *quiet], policy)
    is_open = False
    for taken, found in zip(past, news, strict=True):
        if found is None:
            continue
        assert (found.occasion == "resolved") == (trouble(taken) is None)
        assert is_open or found.occasion == "new"
        assert not is_open or found.occasion != "new"
        is_open = found.occasion != "resolved"
    assert not is_open
    assert news[-1] is None


@pytest.mark.slow
@given(st.sampled_from([DRIFT, LOSS, BROKEN, DOWN]), st.integers(1, 24), st.integers(1, 24))
def test_what_flaps_is_told_less_and_less(bad, hours_bad, hours_well):
    steps, clock = [], timedelta()
    while clock < 14 * DAY:
        steps += [(HOUR, bad)] * hours_bad + [(HOUR, OK)] * hours_well
        clock += HOUR * (hours_bad + hours_well)
    _, news = told(steps)
    found = [n for n in news if n is not None]
    assert len(found) <= 2 * 10  # each return doubles the calm that is asked for: 7, 14, 28, 56, 112 hours, a week
    if hours_well < calm(0, POLICY) / HOUR:
        assert [n.occasion for n in found[1:]] == ["reminder"] * (len(found) - 1)
