"""Model files: what the training stage builds comes back bit for bit, and nothing else is loaded."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import IntegrityError, TrainingError
from ciclo.components.core.metrics import Task
from ciclo.components.core.sections import Candidate
from ciclo.components.storage.models import TRUSTED, dump_model, parse_model
from ciclo.components.storage.pickles import no_pickle
from ciclo.components.storage.rehearsal import load_models
from ciclo.components.training.candidates import build
from ciclo.components.training.preprocessing import Style, preprocessor
from tests.depth import thorough
from tests.forged_models import hostile
from tests.recipes import TASK_ESTIMATORS, needs_lightgbm
from tests.tables import project, table

CLASSES = {"binary": ("false", "true"), "multiclass": ("low", "mid", "high"), "regression": ()}
ROOT = Path(__file__).resolve().parents[3]
SMALL = {
    "random_forest": {"n_estimators": 3, "n_jobs": 1},  # threads add up in any order
    "extra_trees": {"n_estimators": 3, "n_jobs": 1},
    "gradient_boosting": {"max_iter": 3},
    "lightgbm": {"n_estimators": 3},
}

# With all that can be stated of missing values and outliers: what cannot be stored of that, no recipe stores.
FALSE = {"impute": "constant", "value": False, "indicator": False}
POLICY = {
    "missing": {"columns": {"size": "knn", "count": "iterative", "open": FALSE, "colour": "most_frequent"}},
    "outliers": {"count": "clip", "noise": "flag"},
}

# With a threshold and a calibration around them.
WRAPPED = {
    ("extra_trees", "binary"): "isotonic",
    ("gradient_boosting", "binary"): "sigmoid",
    ("gradient_boosting", "multiclass"): "temperature",
    ("extra_trees", "multiclass"): "temperature",
}


def _rows(task: Task) -> tuple[Contract, pd.DataFrame, Any]:
    contract = Contract.of(project(task), CLASSES[task])
    hours = [c.model_copy(update={"cycle": 9.0}) if c.name == "count" else c for c in contract.columns]
    contract = contract.model_copy(update={"columns": tuple(hours)})
    frame = table(150, task)
    return contract, contract.frame(frame), contract.encode(frame["y"])


def _same(model: Any, again: Any, X: pd.DataFrame) -> None:
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(model, method)(X), getattr(again, method)(X))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every recipe for every task it is one for: name to model, rows and file."""
    folder, models = tmp_path_factory.mktemp("models"), {}
    for task, name in TASK_ESTIMATORS:
        contract, X, y = _rows(task)
        wanted = project(task, cleaning=POLICY) if task == "multiclass" else project(task)
        model = build(Candidate(estimator=name), wanted, contract, len(X), SMALL.get(name, {}))
        if (name, task) in WRAPPED:
            model = CalibratedClassifierCV(model, method=WRAPPED[name, task], cv=2, ensemble=False)
        if (name, task) in WRAPPED and task == "binary":
            options = {"threshold": 0.3, "pos_label": 1, "response_method": "predict_proba"}
            model = FixedThresholdClassifier(model, **options)
        model.fit(X, y)
        path = folder / f"{name}-{task}.skops"
        dump_model(model, path)
        models[path.stem] = (model, X, path)
    return models


@pytest.mark.slow
@pytest.mark.parametrize("name", [f"{name}-{task}" for task, name in TASK_ESTIMATORS])
def test_every_recipe_comes_back_bit_for_bit(name: str, fitted: dict[str, Any]) -> None:
    model, X, path = fitted[name]
    no_pickle(path.name, path.read_bytes())
    _same(model, parse_model(path.read_bytes()), X)


@thorough
def test_every_recipe_passes_its_rehearsal(fitted: dict[str, Any]) -> None:
    again = load_models(path for _, _, path in fitted.values())
    assert len(again) == len(fitted) >= 15
    for (model, X, _), loaded in zip(fitted.values(), again, strict=True):
        _same(model, loaded, X)


