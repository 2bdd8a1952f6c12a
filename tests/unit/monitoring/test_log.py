"""The decision log: nothing is lost, whatever becomes of its index, and a tick reads as little as ever after years."""

import itertools
import random
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciclo.components.core.errors import StorageError
from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.index import thinned
from ciclo.components.monitoring.log import HORIZON, DecisionLog
from ciclo.components.monitoring.records import Acknowledgement, Claim, Decision, History, Outcome, Permission
from ciclo.components.storage.directory import DirectoryStore
from tests.depth import thorough
from tests.unit.monitoring.conftest import NOW
from tests.unit.monitoring.faults import Edge, together

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = Monitoring()
INDEX = "projects/loans/monitoring/index.json"


def decision(time, action="ok", alarm=False, version=1):
    end = time.replace(minute=0, second=0, microsecond=0)
    return Decision(
        action=action, reason="because", alarm=alarm, version=version, window_start=end - 7 * DAY, window_end=end,
        evidence={"rows": 1_000}, time=time,
    )  # fmt: skip


def claim(time, number):
    return Claim(
        key=f"k{number}", number=number, run_name=f"run-{number}", champion=1, time=time, holder="h", held_until=time,
        retrain_end=time, trigger="drift", run_id="r",
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path)


def tick(log, filed, *, fold=True):
    """What a tick reads and writes of the log."""
    known = log.decided(filed.time)
    history = log.history(filed.time, POLICY)
    filed = log.append(filed)
    if fold:
        seen = history.model_copy(update={"decisions": (*history.decisions, filed)})
        log.fold(seen, filed.time, POLICY)
    return known, history


def write(folder, filed):
    """File a decision without waiting for the disk, where five thousand are to be filed."""
    path = folder / DecisionLog(DirectoryStore(folder), "loans")._decision_key(filed.time)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(filed.model_dump_json())


@thorough
def test_a_tick_reads_the_same_few_objects_after_one_and_after_five_thousand(eager):
    store, log, calls = eager.store, eager.log, {}
    time, filed = NOW, 0
    for wanted in (1, 100, 5_000):
        while filed < wanted:
            write(eager.settings.home / "store", decision(time, *(("retrain", True) if filed % 900 == 50 else ())))
            if filed % 900 == 50:
                number = filed // 900 + 1
                log.claim(claim(time, number))
                log.settle(Outcome(claim=f"k{number}", run_id="r", result="refused", time=time))
                log.acknowledge(Acknowledgement(by="ada", time=time))
            time, filed = time + HOUR, filed + 1
        log.fold(log.history(time, POLICY), time, POLICY)
        calls[wanted] = Counter()
        count = partial(seen, calls[wanted])
        eager.store = Edge(store, count, {"get", "list"})
        eager.tick(time)
        time, filed = time + HOUR, filed + 1
        history = log.history(time, POLICY)
        assert len(history.claims) == len(history.outcomes) == (wanted + 849) // 900
    assert calls[100] == calls[5_000]
    assert calls[100] - calls[1] == Counter(get=1)  # the alert of the first
    assert sum(calls[5_000].values()) <= 11
    assert len(history.decisions) <= (HORIZON + 3 * DAY) / HOUR
    assert len(log.decisions(10_000)) == 5_001


def seen(calls, side, name):
    """Count a call once."""
    calls.update([name] if side == "before" else [])


def test_the_index_forgets_what_no_rule_asks_for_and_never_an_escalation(store):
    log = DecisionLog(store, "loans")
    tick(log, decision(NOW, "escalate_development", True))
    for day in (1, 2, 100, 200, 300):
        tick(log, decision(NOW + day * DAY))
    kept = log.history(NOW + 300 * DAY, POLICY)
    assert [(d.time - NOW).days for d in kept.decisions] == [0, 300]
    assert kept.open_escalation == kept.decisions[0]
    longer = Monitoring(window_days=60, persistence={"alarms": 1, "windows": 3})
    assert [(d.time - NOW).days for d in log.history(NOW + 300 * DAY, longer).decisions] == [0, 1, 2, 100, 200, 300]


