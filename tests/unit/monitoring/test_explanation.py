"""Likely causes by the table of rules, and the next step of every decision."""

from dataclasses import replace

import pytest

from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.intervals import Interval
from ciclo.components.core.profile import Profile
from ciclo.components.monitoring.observing.drift import ColumnDrift, Drift
from ciclo.components.monitoring.observing.evidence import Evidence
from ciclo.components.monitoring.observing.health import ColumnHealth
from ciclo.components.monitoring.observing.performance import Performance
from ciclo.components.monitoring.telling.explanation import View, changes, likely_causes, next_step
from tests.unit.monitoring.samples import NOW, WEEK, decision, project

NUMBER = ColumnProfile(kind="number", counts=(100, 100, 100, 100, 100, 0), edges=(1.0, 2.0, 3.0, 4.0))
CATEGORY = ColumnProfile(kind="category", counts=(300, 200, 0, 0), values=("Bern", "Basel"))
EVEN = (20, 20, 20, 20, 20, 0)
SHIFTED = (5, 10, 15, 30, 40, 0)
WORSE = Performance("roc_auc_score", 640, Interval(0.66, 0.69, 0.72), 0.75, True, "worse")


def view(counts=EVEN, *, drifted=True, inputs=True, health=None, kind=NUMBER, columns=1, span="2026-01-01", **evidence):
    names = [f"c{i}" for i in range(columns)]
    moved = tuple(ColumnDrift(n, 0.3, 0.0, 1 / columns, drifted, counts) for n in names)
    drift = Drift(moved, evidence.pop("prediction", None), 1.0 if drifted else 0.0, inputs and drifted)
    looked = Evidence(
        version=1, serving_since=NOW - 9 * WEEK, start=NOW - WEEK, end=NOW, rows=evidence.pop("rows", 500),
        last_row=NOW, trainable_until=NOW, drift=drift,
        health=tuple(replace(health, name=n) for n in names) if health else (), **evidence,
    )  # fmt: skip
    profile = Profile(
        rows=500, start="2024-06-01", end=span, columns=dict.fromkeys(names, kind), target=NUMBER, prediction=NUMBER
    )
    return View(looked, profile)


def health(missing=(0.0, 0.0), unknown=(0.0, 0.0), outside=(0.0, 0.0)):
    return ColumnHealth("", missing, unknown, outside)


DATA = {"action": "alert", "kinds": ("data",), "columns": ("c0",)}
UNSERVED = {"action": "alert", "kinds": ("serving",)}
PREDICTION = ColumnDrift("prediction", 0.3, 0.0, 0.0, True, SHIFTED)


@pytest.mark.parametrize(
    ("given", "seen", "words"),
    [
        pytest.param(DATA, view(health=health(missing=(1.0, 0.0))), "of another type upstream", id="retyped"),
        pytest.param(DATA, view(health=health(missing=(0.4, 0.01))), "loses values", id="more missing"),
        pytest.param(DATA, view(health=health(outside=(0.9, 0.0))), "another unit", id="km for m, by the range"),
        pytest.param(DATA, view((100, 0, 0, 0, 0, 0)), "another unit", id="km for m, by the bins"),
        pytest.param(DATA, view((0, 0, 100, 0, 0, 0)), "frozen", id="frozen feed"),
        pytest.param(DATA, view((50, 30, 20, 0), kind=CATEGORY, health=health(unknown=(0.2, 0.0))), "has grown",
                     id="category list grown"),
        pytest.param({**DATA, "cause": "empty", "columns": ()}, view(rows=0), "No request reaches", id="feed empty"),
        pytest.param({**UNSERVED, "cause": "no server"}, None, "server was stopped", id="not served"),
        pytest.param({"kinds": ("drift",)}, view(SHIFTED, columns=3, span="2024-12-01"), "season", id="season"),
        pytest.param({"kinds": ("drift",)}, view(SHIFTED, columns=3), "mix of cases", id="no season after a year"),
        pytest.param({"kinds": ("realised",)}, view(drifted=False, performance=WORSE), "relation to the target",
                     id="concept"),
        pytest.param({"kinds": ("realised", "drift")}, view(SHIFTED, performance=WORSE), "learnt little about",
                     id="loss with drift"),
        pytest.param({"kinds": ("drift",)}, view(drifted=False, prediction=PREDICTION), "share of outcomes",
                     id="base rate"),
        pytest.param({"kinds": ("refresh",)}, view(drifted=False), "Time alone", id="age"),
    ],
)  # fmt: skip
def test_the_likely_cause_is_named(given, seen, words):
    causes = likely_causes(decision(**{"action": "recommend", **given}), seen)
    assert words in causes[0]
    assert len(causes) <= 3


def test_nothing_is_guessed_where_nothing_is_known():
    assert likely_causes(decision(kinds=("drift",)), None) == []
    assert changes(decision(columns=("a", "b")), None) == ["'a', 'b'"]


def test_what_changed_is_said_with_how_far():
    seen = view(SHIFTED, columns=8, health=health(missing=(0.25, 0.0)), performance=WORSE)
    lines = changes(decision(kinds=("drift",)), seen)
    assert lines[0] == "worse"
    assert lines[1] == "'c0': 25 % missing, 0 % in training; moved by 0.30 (importance 12.5 %)"
    assert lines[-1] == "and 3 more columns"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"action": "escalate_development"}, ("dev@example.com", "ciclo acknowledge loans --by")),
        ({"action": "escalate_design"}, ("design@example.com", "ciclo acknowledge loans --by")),
        (DATA, ("Mend the source of 'c0'", "ciclo watch")),
        ({**UNSERVED, "cause": "no server"}, ("ciclo deploy",)),
        ({"action": "recommend", "retrain_end": NOW}, ("ciclo run project.yaml --window-end 2026-06-01T06:00",)),
        ({"action": "retrain"}, ("Nothing",)),
        ({"action": "blocked"}, ("ciclo log",)),
    ],
)
def test_every_decision_has_a_next_step(given, words):
    step = next_step(project(), decision(**given))
    assert all(word in step for word in words)
