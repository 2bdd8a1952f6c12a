import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ciclo.components.answering.compiled import Parity
from ciclo.components.answering.engine import Engine, first_difference
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.errors import IntegrityError, VerdictError
from ciclo.components.core.profile import Profile
from ciclo.components.core.recipe import recipe
from ciclo.components.core.report import Document
from ciclo.components.core.settings import Settings
from ciclo.components.core.verdict import Verdict
from ciclo.components.evaluation.gate import Outputs, evaluate
from ciclo.components.feasibility.assessment import write_answers
from ciclo.components.feasibility.baselines import best_feature
from ciclo.components.publishing import publish as publishing
from ciclo.components.publishing.publish import Parts, Published, Run, lineage, publish
from ciclo.components.publishing.restoring import restore
from ciclo.components.releases.history import life_of, rolled_back, waiting
from ciclo.components.releases.names import Move
from ciclo.components.releases.promotion import approve, promote, rollback
from ciclo.components.releases.registry import open_registry
from ciclo.components.releases.retention import prune
from ciclo.components.releases.story import sections
from ciclo.components.serving.model import serve
from ciclo.components.storage.bundle import FILES, STORY, Bundle
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.signing import signer_from
from ciclo.components.tables.datasets import Dataset, file_digest
from ciclo.components.training.candidates import build
from ciclo.components.training.search import fit
from ciclo.components.validation.checks import reference_profile
from tests.depth import some
from tests.forged_models import costly
from tests.tables import dataset, project

# As KFP hands metadata on: every number is a float.
DATA = {"digest": "d" * 64, "start": "2024-01-01", "end": "", "source_rows": 620.0, "rows": 600.0, "quarantined": 20.0}
MODEL = {"candidate": "logistic_regression", "parameters": '{"C": 1.0}', "score": 0.5, "failed": 0.0, "failure": ""}
RUN = Run("run-1", "test", DATA, MODEL)
NUMBERS = pd.Series([0.0, 1.0, 2.0])
FIRST = Path()


def evaluated(
    folder: Path, settings: Settings, task: str = "binary", training: dict | None = None
) -> tuple[Verdict, Parts]:
    """Train one candidate and evaluate it against the champion of the registry; where there is none, once for all."""
    first = FIRST / f"{task}-{json.dumps(training, sort_keys=True)}"
    if open_registry("unit", settings).alias("champion") is None:
        if not first.is_dir():
            _evaluate(first, settings, task, training)
        shutil.copytree(first, folder)
        return _read(folder)
    _evaluate(folder, settings, task, training)
    return _read(folder)


def _read(folder: Path) -> tuple[Verdict, Parts]:
    names = ("best", "reference.json", "verdict.json", "golden.json", "card.json", "data.parquet")
    return Verdict.read(folder / "verdict.json"), Parts(*(str(folder / name) for name in names))


def _card(bundle: Bundle) -> Document:
    return Document.model_validate_json(bundle.read("card.json"))


def _evaluate(folder: Path, settings: Settings, task: str, training: dict | None) -> None:
    folder.mkdir()
    parsed = project(task, training={"trials": 1, **(training or {})})
    data = dataset(folder / "data.parquet", task, rows=1500)
    name = "gradient_boosting" if task == "regression" else "logistic_regression"
    fitted = fit(parsed, name, data, folder / "fitted.skops")
    (folder / "profile.json").write_text(reference_profile(Dataset.open(data, "train", "validation")).model_dump_json())
    rows = Dataset.open(data)
    known = rows.split("train", "validation")
    write_answers(parsed, rows, known, best_feature(parsed, known), folder / "baselines.parquet")
    outputs = Outputs(
        *(str(folder / n) for n in ("best", "verdict.json", "reference.json", "golden.json", "card.html", "card.json"))
    )
    facts = {"candidate": name, "score": fitted.score, "failed": 0}
    evaluate(
        parsed,
        settings,
        dataset=str(data),
        baselines=str(folder / "baselines.parquet"),
        profile=str(folder / "profile.json"),
        models={name: (str(folder / "fitted.skops"), facts), "broken": ("", {"failed": 1, "failure": "no"})},
        outputs=outputs,
    )


@pytest.fixture(scope="module", autouse=True)
def _first(tmp_path_factory):
    """A folder for what was evaluated against nothing; it is the same for every test."""
    global FIRST
    FIRST = tmp_path_factory.mktemp("first")


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


