import dataclasses
import math
import re
from pathlib import Path

import pytest

from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import METRICS
from ciclo.components.core.sections import Evaluation
from ciclo.components.core.verdict import require
from ciclo.components.evaluation.champion import Gate
from ciclo.components.evaluation.comparison import Comparison, Contender
from ciclo.components.evaluation.decision import decide

DIGEST = "d" * 64
AUC, RMSE = METRICS["roc_auc_score"], METRICS["root_mean_squared_error"]
BETTER, EQUAL, WORSE = Interval(0.01, 0.02, 0.03), Interval(-0.01, 0.0, 0.01), Interval(-0.03, -0.02, -0.01)
NAN, NO_BOUNDS = Interval(math.nan, math.nan, math.nan), Interval(math.nan, 0.02, math.nan)
GOOD = Comparison(
    winner=Contender("boosting", Path("m"), {"score": 0.8}, None),
    score=Interval(0.7, 0.75, 0.8),
    scores={},
    validation={"boosting": 0.8},
    failed={},
    baselines={"trivial": BETTER, "single_feature": BETTER},
    champion=BETTER,
    champion_version=3,
    champion_problem="",
    champion_rows=900,
    rows=1000,
    slices=(),
    size_mb=1.0,
    digest=DIGEST,
    importance={},
    gate=Gate("change", "the recipe is another than that of version 3: features"),
    champion_share=BETTER,
    champion_baselines={"trivial": BETTER, "single_feature": BETTER},
    unit="day",
    pieces=14,
    champion_pieces=14,
    single_feature="size",
)
FIRST = {"champion": None, "champion_share": None, "champion_version": None, "gate": Gate("first", "none yet")}
BROKEN = {"champion": None, "champion_share": None, "champion_problem": "gone"}
REFRESH = {"gate": Gate("refresh", "the recipe is that of version 3, and the rows are newer")}

# What every gate asks for, whatever the champion is like.
ALWAYS = [
    ({"rows": 5}, "keep", "enough_rows"),
    ({"score": NAN}, "keep", "score_defined"),
    ({"size_mb": 1e6}, "keep", "size"),
    ({"baselines": {"trivial": BETTER, "rule": EQUAL}}, "keep", "rule answer"),
    ({"baselines": {"trivial": WORSE}}, "keep", "trivial answer"),
    ({"baselines": {"trivial": NAN}}, "keep", "trivial answer"),
    ({"baselines": {}}, "keep", "no simple answer"),
    ({"baselines": {"trivial": NO_BOUNDS}, "pieces": 9}, "candidate", "9 days tell nothing.*needs 10.*rows of 10 days"),
    ({"baselines": {"trivial": NO_BOUNDS}, "pieces": 9, "unit": "row"}, "candidate", "9 rows tell nothing"),
    ({"baselines": {"trivial": NO_BOUNDS}, "pieces": 10}, "keep", "trivial answer"),
    ({"baselines": {"a": NO_BOUNDS, "b": EQUAL}, "pieces": 9}, "keep", "b answer"),
]
CHANGE = [
    ({}, "promote", "better than the champion, version 3.*14 days.*gate of a change: the recipe is another"),
    ({"champion": EQUAL}, "keep", "not clearly better"),
    ({"champion": Interval(0.0, 0.0, 0.0)}, "keep", "not clearly better"),
    ({"champion": Interval(0.0, 0.01, 0.02)}, "candidate", "not clearly better"),
    ({"champion": Interval(-0.03, -0.01, 0.01)}, "keep", "not clearly better"),
    ({"champion": Interval(-0.01, 0.01, 0.03)}, "candidate", "not clearly better.*about 42 days more would tell"),
    ({"champion": WORSE}, "keep", "worse than the champion"),
    ({"champion": NAN}, "candidate", "cannot be compared with the candidate: the gain over it is nan"),
    ({"champion": NO_BOUNDS}, "candidate", "cannot be compared"),
    ({"champion": NO_BOUNDS, "champion_pieces": 9}, "candidate", "9 days tell nothing"),
    ({"champion": NO_BOUNDS, "champion_pieces": 10}, "candidate", "the gain over it is 0.02 .nan"),
    (BROKEN, "candidate", "cannot be compared with the candidate: gone"),
    ({"champion": None}, "candidate", "cannot be compared"),
    ({**BROKEN, "baselines": {"rule": EQUAL}}, "keep", "rule answer"),
    ({**BROKEN, "size_mb": 1e6}, "keep", "size"),
]
NEWER = [
    ({}, "promote", "no worse than the champion, version 3.*gate of a refresh: the recipe is that"),
    ({"champion_share": Interval(-0.009, 0.0, 0.009)}, "promote", "no worse"),
    ({"champion_share": Interval(0.0, 0.0, 0.0)}, "promote", "no worse"),
    ({"champion_share": Interval(-0.01, 0.0, 0.01)}, "candidate", "might be worse.*or more.*1 day more would tell"),
    ({"champion_share": Interval(-0.02, 0.01, 0.04)}, "candidate", "might be worse.*about 18 days more would tell"),
    ({"champion_share": Interval(-0.02, -0.002, 0.01)}, "candidate", "might be worse.*more would tell"),
    ({"champion_share": Interval(-0.04, -0.01, 0.01)}, "keep", "might be worse.*or more: gain"),
    ({"champion_share": Interval(-0.005, -0.003, -0.001)}, "keep", "is worse than the champion"),
    ({"champion_share": WORSE}, "keep", "is worse than the champion"),
    ({"champion_share": NAN}, "candidate", "cannot be compared"),
    ({"champion_share": NO_BOUNDS, "champion_pieces": 4}, "candidate", "4 days tell nothing"),
    (BROKEN, "candidate", "gone"),
    ({"origin_version": 1, "origin": BETTER}, "promote", "version 1, from which the refreshes started"),
    ({"origin_version": 1, "origin": WORSE}, "keep", "worse than version 1"),
    ({"origin_version": 1, "origin": Interval(-0.03, -0.009, 0.01)}, "promote", "no loss adds up against version 1"),
    ({"origin_version": 1, "origin": Interval(-0.03, -0.01, 0.01)}, "keep", "refreshes have lost 0.01|1.00% or more"),
    ({"origin_version": 1, "origin": Interval(-0.03, -0.01, 0.0)}, "keep", "refreshes have lost"),
    ({"origin_version": 1, "origin": Interval(-0.009, -0.005, -0.001)}, "keep", "worse than version 1"),
    ({"origin_version": 1, "origin": None, "origin_problem": "pruned"}, "promote", "cannot be compared with: pruned"),
]
NONE_YET = [({}, "promote", "no champion yet"), ({"champion_problem": "gone"}, "promote", "no champion yet")]
TABLE = [
    *(({**gate, **change}, *rest) for gate in ({}, REFRESH, FIRST) for change, *rest in ALWAYS),
    *CHANGE,
    *(({**REFRESH, **change}, *rest) for change, *rest in NEWER),
    *(({**FIRST, **change}, *rest) for change, *rest in NONE_YET),
]


