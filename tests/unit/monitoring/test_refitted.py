"""The refitted model beside the tested one, on the first labelled rows that it answered."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ciclo.components.core.contract import Contract, ContractColumn
from ciclo.components.core.errors import SubmissionError
from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import METRICS
from ciclo.components.core.sections import Monitoring
from ciclo.components.monitoring.governing.decision import in_view_of_refit
from ciclo.components.monitoring.observing import observation
from ciclo.components.monitoring.observing.evidence import Evidence
from ciclo.components.monitoring.observing.refitted import RefitCheck, compare_refit, first_window
from ciclo.components.monitoring.records import Claim, Decision, History, Permission
from ciclo.components.monitoring.telling.explanation import next_step
from ciclo.components.storage.windows import PredictionWindows

DAY = timedelta(days=1)
REFIT_KIND = ("refit",)
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

    def build(noise, days=36, refit=REFIT, **monitoring):
        world = make_world(refresh_days=None, **monitoring)
        world.publish(tmp_path, score=0.5, refit=refit)
        since = datetime.fromisoformat(world.registry.alias("serving").moved_at)
        good, world.model = world.model, Noisy(world.model, noise)
        start, end = first_window(since, world.project.monitoring)
        world.serve(end, rows=2_000, days=(end - start) / DAY, version=2, labels=True)
        world.model = good
        world.serve(since + days * DAY, rows=400, days=7, version=2, labels=True)
        return world, since + days * DAY

    return build


@pytest.mark.slow
def test_a_refit_that_is_surely_worse_starts_one_run_that_goes_back(refitted):
    world, now = refitted(0.4)
    hour = timedelta(hours=1)
    decision = world.tick(now + hour)
    assert (decision.action, decision.kinds, decision.version) == ("restore", ("refit",), 2), decision.reason
    assert decision.reason.startswith("The refitted model is worse than the tested one by accuracy_score, on the 2,000")
    assert decision.evidence["refit_gain_high"] < 0
    history = world.log.history(now + hour, world.project.monitoring)
    assert history.decisions[-1] == decision
    (claim,) = history.claims
    assert (claim.champion, claim.restores, claim.trigger) == (2, True, "the refit is worse than what was tested")
    assert world.backend.restored == {claim.run_name: 2}
    assert "gain -0.1" in world.backend.descriptions[claim.run_name]
    again = world.tick(now + 2 * hour)
    assert (again.action, again.kinds, world.backend.count) == ("blocked", ("refit",), 1)
    assert f"'{claim.run_name}'" in again.reason
    assert 'ciclo models restore loans --why "worse than tested"' in next_step(world.project, again)


MODES = {"recommend": ("models restore", "ciclo models restore"), "approve": ("ciclo allow", "ciclo allow")}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_policy_that_leaves_runs_to_a_person_leaves_the_way_back_to_one(refitted, mode):
    world, now = refitted(0.4, mode=mode)
    decision = world.tick(now + timedelta(hours=1))
    assert (decision.action, decision.kinds, world.backend.count) == ("recommend", ("refit",), 0)
    reason, step = MODES[mode]
    assert reason in decision.reason
    assert next_step(world.project, decision).startswith(f"`{step}")
    asked = {"version": decision.version, "episode": decision.episode, "time": decision.time}
    world.log.permit(Permission(by="ann", **asked))
    allowed = world.tick(now + timedelta(hours=2))
    assert (allowed.action, world.backend.count) == (("restore", 1) if mode == "approve" else ("recommend", 0))


@pytest.mark.slow
def test_without_a_backend_the_way_back_is_recommended(refitted):
    world, now = refitted(0.4)
    decision = world.tick(now + timedelta(hours=1), submit=None)
    assert (decision.action, decision.kinds) == ("recommend", ("refit",))
    assert "ciclo models restore" in next_step(world.project, decision)


@pytest.mark.slow
def test_nobody_goes_back_while_another_champion_waits_to_serve(refitted, tmp_path):
    world, now = refitted(0.4)
    world.publish(tmp_path, deployed=False)
    decision = world.tick(now + timedelta(hours=1))
    assert (decision.action, decision.kinds, world.backend.count) == ("blocked", ("refit",), 0)
    assert "has been the champion since" in decision.reason


@pytest.mark.slow
def test_a_run_that_died_before_it_was_submitted_still_goes_back(refitted):
    """A later tick takes the claim over, and what it submits trains nothing."""
    world, now = refitted(0.4)
    world.backend.fault = ("before", SubmissionError("nobody answers"))
    with pytest.raises(SubmissionError):
        world.tick(now + timedelta(hours=1))
    world.backend.fault = None
    world.tick(now + timedelta(hours=3))
    assert (list(world.backend.restored.values()), world.backend.count) == ([2], 1)


WORSE = RefitCheck(rows=900, gain=Interval(point=-0.1, low=-0.2, high=-0.05), metric="accuracy_score")
SURE = {
    # what was decided, what the governor says to the way back -> what is done then
    ("ok", "restore"): ("restore", REFIT_KIND), ("watch", "restore"): ("restore", REFIT_KIND),
    ("recommend", "restore"): ("restore", REFIT_KIND), ("blocked", "restore"): ("restore", REFIT_KIND),
    ("retrain", "restore"): ("restore", REFIT_KIND), ("retrain", "recommend"): ("retrain", ("realised",)),
    ("ok", "recommend"): ("recommend", REFIT_KIND), ("ok", "blocked"): ("blocked", REFIT_KIND),
    ("alert", "restore"): ("alert", ("data",)), ("escalate_development", "restore"):
        ("escalate_development", ("realised",)), ("escalate_design", "restore"): ("escalate_design", ("realised",)),
}  # fmt: skip


@pytest.mark.parametrize("seen", ["worse", "unsure", "nothing"])
@pytest.mark.parametrize(("decided", "said"), SURE)
def test_the_way_back_goes_before_what_would_happen_by_itself(decided, said, seen):
    now = datetime(2026, 6, 1, tzinfo=UTC)
    check = {"worse": WORSE, "unsure": WORSE.model_copy(update={"gain": Interval(-0.1, -0.2, 0.0)}), "nothing": None}
    evidence = Evidence(
        version=2, serving_since=now - 30 * DAY, start=now - 7 * DAY, end=now, rows=900, last_row=now,
        trainable_until=now, refit=check[seen],
    )  # fmt: skip
    decision = Decision(
        action=decided, reason="As ever.", kinds=("data",) if decided == "alert" else ("realised",), version=2,
        cause="before", window_start=now - 7 * DAY, window_end=now, retrain_end=now, time=now,
        alarm=True, episode=now - 14 * DAY,
    )  # fmt: skip
    policy = Monitoring(mode="recommend" if said == "recommend" else "retrain", cool_down_days=14)
    started = Claim(
        key="k", run_name="run", champion=1, time=now - DAY, holder="h", held_until=now, retrain_end=now, trigger="x",
    )  # fmt: skip
    history = History(claims=(started,) if said == "blocked" else ())
    found = in_view_of_refit(decision, evidence, history, now, policy)
    if seen != "worse":
        assert found == decision
        return
    action, kinds = SURE[decided, said]
    assert (found.action, found.kinds) == (action, kinds)
    assert found.reason.startswith("The refitted model is worse than")
    assert found.reason.endswith("As ever.")
    assert found.alarm is True, "what was seen of the window stays"
    own = kinds == REFIT_KIND
    assert found.episode == (evidence.serving_since if own else decision.episode)
    assert (found.retrain_end is None) is own


@pytest.mark.slow
def test_one_that_is_no_worse_is_written_down_and_nobody_is_told(refitted):
    world, now = refitted(0.0)
    decision = world.tick(now + timedelta(hours=1))
    assert decision.action == "ok", decision.reason
    assert decision.evidence["refit_gain"] == 0 < decision.evidence["refit_gain_high"]
    assert decision.evidence["refit_rows"] == 2_000


@pytest.mark.slow
def test_only_the_first_rows_are_compared(refitted):
    """However bad later answers are: the rows are the same at every tick, so that luck has one chance."""
    world, now = refitted(0.02)
    first = world.tick(now + timedelta(hours=1)).evidence["refit_gain"]
    world.model = Noisy(world.model, 5)
    world.serve(now + 5 * DAY, rows=2_000, days=4, version=2, labels=True)
    assert world.tick(now + 5 * DAY + timedelta(hours=1)).evidence["refit_gain"] == first


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_they_are_compared_once(refitted, monkeypatch, noise):
    """Later ticks go by what was found, and neither load the tested model nor read its rows."""
    world, now = refitted(noise)
    first = world.tick(now + timedelta(hours=1))
    monkeypatch.setattr(observation, "compare_refit", lambda *_: pytest.fail("compared again"))
    second = world.tick(now + timedelta(hours=2))
    assert (second.kinds, second.evidence["refit_gain"]) == (first.kinds, first.evidence["refit_gain"])


@pytest.mark.slow
def test_what_was_found_of_one_is_not_said_of_the_next(refitted, tmp_path):
    world, now = refitted(0.4)
    world.tick(now + timedelta(hours=1))
    world.publish(tmp_path, score=0.5, refit=REFIT)
    decision = world.tick(now + timedelta(hours=2))
    assert decision.version == 3
    assert "refit_gain" not in decision.evidence
    assert "refit" not in decision.kinds


@pytest.mark.slow
@pytest.mark.parametrize("case", ["too early", "no refit"])
def test_where_there_is_nothing_to_compare_nothing_is_told(refitted, case):
    world, now = refitted(0.4, days=8 if case == "too early" else 36, refit=None if case == "no refit" else REFIT)
    decision = world.tick(now + timedelta(hours=1))
    assert not any(name.startswith("refit") for name in decision.evidence)
    assert decision.kinds != ("refit",)


@pytest.mark.slow
@pytest.mark.parametrize(("refit", "cause"), [(REFIT, ""), (None, "prediction drift")])
def test_its_answers_are_not_compared_with_those_of_the_tested_model(refitted, refit, cause):
    """What the newest rows taught it may lie on another level; that is no drift."""
    world, now = refitted(0.0, refit=refit)
    world.model = Noisy(world.model, 1.0)
    world.serve(now + 8 * DAY, rows=800, version=2)
    decision = world.tick(now + 8 * DAY + timedelta(hours=1))
    assert decision.cause == cause, decision.reason
    assert ("prediction_effect" in decision.evidence) is bool(cause)


@pytest.mark.slow
def test_new_labels_are_those_the_refitted_model_has_not_seen(refitted, monkeypatch):
    asked = []
    world, now = refitted(0.0)
    monkeypatch.setattr(PredictionWindows, "newer_labels", lambda self, project, since, most: asked.append(since))
    world.tick(now + timedelta(hours=1))
    assert asked == [datetime.fromisoformat(REFIT["end"])]


class Tested:
    """Answers with the column, as a value or as the probability of the second class."""

    classes_ = np.array([0, 1])

    def predict(self, X):
        return X["x"].to_numpy()

    def predict_proba(self, X):
        return np.column_stack([1 - X["x"], X["x"]])


@pytest.mark.parametrize("metric", ["roc_auc_score", "log_loss", "f1_score", "root_mean_squared_error"])
@pytest.mark.parametrize("noise", [0.0, 0.6])
def test_every_form_of_answer_is_compared_in_the_right_direction(metric, noise):
    """With noise the refitted model is worse; rows without a usable answer or label are left out."""
    rng, metric = np.random.default_rng(0), METRICS[metric]
    regression = metric.needs == "value"
    contract = Contract(
        task="regression" if regression else "binary",
        target="y",
        target_type="number" if regression else "boolean",
        classes=() if regression else ("false", "true"),
        columns=(ContractColumn(name="x", type="number"),),
    )
    x = rng.random(1_500)
    y = x + 0.1 * rng.normal(size=1_500) if regression else rng.random(1_500) < x
    x = np.clip(x, 0.01, 0.99)
    served = np.clip(x + noise * rng.normal(size=1_500), 0.01, 0.99)
    labelled = pd.DataFrame(
        {
            "time": pd.date_range("2026-01-01", periods=1_500, freq="20min", tz="UTC"),
            "features": [f'{{"x": {v}}}' for v in x],
            "prediction": [str(v) if regression else str(v >= 0.5).lower() for v in served],
            "probability": np.nan if regression else served,
            "probabilities": None,
            "label": y if regression else [str(bool(v)) for v in y],
        }
    )
    labelled.loc[0, "label"] = None
    if metric.needs == "probability":
        labelled.loc[1, "probability"] = np.nan
    found = compare_refit(labelled, Tested, contract, metric, Monitoring())
    assert found.rows == (1_498 if metric.needs == "probability" else 1_499)
    assert found.worse is (noise > 0)
    assert RefitCheck.model_validate_json(found.document) == found
    assert found.gain.low <= found.gain.point <= found.gain.high
    if not noise:
        assert found.gain.point == pytest.approx(0, abs=2e-3)
    if regression:
        known = slice(1, None)
        ours, theirs = (metric.score(y[known], answered[known], []) for answered in (x, served))
        assert found.gain.point == pytest.approx(metric.gain(theirs, ours))
    assert compare_refit(labelled.head(40), Tested, contract, metric, Monitoring()) is None
    wider = compare_refit(labelled, Tested, contract, metric, Monitoring(false_alarm_rate=0.001))
    assert noise == 0 or wider.gain.high > found.gain.high


def compared(rng: np.random.Generator, noise: float) -> RefitCheck:
    """A tested model whose score has noise of .5, and a refitted one of as much or more, in 28 days that differ."""
    rows, day = 1_400, np.arange(1_400) // 50
    score, shift = rng.normal(size=rows), rng.normal(size=28)[day]
    label = rng.random(rows) < 1 / (1 + np.exp(-1.5 * score - shift))
    served, tested = (1 / (1 + np.exp(-score - by * rng.normal(size=rows))) for by in (noise, 0.5))
    columns = (ContractColumn(name="x", type="number"),)
    contract = Contract(task="binary", target="y", target_type="boolean", classes=("false", "true"), columns=columns)
    times = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows) * 24 * 28 / rows, unit="h")
    labelled = pd.DataFrame(
        {
            "time": times,
            "features": [f'{{"x": {v}}}' for v in tested],
            "prediction": [str(v >= 0.5).lower() for v in served],
            "probability": served,
            "probabilities": None,
            "label": [str(bool(v)).lower() for v in label],
        }
    )
    return compare_refit(labelled, Tested, contract, METRICS["roc_auc_score"], Monitoring())


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "least", "most"), [(0.5, 0.0, 0.04), (1.5, 0.9, 1.0)], ids=["as good", "worse"])
def test_an_equal_refit_is_taken_back_as_rarely_as_the_policy_says_and_a_bad_one_nearly_always(noise, least, most):
    """``false_alarm_rate`` is 1 %; 300 draws gave 1.3 %, and 100 % of the bad ones."""
    rng = np.random.default_rng(3)
    worse = [compared(rng, noise).worse for _ in range(80 if most < 1 else 20)]
    assert least <= np.mean(worse) <= most
