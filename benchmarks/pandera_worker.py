"""What a practitioner would write with pandas and pandera: read, check, drop, split, profile. In its own environment.

    python -m benchmarks.pandera_worker FOLDER

It prints the same JSON as ``stage_worker``. The checks are those of the stages, each by the call that a library has for
it, on as many rows as the stages look at: types, ranges, categories, a label in every row, repeated rows; a split by
time; shares of missing values, quantiles and counts by week, principal components and what they lose; distances between
training and test rows, test rows that stand in training; and on a sample variance inflation, how features go with the
target and with each other, the score of each alone, of pairs and of a first model.
"""

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score, roc_auc_score
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
    profile(frame, names, numbers)
    sample, held_out = (frame[frame["split"] == s].sample(SAMPLE, random_state=0) for s in ("train", "validation"))
    relations(sample, names, numbers)
    leaks(sample, held_out, names, numbers)
    return f"{len(frame):,} rows kept"


def profile(frame: pd.DataFrame, names: list[str], numbers: list[str]) -> None:
    """Every column by week, how the columns go together, and the test rows beside the others."""
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
        column.agg(["mean", "std", "min", "max", "nunique"]) if name in numbers else column.nunique()
    shares = {name: known[name].map(known[name].value_counts(normalize=True)) for name in names if name not in numbers}
    values = known[numbers].assign(**shares)
    by_week = values.groupby(weeks)
    standard = ((values - by_week.transform("mean")) / by_week.transform("std")).fillna(0.0).astype("float32")
    pca = PCA(0.65).fit(standard.iloc[:: max(len(standard) // 50_000, 1)])
    lost = np.linalg.norm(standard - pca.inverse_transform(pca.transform(standard)), axis=1)
    pd.Series(lost).groupby(weeks.to_numpy()).quantile([0.1, 0.5, 0.9])
    seen = pd.util.hash_pandas_object(test[names], index=False)
    seen.isin(pd.util.hash_pandas_object(known[names], index=False)).mean()


def relations(sample: pd.DataFrame, names: list[str], numbers: list[str]) -> None:
    """How features go with the target and with each other."""
    np.linalg.eigh(sample[numbers].fillna(sample[numbers].mean()).corr())
    chances = []
    for name in names:
        if name in numbers:
            present = sample[sample[name].notna()]
            chances.append(stats.kruskal(*(part[name] for _, part in present.groupby("y"))).pvalue)
            bins = pd.qcut(sample[name], 10, labels=False, duplicates="drop").fillna(-1)
        else:
            chances.append(stats.chi2_contingency(pd.crosstab(sample[name], sample["y"])).pvalue)
            bins = pd.factorize(sample[name])[0]
        mutual_info_score(sample["y"], bins)
    stats.false_discovery_control(chances)
    some = sample.iloc[:5_000]
    some[numbers].corr("spearman")
    texts = [name for name in names if name not in numbers]
    for one, other in itertools.combinations(texts, 2):
        stats.contingency.association(pd.crosstab(some[one], some[other]))
    for one, other in itertools.product(texts, numbers):
        stats.kruskal(*(part[other] for _, part in some.groupby(one)), nan_policy="omit")


def leaks(sample: pd.DataFrame, held_out: pd.DataFrame, names: list[str], numbers: list[str]) -> None:
    """The score of each feature alone, and of it where it is known; of pairs of numbers; of a first model."""
    fits, asked = sample[numbers].copy(), held_out[numbers].copy()
    for name in (name for name in names if name not in numbers):
        codes = pd.factorize(pd.concat([sample[name], held_out[name]]))[0]
        fits[name], asked[name] = codes[:SAMPLE], codes[SAMPLE:]
    for name in names:
        tree = DecisionTreeClassifier(max_leaf_nodes=16, min_samples_leaf=5)
        score(tree, fits[[name]], asked[[name]], sample, held_out)
        if fits[name].isna().any():
            own, theirs = fits[name].notna(), asked[name].notna()
            score(tree, fits.loc[own, [name]], asked.loc[theirs, [name]], sample[own], held_out[theirs])
    for one, other in itertools.combinations(numbers, 2):
        taught, rest = (part[[one, other]].dropna() for part in (fits.iloc[:3_000], asked.iloc[:2_000]))
        both = (part.assign(product=part[one] * part[other]) for part in (taught, rest))
        score(LinearRegression(), *both, sample.loc[taught.index], held_out.loc[rest.index])
    score(HistGradientBoostingClassifier(max_iter=60), fits[names], asked[names], sample, held_out)


def score(model: Any, fits: pd.DataFrame, asked: pd.DataFrame, taught: pd.DataFrame, held_out: pd.DataFrame) -> float:
    """The area under the curve of a model on rows that it was not fitted on."""
    model.fit(fits, taught["y"])
    answers = model.predict_proba(asked)[:, 1] if hasattr(model, "predict_proba") else model.predict(asked)
    return float(roc_auc_score(held_out["y"], answers))


if __name__ == "__main__":
    report(lambda: run(Path(sys.argv[1])))
