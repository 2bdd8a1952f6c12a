"""The limit of the project is asked of the server that is about to answer clients."""

import math
from dataclasses import replace

import pytest

from ciclo.components.core.errors import DeploymentError
from ciclo.components.deployment import pace as pacing
from ciclo.components.deployment.deployer import _is_new
from ciclo.components.deployment.endpoint import Endpoint
from ciclo.components.deployment.live_check import Answer
from ciclo.components.deployment.pace import FEW, MANY, SILENT, Pace, pace, require_pace
from ciclo.components.releases.names import Alias

GOLDEN = {"rows": [{"x": 1}, {"x": 2}]}
GONE = Answer(problem="status 500")


@pytest.fixture
def servers(monkeypatch):
    """Addresses with the milliseconds of their answers, over and over; what each was asked."""
    asked = {}

    def told(**times):
        def ask(url, rows):
            asked[url] = asked.get(url, 0) + 1
            taken = times[url][(asked[url] - 1) % len(times[url])]
            return GONE if taken is None else Answer(1, True, taken)

        monkeypatch.setattr(pacing, "ask", ask)
        return asked

    return told


FAST, SLOW, NOW_AND_THEN, OFTEN = [1.0], [300.0], [1.0] * 8 + [300.0], [1.0, 1.0, 1.0, 300.0]


@pytest.mark.parametrize(
    ("new", "old", "goes_live", "asked"),
    [
        pytest.param(FAST, SLOW, True, FEW, id="fast"),
        pytest.param(SLOW, FAST, False, MANY, id="slow"),
        pytest.param(SLOW, None, False, MANY, id="slow, and nothing serves"),
        pytest.param(SLOW, SLOW, True, MANY, id="slow, and what serves is slow too"),
        pytest.param(OFTEN, FAST, False, MANY, id="one in four"),
        pytest.param(NOW_AND_THEN, FAST, True, MANY, id="one in nine may be luck"),
        pytest.param([None], FAST, False, SILENT, id="nothing is answered"),
        pytest.param([1.0, 1.0, 1.0, None], FAST, False, MANY, id="one in four fails"),
    ],
)
def test_what_surely_misses_the_limit_does_not_go_live(servers, new, old, goes_live, asked):
    counts = servers(new=new, old=old)
    serving = "old" if old else ""
    if goes_live:
        require_pace("new", GOLDEN, 200.0, serving)
    else:
        with pytest.raises(
            DeploymentError, match=rf"of {asked} requests of one row took longer than 200 ms or failed.*latency_ms"
        ):
            require_pace("new", GOLDEN, 200.0, serving)
    assert counts["new"] == asked


def test_what_is_measured(servers):
    servers(new=[float(n) for n in range(1, FEW + 1)], none=[None])
    assert pace("new", GOLDEN, 200.0) == Pace(19.0, FEW, 0)
    assert pace("none", GOLDEN, 200.0) == Pace(math.inf, SILENT, SILENT)
    assert Endpoint("http://x", 1).at(pace("none", GOLDEN, 200.0)).milliseconds == 0.0


def test_what_is_not_new_is_told_of_and_goes_live(servers):
    servers(new=SLOW, old=FAST)
    assert require_pace("new", GOLDEN, 200.0, "old", may_refuse=False).surely_late


MADE = Alias(2, "d" * 64, 1, "n", "2026-01-01T00:00:00+00:00", "run", "better", "promote")


@pytest.mark.parametrize(
    ("champion", "serving", "is_new"),
    [
        pytest.param(MADE, None, True, id="the first"),
        pytest.param(MADE, replace(MADE, digest="e" * 64), True, id="in the place of another"),
        pytest.param(MADE, MADE, False, id="what served before an outage"),
        pytest.param(replace(MADE, action="rollback"), None, False, id="gone back to"),
        pytest.param(replace(MADE, override="we need it"), None, False, id="promoted against the rules"),
    ],
)
def test_what_may_be_kept_out_for_being_slow(champion, serving, is_new):
    assert _is_new(champion, serving) is is_new
