"""How good is the model that comes out, beside FLAML at the same seconds and cores and boosting as it comes?

    python -m benchmarks.quality [TABLE ...]

On each table the candidates of the project are searched and fitted by the code of the training component, two beside
each other as in the pipeline, and the one with the best validation score is taken, as evaluation does. FLAML
(pinned, in an environment of its own under build/flaml) is given the same training and validation rows and as many
seconds as that took; scikit-learn's histogram gradient boosting has its own defaults and the preprocessing that Ciclo's
trees get. All three are asked about the same test rows. The flights are those of the first four months, in days: the
last fourteen are the test, and each is one piece of evidence.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline

from benchmarks.environments import interpreter
from benchmarks.watching import show
from ciclo.components.cleaning.clean import clean
from ciclo.components.core.clusters import Groups, gain_interval
from ciclo.components.core.metrics import Array, labels_of, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping, read_project
from ciclo.components.evaluation.comparison import best_of, contenders
from ciclo.components.ingestion.ingest import ingest
from ciclo.components.tables.datasets import Dataset
from ciclo.components.training.preprocessing import categories, numbers, preprocessor
from ciclo.components.training.search import Fitted, fit
from examples.flights.prepare import prepare

ROOT = Path(__file__).parents[1]
HOME = ROOT / "build" / "flaml"
WANTED = ("flaml[automl]==2.7.0", "scikit-learn==1.9.1", "pyarrow")
WORKER = Path(__file__).with_name("flaml_worker.py")
CORES = 2
LEAST_SECONDS = 2.0
FLIGHTS_END = "2013-05-01T00:00:00Z"
TABLES = ("flights", "breast_cancer", "wine", "digits", "diabetes")


@dataclass(frozen=True)
class Table:
    """Cleaned rows of a project.

    Attributes:
        name: What it is called.
        project: Its project.
        path: The cleaned dataset.
    """

    name: str
    project: Project
    path: Path

    @property
    def known(self) -> Dataset:
        """The rows to learn from."""
        return Dataset.open(self.path, "train", "validation")

    @property
    def test(self) -> Dataset:
        """The rows to be asked about."""
        return Dataset.open(self.path, "test")


def main() -> None:
    """Print a line for each table and rival."""
    asked = sys.argv[1:] or list(TABLES)
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as folder, Flaml() as flaml:
        for name in asked:
            place = Path(folder, name)
            place.mkdir()
            rows += measured(table(name, place), place, flaml)
    head = ("table", "model", "metric", "score", "Ciclo's gain, 95 % each way", "seconds")
    note = (
        "All on the same test rows. An error (RMSE) is better when smaller; a gain is positive where Ciclo is better. "
        f"{CORES} cores; seconds are those of search and fit."
    )
    show("Quality", head, rows, note)


def table(name: str, folder: Path) -> Table:
    """Read and clean a table by the code of the components."""
    if name == "digits":
        project = digits(folder)
    else:
        project = read_project(ROOT / "examples" / name / "project.yaml")
        if name == "flights":
            prepare(Path(project.data.source))
    end = FLIGHTS_END if name == "flights" else ""
    ingest(project, folder / "raw", "", end)
    clean(project, folder / "raw", folder / "dataset", folder / "quarantine")
    return Table(name, project, folder / "dataset")


def digits(folder: Path) -> Project:
    """Handwritten digits, 8 by 8 pixels, from scikit-learn; a project with the defaults."""
    frame = datasets.load_digits(as_frame=True).frame
    frame["target"] = frame["target"].map(lambda digit: f"digit {digit}")
    frame.to_csv(folder / "data.csv", index=False)
    columns = {name: {"type": "number"} for name in frame.columns} | {"target": {"type": "category"}}
    data = {"source": str(folder / "data.csv"), "target": "target", "columns": columns}
    return project_from_mapping({"name": "digits", "data": data}, origin="digits")


def measured(of: Table, folder: Path, flaml: "Flaml") -> Iterator[tuple[object, ...]]:
    """Ciclo and its rivals on one table, as rows to print."""
    project, test = of.project, of.test
    metric, codes = project.metric, test.contract.codes
    chosen, ours, seconds = ciclo(of, folder)
    groups = Groups.of(project, test.rows)
    size = f"{len(of.known):,} + {len(test):,} rows"
    score = metric.score(test.y, ours, codes)
    yield of.name, f"Ciclo ({chosen})", metric.name, f"{score:.4f}", size, f"{seconds:.1f}"
    for rival, (theirs, taken) in {
        "FLAML": flaml.answers(of, folder, max(seconds, LEAST_SECONDS)),
        "boosting as it comes": boosting(of),
    }.items():
        gain = gain_interval(
            metric, test.y, ours, theirs, codes, groups=groups.of_rows, confidence=project.evaluation.confidence
        )
        found = f"{gain.point:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]{'' if gain.high >= 0 else ' behind'}"
        yield "", rival, "", f"{metric.score(test.y, theirs, codes):.4f}", found, f"{taken:.1f}"


def ciclo(of: Table, folder: Path) -> tuple[str, Array, float]:
    """The winner's name, what it says of the test rows, and the seconds of all candidates together."""
    began = time.perf_counter()
    names = list(of.project.candidates)

    def one(name: str) -> Fitted:
        return fit(of.project, name, of.path, folder / name)

    with ThreadPoolExecutor(CORES) as pool:
        fitted = dict(zip(names, pool.map(one, names), strict=True))
    seconds = time.perf_counter() - began
    files = {n: (folder / n, f.metadata()) for n, f in fitted.items() if not f.failure}
    for name, found in fitted.items():
        print(f"{of.name} {name}: {found.summary}", file=sys.stderr, flush=True)
    winner = best_of(of.project, contenders(files))
    test = of.test
    return winner.name, predictions(of.project.metric.needs, winner.model, test.X, test.contract.codes), seconds


