"""The small examples, run as their reader would run them."""

from pathlib import Path

import pytest

from tests.local.command import ciclo

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "wine"])
def test_an_example_becomes_a_published_version(name: str, tmp_path: Path) -> None:
    ran = ciclo(tmp_path, "run", EXAMPLES / name / "project.yaml")
    assert ran.code == 0, ran.err + ran.out
    assert (ran.summary["outcome"], ran.summary["version"]) == ("promoted", 1), ran.summary["reason"]
    assert len(ran.published) == 1
