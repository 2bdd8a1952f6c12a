"""What monitoring will compare with: the profile of the training rows, and what is known of the winner's answers."""

from typing import Any

import numpy as np
import pandas as pd

from ciclo.components.core.anchor import Anchor
from ciclo.components.core.clusters import Clustered, Groups, covariance, jackknife
from ciclo.components.core.column_profile import ColumnProfile
from ciclo.components.core.estimation import Estimation
from ciclo.components.core.intervals import scorer
from ciclo.components.core.metrics import Array, predictions, threshold_of
from ciclo.components.core.profile import Profile
from ciclo.components.core.project import Project
from ciclo.components.tables.datasets import Dataset

SAMPLE = 40_000


def reference_of(
    project: Project,
    profile: Profile,
    importance: dict[str, float],
    model: Any,
    fitted_on: Dataset,
    test: Dataset,
    single_feature: str = "",
) -> Profile:
    """The profile of validation, with what only a fitted model can add; errors are of the groups the gates count.

    Args:
        project: The project.
        profile: Profile of the training and validation rows.
        importance: Importance of each feature.
        model: The winner.
        fitted_on: The training and validation rows.
        test: The test rows, which judge.
        single_feature: The one feature of the project's simple answer, for the anchor where there is no rule; empty for
            the most important one.
    """
    known = fitted_on.sample(SAMPLE, project.training.seed)
    answers = _answers(model, test)
    anchor = _anchor(project, profile, importance, known, single_feature)
    groups = Groups.of(project, test.rows).of_rows
    metric, codes = project.metric, test.contract.codes
    predicted = predictions("label", model, test.X, codes) if metric.needs == "label" else answers
    ours = jackknife(scorer(metric, test.y, predicted, codes), groups)
    alone = anchor.predict(metric.needs, test.X[anchor.column])
    theirs = jackknife(scorer(metric, test.y, alone, codes), groups)
    beside = {
        "score": Clustered.from_jackknife(*theirs) if theirs else None,
        "together": covariance(ours[1], theirs[1]) if ours and theirs else 0.0,
    }
    return profile.with_model(importance, _predictions(model, profile, known, test)).model_copy(
        update={
            "score": Clustered.from_jackknife(*ours) if ours else None,
            "anchor": anchor.model_copy(update=beside),
            "estimation": Estimation.of(metric, test.y, answers, threshold_of(model)),
        }
    )


def prediction_profile(model: Any, rows: Dataset) -> ColumnProfile:
    """Profile of what the model answers: probability of the positive class, label, or value."""
    return ColumnProfile.of(_shown(model, rows))


def _predictions(model: Any, profile: Profile, known: Dataset, test: Dataset) -> ColumnProfile:
    """The answers on the test rows; by slice those on the training rows, which are more and span more time."""
    found, times = prediction_profile(model, test), _times(known)
    if times is None or not profile.slice_days:
        return found
    return found.sliced(found.codes(_shown(model, known)), *profile.slices_of(times))


def _shown(model: Any, rows: Dataset) -> pd.Series:
    if rows.contract.task == "binary":
        return pd.Series(predictions("probability", model, rows.X, [0, 1])[:, 1])
    predicted = predictions("label", model, rows.X, rows.contract.codes)
    if rows.contract.task == "regression":
        return pd.Series(predicted, dtype="float64")
    return pd.Series([rows.contract.classes[int(code)] for code in predicted], dtype=object)


def _answers(model: Any, rows: Dataset) -> Array:
    needs = "value" if rows.contract.task == "regression" else "probability"
    return predictions(needs, model, rows.X, rows.contract.codes)


def _anchor(
    project: Project, profile: Profile, importance: dict[str, float], known: Dataset, single_feature: str
) -> Anchor:
    """Today's rule where the project names one, else the feature of the gate's simple answer alone."""
    rule, X = project.design.simple_rule, known.X  # noqa: N806
    column = single_feature if single_feature in importance else max(importance, key=lambda name: importance[name])
    text, bins = f"'{column}' alone", profile.columns[column].model_copy(update={"by_slice": ()})
    if rule is not None and rule.column in X.columns:
        column, text = rule.column, f"'{rule.column}' at least {rule.at_least:g}"
        bins = ColumnProfile(kind="number", counts=(0, 0, 0), edges=(float(rule.at_least),))
    return Anchor.of(column, text, bins, X[column], np.asarray(known.y), len(known.contract.classes))


def _times(rows: Dataset) -> pd.Series | None:
    column = rows.contract.time_column
    return rows.rows[column].reset_index(drop=True) if column else None
