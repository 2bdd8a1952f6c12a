"""What a practitioner would write with pandas and pandera: read, check, drop, split, profile. In its own environment.

    python -m benchmarks.pandera_worker FOLDER

It prints the same JSON as ``stage_worker``. The checks are those of the stages: types, ranges, categories, a label in
every row, repeated rows; a split by time; shares of missing values, quantiles and counts by week, variance inflation,
distances between training and test rows, and the score of each feature alone on a sample.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from benchmarks.worker import report

SAMPLE = 20_000


def schema(names: list[str]) -> pa.DataFrameSchema:
    """The rules of the generated table."""
    levels = [f"level {n}" for n in range(12)]
    rules = {
        "at": pa.Column("datetime64[ns]", coerce=True),
        "y": pa.Column(bool, coerce=True),
    }
    for name in names:
        kind = name.split("_")[0]
        if kind == "number":
            rules[name] = pa.Column(float, pa.Check.in_range(-1000, 1000), nullable=True)
        elif kind == "integer":
            rules[name] = pa.Column(float, pa.Check(lambda s: s % 1 == 0), nullable=True)
        elif kind == "category":
            rules[name] = pa.Column(str, pa.Check.isin(levels), nullable=True, coerce=False)
        else:
            rules[name] = pa.Column(bool, coerce=True)
    return pa.DataFrameSchema(rules)


def run(folder: Path) -> str:
    """Do all of it."""
    frame = pd.read_csv(folder / "table.csv", parse_dates=["at"], dtype={"number_0": str})
    names = [name for name in frame.columns if name not in ("at", "y")]
    frame["at"] = frame["at"].astype("datetime64[ns]")
    numbers = [name for name in names if name.startswith(("number", "integer"))]
    read = pd.to_numeric(frame["number_0"], errors="coerce")
    broken = frame["number_0"].notna() & read.isna()
    frame["number_0"] = read
    try:
        schema(names).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as found:
        rows = found.failure_cases["index"].dropna().astype(int).unique()
        broken |= frame.index.isin(rows)
    identity = pd.util.hash_pandas_object(frame, index=False)
    repeated = identity.duplicated()
    frame[broken | repeated].to_parquet(folder / "pandera_quarantine.parquet")
    frame = frame[~(broken | repeated)].sort_values("at", kind="stable")
    cuts = frame["at"].quantile([0.7, 0.85]).to_list()
    frame["split"] = np.select([frame["at"] >= cuts[1], frame["at"] >= cuts[0]], ["test", "validation"], "train")
    frame.to_parquet(folder / "pandera.parquet", compression="zstd")
    known, test = frame[frame["split"] != "test"], frame[frame["split"] == "test"]
    weeks = (known["at"] - known["at"].min()).dt.days // 7
    for name in names:
        column = known[name]
        if name in numbers:
            edges = np.unique(np.nanquantile(column, np.linspace(0, 1, 11)[1:-1]))
            bins, theirs = (np.searchsorted(edges, c[name].to_numpy()) for c in (known, test))
        else:
            kinds = pd.Index(column.value_counts().index)
            bins, theirs = kinds.get_indexer(column) + 1, kinds.get_indexer(test[name]) + 1
        size = int(max(bins.max(), theirs.max())) + 1
        np.bincount(weeks.to_numpy() * size + bins)
        jensenshannon(np.bincount(bins, minlength=size), np.bincount(theirs, minlength=size))
        column.isna().mean()
    sample, held_out = (frame[frame["split"] == s].sample(SAMPLE, random_state=0) for s in ("train", "validation"))
    np.linalg.eigh(sample[numbers].fillna(sample[numbers].mean()).corr())
    for name in names:
        codes = pd.factorize(pd.concat([sample[name], held_out[name]]))[0]
        fit, score = codes[:SAMPLE], codes[SAMPLE:]
        if name in numbers:
            fit, score = sample[name].to_numpy(), held_out[name].to_numpy()
        tree = DecisionTreeClassifier(max_leaf_nodes=16, min_samples_leaf=5).fit(fit.reshape(-1, 1), sample["y"])
        roc_auc_score(held_out["y"], tree.predict_proba(score.reshape(-1, 1))[:, 1])
    return f"{len(frame):,} rows kept"


if __name__ == "__main__":
    report(lambda: run(Path(sys.argv[1])))
