"""How each feature relates to the target on its own, measured on rows it was not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import Array, Metric, Task, metric_named, predictions
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
    return make_pipeline(ordinal(category_names(frame)), small_tree(task))


def small_tree(task: Task, leaves: int | None = 16) -> Any:
    """A tree of so many leaves of five rows or more."""
    tree = DecisionTreeRegressor if task == "regression" else DecisionTreeClassifier
    return tree(max_leaf_nodes=leaves, min_samples_leaf=5, random_state=0)


@dataclass(frozen=True)
class Halves:
    """Rows to learn from and rows to be asked about, with categories as codes.

    Attributes:
        task: The task.
        codes: The class codes; empty for regression.
        names: The features, in the order of the columns.
        categories: Those of them that are categories.
        taught: Shape ``(rows, features)``.
        asked: The same of the other rows.
        y_taught: The targets, shape ``(rows,)``.
        y_asked: The same of the other rows.
    """

    task: Task
    codes: list[int]
    names: list[str]
    categories: frozenset[str]
    taught: Array
    asked: Array
    y_taught: Array
    y_asked: Array

    @classmethod
    def of(cls, train: Dataset, held_out: Dataset) -> "Halves":
        """Encode two parts of a dataset."""
        categories = category_names(train.X)
        coded = ordinal(categories)  # once, not for every feature
        taught = np.asarray(coded.fit_transform(train.X), dtype="float64")
        asked = np.asarray(coded.transform(held_out.X), dtype="float64")
        names = [str(name) for name in coded.get_feature_names_out()]
        contract = train.contract
        return cls(contract.task, contract.codes, names, frozenset(categories), taught, asked, train.y, held_out.y)

    @cached_property
    def metric(self) -> Metric:
        """AUC for classes (0.5 is nothing), R2 for values (0 is nothing)."""
        return metric_named("r2_score" if self.task == "regression" else "roc_auc_score", self.task)

    def alone(self, column: int, leaves: int | None = 16) -> Array:
        """What a tree on one column says of the rows that are asked about, as the metric needs it."""
        one = slice(column, column + 1)
        model = small_tree(self.task, leaves).fit(self.taught[:, one], self.y_taught)
        return predictions(self.metric.needs, model, self.asked[:, one], self.codes)

    def score(self, predicted: Array) -> float:
        """The score of what is said of the rows that are asked about."""
        return scorer(self.metric, self.y_asked, predicted, self.codes)(slice(None))

    def fewer(self, asked: int) -> "Halves":
        """The same with at most so many of the rows that are asked about, drawn without replacement."""
        if len(self.asked) <= asked:
            return self
        drawn = np.random.default_rng(0).choice(len(self.asked), asked, replace=False)
        return replace(self, asked=self.asked[drawn], y_asked=self.y_asked[drawn])

    def part(self, taught: Array, asked: Array, columns: Sequence[int]) -> "Halves":
        """Some of the rows, by a mask of each part, and some of the columns, by position."""
        return Halves(
            self.task,
            self.codes,
            [self.names[column] for column in columns],
            self.categories,
            self.taught[:, columns][taught],
            self.asked[:, columns][asked],
            self.y_taught[taught],
            self.y_asked[asked],
        )


def relations(train: Dataset, held_out: Dataset) -> dict[str, float]:
    """Score every feature alone: AUC for classes (0.5 is nothing), R2 for values (0 is nothing).

    Args:
        train: Rows the single-feature trees are fitted on.
        held_out: Rows they are scored on.

    Returns:
        Scores by feature, the strongest first.
    """
    halves = Halves.of(train, held_out)
    return strongest_first({name: halves.score(halves.alone(at)) for at, name in enumerate(halves.names)})


def strongest_first(scores: dict[str, float]) -> dict[str, float]:
    """Scores by feature in falling order; those that are not defined last."""
    return dict(sorted(scores.items(), key=lambda item: -np.nan_to_num(item[1], nan=-1.0)))
