"""What feasibility says of tables of which it is known what can be learnt, beside a bare comparison."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.watching import share, show, side_by_side
from ciclo.components.core.contract import Contract
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.feasibility.assessment import assess
from ciclo.components.tables.datasets import Dataset

FEATURES = 5
WORDS = ("ml", "cannot_tell", "no_ml")


@dataclass(frozen=True)
class Table:
    """A table whose five features weigh alike.

    Attributes:
        name: What it is called.
        rows: Training, validation and test rows.
        weight: Of each feature in the log-odds; 0.245 makes the best possible AUC .65.
        simulations: How many.
        asked: What is asked.
    """

    name: str
    rows: int
    weight: float
    simulations: int
    asked: str


TABLES = (
    Table("noise, 300 rows", 300, 0.0, 40, "ml at most 5 %"),
    Table("noise, 60,000 rows", 60_000, 0.0, 5, "no_ml"),
    Table("five weak features (Bayes AUC .65), 300 rows", 300, 0.245, 40, "no_ml at most 5 %"),
    Table("the same, 1,000 rows", 1_000, 0.245, 20, "no_ml at most 5 %"),
    Table("five features (Bayes AUC .76), 891 rows", 891, 0.45, 10, "no_ml never"),
)


def main(quick: bool = False) -> None:
    """Print a table."""
    tasks = [(t, n) for t, table in enumerate(TABLES) for n in range(max(table.simulations // (10 if quick else 1), 1))]
    found = side_by_side(said, tasks)
    rows = []
    for number, table in enumerate(TABLES):
        part = [f for (t, _), f in zip(tasks, found, strict=True) if t == number]
        words = Counter(word for word, _ in part)
        bare = sum(better for _, better in part)
        shares = [share(words[word], len(part)) for word in WORDS]
        rows.append((table.name, len(part), *shares, share(bare, len(part)), table.asked))
    note = "Bare: a logistic regression scores higher on the validation rows than always the same answer."
    show("Is a model worth it?", ("table", "simulations", *WORDS, "bare says ml", "asked"), rows, note)


def said(task: tuple[int, int]) -> tuple[str, bool]:
    """The word of feasibility, and whether a bare comparison calls for a model."""
    number, simulation = task
    table, rng = TABLES[number], np.random.default_rng([number, simulation])
    names = [f"x{n}" for n in range(FEATURES)]
    frame = pd.DataFrame(rng.normal(size=(table.rows, FEATURES)), columns=names)
    frame["y"] = rng.random(table.rows) < 1 / (1 + np.exp(-table.weight * frame[names].to_numpy().sum(axis=1)))
    frame[ROW_ID] = [f"{n:032x}" for n in range(table.rows)]
    frame[SPLIT] = rng.choice(["train", "validation", "test"], table.rows, p=[0.7, 0.15, 0.15])
    columns = {"y": {"type": "boolean"}, **{name: {"type": "number"} for name in names}}
    project = project_from_mapping(
        {"name": "unit", "data": {"source": "t.csv", "target": "y", "columns": columns}}, origin="benchmark"
    )
    rows = Dataset(Contract.of(project, ("false", "true")), frame)
    with tempfile.TemporaryDirectory() as folder:
        word = assess(project, rows, "", Path(folder) / "answers").decision
    train, held_out = rows.split("train"), rows.split("validation")
    model = LogisticRegression().fit(train.X, train.y)
    return word, bool(roc_auc_score(held_out.y, model.predict_proba(held_out.X)[:, 1]) > 0.5)
