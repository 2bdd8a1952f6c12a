"""Three answers a model has to beat: the trivial one (always the same), one feature alone, and the rule of today.

The one feature is chosen for the first version and then fixed, so that the yardstick of a project does not change from
run to run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import make_pipeline

from ciclo.components.core.errors import CicloError
from ciclo.components.core.metrics import Array, predictions
from ciclo.components.core.project import Project
from ciclo.components.core.settings import Settings
from ciclo.components.releases.names import CHAMPION
from ciclo.components.releases.registry import open_registry
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.relations import relations, single_feature_tree

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


@dataclass(frozen=True)
class Fixed:
    """The feature that the project's single-feature answer looks at.

    Attributes:
        feature: Its name; empty where it has to be chosen.
        why: What there is to say of that, as a sentence; empty for the usual.
    """

    feature: str = ""
    why: str = ""


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
    choosing = rows.rows.sample(frac=CHOOSING, random_state=project.training.seed)
    taught = Dataset(rows.contract, rows.rows.drop(choosing.index))
    return next(iter(relations(taught, Dataset(rows.contract, choosing))))


def baselines(project: Project, rows: Dataset, feature: str) -> list[Baseline]:
    """Fit the simple answers.

    Args:
        project: May name the rule people use today.
        rows: Rows to fit on; none of those that will judge.
        feature: The one feature.
    """
    task, X, y = project.task, rows.X, rows.y  # noqa: N806
    dummy = DummyRegressor() if task == "regression" else DummyClassifier(strategy="prior")
    alone = X[[feature]]
    found = [
        Baseline("trivial", "always the same answer", list(X.columns), dummy.fit(X, y)),
        Baseline("single_feature", f"'{feature}' alone", [feature], single_feature_tree(task, alone).fit(alone, y)),
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
