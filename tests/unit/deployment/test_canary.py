import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ciclo.components.core.errors import DeploymentError
from ciclo.components.core.settings import Settings
from ciclo.components.deployment import canary
from ciclo.components.deployment.canary import Step, Trial, agreement, objection, recent_rows, steps
from ciclo.components.deployment.live_check import Answer
from ciclo.components.storage.predictions import PredictionRow, PredictionStore
from tests.tables import project

CHARTER = project(
    deployment={"strategy": "canary", "canary_agreement": 0.8, "canary_minutes": 0.001},
    design={"infrastructure": {"latency_ms": 100}},
)


def said(count: int, prediction: Any = "yes", milliseconds: float = 10, problem: str = "") -> list[Answer]:
    return [Answer(None if problem else 1, prediction, milliseconds, problem)] * count


def pairs(old: list[Answer], new: list[Answer]) -> list[tuple[Answer, Answer]]:
    return list(zip(old, new, strict=True))


OK = said(100)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param([], [], None, id="nothing-asked"),
        pytest.param(OK, OK, None, id="the-same"),
        pytest.param(OK, said(99) + said(1, problem="reset"), None, id="one-in-a-hundred-fails"),
        pytest.param(OK, said(98) + said(2, problem="status 500"), "failed 2 of 100.*status 500", id="two-fail"),
        pytest.param(said(5), said(4) + said(1, problem="x"), "failed 1 of 5", id="few-and-one-fails"),
        pytest.param(said(100, problem="x"), said(100, problem="x"), None, id="both-fail"),
        pytest.param(said(50, problem="x") + said(50), said(100, problem="y"), "failed 50 of 50", id="all-that-can"),
        pytest.param(OK, said(80) + said(20, "no"), None, id="just-enough-agree"),
        pytest.param(OK, said(79) + said(21, "no"), "agrees .* on 79%.*80%", id="too-few-agree"),
        pytest.param(said(19), said(19, "no"), None, id="too-few-to-compare"),
        pytest.param(OK, said(100, milliseconds=99), None, id="slower-and-within-the-limit"),
        pytest.param(OK, said(100, milliseconds=101), "up to 101 ms, where 100", id="slower-and-beyond-it"),
        pytest.param(said(100, milliseconds=90), said(100, milliseconds=110), None, id="both-slow"),
        pytest.param(OK, said(95) + said(5, milliseconds=9_000), None, id="a-few-are-late"),
        pytest.param(OK, said(94) + said(6, milliseconds=9_000), "9000 ms", id="too-many-are-late"),
    ],
)
def test_what_speaks_against_a_canary(old: list[Answer], new: list[Answer], expected: str | None) -> None:
    found = objection(pairs(old, new), CHARTER)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(expected, found), found


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(["a", "b"], ["a", "a"], 0.5, id="labels"),
        pytest.param([True, False], [True, True], 0.5, id="booleans-are-labels"),
        pytest.param([0.0, 10.0], [5.0, 10.0], 1.0, id="within-the-spread"),
        pytest.param([0.0, 10.0], [5.1, 10.0], 0.5, id="beyond-it"),
        pytest.param([3.0, 3.0], [3.0, 3.1], 0.5, id="no-spread"),
        pytest.param([1.0, 2.0], ["a", 2.0], 0.5, id="of-another-kind"),
    ],
)
def test_agreement(first: list[Any], second: list[Any], expected: float) -> None:
    assert agreement(list(zip(first, second, strict=True))) == expected


@pytest.mark.parametrize("replicas", range(1, 12))
@pytest.mark.parametrize("percent", [10, 25, 33, 50])
def test_a_step_is_never_more_than_was_asked_for_nor_a_pod_less_than_it_could_be(replicas: int, percent: int) -> None:
    possible = 100 / (replicas + 1) <= percent + 1e-6
    options = {"strategy": "canary", "replicas": replicas, "canary_steps": [percent]}
    if not possible:
        with pytest.raises(Exception, match=rf"gets {math.ceil(100 / (replicas + 1))} percent at least"):
            project(deployment=options)
        return
    (step,) = steps(project(deployment=options))
    share = 100 * step.pods / (step.pods + replicas)
    assert 0 < share <= percent + 1e-6
    assert 100 * (step.pods + 1) / (step.pods + 1 + replicas) > percent


def test_steps_with_the_same_pods_are_one_and_a_rolling_update_has_none() -> None:
    options = {"replicas": 3, "canary_steps": [25, 30, 50], "strategy": "canary"}
    assert steps(project(deployment=options)) == (Step(25, 1), Step(50, 3))
    assert steps(project()) == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"canary_steps": []}, "rising"),
        ({"canary_steps": [50, 25]}, "rising"),
        ({"canary_steps": [25, 25]}, "rising"),
        ({"canary_steps": [60]}, "up to 50"),
        ({"canary_steps": [0]}, "above 0"),
        ({"canary_steps": [10], "replicas": 3}, "with 3 replicas .* 25 percent at least, not 10.* 9 replicas"),
        ({"canary_minutes": 16}, "15 minutes"),
        ({"canary_steps": [25, 50], "replicas": 3, "canary_minutes": 8}, "15 minutes"),
    ],
)
def test_a_canary_that_cannot_be_had_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception, match=words):
        project(deployment={"strategy": "canary", **options})


def test_a_step_asks_both_in_turns_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any]] = []
    monkeypatch.setattr(canary, "PACE_SECONDS", 0)
    monkeypatch.setattr(canary, "ask", lambda url, rows: asked.append((url, rows)) or Answer(1, "yes", 1))
    trial = Trial(CHARTER, [{"x": 1}, {"x": 2}], (Step(50, 1),))
    trial.run(trial.steps[0], "old", "new", lambda: None)
    assert asked[:4] == [("new", [{"x": 1}]), ("old", [{"x": 1}]), ("old", [{"x": 2}]), ("new", [{"x": 2}])]
    monkeypatch.setattr(canary, "ask", lambda url, rows: Answer(1, url, 1))
    trial = Trial(CHARTER, [{"x": 1}] * 30, trial.steps)
    with pytest.raises(DeploymentError, match=r"taken back: it agrees .* on 0%.*step 50 %, 30 requests"):
        trial.run(trial.steps[0], "old", "new", lambda: None)
    with pytest.raises(ZeroDivisionError):
        trial.run(trial.steps[0], "old", "new", lambda: 1 / 0)  # type: ignore[arg-type,return-value]


@pytest.mark.slow
def test_the_newest_rows_of_clients_are_asked_again(tmp_path: Path) -> None:
    uri, now = f"sqlite:///{tmp_path / 'p.sqlite'}", datetime.now(UTC)
    store = PredictionStore(uri)
    store.record(
        [
            PredictionRow(
                "unit", f"r{n}", 0, 1, now - timedelta(hours=n), {"x": n, "y": None if n else "a"}, "yes", 0.5
            )
            for n in range(60)
        ]
    )
    store.close()
    found = recent_rows("unit", Settings(predictions=uri, _env_file=None))
    assert len(found) == canary.MOST_ROWS
    assert found[-1] == {"x": 0, "y": "a"}
    assert found[0] == {"x": 49, "y": None}
    assert recent_rows("unit", Settings(_env_file=None)) == []
    away = Settings(predictions="postgresql+psycopg://x@127.0.0.1:1/x", _env_file=None)
    assert recent_rows("unit", away) == []
