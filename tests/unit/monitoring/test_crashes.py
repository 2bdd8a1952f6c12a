"""Never two runs, never stuck: under kills at every step, outages, clocks that differ and very many triggers."""

import multiprocessing
import os
import random
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from ciclo.components.core.errors import CicloError
from ciclo.components.monitoring.governing.claims import claim_run, close_claims, start_run
from ciclo.components.monitoring.governing.decision import decide
from ciclo.components.monitoring.log import HOLD
from ciclo.components.monitoring.observing.evidence import Evidence
from ciclo.components.monitoring.observing.observation import window_of
from ciclo.components.monitoring.observing.performance import Performance
from ciclo.components.monitoring.telling.alerting import AlertLog
from tests.depth import rounds, some
from tests.unit.monitoring.conftest import NOW, Reversed
from tests.unit.monitoring.faults import Kill, RunsInAFolder, healthy, hurt_tick, in_a_process, outage

ROUNDS = rounds(2, 25)
STEPS = 9  # claim, report, decision, index, alert, look for the run, hold the claim, submit, write the run down
HOUR = timedelta(hours=1)


def clock(chance, time):
    """A clock that differs by ten minutes at most."""
    return time + timedelta(minutes=chance.uniform(-10, 10))


def runs(world):
    return RunsInAFolder(world.settings.home / "submitted").all


def afresh(world):
    """Forget what the watch has done; what serves and what it answered stays."""
    shutil.rmtree(world.settings.home / "store/projects/loans/monitoring", ignore_errors=True)
    shutil.rmtree(world.settings.home / "submitted", ignore_errors=True)


def settled(world):
    """One run, known to its claim, and its decision filed; the index says what the records say."""
    (run,) = runs(world)
    history = world.history()
    (claim,) = history.claims
    assert (claim.run_id, claim.champion) == (run.name, 1)
    assert [d.action for d in history.decisions].count("retrain") == 1
    world.store.delete("projects/loans/monitoring/index.json")
    assert world.history() == history