@pytest.mark.slow
@pytest.mark.parametrize("task", some(["binary", "multiclass", "regression"]))
def test_a_passing_model_becomes_the_champion_with_its_lineage(tmp_path, settings, task):
    verdict, parts = evaluated(tmp_path / "one", settings, task)
    assert verdict.decision == "promote", verdict.reason
    assert publish(project(task), settings, parts, RUN) == Published(1, True)
    registry = open_registry("unit", settings)
    assert registry.alias("champion").version == 1
    bundle = registry.fetch(1, tmp_path / "fetched")
    assert bundle.verdict == verdict
    assert bundle.lineage["run"] == "run-1"
    assert bundle.lineage["recipe"] == recipe(project(task))
    assert (bundle.lineage["gate"], bundle.lineage["refreshed_from"]) == ("first", None)
    assert bundle.lineage["single_feature"] == verdict.facts["single_feature"] == bundle.profile.anchor.column
    assert bundle.lineage["libraries"]["scikit-learn"]
    assert bundle.lineage["data"] == {
        "source": "table.csv", "dataset_digest": file_digest(parts.dataset), "digest": "d" * 64, "start": "2024-01-01",
        "source_rows": 620, "rows": 600, "quarantined": 20,
    }  # fmt: skip
    assert bundle.lineage["model"] == {"candidate": "logistic_regression", "parameters": {"C": 1.0}, "score": 0.5}
    assert registry.find("data", "dddd") == registry.find("data", file_digest(parts.dataset)) == [1]
    assert sum(c.importance for c in bundle.profile.columns.values()) == pytest.approx(1)
    assert len(json.loads(Path(parts.golden).read_text())["rows"]) == 100


@pytest.mark.slow
def test_what_a_person_has_to_decide_on_is_published_and_waits(tmp_path, settings):
    """The champion cannot be read any more: a good candidate is kept, and nothing is moved but the name candidate."""
    _, parts = evaluated(tmp_path / "one", settings)
    publish(project(), settings, parts, RUN)
    (path,) = settings.home.glob("store/projects/unit/versions/1/contract.json")
    path.write_bytes(path.read_bytes() + b" ")
    verdict, parts = evaluated(tmp_path / "two", settings)
    assert verdict.decision == "candidate", verdict.reason
    assert "cannot be read" in verdict.reason
    published = publish(project(), settings, parts, replace(RUN, id="run-2"))
    assert (published.version, published.is_champion) == (2, False)
    assert 'ciclo models promote unit 2 --override "reason"' in published.waits_for
    registry, signer = open_registry("unit", settings), signer_from(settings)
    assert (registry.alias("champion").version, registry.alias("candidate").version) == (1, 2)
    assert waiting(registry.history()) == 2
    assert publish(project(), settings, parts, replace(RUN, id="run-2")) == published
    with pytest.raises(VerdictError, match="'candidate'"):
        promote(registry, 2, by="ann", signer=signer)
    promote(registry, 2, by="ann", override="looked at it", signer=signer)
    assert waiting(registry.history()) is None
    assert prune(registry, keep=1, by="ann").kept == (1, 2)  # 1 is the previous champion


@pytest.mark.slow
def test_a_project_that_asks_for_approval_gets_a_version_that_waits_for_it(tmp_path, settings):
    asking = project(deployment={"approval": True})
    verdict, parts = evaluated(tmp_path / "one", settings)
    assert verdict.decision == "promote"
    published = publish(asking, settings, parts, RUN)
    assert not published.is_champion
    assert "ciclo models approve unit 1 --by WHO" in published.waits_for
    registry, signer = open_registry("unit", settings), signer_from(settings)
    assert registry.alias("champion") is None
    with pytest.raises(VerdictError, match=r"asks for an approval.*ciclo models approve unit 1"):
        promote(registry, 1, by="ann", signer=signer)
    assert approve(registry, 1, by="ann", signer=signer).version == 1
    assert life_of(1, registry.history()) == ["candidate", "approved", "champion"]
    assert publish(asking, settings, parts, RUN) == Published(1, True)


def test_the_lineage_names_the_images_of_the_run_if_there_are_any(tmp_path, settings, monkeypatch):
    _, parts = evaluated(tmp_path / "one", settings)
    assert lineage(project(), settings, parts, RUN, None)["images"] == {"pipeline": "", "serving": ""}
    monkeypatch.setattr(publishing, "PIPELINE_IMAGE", "registry/ciclo-python@sha256:0")
    served = settings.model_copy(update={"serving_image": "registry/ciclo-serving-python:1"})
    images = {"pipeline": "registry/ciclo-python@sha256:0", "serving": "registry/ciclo-serving-python:1"}
    assert lineage(project(), served, parts, RUN, None)["images"] == images


