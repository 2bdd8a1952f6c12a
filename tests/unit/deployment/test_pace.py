"""The limit of the project is asked of the server that is about to answer clients."""

import pytest

from ciclo.components.core.errors import DeploymentError
from ciclo.components.deployment import pace as pacing
from ciclo.components.deployment.live_check import Answer
from ciclo.components.deployment.pace import FEW, MANY, Pace, pace, require_pace

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
        pytest.param([None], FAST, True, 1, id="what does not answer is for the live check"),
    ],
)
def test_what_surely_misses_the_limit_does_not_go_live(servers, new, old, goes_live, asked):
    counts = servers(new=new, old=old)
    serving = "old" if old else ""
    if goes_live:
        require_pace("new", GOLDEN, 200.0, serving)
    else:
        with pytest.raises(DeploymentError, match=r"of 100 requests of one row took longer than 200 ms.*latency_ms"):
            require_pace("new", GOLDEN, 200.0, serving)
    assert counts["new"] == asked


def test_what_is_measured(servers):
    servers(new=[float(n) for n in range(1, FEW + 1)], none=[None])
    assert pace("new", GOLDEN, 200.0) == Pace(19.0, FEW, 0)
    assert pace("none", GOLDEN, 200.0) == Pace()