@pytest.fixture
def tmp_path(tmp_path):
    """In memory where that can be: a kill loses nothing of what was written, so there is no disk to wait for."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def worse(eager):
    """A world whose model answers the opposite: an alarm with nothing to draw, so that a tick takes milliseconds."""
    eager.model = Reversed(eager.model)
    eager.serve(NOW, rows=480, days=14, labels=True)
    hurt_tick(eager, NOW)  # what a first tick imports, its children have
    return eager


@pytest.mark.slow
def test_a_tick_has_the_steps_that_are_tried(worse):
    afresh(worse)
    seen = []
    hurt_tick(worse, NOW, lambda side, name: seen.append(name) if side == "before" else None)
    assert seen == ["put_if_absent", "put", *["put_if_absent"] * 3, "find", "swap", "submit", "swap"]
    assert len(seen) == STEPS


@pytest.mark.slow
@pytest.mark.parametrize("side", some(["before", "after"], 2))
def test_a_process_that_is_killed_at_any_step_leads_to_exactly_one_run(worse, side):
    first, each = (rounds(side == "after", 0), rounds(2, 1))
    for number in range(first, (ROUNDS + (side == "before")) // 2 * STEPS, each):
        chance, step = random.Random(f"{side}{number}"), number % STEPS
        afresh(worse)
        assert in_a_process(partial(hurt_tick, worse, NOW, Kill(step, side))) == signal.SIGKILL
        now = NOW
        for _ in range(chance.randrange(3)):
            now += timedelta(minutes=chance.uniform(1, 40))
            harm = (
                Kill(chance.randrange(STEPS), chance.choice(["before", "after"])) if chance.random() < 0.7 else healthy
            )
            in_a_process(partial(hurt_tick, worse, clock(chance, now), harm))
            assert len(runs(worse)) <= 1, number
        hurt_tick(worse, clock(chance, now + HOUR))
        settled(worse)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kfp", "store"])
def test_after_an_outage_there_is_exactly_one_run(worse, kind):
    afresh(worse)
    for minutes in (0, 20, 40, 75):
        with pytest.raises(CicloError, match="nobody answers" if kind == "kfp" else "is down"):
            hurt_tick(worse, NOW + timedelta(minutes=minutes), outage(kind))
        assert runs(worse) == []
    for hours in (2, 3, 4):
        hurt_tick(worse, NOW + hours * HOUR)
        settled(worse)


@pytest.mark.slow
def test_after_an_outage_of_days_the_run_is_claimed_anew(worse):
    afresh(worse)
    for day in range(4):
        worse.serve(NOW + timedelta(days=day), labels=True)
        with pytest.raises(CicloError, match="nobody answers"):
            hurt_tick(worse, NOW + timedelta(days=day), outage("kfp"))
    hurt_tick(worse, NOW + timedelta(days=4))
    hurt_tick(worse, NOW + timedelta(days=5))
    assert len(runs(worse)) == 1
    first, second = worse.history().claims
    assert (first.attempt, second.attempt, second.run_id) == (1, 2, runs(worse)[0].name)


@pytest.mark.slow
def test_while_runs_cannot_be_submitted_the_data_is_watched_all_the_same(worse):
    afresh(worse)
    for hour in range(3):
        with pytest.raises(CicloError, match="nobody answers"):
            hurt_tick(worse, NOW + hour * HOUR, outage("kfp"))
    assert [d.action for d in worse.history().decisions] == ["retrain", "blocked", "blocked"]


def trigger(world, now):
    """What a tick does about a window that drifted, without looking at rows."""
    history = world.log.history(now, world.project.monitoring)
    backend = RunsInAFolder(world.settings.home / "submitted")
    close_claims(world.log, history, world.registry, backend, now, world.project.monitoring)
    start, end = window_of(now, world.project.monitoring)
    worse = Performance("accuracy_score", 500, None, 0.9, True, "the score fell")
    evidence = Evidence(1, NOW - timedelta(days=60), start, end, 1_000, end, end, performance=worse)
    decision = decide(evidence, history, now, world.project.monitoring)
    if decision.action == "retrain":
        claim = claim_run(world.log, world.project, world.registry.alias("serving"), decision, history)
        if claim is not None:
            start_run(world.log, claim, backend, now)


@pytest.mark.slow
def test_a_thousand_triggers_in_processes_and_threads_make_one_run(eager):
    """Around a full hour, so that windows and clocks differ, with policies that differ as well."""

    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(8)

    def many(number):
        chance = random.Random(number)
        policy = eager.project.monitoring.model_copy(update={"refusals": 2 + number % 2})
        eager.project = eager.project.model_copy(update={"monitoring": policy})
        moments = [clock(chance, NOW) for _ in range(125)]
        start.wait()
        with ThreadPoolExecutor(5) as pool:
            done = pool.map(partial(trigger, eager), moments)
        assert len(list(done)) == 125

    children = [fork.Process(target=many, args=(number,)) for number in range(8)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 8
    assert len(runs(eager)) == 1
    (claim,) = eager.history().claims
    assert (claim.number, claim.attempt, claim.run_id) == (1, 1, runs(eager)[0].name)


class Sleeper:
    """A backend in which the first to look for its run falls asleep, and another tick does everything meanwhile."""

    def __init__(self, inner, meanwhile):
        self._inner = inner
        self._meanwhile = meanwhile

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def find(self, name):
        found = self._inner.find(name)
        if self._meanwhile:
            self._meanwhile.pop()()
        return found


def test_a_holder_that_was_presumed_dead_and_wakes_up_submits_nothing_and_overwrites_nothing(eager):
    eager.serve(NOW, rows=300, shift=1)
    later = NOW + HOLD + timedelta(minutes=1)
    eager.tick(submit=Sleeper(eager.backend, [lambda: eager.tick(later)]))
    assert eager.backend.count == 1
    (claim,) = eager.history().claims
    assert (claim.term, claim.run_id) == (2, eager.backend.find(claim.run_name))
    assert claim.held_until >= later + HOLD


def test_the_same_tick_twice_is_one_decision_one_alert_and_one_run(eager):
    eager.serve(NOW, rows=300, shift=1)
    first = eager.tick()
    before = list(eager.store.list(""))
    assert eager.tick() == first
    assert list(eager.store.list("")) == before
    alerts = AlertLog(eager.store, "loans").read()
    assert ([a.title for a in alerts], eager.backend.count) == (
        ["loans: warning: retrain, estimated performance and input drift and prediction drift"],
        1,
    )
