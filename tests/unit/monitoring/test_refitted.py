"""The refitted model beside the tested one, on the first labelled rows that it answered."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from ciclo.components.monitoring.observing.refitted import first_window
from ciclo.components.monitoring.telling.explanation import next_step
from ciclo.components.storage.windows import PredictionWindows

DAY = timedelta(days=1)
REFIT = {"refit_of": "a" * 64, "rows": 5_000, "end": "2026-05-20T00:00:00+00:00"}


class Noisy:
    """The published model with noise: a refit that went wrong."""

    def __init__(self, model, noise):
        self._model, self._noise, self._rng = model, noise, np.random.default_rng(3)

    def predict_proba(self, frame):
        positive = self._model.predict_proba(frame)[:, 1]
        noisy = np.clip(positive + self._noise * self._rng.normal(size=len(positive)), 0, 1)
        return np.column_stack([1 - noisy, noisy])


@pytest.fixture
def refitted(make_world, tmp_path):
    """A world whose second version serves a refitted model; what it answers has as much noise as is asked for."""

    def build(noise, days=36, refit=REFIT):
        world = make_world(refresh_days=None)
        world.publish(tmp_path, score=0.5, refit=refit)
        since = datetime.fromisoformat(world.registry.alias("serving").moved_at)
        good, world.model = world.model, Noisy(world.model, noise)
        start, end = first_window(since, world.project.monitoring)
        world.serve(end, rows=2_000, days=(end - start) / DAY, version=2, labels=True)
        world.model = good
        world.serve(since + days * DAY, rows=400, days=7, version=2, labels=True)
        return world, since + days * DAY

    return build


def test_a_refit_that_is_surely_worse_is_told_with_the_way_back(refitted):
    world, now = refitted(0.4)
    decision = world.tick(now + timedelta(hours=1))
    assert (decision.action, decision.kinds, decision.version) == ("alert", ("refit",), 2), decision.reason
    assert decision.reason.startswith("The refitted model is worse than the tested one by accuracy_score, on the 2,000")
    assert decision.evidence["refit_gain_high"] < 0
    assert 'ciclo models restore loans --why "worse than tested"' in next_step(world.project, decision)
    assert world.history().decisions[-1] == decision


def test_one_that_is_no_worse_is_written_down_and_nobody_is_told(refitted):
    world, now = refitted(0.0)
    decision = world.tick(now + timedelta(hours=1))
    assert decision.action == "ok", decision.reason
    assert decision.evidence["refit_gain"] == decision.evidence["refit_gain_high"] == 0
    assert decision.evidence["refit_rows"] == 2_000


def test_only_the_first_rows_are_compared(refitted):
    """However bad later answers are: the rows are the same at every tick, so that luck has one chance."""
    world, now = refitted(0.02)
    first = world.tick(now + timedelta(hours=1)).evidence["refit_gain"]
    world.model = Noisy(world.model, 5)
    world.serve(now + 5 * DAY, rows=2_000, days=4, version=2, labels=True)
    assert world.tick(now + 5 * DAY + timedelta(hours=1)).evidence["refit_gain"] == first


@pytest.mark.parametrize("case", ["too early", "no refit"])
def test_where_there_is_nothing_to_compare_nothing_is_told(refitted, case):
    world, now = refitted(0.4, days=8 if case == "too early" else 36, refit=None if case == "no refit" else REFIT)
    decision = world.tick(now + timedelta(hours=1))
    assert not any(name.startswith("refit") for name in decision.evidence)
    assert decision.kinds != ("refit",)


def test_new_labels_are_those_the_refitted_model_has_not_seen(refitted, monkeypatch):
    asked = []
    world, now = refitted(0.0)
    monkeypatch.setattr(PredictionWindows, "newer_labels", lambda self, project, since, most: asked.append(since))
    world.tick(now + timedelta(hours=1))
    assert asked == [datetime.fromisoformat(REFIT["end"])]
