"""How each feature relates to the target on its own, measured on rows it was not fitted on."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import Task, metric_named, predictions
from ciclo.components.tables.datasets import Dataset

# Under which a table of simple answers says in its metadata which one feature one of them looks at.
SINGLE_FEATURE = b"ciclo.single_feature"


def ordinal(categories: list[str]) -> Any:
    """An encoder of categories as codes for trees; a missing or unseen value becomes -1."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    return make_column_transformer((encoder, categories), remainder="passthrough", verbose_feature_names_out=False)


def category_names(frame: pd.DataFrame) -> list[str]:
    """The category columns of a canonical frame."""
    return [name for name in frame.columns if frame[name].dtype == object]


def single_feature_tree(task: Task, frame: pd.DataFrame) -> Pipeline:
    """A small tree on one column: at most 16 groups of values, each with its own answer."""
    return make_pipeline(ordinal(category_names(frame)), _small_tree(task))


def _small_tree(task: Task) -> Any:
    tree = DecisionTreeRegressor if task == "regression" else DecisionTreeClassifier
    return tree(max_leaf_nodes=16, min_samples_leaf=5, random_state=0)


def relations(train: Dataset, held_out: Dataset) -> dict[str, float]:
    """Score every feature alone: AUC for classes (0.5 is nothing), R2 for values (0 is nothing).

    Args:
        train: Rows the single-feature trees are fitted on.
        held_out: Rows they are scored on.

    Returns:
        Scores by feature, the strongest first.
    """
    task = train.contract.task
    metric = metric_named("r2_score" if task == "regression" else "roc_auc_score", task)
    codes, coded = train.contract.codes, ordinal(category_names(train.X))  # once, not for every feature
    taught = np.asarray(coded.fit_transform(train.X), dtype="float64")
    asked = np.asarray(coded.transform(held_out.X), dtype="float64")
    scores = {}
    for position, name in enumerate(coded.get_feature_names_out()):
        one = slice(position, position + 1)
        model = _small_tree(task).fit(taught[:, one], train.y)
        predicted = predictions(metric.needs, model, asked[:, one], codes)
        scores[str(name)] = scorer(metric, held_out.y, predicted, codes)(slice(None))
    return dict(sorted(scores.items(), key=lambda item: -np.nan_to_num(item[1], nan=-1.0)))
