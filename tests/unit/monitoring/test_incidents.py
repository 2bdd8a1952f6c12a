"""Named incidents: each is found within one tick of being visible, leads to the right decision, and is named."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from ciclo.components.monitoring.records import Acknowledgement
from ciclo.components.monitoring.telling.alerting import AlertLog
from tests.depth import some, thorough
from tests.unit.monitoring.conftest import NOW, WEEK, Reversed, customers


def served_for(world, weeks, **options):
    """Quiet weeks before NOW, and their ticks."""
    for week in range(weeks, 0, -1):
        world.serve(NOW - week * WEEK, labels=True, **options)
        assert world.tick(NOW - week * WEEK).action == "ok"


def told(world, cause="", now=NOW):
    """The tick at a time calls a person, starts nothing, and the alert names the likely cause."""
    decision = world.tick(now)
    assert world.backend.count == 0
    assert (decision.action, decision.kinds) == ("alert", ("data",))
    alert = AlertLog(world.store, "loans").read()[-1]
    assert alert.action == "alert"
    assert cause in alert.text
    return decision


def spoilt(**changes):
    return lambda frame: frame.assign(**{name: change(frame[name]) for name, change in changes.items()})


def from_row(share, value):
    """From some row on a column is another."""

    def change(column):
        changed = column.copy()
        changed.iloc[: int(len(column) * share)] = value
        return changed

    return change


@pytest.mark.slow
@pytest.mark.parametrize("factor", some([0.001, 0.1, 2.54, 1_000], 2))
@pytest.mark.parametrize("column", ["amount", "age"])
def test_another_unit_calls_a_person_whatever_the_column_matters(make_world, column, factor):
    world = make_world()
    world.serve(NOW, spoil=spoilt(**{column: lambda values: values * factor}))
    decision = told(world, "The values come in another unit")
    assert decision.columns[0] == column
    assert "another unit?" in decision.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "spoil", "said", "cause"),
    [
        ("retyped upstream and cast to null", spoilt(age=lambda v: np.nan), "'age' is missing in 100%", "is gone"),
        ("half of a column is gone", spoilt(age=from_row(0.5, np.nan)), "'age' is missing in 50%", "loses values"),
        ("a list that grew", spoilt(city=from_row(0.12, "Genf")), "'city' has values unknown", "list of categories"),
        ("frozen three days ago", spoilt(age=from_row(3 / 7, 41.5)), "'age' is 41.5 in 4", "The feed is frozen"),
        ("some in another unit", spoilt(age=from_row(0.4, 4_000.0)), "'age' lies far outside", "in another unit"),
    ],
)  # fmt: skip
def test_a_broken_column_is_named(make_world, name, spoil, said, cause):
    world = make_world()
    world.serve(NOW, rows=600, spoil=spoil)
    assert said in told(world, cause).reason, name


@pytest.mark.slow
def test_a_day_sent_twice(make_world):
    world = make_world()
    for _ in range(2):  # the same rows under another id
        world.rng = np.random.default_rng(5)
        world.serve(NOW - timedelta(days=2), rows=100, days=1, loans="monday")
    world.serve(NOW, rows=300)
    assert "20% of the rows repeat an earlier one" in told(world, "A batch was sent twice").reason


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "said"), some([(70, "70 rows came"), (2_500, "2,500 rows came")], 2))
def test_far_fewer_or_far_more_rows_than_ever(make_world, rows, said):
    world = make_world()
    served_for(world, 6)
    world.serve(NOW, rows=rows)
    decision = told(world, "a batch stopped, or another one was added")
    assert said in decision.reason
    assert "in the 5 windows before 400 to 400" in decision.reason


@thorough
def test_a_volume_that_grows_is_no_incident(make_world):
    world = make_world()
    for week in range(6):
        world.serve(NOW + week * WEEK, rows=int(300 * 1.5**week), labels=True)
        assert world.tick(NOW + week * WEEK).action == "ok"


@thorough
def test_labels_that_come_later_than_they_did(make_world):
    world = make_world()
    served_for(world, 6)
    world.serve(NOW, labels=False)
    decision = told(world, "The system that reports outcomes is behind")
    assert "of the labels that are due have come" in decision.reason
    assert decision.cause == "labels are late"


@pytest.mark.slow
def test_a_project_whose_labels_never_come_this_way_is_not_told_so(make_world):
    world = make_world()
    for week in range(5):
        world.serve(NOW + week * WEEK)
        assert world.tick(NOW + week * WEEK).action == "ok"


@pytest.mark.slow
def test_a_sudden_shift_that_costs_performance_retrains(make_world):
    world = make_world()
    for week in range(2):
        world.serve(NOW + week * WEEK, shift=1)
    assert world.tick(NOW).action == "watch"
    decision = world.tick(NOW + WEEK)
    assert (decision.action, decision.kinds, decision.columns[0]) == ("retrain", ("estimated", "drift"), "amount")
    assert decision.since == NOW - WEEK


@pytest.mark.slow
def test_a_shift_that_costs_nothing_only_recommends_until_a_person_allows(make_world):
    world = make_world()
    for week in range(2):
        world.serve(NOW + week * WEEK, shift=-0.6, labels=True)
    assert world.tick(NOW).action == "watch"
    decision = world.tick(NOW + WEEK)
    assert (decision.action, decision.kinds) == ("recommend", ("drift",))
    assert "ciclo allow" in decision.reason
    assert world.backend.count == 0


@pytest.mark.slow
@pytest.mark.parametrize(("windows", "rows"), [(2, 800), (4, 1_600)])
def test_labelled_rows_of_several_windows_are_judged_together(make_world, windows, rows):
    world = make_world(performance_windows=windows)
    for week in range(6):
        world.serve(NOW - week * WEEK, labels=True)
    assert world.tick(NOW).evidence["labelled_rows"] == rows


@pytest.mark.slow
def test_labels_outrank_an_estimate(make_world):
    """The rows look harder, and the labels that came say that the model is as good as ever."""
    world = make_world()
    for week in range(4):
        world.serve(NOW + week * WEEK, shift=1, labels="as published")
        decision = world.tick(NOW + week * WEEK)
    assert decision.evidence["estimate"] < decision.evidence["estimate_reference"] * 0.93
    assert (decision.action, decision.kinds) == ("recommend", ("drift",))


@pytest.mark.slow
def test_drift_against_too_few_windows_is_only_watched(make_world):
    world = make_world()
    columns = {n: c.model_copy(update={"by_slice": ()}) for n, c in world.profile.columns.items()}
    world.profile = world.profile.model_copy(update={"columns": columns, "estimation": None})
    world.publish(world.settings.home)
    for week in range(3):
        world.serve(NOW + week * WEEK, shift=1, version=2)
        decision = world.tick(NOW + week * WEEK)
    assert (decision.action, decision.evidence["calibrated"]) == ("watch", "no")


@pytest.mark.slow
def test_the_relation_to_the_target_turned_and_the_inputs_did_not(make_world):
    world = make_world()
    served_for(world, 4)
    world.model = Reversed(world.model)
    world.profile = world.profile.model_copy(update={"prediction": None})
    world.serve(NOW, rows=800, labels=True)
    assert world.tick(NOW).kinds[0] == "realised"
    world.serve(NOW + WEEK, rows=800, labels=True)
    decision = world.tick(NOW + WEEK)
    assert (decision.action, decision.kinds[0]) == ("retrain", "realised")
    assert "performance" in decision.cause


@pytest.mark.slow
def test_what_retraining_cannot_cure_goes_to_development_and_then_to_design(make_world):
    world = make_world(persistence={"alarms": 1, "windows": 1}, cool_down_days=0, refusals=2)
    actions, now = [], NOW
    for week in range(6):
        now = NOW + week * WEEK
        world.serve(now, shift=1)
        decision = world.tick(now)
        actions.append(decision.action)
        if decision.escalates:
            note = Acknowledgement(by="ada", note="looked into it", time=now + timedelta(days=1))
            world.log.acknowledge(note)
        for runs in world.backend.runs.values():
            world.backend.states[runs[0]] = "succeeded"  # and nothing was published
    assert actions.count("retrain") == 4
    assert [a for a in actions if a.startswith("escalate")] == ["escalate_development", "escalate_design"]


@thorough
def test_a_model_is_refitted_by_its_age_alone_where_the_policy_says_so(make_world):
    world = make_world(refresh_days=40)
    world.serve(NOW, labels=True)
    assert world.tick(NOW).action == "ok"
    world.serve(NOW + 2 * WEEK, labels=True)
    decision = world.tick(NOW + 2 * WEEK)
    assert (decision.action, decision.kinds, decision.alarm) == ("retrain", ("refresh",), False)
    assert "a refit is due 40 days after the newest training row" in decision.reason
    world.backend.states = dict.fromkeys(*world.backend.runs.values(), "succeeded")  # and nothing was published
    for week in range(3, 8):
        world.serve(NOW + week * WEEK, labels=True)
        assert world.tick(NOW + week * WEEK).action == "ok"  # not at every cool-down again
    world.serve(NOW + 8 * WEEK, labels=True)
    assert world.tick(NOW + 8 * WEEK).kinds == ("refresh",)


@pytest.mark.slow
def test_a_refit_is_due_under_drift_as_well(make_world):
    world = make_world(refresh_days=40, minimum_new_labels=500)
    for week in range(3):
        world.serve(NOW + week * WEEK, shift=-0.6, labels=True)
        decision = world.tick(NOW + week * WEEK)
        assert (decision.kinds == ("refresh",)) is (week == 2)


@pytest.mark.slow
def test_a_refit_wants_new_labels(make_world):
    world = make_world(refresh_days=40, minimum_new_labels=5_000)
    world.serve(NOW + 2 * WEEK, labels=True)
    assert world.tick(NOW + 2 * WEEK).action == "ok"


@thorough
def test_what_no_label_can_tell_of_yet_is_not_learnt(make_world):
    world = make_world(persistence={"alarms": 1, "windows": 1})
    delayed = world.project.design.model_copy(update={"label_delay_days": 30})
    world.project = world.project.model_copy(update={"design": delayed})
    for week in range(-8, 0):
        world.serve(NOW + week * WEEK, labels=True)
    actions = []
    for week in range(6):
        world.serve(NOW + week * WEEK, shift=1, labels=True)
        decision = world.tick(NOW + week * WEEK)
        actions.append(decision.action)
    assert actions[:4] == ["blocked"] * 4
    assert actions[4] == "retrain"
    assert decision.since < NOW


@pytest.mark.slow
def test_a_broken_window_is_no_yardstick_for_the_next(make_world):
    world = make_world()
    served_for(world, 6)
    for week in range(3):
        world.serve(NOW + week * WEEK, rows=70)
        assert world.tick(NOW + week * WEEK).kinds == ("data",)


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "days"), [("all", None), ("rolling", 90), ("since_change", 21)])
def test_the_rows_of_a_retraining_are_chosen_by_the_policy(make_world, policy, days):
    world = make_world(retrain_on=policy, rolling_days=90, persistence={"alarms": 3, "windows": 3})
    world.model = Reversed(world.model)
    for week in range(3):
        world.serve(NOW + week * WEEK, rows=600, labels=True)
        decision = world.tick(NOW + week * WEEK)
    assert decision.action == "retrain"
    assert decision.retrain_end == NOW + 2 * WEEK
    assert decision.retrain_start == (None if days is None else decision.retrain_end - timedelta(days=days))


def test_without_new_labels_there_is_nothing_to_learn_from(make_world):
    world = make_world(persistence={"alarms": 1, "windows": 1}, minimum_new_labels=300)
    world.model = Reversed(world.model)
    world.serve(NOW, rows=250, days=14, labels=True)
    world.serve(NOW, rows=200)
    decision = world.tick(NOW)
    assert decision.action == "blocked"
    assert "only 250 labelled rows since the newest training row," in decision.reason


@pytest.mark.slow
def test_a_part_of_the_rows_moved_and_the_whole_hardly(make_world):
    world = make_world(segments=["city"], drifted_importance=0.2)
    frame = world.contract.frame(customers(np.random.default_rng(3), 8_000)[0])
    times = pd.Series(pd.date_range(end=NOW - timedelta(days=30), periods=len(frame), freq="20min"))
    found = type(world.profile).of(frame, pd.Series(["no", "yes"] * 50, dtype=object), times, ["city"])
    world.profile = found.with_model({"amount": 0.7, "age": 0.05, "city": 0.25}, world.profile.prediction)
    world.publish(world.settings.home)

    def spoil(rows):
        moved = rows["amount"] + 150 * (rows["city"] == "Chur")
        return rows.assign(amount=moved)

    for week in range(2):
        world.serve(NOW + week * WEEK, rows=1_500, version=2, spoil=spoil)
        decision = world.tick(NOW + week * WEEK)
    assert decision.evidence["segments"] == "city Chur"
    assert "city 'Chur' (amount)" in decision.reason