@pytest.mark.parametrize(("change", "decision", "says"), TABLE, ids=str)
@pytest.mark.parametrize("metric", [AUC, RMSE], ids=lambda m: m.name)
def test_truth_table(change, decision, says, metric):
    comparison = dataclasses.replace(GOOD, **change)
    verdict = decide(comparison, Evaluation(), metric)
    assert verdict.decision == decision, verdict.reason
    assert verdict.passed is (decision == "promote")
    assert verdict.offered is (decision == "candidate")
    assert re.search(says, verdict.reason), verdict.reason
    assert verdict.facts.get("champion") == comparison.champion_version
    assert verdict.facts["gate"] == comparison.gate.name
    refreshed = comparison.gate.name == "refresh"
    assert verdict.facts.get("refreshed_from") == ((comparison.origin_version or 3) if refreshed else None)


def test_the_least_gain_has_to_be_exceeded():
    assert decide(GOOD, Evaluation(minimum_gain=0.01), AUC).decision == "candidate"
    assert decide(GOOD, Evaluation(minimum_gain=0.02), AUC).decision == "keep"
    assert decide(GOOD, Evaluation(minimum_gain=0.009), AUC).decision == "promote"


def test_the_margin_of_a_refresh_is_that_of_the_project_and_in_its_units():
    tried = dataclasses.replace(GOOD, **REFRESH, champion_share=Interval(-0.02, -0.001, 0.02))
    for margin, decision in ((0.001, "keep"), (0.01, "candidate"), (0.02, "candidate"), (0.03, "promote")):
        assert decide(tried, Evaluation(refresh_margin=margin), AUC).decision == decision
    assert "by 0.03" in decide(tried, Evaluation(refresh_margin=0.03), AUC).reason
    assert "by 3.00%: gain -0.10% [-2.00%, 2.00%]" in decide(tried, Evaluation(refresh_margin=0.03), RMSE).reason
    equal = dataclasses.replace(tried, champion_share=Interval(0.0, 0.0, 0.0))
    assert decide(equal, Evaluation(refresh_margin=0), AUC).decision == "keep"


UNBEATEN = {"baselines": {"trivial": BETTER, "single_feature": EQUAL}, "champion_baselines": {"single_feature": EQUAL}}


@pytest.mark.parametrize(
    ("change", "before", "counts", "escalates"),
    [
        (UNBEATEN, 0, True, False),
        (UNBEATEN, 1, True, True),
        (UNBEATEN, 4, True, True),
        ({**UNBEATEN, **REFRESH}, 1, True, True),
        ({**UNBEATEN, "champion_baselines": {"single_feature": BETTER}}, 1, False, False),
        ({**UNBEATEN, "champion_baselines": {"single_feature": NAN}}, 1, False, False),
        ({**UNBEATEN, "champion_baselines": {}}, 1, False, False),
        ({"champion_baselines": {"single_feature": WORSE}}, 1, False, False),
        (
            {"baselines": {"single_feature": NO_BOUNDS}, "champion_baselines": {"s": EQUAL}, "pieces": 9},
            1,
            False,
            False,
        ),
        ({**UNBEATEN, **FIRST, "champion_baselines": {}}, 1, False, False),
    ],
)
def test_nothing_that_beats_the_simple_answers_twice_in_a_row_calls_design(change, before, counts, escalates):
    verdict = decide(dataclasses.replace(GOOD, **change), Evaluation(), AUC, before)
    assert bool(verdict.facts.get("unbeaten")) is counts
    assert (verdict.facts.get("escalate") == "design") is escalates
    assert verdict.reason.startswith("escalate to design: in ") is escalates
    assert verdict.decision == "keep" or not counts


def test_one_run_alone_calls_nobody():
    verdict = decide(dataclasses.replace(GOOD, **UNBEATEN), Evaluation(), AUC)
    assert (verdict.facts.get("unbeaten"), verdict.facts.get("escalate")) == (1, None)


def test_the_verdict_is_about_the_model_file():
    verdict = decide(GOOD, Evaluation(), AUC)
    assert require(verdict, gate="evaluation", subject=DIGEST) is verdict