@pytest.mark.slow
def test_publishing_twice_gives_the_same_version(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    assert [publish(project(), settings, parts, RUN) for _ in range(2)] == [Published(1, True)] * 2
    assert open_registry("unit", settings).versions() == [1]


@pytest.mark.slow
def test_a_version_that_was_rolled_back_is_not_promoted_by_the_run_that_made_it(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    publish(project(), settings, parts, replace(RUN, id="run-0"))
    registry, signer = open_registry("unit", settings), signer_from(settings)
    verdict = Verdict.read(parts.verdict)
    verdict.model_copy(update={"facts": {**verdict.facts, "champion": 1}}).write(parts.verdict)
    assert publish(project(), settings, parts, RUN) == Published(2, True)
    rollback(registry, by="ann", why="complaints", signer=signer)
    with pytest.raises(VerdictError, match="ann rolled it back"):
        publish(project(), settings, parts, RUN)
    assert registry.alias("champion").version == 1


def refitted(folder: Path, parts: Parts) -> tuple[Parts, dict]:
    """The same with a refitted model, and what is known of that."""
    asked, data = project(), Dataset.open(parts.dataset)
    model = build(asked.candidates["logistic_regression"], asked, data.contract, len(data), {"C": 0.01})
    dump_model(model.fit(data.X, data.y), folder / "again")
    golden = json.loads(Path(parts.golden).read_text())
    said = Engine(model, data.contract).predict(data.contract.parse(golden["rows"]))
    tested = {"predictions": golden["predictions"], "parity": golden["parity"]}
    golden |= {"predictions": said, "parity": Parity().model_dump(), "tested": tested}
    (folder / "answers").write_text(json.dumps(golden))
    facts = {"digest": file_digest(folder / "again"), "refit_of": file_digest(parts.model), "rows": 1500.0}
    facts |= {"end": "2026-03-01T00:00:00+00:00", "disagreement": 0.01, "limit": 0.02}
    slices = {
        "'colour' is red": {"difference": 0.015, "usual": 0.03},
        "'at' is 2026-03": {"difference": 1, "usual": None},
    }
    facts["slices"] = json.dumps(slices)
    return replace(parts, refitted=str(folder / "again"), golden=str(folder / "answers")), facts


@pytest.mark.slow
def test_two_models_are_published_served_pruned_and_gone_back_on(tmp_path, settings):
    verdict, parts = evaluated(tmp_path / "one", settings)
    both, facts = refitted(tmp_path, parts)
    assert publish(project(), settings, both, replace(RUN, refit=facts)) == Published(1, True)
    registry, signer = open_registry("unit", settings), signer_from(settings)
    bundle = registry.fetch(1, tmp_path / "fetched")
    assert (
        bundle.files["model.skops"] == bundle.verdict.subject == verdict.subject == bundle.lineage["refit"]["refit_of"]
    )
    assert bundle.files["refitted.skops"] == facts["digest"]
    assert (bundle.lineage["refit"]["rows"], bundle.lineage["refit"]["end"]) == (1500, facts["end"])
    assert bundle.lineage["train_end"] == bundle.profile.end  # what the tested model has seen decides what may test it
    assert "1,500 labelled rows up to 2026-03-01" in bundle.read("card.html").decode()
    assert "1,500 labelled rows" in sections(registry.record(1))["serves"]["model"]
    told = _card(bundle).tables()["What is served"]
    assert told["'colour' is red: mean difference"] == 0.015
    assert [value for name, value in told.items() if name.startswith("'at' is 2026-03: most")] == [None]
    assert "(a 99 % limit for all of them together)" in bundle.read("card.html").decode()
    here = settings.model_copy(update={"project": "unit", "version": 1})
    served = serve(here).engine
    X = bundle.contract.parse(bundle.golden["rows"])
    assert first_difference(bundle.golden["predictions"], served.predict(X)) is None
    assert first_difference(bundle.golden["tested"]["predictions"], served.predict(X)) is not None

    assert restore(registry, by="ann", why="worse", signer=signer).version == 2
    alias = registry.alias("champion")
    assert (alias.version, alias.action, alias.by) == (2, "rollback", "ann")
    assert "ann rolled it back" in rolled_back(1, registry.history())
    back = registry.fetch(2, tmp_path / "back")
    assert back.served == "model.skops"
    assert back.files["model.skops"] == verdict.subject
    assert (back.lineage["restored_from"], back.lineage["train_end"]) == (1, bundle.lineage["train_end"])
    assert [_card(of).tables()["Lineage"]["version"] for of in (bundle, back)] == ["1", "2"]
    assert back.read("card.html").decode().count("ann went back to it from version 1: worse") == 1
    answers = serve(here.model_copy(update={"version": 2})).engine.predict(X)
    assert first_difference(bundle.golden["tested"]["predictions"], answers) is None
    with pytest.raises(VerdictError, match="serves its tested model already"):
        restore(registry, by="ann", why="again", signer=signer)
    with pytest.raises(VerdictError, match="ann rolled it back"):
        promote(registry, 1, by="bob", signer=signer)

    newest = registry.publish({name: back.folder / name for name in FILES}, signer=signer, parent=2)
    for name in ("candidate", "champion"):  # no name is left on version 1, not even that of the one before
        registry.move(name, newest, Move("ann", "on"), expected=registry.alias(name), signer=signer)
    prune(registry, keep=1, by="ann")
    left = {key.rpartition("/")[2] for key in registry.store.list("projects/unit/versions/1/")}
    assert left == set(STORY)


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"digest": "0" * 64}, {"refit_of": "0" * 64}, {"digest": None}])
def test_a_refitted_model_that_is_not_of_the_tested_one_is_refused(tmp_path, settings, change):
    _, parts = evaluated(tmp_path / "one", settings)
    both, facts = refitted(tmp_path, parts)
    with pytest.raises(VerdictError, match="not the one that was made of the tested one"):
        publish(project(), settings, both, replace(RUN, refit={**facts, **change}))
    with pytest.raises(VerdictError, match="not the one that was made of the tested one"):
        publish(project(), settings, parts, replace(RUN, refit=facts))
    Path(both.refitted).write_bytes(costly()["SIGSEGV"])
    with pytest.raises(IntegrityError, match="SIGSEGV"):
        publish(project(), settings, both, replace(RUN, refit={**facts, "digest": file_digest(both.refitted)}))
    assert open_registry("unit", settings).versions() == []


