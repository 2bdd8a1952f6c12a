import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.core.errors import VerdictError
from components.core.profile import Profile
from components.core.settings import Settings
from components.core.tables import Dataset, file_digest
from components.core.verdict import Verdict
from components.evaluation.gate import Outputs, evaluate
from components.feasibility.baselines import assess
from components.publishing.publish import Parts, Run, publish
from components.storage.registry import open_registry
from components.training.search import fit
from components.validation.checks import reference_profile
from tests.tables import dataset, project

RUN = Run("run-1", "test", {"rows": 600}, {"candidate": "logistic_regression"})


def evaluated(
    folder: Path, settings: Settings, task: str = "binary", training: dict | None = None
) -> tuple[Verdict, Parts]:
    """Train one candidate and evaluate it against the champion of the registry."""
    folder.mkdir(exist_ok=True)
    parsed = project(task, training={"trials": 1, **(training or {})})
    data = dataset(folder / "data.parquet", task, rows=1500)
    name = next(iter(parsed.candidates))
    fitted = fit(parsed, name, data, folder / "fitted.skops")
    (folder / "profile.json").write_text(reference_profile(Dataset.open(data, "train", "validation")).model_dump_json())
    assess(parsed, Dataset.open(data), file_digest(data), folder / "baselines.parquet")
    outputs = Outputs(
        *(str(folder / n) for n in ("best", "verdict.json", "reference.json", "golden.json", "card.html"))
    )
    facts = {"candidate": name, "score": fitted.score, "failed": 0}
    verdict, _ = evaluate(
        parsed,
        settings,
        dataset=str(data),
        baselines=str(folder / "baselines.parquet"),
        profile=str(folder / "profile.json"),
        models={name: (str(folder / "fitted.skops"), facts), "broken": ("", {"failed": 1, "failure": "no"})},
        outputs=outputs,
    )
    parts = Parts(outputs.best, outputs.reference, outputs.verdict, outputs.golden, outputs.card, str(data))
    return verdict, parts


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_passing_model_becomes_the_champion_with_its_lineage(tmp_path, settings, task):
    verdict, parts = evaluated(tmp_path / "one", settings, task)
    assert verdict.decision == "promote", verdict.reason
    assert publish(project(task), settings, parts, RUN) == 1
    registry = open_registry("unit", settings)
    assert registry.alias("champion").version == 1
    bundle = registry.fetch(1, tmp_path / "fetched")
    assert bundle.verdict == verdict
    assert bundle.lineage["run"] == "run-1"
    assert bundle.lineage["libraries"]["scikit-learn"]
    assert bundle.lineage["data"]["dataset_digest"] == file_digest(parts.dataset)
    assert sum(c.importance for c in bundle.profile.columns.values()) == pytest.approx(1)
    assert len(json.loads(Path(parts.golden).read_text())["rows"]) == 100


def test_publishing_twice_gives_the_same_version(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    assert [publish(project(), settings, parts, RUN) for _ in range(2)] == [1, 1]
    assert open_registry("unit", settings).versions() == [1]


def test_the_same_model_again_is_kept_out_and_cannot_be_published(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    publish(project(), settings, parts, RUN)
    verdict, again = evaluated(tmp_path / "two", settings)
    assert verdict.decision == "keep"
    with pytest.raises(VerdictError, match="'keep'"):
        publish(project(), settings, again, replace(RUN, id="run-2"))
    assert open_registry("unit", settings).versions() == [1]


def test_a_verdict_about_another_model_refuses(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    Path(parts.model).write_bytes(Path(parts.model).read_bytes() + b" ")
    with pytest.raises(VerdictError, match="about something else"):
        publish(project(), settings, parts, RUN)
    assert open_registry("unit", settings).versions() == []


def test_a_verdict_from_before_another_promotion_is_stale(tmp_path, settings):
    _, early = evaluated(tmp_path / "early", settings)
    _, parts = evaluated(tmp_path / "one", settings)
    publish(project(), settings, parts, RUN)
    with pytest.raises(VerdictError, match="champion changed"):
        publish(project(), settings, early, replace(RUN, id="run-2"))


def test_the_profile_is_that_of_the_fitted_rows(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    profile = Profile.model_validate_json(Path(parts.profile).read_text())
    assert profile.rows == len(Dataset.open(parts.dataset, "train", "validation"))
