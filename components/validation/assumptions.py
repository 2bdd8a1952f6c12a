"""What the coefficients and intervals of a linear model rest on, checked where one is a candidate.

Sizes are checked and not p-values: of twenty thousand rows every test finds a deviation that matters to nobody.
"""

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import Ridge

from ciclo.components.core.metrics import Array
from ciclo.components.core.project import Project
from ciclo.components.core.sections import Level
from ciclo.components.core.verdict import Check, at_most
from ciclo.components.tables.datasets import Dataset
from ciclo.components.tables.relations import category_names

LINEAR = frozenset({"logistic_regression", "ridge", "elastic_net"})
CONDITION = 30.0  # Belsley, Kuh and Welsch, Regression Diagnostics, 1980
SKEWNESS, KURTOSIS = 2.0, 7.0  # West, Finch and Curran, 1995
SPREAD = 3.0  # ratio of variances up to which least squares does well: Kutner et al., Applied Linear Models, 2005
SERIAL = 0.3  # correlation of a residual with the one before it, at which Durbin and Watson's statistic is 1.4
CATEGORIES = 20
FEWEST = 50


def uses_linear(project: Project) -> bool:
    """Whether a linear model is among the candidates."""
    return any(candidate.estimator in LINEAR for candidate in project.candidates.values())


def condition_number(numeric: pd.DataFrame) -> float:
    """Condition number of standardised columns: the ratio of their greatest to their least singular value.

    Args:
        numeric: Numbers, shape ``(rows, columns)``; a missing value counts as the mean, a constant column not at all.

    Returns:
        1 or more; infinite if a column is an exact combination of others, NaN of fewer than two columns.
    """
    values = _standardised(numeric)
    if values.shape[1] < 2:
        return np.nan
    singular = np.linalg.svd(values, compute_uv=False)
    return float(singular[0] / singular[-1]) if singular[-1] > 1e-8 * singular[0] else np.inf


def residuals(sample: Dataset) -> tuple[Array, Array]:
    """Predictions and residuals of a linear model of all features, on the rows it is fitted on.

    Args:
        sample: Rows of a regression, in memory.

    Returns:
        Both of shape ``(rows,)``, in the order of time where rows have one, else of the source.
    """
    rows = sample.rows
    time = sample.contract.time_column
    order = np.argsort(rows[time].to_numpy(), kind="stable") if time else np.arange(len(rows))
    X = sample.X.reset_index(drop=True)  # noqa: N806
    texts = category_names(X)
    parts = [_standardised(X.drop(columns=texts))]
    for name in texts:
        kept = X[name].value_counts().index[:CATEGORIES]
        parts.append(np.column_stack([(X[name] == value).to_numpy() for value in kept] or [np.zeros(len(X))]))
    design = np.column_stack([part for part in parts if part.shape[1]] or [np.zeros((len(X), 1))]).astype("float64")
    predicted = Ridge(1e-3).fit(design, sample.y).predict(design)
    return np.asarray(predicted)[order], np.asarray(sample.y - predicted)[order]


def assumption_checks(project: Project, sample: Dataset, level: Level) -> list[Check]:
    """Whether the assumptions of linear models hold; nothing if none is a candidate.

    Args:
        project: Names the candidates.
        sample: Training rows in memory.
        level: Level of the checks.
    """
    if level == "off" or not uses_linear(project) or len(sample) < FEWEST:
        return []
    frame = sample.X
    checks = []
    number = condition_number(frame.drop(columns=category_names(frame)))
    if not np.isnan(number):
        what = "condition number of the numeric features, how much a small change of the data may move coefficients"
        advice = "do not read coefficients one by one; leave out the column that the others give, or regularise more"
        checks.append(_check(number, CONDITION, what, advice, level))
    if sample.contract.task == "regression":
        checks += residual_checks(*residuals(sample), level)
    return checks


def residual_checks(predicted: Array, left: Array, level: Level) -> list[Check]:
    """Whether residuals look as least squares assumes.

    Args:
        predicted: Predictions, shape ``(rows,)``.
        left: Residuals in the order of time, the same shape.
        level: Level of the checks.
    """
    spread = float(np.std(left))
    if spread <= 1e-12 * max(float(np.abs(predicted).max()), 1.0):
        return []  # what is predicted exactly leaves nothing to look at
    skewed, tailed = float(stats.skew(left)), float(stats.kurtosis(left))
    order = np.argsort(predicted, kind="stable")
    quarter = max(len(left) // 4, 1)
    low, high = float(np.var(left[order[:quarter]])), float(np.var(left[order[-quarter:]]))
    ratio = max(low, high) / max(min(low, high), 1e-300)
    serial = float(np.corrcoef(left[:-1], left[1:])[0, 1])
    return [
        _check(
            max(abs(skewed) / SKEWNESS, abs(tailed) / KURTOSIS),
            1.0,
            "normality: how far the errors of a linear model are from a normal distribution, by skewness and tails",
            "its intervals are not to be trusted; predict the logarithm of the target, or prefer trees",
            level,
        ),
        _check(
            ratio,
            SPREAD,
            "even spread (homoscedasticity): variance of a linear model's errors at great against small predictions",
            "one error size does not fit all rows; predict the logarithm of the target, or judge by relative errors",
            level,
        ),
        _check(
            abs(serial),
            SERIAL,
            "independence: correlation of a linear model's error with that of the row before",
            "rows near each other say the same twice; split by time, and add what they share as a feature",
            level,
        ),
    ]


def _check(value: float, limit: float, what: str, advice: str, level: Level) -> Check:
    message = what if value <= limit else f"{what}; {advice}"
    return at_most("assumptions", value, limit, message, level="error" if level == "error" else "warning")


def _standardised(frame: pd.DataFrame) -> Array:
    filled = frame.fillna(frame.mean()).dropna(axis="columns")
    filled = filled.loc[:, filled.std() > 0]
    return np.asarray((filled - filled.mean()) / filled.std(ddof=0), dtype="float64")
