"""Seeded tables and cleaned datasets for tests."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ciclo.components.core.contract import Contract
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.project import Project
from ciclo.components.core.project_file import project_from_mapping
from ciclo.components.tables.datasets import write_table

COLUMNS = {
    "size": {"type": "number"},
    "count": {"type": "integer"},
    "open": {"type": "boolean"},
    "colour": {"type": "category"},
    "noise": {"type": "number"},
}
TARGETS = {
    "binary": {"type": "boolean"},
    "multiclass": {"type": "category", "categories": ["low", "mid", "high"]},
    "regression": {"type": "number"},
}


def project(task: str = "binary", **sections: dict) -> Project:
    """A project over the table of ``table``."""
    columns = {"y": TARGETS[task], **COLUMNS}
    raw = {"name": "unit", "data": {"source": "table.csv", "target": "y", "columns": columns}, **sections}
    return project_from_mapping(raw, origin="test")


def table(rows: int = 600, task: str = "binary", seed: int = 0, signal: float = 2.0) -> pd.DataFrame:
    """Mixed columns with missing values; the target depends on size, colour and open."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=rows),
            "count": rng.integers(0, 9, rows),
            "open": rng.random(rows) < 0.5,
            "colour": rng.choice(["red", "green", "blue"], rows),
            "noise": rng.normal(size=rows),
        }
    )
    score = signal * (frame["size"] + (frame["colour"] == "red") - frame["open"] * frame["size"].abs() / 2)
    noisy = score + rng.normal(size=rows)
    if task == "binary":
        frame["y"] = noisy > 0.5
    elif task == "multiclass":
        frame["y"] = pd.cut(noisy, [-np.inf, -0.5, 1.5, np.inf], labels=["low", "mid", "high"]).astype(str)
    else:
        frame["y"] = noisy
    frame.loc[rng.random(rows) < 0.1, "size"] = np.nan
    frame["colour"] = frame["colour"].astype(object).mask(rng.random(rows) < 0.1)
    return frame


def dataset(path: Path, task: str = "binary", **options) -> Path:
    """Write a cleaned dataset as cleaning does: typed columns, identity, side of the split and the contract."""
    frame = table(task=task, **options)
    frame[ROW_ID] = [f"{i:032x}" for i in range(len(frame))]
    frame[SPLIT] = np.where(
        np.arange(len(frame)) % 10 < 7, "train", np.where(np.arange(len(frame)) % 10 < 8, "validation", "test")
    )
    classes = {"binary": ("false", "true"), "multiclass": ("low", "mid", "high"), "regression": ()}[task]
    write_table(pa.Table.from_pandas(frame, preserve_index=False), path, Contract.of(project(task), classes))
    return path
