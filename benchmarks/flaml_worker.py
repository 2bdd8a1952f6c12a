"""FLAML on Parquet files; runs in an environment of its own and knows nothing of Ciclo.

Reads one job a line, ``{"known": path, "asked": path, "answers": path, "target": column, "task": task, "metric": name,
"seconds": number, "cores": number, "in_time": bool, "seed": number}``: it learns from ``known``, whose classes are
codes, and writes what it says of the rows of ``asked`` as columns of ``answers``. Each job is answered with a line,
``{"seconds": number, "chosen": estimator}``.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
from flaml import AutoML
from sklearn.metrics import balanced_accuracy_score


def balanced(X, y, estimator, labels, X_train, y_train, *_, **__):
    """Balanced accuracy, which FLAML does not know by name."""
    loss = 1 - balanced_accuracy_score(y, estimator.predict(X))
    return loss, {"loss": loss}


METRICS = {"roc_auc_score": "roc_auc", "balanced_accuracy_score": balanced, "root_mean_squared_error": "rmse"}


def main() -> None:
    """Answer until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        job = json.loads(line)
        known, asked = pd.read_parquet(job["known"]), pd.read_parquet(job["asked"])
        for name in asked.columns:
            if not pd.api.types.is_numeric_dtype(asked[name]):
                levels = pd.CategoricalDtype(sorted(set(known[name].dropna())))
                known[name], asked[name] = known[name].astype(levels), asked[name].astype(levels)
        start = time.perf_counter()
        automl = AutoML()
        regression = job["task"] == "regression"
        automl.fit(
            known[asked.columns],
            known[job["target"]].to_numpy(),
            task="regression" if regression else "classification",
            metric=METRICS[job["metric"]],
            time_budget=job["seconds"],
            n_jobs=job["cores"],
            seed=job["seed"],
            verbose=0,
            **({"split_type": "time"} if job["in_time"] else {}),
        )
        seconds = time.perf_counter() - start
        said = automl.predict(asked) if regression else automl.predict_proba(asked)
        pd.DataFrame(np.asarray(said).reshape(len(asked), -1)).rename(columns=str).to_parquet(job["answers"])
        print(json.dumps({"seconds": seconds, "chosen": automl.best_estimator}), file=answers, flush=True)


if __name__ == "__main__":
    main()
