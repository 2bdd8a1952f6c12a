import dataclasses
import math
import re
from pathlib import Path

import pytest

from ciclo.components.core.intervals import Interval
from ciclo.components.core.metrics import METRICS
from ciclo.components.core.sections import Evaluation
from ciclo.components.core.verdict import require
from ciclo.components.evaluation.comparison import Comparison, Contender
from ciclo.components.evaluation.decision import decide

DIGEST = "d" * 64
BETTER, EQUAL, WORSE = Interval(0.01, 0.02, 0.03), Interval(-0.01, 0.0, 0.01), Interval(-0.03, -0.02, -0.01)
NAN = Interval(math.nan, math.nan, math.nan)
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
)
FIRST = {"champion": None, "champion_version": None}


@pytest.mark.parametrize(
    ("change", "decision", "says"),
    [
        ({}, "promote", "better than the champion, version 3"),
        (FIRST, "promote", "no champion yet"),
        ({"champion": EQUAL}, "keep", "not clearly better"),
        ({"champion": Interval(0.0, 0.0, 0.0)}, "keep", "not clearly better"),
        ({"champion": Interval(-0.03, -0.01, 0.01)}, "keep", "not clearly better"),
        ({"champion": Interval(-0.01, 0.01, 0.03)}, "candidate", "not clearly better"),
        ({"champion": WORSE}, "keep", "worse than the champion"),
        ({"champion": NAN}, "candidate", "cannot be compared with the candidate: the gain over it is nan"),
        ({"champion": Interval(math.nan, 0.02, math.nan)}, "candidate", "cannot be compared"),
        ({"champion": None, "champion_problem": "gone"}, "candidate", "cannot be compared with the candidate: gone"),
        ({"champion": None}, "candidate", "cannot be compared"),
        ({"champion": None, "champion_problem": "gone", "baselines": {"rule": EQUAL}}, "keep", "rule answer"),
        ({"champion": None, "champion_problem": "gone", "baselines": {}}, "keep", "no simple answer|gone"),
        ({"champion": None, "champion_problem": "gone", "size_mb": 1e6}, "keep", "size"),
        ({"champion": NAN, "score": NAN}, "keep", "score_defined"),
        ({**FIRST, "baselines": {"trivial": BETTER, "rule": EQUAL}}, "keep", "rule answer"),
        ({**FIRST, "baselines": {"trivial": NAN}}, "keep", "trivial answer"),
        ({**FIRST, "baselines": {}}, "keep", "no simple answer"),
        ({"rows": 5}, "keep", "enough_rows"),
        ({"score": NAN}, "keep", "score_defined"),
        ({"size_mb": 1e6}, "keep", "size"),
    ],
    ids=str,
)
@pytest.mark.parametrize("metric", ["roc_auc_score", "root_mean_squared_error"])
def test_truth_table(change, decision, says, metric):
    verdict = decide(dataclasses.replace(GOOD, **change), Evaluation(), METRICS[metric])
    assert verdict.decision == decision
    assert verdict.passed is (decision == "promote")
    assert verdict.offered is (decision == "candidate")
    assert re.search(says, verdict.reason)
    assert (
        verdict.facts.get("champion")
        == (change if "champion_version" in change else {"champion_version": 3})["champion_version"]
    )


def test_the_least_gain_has_to_be_exceeded():
    at_the_limit = dataclasses.replace(GOOD, champion=Interval(0.01, 0.02, 0.03))
    assert decide(at_the_limit, Evaluation(minimum_gain=0.01), METRICS["roc_auc_score"]).decision == "candidate"
    assert decide(at_the_limit, Evaluation(minimum_gain=0.02), METRICS["roc_auc_score"]).decision == "keep"
    assert decide(at_the_limit, Evaluation(minimum_gain=0.009), METRICS["roc_auc_score"]).decision == "promote"


def test_the_verdict_is_about_the_model_file():
    verdict = decide(GOOD, Evaluation(), METRICS["roc_auc_score"])
    assert require(verdict, gate="evaluation", subject=DIGEST) is verdict
