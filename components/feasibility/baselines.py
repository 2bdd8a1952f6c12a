"""Three answers a model has to beat: the trivial one (always the same), one feature alone, and the rule of today.

Where labels are judged, the first two get a threshold by the same rule as the candidates do: a model with the threshold
that suits the metric beats anything that has none. The rule of today says itself what is positive.

The one feature is chosen for the first version and then fixed, so that the yardstick of a project does not change from
run to run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import make_pipeline

from ciclo.components.core.errors import CicloError, TrainingError
from ciclo.components.core.metrics import Array, labels_at, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.core.threshold import Rule, choose_threshold
from ciclo.components.releases.names import CHAMPION
from ciclo.components.releases.registry import open_registry
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.folds import part_of, partition
from ciclo.components.tables.relations import relations, single_feature_tree

CHOOSING = 0.25
THRESHOLD_FOLDS = 3


@dataclass(frozen=True)
class Baseline:
    """A simple answer, fitted.

    Attributes:
        name: ``trivial``, ``single_feature`` or ``rule``.
        description: What it does, for a person.
        columns: The features it looks at.
        model: The fitted estimator.
        threshold: From which probability on a row is labelled positive; None for the likeliest class.
        at_least: From which value of its column on a row is labelled positive, whatever the probability; None for a
            threshold.
    """

    name: str
    description: str
    columns: list[str]
    model: Any
    threshold: float | None = None
    at_least: float | None = None

    def predict(self, needs: str, X: pd.DataFrame, codes: list[int]) -> Array:  # noqa: N803
        """Its predictions, in the form a metric needs."""
        if needs == "label" and self.at_least is not None:
            return np.asarray(X[self.columns[0]] >= self.at_least, dtype="int64")
        return answers_of(needs, self.model, X[self.columns], codes, self.threshold)


def answers_of(needs: str, model: Any, X: pd.DataFrame, codes: list[int], threshold: float | None) -> Array:  # noqa: N803
    """What a model says, as ``predictions``, with a threshold for its labels."""
    if needs != "label" or threshold is None:
        return predictions(needs, model, X, codes)
    return labels_at(threshold, predictions("probability", model, X, codes))


def asks_labels(project: Project) -> bool:
    """Whether labels are judged for which a threshold is chosen."""
    return project.metric.needs == "label" and project.task == "binary"


def threshold_for(project: Project, rows: Dataset, fit: Callable[[Dataset], Any]) -> float | None:
    """The threshold by the rule of the project, chosen on rows out of fold; None where none is asked for.

    Args:
        project: Gives the rule.
        rows: Rows to fit on.
        fit: Fits a model on some of them.
    """
    if not asks_labels(project):
        return None
    predicted = np.full(len(rows), np.nan)
    try:
        folds = partition(project, rows, project.training.seed, THRESHOLD_FOLDS)
    except TrainingError:
        return 0.5
    for taught, asked in folds:
        model = fit(Dataset(rows.contract, rows.rows.iloc[taught]))
        predicted[asked] = predictions("probability", model, rows.X.iloc[asked], rows.contract.codes)[:, 1]
    known = ~np.isnan(predicted)
    return choose_threshold(rows.y[known] == 1, predicted[known], Rule.of(project.metric, project.evaluation.costs))


@dataclass(frozen=True)
class Fixed:
    """The feature that the project's single-feature answer looks at.

    Attributes:
        feature: Its name; empty where it has to be chosen.
        why: What there is to say of that, as a sentence; empty for the usual.
    """

    feature: str = ""
    why: str = ""

    def among(self, features: Sequence[str]) -> "Fixed":
        """The same, or none where cleaning dropped the feature."""
        if not self.feature or self.feature in features:
            return self
        return Fixed("", f"The feature of the simple answer is chosen anew, since '{self.feature}' was dropped.")


def fixed_feature(project: Project, settings: Settings) -> Fixed:
    """The feature that the champion was tested against.

    Args:
        project: The project.
        settings: Where the registry is.
    """
    registry = open_registry(project.name, settings)
    champion = registry.alias(CHAMPION)
    if champion is None:
        return Fixed()
    try:
        lineage: Mapping[str, Any] = registry.record(champion.version).lineage
    except CicloError as error:
        return Fixed("", f"The feature of the simple answer is chosen anew: version {champion.version}: {error}")
    feature = str(lineage.get("single_feature") or "")
    if feature and feature not in project.features:
        who = f"that of version {champion.version}, '{feature}', is no feature any more"
        return Fixed("", f"The feature of the simple answer is chosen anew, since {who}.")
    return Fixed(feature)


def best_feature(project: Project, rows: Dataset) -> str:
    """The feature that tells most alone: chosen on a quarter of the rows, by what the others taught.

    Args:
        project: Gives the seed.
        rows: Rows to choose on; none of those that will judge.
    """
    taught, choosing = part_of(project, rows, CHOOSING, project.training.seed)
    return next(iter(relations(taught, choosing)))


def baselines(project: Project, rows: Dataset, feature: str) -> list[Baseline]:
    """Fit the simple answers.

    Args:
        project: May name the rule people use today.
        rows: Rows to fit on; none of those that will judge.
        feature: The one feature.
    """
    task, X, y = project.task, rows.X, rows.y  # noqa: N806
    dummy = (DummyRegressor() if task == "regression" else DummyClassifier(strategy="prior")).fit(X, y)

    def fit_alone(some: Dataset) -> Any:
        alone = some.X[[feature]]
        return single_feature_tree(task, alone).fit(alone, some.y)

    always = None
    if asks_labels(project):
        share = np.full(len(y), float(np.mean(y == 1)))
        always = choose_threshold(y == 1, share, Rule.of(project.metric, project.evaluation.costs))
    found = [
        Baseline("trivial", "always the same answer", list(X.columns), dummy, always),
        Baseline(
            "single_feature",
            f"'{feature}' alone",
            [feature],
            fit_alone(rows),
            threshold_for(project, rows, lambda some: _Alone(feature, fit_alone(some))),
        ),
    ]
    rule = project.design.simple_rule
    if rule is not None and rule.column in X.columns:
        # A tree of one split on "has the column reached the value" learns only what to answer on either side.
        model = make_pipeline(_Reached(rule.at_least), single_feature_tree(task, X[[rule.column]]))
        text = f"'{rule.column}' at least {rule.at_least:g}"
        at_least = rule.at_least if task == "binary" else None
        found.append(Baseline("rule", text, [rule.column], model.fit(X[[rule.column]], y), at_least=at_least))
    return found


class _Alone:
    """A model of one feature that takes all of them."""

    def __init__(self, feature: str, model: Any) -> None:
        self._feature, self._model, self.classes_ = feature, model, model.classes_

    def predict_proba(self, X: pd.DataFrame) -> Array:  # noqa: N803
        return np.asarray(self._model.predict_proba(X[[self._feature]]))


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
