"""Is machine learning appropriate at all?

Three answers a model has to beat: the trivial one (always the same), the best single feature, and the rule people use
today. If a plain first model cannot beat them on rows it has not seen, the honest advice is not to use ML.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ciclo.components.core.intervals import Interval, gain_interval
from ciclo.components.core.metrics import Array, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.verdict import Check, Verdict, more_than
from ciclo.components.tables.datasets import Dataset, write_table
from ciclo.components.tables.relations import category_names, ordinal, relations, single_feature_tree

SAMPLE = 10_000
CHOOSING = 0.25


@dataclass(frozen=True)
class Baseline:
    """A simple answer, fitted.

    Attributes:
        name: ``trivial``, ``single_feature`` or ``rule``.
        description: What it does, for a person.
        columns: The features it looks at.
        model: The fitted estimator.
    """

    name: str
    description: str
    columns: list[str]
    model: Any

    def predict(self, needs: str, X: pd.DataFrame, codes: list[int]) -> Array:  # noqa: N803
        """Its predictions, in the form a metric needs."""
        return predictions(needs, self.model, X[self.columns], codes)


def baselines(project: Project, rows: Dataset) -> list[Baseline]:
    """Fit the simple answers; the best single feature is chosen on a quarter of the rows, by what the others taught.

    Args:
        project: May name the rule people use today.
        rows: Rows to fit on; none of those that will judge.
    """
    task, X, y = project.task, rows.X, rows.y  # noqa: N806
    dummy = DummyRegressor() if task == "regression" else DummyClassifier(strategy="prior")
    choosing = rows.rows.sample(frac=CHOOSING, random_state=project.training.seed)
    taught = Dataset(rows.contract, rows.rows.drop(choosing.index))
    best = next(iter(relations(taught, Dataset(rows.contract, choosing))))
    found = [
        Baseline("trivial", "always the same answer", list(X.columns), dummy.fit(X, y)),
        Baseline("single_feature", f"'{best}' alone", [best], single_feature_tree(task, X[[best]]).fit(X[[best]], y)),
    ]
    rule = project.design.simple_rule
    if rule is not None and rule.column in X.columns:
        # A tree of one split on "has the column reached the value" learns only what to answer on either side.
        model = make_pipeline(_Reached(rule.at_least), single_feature_tree(task, X[[rule.column]]))
        text = f"'{rule.column}' at least {rule.at_least:g}"
        found.append(Baseline("rule", text, [rule.column], model.fit(X[[rule.column]], y)))
    return found


class _Reached:
    """Turn a column into whether it reached a value."""

    def __init__(self, at_least: float) -> None:
        self.at_least = at_least

    def fit(self, X: pd.DataFrame, y: object = None) -> "_Reached":  # noqa: N803
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        return (self.at_least <= X).astype("float64")

    def fit_transform(self, X: pd.DataFrame, y: object = None) -> pd.DataFrame:  # noqa: N803
        return self.transform(X)


def first_models(task: str, dataset: Dataset) -> dict[str, Any]:
    """Two plain models without any search: one linear, one of trees."""
    coded = ordinal(category_names(dataset.X))
    linear = LogisticRegression(max_iter=300) if task != "regression" else RidgeCV()
    trees = HistGradientBoostingClassifier if task != "regression" else HistGradientBoostingRegressor
    pipelines = {
        "linear": make_pipeline(coded, SimpleImputer(keep_empty_features=True), StandardScaler(), linear),
        "trees": make_pipeline(coded, trees(max_iter=60, random_state=0)),
    }
    return {name: model.fit(dataset.X, dataset.y) for name, model in pipelines.items()}


def decide(gains: dict[str, Interval], minimum: float, subject: str, facts: dict[str, str | float | int]) -> Verdict:
    """Decide whether ML is appropriate: the first model has to beat every simple answer.

    Args:
        gains: Gain of the first model over each simple answer, by name.
        minimum: Least gain, in units of the metric.
        subject: sha256 of the dataset.
        facts: Scores worth keeping.

    Returns:
        A verdict whose decision is ``ml`` or ``no_ml``.
    """
    checks: list[Check] = [
        more_than(f"beats_{name}", gain.low, minimum, f"gain over the {name} answer is {gain}")
        for name, gain in gains.items()
    ]
    beaten_by = [c for c in checks if not c.passed]
    reason = (
        "a first model is not clearly better than a simple answer: " + "; ".join(c.message for c in beaten_by)
        if beaten_by
        else "a first model beats every simple answer: " + "; ".join(c.message for c in checks)
    )
    decision = "no_ml" if beaten_by or not checks else "ml"
    return Verdict(
        gate="feasibility", decision=decision, reason=reason, subject=subject, checks=tuple(checks), facts=facts
    )


def assess(project: Project, dataset: Dataset, digest: str, baselines_path: str | Path) -> Verdict:
    """Ask whether ML is appropriate, on validation rows, and keep what the simple answers say of the test rows.

    Args:
        project: The project.
        dataset: All cleaned rows.
        digest: sha256 of the dataset.
        baselines_path: Where the simple answers on the test rows are written as Parquet: ``row_id`` and one list
            column for each, fitted on the training and validation rows.
    """
    metric, codes, seed = project.metric, dataset.contract.codes, project.training.seed
    sample = dataset.split("train").sample(SAMPLE, seed)
    held_out = dataset.split("validation").sample(SAMPLE, seed)
    simple = {b.name: b.predict(metric.needs, held_out.X, codes) for b in baselines(project, sample)}
    predicted = {
        n: predictions(metric.needs, m, held_out.X, codes) for n, m in first_models(project.task, sample).items()
    }
    scores = {n: metric.score(held_out.y, p, codes) for n, p in predicted.items()}
    best = max(scores, key=lambda n: np.nan_to_num(metric.gain(scores[n], 0.0), nan=-np.inf))
    gains = {
        name: gain_interval(
            metric,
            held_out.y,
            predicted[best],
            answer,
            codes,
            confidence=project.evaluation.confidence,
            resamples=project.evaluation.resamples,
            seed=seed,
        )
        for name, answer in simple.items()
    }
    facts: dict[str, str | float | int] = {f"score_{n}": metric.score(held_out.y, a, codes) for n, a in simple.items()}
    facts |= {"first_model": best, "score_first_model": scores[best]}
    _write_answers(project, dataset, baselines_path)
    return decide(gains, project.evaluation.minimum_gain_over_baseline, digest, _finite(facts))


def _write_answers(project: Project, dataset: Dataset, path: str | Path) -> None:
    seed, test = project.training.seed, dataset.split("test")
    needs, codes = project.metric.needs, dataset.contract.codes
    columns: dict[str, Any] = {"row_id": test.rows["row_id"].to_numpy()}
    fitted_on = dataset.split("train", "validation").sample(SAMPLE, seed)
    for baseline in baselines(project, fitted_on):
        answer = baseline.predict(needs, test.X, codes)
        columns[baseline.name] = list(answer) if answer.ndim == 2 else answer
    write_table(pa.table(columns), path)


def _finite(facts: dict[str, str | float | int]) -> dict[str, str | float | int]:
    return {k: v for k, v in facts.items() if isinstance(v, str) or np.isfinite(v)}
