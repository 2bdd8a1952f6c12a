"""The small examples, run as their reader would run them, but for how long is searched for what."""

from pathlib import Path

import pytest
import yaml

from tests.depth import THOROUGH, thorough
from tests.local.command import ciclo

EXAMPLES = Path(__file__).parents[2] / "examples"


@thorough
@pytest.mark.parametrize(
    ("name", "estimators"),
    [("diabetes", ["ridge"]), ("wine", ["logistic_regression"]), ("breast_cancer", ["logistic_regression"])],
)
def test_an_example_becomes_a_published_version(name: str, estimators: list[str] | None, tmp_path: Path) -> None:
    project = yaml.safe_load((EXAMPLES / name / "project.yaml").read_text())
    project["training"] = {**project.get("training", {}), "trials": 2}
    if estimators and not THOROUGH:
        project["training"]["candidates"] = {name: {"estimator": name} for name in estimators}
    project["data"]["source"] = str(EXAMPLES / name / project["data"]["source"])
    path = tmp_path / "project.yaml"
    path.write_text(yaml.safe_dump(project))
    ran = ciclo(tmp_path, "run", path)
    assert ran.code == 0, ran.err + ran.out
    assert (ran.summary["outcome"], ran.summary["version"]) == ("promoted", 1), ran.summary["reason"]
    assert len(ran.published) == 1