@pytest.mark.parametrize(
    ("estimator", "task", "style"),
    [
        (DummyClassifier(strategy="prior"), "binary", "trees"),
        (DummyClassifier(strategy="stratified", random_state=0), "multiclass", "linear"),
        (DummyRegressor(), "regression", "trees"),
        (HistGradientBoostingClassifier(max_iter=3, early_stopping=True, random_state=0), "binary", "trees"),
        (HistGradientBoostingRegressor(max_iter=3, loss="poisson"), "count", "trees"),
        (HistGradientBoostingRegressor(max_iter=3, loss="quantile", quantile=0.9), "regression", "trees"),
        (HistGradientBoostingRegressor(max_iter=3, random_state=np.random.RandomState(1)), "regression", "linear"),
    ],
    ids=["prior", "stratified", "mean", "early stopping", "poisson", "quantile", "random state"],
)
def test_other_estimators_come_back_too(estimator: Any, task: Any, style: Style, tmp_path: Path) -> None:
    contract, X, y = _rows("regression" if task == "count" else task)
    model = Pipeline([("preprocess", preprocessor(contract, style)), ("model", estimator)])
    model.fit(X, np.abs(y) if task == "count" else y)
    dump_model(model, tmp_path / "model.skops")
    _same(model, parse_model((tmp_path / "model.skops").read_bytes()), X)


@thorough
def test_the_serving_environment_reads_what_the_pipeline_wrote(fitted: dict[str, Any], tmp_path: Path) -> None:
    expected = {}
    for name, (model, X, path) in fitted.items():
        shutil.copy(path, tmp_path)
        X.to_json(tmp_path / f"{name}.json", orient="split", double_precision=15)
        expected[name] = model.predict(X).tolist()
    script = """
import json, sys
from pathlib import Path
import numpy as np, pandas as pd
from ciclo.components.storage.rehearsal import load_models
answers = {}
paths = sorted(Path(sys.argv[1]).glob("*.skops"))
for path, model in zip(paths, load_models(paths), strict=True):
    raw = json.loads(path.with_suffix(".json").read_text())
    X = pd.DataFrame(raw["data"], columns=raw["columns"])
    X = X.astype({c: object if c == "colour" else "float64" for c in X})
    X["colour"] = X["colour"].where(X["colour"].notna(), np.nan)
    answers[path.stem] = model.predict(X).tolist()
print(json.dumps(answers))
"""
    python = ROOT / ".venv-serving" / "bin" / "python"
    done = subprocess.run(
        [python, "-c", script, tmp_path], capture_output=True, text=True, check=False, timeout=120, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout)
    assert len(answers) == len(expected) >= 15
    for name, values in expected.items():
        np.testing.assert_allclose(answers[name], values, rtol=1e-9, err_msg=name)


def _foreign(values: Any) -> Any:
    return values


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(FunctionTransformer(_foreign), LogisticRegression()),
        make_pipeline(
            SimpleImputer(), HistGradientBoostingClassifier(early_stopping=True, scoring="roc_auc", max_iter=2)
        ),
        "not an estimator",
    ],
    ids=["own function", "own scorer", "text"],
)
def test_what_could_not_be_read_back_is_not_written(estimator: Any, tmp_path: Path) -> None:
    if not isinstance(estimator, str):
        estimator.fit(np.arange(80.0).reshape(-1, 1), np.arange(80) % 2)
    with pytest.raises(TrainingError, match=r"candidates\.py"):
        dump_model(estimator, tmp_path / "model.skops")
    assert not (tmp_path / "model.skops").exists()


@needs_lightgbm
def test_the_list_of_trusted_types_is_needed_whole(fitted: dict[str, Any]) -> None:
    needed = {kind for _, _, path in fitted.values() for kind in skops.io.get_untrusted_types(file=path)}
    there = {"numpy.cos", "numpy.sin", "sklearn.impute._iterative.IterativeImputer"}
    assert needed | there == set(TRUSTED), "where training is not imported, and on numpy 1, those three as well"


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("honest") / "model.skops"
    dump_model(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), path)
    return path.read_bytes()


@pytest.mark.slow
def test_no_hostile_file_loads_or_runs_anything(honest: bytes, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    files = hostile(f"touch {mark}", honest)
    assert len(files) >= 30
    parse_model(honest)
    for name, data in files.items():
        try:
            pytest.fail(f"{name} was loaded: {parse_model(data)}")
        except IntegrityError:
            assert not mark.exists(), name
