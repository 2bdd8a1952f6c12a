"""How long a model takes to answer: the fitted scikit-learn pipeline and its compiled form, side by side.

    python -m benchmarks.answers

Every built-in candidate is fitted on a table of 20,000 rows with four numbers and three categories, some of them
missing. One row at a time, the two answer in turns; times are medians, a ratio is the median of the ratios of each
turn. Reading the request and writing the answer down are not in it.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from ciclo.components.answering.compiled import CompiledModel, parity
from ciclo.components.answering.engine import Engine
from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import Array
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.core.sections import Candidate
from ciclo.components.training.candidates import RECIPES, build

ROWS = 20_000
TURNS = 200
NUMBERS = ("a", "b", "c", "d")
CATEGORIES = {"x": 4, "y": 12, "z": 100}


def main() -> None:
    """Print a line for each task and candidate."""
    for task in ("binary", "regression"):
        X, y, contract, project = _table(task)
        print(f"\n{task}, one row: {'fitted':>24} {'compiled':>10} {'faster':>8}   largest difference on 20,000 rows")
        for name, recipe in RECIPES.items():
            if (recipe.regressor if task == "regression" else recipe.classifier) is None:
                continue
            model = build(Candidate(estimator=name), project, contract, len(X), {}).fit(X, y)
            found = parity(model, contract, X, seed=0)
            if found.engine == "fitted":
                print(f"{name:34} {found.sentence}")
                continue
            fitted, compiled = Engine(model, contract), Engine(CompiledModel(model), contract)
            turns = [
                (_milliseconds(fitted, row), _milliseconds(compiled, row))
                for row in (X.iloc[[n]] for n in range(TURNS))
            ][TURNS // 10 :]
            ours, theirs = (statistics.median(t[side] for t in turns) for side in (1, 0))
            ratio = statistics.median(slow / fast for slow, fast in turns)
            print(f"{name:24} {theirs:>14.2f} ms {ours:>7.3f} ms {ratio:>6.0f} x   {found.largest_difference:.1g}")


def _milliseconds(engine: Engine, row: pd.DataFrame, clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    engine.predict(row)
    return (clock() - began) * 1e3


def _table(task: str) -> tuple[pd.DataFrame, Array, Contract, Project]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.normal(size=ROWS) for name in NUMBERS})
    for name, levels in CATEGORIES.items():
        frame[name] = pd.Series(rng.integers(0, levels, ROWS)).map(lambda level: f"level {level}").astype(object)
    score = frame["a"] + frame["b"] * (frame["x"] == "level 0") + rng.normal(size=ROWS)
    for name in ("c", "x"):
        frame.loc[rng.random(ROWS) < 0.1, name] = np.nan
    columns = {name: {"type": "number"} for name in NUMBERS} | {name: {"type": "category"} for name in CATEGORIES}
    columns["target"] = {"type": "boolean" if task == "binary" else "number"}
    frame["target"] = score > 0 if task == "binary" else score
    project = project_from_mapping(
        {"name": "bench", "data": {"source": "x.csv", "target": "target", "columns": columns}}, origin="bench"
    )
    contract = Contract.of(project, ("false", "true") if task == "binary" else ())
    return contract.frame(frame), contract.encode(frame["target"]), contract, project


if __name__ == "__main__":
    main()