def boosting(of: Table) -> tuple[Array, float]:
    """Histogram gradient boosting with its own defaults."""
    known, test, values = of.known, of.test, of.project.task == "regression"
    kind = HistGradientBoostingRegressor if values else HistGradientBoostingClassifier
    mask = [False] * len(numbers(known.contract)) + [True] * len(categories(known.contract))
    began = time.perf_counter()
    trees = kind(categorical_features=mask, random_state=of.project.training.seed)
    model = make_pipeline(preprocessor(known.contract, "trees"), trees).fit(known.X, known.y)
    seconds = time.perf_counter() - began
    return predictions(of.project.metric.needs, model, test.X, known.contract.codes), seconds


class Flaml:
    """A process of FLAML's own environment, which is made if it is missing."""

    def __enter__(self) -> "Flaml":
        cores = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(CORES))
        self._process = subprocess.Popen(
            [interpreter(HOME, WANTED), "-P", "-W", "ignore", WORKER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **cores},
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def answers(self, of: Table, folder: Path, seconds: float) -> tuple[Array, float]:
        """What it says of the test rows, in the form the metric needs, and the seconds it took."""
        known, test, metric = of.known, of.test, of.project.metric
        target, in_time = known.contract.target, of.project.split_method == "time"
        order = known.rows[of.project.data.time_column].argsort().to_numpy() if in_time else np.arange(len(known))
        frame = known.X.assign(**{target: known.y}).iloc[order]
        paths = {name: str(folder / f"flaml-{name}.parquet") for name in ("known", "asked", "answers")}
        frame.reset_index(drop=True).to_parquet(paths["known"])
        test.X.reset_index(drop=True).to_parquet(paths["asked"])
        job: dict[str, Any] = {"target": target, "task": of.project.task, "metric": metric.name, "seconds": seconds}
        job |= {"cores": CORES, "in_time": in_time, "seed": of.project.training.seed, **paths}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(job), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"FLAML ended; run {WORKER} by hand in {HOME} to see why")
        said = pd.read_parquet(paths["answers"]).to_numpy()
        if metric.needs == "value":
            said = said[:, 0]
        elif metric.needs == "label":
            said = labels_of(None, said)
        return said, float(json.loads(line)["seconds"])


if __name__ == "__main__":
    main()
