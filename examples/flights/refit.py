"""``python -m examples.flights.refit``: whether it pays to serve a model that has seen the test rows as well.

At starts over the year a model of each recipe is fitted as training does it, without the last two weeks whose labels
are known, and once more on all of them. Both answer the flights of the fortnight that follows. The table shows their
AUC; below it stand the mean gain, with starts as the evidence, and how often the refit would be refused.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.stats import t

from ciclo.components.core.contract import Contract
from ciclo.components.core.metrics import METRICS, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import read_project
from ciclo.components.core.sections import Candidate
from ciclo.components.tables.datasets import Dataset
from ciclo.components.training.disagreement import disagreement, limit_of, stretches
from ciclo.components.training.labels import Labels, fit_model
from examples.flights.prepare import prepare

FORTNIGHT = timedelta(days=14)
STARTS = [datetime(2013, 2, 12, tzinfo=UTC) + FORTNIGHT * 2 * i for i in range(11)]
RECIPES = {"extra_trees": {"min_samples_leaf": 10}, "gradient_boosting": {}, "logistic_regression": {}}


def known_before(contract: Contract, flights: pd.DataFrame, start: datetime, delay: timedelta) -> Dataset:
    """The flights whose labels are known when a fortnight begins; the last two weeks of them test."""
    rows = flights[flights["time"] < start - delay]
    split = np.where(rows["time"] >= start - delay - FORTNIGHT, "test", "train")
    return Dataset(contract, rows.assign(split=split))


def one(project: Project, name: str, known: Dataset, asked: Dataset) -> tuple[float, float, float, float]:
    """AUC of the tested and of the refitted model, and their disagreement with its limit."""
    candidate, parameters = Candidate(estimator=name), RECIPES[name]
    train, added = known.split("train"), known.split("test")
    plain = Labels()
    tested, refitted = (fit_model(project, candidate, rows, parameters, plain, 0) for rows in (train, known))
    usual = []
    for number, part in enumerate(stretches(train, len(added)), 1):
        seeded = project.model_copy(update={"training": project.training.model_copy(update={"seed": number})})
        without = Dataset(train.contract, train.rows[~np.isin(np.arange(len(train)), part)])
        other = fit_model(seeded, candidate, without, parameters, plain, number)
        usual.append(disagreement(other, tested, Dataset(train.contract, train.rows.iloc[part]), 0))
    score = METRICS["roc_auc_score"].score
    before, after = (score(asked.y, predictions("probability", m, asked.X, [0, 1]), [0, 1]) for m in (tested, refitted))
    return before, after, disagreement(refitted, tested, added, 0), limit_of(usual)


def every(project: Project, flights: pd.DataFrame) -> Iterator[tuple[str, datetime, tuple[float, float, float, float]]]:
    """Every recipe at every start."""
    contract = Contract.of(project, ["false", "true"])
    delay = timedelta(days=project.design.label_delay_days)
    for start in STARTS:
        known = known_before(contract, flights, start, delay)
        asked = Dataset(contract, flights[(flights["time"] >= start) & (flights["time"] < start + FORTNIGHT)])
        for name in RECIPES:
            yield name, start, one(project, name, known, asked)


def main() -> None:
    """Measure, and print."""
    project = read_project(Path(__file__).parent / "project.yaml")
    flights = pd.read_parquet(prepare(Path("build/demo/flights.parquet")))
    flights = flights[flights["late"].notna()].reset_index(drop=True)
    table = Table("fortnight from", "recipe", "tested", "refitted", "gain", "disagreement", "limit")
    gains: dict[str, list[float]] = {name: [] for name in RECIPES}
    refused = 0
    for name, start, (before, after, ours, limit) in every(project, flights):
        gains[name].append(after - before)
        refused += ours > limit
        table.add_row(
            f"{start:%Y-%m-%d}", name, f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}", f"{ours:.4f}",
            f"{limit:.4f}",
        )  # fmt: skip
    console = Console(width=110)
    console.print(table)
    for name, found in gains.items():
        width = t.ppf(0.95, len(found) - 1) * np.std(found, ddof=1) / np.sqrt(len(found))
        mean, better = float(np.mean(found)), sum(g > 0 for g in found)
        console.print(
            f"{name}: {mean:+.4f} [{mean - width:+.4f}, {mean + width:+.4f}], better in {better} of {len(found)}"
        )
    console.print(f"refused: {refused} of {sum(map(len, gains.values()))}")


if __name__ == "__main__":
    main()