@pytest.mark.slow
def test_a_run_is_not_taken_for_one_whose_id_begins_alike(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    publish(project(), settings, parts, replace(RUN, id="run-12"))
    with pytest.raises(VerdictError, match="champion changed"):
        publish(project(), settings, parts, replace(RUN, id="run-1"))


@pytest.mark.slow
def test_nothing_is_signed_that_harms_the_process_that_loads_it(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    Path(parts.model).write_bytes(costly()["SIGSEGV"])
    verdict = Verdict.read(parts.verdict)
    verdict.model_copy(update={"subject": file_digest(parts.model)}).write(parts.verdict)
    with pytest.raises(IntegrityError, match="SIGSEGV"):
        publish(project(), settings, parts, RUN)
    assert open_registry("unit", settings).versions() == []


@pytest.mark.slow
def test_the_same_model_again_is_kept_out_and_cannot_be_published(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    publish(project(), settings, parts, RUN)
    verdict, again = evaluated(tmp_path / "two", settings)
    assert verdict.decision == "keep"
    with pytest.raises(VerdictError, match="'keep'"):
        publish(project(), settings, again, replace(RUN, id="run-2"))
    assert open_registry("unit", settings).versions() == [1]


@pytest.mark.slow
def test_a_verdict_about_another_model_refuses(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    Path(parts.model).write_bytes(Path(parts.model).read_bytes() + b" ")
    with pytest.raises(VerdictError, match="about something else"):
        publish(project(), settings, parts, RUN)
    assert open_registry("unit", settings).versions() == []


@pytest.mark.slow
def test_a_verdict_from_before_another_promotion_is_stale(tmp_path, settings):
    _, early = evaluated(tmp_path / "early", settings)
    _, parts = evaluated(tmp_path / "one", settings)
    publish(project(), settings, parts, RUN)
    with pytest.raises(VerdictError, match="champion changed"):
        publish(project(), settings, early, replace(RUN, id="run-2"))


@pytest.mark.slow
def test_the_profile_is_that_of_the_fitted_rows(tmp_path, settings):
    _, parts = evaluated(tmp_path / "one", settings)
    profile = Profile.model_validate_json(Path(parts.profile).read_text())
    assert profile.rows == len(Dataset.open(parts.dataset, "train", "validation"))


def test_the_lineage_says_where_the_fitted_rows_end(tmp_path, settings):
    """A later champion is judged on rows after that time alone."""
    end = "2026-03-04T05:06:07+00:00"
    profile = Profile(rows=9, start="2026-01-01T00:00:00+00:00", end=end, columns={}, target=ColumnProfile.of(NUMBERS))
    (tmp_path / "profile.json").write_text(profile.model_dump_json())
    (tmp_path / "data.parquet").write_bytes(b"rows")
    facts = {"gate": "refresh", "refreshed_from": 2, "single_feature": "size"}
    verdict = Verdict(gate="evaluation", decision="promote", reason="r", subject="s", facts=facts)
    verdict.write(tmp_path / "verdict.json")
    paths = (str(tmp_path / name) for name in ("profile.json", "verdict.json"))
    parts = Parts("", *paths, "", "", str(tmp_path / "data.parquet"))
    found = lineage(project(), settings, parts, RUN, None)
    assert found["train_end"] == end
    assert {name: found[name] for name in facts} == facts
