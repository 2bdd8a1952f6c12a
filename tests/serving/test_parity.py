"""A model means the same in both environments, and a version that does not is never served."""

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from ciclo.components.core.metrics import predictions
from ciclo.components.core.settings import Settings
from ciclo.components.deployment.process import serving_python
from tests.depth import some
from tests.recipes import HAS_LIGHTGBM
from tests.serving.conftest import publish

LOAD = """
import json, sys
from pathlib import Path
from ciclo.components.core.errors import CicloError
from ciclo.components.core.settings import Settings
from ciclo.components.serving.messages import read_request
from ciclo.components.serving.model import answer, serve

for line in sys.stdin:
    version = json.loads(line)
    try:
        served = serve(Settings(home=Path(version["home"]), project="unit", version=1))
        print(json.dumps(answer(served, read_request(version["message"])).predictions))
    except CicloError as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"""
MODELS = some(
    [
        ("binary", "gradient_boosting"),
        ("binary", "logistic_regression"),
        ("multiclass", "lightgbm" if HAS_LIGHTGBM else "extra_trees"),  # which the serving environment does not have
        ("multiclass", "random_forest"),
        ("regression", "gradient_boosting"),
        ("regression", "ridge"),
        ("multiclass", "gradient_boosting"),
    ],
    2,
)


def overwrite(folder, name):
    """Change one byte of a stored file."""
    (path,) = folder.glob(f"store/projects/unit/versions/1/{name}")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Every version, published here, with what the serving environment makes of it."""
    folder = tmp_path_factory.mktemp("versions")
    versions = {"-".join(m): publish(folder / "-".join(m), *m) for m in MODELS}
    versions["threshold"] = publish(folder / "threshold", estimator="logistic_regression", threshold=0.15)
    versions["spoiled-golden"] = publish(folder / "spoiled-golden", estimator="logistic_regression", spoil="golden")
    sound = publish(folder / "sound", estimator="logistic_regression")
    for name in ("model.skops", "contract.json", "model.sig"):
        shutil.copytree(folder / "sound", folder / name)
        versions[name] = replace(sound, settings=Settings(home=folder / name, _env_file=None))
        overwrite(folder / name, name)
    lines = [
        json.dumps({"home": str(v.settings.home), "message": {"jsonData": {"rows": v.requests(200)}}})
        for v in versions.values()
    ]
    python = str(serving_python(Settings()))
    done = subprocess.run([python, "-c", LOAD], input="\n".join(lines), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(versions, zip(versions.values(), answers, strict=True), strict=True))


@pytest.mark.parametrize("name", ["-".join(m) for m in MODELS])
def test_a_model_answers_as_where_it_was_trained(loaded, name):
    published, answers = loaded[name]
    expected = published.engine.predict(published.contract.parse(published.requests(200)))
    assert len(answers) == 200
    if published.contract.task == "regression":
        np.testing.assert_allclose(*([a["prediction"] for a in x] for x in (answers, expected)), rtol=1e-9)
        assert {a["probability"] for a in answers} == {None}
    else:
        assert [a["prediction"] for a in answers] == [a["prediction"] for a in expected]
        np.testing.assert_allclose(*([a["probability"] for a in x] for x in (answers, expected)), rtol=0, atol=1e-9)
        assert len({a["prediction"] for a in answers}) > 1
        each, wanted = ([list(a.get("probabilities", {}).values()) for a in x] for x in (answers, expected))
        np.testing.assert_allclose(each, wanted, rtol=0, atol=1e-9)
        assert len(wanted[0]) == (3 if published.contract.task == "multiclass" else 0)


def test_the_label_that_is_served_is_that_of_the_threshold_that_was_tested(loaded):
    published, answers = loaded["threshold"]
    rows = published.contract.parse(published.requests(200))
    tested = predictions("label", published.engine._model, rows, [0, 1])
    assert [a["prediction"] for a in answers] == [bool(code) for code in tested]
    assert [a["prediction"] for a in answers] == [a["probability"] >= 0.15 for a in answers]
    assert any(a["prediction"] and a["probability"] < 0.5 for a in answers)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("spoiled-golden", "does not answer here as it did"),
        ("model.skops", "'model.skops' is not the one that was published"),
        ("contract.json", "'contract.json' is not the one that was published"),
        ("model.sig", "sign"),
    ],
)
def test_a_version_that_is_not_what_was_judged_is_not_loaded(loaded, name, reason):
    _, answers = loaded[name]
    assert isinstance(answers, str)
    assert answers.startswith("IntegrityError")
    assert reason in answers
