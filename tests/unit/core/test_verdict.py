import itertools

import pytest

from ciclo.components.core.errors import VerdictError
from ciclo.components.core.verdict import PASSING, Check, Verdict, at_least, at_most, require

SUBJECT = "a" * 64


def verdict(gate="evaluation", decision="promote", subject=SUBJECT, checks=()):
    return Verdict(gate=gate, decision=decision, reason="because", subject=subject, checks=checks)


def test_of_all_combinations_exactly_one_passes():
    passed = []
    checks = {
        "good": (),
        "warned": (Check(name="c", passed=False, level="warning"),),
        "failed": (Check(name="c", passed=False),),
    }
    cases = itertools.product(["evaluation", "validation"], ["promote", "keep", ""], [SUBJECT, "b" * 64, ""], checks)
    for gate, decision, subject, kind in cases:
        try:
            require(verdict(gate, decision, subject, checks[kind]), gate="evaluation", subject=SUBJECT)
            passed.append((gate, decision, subject, kind))
        except VerdictError:
            pass
    assert passed == [("evaluation", "promote", SUBJECT, "good"), ("evaluation", "promote", SUBJECT, "warned")]


def test_no_verdict_refuses():
    with pytest.raises(VerdictError, match="no verdict of evaluation"):
        require(None, gate="evaluation", subject=SUBJECT)


def test_an_empty_subject_never_matches():
    with pytest.raises(VerdictError):
        require(verdict(subject=""), gate="evaluation", subject="")


@pytest.mark.parametrize("gate", PASSING)
def test_an_unknown_gate_or_word_does_not_pass(gate):
    assert verdict(gate, PASSING[gate]).passed
    assert not verdict(gate, PASSING[gate].upper()).passed
    assert not verdict("other", PASSING[gate]).passed


@pytest.mark.parametrize(
    ("value", "not_below", "not_above"),
    [
        (1.0, True, True),
        (0.9, False, True),
        (1.1, True, False),
        (float("nan"), False, False),
        (float("inf"), False, False),
    ],
)
def test_limits_include_themselves_and_refuse_what_is_not_finite(value, not_below, not_above):
    assert at_least("c", value, 1.0, "m").passed is not_below
    assert at_most("c", value, 1.0, "m").passed is not_above


def test_a_missing_or_broken_file_refuses(tmp_path):
    (tmp_path / "v.json").write_text("{}")
    for name in ("v.json", "none.json"):
        with pytest.raises(VerdictError, match="no readable verdict"):
            Verdict.read(tmp_path / name)


def test_it_survives_the_file(tmp_path):
    before = verdict(checks=(at_least("c", 2.0, 1.0, "m"),))
    before.write(tmp_path / "v.json")
    assert Verdict.read(tmp_path / "v.json") == before