@pytest.mark.parametrize("document", [None, b"", b"not json", b'{"known": {"decisions": [{}]}}'])
def test_a_lost_or_broken_index_is_made_anew(store, document):
    log = DecisionLog(store, "loans")
    log.claim(claim(NOW, 1))
    log.settle(Outcome(claim="k1", result="refused", time=NOW))
    log.acknowledge(Acknowledgement(by="ada", note="looked", time=NOW))
    log.permit(Permission(by="ada", version=1, episode=NOW, time=NOW))
    for hour in range(5):
        tick(log, decision(NOW + hour * HOUR, version=hour))
    before = log.history(NOW + 5 * HOUR, POLICY)
    assert [len(part) for part in (before.decisions, before.claims, before.acknowledgements, before.permissions)] == [
        5,
        1,
        1,
        1,
    ]
    store.delete(INDEX) if document is None else store.put(INDEX, document)
    assert log.history(NOW + 5 * HOUR, POLICY) == before
    tick(log, decision(NOW + 5 * HOUR, version=5))
    assert store.get(INDEX).data != document
    assert [d.version for d in log.history(NOW + 6 * HOUR, POLICY).decisions] == list(range(6))


def test_a_record_that_cannot_be_read_is_named_and_not_passed_over(store):
    log = DecisionLog(store, "loans")
    log.append(decision(NOW))
    (key,) = store.list("projects/loans/monitoring/decisions/")
    store.put(key, b"{")
    with pytest.raises(StorageError, match=key):
        log.history(NOW, POLICY)


@pytest.mark.slow
def test_ticks_that_fold_at_the_same_time_lose_no_decision(store):
    log = DecisionLog(store, "loans")
    numbers = iter(range(40))

    def five():
        for number in itertools.islice(numbers, 5):
            tick(log, decision(NOW + number * timedelta(minutes=1), version=number))

    assert together(five, 8) == []
    assert len(log.history(NOW + HOUR, POLICY).decisions) == 40
    store.delete(INDEX)
    assert len(log.history(NOW + HOUR, POLICY).decisions) == 40


STEPS = st.tuples(
    st.integers(-600, 600),  # minutes since the tick before: clocks differ, and some ticks are late
    st.booleans(),  # whether it lives long enough to add its decision to the index
    st.sampled_from(["keep", "keep", "keep", "lose", "break"]),
    st.booleans(),
)


@pytest.mark.slow
@given(steps=st.lists(STEPS, max_size=12), seed=st.integers(0, 9))
@settings(max_examples=40)
def test_whatever_becomes_of_the_index_the_history_is_what_was_filed(tmp_path_factory, steps, seed):
    log_store = DirectoryStore(tmp_path_factory.mktemp("log"))
    log, time, filed = DecisionLog(log_store, "loans"), NOW, {}
    chance = random.Random(seed)
    for minutes, lives, index, alarm in steps:
        time = max(time + timedelta(minutes=minutes), NOW)
        new = decision(time, "watch" if alarm else "ok", alarm, version=chance.randrange(2))
        if time not in filed:
            filed[time] = new
        known, _ = tick(log, new, fold=lives)
        assert known in (None, filed[time])
        if index == "lose":
            log_store.delete(INDEX)
        elif index == "break":
            log_store.put(INDEX, b"?")
    assert log.history(time, POLICY).decisions == thinned(filed)
    assert log.decisions(100) == [filed[at] for at in sorted(filed)]


def test_of_decisions_that_say_the_same_of_one_window_the_first_is_kept():
    same = [decision(NOW + minute * timedelta(minutes=1)) for minute in (1, 2, 3)]
    other = decision(NOW + timedelta(minutes=4), "watch", True)
    kept = thinned({d.time: d for d in (*same, other, decision(NOW + timedelta(minutes=5)), decision(NOW + HOUR))})
    assert [d.time - NOW for d in kept] == [timedelta(minutes=m) for m in (1, 4, 5, 60)]
    runs = {d.time: d for d in (decision(NOW, "retrain", True), decision(NOW + timedelta(minutes=1), "retrain", True))}
    assert len(thinned(runs)) == 2


def test_the_same_time_is_filed_once(store):
    log = DecisionLog(store, "loans")
    first, second = decision(NOW), decision(NOW, "watch", True)
    assert log.append(first) == first
    assert log.append(second) == first
    assert log.history(NOW, POLICY) == History(decisions=(first,))
